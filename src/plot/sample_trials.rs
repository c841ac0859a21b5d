//! Sample trials: inputs above output and target, one column per trial. Many channels are drawn as a raster, and outputs that
//! are a position in the plane as a path.

use super::axis::{crisp, extent, Axis};
use super::canvas::{Canvas, Point, Style, LABEL, SMALL};
use super::chart::{head, Chart, Mark, Shape};
use super::colour::{Colour, COLOURS, GRID};
use super::fonts::measure;
use super::heat::{draw_heat, HeatMap};
use super::lines::{finite, thin};

/// At most this many columns; further trials are left out and the figure says so.
const COLUMNS: usize = 6;
/// Top and bottom of the input strip and of the output panel.
const STRIP: Point = (206.0, 356.0);
const PANEL: Point = (392.0, 780.0);
/// Right end of the last column, and the gap between two columns.
const RIGHT: f64 = 1560.0;
const GAP: f64 = 36.0;

/// At most this many points per line.
const POINTS_PER_LINE: usize = 800;
/// More channels than this are drawn as a raster, of at most this many rows and columns.
const MOST_LINES: usize = 20;
const RASTER: (usize, usize) = (25, 60);
/// Width of the targets beside a raster of outputs.
const TARGETS: f64 = 40.0;

/// Colours of the periods in which the output is scored, and of targets.
const SCORED: Colour = Colour::Rgb(124, 140, 163);
const TARGET: Colour = Colour::Rgb(125, 125, 125);

/// Sample trials side by side, one column per trial.
///
/// Above are the inputs, each in a lane of its own; below, the outputs in colour with the targets as dashed grey lines.
/// All columns share their axes. Periods in which an output is scored are shaded. More than 20 channels are drawn as a raster, blue
/// for the smallest value and orange for the largest.
#[derive(Clone, Debug, Default)]
pub struct SampleTrials {
    /// Title above the figure.
    pub title: String,
    /// Label of the time axis: "time (ms)" or "step".
    pub time_label: String,
    /// Names of the input channels.
    pub input_names: Vec<String>,
    /// Label of the panel below, e.g. "output".
    pub output_label: String,
    /// Whether the two outputs are x and y of a place, which is drawn as a path, with a ring around the last target.
    pub in_plane: bool,
    /// The trials, of which the first six are drawn.
    pub trials: Vec<SampleTrial>,
}

/// One of the [`SampleTrials`].
#[derive(Clone, Debug, Default)]
pub struct SampleTrial {
    /// Title of the column, e.g. the trial type "AB".
    pub title: String,
    /// Duration of one step, in the unit of the time axis.
    pub step_ms: f64,
    /// Per input channel, one value per step.
    pub inputs: Vec<Vec<f32>>,
    /// The names of the outputs.
    pub output_names: Vec<String>,
    /// Per output channel, one value per step.
    pub outputs: Vec<Vec<f32>>,
    /// Per output channel, one value per step; NaN where the output is not scored.
    pub targets: Vec<Vec<f32>>,
}

impl SampleTrial {
    /// The path of an output in the plane: its start, its last scored position, and the target then.
    fn path(&self) -> Vec<Mark> {
        let [x, y] = &self.outputs[..] else { return Vec::new() };
        let way: Vec<Point> = x.iter().zip(y).map(|(x, y)| (f64::from(*x), f64::from(*y))).collect();
        let scored = self.scored().last().map_or(0, |(_, end)| end - 1);
        let target =
            [0, 1].map(|k| self.targets.get(k).and_then(|t| t.get(scored)).map_or(f64::NAN, |t| f64::from(*t)));
        let dot = |at: Option<&Point>, radius| Shape::Dots(at.into_iter().copied().collect(), radius);
        vec![
            Mark::new(Shape::Dots(vec![(target[0], target[1])], 14.0), TARGET).named("target"),
            Mark::new(Shape::Line(without_level(&way), 3.5), Colour::Nth(0)).named("path"),
            Mark::new(dot(way.first(), 6.0), Colour::Ink).named("start"),
            Mark::new(dot(way.get(scored), 7.0), Colour::Orange).named("scored position"),
        ]
    }

    /// Outputs and targets.
    fn traces(&self) -> Vec<Mark> {
        if self.outputs.len() > MOST_LINES {
            return Vec::new();
        }
        let output = |(k, trace): (usize, &Vec<f32>)| {
            let name = self.output_names.get(k).filter(|_| k < COLOURS.len()).cloned().unwrap_or_default();
            let mark = move |line| Mark::new(Shape::Line(line, 3.5), Colour::Nth(k)).named(name.as_str());
            stretches(trace, self.step_ms).map(mark)
        };
        let target = |line| Mark::new(Shape::Dashed(line, 4.0), TARGET).named("target");
        let targets = self.targets.iter().flat_map(|trace| stretches(trace, self.step_ms)).map(target);
        self.outputs.iter().enumerate().flat_map(output).chain(targets).collect()
    }

    /// The periods in which any output is scored.
    fn periods(&self) -> Vec<Mark> {
        let time = |step: usize| step as f64 * self.step_ms;
        let mark = |(from, to)| Mark::new(Shape::Span(time(from), time(to)), SCORED).named("scored period");
        self.scored().into_iter().map(mark).collect()
    }

    /// The periods (first step, step after the last) in which any output is scored.
    fn scored(&self) -> Vec<(usize, usize)> {
        let steps = self.targets.iter().map(Vec::len).max().unwrap_or(0);
        let is_scored = |step: &usize| self.targets.iter().any(|t| t.get(*step).is_some_and(|value| value.is_finite()));
        let scored: Vec<usize> = (0..steps).filter(is_scored).collect();
        scored.chunk_by(|a, b| a + 1 == *b).map(|run| (run[0], run[0] + run.len())).collect()
    }

    /// The time at which the longest trace ends.
    fn duration(&self) -> f64 {
        let traces = self.inputs.iter().chain(&self.outputs).chain(&self.targets);
        traces.map(Vec::len).max().unwrap_or(0) as f64 * self.step_ms
    }
}

/// The finite stretches of a trace as lines over time, without the inner points of level stretches.
fn stretches(trace: &[f32], step_ms: f64) -> impl Iterator<Item = Vec<Point>> {
    let points: Vec<Point> = trace.iter().enumerate().map(|(i, v)| (i as f64 * step_ms, f64::from(*v))).collect();
    let stretches: Vec<Vec<Point>> = finite(&points).map(without_level).collect();
    thin(&stretches, POINTS_PER_LINE).into_iter().filter(|line| !line.is_empty())
}

/// The line without the inner points of its level stretches.
fn without_level(line: &[Point]) -> Vec<Point> {
    let inner = |i: usize| i > 0 && i + 1 < line.len() && line[i - 1].1 == line[i].1 && line[i].1 == line[i + 1].1;
    (0..line.len()).filter(|i| !inner(*i)).map(|i| line[i]).collect()
}

impl SampleTrials {
    /// The figure, 1600 × 900 units.
    pub fn draw(&self) -> Canvas {
        let mut canvas = Canvas::new(900);
        let none = [SampleTrial::default()];
        let trials = if self.trials.is_empty() { &none } else { &self.trials[..self.trials.len().min(COLUMNS)] };
        let layout = Layout::new(trials, &self.input_names);
        let drawn = if self.in_plane { SampleTrial::path } else { SampleTrial::traces };
        let marks: Vec<Mark> = trials.iter().flat_map(drawn).collect();
        let shaded = !self.in_plane && !layout.raster;
        let periods: Vec<Mark> = trials.iter().filter(|_| shaded).flat_map(SampleTrial::periods).collect();
        head(&mut canvas, &self.title, (layout.left, 64.0), marks.iter().chain(&periods));
        if trials.len() < self.trials.len() {
            let note = format!("first {} of {} trials", trials.len(), self.trials.len());
            canvas.text(&note, (RIGHT, 112.0), Style { colour: Colour::Grey, ..Style::right(SMALL) });
        }
        let whole = Chart::new(Axis::linear((0.0, 1.0), (layout.left, RIGHT)), layout.y);
        let outputs = trials.iter().map(|trial| trial.outputs.len()).max().unwrap_or(0);
        let label = match (layout.raster, self.in_plane) {
            (true, _) => format!("{} of {outputs} {}s", outputs.min(RASTER.0), self.output_label),
            (_, true) => trials[0].output_names.get(1).cloned().unwrap_or_default(),
            _ => self.output_label.clone(),
        };
        let below = if self.in_plane { trials[0].output_names.first() } else { None };
        whole.names(&mut canvas, below.unwrap_or(&self.time_label), (&label, 48.0));
        layout.name_lanes(&mut canvas, &self.input_names);
        for (column, trial) in trials.iter().enumerate() {
            layout.draw_inputs(&mut canvas, column, trial);
            match self.in_plane {
                true => layout.draw_path(&mut canvas, column, trial),
                false => layout.draw_outputs(&mut canvas, column, trial),
            }
        }
        canvas
    }
}

/// The layout that all columns share.
struct Layout {
    /// Left end of the first column.
    left: f64,
    /// Width of a column.
    width: f64,
    /// The time at which columns end.
    end: f64,
    /// The axis of each input channel within the strip.
    lanes: Vec<Axis>,
    /// Output axis.
    y: Axis,
    /// Whether outputs are drawn as a raster.
    raster: bool,
}

impl Layout {
    fn new(trials: &[SampleTrial], names: &[String]) -> Self {
        let wide = names.iter().map(|name| measure(name, SMALL, false)).fold(0.0, f64::max);
        let left = (wide + 50.0).clamp(150.0, 260.0);
        let count = trials.len() as f64;
        let outputs = trials.iter().flat_map(|trial| trial.outputs.iter().chain(&trial.targets)).flatten();
        let (lo, hi) = extent(outputs.map(|v| f64::from(*v))).unwrap_or((-1.0, 1.0));
        let margin = if hi > lo { 0.06 * (hi - lo) } else { 0.5 };
        let inputs = trials.iter().flat_map(|trial| &trial.inputs).flatten();
        let (low, high) = extent(inputs.map(|v| f64::from(*v)).chain([0.0])).unwrap_or_default();
        let high = if high > low { high } else { low + 1.0 };
        let lanes = trials.iter().map(|trial| trial.inputs.len()).max().unwrap_or(0);
        let height = (STRIP.1 - STRIP.0) / lanes as f64;
        let lane = |lane: usize| {
            let bottom = STRIP.0 + (lane + 1) as f64 * height;
            Axis::linear((low, high), (bottom - 0.12 * height, bottom - 0.82 * height))
        };
        let end = trials.iter().map(SampleTrial::duration).filter(|t| t.is_finite()).fold(0.0, f64::max);
        Layout {
            left,
            width: (RIGHT - left - (count - 1.0) * GAP) / count,
            end: if end > 0.0 { end } else { 1.0 },
            lanes: (0..lanes).map(lane).collect(),
            y: Axis::linear((lo - margin, hi + margin), (PANEL.1, PANEL.0)),
            raster: trials.iter().any(|trial| trial.outputs.len() > MOST_LINES),
        }
    }

    fn name_lanes(&self, canvas: &mut Canvas, names: &[String]) {
        let style = Style { room: self.left - 34.0, ..Style::right(SMALL) };
        if self.lanes.len() > MOST_LINES || self.lanes.len() as f64 * SMALL > STRIP.1 - STRIP.0 {
            let middle = (STRIP.0 + STRIP.1) / 2.0;
            let lines = [format!("{} of {}", self.lanes.len().min(RASTER.0), self.lanes.len()), "inputs".into()];
            for (line, y) in lines.iter().zip([middle - 8.0, middle + 24.0]) {
                canvas.text(line, (self.left - 14.0, y), style);
            }
            return;
        }
        for (name, lane) in names.iter().zip(&self.lanes) {
            canvas.text(name, (self.left - 14.0, (lane.from + lane.to) / 2.0 + 0.36 * SMALL), style);
        }
    }

    /// The left and right end of a column.
    fn ends(&self, column: usize) -> Point {
        let left = self.left + column as f64 * (self.width + GAP);
        (left, left + self.width)
    }

    /// The chart of the outputs of a column.
    fn chart(&self, column: usize) -> Chart {
        // Tick labels barely reach beyond a column.
        let (left, right) = self.ends(column);
        let right = if self.raster { right - TARGETS - 24.0 } else { right };
        Chart { x: Axis::linear((0.0, self.end), (left, right)), y: self.y, overhang: 8.0 }
    }

    fn draw_inputs(&self, canvas: &mut Canvas, column: usize, trial: &SampleTrial) {
        let chart = self.chart(column);
        let (left, right) = self.ends(column);
        for (time, _) in &self.times(&chart) {
            let x = crisp(chart.x.at(*time));
            canvas.line(&[(x, STRIP.1), (x, STRIP.0)], 1.0, GRID);
        }
        if trial.inputs.len() > MOST_LINES {
            draw_raster(canvas, &trial.inputs, (0.0, trial.duration()), chart.x, (STRIP.1, STRIP.0));
        } else {
            let width = if self.lanes.len() > 4 { 1.5 } else { 2.5 };
            for (input, lane) in trial.inputs.iter().zip(&self.lanes) {
                let lane = Chart { y: *lane, ..chart };
                for line in stretches(input, trial.step_ms) {
                    lane.draw(canvas, &Mark::new(Shape::Line(line, width), Colour::Ink));
                }
            }
        }
        let style = Style { bold: true, room: right - left, ..Style::centred(LABEL) };
        canvas.text(&trial.title, (chart.centre().0, STRIP.0 - 22.0), style);
        canvas.line(&[(left, STRIP.1), (right, STRIP.1)], 1.5, Colour::Grey);
    }

    fn times(&self, chart: &Chart) -> Vec<(f64, String)> {
        chart.x.ticks(((self.width / 100.0) as usize).min(8))
    }

    fn draw_outputs(&self, canvas: &mut Canvas, column: usize, trial: &SampleTrial) {
        let chart = self.chart(column);
        if !self.raster {
            trial.periods().iter().for_each(|mark| chart.draw(canvas, mark));
        }
        let mut values = self.y.ticks(5);
        if column > 0 {
            values.iter_mut().for_each(|tick| tick.1.clear());
        }
        if self.raster {
            values.clear();
        }
        chart.grid(canvas, &self.times(&chart), &values);
        if self.raster {
            draw_raster(canvas, &trial.outputs, (0.0, trial.duration()), chart.x, (PANEL.1, PANEL.0));
            // Beside it the last targets.
            let last =
                |target: &Vec<f32>| vec![target.iter().copied().rfind(|value| value.is_finite()).unwrap_or(f32::NAN)];
            let targets: Vec<Vec<f32>> = trial.targets.iter().map(last).collect();
            let beside = Axis::linear((0.0, 1.0), (self.ends(column).1 - TARGETS, self.ends(column).1));
            draw_raster(canvas, &targets, (0.0, 1.0), beside, (PANEL.1, PANEL.0));
            canvas.text("target", ((beside.from + beside.to) / 2.0, PANEL.1 + 70.0), Style::centred(SMALL));
            return chart.axes(canvas);
        }
        trial.traces().iter().for_each(|mark| chart.draw(canvas, mark));
        chart.axes(canvas);
    }

    /// The path of an output in the plane, on axes with one unit.
    fn draw_path(&self, canvas: &mut Canvas, column: usize, trial: &SampleTrial) {
        let (left, right) = self.ends(column);
        // The range is that of all columns, and of both coordinates.
        let unit = ((right - left) / (self.y.hi - self.y.lo)).min((PANEL.1 - PANEL.0) / (self.y.hi - self.y.lo));
        let (middle, half) = ((left + right) / 2.0, unit * (self.y.hi - self.y.lo) / 2.0);
        let range = (self.y.lo, self.y.hi);
        let height = (PANEL.0 + PANEL.1) / 2.0;
        let x = Axis::linear(range, (middle - half, middle + half));
        let chart = Chart { x, y: Axis::linear(range, (height + half, height - half)), overhang: 8.0 };
        let (across, mut up) = (chart.x.ticks(4), chart.y.ticks(4));
        if column > 0 {
            up.iter_mut().for_each(|tick| tick.1.clear());
        }
        chart.grid(canvas, &across, &up);
        trial.path().iter().for_each(|mark| chart.draw(canvas, mark));
        chart.axes(canvas);
    }
}

/// Channels as rows of a raster, the first on top, between `bottom` and `top`: blue for the smallest value, orange for the
/// largest.
fn draw_raster(canvas: &mut Canvas, channels: &[Vec<f32>], x: Point, axis: Axis, (bottom, top): Point) {
    let rows = &channels[..channels.len().min(RASTER.0)];
    let every = rows.iter().map(Vec::len).max().unwrap_or(0).div_ceil(RASTER.1).max(1);
    let row = |row: &Vec<f32>| row.iter().step_by(every).map(|value| f64::from(*value)).collect();
    let values: Vec<Vec<f64>> = rows.iter().rev().map(row).collect();
    let range = extent(values.iter().flatten().copied()).unwrap_or((-1.0, 1.0));
    let heat = HeatMap { values, x, y: (0.0, 1.0), range, label: String::new() };
    draw_heat(canvas, &heat, axis, Axis::linear((0.0, 1.0), (bottom, top)));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_six_trials_are_drawn_with_their_labels() {
        let trial = SampleTrial {
            output_names: vec!["output".into()],
            title: "AB".into(),
            step_ms: 1.0,
            inputs: vec![vec![1.0, 1.0, 0.0, 0.0], vec![0.0; 4]],
            outputs: vec![vec![0.0, 0.1, 0.5, 0.9]],
            targets: vec![vec![f32::NAN, f32::NAN, 1.0, 1.0]],
        };
        let figure = SampleTrials {
            output_label: "output".into(),
            title: "Sample trials".into(),
            time_label: "time (ms)".into(),
            input_names: vec!["input A".into(), "input B".into()],
            in_plane: false,
            trials: vec![trial; 8],
        };
        let svg = figure.draw().svg();
        for text in ["Sample trials", "time (ms)", "input B", "AB", "first 6 of 8"] {
            assert!(svg.contains(text), "{text}");
        }
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
            SampleTrials { trials, ..SampleTrials::default() }.draw().png().expect("drawn");
        }
    }

    #[test]
    fn level_stretches_keep_their_ends() {
        let line = [(0.0, 1.0), (1.0, 1.0), (2.0, 1.0), (3.0, 0.0), (4.0, 0.0)];
        assert_eq!(without_level(&line), [(0.0, 1.0), (2.0, 1.0), (3.0, 0.0), (4.0, 0.0)]);
    }

    #[test]
    fn scored_periods() {
        let mut trial = SampleTrial { targets: vec![vec![f32::NAN, f32::NAN, 1.0, 1.0]], ..SampleTrial::default() };
        assert_eq!(trial.scored(), [(2, 4)]);
        trial.targets.push(vec![1.0]);
        assert_eq!(trial.scored(), [(0, 1), (2, 4)]);
    }
}
