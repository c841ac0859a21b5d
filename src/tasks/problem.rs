//! The problem that networks learn: a task, whose trials are drawn as a whole, or an environment, in which episodes unfold.

use super::{Episodes, ErrorMeasure, Task, TrialShape};
use crate::error::Result;
use std::sync::Arc;

/// The problem that networks learn.
#[derive(Clone)]
pub enum Problem {
    /// The trials of a task.
    Trials(Arc<dyn Task>),
    /// Episodes in an environment.
    Episodes(Episodes),
}

impl<T: Task + 'static> From<T> for Problem {
    fn from(task: T) -> Self {
        Problem::Trials(Arc::new(task))
    }
}

impl From<Episodes> for Problem {
    fn from(episodes: Episodes) -> Self {
        Problem::Episodes(episodes)
    }
}

impl Problem {
    /// The task, if it is one whose trials are drawn.
    pub fn trials(&self) -> Option<&Arc<dyn Task>> {
        match self {
            Problem::Trials(task) => Some(task),
            Problem::Episodes(_) => None,
        }
    }

    /// The episodes, if it is an environment.
    pub fn episodes(&self) -> Option<&Episodes> {
        match self {
            Problem::Trials(_) => None,
            Problem::Episodes(episodes) => Some(episodes),
        }
    }

    /// The name used in configurations and on the command line.
    pub fn name(&self) -> &str {
        match self {
            Problem::Trials(task) => task.name(),
            Problem::Episodes(episodes) => episodes.environment.name(),
        }
    }

    /// Checks the parameters; called before anything runs.
    ///
    /// # Errors
    /// As [`Task::check`].
    pub fn check(&self) -> Result<()> {
        match self {
            Problem::Trials(task) => task.check(),
            Problem::Episodes(episodes) => episodes.check(),
        }
    }

    /// The sizes of a trial, or of the longest episode.
    pub fn shape(&self) -> TrialShape {
        match self {
            Problem::Trials(task) => {
                TrialShape { steps: task.steps(), n_in: task.n_in(), n_out: task.n_out(), measure: task.measure() }
            }
            Problem::Episodes(episodes) => episodes.shape(),
        }
    }

    /// T, the number of a network's steps in a trial or episode; if they differ in length, in the longest.
    pub fn steps(&self) -> usize {
        self.shape().steps
    }

    /// n_in, the number of inputs.
    pub fn n_in(&self) -> usize {
        self.shape().n_in
    }

    /// n_out, the number of outputs; a critic is one of them.
    pub fn n_out(&self) -> usize {
        self.shape().n_out
    }

    /// The names of the trial types or, in an environment, of its conditions.
    pub fn trial_types(&self) -> Vec<String> {
        match self {
            Problem::Trials(task) => task.trial_types(),
            Problem::Episodes(episodes) => episodes.environment.conditions(),
        }
    }

    /// The number of [`Problem::trial_types`].
    pub fn n_types(&self) -> usize {
        match self {
            Problem::Trials(task) => task.n_types(),
            Problem::Episodes(_) => self.trial_types().len(),
        }
    }

    /// How outputs are judged.
    pub fn measure(&self) -> ErrorMeasure {
        self.shape().measure
    }

    /// The mean return from which an environment counts as solved.
    pub fn solved(&self) -> Option<f64> {
        Some(self.episodes()?.environment.solved())
    }

    /// The error at chance level and how it arises, if known.
    pub fn chance(&self) -> Option<(f64, String)> {
        self.trials()?.chance()
    }
}
