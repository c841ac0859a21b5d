//! A trial among sample trials: its traces as lines over time.

use super::canvas::Point;
use super::chart::finite;
use super::colour::{Colour, COLOURS};
use super::mark::{Mark, Shape};
use super::stats::thin;

/// At most this many points to a line.
const POINTS_PER_LINE: usize = 800;
/// The period in which the output is scored, and the target.
const SCORED: Colour = Colour::Rgb(124, 140, 163);
const TARGET: Colour = Colour::Rgb(125, 125, 125);

/// One of the [`SampleTrials`](super::SampleTrials).
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

impl SampleTrial {
    /// Outputs and targets.
    pub(super) fn traces(&self) -> Vec<Mark> {
        let name = |k: usize| match self.outputs.len() {
            1 => "output".to_string(),
            _ if k < COLOURS.len() => format!("output {}", k + 1),
            _ => String::new(),
        };
        let output = |(k, trace): (usize, &Vec<f32>)| {
            let mark = move |line| Mark::new(Shape::Line(line, 3.5), Colour::Nth(k)).named(name(k));
            stretches(trace, self.step_ms).into_iter().map(mark).collect::<Vec<_>>()
        };
        let target = |line| Mark::new(Shape::Dashed(line, 4.0), TARGET).named("target");
        let targets = self.targets.iter().flat_map(|trace| stretches(trace, self.step_ms)).map(target);
        self.outputs.iter().enumerate().flat_map(output).chain(targets).collect()
    }

    /// The periods in which any output is scored.
    pub(super) fn periods(&self) -> Vec<Mark> {
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

    /// The time the longest trace ends at.
    pub(super) fn duration(&self) -> f64 {
        let traces = self.inputs.iter().chain(&self.outputs).chain(&self.targets);
        traces.map(Vec::len).max().unwrap_or(0) as f64 * self.step_ms
    }
}

/// The finite stretches of a trace as lines over time, without points that change nothing.
pub(super) fn stretches(trace: &[f32], step: f64) -> Vec<Vec<Point>> {
    let points: Vec<Point> = trace.iter().enumerate().map(|(i, v)| (i as f64 * step, f64::from(*v))).collect();
    let stretches: Vec<Vec<Point>> = finite(&points).map(without_level).collect();
    thin(&stretches, POINTS_PER_LINE).into_iter().filter(|line| !line.is_empty()).collect()
}

/// The line without the inner points of its level stretches.
fn without_level(line: &[Point]) -> Vec<Point> {
    let inner = |i: usize| i > 0 && i + 1 < line.len() && line[i - 1].1 == line[i].1 && line[i].1 == line[i + 1].1;
    (0..line.len()).filter(|i| !inner(*i)).map(|i| line[i]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn level_stretches_keep_their_ends() {
        let line = [(0.0, 1.0), (1.0, 1.0), (2.0, 1.0), (3.0, 0.0), (4.0, 0.0)];
        let kept = [(0.0, 1.0), (2.0, 1.0), (3.0, 0.0), (4.0, 0.0)];
        assert_eq!(without_level(&line), kept);
    }

    #[test]
    fn scored_periods() {
        let mut trial = SampleTrial { targets: vec![vec![f32::NAN, f32::NAN, 1.0, 1.0]], ..SampleTrial::default() };
        assert_eq!(trial.scored(), [(2, 4)]);
        trial.targets.push(vec![1.0]);
        assert_eq!(trial.scored(), [(0, 1), (2, 4)]);
    }
}
