//! Learning curves: error against trials, one line per network, with median and quartiles.

use std::path::Path;

use anyhow::Result;
use plotters::prelude::{DrawingBackend, RGBColor};

use super::axis::{crisp, log_range, number, round_range, Axis};
use super::canvas::{Align, Canvas, Point, Type};
use super::canvas::{BLUE, GREY, GRID, INK, LABEL, ORANGE, SMALL, TITLE};
use super::fonts::{fit, measure};
use super::output::{save, svg, Figure};
use super::stats::{quantile, quantile_with_missing, thin, value_at};

/// Colour of the lines of single networks: opaque, so that crossings do not darken.
const FAINT: RGBColor = RGBColor(188, 208, 224);
/// At most this many points to a line, and to all lines of single networks together.
pub(super) const POINTS_PER_LINE: usize = 600;
const POINTS_IN_ALL: usize = 20_000;

/// One learning curve per network.
#[derive(Clone, Debug, Default)]
pub struct LearningCurve {
    /// Title above the figure.
    pub title: String,
    /// Label of the vertical axis, e.g. "mean |output − target|".
    pub error_label: String,
    /// Per network, points (trials, error), trials ascending. Networks may end at different
    /// trials; points that are not finite are skipped.
    pub networks: Vec<Vec<(f64, f64)>>,
    /// Trials at which each network reached the criterion (`None`: not reached). Empty where there
    /// is no criterion.
    pub criterion: Vec<Option<f64>>,
    /// A horizontal reference with its label, e.g. (0.25, "chance").
    pub reference: Option<(f64, String)>,
    /// Logarithmic error axis; points that are not positive are then skipped.
    pub log: bool,
}

/// Draws a learning curve and writes `STEM.png` (1600 × 1000) and `STEM.svg`, each whole or not at
/// all (a temporary file in the same folder, then a rename).
///
/// With several networks, thin lines are the networks, the band holds their middle half (25 to
/// 75 %) and the strong line is their median; band and median end where fewer than half of the
/// networks have values. Lines of more than 600 points are averaged in bins. The criterion is
/// marked by a tick per network on the trial axis and a dashed line at the median of the networks
/// that reached it.
///
/// # Errors
///
/// If a file cannot be written.
pub fn learning_curve(curve: &LearningCurve, stem: &Path) -> Result<()> {
    save(&Plan::new(curve), stem)
}

impl LearningCurve {
    /// The figure of [`learning_curve`] as the text of an SVG file.
    ///
    /// # Errors
    /// If it cannot be drawn.
    pub fn svg(&self) -> Result<String> {
        svg(&Plan::new(self))
    }
}

/// What is drawn, worked out once for both backends.
struct Plan<'a> {
    curve: &'a LearningCurve,
    lines: Vec<Vec<Point>>,
    /// Trials with lower quartile, median and upper quartile over networks.
    quartiles: Vec<(f64, [f64; 3])>,
    /// Trials to criterion of the networks that reached it.
    reached: Vec<f64>,
    reference: Option<(f64, &'a str)>,
    x: Axis,
    y: Axis,
}

impl<'a> Plan<'a> {
    fn new(curve: &'a LearningCurve) -> Self {
        let shown = |y: f64| y.is_finite() && (y > 0.0 || !curve.log);
        let keep = |line: &Vec<Point>| {
            let points = line.iter().copied();
            points.filter(|p| p.0.is_finite() && shown(p.1)).collect()
        };
        let lines: Vec<Vec<Point>> = curve.networks.iter().map(keep).collect();
        let reached: Vec<f64> = curve.criterion.iter().flatten().copied().collect();
        let reached: Vec<f64> = reached.into_iter().filter(|t| t.is_finite()).collect();
        let reference = curve.reference.as_ref();
        let reference = reference.filter(|r| shown(r.0)).map(|r| (r.0, &r.1[..]));
        let right = Frame::right(reference.map(|(_, label)| label));
        let xs = lines.iter().flatten().map(|p| p.0);
        let ys = lines.iter().flatten().map(|p| p.1);
        let x = trial_axis(xs.chain(reached.iter().copied()), (150.0, right));
        let y = error_axis(ys.chain(reference.map(|r| r.0)), curve.log, (880.0, 190.0));
        let limit = POINTS_IN_ALL / lines.len().max(1);
        let lines = thin(&lines, limit.clamp(100, POINTS_PER_LINE));
        Plan { curve, quartiles: quartiles(&lines), lines, reached, reference, x, y }
    }

    fn at(&self, (trial, error): Point) -> Point {
        (self.x.at(trial), self.y.at(error))
    }

    fn curves<DB: DrawingBackend>(&self, canvas: &Canvas<DB>) -> Result<()> {
        if self.lines.iter().all(Vec::is_empty) {
            let middle = (self.x.from + self.x.to) / 2.0;
            let at = (middle, (self.y.from + self.y.to) / 2.0);
            let look = Type { colour: GREY, ..Type::new(LABEL, Align::Centre) };
            return canvas.text("no data", at, look);
        }
        let single = self.lines.len() == 1;
        let (width, colour) = if single { (3.0, BLUE) } else { (1.5, FAINT) };
        for line in self.lines.iter().filter(|line| !line.is_empty()) {
            let points: Vec<Point> = line.iter().map(|&p| self.at(p)).collect();
            canvas.line(&points, width, colour)?;
        }
        if single || self.quartiles.is_empty() {
            return Ok(());
        }
        let edge = |i: usize| self.quartiles.iter().map(move |(x, q)| (*x, q[i]));
        let band: Vec<Point> = edge(0).chain(edge(2).rev()).map(|p| self.at(p)).collect();
        canvas.polygon(&band, BLUE, 0.22)?;
        let median: Vec<Point> = edge(1).map(|p| self.at(p)).collect();
        canvas.line(&median, 4.0, BLUE)
    }

    fn criterion<DB: DrawingBackend>(&self, canvas: &Canvas<DB>) -> Result<()> {
        let all = self.curve.criterion.len();
        if all == 0 {
            return Ok(());
        }
        let (bottom, top) = (self.y.from, self.y.to);
        for &trial in &self.reached {
            let x = self.x.at(trial);
            canvas.line(&[(x, bottom - 2.0), (x, bottom - 20.0)], 3.0, ORANGE)?;
        }
        let median = quantile_with_missing(&self.curve.criterion, 0.5);
        if let Some(trial) = median {
            let x = self.x.at(trial);
            let ends = [(x, bottom), (x, top - 8.0)];
            canvas.dashed(&ends, 2.5, (12.0, 8.0), ORANGE)?;
        }
        let label = criterion_label(median, self.reached.len(), all);
        let half = measure(&label, SMALL, false) / 2.0;
        let x = median.map_or(self.x.to, |trial| self.x.at(trial));
        let at = x.min(1580.0 - half).max(self.x.from + half);
        let look = Type { colour: ORANGE, ..Type::new(SMALL, Align::Centre) };
        canvas.text(&label, (at, top - 20.0), look)
    }

    fn legend<DB: DrawingBackend>(&self, canvas: &Canvas<DB>) -> Result<()> {
        let count = self.lines.len();
        let names = match count {
            0 => vec![],
            1 => vec!["1 network".to_string()],
            _ => vec![format!("{count} networks"), "middle half (25–75 %)".to_string(), "median".to_string()],
        };
        let (mut x, y) = (self.x.from, 112.0);
        for (i, name) in names.iter().enumerate() {
            let ends = [(x, y - 9.0), (x + 44.0, y - 9.0)];
            match (count, i) {
                (2.., 0) => canvas.line(&ends, 2.5, FAINT)?,
                (2.., 1) => {
                    let corners = [(x, y - 20.0), (x + 44.0, y - 20.0), (x + 44.0, y + 2.0), (x, y + 2.0)];
                    canvas.polygon(&corners, BLUE, 0.22)?;
                }
                _ => canvas.line(&ends, 4.0, BLUE)?,
            }
            let look = Type { colour: INK, ..Type::new(SMALL, Align::Left) };
            canvas.text(name, (x + 56.0, y), look)?;
            x += 56.0 + measure(name, SMALL, false) + 44.0;
        }
        Ok(())
    }
}

impl Figure for Plan<'_> {
    const SIZE: (u32, u32) = (1600, 1000);

    fn draw<DB: DrawingBackend>(&self, canvas: &Canvas<DB>) -> Result<()> {
        let frame = Frame { x: self.x, y: self.y };
        frame.grid(canvas, &self.curve.title, &self.curve.error_label)?;
        self.curves(canvas)?;
        if let Some((value, label)) = self.reference {
            frame.reference(canvas, value, label)?;
        }
        frame.axes(canvas)?;
        self.criterion(canvas)?;
        self.legend(canvas)
    }
}

/// What a picture of errors against trials has around its curves.
pub(super) struct Frame {
    pub x: Axis,
    pub y: Axis,
}

impl Frame {
    /// The title, ticks with their labels and grid lines, and the names of both axes.
    pub fn grid<DB: DrawingBackend>(&self, canvas: &Canvas<DB>, title: &str, error_label: &str) -> Result<()> {
        let (left, right) = (self.x.from, self.x.to);
        let (bottom, top) = (self.y.from, self.y.to);
        let (title, size) = fit(title, TITLE, true, 1540.0 - left);
        let bold = Type { bold: true, ..Type::new(size, Align::Left) };
        canvas.text(&title, (left, 64.0), bold)?;
        for (value, label) in self.y.ticks(6) {
            let y = crisp(self.y.at(value));
            canvas.line(&[(left, y), (right, y)], 1.0, GRID)?;
            let at = (left - 14.0, y + 0.36 * SMALL);
            canvas.text(&label, at, Type::new(SMALL, Align::Right))?;
        }
        for (value, label) in self.x.ticks(8) {
            let x = crisp(self.x.at(value));
            canvas.line(&[(x, bottom), (x, top)], 1.0, GRID)?;
            canvas.line(&[(x, bottom), (x, bottom + 8.0)], 1.5, GREY)?;
            let at = (x, bottom + 38.0);
            canvas.text(&label, at, Type::new(SMALL, Align::Centre))?;
        }
        let at = ((left + right) / 2.0, bottom + 84.0);
        canvas.text("trials per network", at, Type::new(LABEL, Align::Centre))?;
        let (label, size) = fit(error_label, LABEL, false, bottom - top + 100.0);
        let upward = Type { upward: true, ..Type::new(size, Align::Centre) };
        canvas.text(&label, (48.0, (bottom + top) / 2.0), upward)
    }

    /// Both axes.
    pub fn axes<DB: DrawingBackend>(&self, canvas: &Canvas<DB>) -> Result<()> {
        let corner = (self.x.from, self.y.from);
        let ends = [(corner.0, self.y.to), corner, (self.x.to, corner.1)];
        canvas.line(&ends, 2.0, GREY)
    }

    /// A dashed line at an error, with its name to the right of it.
    pub fn reference<DB: DrawingBackend>(&self, canvas: &Canvas<DB>, value: f64, label: &str) -> Result<()> {
        let (y, right) = (self.y.at(value), self.x.to);
        canvas.dashed(&[(self.x.from, y), (right, y)], 2.0, (12.0, 8.0), GREY)?;
        let (label, size) = fit(label, SMALL, false, 1600.0 - right - 32.0);
        let look = Type { colour: GREY, ..Type::new(size, Align::Left) };
        canvas.text(&label, (right + 12.0, y + 0.33 * size), look)
    }

    /// Where the trial axis ends, so that the name of a reference fits beside it.
    pub fn right(reference: Option<&str>) -> f64 {
        match reference {
            Some(label) => 1600.0 - measure(label, SMALL, false).clamp(30.0, 240.0) - 44.0,
            None => 1540.0,
        }
    }
}

/// Lower quartile, median and upper quartile at every trial where at least half of the networks
/// that have values at all still have one.
pub(super) fn quartiles(lines: &[Vec<Point>]) -> Vec<(f64, [f64; 3])> {
    let mut trials: Vec<f64> = lines.iter().flatten().map(|p| p.0).collect();
    trials.sort_by(f64::total_cmp);
    trials.dedup();
    let present = lines.iter().filter(|line| !line.is_empty()).count();
    let at = |trial: f64| {
        let values: Vec<f64> = lines.iter().filter_map(|l| value_at(l, trial)).collect();
        let enough = 2 * values.len() >= present;
        let of = |q| quantile(&values, q).filter(|_| enough);
        Some((trial, [of(0.25)?, of(0.5)?, of(0.75)?]))
    };
    trials.into_iter().filter_map(at).collect()
}

/// The smallest and largest value, if there are any.
fn extent(values: impl Iterator<Item = f64>) -> Option<(f64, f64)> {
    values.fold(None, |range, v| match range {
        None => Some((v, v)),
        Some((lo, hi)) => Some((v.min(lo), v.max(hi))),
    })
}

pub(super) fn trial_axis(trials: impl Iterator<Item = f64>, pixels: (f64, f64)) -> Axis {
    let (lo, hi) = extent(trials).unwrap_or((0.0, 1.0));
    let lo = lo.min(0.0);
    let range = if hi > lo { (lo, hi) } else { (lo, lo + 1.0) };
    Axis::linear(range, pixels)
}

pub(super) fn error_axis(errors: impl Iterator<Item = f64>, log: bool, pixels: (f64, f64)) -> Axis {
    let range = match extent(errors) {
        Some((lo, hi)) if log => log_range(lo, hi),
        Some((lo, hi)) => round_range(lo.min(0.0), hi),
        None if log => (0.1, 1.0),
        None => (0.0, 1.0),
    };
    Axis { log, ..Axis::linear(range, pixels) }
}

/// E.g. "criterion: median 832 trials, 4 of 4 networks".
fn criterion_label(median: Option<f64>, reached: usize, all: usize) -> String {
    let networks = if all == 1 { "network" } else { "networks" };
    match median {
        None if reached == 0 => format!("criterion: reached by none of {all} {networks}"),
        None => format!("criterion: reached by {reached} of {all} {networks}"),
        Some(trial) if all == 1 => format!("criterion: {} trials", number(trial.round(), 1.0)),
        Some(trial) => {
            let trial = number(trial.round(), 1.0);
            format!("criterion: median {trial} trials, {reached} of {all} {networks}")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::output::rehearse;
    use super::*;

    fn example() -> LearningCurve {
        LearningCurve {
            title: "Delayed match & more".into(),
            error_label: "mean error".into(),
            networks: vec![vec![(0.0, 1.0), (10.0, 0.5), (20.0, 0.25)], vec![(0.0, 0.8), (10.0, 0.3)]],
            criterion: vec![Some(15.0), Some(15.0), None],
            reference: Some((0.5, "chance".into())),
            log: false,
        }
    }

    #[test]
    fn writes_both_files_with_their_labels() {
        let folder = tempfile::tempdir().expect("temporary folder");
        learning_curve(&example(), &folder.path().join("curve0.5")).expect("drawn");
        let svg = std::fs::read_to_string(folder.path().join("curve0.5.svg")).expect("SVG");
        let label = "criterion: median 15 trials, 2 of 3 networks";
        for text in ["Delayed match &amp; more", "mean error", "chance", label] {
            assert!(svg.contains(text), "{text}");
        }
        let png = std::fs::read(folder.path().join("curve0.5.png")).expect("PNG");
        assert!(png.starts_with(b"\x89PNG"));
        // An empty curve is a picture too, and no temporary file stays behind.
        let empty = LearningCurve::default();
        learning_curve(&empty, &folder.path().join("curve0.5")).expect("drawn again");
        assert_eq!(std::fs::read_dir(folder.path()).expect("list").count(), 2);
    }

    #[test]
    fn odd_input_draws() {
        let odd = [
            vec![],
            vec![vec![]],
            vec![vec![(5.0, 0.5)]],
            vec![vec![(0.0, 0.0)], vec![]],
            vec![vec![(0.0, f64::NAN), (1.0, f64::INFINITY), (f64::NAN, 1.0)]],
            vec![vec![(0.0, 0.3), (1.0, 0.3)], vec![(0.0, -0.3)]],
        ];
        for (networks, log) in odd.iter().flat_map(|n| [(n, false), (n, true)]) {
            let curve = LearningCurve {
                networks: networks.clone(),
                criterion: vec![None; networks.len()],
                reference: Some((f64::NAN, "nowhere".into())),
                log,
                ..LearningCurve::default()
            };
            rehearse(&Plan::new(&curve)).expect("drawn");
        }
    }

    #[test]
    fn a_missing_folder_is_named() {
        let error = learning_curve(&example(), Path::new("/nonexistent/folder/curve"));
        let text = format!("{:#}", error.expect_err("no such folder"));
        assert!(text.contains("/nonexistent/folder/curve.png"), "{text}");
    }

    #[test]
    fn median_needs_half_of_the_networks() {
        let lines = [vec![(0.0, 1.0), (2.0, 3.0)], vec![(0.0, 3.0)], vec![(0.0, 2.0)]];
        assert_eq!(quartiles(&lines), [(0.0, [1.5, 2.0, 2.5])]);
    }
}
