//! Sample trials: inputs above output and target, one column per trial.

use std::path::Path;

use anyhow::Result;
use plotters::prelude::{DrawingBackend, RGBColor};

use super::axis::{crisp, Axis};
use super::canvas::{Align, Canvas, Point, Type};
use super::canvas::{COLOURS, GREY, GRID, INK, LABEL, SMALL, TITLE};
use super::fonts::{fit, measure};
use super::output::{save, svg, Figure};
use super::stats::thin;

/// At most this many columns; further trials are left out and the figure says so.
const COLUMNS: usize = 6;
/// At most this many points to a line.
const POINTS_PER_LINE: usize = 800;
/// Background of the period in which the output is scored.
const SCORED: RGBColor = RGBColor(238, 240, 243);
/// Colour of the target.
const TARGET: RGBColor = RGBColor(125, 125, 125);

/// Top and bottom of the input strip and of the output panel.
const STRIP: Point = (206.0, 356.0);
const PANEL: Point = (392.0, 780.0);
const RIGHT: f64 = 1560.0;

/// One panel of [`SampleTrials`].
#[derive(Clone, Debug, Default)]
pub struct SampleTrial {
    /// Title of the column, e.g. the trial type "AB".
    pub title: String,
    /// Time of one step, in the unit of the time axis.
    pub step_ms: f64,
    /// Per input channel, one value per step.
    pub inputs: Vec<Vec<f32>>,
    /// Per output channel, one value per step.
    pub outputs: Vec<Vec<f32>>,
    /// Per output channel, one value per step; NaN where the output is not scored.
    pub targets: Vec<Vec<f32>>,
}

/// Sample trials side by side, with shared axes.
#[derive(Clone, Debug, Default)]
pub struct SampleTrials {
    /// Title above the figure.
    pub title: String,
    /// Label of the time axis: "time (ms)" or "step".
    pub time_label: String,
    /// Names of the input channels.
    pub input_names: Vec<String>,
    /// The trials, of which the first six are drawn.
    pub trials: Vec<SampleTrial>,
}

/// Draws sample trials and writes `STEM.png` (1600 × 900) and `STEM.svg`, each whole or not at all
/// (a temporary file in the same folder, then a rename).
///
/// One column per trial, at most six: the inputs in a strip above, each in a lane of its own, and
/// below it the outputs in colour with the targets as dashed grey lines. All columns share their
/// axes. The period in which an output is scored is shaded.
///
/// # Errors
///
/// If a file cannot be written.
pub fn sample_trials(figure: &SampleTrials, stem: &Path) -> Result<()> {
    save(&Plan::new(figure), stem)
}

impl SampleTrials {
    /// The figure of [`sample_trials`] as the text of an SVG file.
    ///
    /// # Errors
    /// If it cannot be drawn.
    pub fn svg(&self) -> Result<String> {
        svg(&Plan::new(self))
    }
}

/// What is drawn, worked out once for both backends.
struct Plan<'a> {
    figure: &'a SampleTrials,
    trials: &'a [SampleTrial],
    /// Left and right end of each column.
    columns: Vec<(f64, f64)>,
    end: f64,
    /// Range of all inputs.
    input_range: (f64, f64),
    lanes: usize,
    /// Output axis.
    y: Axis,
}

impl<'a> Plan<'a> {
    fn new(figure: &'a SampleTrials) -> Self {
        let trials = &figure.trials[..figure.trials.len().min(COLUMNS)];
        let name_width = |name: &String| measure(name, SMALL, false);
        let names = figure.input_names.iter().map(name_width);
        let left = (names.fold(0.0, f64::max) + 50.0).clamp(150.0, 260.0);
        let count = trials.len().max(1) as f64;
        let gap = 36.0;
        let width = (RIGHT - left - (count - 1.0) * gap) / count;
        let column = |i: usize| left + i as f64 * (width + gap);
        let columns = (0..trials.len().max(1)).map(|i| (column(i), column(i) + width));
        let ends = trials.iter().map(duration).filter(|t| t.is_finite());
        let outputs = trials.iter().flat_map(|t| t.outputs.iter().chain(&t.targets));
        let (lo, hi) = range(outputs).unwrap_or((-1.0, 1.0));
        let margin = if hi > lo { 0.06 * (hi - lo) } else { 0.5 };
        let inputs = trials.iter().flat_map(|t| &t.inputs);
        Plan {
            figure,
            trials,
            columns: columns.collect(),
            end: Some(ends.fold(0.0, f64::max)).filter(|t| *t > 0.0).unwrap_or(1.0),
            input_range: range(inputs).map_or((0.0, 1.0), |(lo, hi)| (lo.min(0.0), hi.max(0.0))),
            lanes: trials.iter().map(|t| t.inputs.len()).max().unwrap_or(0),
            y: Axis::linear((lo - margin, hi + margin), (PANEL.1, PANEL.0)),
        }
    }

    fn time(&self, column: usize) -> Axis {
        Axis::linear((0.0, self.end), self.columns[column])
    }

    /// The axis of input channel `lane` within the strip.
    fn lane(&self, lane: usize) -> Axis {
        let height = (STRIP.1 - STRIP.0) / self.lanes.max(1) as f64;
        let bottom = STRIP.0 + (lane + 1) as f64 * height;
        let (lo, hi) = self.input_range;
        let hi = if hi > lo { hi } else { lo + 1.0 };
        Axis::linear((lo, hi), (bottom - 0.12 * height, bottom - 0.82 * height))
    }

    fn head<DB: DrawingBackend>(&self, canvas: &Canvas<DB>) -> Result<()> {
        let left = self.columns[0].0;
        let (title, size) = fit(&self.figure.title, TITLE, true, RIGHT - left);
        let bold = Type { bold: true, ..Type::new(size, Align::Left) };
        canvas.text(&title, (left, 64.0), bold)?;
        let (drawn, all) = (self.trials.len(), self.figure.trials.len());
        if drawn < all {
            let note = format!("first {drawn} of {all} trials");
            let look = Type { colour: GREY, ..Type::new(SMALL, Align::Right) };
            canvas.text(&note, (RIGHT, 112.0), look)?;
        }
        self.legend(canvas)
    }

    fn legend<DB: DrawingBackend>(&self, canvas: &Canvas<DB>) -> Result<()> {
        let outputs = self.trials.iter().map(|t| t.outputs.len()).max();
        let outputs = outputs.unwrap_or(0).min(COLOURS.len());
        let name = |i| match outputs {
            1 => "output".to_string(),
            _ => format!("output {}", i + 1),
        };
        let mut names: Vec<String> = (0..outputs).map(name).collect();
        if self.trials.iter().any(|t| !scored(t).is_empty()) {
            names.extend(["target".into(), "scored period".into()]);
        }
        let (mut x, y) = (self.columns[0].0, 112.0);
        for (i, name) in names.iter().enumerate() {
            let ends = [(x, y - 9.0), (x + 44.0, y - 9.0)];
            match i.checked_sub(outputs) {
                None => canvas.line(&ends, 4.0, COLOURS[i])?,
                Some(0) => canvas.dashed(&ends, 4.0, DASH, TARGET)?,
                Some(_) => {
                    canvas.rectangle((x, y - 22.0), (x + 44.0, y + 4.0), SCORED)?;
                }
            }
            canvas.text(name, (x + 56.0, y), Type::new(SMALL, Align::Left))?;
            x += 56.0 + measure(name, SMALL, false) + 40.0;
        }
        Ok(())
    }

    fn labels<DB: DrawingBackend>(&self, canvas: &Canvas<DB>) -> Result<()> {
        let left = self.columns[0].0;
        let upward = Type { upward: true, ..Type::new(LABEL, Align::Centre) };
        canvas.text("output", (48.0, (PANEL.0 + PANEL.1) / 2.0), upward)?;
        let middle = (left + RIGHT) / 2.0;
        let look = Type::new(LABEL, Align::Centre);
        canvas.text(&self.figure.time_label, (middle, PANEL.1 + 84.0), look)?;
        let height = (STRIP.1 - STRIP.0) / self.lanes.max(1) as f64;
        if height < SMALL {
            let name = format!("{} inputs", self.lanes);
            let at = (left - 14.0, (STRIP.0 + STRIP.1) / 2.0 + 8.0);
            return canvas.text(&name, at, Type::new(SMALL, Align::Right));
        }
        for (lane, name) in self.figure.input_names.iter().take(self.lanes).enumerate() {
            let axis = self.lane(lane);
            let (name, size) = fit(name, SMALL, false, left - 34.0);
            let at = (left - 14.0, (axis.from + axis.to) / 2.0 + 0.36 * size);
            canvas.text(&name, at, Type::new(size, Align::Right))?;
        }
        Ok(())
    }

    fn grid<DB: DrawingBackend>(&self, canvas: &Canvas<DB>, column: usize) -> Result<()> {
        let time = self.time(column);
        let (left, right) = self.columns[column];
        for (value, label) in self.y.ticks(5) {
            let y = crisp(self.y.at(value));
            canvas.line(&[(left, y), (right, y)], 1.0, GRID)?;
            if column == 0 {
                let at = (left - 14.0, y + 0.36 * SMALL);
                canvas.text(&label, at, Type::new(SMALL, Align::Right))?;
            }
        }
        for (value, label) in self.time_ticks() {
            let x = crisp(time.at(value));
            canvas.line(&[(x, PANEL.1), (x, PANEL.0)], 1.0, GRID)?;
            canvas.line(&[(x, STRIP.1), (x, STRIP.0)], 1.0, GRID)?;
            canvas.line(&[(x, PANEL.1), (x, PANEL.1 + 8.0)], 1.5, GREY)?;
            let (from, to) = label_span(time, value, &label);
            let at = (from + to) / 2.0;
            let look = Type::new(SMALL, Align::Centre);
            canvas.text(&label, (at, PANEL.1 + 38.0), look)?;
        }
        Ok(())
    }

    /// As many time ticks as their labels have room for in a column.
    fn time_ticks(&self) -> Vec<(f64, String)> {
        let axis = self.time(0);
        let apart = |ticks: &Vec<(f64, String)>| {
            let spans = ticks.iter().map(|(v, label)| label_span(axis, *v, label));
            let spans: Vec<(f64, f64)> = spans.collect();
            spans.windows(2).all(|w| w[1].0 - w[0].1 >= 14.0)
        };
        let mut choices = (1..=8).rev().map(|count| axis.ticks(count));
        choices.find(apart).unwrap_or_default()
    }

    fn column<DB: DrawingBackend>(&self, canvas: &Canvas<DB>, column: usize) -> Result<()> {
        let time = self.time(column);
        let (left, right) = self.columns[column];
        if let Some(trial) = self.trials.get(column) {
            for (from, to) in scored(trial) {
                let x = |step: usize| time.at(step as f64 * trial.step_ms);
                canvas.rectangle((x(from), PANEL.0), (x(to), PANEL.1), SCORED)?;
            }
        }
        self.grid(canvas, column)?;
        if let Some(trial) = self.trials.get(column) {
            self.traces(canvas, trial, time)?;
            let (title, size) = fit(&trial.title, LABEL, true, right - left);
            let bold = Type { bold: true, ..Type::new(size, Align::Centre) };
            canvas.text(&title, ((left + right) / 2.0, STRIP.0 - 22.0), bold)?;
        }
        canvas.line(&[(left, STRIP.1), (right, STRIP.1)], 1.5, GREY)?;
        let ends = [(left, PANEL.0), (left, PANEL.1), (right, PANEL.1)];
        canvas.line(&ends, 2.0, GREY)
    }

    fn traces<DB: DrawingBackend>(&self, canvas: &Canvas<DB>, trial: &SampleTrial, time: Axis) -> Result<()> {
        let width = if self.lanes > 4 { 1.5 } else { 2.5 };
        for (lane, input) in trial.inputs.iter().enumerate() {
            for points in pieces(input, trial.step_ms, time, self.lane(lane)) {
                canvas.line(&points, width, INK)?;
            }
        }
        for (channel, output) in trial.outputs.iter().enumerate() {
            for points in pieces(output, trial.step_ms, time, self.y) {
                canvas.line(&points, 3.5, COLOURS[channel % COLOURS.len()])?;
            }
        }
        for target in &trial.targets {
            for points in pieces(target, trial.step_ms, time, self.y) {
                canvas.dashed(&points, 4.0, DASH, TARGET)?;
            }
        }
        Ok(())
    }
}

/// Dash and gap of the target.
const DASH: Point = (10.0, 9.0);

impl Figure for Plan<'_> {
    const SIZE: (u32, u32) = (1600, 900);

    fn draw<DB: DrawingBackend>(&self, canvas: &Canvas<DB>) -> Result<()> {
        self.head(canvas)?;
        self.labels(canvas)?;
        (0..self.columns.len()).try_for_each(|column| self.column(canvas, column))
    }
}

/// Left and right end of a tick's label, which hardly leaves the column.
fn label_span(time: Axis, value: f64, label: &str) -> (f64, f64) {
    let width = measure(label, SMALL, false);
    let from = (time.at(value) - width / 2.0).min(time.to + 8.0 - width);
    (from, from + width)
}

/// The time the longest trace of a trial ends at.
fn duration(trial: &SampleTrial) -> f64 {
    let traces = trial.inputs.iter().chain(&trial.outputs).chain(&trial.targets);
    traces.map(Vec::len).max().unwrap_or(0) as f64 * trial.step_ms
}

/// The smallest and largest finite value, if there are any.
fn range<'a>(traces: impl Iterator<Item = &'a Vec<f32>>) -> Option<(f64, f64)> {
    let finite = traces.flatten().copied().filter(|v| v.is_finite());
    finite.map(f64::from).fold(None, |range, v| match range {
        None => Some((v, v)),
        Some((lo, hi)) => Some((v.min(lo), v.max(hi))),
    })
}

/// The periods (first step, step after the last) in which any output of a trial is scored.
fn scored(trial: &SampleTrial) -> Vec<(usize, usize)> {
    let steps = trial.targets.iter().map(Vec::len).max().unwrap_or(0);
    let is_scored = |step: usize| {
        let mut values = trial.targets.iter().filter_map(|target| target.get(step));
        values.any(|value| value.is_finite())
    };
    let mut periods: Vec<(usize, usize)> = Vec::new();
    for step in (0..steps).filter(|&step| is_scored(step)) {
        match periods.last_mut() {
            Some(period) if period.1 == step => period.1 = step + 1,
            _ => periods.push((step, step + 1)),
        }
    }
    periods
}

/// The finite stretches of a trace as polylines on the page, without points that change nothing.
fn pieces(trace: &[f32], step: f64, time: Axis, axis: Axis) -> Vec<Vec<Point>> {
    let point = |(i, v): (usize, &f32)| (i as f64 * step, f64::from(*v));
    let points: Vec<Point> = trace.iter().enumerate().map(point).collect();
    let stretches = points.split(|p| !p.0.is_finite() || !p.1.is_finite());
    let stretches: Vec<Vec<Point>> = stretches.map(without_level).collect();
    let lines = thin(&stretches, POINTS_PER_LINE).into_iter();
    let lines = lines.filter(|line| !line.is_empty());
    let on_page = |p: Point| (time.at(p.0), axis.at(p.1));
    lines.map(|line| line.into_iter().map(on_page).collect()).collect()
}

/// The line without the inner points of its level stretches.
fn without_level(line: &[Point]) -> Vec<Point> {
    let mut kept: Vec<Point> = Vec::new();
    for &point in line {
        if let [.., a, b] = kept[..] {
            if a.1 == b.1 && b.1 == point.1 {
                kept.pop();
            }
        }
        kept.push(point);
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::super::output::rehearse;
    use super::*;

    fn example() -> SampleTrials {
        let trial = SampleTrial {
            title: "AB".into(),
            step_ms: 1.0,
            inputs: vec![vec![1.0, 1.0, 0.0, 0.0], vec![0.0; 4]],
            outputs: vec![vec![0.0, 0.1, 0.5, 0.9]],
            targets: vec![vec![f32::NAN, f32::NAN, 1.0, 1.0]],
        };
        SampleTrials {
            title: "Sample trials".into(),
            time_label: "time (ms)".into(),
            input_names: vec!["input A".into(), "input B".into()],
            trials: vec![trial; 8],
        }
    }

    #[test]
    fn writes_both_files_with_their_labels() {
        let folder = tempfile::tempdir().expect("temporary folder");
        sample_trials(&example(), &folder.path().join("trials")).expect("drawn");
        let svg = std::fs::read_to_string(folder.path().join("trials.svg")).expect("SVG");
        for text in ["Sample trials", "time (ms)", "input B", "AB", "first 6 of 8"] {
            assert!(svg.contains(text), "{text}");
        }
        assert!(folder.path().join("trials.png").exists());
    }

    #[test]
    fn odd_input_draws() {
        let nan = SampleTrial {
            step_ms: f64::NAN,
            outputs: vec![vec![f32::NAN; 3], vec![], vec![f32::INFINITY]],
            ..SampleTrial::default()
        };
        let one = SampleTrial {
            step_ms: 1.0,
            inputs: vec![vec![0.0]; 30],
            outputs: vec![vec![0.5]],
            targets: vec![vec![1.0], vec![]],
            ..SampleTrial::default()
        };
        for trials in [vec![], vec![SampleTrial::default()], vec![nan], vec![one]] {
            let figure = SampleTrials { trials, ..SampleTrials::default() };
            rehearse(&Plan::new(&figure)).expect("drawn");
        }
    }

    #[test]
    fn level_stretches_keep_their_ends() {
        let line = [(0.0, 1.0), (1.0, 1.0), (2.0, 1.0), (3.0, 0.0), (4.0, 0.0)];
        let kept = [(0.0, 1.0), (2.0, 1.0), (3.0, 0.0), (4.0, 0.0)];
        assert_eq!(without_level(&line), kept);
    }

    #[test]
    fn scored_periods() {
        let mut trial = example().trials.remove(0);
        assert_eq!(scored(&trial), [(2, 4)]);
        trial.targets.push(vec![1.0]);
        assert_eq!(scored(&trial), [(0, 1), (2, 4)]);
    }
}
