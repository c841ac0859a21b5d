//! Learning curves: error against trials, of the networks of one run or of several runs in one picture.

use std::path::Path;

use crate::error::Result;

use super::canvas::{Align, Canvas, Point, Type, LABEL, SMALL};
use super::chart::{head, key};
use super::colour::Colour;
use super::errors::Errors;
use super::fonts::{fit, measure};
use super::mark::Mark;
use super::output::save;
use super::run::{network_marks, Run};
use crate::quantile::quantile_with_missing;

/// The learning curves of one run or of several.
#[derive(Clone, Debug, Default)]
pub struct LearningCurves {
    /// Title above the figure.
    pub title: String,
    /// Label of the vertical axis, e.g. "mean |output − target|".
    pub error_label: String,
    /// The runs, in the order of the legend.
    pub runs: Vec<Run>,
    /// A horizontal reference with its label, e.g. (0.25, "chance").
    pub reference: Option<(f64, String)>,
    /// Logarithmic error axis; points that are not positive are then skipped.
    pub log: bool,
}

/// Draws learning curves and writes `STEM.png` (1600 × 1000) and `STEM.svg`, each whole or not at all.
///
/// Of one run, thin lines are the networks, the band holds their middle half (25 to 75 %) and the strong line is their median.
/// The criterion is marked by a tick per network on the trial axis and a dashed line at the median of all networks.
///
/// Of several runs, each has a band and a median (a run of one network a line), and a mark on the trial axis at the median
/// number of trials to criterion. Runs beyond the seventh repeat the colours with dashed lines.
///
/// Band and median end where fewer than half of a run's networks have values. Lines of more than 600 points are averaged in
/// bins.
///
/// # Errors
///
/// If a file cannot be written.
pub fn learning_curves(curves: &LearningCurves, stem: &Path) -> Result<()> {
    save(&curves.draw(), stem)
}

/// Distance of two lines of the legend.
const LINE: f64 = 38.0;

impl LearningCurves {
    /// The figure of [`learning_curves`] as the text of an SVG file.
    pub fn svg(&self) -> String {
        self.draw().svg()
    }

    fn draw(&self) -> Canvas {
        match &self.runs[..] {
            [run] => self.draw_networks(run),
            runs => self.draw_runs(runs),
        }
    }

    fn draw_networks(&self, run: &Run) -> Canvas {
        let mut canvas = Canvas::new(1000);
        let lines = run.lines(self.log);
        let reached: Vec<f64> = run.criterion.iter().flatten().copied().filter(|t| t.is_finite()).collect();
        let errors = Errors::new(self.reference.as_ref(), self.log, lines.concat(), &reached, 190.0);
        let marks = network_marks(&lines);
        errors.draw(&mut canvas, &self.error_label, &marks);
        head(&mut canvas, &self.title, (errors.chart.x.from, 64.0), &marks);
        let (x, y) = (errors.chart.x, errors.chart.y);
        if lines.iter().all(Vec::is_empty) {
            let look = Type { colour: Colour::Grey, ..Type::new(LABEL, Align::Centre) };
            canvas.text("no data", ((x.from + x.to) / 2.0, (y.from + y.to) / 2.0), look);
        }
        if run.criterion.is_empty() {
            return canvas;
        }
        for &trial in &reached {
            errors.tick(&mut canvas, trial, (18.0, 3.0), Colour::Orange);
        }
        let median = quantile_with_missing(&run.criterion, 0.5).filter(|trial| trial.is_finite());
        let place = median.map_or(x.to, |trial| x.at(trial));
        if median.is_some() {
            canvas.dashed(&[(place, y.from), (place, y.to - 8.0)], 2.5, Colour::Orange);
        }
        let said = run.criterion_label();
        let half = measure(&said, SMALL, false) / 2.0;
        let look = Type { colour: Colour::Orange, ..Type::new(SMALL, Align::Centre) };
        canvas.text(&said, (place.min(1580.0 - half).max(x.from + half), y.to - 20.0), look);
        canvas
    }

    fn draw_runs(&self, runs: &[Run]) -> Canvas {
        let mut canvas = Canvas::new(1000);
        let marks: Vec<[Mark; 2]> = runs.iter().enumerate().map(|(k, run)| run.marks(k, self.log)).collect();
        let criteria: Vec<Option<f64>> = runs.iter().map(|run| quantile_with_missing(&run.criterion, 0.5)).collect();
        let reached: Vec<f64> = criteria.iter().flatten().copied().collect();
        let top = (130.0 + LINE * runs.len() as f64).min(600.0);
        let points: Vec<Point> = marks.iter().flatten().flat_map(|mark| mark.shape.extent()).collect();
        let errors = Errors::new(self.reference.as_ref(), self.log, points, &reached, top);
        errors.draw(&mut canvas, &self.error_label, marks.as_flattened());
        let left = errors.chart.x.from;
        head(&mut canvas, &self.title, (left, 64.0), []);
        for (k, (run, [_, median])) in runs.iter().zip(&marks).enumerate() {
            if let Some(trial) = criteria[k] {
                errors.tick(&mut canvas, trial, (24.0, 5.0), median.colour);
            }
            let y = 116.0 + LINE * k as f64;
            key(&mut canvas, median, (left, y));
            let said = run.summary();
            let room = 1540.0 - left - 50.0 - 36.0 - measure(&said, SMALL, false);
            let (name, size) = fit(&run.name, SMALL, false, room.max(200.0));
            canvas.text(&name, (left + 50.0, y), Type::new(size, Align::Left));
            let look = Type { colour: Colour::Grey, ..Type::new(SMALL, Align::Left) };
            canvas.text(&said, (left + 74.0 + measure(&name, size, false), y), look);
        }
        canvas
    }
}

#[cfg(test)]
mod tests {
    use super::super::output::png;
    use super::*;

    fn example() -> LearningCurves {
        LearningCurves {
            title: "Delayed match & more".into(),
            error_label: "mean error".into(),
            runs: vec![Run {
                name: String::new(),
                networks: vec![vec![(0.0, 1.0), (10.0, 0.5), (20.0, 0.25)], vec![(0.0, 0.8), (10.0, 0.3)]],
                criterion: vec![Some(15.0), Some(15.0), None],
            }],
            reference: Some((0.5, "chance".into())),
            log: false,
        }
    }

    #[test]
    fn writes_both_files_with_their_labels() {
        let folder = tempfile::tempdir().expect("temporary folder");
        learning_curves(&example(), &folder.path().join("curve0.5")).expect("drawn");
        let svg = std::fs::read_to_string(folder.path().join("curve0.5.svg")).expect("SVG");
        let label = "criterion: median 15 trials, 2 of 3 networks";
        for text in ["Delayed match &amp; more", "mean error", "chance", label] {
            assert!(svg.contains(text), "{text}");
        }
        let png = std::fs::read(folder.path().join("curve0.5.png")).expect("PNG");
        assert!(png.starts_with(b"\x89PNG"));
        // An empty curve is a picture too, and no temporary file stays behind.
        let empty = LearningCurves::default();
        learning_curves(&empty, &folder.path().join("curve0.5")).expect("drawn again");
        assert_eq!(std::fs::read_dir(folder.path()).expect("list").count(), 2);
    }

    #[test]
    fn odd_networks_draw() {
        let odd = [
            vec![],
            vec![vec![]],
            vec![vec![(5.0, 0.5)]],
            vec![vec![(0.0, 0.0)], vec![]],
            vec![vec![(0.0, f64::NAN), (1.0, f64::INFINITY), (f64::NAN, 1.0)]],
            vec![vec![(0.0, 0.3), (1.0, 0.3)], vec![(0.0, -0.3)]],
            vec![vec![(0.0, -1e308), (1.0, 1e308)], vec![(0.0, 1e-320), (1.8e19, 1e308)]],
        ];
        for (networks, log) in odd.iter().flat_map(|n| [(n, false), (n, true)]) {
            let run = Run { name: String::new(), networks: networks.clone(), criterion: vec![None; networks.len()] };
            let reference = Some((f64::NAN, "nowhere".into()));
            let curve = LearningCurves { runs: vec![run], reference, log, ..LearningCurves::default() };
            png(&curve.draw()).expect("drawn");
            assert!(!curve.svg().contains("NaN") && !curve.svg().contains("inf"));
        }
    }

    #[test]
    fn a_missing_folder_is_named() {
        let error = learning_curves(&example(), Path::new("/nonexistent/folder/curve"));
        let text = format!("{:#}", error.expect_err("no such folder"));
        assert!(text.contains("/nonexistent/folder/curve.png"), "{text}");
    }

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
    fn odd_runs_draw() {
        let nothing = Run { name: "nothing".into(), networks: vec![vec![], vec![(f64::NAN, 1.0)]], criterion: vec![] };
        let many = (0..12).map(|k| run("a long name that has to be cut somewhere ".repeat(3).as_str(), k)).collect();
        for runs in [vec![], vec![nothing], many] {
            for log in [false, true] {
                png(&LearningCurves { runs: runs.clone(), log, ..LearningCurves::default() }.draw()).unwrap();
            }
        }
    }
}
