//! Sample trials: inputs above output and target, one column per trial.

use std::path::Path;

use crate::error::Result;

use super::axis::{crisp, extent, Axis};
use super::canvas::{Align, Canvas, Point, Type, LABEL, SMALL};
use super::chart::{head, Chart};
use super::colour::{Colour, GRID};
use super::fonts::measure;
use super::mark::{Mark, Shape};
use super::output::save;
use super::trial::{stretches, SampleTrial};

/// At most this many columns; further trials are left out and the figure says so.
const COLUMNS: usize = 6;
/// Top and bottom of the input strip and of the output panel.
const STRIP: Point = (206.0, 356.0);
const PANEL: Point = (392.0, 780.0);
/// Right end of the last column, and what lies between two.
const RIGHT: f64 = 1560.0;
const GAP: f64 = 36.0;

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

/// Draws sample trials and writes `STEM.png` (1600 × 900) and `STEM.svg`, each whole or not at all.
///
/// One column per trial, at most six: the inputs in a strip above, each in a lane of its own, and below it the outputs in
/// colour with the targets as dashed grey lines. All columns share their axes. The period in which an output is scored is
/// shaded.
///
/// # Errors
///
/// If a file cannot be written.
pub fn sample_trials(figure: &SampleTrials, stem: &Path) -> Result<()> {
    save(&figure.draw(), stem)
}

impl SampleTrials {
    /// The figure of [`sample_trials`] as the text of an SVG file.
    pub fn svg(&self) -> String {
        self.draw().svg()
    }

    fn draw(&self) -> Canvas {
        let mut canvas = Canvas::new(900);
        let none = [SampleTrial::default()];
        let trials = if self.trials.is_empty() { &none } else { &self.trials[..self.trials.len().min(COLUMNS)] };
        let layout = Layout::new(trials, &self.input_names);
        let marks: Vec<Mark> = trials.iter().flat_map(SampleTrial::traces).collect();
        let periods: Vec<Mark> = trials.iter().flat_map(SampleTrial::periods).collect();
        head(&mut canvas, &self.title, (layout.left, 64.0), marks.iter().chain(&periods));
        if trials.len() < self.trials.len() {
            let note = format!("first {} of {} trials", trials.len(), self.trials.len());
            let look = Type { colour: Colour::Grey, ..Type::new(SMALL, Align::Right) };
            canvas.text(&note, (RIGHT, 112.0), look);
        }
        let whole = Chart::new(Axis::linear((0.0, 1.0), (layout.left, RIGHT)), layout.y);
        whole.names(&mut canvas, &self.time_label, ("output", 48.0));
        layout.name_lanes(&mut canvas, &self.input_names);
        for (column, trial) in trials.iter().enumerate() {
            layout.draw_column(&mut canvas, column, trial);
        }
        canvas
    }
}

/// Where things lie; all columns share it.
struct Layout {
    /// Left end of the first column.
    left: f64,
    /// Width of a column.
    width: f64,
    /// The time at which columns end.
    end: f64,
    /// Range of all inputs.
    inputs: (f64, f64),
    lanes: usize,
    /// Output axis.
    y: Axis,
}

impl Layout {
    fn new(trials: &[SampleTrial], names: &[String]) -> Self {
        let wide = names.iter().map(|name| measure(name, SMALL, false)).fold(0.0, f64::max);
        let left = (wide + 50.0).clamp(150.0, 260.0);
        let count = trials.len().max(1) as f64;
        let all = |traces: fn(&SampleTrial) -> Vec<&Vec<f32>>| {
            extent(trials.iter().flat_map(traces).flatten().map(|v| f64::from(*v)))
        };
        let (lo, hi) = all(|t| t.outputs.iter().chain(&t.targets).collect()).unwrap_or((-1.0, 1.0));
        let margin = if hi > lo { 0.06 * (hi - lo) } else { 0.5 };
        let (low, high) = all(|t| t.inputs.iter().collect()).map_or((0.0, 1.0), |(lo, hi)| (lo.min(0.0), hi.max(0.0)));
        let end = trials.iter().map(SampleTrial::duration).filter(|t| t.is_finite()).fold(0.0, f64::max);
        Layout {
            left,
            width: (RIGHT - left - (count - 1.0) * GAP) / count,
            end: if end > 0.0 { end } else { 1.0 },
            inputs: (low, if high > low { high } else { low + 1.0 }),
            lanes: trials.iter().map(|t| t.inputs.len()).max().unwrap_or(0),
            y: Axis::linear((lo - margin, hi + margin), (PANEL.1, PANEL.0)),
        }
    }

    /// The axes of a column; the labels of its ticks hardly leave it.
    fn chart(&self, column: usize) -> Chart {
        let left = self.left + column as f64 * (self.width + GAP);
        Chart { x: Axis::linear((0.0, self.end), (left, left + self.width)), y: self.y, overhang: 8.0 }
    }

    /// The axis of input channel `lane` within the strip.
    fn lane(&self, lane: usize) -> Axis {
        let height = self.lane_height();
        let bottom = STRIP.0 + (lane + 1) as f64 * height;
        Axis::linear(self.inputs, (bottom - 0.12 * height, bottom - 0.82 * height))
    }

    fn lane_height(&self) -> f64 {
        (STRIP.1 - STRIP.0) / self.lanes.max(1) as f64
    }

    fn name_lanes(&self, canvas: &mut Canvas, names: &[String]) {
        let look = Type { room: self.left - 34.0, ..Type::new(SMALL, Align::Right) };
        if self.lane_height() < SMALL {
            let middle = (STRIP.0 + STRIP.1) / 2.0;
            return canvas.text(&format!("{} inputs", self.lanes), (self.left - 14.0, middle + 8.0), look);
        }
        for (lane, name) in names.iter().take(self.lanes).enumerate() {
            let axis = self.lane(lane);
            canvas.text(name, (self.left - 14.0, (axis.from + axis.to) / 2.0 + 0.36 * SMALL), look);
        }
    }

    fn draw_column(&self, canvas: &mut Canvas, column: usize, trial: &SampleTrial) {
        let chart = self.chart(column);
        let (left, right) = (chart.x.from, chart.x.to);
        trial.periods().iter().for_each(|mark| chart.draw(canvas, mark));
        let (times, mut values) = (chart.x.ticks(((self.width / 100.0) as usize).min(8)), self.y.ticks(5));
        if column > 0 {
            values.iter_mut().for_each(|tick| tick.1.clear());
        }
        chart.grid(canvas, &times, &values);
        for (time, _) in &times {
            let x = crisp(chart.x.at(*time));
            canvas.line(&[(x, STRIP.1), (x, STRIP.0)], 1.0, GRID);
        }
        let width = if self.lanes > 4 { 1.5 } else { 2.5 };
        for (lane, input) in trial.inputs.iter().enumerate() {
            let lane = Chart { y: self.lane(lane), ..chart };
            for line in stretches(input, trial.step_ms) {
                lane.draw(canvas, &Mark::new(Shape::Line(line, width), Colour::Ink));
            }
        }
        trial.traces().iter().for_each(|mark| chart.draw(canvas, mark));
        let look = Type { bold: true, room: right - left, ..Type::new(LABEL, Align::Centre) };
        canvas.text(&trial.title, ((left + right) / 2.0, STRIP.0 - 22.0), look);
        canvas.line(&[(left, STRIP.1), (right, STRIP.1)], 1.5, Colour::Grey);
        chart.axes(canvas);
    }
}

#[cfg(test)]
mod tests {
    use super::super::output::png;
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
            png(&figure.draw()).expect("drawn");
        }
    }
}
