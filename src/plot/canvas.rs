//! The drawing surface: strokes, shapes and text in page units, on either backend of plotters.
//!
//! A page is 1600 units wide. Both backends are drawn at [`SCALE`] backend pixels to the unit: the
//! bitmap is then averaged down, which smooths its edges, and the SVG gets finer coordinates.

use anyhow::{anyhow, Result};
use plotters::coord::Shift;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};
use plotters::style::{FontDesc, FontTransform};

use super::fonts::{font, measure};

/// Backend pixels to one page unit.
pub(super) const SCALE: u32 = 2;
pub(super) const BLUE: RGBColor = RGBColor(0, 114, 178);
pub(super) const ORANGE: RGBColor = RGBColor(213, 94, 0);
pub(super) const INK: RGBColor = RGBColor(34, 34, 34);
pub(super) const GREY: RGBColor = RGBColor(110, 110, 110);
pub(super) const GRID: RGBColor = RGBColor(230, 230, 230);
/// Colours of several outputs (Okabe and Ito), the first being the main one.
pub(super) const COLOURS: [RGBColor; 5] =
    [BLUE, RGBColor(230, 159, 0), RGBColor(0, 158, 115), RGBColor(204, 121, 167), RGBColor(86, 180, 233)];

/// Font sizes, in page units.
pub(super) const TITLE: f64 = 36.0;
pub(super) const LABEL: f64 = 28.0;
pub(super) const SMALL: f64 = 24.0;

/// A point on the page.
pub(super) type Point = (f64, f64);

/// Where a text lies in relation to the point it is put at.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Align {
    Left,
    Centre,
    Right,
}

/// How a text looks.
#[derive(Clone, Copy)]
pub(super) struct Type {
    pub size: f64,
    pub colour: RGBColor,
    pub bold: bool,
    pub align: Align,
    /// Turned to be read from bottom to top.
    pub upward: bool,
}

impl Type {
    /// Upright regular dark text.
    pub fn new(size: f64, align: Align) -> Self {
        Type { size, colour: INK, bold: false, align, upward: false }
    }
}

/// A page on one backend.
pub(super) struct Canvas<'a, DB: DrawingBackend> {
    pub(super) area: &'a DrawingArea<DB, Shift>,
    /// The backend paints pixels: strokes and text are rasterised here.
    pub(super) pixels: bool,
}

impl<DB: DrawingBackend> Canvas<'_, DB> {
    fn put<'e, E>(&self, element: &'e E) -> Result<()>
    where
        &'e E: plotters::element::PointCollection<'e, (i32, i32)>,
        E: plotters::element::Drawable<DB>,
    {
        self.area.draw(element).map_err(|error| anyhow!("drawing: {error}"))
    }

    /// A solid line through `points`; a round dot where there is only one.
    pub fn line(&self, points: &[Point], width: f64, colour: RGBColor) -> Result<()> {
        if let [point] = points {
            return self.dot(*point, 1.5 * width, colour);
        }
        let width = width * f64::from(SCALE);
        if self.pixels {
            return points.windows(2).try_for_each(|w| self.stroke(w[0], w[1], width / 2.0, colour));
        }
        let mut path: Vec<_> = points.iter().map(|&p| pixel(p)).collect();
        path.dedup();
        let style = colour.stroke_width(width.round().max(1.0) as u32);
        self.put(&PathElement::new(path, style))
    }

    /// One straight stroke with round ends, pixel by pixel.
    fn stroke(&self, a: Point, b: Point, radius: f64, colour: RGBColor) -> Result<()> {
        let scale = f64::from(SCALE);
        let (a, b) = ((a.0 * scale, a.1 * scale), (b.0 * scale, b.1 * scale));
        let (dx, dy) = (b.0 - a.0, b.1 - a.1);
        let length2 = (dx * dx + dy * dy).max(1e-9);
        let span = |p: f64, q: f64| {
            let (lo, hi) = (p.min(q) - radius, p.max(q) + radius);
            lo.floor() as i32..=hi.ceil() as i32
        };
        for y in span(a.1, b.1) {
            for x in span(a.0, b.0) {
                let (px, py) = (f64::from(x) + 0.5 - a.0, f64::from(y) + 0.5 - a.1);
                let along = ((px * dx + py * dy) / length2).clamp(0.0, 1.0);
                if (px - along * dx).hypot(py - along * dy) <= radius {
                    self.paint(x, y, &colour)?;
                }
            }
        }
        Ok(())
    }

    fn paint<C: Color>(&self, x: i32, y: i32, colour: &C) -> Result<()> {
        self.area.draw_pixel((x, y), colour).map_err(|error| anyhow!("drawing: {error}"))
    }

    /// A dashed line through `points`; `dash` is the length of a dash and of a gap.
    pub fn dashed(&self, points: &[Point], width: f64, dash: Point, colour: RGBColor) -> Result<()> {
        for piece in dashes(points, dash) {
            self.line(&piece, width, colour)?;
        }
        Ok(())
    }

    /// A filled round dot.
    pub fn dot(&self, centre: Point, radius: f64, colour: RGBColor) -> Result<()> {
        let radius = (radius * f64::from(SCALE)).round() as i32;
        self.put(&Circle::new(pixel(centre), radius, colour.filled()))
    }

    /// A filled rectangle between two corners.
    pub fn rectangle(&self, a: Point, b: Point, colour: RGBColor) -> Result<()> {
        self.put(&Rectangle::new([pixel(a), pixel(b)], colour.filled()))
    }

    /// A filled, translucent polygon.
    pub fn polygon(&self, points: &[Point], colour: RGBColor, alpha: f64) -> Result<()> {
        let corners: Vec<_> = points.iter().map(|&p| pixel(p)).collect();
        self.put(&Polygon::new(corners, colour.mix(alpha)))
    }

    /// A text whose baseline passes through `at`.
    pub fn text(&self, text: &str, at: Point, look: Type) -> Result<()> {
        let font = font(look.size, look.bold);
        let at = pixel(at);
        if self.pixels {
            return self.text_pixels(text, at, &font, look);
        }
        let (turn, rise) = if look.upward { (FontTransform::Rotate270, (1, 0)) } else { (FontTransform::None, (0, 1)) };
        // The SVG backend puts the baseline of text anchored at its top 0.76 em below the anchor.
        let drop = (0.76 * look.size * f64::from(SCALE)).round() as i32;
        let anchor = match look.align {
            Align::Left => HPos::Left,
            Align::Centre => HPos::Center,
            Align::Right => HPos::Right,
        };
        let style = TextStyle::from(font.transform(turn)).color(&look.colour).pos(Pos::new(anchor, VPos::Top));
        let anchor = (at.0 - rise.0 * drop, at.1 - rise.1 * drop);
        self.put(&Text::new(text, anchor, style))
    }

    /// A text on a bitmap, where plotters' font code puts the baseline at half the font size.
    fn text_pixels(&self, text: &str, at: (i32, i32), font: &FontDesc, look: Type) -> Result<()> {
        let width = measure(text, look.size, look.bold) * f64::from(SCALE);
        let left = match look.align {
            Align::Left => 0,
            Align::Centre => (-width / 2.0).round() as i32,
            Align::Right => -width.round() as i32,
        };
        let baseline = -(font.get_size() / 2.0).round() as i32;
        font.draw(text, (left, baseline), |x, y, cover| {
            let (x, y) = if look.upward { (y, -x) } else { (x, y) };
            let colour = look.colour.mix(f64::from(cover));
            self.paint(at.0 + x, at.1 + y, &colour)
        })
        .map_err(|error| anyhow!("setting {text:?}: {error}"))?
    }
}

/// The backend pixel of a point.
fn pixel((x, y): Point) -> (i32, i32) {
    let scale = f64::from(SCALE);
    ((x * scale).round() as i32, (y * scale).round() as i32)
}

/// Cuts a polyline into dashes of `on` units with gaps of `off`.
fn dashes(points: &[Point], (on, off): Point) -> Vec<Vec<Point>> {
    let mut pieces = Vec::new();
    let mut piece: Vec<Point> = points.first().copied().into_iter().collect();
    let (mut drawing, mut left) = (true, on);
    for pair in points.windows(2) {
        let (mut from, to) = (pair[0], pair[1]);
        let mut length = (to.0 - from.0).hypot(to.1 - from.1);
        while length >= left {
            let part = left / length;
            from = (from.0 + part * (to.0 - from.0), from.1 + part * (to.1 - from.1));
            length -= left;
            if drawing {
                piece.push(from);
                pieces.push(std::mem::take(&mut piece));
            } else {
                piece = vec![from];
            }
            drawing = !drawing;
            left = if drawing { on } else { off };
        }
        left -= length;
        if drawing {
            piece.push(to);
        }
    }
    if piece.len() > 1 {
        pieces.push(piece);
    }
    pieces
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dashes_follow_the_line() {
        let line = [(0.0, 0.0), (4.0, 0.0), (4.0, 4.0)];
        let expected = [vec![(0.0, 0.0), (3.0, 0.0)], vec![(4.0, 1.0), (4.0, 4.0)]];
        assert_eq!(dashes(&line, (3.0, 2.0)), expected);
        assert!(dashes(&[], (3.0, 2.0)).is_empty());
    }
}
