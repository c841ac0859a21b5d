//! A run among learning curves: its lines, and its criterion in words.

use super::axis::number;
use super::canvas::Point;
use super::chart::{Mark, Shape};
use super::colour::Colour::{self, Ink, Nth, Orange};
use super::lines::{distinct_x, thin, value_at};
use crate::quantile::{quantile, quantile_with_missing};

/// At most this many points for a line, and for the lines of all networks together.
const POINTS_PER_LINE: usize = 600;
const POINTS_IN_ALL: usize = 20_000;
/// The colours of several runs.
const COLOURS: [Colour; 7] = [Nth(0), Nth(1), Nth(2), Nth(3), Nth(4), Orange, Ink];

/// The networks of one run.
#[derive(Clone, Debug, Default)]
pub struct Run {
    /// The name in the legend.
    pub name: String,
    /// Per network, points (trials, error), trials ascending; points that are not finite are skipped.
    pub networks: Vec<Vec<Point>>,
    /// Trials at which each network reached the criterion (`None`: not reached). Empty if there is no criterion.
    pub criterion: Vec<Option<f64>>,
    /// For each stage of a curriculum but the first, the trials at which each network came to it (`None`: not yet).
    pub stages: Vec<Vec<Option<f64>>>,
}

/// Whether an error axis can show `error`.
pub(super) fn can_show(error: f64, log: bool) -> bool {
    error.is_finite() && (error > 0.0 || !log)
}

impl Run {
    /// The points of each network that the axes can show.
    pub(super) fn lines(&self, log: bool) -> Vec<Vec<Point>> {
        let shown = |p: &Point| p.0.is_finite() && can_show(p.1, log);
        self.networks.iter().map(|line| line.iter().copied().filter(shown).collect()).collect()
    }

    /// Band and median of run number `k` of several.
    pub(super) fn marks(&self, k: usize, log: bool) -> [Mark; 2] {
        let (band, median) = quartiles(&thin(&self.lines(log), POINTS_PER_LINE));
        let band = if self.networks.len() > 1 { band } else { vec![] };
        let median = if k < COLOURS.len() { Shape::Line(median, 4.0) } else { Shape::Dashed(median, 4.0) };
        let colour = COLOURS[k % COLOURS.len()];
        [Mark::new(Shape::Band(band), colour), Mark::new(median, colour)]
    }

    /// The median number of trials to criterion, in words, and how many networks reached it.
    fn criterion(&self) -> (Option<String>, usize) {
        let median = quantile_with_missing(&self.criterion, 0.5).map(|trial| number(trial.round(), 1.0) + " trials");
        (median, self.criterion.iter().flatten().count())
    }

    /// E.g. "criterion: median 832 trials, 4 of 4 networks".
    pub(super) fn criterion_label(&self) -> String {
        let networks = networks(self.criterion.len());
        match self.criterion() {
            (None, 0) => format!("criterion: reached by none of {networks}"),
            (None, reached) => format!("criterion: reached by {reached} of {networks}"),
            (Some(median), _) if self.criterion.len() == 1 => format!("criterion: {median}"),
            (Some(median), reached) => format!("criterion: median {median}, {reached} of {networks}"),
        }
    }

    /// The number of networks, and when they reached the criterion.
    pub(super) fn summary(&self) -> String {
        let networks = networks(self.networks.len());
        match self.criterion() {
            _ if self.criterion.is_empty() => networks,
            (Some(median), _) if self.networks.len() == 1 => format!("{networks}, criterion after {median}"),
            (Some(median), reached) => format!("{networks}, criterion reached by {reached}, median {median}"),
            (None, 0) => format!("{networks}, criterion not reached"),
            (None, reached) => format!("{networks}, criterion reached by {reached}"),
        }
    }
}

/// E.g. "3 networks".
pub(crate) fn networks(count: usize) -> String {
    format!("{count} network{}", if count == 1 { "" } else { "s" })
}

/// The lines of the networks, with the band of their middle half and their median if there are several.
pub(super) fn network_marks(lines: &[Vec<Point>]) -> Vec<Mark> {
    let count = lines.len();
    let lines = thin(lines, (POINTS_IN_ALL / count.max(1)).clamp(100, POINTS_PER_LINE));
    let (band, median) = quartiles(&lines);
    let (width, colour) = if count == 1 { (3.0, Colour::Blue) } else { (1.5, Colour::Faint) };
    let network = |line| Mark::new(Shape::Line(line, width), colour).named(networks(count));
    let mut marks: Vec<Mark> = lines.into_iter().map(network).collect();
    if count > 1 {
        marks.push(Mark::new(Shape::Band(band), Colour::Blue).named("middle half (25–75 %)"));
        marks.push(Mark::new(Shape::Line(median, 4.0), Colour::Blue).named("median"));
    }
    marks
}

/// The quartiles (x, lower, upper) and medians (x, median) over networks, at every x where at least half of the
/// networks that have any values still have one.
fn quartiles(lines: &[Vec<Point>]) -> (Vec<(f64, f64, f64)>, Vec<Point>) {
    let present = lines.iter().filter(|line| !line.is_empty()).count();
    let at = |x: f64| {
        let values: Vec<f64> = lines.iter().filter_map(|line| value_at(line, x)).collect();
        let enough = 2 * values.len() >= present;
        let [lower, median, upper] = [0.25, 0.5, 0.75].map(|q| quantile(&values, q).filter(|_| enough));
        Some(((x, lower?, upper?), (x, median?)))
    };
    distinct_x(lines).into_iter().filter_map(at).unzip()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn median_needs_half_of_the_networks() {
        let lines = [vec![(0.0, 1.0), (2.0, 3.0)], vec![(0.0, 3.0)], vec![(0.0, 2.0)]];
        assert_eq!(quartiles(&lines), (vec![(0.0, 1.5, 2.5)], vec![(0.0, 2.0)]));
    }
}
