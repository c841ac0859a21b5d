//! Two axes with their grid, the marks drawn between them, and the legend that names the marks.

use super::axis::{crisp, Axis};
use super::canvas::{Canvas, Point, Style, LABEL, SMALL, TITLE};
use super::colour::{Colour, GRID};
use super::fonts::measure;
use super::heat::{draw_heat, HeatMap};
use super::lines::finite;

/// Opacities of bands and spans.
const BAND: f64 = 0.22;
const SPAN: f64 = 0.13;

/// The shape of a mark, in the values of the axes.
#[derive(Clone, Debug)]
pub enum Shape {
    /// A line through points; its width in page units.
    Line(Vec<Point>, f64),
    /// A dashed line.
    Dashed(Vec<Point>, f64),
    /// Dots of a radius in page units.
    Dots(Vec<Point>, f64),
    /// The area between two lines over the same x: (x, lower, upper).
    Band(Vec<(f64, f64, f64)>),
    /// A vertical stripe from one x to another, as high as the panel.
    Span(f64, f64),
    /// A heat map that fills the panel.
    Heat(HeatMap),
}

impl Shape {
    /// The points that the axes must hold.
    pub(super) fn extent(&self) -> Vec<Point> {
        match self {
            Shape::Line(points, _) | Shape::Dashed(points, _) | Shape::Dots(points, _) => points.clone(),
            Shape::Band(edges) => edges.iter().flat_map(|e| [(e.0, e.1), (e.0, e.2)]).collect(),
            Shape::Span(from, to) => vec![(*from, f64::NAN), (*to, f64::NAN)],
            Shape::Heat(heat) => vec![(heat.x.0, heat.y.0), (heat.x.1, heat.y.1)],
        }
    }
}

/// A shape with its colour and its name.
#[derive(Clone, Debug)]
pub struct Mark {
    /// The shape.
    pub shape: Shape,
    /// Its colour; heat maps have their own.
    pub colour: Colour,
    /// Its name in the legend, where marks of the same name appear once; empty: not in the legend.
    pub name: String,
}

impl Mark {
    /// A mark that is not in the legend.
    pub fn new(shape: Shape, colour: Colour) -> Self {
        Mark { shape, colour, name: String::new() }
    }

    /// The mark with a name in the legend.
    pub fn named(self, name: impl Into<String>) -> Self {
        Mark { name: name.into(), ..self }
    }
}

/// Two axes on the page.
pub(super) struct Chart {
    pub x: Axis,
    pub y: Axis,
    /// How far the label of a tick can reach beyond the right end.
    pub overhang: f64,
}

impl Chart {
    pub fn new(x: Axis, y: Axis) -> Self {
        Chart { x, y, overhang: 60.0 }
    }

    fn at(&self, (x, y): Point) -> Point {
        (self.x.at(x), self.y.at(y))
    }

    /// The point halfway along both axes.
    pub fn centre(&self) -> Point {
        ((self.x.from + self.x.to) / 2.0, (self.y.from + self.y.to) / 2.0)
    }

    /// Grid lines at the ticks, and their labels.
    pub fn grid(&self, canvas: &mut Canvas, x_ticks: &[(f64, String)], y_ticks: &[(f64, String)]) {
        let (left, right, bottom, top) = (self.x.from, self.x.to, self.y.from, self.y.to);
        for (value, label) in y_ticks {
            let y = crisp(self.y.at(*value));
            canvas.line(&[(left, y), (right, y)], 1.0, GRID);
            canvas.text(label, (left - 14.0, y + 0.36 * SMALL), Style::right(SMALL));
        }
        for (value, label) in x_ticks {
            let x = crisp(self.x.at(*value));
            canvas.line(&[(x, bottom), (x, top)], 1.0, GRID);
            canvas.line(&[(x, bottom), (x, bottom + 8.0)], 1.5, Colour::Grey);
            let middle = x.min(right + self.overhang - measure(label, SMALL, false) / 2.0);
            canvas.text(label, (middle, bottom + 38.0), Style::centred(SMALL));
        }
    }

    /// The names of both axes; that of the vertical one stands at `left`.
    pub fn names(&self, canvas: &mut Canvas, x: &str, (y, left): (&str, f64)) {
        let (width, height) = (self.x.to - self.x.from, self.y.from - self.y.to);
        let style = Style { room: width + 60.0, ..Style::centred(LABEL) };
        canvas.text(x, (self.x.from + width / 2.0, self.y.from + 82.0), style);
        let style = Style { upward: true, room: height + 60.0, ..style };
        canvas.text(y, (left, self.y.to + height / 2.0), style);
    }

    /// Both axes.
    pub fn axes(&self, canvas: &mut Canvas) {
        let corner = (self.x.from, self.y.from);
        canvas.line(&[(corner.0, self.y.to), corner, (self.x.to, corner.1)], 2.0, Colour::Grey);
    }

    /// Draws a mark, leaving out points that are not finite.
    pub fn draw(&self, canvas: &mut Canvas, mark: &Mark) {
        let placed = |part: &[Point]| -> Vec<Point> { part.iter().map(|&p| self.at(p)).collect() };
        let colour = mark.colour;
        match &mark.shape {
            Shape::Line(points, width) => finite(points).for_each(|part| canvas.line(&placed(part), *width, colour)),
            Shape::Dashed(points, width) => {
                finite(points).for_each(|part| canvas.dashed(&placed(part), *width, colour))
            }
            Shape::Dots(points, radius) => {
                finite(points).flatten().for_each(|&point| canvas.dot(self.at(point), *radius, colour));
            }
            Shape::Band(edges) => {
                let edges: Vec<_> = edges.iter().filter(|e| e.1.is_finite() && e.2.is_finite()).collect();
                let lower = edges.iter().map(|e| self.at((e.0, e.1)));
                let upper = edges.iter().rev().map(|e| self.at((e.0, e.2)));
                if !edges.is_empty() {
                    canvas.polygon(&lower.chain(upper).collect::<Vec<_>>(), colour, BAND);
                }
            }
            Shape::Span(from, to) => {
                let (from, to) = (self.x.at(*from), self.x.at(*to));
                canvas.rectangle((from, self.y.to), (to, self.y.from), colour, SPAN);
            }
            Shape::Heat(heat) => draw_heat(canvas, heat, self.x, self.y),
        }
    }
}

/// The title of a figure, its baseline starting at the point, and below it the legend.
pub(super) fn head<'a>(
    canvas: &mut Canvas,
    title: &str,
    (left, top): Point,
    marks: impl IntoIterator<Item = &'a Mark>,
) {
    canvas.text(title, (left, top), Style { bold: true, room: 1560.0 - left, ..Style::left(TITLE) });
    let mut named: Vec<&Mark> = Vec::new();
    for mark in marks {
        if !mark.name.is_empty() && named.iter().all(|other| other.name != mark.name) {
            named.push(mark);
        }
    }
    // The legend has at most two lines: names shrink to fit between keys and gaps of fixed width.
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
        canvas.text(&mark.name, (x + 50.0, y), Style::left(size));
        x += 86.0 + width;
    }
}

/// A sample of a mark, 40 units wide, for a text that begins 10 units further right on the baseline `y`.
pub(super) fn key(canvas: &mut Canvas, mark: &Mark, (x, y): Point) {
    let ends = [(x, y - 8.0), (x + 40.0, y - 8.0)];
    let mut rectangle = |opacity| canvas.rectangle((x, y - 20.0), (x + 40.0, y + 4.0), mark.colour, opacity);
    match &mark.shape {
        Shape::Band(_) => rectangle(BAND),
        Shape::Span(..) => rectangle(SPAN),
        Shape::Line(_, width) => canvas.line(&ends, width.max(2.5), mark.colour),
        Shape::Dashed(_, width) => canvas.dashed(&ends, *width, mark.colour),
        Shape::Dots(_, radius) => canvas.dot((x + 20.0, y - 8.0), radius.max(5.0), mark.colour),
        Shape::Heat(_) => {}
    }
}
