//! What pictures of errors against trials have in common.

use super::axis::{extent, log_range, round_range, Axis};
use super::canvas::{Align, Canvas, Point, Type, SMALL};
use super::chart::Chart;
use super::colour::Colour;
use super::fonts::measure;
use super::mark::{Mark, Shape};
use super::stats::value_at;
use crate::quantile::quantile;

/// Whether an axis of errors has a place for this one.
pub(super) fn has_place(error: f64, log: bool) -> bool {
    error.is_finite() && (error > 0.0 || !log)
}

/// The axes of errors against trials, and a horizontal reference with its label.
pub(super) struct Errors<'a> {
    pub chart: Chart,
    reference: Option<(f64, &'a str)>,
}

impl<'a> Errors<'a> {
    /// Axes that end at `top` and have room for the points, for what else has its place on the trial axis and for the reference.
    pub fn new(reference: Option<&'a (f64, String)>, log: bool, points: Vec<Point>, trials: &[f64], top: f64) -> Self {
        let reference = reference.filter(|r| has_place(r.0, log)).map(|r| (r.0, &r.1[..]));
        // The reference's label stands right of the axes.
        let right = reference.map_or(1540.0, |r| 1556.0 - measure(r.1, SMALL, false).clamp(30.0, 240.0));
        let (lo, hi) = extent(points.iter().map(|p| p.0).chain(trials.iter().copied())).unwrap_or((0.0, 1.0));
        let lo = lo.min(0.0);
        let x = Axis::linear((lo, if hi > lo { hi } else { lo + 1.0 }), (150.0, right));
        let y = match extent(points.iter().map(|p| p.1).chain(reference.map(|r| r.0))) {
            Some((lo, hi)) if log => log_range(lo, hi),
            Some((lo, hi)) => round_range(lo.min(0.0), hi),
            None if log => (0.1, 1.0),
            None => (0.0, 1.0),
        };
        let y = Axis { log, ..Axis::linear(y, (880.0, top)) };
        Errors { chart: Chart::new(x, y), reference }
    }

    /// The axes with their names, the marks and the reference.
    pub fn draw(&self, canvas: &mut Canvas, error_label: &str, marks: &[Mark]) {
        let Chart { x, y, .. } = self.chart;
        self.chart.grid(canvas, &x.ticks(8), &y.ticks(6));
        self.chart.names(canvas, "trials per network", (error_label, 48.0));
        marks.iter().for_each(|mark| self.chart.draw(canvas, mark));
        if let Some((error, label)) = self.reference {
            let line = Shape::Dashed(vec![(x.lo, error), (x.hi, error)], 2.0);
            self.chart.draw(canvas, &Mark::new(line, Colour::Grey));
            let room = 1568.0 - x.to;
            let look = Type { colour: Colour::Grey, room, ..Type::new(SMALL, Align::Left) };
            canvas.text(label, (x.to + 12.0, y.at(error) + 0.33 * SMALL), look);
        }
        self.chart.axes(canvas);
    }

    /// A mark of a length and width that stands on the trial axis.
    pub fn tick(&self, canvas: &mut Canvas, trial: f64, (length, width): (f64, f64), colour: Colour) {
        let (x, foot) = (self.chart.x.at(trial), self.chart.y.from - 2.0);
        canvas.line(&[(x, foot), (x, foot - length)], width, colour);
    }
}

/// The middle half of the networks, and their median, at every trial where at least half of the networks that have values at
/// all still have one.
pub(super) fn quartiles(lines: &[Vec<Point>]) -> [Shape; 2] {
    let mut trials: Vec<f64> = lines.iter().flatten().map(|p| p.0).collect();
    trials.sort_by(f64::total_cmp);
    trials.dedup();
    let present = lines.iter().filter(|line| !line.is_empty()).count();
    let (mut band, mut medians) = (Vec::new(), Vec::new());
    for trial in trials {
        let values: Vec<f64> = lines.iter().filter_map(|line| value_at(line, trial)).collect();
        if let ([Some(lower), Some(median), Some(upper)], true) =
            ([0.25, 0.5, 0.75].map(|q| quantile(&values, q)), 2 * values.len() >= present)
        {
            band.push((trial, lower, upper));
            medians.push((trial, median));
        }
    }
    [Shape::Band(band), Shape::Line(medians, 4.0)]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn median_needs_half_of_the_networks() {
        let lines = [vec![(0.0, 1.0), (2.0, 3.0)], vec![(0.0, 3.0)], vec![(0.0, 2.0)]];
        let [band, median] = quartiles(&lines);
        assert!(matches!(band, Shape::Band(edges) if edges == [(0.0, 1.5, 2.5)]));
        assert!(matches!(median, Shape::Line(points, _) if points == [(0.0, 2.0)]));
    }
}
