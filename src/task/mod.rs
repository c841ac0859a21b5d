//! Tasks: what the network sees, what it should answer, and how the answer is scored.
//!
//! A task knows nothing of networks. Implement [`Task`] for your own; `examples/custom_task.rs` does so in a page.

mod bits;
mod coherences;
mod dnms;
mod dnms_networks;
mod evidence_accumulation;
mod file;
mod list;
mod pattern_generation;
mod reach;
mod recall;
mod selective_integration;
mod tensors;

pub use bits::{Bits, Lag};
pub use coherences::{Coherences, Condition};
pub use dnms::{Dnms, Variant};
pub use evidence_accumulation::EvidenceAccumulation;
pub use file::{FileTask, NAME as FILE};
pub use list::{all, find, TaskInfo, TASKS};
pub use pattern_generation::PatternGeneration;
pub use reach::Reach;
pub use recall::Recall;
pub use selective_integration::SelectiveIntegration;

use crate::random::Stream;
use anyhow::{ensure, Context, Result};
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
    /// The error of one output.
    pub fn of(self, output: f32, target: f32) -> f64 {
        let difference = f64::from(output) - f64::from(target);
        match self {
            ErrorMeasure::Absolute => difference.abs(),
            ErrorMeasure::Squared => difference * difference,
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
    fn judged<'a>(&self, outputs: &'a [f32]) -> Cow<'a, [f32]> {
        Cow::Borrowed(outputs)
    }
    /// The gradient of any number with respect to `outputs` `[T, n_out]`, from its `gradient` with respect to what
    /// [`Task::judged`] makes of them; `None`: not known, and backpropagation is refused. Not asked where outputs are
    /// judged as they are.
    fn judged_gradient(&self, _outputs: &[f32], _gradient: &[f64]) -> Option<Vec<f64>> {
        None
    }
    /// Whether the outputs of a step can be judged at that step. Else rules that are given credit step by step are refused.
    fn judged_online(&self) -> bool {
        true
    }
    /// The error of a whole trial, from outputs `[T, n_out]`: the mean over scored steps and outputs.
    fn error(&self, trial: &Trial, outputs: &[f32]) -> f64 {
        let outputs = self.judged(outputs);
        let n_out = self.n_out();
        let (mut sum, mut count) = (0.0, 0usize);
        for (step, _) in trial.scored.iter().enumerate().filter(|(_, scored)| **scored) {
            for k in step * n_out..(step + 1) * n_out {
                sum += self.measure().of(outputs[k], trial.targets[k]);
                count += 1;
            }
        }
        sum / count.max(1) as f64
    }
}

/// The most steps of a trial, and the most inputs, outputs and types of a task: they are counted in 32 bits.
pub const LARGEST: usize = u32::MAX as usize;

/// Builds the task of a configuration's `task` table.
///
/// # Errors
/// An unknown task, a parameter that is missing, unknown or out of range, or a size beyond [`LARGEST`].
pub fn build(table: &toml::Table) -> Result<Box<dyn Task>> {
    let task = find(name(table)?)?.build(table)?;
    let sizes =
        [("steps", task.steps()), ("inputs", task.n_in()), ("outputs", task.n_out()), ("types", task.n_types())];
    for (what, found) in sizes {
        ensure!(found <= LARGEST, "task `{}` has {found} {what} or more; expected at most {LARGEST}", task.name());
    }
    Ok(task)
}

/// Notes in a configuration's `task` table what only its task can find out: the full path of its file, and its contents' hash.
pub fn complete(table: &mut toml::Table) -> Result<()> {
    if name(table)? == FILE {
        file::complete(table)?;
    }
    Ok(())
}

fn name(table: &toml::Table) -> Result<&str> {
    table.get("name").and_then(|name| name.as_str()).context("task.name is missing")
}

/// Reads a task's own parameters from its table, leaving out `name`.
fn parameters<P: DeserializeOwned>(table: &toml::Table) -> Result<P> {
    let mut table = table.clone();
    let name = table.remove("name");
    table.try_into().map_err(|error: toml::de::Error| {
        anyhow::anyhow!(
            "parameters of task {}: {}",
            name.map_or(String::new(), |n| n.to_string()),
            error.message().trim()
        )
    })
}

/// A task's table: its name and its parameters.
fn table(name: &str, parameters: &impl serde::Serialize) -> toml::Table {
    // The parameters are flat structs of numbers and names: they always have a TOML form.
    let mut table = toml::Table::try_from(parameters).unwrap_or_default();
    table.insert("name".into(), name.into());
    table
}
