//! Reports on training in progress, and why training ends.

use super::{Frozen, StopReason};
use crate::config::TrainConfig;
use documented::DocumentedFields;
use serde::{Deserialize, Serialize};

/// The effect of one update on one network: a row of `metrics.csv`.
///
/// It contains no times, so a resumed run reports exactly what an uninterrupted one does.
#[derive(Clone, Debug, PartialEq, DocumentedFields, Serialize, Deserialize)]
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
    /// Fraction correct among the last 100 trials.
    pub recent_correct: f64,
    /// Mean |Δw_rec|.
    pub mean_abs_dw: f64,
    /// Fraction of Δw_rec at its bound; for a gradient, 1 if it was clipped, otherwise 0.
    pub fraction_clipped: f64,
    /// Trials to criterion; empty until the criterion is reached.
    pub criterion_trials: Option<u64>,
    /// Fraction of the free neurons whose rate is beyond 0.99 of a limit at the end of every trial of the batch.
    #[serde(default)]
    pub saturated: Option<f64>,
    /// Fraction of the free neurons whose rate is 0 (for tanh below 0.001) at the end of every trial of the batch.
    #[serde(default)]
    pub dead: Option<f64>,
    /// The update in which the network diverged, if it did. Since then it has kept its state before that update. (`frozen` in files
    /// of earlier versions.)
    #[serde(default, alias = "frozen")]
    pub diverged_at: Option<u64>,
    /// The stage of the curriculum, counted from 1; empty if there is no curriculum.
    #[serde(default)]
    pub stage: Option<u64>,
    /// The mean return of the batch, in an environment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mean_return: Option<f64>,
    /// The total number of environment steps in the batch's episodes, in an environment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub world_steps: Option<u64>,
}

impl NetworkReport {
    /// The quantity in a learning curve: the error or, in an environment, the return.
    pub fn measured(&self) -> f64 {
        self.mean_return.unwrap_or(self.error)
    }
}

/// The effect of one update on all networks.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct UpdateReport {
    /// Updates made so far.
    pub update: u64,
    /// Trials of each network so far.
    pub trials: u64,
    /// One report per network, in order.
    pub networks: Vec<NetworkReport>,
}

impl UpdateReport {
    /// The mean of a value over the networks that still learn; `None` if all are frozen.
    pub fn mean(&self, value: fn(&NetworkReport) -> f64) -> Option<f64> {
        let learning: Vec<f64> = self.networks.iter().filter(|row| row.diverged_at.is_none()).map(value).collect();
        (!learning.is_empty()).then(|| learning.iter().sum::<f64>() / learning.len() as f64)
    }
}

/// Why training stops after `updates` updates, given each network's trials to criterion and whether it is frozen;
/// `None` if training continues. Frozen networks need not reach the criterion.
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
