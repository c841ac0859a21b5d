//! Learning curves of several runs in one picture: a median and the middle half of the networks for each run.

use std::path::Path;

use anyhow::Result;
use plotters::prelude::{DrawingBackend, RGBColor};

use super::axis::number;
use super::canvas::{Align, Canvas, Point, Type};
use super::canvas::{COLOURS, GREY, INK, ORANGE, SMALL};
use super::fonts::{fit, measure};
use super::learning_curve::{error_axis, quartiles, trial_axis, Frame, POINTS_PER_LINE};
use super::output::{save, Figure};
use super::stats::{quantile_with_missing, thin};

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

/// The learning curves of several runs.
#[derive(Clone, Debug, Default)]
pub struct LearningCurves {
    /// Title above the figure.
    pub title: String,
    /// Label of the vertical axis.
    pub error_label: String,
    /// The runs, in the order of the legend.
    pub runs: Vec<Run>,
    /// A horizontal reference with its label, e.g. (0.25, "chance").
    pub reference: Option<(f64, String)>,
    /// Logarithmic error axis; points that are not positive are then skipped.
    pub log: bool,
}

/// Draws the runs over one another and writes `STEM.png` and `STEM.svg`, each whole or not at all.
///
/// For each run the line is the median of its networks and the band their middle half (25 to 75 %); a run of one network is a
/// line. Both end where fewer than half of a run's networks have values. A mark on the trial axis stands at the median number
/// of trials to criterion. Runs beyond the seventh repeat the colours with dashed lines.
///
/// # Errors
///
/// If a file cannot be written.
pub fn learning_curves(curves: &LearningCurves, stem: &Path) -> Result<()> {
    save(&Plan::new(curves), stem)
}

/// Distance of two lines of the legend.
const LINE: f64 = 38.0;

struct Plan<'a> {
    curves: &'a LearningCurves,
    /// For each run: trials with lower quartile, median and upper quartile.
    quartiles: Vec<Vec<(f64, [f64; 3])>>,
    reference: Option<(f64, &'a str)>,
    frame: Frame,
}

impl<'a> Plan<'a> {
    fn new(curves: &'a LearningCurves) -> Self {
        let shown = |y: f64| y.is_finite() && (y > 0.0 || !curves.log);
        let of_run = |run: &Run| {
            let keep = |line: &Vec<Point>| line.iter().copied().filter(|p| p.0.is_finite() && shown(p.1)).collect();
            let lines: Vec<Vec<Point>> = run.networks.iter().map(keep).collect();
            quartiles(&thin(&lines, POINTS_PER_LINE))
        };
        let quartiles: Vec<Vec<(f64, [f64; 3])>> = curves.runs.iter().map(of_run).collect();
        let reference = curves.reference.as_ref().filter(|r| shown(r.0)).map(|r| (r.0, &r.1[..]));
        let criterion = curves.runs.iter().filter_map(|run| quantile_with_missing(&run.criterion, 0.5));
        let points = quartiles.iter().flatten();
        let x = trial_axis(points.clone().map(|q| q.0).chain(criterion), (150.0, Frame::right(reference.map(|r| r.1))));
        let top = (130.0 + LINE * curves.runs.len() as f64).min(600.0);
        let errors = points.flat_map(|q| q.1).chain(reference.map(|r| r.0));
        let y = error_axis(errors, curves.log, (880.0, top));
        Plan { curves, quartiles, reference, frame: Frame { x, y } }
    }

    fn look(run: usize) -> (RGBColor, bool) {
        let colours = COLOURS.len() + 2;
        let colour = match run % colours {
            k if k < COLOURS.len() => COLOURS[k],
            k if k == COLOURS.len() => ORANGE,
            _ => INK,
        };
        (colour, run >= colours)
    }

    fn line<DB: DrawingBackend>(canvas: &Canvas<DB>, points: &[Point], run: usize) -> Result<()> {
        match Self::look(run) {
            (colour, false) => canvas.line(points, 4.0, colour),
            (colour, true) => canvas.dashed(points, 4.0, (14.0, 9.0), colour),
        }
    }

    fn at(&self, trial: f64, error: f64) -> Point {
        (self.frame.x.at(trial), self.frame.y.at(error))
    }

    fn run<DB: DrawingBackend>(&self, canvas: &Canvas<DB>, run: usize) -> Result<()> {
        let (quartiles, colour) = (&self.quartiles[run], Self::look(run).0);
        let edge = |i: usize| quartiles.iter().map(move |(x, q)| self.at(*x, q[i]));
        if self.curves.runs[run].networks.len() > 1 && quartiles.len() > 1 {
            let band: Vec<Point> = edge(0).chain(edge(2).rev()).collect();
            canvas.polygon(&band, colour, 0.18)?;
        }
        if quartiles.is_empty() {
            return Ok(());
        }
        Self::line(canvas, &edge(1).collect::<Vec<_>>(), run)?;
        let Some(trial) = quantile_with_missing(&self.curves.runs[run].criterion, 0.5) else { return Ok(()) };
        let (x, bottom) = (self.frame.x.at(trial), self.frame.y.from);
        canvas.line(&[(x, bottom - 3.0), (x, bottom - 26.0)], 5.0, colour)
    }

    fn legend<DB: DrawingBackend>(&self, canvas: &Canvas<DB>) -> Result<()> {
        let left = self.frame.x.from;
        for (k, run) in self.curves.runs.iter().enumerate() {
            let y = 116.0 + LINE * k as f64;
            Self::line(canvas, &[(left, y - 8.0), (left + 44.0, y - 8.0)], k)?;
            let said = criterion(run);
            let room = 1540.0 - left - 56.0 - 36.0 - measure(&said, SMALL, false);
            let (name, size) = fit(&run.name, SMALL, false, room.max(200.0));
            canvas.text(&name, (left + 56.0, y), Type::new(size, Align::Left))?;
            let look = Type { colour: GREY, ..Type::new(SMALL, Align::Left) };
            canvas.text(&said, (left + 56.0 + measure(&name, size, false) + 24.0, y), look)?;
        }
        Ok(())
    }
}

/// How many networks a run has, and when they reached the criterion.
fn criterion(run: &Run) -> String {
    let all = run.networks.len();
    let networks = if all == 1 { "1 network".to_string() } else { format!("{all} networks") };
    let reached = run.criterion.iter().flatten().count();
    match quantile_with_missing(&run.criterion, 0.5) {
        _ if run.criterion.is_empty() => networks,
        Some(trials) if all == 1 => format!("{networks}, criterion after {} trials", number(trials.round(), 1.0)),
        Some(trials) => {
            format!("{networks}, criterion reached by {reached}, median {} trials", number(trials.round(), 1.0))
        }
        None if reached == 0 => format!("{networks}, criterion not reached"),
        None => format!("{networks}, criterion reached by {reached}"),
    }
}

impl Figure for Plan<'_> {
    const SIZE: (u32, u32) = (1600, 1000);

    fn draw<DB: DrawingBackend>(&self, canvas: &Canvas<DB>) -> Result<()> {
        self.frame.grid(canvas, &self.curves.title, &self.curves.error_label)?;
        if let Some((value, label)) = self.reference {
            self.frame.reference(canvas, value, label)?;
        }
        (0..self.curves.runs.len()).try_for_each(|run| self.run(canvas, run))?;
        self.frame.axes(canvas)?;
        self.legend(canvas)
    }
}

#[cfg(test)]
mod tests {
    use super::super::output::rehearse;
    use super::*;

    fn run(name: &str, networks: usize) -> Run {
        let line = |k: usize| (1..=5).map(|t| (64.0 * t as f64, 1.0 / (t + k) as f64)).collect();
        Run {
            name: name.into(),
            networks: (0..networks).map(line).collect(),
            criterion: (0..networks).map(|k| (k < 2).then_some(128.0)).collect(),
        }
    }

    #[test]
    fn each_run_has_a_line_and_a_name() {
        let folder = tempfile::tempdir().expect("temporary folder");
        let curves = LearningCurves {
            title: "two rules".into(),
            error_label: "mean error".into(),
            runs: vec![run("runs/a (delta-x)", 3), run("runs/b (bptt)", 1)],
            reference: Some((0.5, "chance".into())),
            log: false,
        };
        learning_curves(&curves, &folder.path().join("both")).expect("drawn");
        let svg = std::fs::read_to_string(folder.path().join("both.svg")).expect("SVG");
        let expected = [
            "runs/a (delta-x)",
            "3 networks, criterion reached by 2, median 128 trials",
            "runs/b (bptt)",
            "1 network, criterion after 128 trials",
            "chance",
        ];
        for text in expected {
            assert!(svg.contains(text), "{text}");
        }
        assert_eq!(svg.matches("<polygon").count(), 1, "one band: the other run has one network");
    }

    #[test]
    fn odd_input_draws() {
        let nothing = Run { name: "nothing".into(), networks: vec![vec![], vec![(f64::NAN, 1.0)]], criterion: vec![] };
        let many = (0..12).map(|k| run("a long name that has to be cut somewhere ".repeat(3).as_str(), k)).collect();
        for runs in [vec![], vec![nothing], many] {
            for log in [false, true] {
                rehearse(&Plan::new(&LearningCurves { runs: runs.clone(), log, ..LearningCurves::default() })).unwrap();
            }
        }
    }
}
