//! Tasks: what a network sees, what it should answer, and how the answer is scored.
//!
//! A task knows nothing about networks. A task of your own can stay in your program: implement [`Task`] and hand it
//! to a trainer, as `examples/custom_task.rs` does. To give it a name that the command line knows:
//!
//! 1. Write `src/tasks/NAME.rs`, modelled on `dnms.rs`: a struct of the task's parameters, which become the keys of the
//!    table `task`; its `Default`, the published values; and its [`Task`], with a [`Task::check`] of the parameters.
//!    Declare the file and its struct below.
//! 2. Add a function to `src/presets/settings.rs` that sets what the task needs: `config.task`, its parameters, and
//!    everything that differs from the standard network and rule.
//! 3. Add an entry to `TASKS` in `src/presets/tasks.rs` with the task's name, a one-line description, the papers
//!    it rests on, its usual learning rule, the learning rate of each rule that was tried, and the function and struct
//!    above.
//! 4. Give the task small sizes in `tests/it/tasks.rs`, which trains each listed task with each rule.

mod acting;
pub(crate) mod bits;
mod dnms;
mod episodes;
mod evidence_accumulation;
pub(crate) mod file;
mod pattern_generation;
mod problem;
mod reach;
mod recall;
mod selective_integration;
mod trajectory;
mod yang19;

pub use acting::Acting;
pub(crate) use acting::Actor;
pub use bits::Bits;
pub use dnms::Dnms;
pub use episodes::{EpisodeSettings, Episodes};
pub use evidence_accumulation::EvidenceAccumulation;
pub use file::FileTask;
pub use pattern_generation::PatternGeneration;
pub use problem::Problem;
pub use reach::Reach;
pub use recall::Recall;
pub use selective_integration::{Coherences, Condition, SelectiveIntegration};
pub use trajectory::Trajectory;
pub use yang19::Yang19;

// Every task's file begins with `use super::*`, which brings these in.
use crate::error::{Error, Result};
use crate::keys::check_ranges;
use crate::random::{gaussian, stream, Phase, Purpose, Stream};
use crate::ranges::*;
use crate::text::in_plain_types;
use documented::DocumentedFields;
use rand::RngExt;
use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::sync::Arc;

/// One trial: its inputs, its targets, and the steps at which the outputs are scored.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Trial {
    /// Index into [`Task::trial_types`].
    pub trial_type: usize,
    /// `[T, n_in]`, step by step.
    pub inputs: Vec<f32>,
    /// `[T, n_out]`, step by step; targets of steps that are not scored are ignored.
    pub targets: Vec<f32>,
    /// `[T]`: whether the outputs are scored at each step.
    pub scored: Vec<bool>,
    /// `[T]`: the modulator m(t) of the fast weights, where the task provides one.
    pub modulator: Option<Vec<f32>>,
    /// One value for each of [`Task::labels`].
    pub labels: Vec<f32>,
}

/// A known property of each trial, for analyses: networks do not see it, and it plays no part in learning.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Label {
    /// Its name.
    pub name: String,
    /// Whether its values are graded, such as the strength of evidence, so that answers can be plotted against them.
    /// Otherwise they are classes, which can be decoded.
    pub graded: bool,
}

impl Label {
    /// Classes that can be decoded.
    pub fn classes(name: &str) -> Self {
        Label { name: name.into(), graded: false }
    }

    /// Graded values, against which answers can be plotted.
    pub fn graded(name: &str) -> Self {
        Label { name: name.into(), graded: true }
    }
}

impl Trial {
    /// A trial with a constant `target` `[n_out]`, scored in the last `response_steps` of its `steps`.
    pub fn with_response(
        trial_type: usize,
        inputs: Vec<f32>,
        target: &[f32],
        steps: usize,
        response_steps: usize,
    ) -> Self {
        Trial {
            trial_type,
            inputs,
            targets: target.repeat(steps),
            scored: (0..steps).map(|step| steps - step <= response_steps).collect(),
            ..Trial::default()
        }
    }

    /// The trial with a value for each of [`Task::labels`].
    pub fn labelled(self, labels: impl Into<Vec<f32>>) -> Self {
        Trial { labels: labels.into(), ..self }
    }
}

/// How an output is compared with its target.
#[derive(Clone, Copy, Debug, PartialEq, Eq, JsonSchema, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum ErrorMeasure {
    /// |output − target|.
    Absolute,
    /// (output − target)².
    Squared,
    /// Not at all: an episode in an environment is judged by its return.
    Return,
}

impl ErrorMeasure {
    /// The error of an output, given its `difference` from the target.
    pub fn of(self, difference: f64) -> f64 {
        match self {
            ErrorMeasure::Absolute => difference.abs(),
            ErrorMeasure::Squared => difference * difference,
            ErrorMeasure::Return => 0.0,
        }
    }

    /// The derivative of the error with respect to the output; 0 where an absolute difference is 0.
    pub fn slope(self, difference: f64) -> f64 {
        match self {
            ErrorMeasure::Absolute if difference == 0.0 => 0.0,
            // NaN stays NaN.
            ErrorMeasure::Absolute => difference.signum(),
            ErrorMeasure::Squared => 2.0 * difference,
            ErrorMeasure::Return => 0.0,
        }
    }

    /// The name of the measured quantity.
    pub fn word(self) -> &'static str {
        match self {
            ErrorMeasure::Absolute | ErrorMeasure::Squared => "error",
            ErrorMeasure::Return => "return",
        }
    }

    /// The error's name on the axis of a plot.
    pub fn label(self) -> &'static str {
        match self {
            ErrorMeasure::Absolute => "mean |output − target|",
            ErrorMeasure::Squared => "mean (output − target)²",
            ErrorMeasure::Return => "mean return",
        }
    }
}

/// Consecutive trials of a network.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct TrialNumbers {
    /// The seed of all random streams.
    pub seed: u64,
    /// The network.
    pub network: u64,
    /// Their purpose.
    pub phase: Phase,
    /// The number of the first.
    pub first: u64,
    /// How many there are.
    pub count: usize,
}

impl TrialNumbers {
    /// The random stream of the first.
    pub fn stream(&self) -> Stream {
        stream(self.seed, self.network, self.first, self.phase, Purpose::Task)
    }
}

/// A task. Its trials have the same number of steps, so that they can be simulated side by side, or at most that many
/// ([`Task::lengths_vary`]).
pub trait Task: Send + Sync {
    /// The name used in configurations and on the command line.
    fn name(&self) -> &str;
    /// Checks the task's parameters; called before anything runs.
    ///
    /// # Errors
    /// [`Error::Setting`] or [`Error::Usage`] if a parameter is out of range.
    fn check(&self) -> Result<()> {
        Ok(())
    }
    /// T, the number of steps of a trial, or of the longest.
    fn steps(&self) -> usize;
    /// Whether trials can be shorter than [`Task::steps`]: each ends where its lists end.
    fn lengths_vary(&self) -> bool {
        false
    }
    /// The names of the n_in input channels.
    fn inputs(&self) -> Vec<String>;
    /// n_in. Override it where parameters decide it: it must be cheap for any number.
    fn n_in(&self) -> usize {
        self.inputs().len()
    }
    /// n_out, the number of outputs.
    fn n_out(&self) -> usize {
        1
    }
    /// The names of the n_out judged values, for pictures.
    fn outputs(&self) -> Vec<String> {
        numbered("output", self.n_out())
    }
    /// Whether the judged values are a position in the plane, x and y, whose trajectory is drawn.
    fn in_plane(&self) -> bool {
        false
    }
    /// The known properties of each trial besides its type.
    fn labels(&self) -> Vec<Label> {
        Vec::new()
    }
    /// The names of the trial types. The expected error is kept for each type.
    fn trial_types(&self) -> Vec<String>;
    /// The number of trial types. Override it where parameters decide it: it must be cheap for any number.
    fn n_types(&self) -> usize {
        self.trial_types().len()
    }
    /// Draws a network's trial number `index` from a random stream of its own.
    fn trial(&self, index: u64, rng: &mut Stream) -> Trial;
    /// Draws consecutive trials at once, for tasks that are faster this way; `None`: each is drawn by
    /// [`Task::trial`].
    fn trials(&self, _numbers: TrialNumbers) -> Option<Result<Vec<Trial>>> {
        None
    }
    /// For a task that draws from ready-made trials: how many there are, and a task that gives each of them once,
    /// starting with the first as trial 0. `None`: trials are made as they are drawn.
    fn each_once(&self) -> Option<(usize, Arc<dyn Task>)> {
        None
    }
    /// How outputs are compared with targets.
    fn measure(&self) -> ErrorMeasure {
        ErrorMeasure::Absolute
    }
    /// A trial with an error below this is correct.
    fn correct_below(&self) -> f64;
    /// The error at chance level and how it arises, if known.
    fn chance(&self) -> Option<(f64, String)> {
        None
    }
    /// Whether trials are short and narrow enough for a sample of them to be printed after training.
    fn printable(&self) -> bool {
        false
    }
    /// The values compared with the targets, `[T, n_out]`: the `outputs` `[T, n_out]` themselves, or something
    /// derived from them, such as the movement of an arm. T can be less than [`Task::steps`].
    fn judged<'a>(&self, outputs: &'a [f64]) -> Cow<'a, [f64]> {
        Cow::Borrowed(outputs)
    }
    /// The gradient of a loss with respect to `outputs` `[T, n_out]`, from its `gradient` with respect to what
    /// [`Task::judged`] returns. `None`: it is not known, and the rule `bptt` refuses the task. Not called where
    /// [`Task::judged`] returns the outputs themselves.
    fn judged_gradient(&self, _outputs: &[f64], _gradient: &[f64]) -> Option<Vec<f64>> {
        None
    }
    /// Whether outputs can be judged step by step. If not, rules that assign credit at each step refuse the task.
    fn judged_online(&self) -> bool {
        true
    }
    /// The error of a whole trial, from outputs `[T, n_out]`: the mean over scored steps and outputs.
    fn error(&self, trial: &Trial, outputs: &[f64]) -> f64 {
        mean_over_scored(self, trial, &self.judged(outputs), |difference, _| self.measure().of(difference))
    }
}

/// "NAME", or "NAME 1", "NAME 2" and so on if there are several.
pub(crate) fn numbered(name: &str, count: usize) -> Vec<String> {
    match count {
        1 => vec![name.to_string()],
        _ => (1..=count).map(|k| format!("{name} {k}")).collect(),
    }
}

/// The error of an answer made without knowledge of the trial, if each trial has one of two equally frequent targets:
/// half their distance, for any answer between them.
pub(crate) fn blind_guess(targets: [f64; 2]) -> Option<(f64, String)> {
    Some(((targets[1] - targets[0]).abs() / 2.0, "any constant answer between the two targets".into()))
}

/// The mean of `term` over scored steps and outputs. `term` is given an output's difference from the target, and the
/// output's index in `[T, n_out]`.
pub(crate) fn mean_over_scored<T: Task + ?Sized>(
    task: &T,
    trial: &Trial,
    judged: &[f64],
    mut term: impl FnMut(f64, usize) -> f64,
) -> f64 {
    let n_out = task.n_out();
    let (mut sum, mut count) = (0.0, 0usize);
    for (step, _) in trial.scored.iter().enumerate().filter(|(_, scored)| **scored) {
        for k in step * n_out..(step + 1) * n_out {
            sum += term(judged[k] - f64::from(trial.targets[k]), k);
            count += 1;
        }
    }
    sum / count.max(1) as f64
}

/// Whether errors can be backpropagated to the task's outputs.
pub(crate) fn gives_gradient(task: &dyn Task) -> bool {
    // One step is enough; a whole trial might not fit into memory.
    let outputs = vec![0.0; task.n_out()];
    let unchanged = matches!(task.judged(&outputs), Cow::Borrowed(_));
    unchanged || task.judged_gradient(&outputs, &vec![0.0; outputs.len()]).is_some()
}

/// The sizes of a task's trials, and how outputs are compared with targets.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TrialShape {
    /// T, the number of steps.
    pub steps: usize,
    /// The number of inputs.
    pub n_in: usize,
    /// The number of outputs.
    pub n_out: usize,
    /// How outputs are compared with targets.
    pub measure: ErrorMeasure,
}

/// The parameters of a task, read from a configuration's `task` table.
pub(crate) fn parameters<P: DeserializeOwned>(table: &toml::Table) -> Result<P> {
    let mut table = table.clone();
    let name = table.remove("name").map_or(String::new(), |name| name.to_string());
    table.try_into().map_err(|error: toml::de::Error| {
        Error::Usage(format!("parameters of task {name}: {}", in_plain_types(error.message())))
    })
}

/// Refuses a number of steps outside 1 to `limit`, the value of `limit_key`.
fn within(key: &str, found: usize, limit_key: &str, limit: usize) -> Result<()> {
    expect((1..=limit).contains(&found), key, found, format!("1 to {limit_key} ({limit})"))
}

/// A network's trial number `index`.
#[cfg(test)]
fn draw(task: &dyn Task, index: u64) -> Trial {
    task.trial(index, &mut stream(0, 0, index, Phase::Train, Purpose::Task))
}
