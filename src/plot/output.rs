//! A figure as the two files of a picture: its SVG, and the PNG that is painted from it.

use std::path::{Path, PathBuf};

use crate::error::{At, Error, Result};
use resvg::tiny_skia::{Pixmap, Transform};

use super::canvas::Canvas;
use super::fonts::parse;
use crate::files::write_atomically;

/// Writes `STEM.png` and `STEM.svg`, each whole or not at all.
pub(super) fn save(canvas: &Canvas, stem: &Path) -> Result<()> {
    // Appended, whatever dots the name has.
    let path = |end: &str| {
        let mut name = stem.as_os_str().to_owned();
        name.push(end);
        PathBuf::from(name)
    };
    let png = png(canvas).at(format!("drawing {}", stem.display()))?;
    write_atomically(&path(".png"), &png)?;
    write_atomically(&path(".svg"), canvas.svg().as_bytes())
}

/// The page as the bytes of a PNG file, one pixel to a unit.
pub(super) fn png(canvas: &Canvas) -> Result<Vec<u8>> {
    let (width, height) = canvas.size;
    let tree = parse(&canvas.svg())?;
    let mut pixels = Pixmap::new(width, height).ok_or_else(|| Error::Bug("a page without a size".into()))?;
    let scale = width as f32 / tree.size().width();
    resvg::render(&tree, Transform::from_scale(scale, scale), &mut pixels.as_mut());
    pixels.encode_png().map_err(|error| Error::Bug(format!("encoding a PNG: {error}")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plot::canvas::{Align, Type};
    use crate::plot::Colour;

    #[test]
    fn a_png_shows_what_its_svg_says() {
        let mut canvas = Canvas::new(100);
        canvas.rectangle((0.0, 0.0), (800.0, 100.0), Colour::Blue, 1.0);
        canvas.line(&[(900.0, 50.0), (1000.0, 50.0)], 20.0, Colour::Orange);
        canvas.text("MMMM", (1200.0, 90.0), Type { bold: true, ..Type::new(100.0, Align::Left) });
        let pixels = Pixmap::decode_png(&png(&canvas).unwrap()).unwrap();
        assert_eq!((pixels.width(), pixels.height()), (1600, 100));
        let at = |x, y| pixels.pixel(x, y).map(|p| [p.red(), p.green(), p.blue(), p.alpha()]).unwrap();
        assert_eq!(at(799, 99), [0, 114, 178, 255]);
        assert_eq!(at(800, 99), [255; 4]);
        assert_eq!(at(950, 50), [213, 94, 0, 255]);
        assert!((1200..1600).any(|x| at(x, 80) == [34, 34, 34, 255]), "text is set without a font of the system");
    }
}
