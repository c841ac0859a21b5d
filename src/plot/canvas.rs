//! The page that a figure is drawn on: strokes, shapes and text in page units, written down as SVG.

use super::colour::{Colour, WHITE};
use super::fonts::{escaped, fit};

/// Font sizes, in page units.
pub(super) const TITLE: f64 = 36.0;
pub(super) const LABEL: f64 = 28.0;
pub(super) const SMALL: f64 = 24.0;

/// A point on the page.
pub(super) type Point = (f64, f64);

/// Where a text lies in relation to the point it is put at.
#[derive(Clone, Copy)]
pub(super) enum Align {
    Left,
    Centre,
    Right,
}

/// How a text looks.
#[derive(Clone, Copy)]
pub(super) struct Type {
    pub size: f64,
    pub colour: Colour,
    pub bold: bool,
    pub align: Align,
    /// Turned to be read from bottom to top.
    pub upward: bool,
    /// How wide it may be: it becomes smaller, then shorter, to fit.
    pub room: f64,
}

impl Type {
    /// Upright regular dark text with all the room it needs.
    pub fn new(size: f64, align: Align) -> Self {
        Type { size, colour: Colour::Ink, bold: false, align, upward: false, room: f64::INFINITY }
    }
}

/// A white page, 1600 units wide.
pub(super) struct Canvas {
    /// Width and height.
    pub size: (u32, u32),
    body: String,
}

impl Canvas {
    pub fn new(height: u32) -> Self {
        let mut canvas = Canvas { size: (1600, height), body: String::new() };
        canvas.rectangle((0.0, 0.0), (1600.0, f64::from(height)), WHITE, 1.0);
        canvas
    }

    /// The page as the text of an SVG file.
    pub fn svg(&self) -> String {
        let (width, height) = self.size;
        let (shown_width, shown_height) = (width * 3 / 5, height * 3 / 5);
        format!(
            "<svg width=\"{shown_width}\" height=\"{shown_height}\" viewBox=\"0 0 {width} {height}\" \
             xmlns=\"http://www.w3.org/2000/svg\">\n\
             <g font-family=\"sans-serif\" stroke-linecap=\"round\" stroke-linejoin=\"round\">\n{}</g>\n</svg>\n",
            self.body
        )
    }

    /// A solid line through `points`; a round dot where there is only one.
    pub fn line(&mut self, points: &[Point], width: f64, colour: Colour) {
        self.stroke(points, width, colour, "");
    }

    /// A dashed line through `points`.
    pub fn dashed(&mut self, points: &[Point], width: f64, colour: Colour) {
        self.stroke(points, width, colour, " stroke-dasharray=\"10 5\" stroke-linecap=\"butt\"");
    }

    fn stroke(&mut self, points: &[Point], width: f64, colour: Colour, dashes: &str) {
        if let [point] = points {
            return self.dot(*point, 1.5 * width, colour);
        }
        let points = list(points);
        self.body += &format!(
            "<polyline points=\"{points}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"{width}\"{dashes}/>\n"
        );
    }

    /// A filled round dot.
    pub fn dot(&mut self, (x, y): Point, radius: f64, colour: Colour) {
        let (x, y) = (rounded(x), rounded(y));
        self.body += &format!("<circle cx=\"{x}\" cy=\"{y}\" r=\"{radius}\" fill=\"{colour}\"/>\n");
    }

    /// A filled rectangle between two corners, in whole units and with sharp edges, so that neighbours leave no seam.
    pub fn rectangle(&mut self, a: Point, b: Point, colour: Colour, opacity: f64) {
        let (a, b) = ((a.0.round(), a.1.round()), (b.0.round(), b.1.round()));
        let (x, y, width, height) = (a.0.min(b.0), a.1.min(b.1), (a.0 - b.0).abs(), (a.1 - b.1).abs());
        self.body += &format!(
            "<rect x=\"{x}\" y=\"{y}\" width=\"{width}\" height=\"{height}\" fill=\"{colour}\" \
             fill-opacity=\"{opacity}\" shape-rendering=\"crispEdges\"/>\n"
        );
    }

    /// A filled, translucent polygon.
    pub fn polygon(&mut self, points: &[Point], colour: Colour, opacity: f64) {
        let points = list(points);
        self.body += &format!("<polygon points=\"{points}\" fill=\"{colour}\" fill-opacity=\"{opacity}\"/>\n");
    }

    /// A text whose baseline passes through `at`.
    pub fn text(&mut self, text: &str, (x, y): Point, look: Type) {
        let (text, size) = fit(text, look.size, look.bold, look.room);
        let (x, y, text) = (rounded(x), rounded(y), escaped(&text));
        let anchor = match look.align {
            Align::Left => "start",
            Align::Centre => "middle",
            Align::Right => "end",
        };
        let weight = if look.bold { " font-weight=\"bold\"" } else { "" };
        let turn = if look.upward { format!(" transform=\"rotate(-90 {x} {y})\"") } else { String::new() };
        self.body += &format!(
            "<text x=\"{x}\" y=\"{y}\" text-anchor=\"{anchor}\" font-size=\"{size:.4}\"{weight} fill=\"{}\"{turn}>{text}</text>\n",
            look.colour
        );
    }
}

/// A coordinate with one decimal, which is as fine as anyone can see.
fn rounded(position: f64) -> f64 {
    (10.0 * position).round() / 10.0
}

fn list(points: &[Point]) -> String {
    let point = |&(x, y): &Point| format!("{},{}", rounded(x), rounded(y));
    points.iter().map(point).collect::<Vec<_>>().join(" ")
}
