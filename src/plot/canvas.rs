//! The page that a figure is drawn on: strokes, shapes and text in page units, kept as SVG and rasterised to PNG.

use super::colour::{Colour, WHITE};
use super::fonts::{escaped, fit, parse};
use super::pdf::pdf;
use crate::error::{bail, At, Error, Result};
use crate::files::write_atomically;
use resvg::tiny_skia::{Pixmap, Transform};
use std::ffi::OsStr;
use std::path::{Path, PathBuf};

/// Font sizes, in page units.
pub(super) const TITLE: f64 = 36.0;
pub(super) const LABEL: f64 = 28.0;
pub(super) const SMALL: f64 = 24.0;

/// A point on the page.
pub(super) type Point = (f64, f64);

/// How a text looks.
#[derive(Clone, Copy)]
pub(super) struct Style {
    pub size: f64,
    pub colour: Colour,
    pub bold: bool,
    /// SVG's `text-anchor`.
    pub anchor: &'static str,
    /// Rotated to read from bottom to top.
    pub upward: bool,
    /// The width available: wider text is set smaller, then cut.
    pub room: f64,
}

impl Style {
    /// Regular dark text that starts at its point, of any width.
    pub fn left(size: f64) -> Self {
        Style { size, colour: Colour::Ink, bold: false, anchor: "start", upward: false, room: f64::INFINITY }
    }

    /// The same, centred on its point.
    pub fn centred(size: f64) -> Self {
        Style { anchor: "middle", ..Style::left(size) }
    }

    /// The same, ending at its point.
    pub fn right(size: f64) -> Self {
        Style { anchor: "end", ..Style::left(size) }
    }
}

/// A white page, 1600 units wide.
pub struct Canvas {
    /// Width and height.
    size: (u32, u32),
    body: String,
}

impl Canvas {
    pub(super) fn new(height: u32) -> Self {
        let mut canvas = Canvas { size: (1600, height), body: String::new() };
        canvas.rectangle((0.0, 0.0), (1600.0, f64::from(height)), WHITE, 1.0);
        canvas
    }

    /// The text of an SVG file.
    pub fn svg(&self) -> String {
        let (width, height) = self.size;
        let shown = format!(r#"width="{}" height="{}""#, width * 3 / 5, height * 3 / 5);
        self.element(&format!(r#"{shown} viewBox="0 0 {width} {height}" xmlns="http://www.w3.org/2000/svg""#))
    }

    /// An `svg` element for an HTML page, which gives it its size and its name.
    pub fn inline_svg(&self) -> String {
        let (width, height) = self.size;
        self.element(&format!(r#"viewBox="0 0 {width} {height}" aria-hidden="true" focusable="false""#))
    }

    fn element(&self, attributes: &str) -> String {
        let group = r#"<g font-family="sans-serif" stroke-linecap="round" stroke-linejoin="round">"#;
        format!("<svg {attributes}>\n{group}\n{}</g>\n</svg>\n", self.body)
    }

    /// The bytes of a PNG file, one pixel per unit.
    pub(super) fn png(&self) -> Result<Vec<u8>> {
        let (width, height) = self.size;
        let tree = parse(&self.svg())?;
        let mut pixels = Pixmap::new(width, height).ok_or_else(|| Error::Bug("a page without a size".into()))?;
        let scale = width as f32 / tree.size().width();
        resvg::render(&tree, Transform::from_scale(scale, scale), &mut pixels.as_mut());
        pixels.encode_png().map_err(|error| Error::Bug(format!("encoding a PNG: {error}")))
    }

    /// Writes one file, whole or not at all: PDF, PNG or SVG by the end of its name. A PDF page is `width_mm` wide.
    ///
    /// # Errors
    /// [`Error::Io`] if it cannot be written, [`Error::Usage`] if the name has another end.
    pub fn save_as(&self, path: &Path, width_mm: f64) -> Result<()> {
        let bytes = match path.extension().and_then(OsStr::to_str) {
            Some("pdf") => pdf(&parse(&self.svg())?, width_mm)?,
            Some("png") => self.png()?,
            Some("svg") => self.svg().into_bytes(),
            _ => bail!(Usage, "{}: expected a name that ends in .pdf, .png or .svg", path.display()),
        };
        write_atomically(path, &bytes)
    }

    /// Writes `STEM.png` and `STEM.svg`, each whole or not at all.
    ///
    /// # Errors
    /// [`Error::Io`] if a file cannot be written.
    pub fn save(&self, stem: &Path) -> Result<()> {
        // Appended, since a stem may itself contain dots.
        let path = |end: &str| {
            let mut name = stem.as_os_str().to_owned();
            name.push(end);
            PathBuf::from(name)
        };
        let png = self.png().at(format!("drawing {}", stem.display()))?;
        write_atomically(&path(".png"), &png)?;
        write_atomically(&path(".svg"), self.svg().as_bytes())
    }

    fn add(&mut self, element: &str) {
        self.body += element;
        self.body.push('\n');
    }

    /// A solid line through `points`; a round dot if there is only one.
    pub(super) fn line(&mut self, points: &[Point], width: f64, colour: Colour) {
        self.stroke(points, width, colour, "");
    }

    /// A dashed line through `points`.
    pub(super) fn dashed(&mut self, points: &[Point], width: f64, colour: Colour) {
        self.stroke(points, width, colour, r#" stroke-dasharray="10 5" stroke-linecap="butt""#);
    }

    fn stroke(&mut self, points: &[Point], width: f64, colour: Colour, dashes: &str) {
        if let [point] = points {
            return self.dot(*point, 1.5 * width, colour);
        }
        let points = list(points);
        self.add(&format!(
            r#"<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="{width}"{dashes}/>"#
        ));
    }

    /// A filled round dot.
    pub(super) fn dot(&mut self, (x, y): Point, radius: f64, colour: Colour) {
        let (x, y) = (rounded(x), rounded(y));
        self.add(&format!(r#"<circle cx="{x}" cy="{y}" r="{radius}" fill="{colour}"/>"#));
    }

    /// A filled rectangle between two corners, in whole units and with sharp edges, so that neighbours leave no seam.
    pub(super) fn rectangle(&mut self, a: Point, b: Point, colour: Colour, opacity: f64) {
        let (a, b) = ((a.0.round(), a.1.round()), (b.0.round(), b.1.round()));
        let (x, y, width, height) = (a.0.min(b.0), a.1.min(b.1), (a.0 - b.0).abs(), (a.1 - b.1).abs());
        let place = format!(r#"x="{x}" y="{y}" width="{width}" height="{height}""#);
        self.add(&format!(r#"<rect {place} fill="{colour}" fill-opacity="{opacity}" shape-rendering="crispEdges"/>"#));
    }

    /// A filled, translucent polygon.
    pub(super) fn polygon(&mut self, points: &[Point], colour: Colour, opacity: f64) {
        let points = list(points);
        self.add(&format!(r#"<polygon points="{points}" fill="{colour}" fill-opacity="{opacity}"/>"#));
    }

    /// A text whose baseline passes through the point.
    pub(super) fn text(&mut self, text: &str, (x, y): Point, style: Style) {
        let (text, size) = fit(text, style.size, style.bold, style.room);
        let (x, y, text) = (rounded(x), rounded(y), escaped(&text));
        let Style { anchor, colour, .. } = style;
        let weight = if style.bold { r#" font-weight="bold""# } else { "" };
        let turn = if style.upward { format!(r#" transform="rotate(-90 {x} {y})""#) } else { String::new() };
        let place = format!(r#"x="{x}" y="{y}" text-anchor="{anchor}""#);
        self.add(&format!(r#"<text {place} font-size="{size:.4}"{weight} fill="{colour}"{turn}>{text}</text>"#));
    }
}

/// A coordinate with one decimal, a tenth of a pixel.
fn rounded(position: f64) -> f64 {
    (10.0 * position).round() / 10.0
}

fn list(points: &[Point]) -> String {
    let point = |&(x, y): &Point| format!("{},{}", rounded(x), rounded(y));
    points.iter().map(point).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pdf_has_the_shapes_of_its_svg() {
        let mut canvas = Canvas::new(800);
        canvas.rectangle((0.0, 0.0), (800.0, 100.0), Colour::Blue, 0.5);
        canvas.dashed(&[(900.0, 50.0), (1000.0, 50.0)], 20.0, Colour::Orange);
        // A letter with curves.
        canvas.text("S", (1200.0, 90.0), Style::left(100.0));
        let pdf = String::from_utf8(pdf(&parse(&canvas.svg()).unwrap(), 180.0).unwrap()).unwrap();
        // 180 mm are 510.236 points, and the page is half as high as wide.
        assert!(pdf.starts_with("%PDF-1.4\n") && pdf.contains("/MediaBox [0 0 510.236 255.118]"), "{pdf}");
        for part in ["0.0000 0.4471 0.6980 rg /O500 gs", "0.8353 0.3686 0.0000 RG", "/O500 << /ca 0.5", "] 0 d", " c\n"]
        {
            assert!(pdf.contains(part), "{part}: {pdf}");
        }
        // Every object is where the table says.
        let start: usize = pdf.split("startxref\n").nth(1).unwrap().lines().next().unwrap().parse().unwrap();
        let table: Vec<&str> = pdf[start..].lines().skip(3).take(4).collect();
        for (k, line) in table.iter().enumerate() {
            let place: usize = line[..10].parse().unwrap();
            assert!(pdf[place..].starts_with(&format!("{} 0 obj", k + 1)), "{line}");
        }
        let length: usize = pdf.split("/Length ").nth(1).unwrap().split(' ').next().unwrap().parse().unwrap();
        let stream = pdf.split("stream\n").nth(1).unwrap();
        assert_eq!(stream.strip_suffix("end").map(str::len), Some(length));
    }

    #[test]
    fn a_png_shows_what_its_svg_says() {
        let mut canvas = Canvas::new(100);
        canvas.rectangle((0.0, 0.0), (800.0, 100.0), Colour::Blue, 1.0);
        canvas.line(&[(900.0, 50.0), (1000.0, 50.0)], 20.0, Colour::Orange);
        canvas.text("MMMM", (1200.0, 90.0), Style { bold: true, ..Style::left(100.0) });
        let pixels = Pixmap::decode_png(&canvas.png().unwrap()).unwrap();
        assert_eq!((pixels.width(), pixels.height()), (1600, 100));
        let at = |x, y| pixels.pixel(x, y).map(|p| [p.red(), p.green(), p.blue(), p.alpha()]).unwrap();
        assert_eq!(at(799, 99), [0, 114, 178, 255]);
        assert_eq!(at(800, 99), [255; 4]);
        assert_eq!(at(950, 50), [213, 94, 0, 255]);
        assert!((1200..1600).any(|x| at(x, 80) == [34, 34, 34, 255]), "text is set without a font of the system");
    }
}
