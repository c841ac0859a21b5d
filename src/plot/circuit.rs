//! A circuit: populations on an ellipse, an arrow for each projection.

use super::canvas::{Canvas, Point, Style, LABEL, SMALL, TITLE};
use super::colour::{Colour, WHITE};
use super::fonts::measure;
use std::f64::consts::{PI, TAU};

/// Half the width and height of a population's box.
const BOX: (f64, f64) = (170.0, 62.0);
/// The horizontal centre of the ellipse, and its half axes.
const MIDDLE: f64 = 800.0;
const AXES: (f64, f64) = (560.0, 250.0);
/// Points of a curve.
const POINTS: usize = 40;

/// A population.
#[derive(Clone, Debug)]
pub struct Node {
    /// Its name.
    pub name: String,
    /// Its size and neuron model, in a few words.
    pub detail: String,
}

/// A projection between two populations, given by their places in the list.
#[derive(Clone, Debug)]
pub struct Edge {
    /// The presynaptic population.
    pub from: usize,
    /// The postsynaptic population.
    pub to: usize,
    /// Its synapses, in a few words.
    pub label: String,
    /// Whether all its weights are negative: it ends with a dot.
    pub inhibits: bool,
    /// Whether it learns: it is drawn thick.
    pub learns: bool,
}

/// A network of populations.
#[derive(Clone, Debug, Default)]
pub struct CircuitDrawing {
    /// Title above the figure.
    pub title: String,
    /// The populations.
    pub nodes: Vec<Node>,
    /// The projections.
    pub edges: Vec<Edge>,
}

impl CircuitDrawing {
    /// The figure, 1600 units wide.
    pub fn draw(&self) -> Canvas {
        // One or two populations stand side by side.
        let height = if self.nodes.len() > 2 { 2.0 * AXES.1 } else { 0.0 };
        let centre = (MIDDLE, 320.0 + height / 2.0);
        let mut canvas = Canvas::new((centre.1 + height / 2.0) as u32 + 200);
        canvas.text(&self.title, (40.0, 56.0), Style { bold: true, room: 1520.0, ..Style::left(TITLE) });
        let key = "arrow: excitatory or mixed; dot: inhibitory; thick line: plastic";
        canvas.text(key, (40.0, 96.0), Style { room: 1520.0, ..Style::left(SMALL) });
        let n = self.nodes.len().max(1) as f64;
        let at = |k: usize| {
            let angle = PI + TAU * k as f64 / n;
            (centre.0 + AXES.0 * angle.cos(), centre.1 + AXES.1 * angle.sin())
        };
        let labels: Vec<Point> = self
            .edges
            .iter()
            .map(|edge| draw_edge(&mut canvas, edge, (at(edge.from), at(edge.to)), centre.1))
            .collect();
        for (edge, (x, y)) in self.edges.iter().zip(labels) {
            let half = measure(&edge.label, SMALL, false) / 2.0 + 6.0;
            canvas.rectangle((x - half, y - 26.0), (x + half, y + 8.0), WHITE, 0.9);
            canvas.text(&edge.label, (x, y), Style::centred(SMALL));
        }
        for (k, node) in self.nodes.iter().enumerate() {
            let (x, y) = at(k);
            let corner = |border: f64, sign: f64| (x + sign * (BOX.0 - border), y + sign * (BOX.1 - border));
            canvas.rectangle(corner(0.0, -1.0), corner(0.0, 1.0), Colour::Nth(k), 1.0);
            canvas.rectangle(corner(4.0, -1.0), corner(4.0, 1.0), WHITE, 1.0);
            let room = 2.0 * BOX.0 - 30.0;
            canvas.text(&node.name, (x, y - 6.0), Style { bold: true, room, ..Style::centred(LABEL) });
            canvas.text(&node.detail, (x, y + 32.0), Style { room, ..Style::centred(SMALL) });
        }
        canvas
    }
}

/// The part of a curve outside the boxes at its ends, with some room before the second.
fn outside(curve: &[Point], from: Point, to: Point) -> Vec<Point> {
    let within =
        |(x, y): Point, (cx, cy): Point, room: f64| (x - cx).abs() < BOX.0 + room && (y - cy).abs() < BOX.1 + room;
    let start = curve.iter().position(|p| !within(*p, from, 0.0)).unwrap_or(0);
    let end = curve.iter().rposition(|p| !within(*p, to, 12.0)).unwrap_or(curve.len() - 1);
    curve[start..=end.max(start)].to_vec()
}

/// Draws a projection; returns where its label belongs.
fn draw_edge(canvas: &mut Canvas, edge: &Edge, (from, to): (Point, Point), centre: f64) -> Point {
    let along = |k: usize| k as f64 / (10 * POINTS) as f64;
    let curve: Vec<Point> = if edge.from == edge.to {
        // A loop above the box, or below it if the box is in the lower half.
        let side = if from.1 > centre + 1.0 { 1.0 } else { -1.0 };
        let edge = from.1 + side * BOX.1;
        let point = |angle: f64| (from.0 - 80.0 * angle.cos(), edge + side * 84.0 * angle.sin());
        (0..=10 * POINTS).map(|k| point(PI * along(k))).collect()
    } else {
        let (dx, dy) = (to.0 - from.0, to.1 - from.1);
        let length = dx.hypot(dy).max(1.0);
        // Bent to the left as seen from its start, so that two opposite projections stay apart.
        let bend = 110.0;
        let control = ((from.0 + to.0) / 2.0 + bend * dy / length, (from.1 + to.1) / 2.0 - bend * dx / length);
        let mix = |a: f64, c: f64, b: f64, s: f64| (1.0 - s) * (1.0 - s) * a + 2.0 * s * (1.0 - s) * c + s * s * b;
        let point = |s: f64| (mix(from.0, control.0, to.0, s), mix(from.1, control.1, to.1, s));
        (0..=10 * POINTS).map(|k| point(along(k))).collect()
    };
    let curve = outside(&curve, from, to);
    let (Some(tip), Some(middle)) = (curve.last().copied(), curve.get(curve.len() / 2).copied()) else { return from };
    let before = curve[curve.len().saturating_sub(12)];
    let (width, colour) = if edge.learns { (6.0, Colour::Nth(edge.from)) } else { (2.5, Colour::Ink) };
    let thinned: Vec<Point> = curve.iter().copied().step_by(10).chain([tip]).collect();
    canvas.line(&thinned, width, colour);
    if edge.inhibits {
        canvas.dot(tip, 12.0, colour);
    } else {
        let (dx, dy) = (tip.0 - before.0, tip.1 - before.1);
        let length = dx.hypot(dy).max(1e-9);
        let (ux, uy) = (dx / length, dy / length);
        let base = (tip.0 - 16.0 * ux, tip.1 - 16.0 * uy);
        let (left, right) = ((base.0 - 12.0 * uy, base.1 + 12.0 * ux), (base.0 + 12.0 * uy, base.1 - 12.0 * ux));
        canvas.polygon(&[(tip.0 + 10.0 * ux, tip.1 + 10.0 * uy), left, right], colour, 1.0);
    }
    (middle.0, middle.1 + 8.0)
}
