//! What is told of a training as it goes, and why it ends.

use super::{Frozen, Trainer};
use crate::config::TrainConfig;
use crate::error::Result;
use serde::{Deserialize, Serialize};

/// What one update did to one network; a row of `metrics.csv`.
///
/// Times are left out on purpose: what a resumed run reports equals what an uninterrupted one does.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct NetworkReport {
    /// Updates made so far.
    pub update: u64,
    /// Trials of the network so far.
    pub trials: u64,
    /// The network's index.
    pub network: u64,
    /// Mean error of the batch.
    pub error: f64,
    /// Fraction of the batch that was correct.
    pub fraction_correct: f64,
    /// Fraction correct of the last 100 trials.
    pub recent_correct: f64,
    /// Mean |Δw_rec|.
    pub mean_abs_dw: f64,
    /// Fraction of Δw_rec at its bound.
    pub fraction_clipped: f64,
    /// Trials to criterion, once reached.
    pub criterion_trials: Option<u64>,
    /// Fraction of the free neurons whose rate is beyond 0.99 of a limit at the end of every trial of the batch.
    #[serde(default)]
    pub saturated: Option<f64>,
    /// Fraction of the free neurons whose rate is 0 (for tanh below 0.001) at the end of every trial of the batch.
    #[serde(default)]
    pub dead: Option<f64>,
    /// The update in which the network diverged; empty: it did not. From then on its errors are those of what it was
    /// before, and it learns no more.
    #[serde(default)]
    pub frozen: Option<u64>,
}

/// What one update did.
#[derive(Clone, Debug, PartialEq)]
pub struct UpdateReport {
    /// Updates made so far.
    pub update: u64,
    /// Trials of each network so far.
    pub trials: u64,
    /// For each network.
    pub networks: Vec<NetworkReport>,
}

/// Is told about the training as it goes; keeps files, draws bars.
pub trait Observer {
    /// After each update.
    ///
    /// # Errors
    /// Where training should end with this error.
    fn update(&mut self, trainer: &Trainer, report: &UpdateReport) -> Result<()>;
    /// Once, when the loop ends.
    ///
    /// # Errors
    /// Where that should be the training's error.
    fn finish(&mut self, _trainer: &Trainer) -> Result<()> {
        Ok(())
    }
}

/// Why training stops after `updates` updates, with each network's trials to criterion and whether it is frozen; `None`: it
/// goes on. A frozen network is not waited for.
pub(super) fn finished(
    train: &TrainConfig,
    updates: u64,
    criterion_trials: &[Option<u64>],
    frozen: &[Option<Frozen>],
) -> Option<StopReason> {
    let settled = |(reached, frozen): (&Option<u64>, &Option<Frozen>)| reached.is_some() || frozen.is_some();
    if frozen.iter().all(Option::is_some) {
        Some(StopReason::Frozen)
    } else if train.until_criterion && criterion_trials.iter().zip(frozen).all(settled) {
        Some(StopReason::Criterion)
    } else if updates >= train.max_updates() {
        Some(StopReason::Limit)
    } else {
        None
    }
}

/// Why the loop ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StopReason {
    /// The number of updates or trials is reached.
    Limit,
    /// Every network that is not frozen has reached the criterion.
    Criterion,
    /// Every network has diverged.
    Frozen,
    /// Somebody asked.
    Interrupted,
}
