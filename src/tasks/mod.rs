//! Tasks: what the network sees, what it should answer, and how the answer is scored.
//!
//! A task knows nothing of networks. Implement [`Task`] for your own; `examples/custom_task.rs` does so in a page.

pub(crate) mod bits;
mod coherences;
pub(crate) mod dnms;
mod evidence_accumulation;
pub(crate) mod file;
mod pattern_generation;
mod reach;
mod recall;
mod selective_integration;

pub use coherences::{Coherences, Condition};
pub use dnms::Variant;
pub use evidence_accumulation::EvidenceAccumulation;
pub use file::FileTask;
pub use pattern_generation::PatternGeneration;
pub use reach::Reach;
pub use recall::Recall;
pub use selective_integration::SelectiveIntegration;

use crate::error::{Error, Result};
use crate::random::Stream;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use std::borrow::Cow;

/// One trial: what goes in, what should come out, and when that is judged.
#[derive(Clone, Debug, PartialEq)]
pub struct Trial {
    /// Index into [`Task::trial_types`].
    pub trial_type: usize,
    /// `[T, n_in]`, step-major.
    pub inputs: Vec<f32>,
    /// `[T, n_out]`, step-major; what stands on unscored steps is not read.
    pub targets: Vec<f32>,
    /// `[T]`: whether the output is judged at each step.
    pub scored: Vec<bool>,
    /// `[T]`: the neuromodulator m(t) that drives the Hebbian trace, where the task gives one.
    pub modulator: Option<Vec<f32>>,
}

/// How one output differs from one target.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ErrorMeasure {
    /// |output − target|.
    Absolute,
    /// (output − target)².
    Squared,
}

impl ErrorMeasure {
    /// The error of one output that is off its target by `difference`.
    pub fn of(self, difference: f64) -> f64 {
        match self {
            ErrorMeasure::Absolute => difference.abs(),
            ErrorMeasure::Squared => difference * difference,
        }
    }

    /// The derivative of that with respect to the output; 0 where an absolute difference is 0.
    pub fn slope(self, difference: f64) -> f64 {
        match self {
            ErrorMeasure::Absolute if difference == 0.0 => 0.0,
            // Not a number stays none.
            ErrorMeasure::Absolute => difference.signum(),
            ErrorMeasure::Squared => 2.0 * difference,
        }
    }

    /// The label of an axis.
    pub fn label(self) -> &'static str {
        match self {
            ErrorMeasure::Absolute => "mean |output − target|",
            ErrorMeasure::Squared => "mean (output − target)²",
        }
    }
}

/// A task. All trials of a task have the same number of steps, so that they can run side by side.
pub trait Task: Send + Sync {
    /// The name used on the command line.
    fn name(&self) -> &str;
    /// T, the steps of a trial.
    fn steps(&self) -> usize;
    /// Names of the input channels; their number is n_in.
    fn inputs(&self) -> Vec<String>;
    /// n_in, the number of [`Task::inputs`].
    fn n_in(&self) -> usize {
        self.inputs().len()
    }
    /// n_out.
    fn n_out(&self) -> usize;
    /// Names of the trial types; the expected error is kept for each.
    fn trial_types(&self) -> Vec<String>;
    /// The number of [`Task::trial_types`].
    fn n_types(&self) -> usize {
        self.trial_types().len()
    }
    /// Draws trial number `index` of a network.
    fn trial(&self, index: u64, rng: &mut Stream) -> Trial;
    /// How outputs are judged.
    fn measure(&self) -> ErrorMeasure;
    /// A trial with an error below this is correct.
    fn correct_below(&self) -> f64;
    /// The error of guessing, with a word on why, where that is known.
    fn chance(&self) -> Option<(f64, String)> {
        None
    }
    /// Whether a printed sample of inputs, targets and outputs helps (short trials of few channels).
    fn printable(&self) -> bool {
        false
    }
    /// What is compared with the targets, `[T, n_out]`, where that is not the `outputs` `[T, n_out]` themselves but what
    /// comes of them, such as the movement of an arm.
    fn judged<'a>(&self, outputs: &'a [f64]) -> Cow<'a, [f64]> {
        Cow::Borrowed(outputs)
    }
    /// The gradient of any number with respect to `outputs` `[T, n_out]`, from its `gradient` with respect to what
    /// [`Task::judged`] makes of them; `None`: not known, and backpropagation is refused. Not asked where outputs are
    /// judged as they are.
    fn judged_gradient(&self, _outputs: &[f64], _gradient: &[f64]) -> Option<Vec<f64>> {
        None
    }
    /// Whether the outputs of a step can be judged at that step. Else rules that are given credit step by step are refused.
    fn judged_online(&self) -> bool {
        true
    }
    /// The error of a whole trial, from outputs `[T, n_out]`: the mean over scored steps and outputs.
    fn error(&self, trial: &Trial, outputs: &[f64]) -> f64 {
        mean_over_scored(self, trial, &self.judged(outputs), |difference, _| self.measure().of(difference))
    }
}

/// The mean over scored steps and outputs of what `of` makes of the difference from the target, told the place in `[T, n_out]`.
pub(crate) fn mean_over_scored<T: Task + ?Sized>(
    task: &T,
    trial: &Trial,
    judged: &[f64],
    mut of: impl FnMut(f64, usize) -> f64,
) -> f64 {
    let n_out = task.n_out();
    let (mut sum, mut count) = (0.0, 0usize);
    for (step, _) in trial.scored.iter().enumerate().filter(|(_, scored)| **scored) {
        for k in step * n_out..(step + 1) * n_out {
            sum += of(judged[k] - f64::from(trial.targets[k]), k);
            count += 1;
        }
    }
    sum / count.max(1) as f64
}

/// Whether a task says how what it judges depends on the outputs, so that errors can be backpropagated.
pub(crate) fn gives_gradient(task: &dyn Task) -> bool {
    let outputs = vec![0.0; task.steps() * task.n_out()];
    let as_they_are = matches!(task.judged(&outputs), Cow::Borrowed(_));
    as_they_are || task.judged_gradient(&outputs, &vec![0.0; outputs.len()]).is_some()
}

/// The sizes of a trial, and how its outputs are judged.
#[derive(Clone, Copy, Debug)]
pub struct TrialShape {
    /// T.
    pub steps: usize,
    /// Number of inputs.
    pub n_in: usize,
    /// Number of outputs.
    pub n_out: usize,
    /// How outputs are compared with targets.
    pub measure: ErrorMeasure,
}

impl TrialShape {
    /// That of the trials of a task.
    pub fn of(task: &dyn Task) -> Self {
        TrialShape { steps: task.steps(), n_in: task.n_in(), n_out: task.n_out(), measure: task.measure() }
    }
}

/// Reads a task's own parameters from its table, leaving out `name`.
pub(crate) fn parameters<P: DeserializeOwned>(table: &toml::Table) -> Result<P> {
    let mut table = table.clone();
    let name = table.remove("name").map_or(String::new(), |name| name.to_string());
    table.try_into().map_err(|error: toml::de::Error| {
        Error::Usage(format!("parameters of task {name}: {}", error.message().trim()))
    })
}

/// A task's table: its name and its parameters.
pub(crate) fn table(name: &str, parameters: &impl Serialize) -> toml::Table {
    // The parameters are flat structs of numbers and names: they always have a TOML form.
    let mut table = toml::Table::try_from(parameters).unwrap_or_default();
    table.insert("name".into(), name.into());
    table
}
