//! Axes with their grid, what is drawn between them, and the legend that explains it.

use super::axis::{crisp, Axis, Tick};
use super::canvas::{Align, Canvas, Point, Type, LABEL, SMALL, TITLE};
use super::colour::{Colour, GRID};
use super::fonts::measure;
use super::heat::draw_heat;
use super::mark::{Mark, Shape};

/// How opaque bands and spans are.
const BAND: f64 = 0.22;
const SPAN: f64 = 0.13;

/// Two axes on the page.
pub(super) struct Chart {
    pub x: Axis,
    pub y: Axis,
    /// How far the label of a tick may reach beyond the right end.
    pub overhang: f64,
}

impl Chart {
    pub fn new(x: Axis, y: Axis) -> Self {
        Chart { x, y, overhang: 60.0 }
    }

    fn at(&self, (x, y): Point) -> Point {
        (self.x.at(x), self.y.at(y))
    }

    /// Grid lines at the ticks, and their labels.
    pub fn grid(&self, canvas: &mut Canvas, x_ticks: &[Tick], y_ticks: &[Tick]) {
        let (left, right, bottom, top) = (self.x.from, self.x.to, self.y.from, self.y.to);
        for (value, label) in y_ticks {
            let y = crisp(self.y.at(*value));
            canvas.line(&[(left, y), (right, y)], 1.0, GRID);
            canvas.text(label, (left - 14.0, y + 0.36 * SMALL), Type::new(SMALL, Align::Right));
        }
        for (value, label) in x_ticks {
            let x = crisp(self.x.at(*value));
            canvas.line(&[(x, bottom), (x, top)], 1.0, GRID);
            canvas.line(&[(x, bottom), (x, bottom + 8.0)], 1.5, Colour::Grey);
            let middle = x.min(right + self.overhang - measure(label, SMALL, false) / 2.0);
            canvas.text(label, (middle, bottom + 38.0), Type::new(SMALL, Align::Centre));
        }
    }

    /// The names of both axes; that of the vertical one stands at `left`.
    pub fn names(&self, canvas: &mut Canvas, x: &str, (y, left): (&str, f64)) {
        let centred = |room: f64| Type { room, ..Type::new(LABEL, Align::Centre) };
        let (width, height) = (self.x.to - self.x.from, self.y.from - self.y.to);
        canvas.text(x, (self.x.from + width / 2.0, self.y.from + 82.0), centred(width + 60.0));
        let look = Type { upward: true, ..centred(height + 60.0) };
        canvas.text(y, (left, self.y.to + height / 2.0), look);
    }

    /// Both axes.
    pub fn axes(&self, canvas: &mut Canvas) {
        let corner = (self.x.from, self.y.from);
        canvas.line(&[(corner.0, self.y.to), corner, (self.x.to, corner.1)], 2.0, Colour::Grey);
    }

    /// Draws a mark, leaving out what is not finite.
    pub fn draw(&self, canvas: &mut Canvas, mark: &Mark) {
        let placed = |part: &[Point]| -> Vec<Point> { part.iter().map(|&p| self.at(p)).collect() };
        match &mark.shape {
            Shape::Line(points, width) => {
                finite(points).for_each(|part| canvas.line(&placed(part), *width, mark.colour));
            }
            Shape::Dashed(points, width) => {
                finite(points).for_each(|part| canvas.dashed(&placed(part), *width, mark.colour));
            }
            Shape::Dots(points, radius) => {
                finite(points).flatten().for_each(|&point| canvas.dot(self.at(point), *radius, mark.colour));
            }
            Shape::Band(edges) => {
                let edges: Vec<_> = edges.iter().filter(|e| e.1.is_finite() && e.2.is_finite()).collect();
                let lower = edges.iter().map(|e| self.at((e.0, e.1)));
                let upper = edges.iter().rev().map(|e| self.at((e.0, e.2)));
                if !edges.is_empty() {
                    canvas.polygon(&lower.chain(upper).collect::<Vec<_>>(), mark.colour, BAND);
                }
            }
            Shape::Span(from, to) => {
                let (from, to) = (self.x.at(*from), self.x.at(*to));
                canvas.rectangle((from, self.y.to), (to, self.y.from), mark.colour, SPAN);
            }
            Shape::Heat(heat) => draw_heat(canvas, heat, self.x, self.y),
        }
    }
}

/// The stretches of a line that have finite places.
pub(super) fn finite(points: &[Point]) -> impl Iterator<Item = &[Point]> {
    points.split(|p| !p.0.is_finite() || !p.1.is_finite()).filter(|part| !part.is_empty())
}

/// The title of a figure, with its baseline at `top`, and below it the names of the marks, each once.
pub(super) fn head<'a>(
    canvas: &mut Canvas,
    title: &str,
    (left, top): Point,
    marks: impl IntoIterator<Item = &'a Mark>,
) {
    canvas.text(title, (left, top), Type { bold: true, room: 1560.0 - left, ..Type::new(TITLE, Align::Left) });
    let mut named: Vec<&Mark> = Vec::new();
    for mark in marks {
        if !mark.name.is_empty() && named.iter().all(|other| other.name != mark.name) {
            named.push(mark);
        }
    }
    // Two lines at most: keys and gaps take what they take, and names share the rest.
    let (room, keys) = (1580.0 - left, named.len() as f64 * 86.0);
    let names: f64 = named.iter().map(|mark| measure(&mark.name, SMALL, false)).sum();
    let lines = if keys + names <= room { 1.0 } else { 2.0 };
    let size = SMALL * ((lines * room - (lines - 1.0) * 200.0 - keys) / names.max(1.0)).clamp(0.5, 1.0);
    let (mut x, mut y) = (left, top + 48.0);
    for mark in named {
        let width = measure(&mark.name, size, false);
        if x + 50.0 + width > 1590.0 {
            (x, y) = (left, y + 34.0);
        }
        key(canvas, mark, (x, y));
        canvas.text(&mark.name, (x + 50.0, y), Type::new(size, Align::Left));
        x += 86.0 + width;
    }
}

/// What a mark looks like, 40 units wide, beside a text that begins 10 units further right on the baseline `y`.
pub(super) fn key(canvas: &mut Canvas, mark: &Mark, (x, y): Point) {
    let ends = [(x, y - 8.0), (x + 40.0, y - 8.0)];
    match &mark.shape {
        Shape::Line(_, width) => canvas.line(&ends, width.max(2.5), mark.colour),
        Shape::Dashed(_, width) => canvas.dashed(&ends, *width, mark.colour),
        Shape::Dots(_, radius) => canvas.dot((x + 20.0, y - 8.0), radius.max(5.0), mark.colour),
        Shape::Band(_) => canvas.rectangle((x, y - 20.0), (x + 40.0, y + 4.0), mark.colour, BAND),
        Shape::Span(..) => canvas.rectangle((x, y - 20.0), (x + 40.0, y + 4.0), mark.colour, SPAN),
        Shape::Heat(_) => {}
    }
}
