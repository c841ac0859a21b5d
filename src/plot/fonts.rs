//! The fonts of all figures: how wide a text is, and how it fits into the room it has.

use std::sync::OnceLock;

use plotters::style::{register_font, FontDesc, FontFamily, FontStyle};

use super::canvas::SCALE;

/// plotters' font size for an em of one unit (its SVG backend divides by the same number).
const SIZE_OF_EM: f64 = 1.24;

/// The font of a text of `size` page units, in backend pixels.
pub(super) fn font(size: f64, bold: bool) -> FontDesc<'static> {
    let style = if bold { FontStyle::Bold } else { FontStyle::Normal };
    FontDesc::new(FontFamily::SansSerif, size * SIZE_OF_EM * f64::from(SCALE), style)
}

/// The width of a text in page units.
pub(super) fn measure(text: &str, size: f64, bold: bool) -> f64 {
    register_fonts();
    let width = font(size, bold).box_size(text);
    // Without a font: about the width of DejaVu Sans.
    width.map_or(0.62 * size * text.chars().count() as f64, |(w, _)| f64::from(w) / f64::from(SCALE))
}

/// The text with a size of at most `size` that fits into `room` units: first smaller, down to
/// two thirds, then cut with an ellipsis.
pub(super) fn fit(text: &str, size: f64, bold: bool, room: f64) -> (String, f64) {
    let wide = measure(text, size, bold);
    if wide <= room {
        return (text.into(), size);
    }
    let size = (size * room / wide).max(size * 2.0 / 3.0);
    let mut kept: Vec<char> = text.chars().collect();
    let mut fitted = text.to_string();
    while measure(&fitted, size, bold) > room + 1.0 && !kept.is_empty() {
        kept.pop();
        fitted = kept.iter().collect::<String>() + "…";
    }
    (fitted, size)
}

/// Makes DejaVu Sans known to plotters, once.
pub(super) fn register_fonts() {
    static DONE: OnceLock<()> = OnceLock::new();
    DONE.get_or_init(|| {
        // The embedded fonts are valid; if they were not, drawing text would report it.
        let _ = register_font("sans-serif", FontStyle::Normal, dejavu::sans::regular());
        let _ = register_font("sans-serif", FontStyle::Bold, dejavu::sans::bold());
    });
}

#[cfg(test)]
mod tests {
    use super::super::canvas::TITLE;
    use super::*;

    #[test]
    fn long_text_is_cut() {
        let (text, size) = fit(&"long title ".repeat(40), TITLE, true, 400.0);
        assert!(text.ends_with('…') && size >= TITLE * 0.66);
        assert!(measure(&text, size, true) <= 402.0);
        assert_eq!(fit("short", TITLE, true, 400.0), ("short".into(), TITLE));
    }
}
