//! Learning curves: error against trials, of the networks of one run or of several runs in one picture.

use super::axis::{extent, log_range, round_range, Axis};
use super::canvas::{Canvas, Point, Style, LABEL, SMALL};
use super::chart::{head, key, Chart, Mark, Shape};
use super::colour::Colour;
use super::fonts::{fit, measure};
use super::run::{can_show, network_marks, Run};
use crate::quantile::quantile_with_missing;

/// Distance between two lines of the legend.
const LINE: f64 = 38.0;

/// The learning curves of one run or of several.
///
/// For one run, thin lines are the networks, the band holds their middle half (25 to 75 %) and the strong line is their
/// median. A tick per network on the trial axis marks the criterion, and a dashed line its median over all networks. Grey
/// lines stand where the median network came to the stages of a curriculum.
///
/// For several runs, each has a band and a median (a run of one network has a line instead), and a tick on the trial
/// axis at the median number of trials to criterion. Runs beyond the seventh repeat the colours with dashed lines.
///
/// Band and median end where fewer than half of a run's networks have values. Lines of more than 600 points are
/// averaged in bins.
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

impl LearningCurves {
    /// The figure, 1600 × 1000 units.
    pub fn draw(&self) -> Canvas {
        let mut canvas = Canvas::new(1000);
        match &self.runs[..] {
            [run] => self.draw_networks(&mut canvas, run),
            runs => self.draw_runs(&mut canvas, runs),
        }
        canvas
    }

    fn draw_networks(&self, canvas: &mut Canvas, run: &Run) {
        let lines = run.lines(self.log);
        let marks = network_marks(&lines);
        let reached: Vec<f64> = run.criterion.iter().flatten().copied().filter(|t| t.is_finite()).collect();
        let chart = self.chart(lines.concat(), &reached, 190.0);
        self.draw_marks(canvas, &chart, &marks);
        head(canvas, &self.title, (chart.x.from, 64.0), &marks);
        if lines.iter().all(Vec::is_empty) {
            let style = Style { colour: Colour::Grey, ..Style::centred(LABEL) };
            canvas.text("no data", chart.centre(), style);
        }
        for (stage, arrived) in (2..).zip(&run.stages) {
            if let Some(trial) = quantile_with_missing(arrived, 0.5).filter(|trial| trial.is_finite()) {
                let (place, line) = (chart.x.at(trial), chart.y.to + 26.0);
                canvas.dashed(&[(place, chart.y.from), (place, chart.y.to)], 1.5, Colour::Grey);
                let grey = Style { colour: Colour::Grey, ..Style::left(SMALL) };
                // The word stands before the first line only: the others may be close to one another.
                if stage == 2 {
                    canvas.text("stage", (place - 6.0 - measure("stage", SMALL, false), line), grey);
                }
                canvas.text(&stage.to_string(), (place + 6.0, line), grey);
            }
        }
        if run.criterion.is_empty() {
            return;
        }
        for &trial in &reached {
            tick(canvas, &chart, trial, (18.0, 3.0), Colour::Orange);
        }
        let (x, y) = (chart.x, chart.y);
        let median =
            quantile_with_missing(&run.criterion, 0.5).filter(|trial| trial.is_finite()).map(|trial| x.at(trial));
        if let Some(place) = median {
            canvas.dashed(&[(place, y.from), (place, y.to - 8.0)], 2.5, Colour::Orange);
        }
        let label = run.criterion_label();
        let half = measure(&label, SMALL, false) / 2.0;
        let place = median.unwrap_or(x.to).min(1580.0 - half).max(x.from + half);
        canvas.text(&label, (place, y.to - 20.0), Style { colour: Colour::Orange, ..Style::centred(SMALL) });
    }

    fn draw_runs(&self, canvas: &mut Canvas, runs: &[Run]) {
        let marks: Vec<[Mark; 2]> = runs.iter().enumerate().map(|(k, run)| run.marks(k, self.log)).collect();
        let criteria: Vec<Option<f64>> = runs.iter().map(|run| quantile_with_missing(&run.criterion, 0.5)).collect();
        let reached: Vec<f64> = criteria.iter().flatten().copied().collect();
        let points = marks.iter().flatten().flat_map(|mark| mark.shape.extent()).collect();
        let chart = self.chart(points, &reached, (130.0 + LINE * runs.len() as f64).min(600.0));
        self.draw_marks(canvas, &chart, marks.as_flattened());
        let left = chart.x.from;
        head(canvas, &self.title, (left, 64.0), []);
        for (k, (run, [_, median])) in runs.iter().zip(&marks).enumerate() {
            if let Some(trial) = criteria[k] {
                tick(canvas, &chart, trial, (24.0, 5.0), median.colour);
            }
            let y = 116.0 + LINE * k as f64;
            key(canvas, median, (left, y));
            let summary = run.summary();
            let room = 1540.0 - left - 50.0 - 36.0 - measure(&summary, SMALL, false);
            let (name, size) = fit(&run.name, SMALL, false, room.max(200.0));
            canvas.text(&name, (left + 50.0, y), Style::left(size));
            let style = Style { colour: Colour::Grey, ..Style::left(SMALL) };
            canvas.text(&summary, (left + 74.0 + measure(&name, size, false), y), style);
        }
    }

    /// The reference, if the error axis can show it.
    fn reference(&self) -> Option<(f64, &str)> {
        self.reference.as_ref().filter(|r| can_show(r.0, self.log)).map(|r| (r.0, &r.1[..]))
    }

    /// Axes that end at `top` and hold the points, the trials of criteria and the reference.
    fn chart(&self, points: Vec<Point>, trials: &[f64], top: f64) -> Chart {
        let reference = self.reference();
        // The reference's label stands right of the axes.
        let right = reference.map_or(1540.0, |r| 1556.0 - measure(r.1, SMALL, false).clamp(30.0, 240.0));
        let (lo, hi) = extent(points.iter().map(|p| p.0).chain(trials.iter().copied())).unwrap_or((0.0, 1.0));
        let lo = lo.min(0.0);
        let x = Axis::linear((lo, if hi > lo { hi } else { lo + 1.0 }), (150.0, right));
        let y = match extent(points.iter().map(|p| p.1).chain(reference.map(|r| r.0))) {
            Some((lo, hi)) if self.log => log_range(lo, hi),
            Some((lo, hi)) => round_range(lo.min(0.0), hi),
            None if self.log => (0.1, 1.0),
            None => (0.0, 1.0),
        };
        Chart::new(x, Axis { log: self.log, ..Axis::linear(y, (880.0, top)) })
    }

    /// Draws the axes with their names, the marks and the reference.
    fn draw_marks(&self, canvas: &mut Canvas, chart: &Chart, marks: &[Mark]) {
        let (x, y) = (chart.x, chart.y);
        chart.grid(canvas, &x.ticks(8), &y.ticks(6));
        chart.names(canvas, "trials per network", (&self.error_label, 48.0));
        marks.iter().for_each(|mark| chart.draw(canvas, mark));
        if let Some((error, label)) = self.reference() {
            let line = Shape::Dashed(vec![(x.lo, error), (x.hi, error)], 2.0);
            chart.draw(canvas, &Mark::new(line, Colour::Grey));
            let style = Style { colour: Colour::Grey, room: 1568.0 - x.to, ..Style::left(SMALL) };
            canvas.text(label, (x.to + 12.0, y.at(error) + 0.33 * SMALL), style);
        }
        chart.axes(canvas);
    }
}

/// A tick of a length and width that stands on the trial axis.
fn tick(canvas: &mut Canvas, chart: &Chart, trial: f64, (length, width): (f64, f64), colour: Colour) {
    let (x, foot) = (chart.x.at(trial), chart.y.from - 2.0);
    canvas.line(&[(x, foot), (x, foot - length)], width, colour);
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    fn run(name: &str, networks: usize) -> Run {
        let line = |k: usize| (1..=5).map(|t| (64.0 * t as f64, 1.0 / (t + k) as f64)).collect();
        Run {
            name: name.into(),
            networks: (0..networks).map(line).collect(),
            criterion: (0..networks).map(|k| (k < 2).then_some(128.0)).collect(),
            stages: vec![vec![Some(64.0); networks]],
        }
    }

    fn curves(runs: Vec<Run>) -> LearningCurves {
        LearningCurves {
            title: "Delayed match & more".into(),
            error_label: "mean error".into(),
            runs,
            reference: Some((0.5, "chance".into())),
            log: false,
        }
    }

    #[test]
    fn writes_both_files_with_their_labels() {
        let folder = tempfile::tempdir().expect("temporary folder");
        let stem = folder.path().join("curve0.5");
        let one = (vec![run("", 3)], vec!["criterion: median 128 trials, 2 of 3 networks", ">stage<"]);
        // Each run has a line and a name.
        let labels = [
            "runs/a (delta-x)",
            "3 networks, criterion reached by 2, median 128 trials",
            "runs/b (bptt)",
            "1 network, criterion after 128 trials",
        ];
        let two = (vec![run("runs/a (delta-x)", 3), run("runs/b (bptt)", 1)], labels.to_vec());
        for (runs, labels) in [one, two] {
            curves(runs).draw().save(&stem).expect("drawn");
            let svg = std::fs::read_to_string(folder.path().join("curve0.5.svg")).expect("SVG");
            for text in ["Delayed match &amp; more", "mean error", "chance"].iter().chain(&labels) {
                assert!(svg.contains(text), "{text}");
            }
            assert_eq!(svg.matches("<polygon").count(), 1, "a run of one network has no band");
            let png = std::fs::read(folder.path().join("curve0.5.png")).expect("PNG");
            assert!(png.starts_with(b"\x89PNG"));
        }
        assert_eq!(std::fs::read_dir(folder.path()).expect("list").count(), 2, "no temporary file stays behind");
        let error = curves(vec![]).draw().save(Path::new("/nonexistent/folder/curve"));
        let text = format!("{:#}", error.expect_err("no such folder"));
        assert!(text.contains("/nonexistent/folder/curve.png"), "{text}");
    }

    #[test]
    fn odd_runs_draw() {
        let odd = [
            vec![],
            vec![vec![]],
            vec![vec![(5.0, 0.5)]],
            vec![vec![(0.0, 0.0)], vec![]],
            vec![vec![(0.0, f64::NAN), (1.0, f64::INFINITY), (f64::NAN, 1.0)]],
            vec![vec![(0.0, 0.3), (1.0, 0.3)], vec![(0.0, -0.3)]],
            vec![vec![(0.0, -1e308), (1.0, 1e308)], vec![(0.0, 1e-320), (1.8e19, 1e308)]],
        ];
        let alone = |networks: Vec<Vec<Point>>| {
            let criterion = vec![None; networks.len()];
            vec![Run { networks, criterion, ..Run::default() }]
        };
        let networks = vec![vec![], vec![(f64::NAN, 1.0)]];
        let nothing = Run { name: "nothing".into(), networks, ..Run::default() };
        let many = (0..12).map(|k| run(&"a long name that has to be cut somewhere ".repeat(3), k)).collect();
        for runs in odd.map(alone).into_iter().chain([vec![], vec![nothing], many]) {
            for log in [false, true] {
                let reference = Some((f64::NAN, "nowhere".into()));
                let canvas = LearningCurves { reference, log, ..curves(runs.clone()) }.draw();
                canvas.png().expect("drawn");
                assert!(!canvas.svg().contains("NaN") && !canvas.svg().contains("inf"));
            }
        }
    }
}
