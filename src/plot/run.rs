//! A run among learning curves: its lines, and what is said about it.

use super::axis::number;
use super::canvas::Point;
use super::colour::{Colour, COLOURS};
use super::errors::{has_place, quartiles};
use super::mark::{Mark, Shape};
use super::stats::thin;
use crate::quantile::quantile_with_missing;

/// At most this many points to a line, and to the lines of all networks together.
const POINTS_PER_LINE: usize = 600;
const POINTS_IN_ALL: usize = 20_000;

/// One run of a picture.
#[derive(Clone, Debug, Default)]
pub struct Run {
    /// What the legend calls it.
    pub name: String,
    /// Per network, points (trials, error), trials ascending; points that are not finite are skipped.
    pub networks: Vec<Vec<(f64, f64)>>,
    /// Trials at which each network reached the criterion (`None`: not reached). Empty where there is no criterion.
    pub criterion: Vec<Option<f64>>,
}

impl Run {
    /// The points of each network that the axes have a place for.
    pub(super) fn lines(&self, log: bool) -> Vec<Vec<Point>> {
        let kept = |p: &Point| p.0.is_finite() && has_place(p.1, log);
        self.networks.iter().map(|line| line.iter().copied().filter(kept).collect()).collect()
    }

    /// Band and median of the run that is the `k`th of a picture.
    pub(super) fn marks(&self, k: usize, log: bool) -> [Mark; 2] {
        let [band, median] = quartiles(&thin(&self.lines(log), POINTS_PER_LINE));
        let band = if self.networks.len() > 1 { band } else { Shape::Band(vec![]) };
        let colours = COLOURS.len() + 2;
        let median = match median {
            Shape::Line(points, width) if k >= colours => Shape::Dashed(points, width),
            line => line,
        };
        let colour = match (k % colours).checked_sub(COLOURS.len()) {
            None => Colour::Nth(k % colours),
            Some(0) => Colour::Orange,
            Some(_) => Colour::Ink,
        };
        [Mark::new(band, colour), Mark::new(median, colour)]
    }

    /// The median number of trials to criterion, in words, and how many networks reached it.
    fn criterion(&self) -> (Option<String>, usize) {
        let median = quantile_with_missing(&self.criterion, 0.5).map(|trial| number(trial.round(), 1.0) + " trials");
        (median, self.criterion.iter().flatten().count())
    }

    /// E.g. "criterion: median 832 trials, 4 of 4 networks".
    pub(super) fn criterion_label(&self) -> String {
        let all = self.criterion.len();
        let networks = if all == 1 { "network" } else { "networks" };
        match self.criterion() {
            (None, 0) => format!("criterion: reached by none of {all} {networks}"),
            (None, reached) => format!("criterion: reached by {reached} of {all} {networks}"),
            (Some(median), _) if all == 1 => format!("criterion: {median}"),
            (Some(median), reached) => format!("criterion: median {median}, {reached} of {all} {networks}"),
        }
    }

    /// How many networks the run has, and when they reached the criterion.
    pub(super) fn summary(&self) -> String {
        let all = self.networks.len();
        let networks = if all == 1 { "1 network".to_string() } else { format!("{all} networks") };
        match self.criterion() {
            _ if self.criterion.is_empty() => networks,
            (Some(median), _) if all == 1 => format!("{networks}, criterion after {median}"),
            (Some(median), reached) => format!("{networks}, criterion reached by {reached}, median {median}"),
            (None, 0) => format!("{networks}, criterion not reached"),
            (None, reached) => format!("{networks}, criterion reached by {reached}"),
        }
    }
}

/// The lines of the networks, with the middle half and the median of several.
pub(super) fn network_marks(lines: &[Vec<Point>]) -> Vec<Mark> {
    let count = lines.len();
    let lines = thin(lines, (POINTS_IN_ALL / count.max(1)).clamp(100, POINTS_PER_LINE));
    let [band, median] = quartiles(&lines);
    let (width, colour, name) = match count {
        1 => (3.0, Colour::Blue, "1 network".to_string()),
        _ => (1.5, Colour::Faint, format!("{count} networks")),
    };
    let network = |line| Mark::new(Shape::Line(line, width), colour).named(name.as_str());
    let mut marks: Vec<Mark> = lines.into_iter().map(network).collect();
    if count > 1 {
        marks.push(Mark::new(band, Colour::Blue).named("middle half (25–75 %)"));
        marks.push(Mark::new(median, Colour::Blue).named("median"));
    }
    marks
}
