//! The embedded font, DejaVu Sans: the width of a text, and text fitted to the width available.

use std::sync::{Arc, LazyLock};

use crate::error::{Error, Result};
use crate::text::is_hidden;
use resvg::usvg::{fontdb::Source, Options, Tree};

/// How SVG is read: with the embedded fonts only, so that results don't depend on the system's.
static OPTIONS: LazyLock<Options> = LazyLock::new(|| {
    let mut options = Options::default();
    let fonts = options.fontdb_mut();
    for font in [dejavu::sans::regular(), dejavu::sans::bold()] {
        fonts.load_font_source(Source::Binary(Arc::new(font)));
    }
    fonts.set_sans_serif_family("DejaVu Sans");
    options
});

/// Reads an SVG and turns its text into outlines.
pub(super) fn parse(svg: &str) -> Result<Tree> {
    Tree::from_str(svg, &OPTIONS).map_err(|error| Error::Bug(format!("an SVG that cannot be read: {error}")))
}

/// The text as it is written in XML, which has no control characters; others that are hidden would move what is around them.
pub(super) fn escaped(text: &str) -> String {
    let text = text.replace(|c: char| is_hidden(c) || matches!(c, '\u{fffe}' | '\u{ffff}'), "\u{fffd}");
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

/// The width of a text in page units.
pub(super) fn measure(text: &str, size: f64, bold: bool) -> f64 {
    let weight = if bold { 700 } else { 400 };
    let font = format!("font-family=\"sans-serif\" font-size=\"{size}\" font-weight=\"{weight}\"");
    let text = escaped(text);
    let svg = format!("<svg xmlns=\"http://www.w3.org/2000/svg\"><text {font}>{text}</text></svg>");
    parse(&svg).map_or(0.0, |tree| f64::from(tree.root().bounding_box().width()))
}

/// The text, and the size of at most `size` at which it fits into `room` units: set smaller first, down to two thirds,
/// then cut with an ellipsis.
pub(super) fn fit(text: &str, size: f64, bold: bool, room: f64) -> (String, f64) {
    let wide = if room.is_finite() { measure(text, size, bold) } else { 0.0 };
    if wide <= room {
        return (text.into(), size);
    }
    let size = (size * room / wide).max(size * 2.0 / 3.0);
    if measure(text, size, bold) <= room + 1.0 {
        return (text.into(), size);
    }
    let cut = |(end, _)| text[..end].trim_end().to_string() + "…";
    let cuts: Vec<String> = text.char_indices().map(cut).collect();
    let fitting = cuts.partition_point(|cut| measure(cut, size, bold) <= room + 1.0);
    (cuts.into_iter().take(fitting.max(1)).next_back().unwrap_or_default(), size)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_text_is_cut() {
        let (text, size) = fit(&"long title ".repeat(40), 36.0, true, 400.0);
        assert!(text.ends_with('…') && size >= 36.0 * 0.66);
        assert!((340.0..402.0).contains(&measure(&text, size, true)));
        assert_eq!(fit("short", 36.0, true, 400.0), ("short".into(), 36.0));
    }

    #[test]
    fn any_text_can_be_written() {
        let odd = "a<b> & \"c\" 'd' \u{0}\u{1b}[31m\u{ffff}é漢";
        assert!(measure(odd, 24.0, false) > measure("a<b> & \"c\" 'd'", 24.0, false));
        assert_eq!(escaped("1 < 2 & 3\u{7}"), "1 &lt; 2 &amp; 3\u{fffd}");
    }
}
