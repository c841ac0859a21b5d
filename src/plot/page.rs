//! How a figure of panels is laid out and drawn on a page.

use anyhow::Result;
use plotters::prelude::DrawingBackend;

use super::axis::{crisp, round_range, Axis};
use super::canvas::{Align, Canvas, Point, Type};
use super::canvas::{GREY, GRID, LABEL, SMALL, TITLE};
use super::fonts::{fit, measure};
use super::heat::{draw_bar, draw_heat, HeatMap, BAR};
use super::output::Figure;
use super::panels::{Mark, Panel, Panels, Shape};

/// Top of the first row of panels, and the height of a row.
const TOP: f64 = 132.0;
const ROW: f64 = 610.0;
/// What a panel needs around its axes: left, above, right, below.
const MARGIN: (f64, f64, f64, f64) = (122.0, 62.0, 26.0, 104.0);

/// A figure of R rows.
pub(super) struct Page<'a, const R: usize>(pub &'a Panels);

impl<const R: usize> Figure for Page<'_, R> {
    const SIZE: (u32, u32) = (1600, TOP as u32 + R as u32 * ROW as u32);

    fn draw<DB: DrawingBackend>(&self, canvas: &Canvas<DB>) -> Result<()> {
        let (title, size) = fit(&self.0.title, TITLE, true, 1520.0);
        canvas.text(&title, (40.0, 56.0), Type { bold: true, ..Type::new(size, Align::Left) })?;
        legend(self.0, canvas)?;
        for (row, panels) in self.0.rows.iter().take(R).enumerate() {
            let bars: f64 = panels.iter().map(bar).sum();
            let width = (1560.0 - bars) / panels.len().max(1) as f64;
            let (mut left, top) = (20.0, TOP + ROW * row as f64);
            for panel in panels {
                let right = left + width + bar(panel);
                Plan::new(panel, (left, top), (right, top + ROW)).draw(canvas)?;
                left = right;
            }
        }
        Ok(())
    }
}

fn heat(panel: &Panel) -> Option<&HeatMap> {
    panel.marks.iter().find_map(|mark| match &mark.shape {
        Shape::Heat(heat) => Some(heat),
        _ => None,
    })
}

/// The room for the bar beside a heat map, on top of what every panel of a row gets.
fn bar(panel: &Panel) -> f64 {
    heat(panel).filter(|heat| !heat.label.is_empty()).map_or(0.0, |_| BAR)
}

fn legend<DB: DrawingBackend>(figure: &Panels, canvas: &Canvas<DB>) -> Result<()> {
    let mut named: Vec<&Mark> = Vec::new();
    for mark in figure.rows.iter().flatten().flat_map(|panel| &panel.marks) {
        if !mark.name.is_empty() && !named.iter().any(|other| other.name == mark.name) {
            named.push(mark);
        }
    }
    // Two lines at most: marks and gaps take what they take, and names share the rest.
    let (marks, names) = (named.len() as f64 * 86.0, named.iter().map(|mark| measure(&mark.name, SMALL, false)));
    let names: f64 = names.sum();
    let lines = if marks + names <= 1540.0 { 1.0 } else { 2.0 };
    let size = SMALL * ((lines * 1540.0 - (lines - 1.0) * 200.0 - marks) / names.max(1.0)).clamp(0.5, 1.0);
    let (mut x, mut y) = (40.0, 104.0);
    for mark in named {
        if x + 50.0 + measure(&mark.name, size, false) > 1590.0 {
            (x, y) = (40.0, y + 34.0);
        }
        let (middle, colour) = (y - 8.0, mark.colour.rgb());
        let ends = [(x, middle), (x + 40.0, middle)];
        match &mark.shape {
            Shape::Line(_, width) => canvas.line(&ends, width.max(2.5), colour)?,
            Shape::Dashed(_, width) => canvas.dashed(&ends, *width, DASH, colour)?,
            Shape::Dots(_, radius) => canvas.dot((x + 20.0, middle), radius.max(5.0), colour)?,
            Shape::Band(_) | Shape::Span(..) => {
                let alpha = if matches!(mark.shape, Shape::Span(..)) { SPAN } else { BAND };
                canvas.polygon(&corners((x, y - 20.0), (x + 40.0, y + 4.0)), colour, alpha)?;
            }
            Shape::Heat(_) => continue,
        }
        canvas.text(&mark.name, (x + 50.0, y), Type::new(size, Align::Left))?;
        x += 86.0 + measure(&mark.name, size, false);
    }
    Ok(())
}

/// Dash and gap.
const DASH: Point = (10.0, 8.0);
/// How opaque bands and spans are.
const BAND: f64 = 0.22;
const SPAN: f64 = 0.13;

fn corners(a: Point, b: Point) -> [Point; 4] {
    [a, (b.0, a.1), b, (a.0, b.1)]
}

/// A panel with its axes on the page.
struct Plan<'a> {
    panel: &'a Panel,
    x: Axis,
    y: Axis,
    top: f64,
    heat: Option<&'a HeatMap>,
}

impl<'a> Plan<'a> {
    fn new(panel: &'a Panel, from: Point, to: Point) -> Self {
        let (mut left, mut right) = (from.0 + MARGIN.0, to.0 - MARGIN.2 - bar(panel));
        let (mut top, mut bottom) = (from.1 + MARGIN.1, to.1 - MARGIN.3);
        let points = || panel.marks.iter().flat_map(|mark| extent(&mark.shape));
        let x = panel.x.unwrap_or_else(|| range(points().map(|p| p.0), false));
        let y = panel.y.unwrap_or_else(|| range(points().map(|p| p.1), true));
        if panel.equal {
            let unit = ((right - left) / (x.1 - x.0)).min((bottom - top) / (y.1 - y.0));
            let (spare_x, spare_y) = (right - left - unit * (x.1 - x.0), bottom - top - unit * (y.1 - y.0));
            (left, right) = (left + spare_x / 2.0, right - spare_x / 2.0);
            (top, bottom) = (top + spare_y / 2.0, bottom - spare_y / 2.0);
        }
        Plan { panel, x: Axis::linear(x, (left, right)), y: Axis::linear(y, (bottom, top)), top, heat: heat(panel) }
    }

    fn at(&self, (x, y): Point) -> Point {
        (self.x.at(x), self.y.at(y))
    }

    fn draw<DB: DrawingBackend>(&self, canvas: &Canvas<DB>) -> Result<()> {
        self.frame(canvas)?;
        for mark in &self.panel.marks {
            self.mark(canvas, mark)?;
        }
        let corner = (self.x.from, self.y.from);
        canvas.line(&[(corner.0, self.y.to), corner, (self.x.to, corner.1)], 2.0, GREY)?;
        match self.heat.filter(|heat| !heat.label.is_empty()) {
            Some(heat) => draw_bar(canvas, heat, self.x.to, (self.y.from, self.y.to)),
            None => Ok(()),
        }
    }

    fn frame<DB: DrawingBackend>(&self, canvas: &Canvas<DB>) -> Result<()> {
        let (left, right, bottom, top) = (self.x.from, self.x.to, self.y.from, self.y.to);
        let middle = (left + right) / 2.0;
        let (title, size) = fit(&self.panel.title, LABEL, true, right - left + 90.0);
        canvas.text(&title, (middle, self.top - 20.0), Type { bold: true, ..Type::new(size, Align::Centre) })?;
        for (value, label) in self.y.ticks(5) {
            let y = crisp(self.y.at(value));
            canvas.line(&[(left, y), (right, y)], 1.0, GRID)?;
            canvas.text(&label, (left - 12.0, y + 0.36 * SMALL), Type::new(SMALL, Align::Right))?;
        }
        let room = ((right - left) / 110.0) as usize;
        let round = || self.x.ticks(room.clamp(3, 8));
        let ticks = if self.panel.x_ticks.is_empty() { round() } else { self.panel.x_ticks.clone() };
        for (value, label) in ticks {
            let x = crisp(self.x.at(value));
            canvas.line(&[(x, bottom), (x, top)], 1.0, GRID)?;
            canvas.line(&[(x, bottom), (x, bottom + 8.0)], 1.5, GREY)?;
            canvas.text(&label, (x, bottom + 36.0), Type::new(SMALL, Align::Centre))?;
        }
        let (label, size) = fit(&self.panel.x_label, LABEL, false, right - left + 60.0);
        canvas.text(&label, (middle, bottom + 78.0), Type::new(size, Align::Centre))?;
        let (label, size) = fit(&self.panel.y_label, LABEL, false, bottom - top + 60.0);
        let upward = Type { upward: true, ..Type::new(size, Align::Centre) };
        canvas.text(&label, (left - 86.0, (bottom + top) / 2.0), upward)
    }

    fn mark<DB: DrawingBackend>(&self, canvas: &Canvas<DB>, mark: &Mark) -> Result<()> {
        let colour = mark.colour.rgb();
        let placed = |points: &[Point]| -> Vec<Point> { points.iter().map(|&p| self.at(p)).collect() };
        match &mark.shape {
            Shape::Line(points, width) => {
                finite(points).try_for_each(|part| canvas.line(&placed(part), *width, colour))
            }
            Shape::Dashed(points, width) => {
                finite(points).try_for_each(|part| canvas.dashed(&placed(part), *width, DASH, colour))
            }
            Shape::Dots(points, radius) => {
                finite(points).flatten().try_for_each(|&point| canvas.dot(self.at(point), *radius, colour))
            }
            Shape::Band(edges) => {
                let edges: Vec<_> = edges.iter().filter(|e| e.1.is_finite() && e.2.is_finite()).collect();
                let lower = edges.iter().map(|e| self.at((e.0, e.1)));
                let upper = edges.iter().rev().map(|e| self.at((e.0, e.2)));
                let outline: Vec<Point> = lower.chain(upper).collect();
                if outline.is_empty() {
                    return Ok(());
                }
                canvas.polygon(&outline, colour, BAND)
            }
            Shape::Span(from, to) => {
                let (from, to) = (self.x.at(*from), self.x.at(*to));
                canvas.polygon(&corners((from, self.y.to), (to, self.y.from)), colour, SPAN)
            }
            Shape::Heat(heat) => draw_heat(canvas, heat, self.x, self.y),
        }
    }
}

/// The stretches of a line that have finite places.
fn finite(points: &[Point]) -> impl Iterator<Item = &[Point]> {
    points.split(|p| !p.0.is_finite() || !p.1.is_finite()).filter(|part| !part.is_empty())
}

/// The points that decide how far the axes reach.
fn extent(shape: &Shape) -> Vec<Point> {
    match shape {
        Shape::Line(points, _) | Shape::Dashed(points, _) | Shape::Dots(points, _) => points.clone(),
        Shape::Band(edges) => edges.iter().flat_map(|e| [(e.0, e.1), (e.0, e.2)]).collect(),
        Shape::Span(from, to) => vec![(*from, f64::NAN), (*to, f64::NAN)],
        Shape::Heat(heat) => vec![(heat.x.0, heat.y.0), (heat.x.1, heat.y.1)],
    }
}

/// The range of finite values, widened to round numbers where asked for.
fn range(values: impl Iterator<Item = f64>, round: bool) -> Point {
    let found = values.filter(|v| v.is_finite()).fold(None, |range: Option<Point>, v| match range {
        None => Some((v, v)),
        Some((lo, hi)) => Some((lo.min(v), hi.max(v))),
    });
    match found {
        Some((lo, hi)) if round || hi <= lo => round_range(lo, hi),
        Some(range) => range,
        None => (0.0, 1.0),
    }
}
