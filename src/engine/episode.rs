//! The networks that run a batch of trials, and their results.

use super::{Eligibility, TrialBatch};
use crate::config::Config;
use crate::model::{FastWeights, State, Weights};
use crate::rules::{Advantages, RewardBaseline};
use crate::setup::Setup;
use crate::tasks::{EpisodeSettings, Trajectory, TrialShape};
use candle_core::Tensor;
use std::collections::BTreeMap;

/// S networks in their current state, and the sizes of their trials.
pub struct Ensemble<'a> {
    /// The configuration, task, rule and neuron model.
    pub setup: &'a Setup,
    /// T, n_in, n_out and the error measure of a trial.
    pub shape: TrialShape,
    /// The weights.
    pub weights: &'a Weights,
    /// The expected error of each network and trial type.
    pub baseline: &'a RewardBaseline,
    /// The number of each network's earlier trials.
    pub trials: u64,
    /// The fast weights at the start of the trials; `None` if zero.
    pub fast_weights: Option<FastWeights>,
}

impl Ensemble<'_> {
    /// Ē for the type of each trial in a batch, `[S, B]`.
    pub(super) fn expected_errors(&self, batch: &TrialBatch) -> Vec<f32> {
        let expected = |(i, trial_type)| self.baseline.expectation(i / batch.trials_each, trial_type) as f32;
        batch.types().into_iter().enumerate().map(expected).collect()
    }

    /// The advantages of the steps of a network's episodes.
    pub(super) fn advantages(&self, settings: &EpisodeSettings, network: usize, episodes: &[Trajectory]) -> Advantages {
        self.baseline.advantages(settings, network, episodes, self.trials)
    }
}

/// Which results of a batch are recorded in addition to the outputs.
#[derive(Clone, Copy, Debug, Default)]
pub struct Record {
    /// The fast weights after the last step; persistent ones are always kept.
    pub fast_weights: bool,
    /// Firing rates r at every step.
    pub rates: bool,
    /// Activations x at every step.
    pub activations: bool,
    /// The observations and actions of episodes.
    pub episodes: bool,
}

impl Record {
    /// Whether the fast weights after the last step are kept.
    pub(super) fn keeps_fast_weights(&self, config: &Config) -> bool {
        self.fast_weights || config.fast_weights.persistent
    }
}

/// Gradients by the name of the weight, each `[S, …]`.
pub type Gradients = BTreeMap<&'static str, Tensor>;

/// The results of a batch of trials.
#[non_exhaustive]
pub struct Episode {
    /// The outputs, `[S, B, T, n_out]`; of episodes, the last ones: T = 1.
    pub outputs: Tensor,
    /// The state after the last step.
    pub state: State,
    /// The fast weights after the last step.
    pub fast_weights: Option<FastWeights>,
    /// The eligibility of each recurrent weight, if the rule of `w_rec` has one.
    pub eligibility: Option<Eligibility>,
    /// The gradients of each network's mean loss over its trials, if any weights learn from them.
    pub gradients: Option<Gradients>,
    /// Summed changes of `w_out` `[S, n_out, N]` and `b_out` `[S, n_out]`, not yet scaled by the
    /// learning rate, if they learn.
    pub readout_change: Option<(Tensor, Tensor)>,
    /// Firing rates `[S, B, T, N]`, if recorded.
    pub rates: Option<Tensor>,
    /// Activations `[S, B, T, N]`, if recorded.
    pub activations: Option<Tensor>,
    /// The episodes, `[S, B]`, in an environment.
    pub trajectories: Option<Vec<Trajectory>>,
    /// The sums from which weight changes are computed, if anything learns.
    pub credit: Option<EpisodeCredit>,
}

/// The eligibilities of episodes times the advantages of their steps, summed over steps and episodes.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct EpisodeCredit {
    /// For w_rec, `[S, N, N]`, if it learns.
    pub recurrent: Option<Tensor>,
    /// For w_out `[S, n_out, N]` and b_out `[S, n_out]`, if they learn or there is a critic, the last of the outputs.
    pub readout: Option<(Tensor, Tensor)>,
    /// The factors that turn the sums of a critic into means over steps, without the division by the size of the
    /// advantages, `[S]`.
    pub critic_scale: Vec<f64>,
}

impl Episode {
    /// Results without anything to learn from.
    pub(super) fn new(outputs: Tensor, state: State) -> Self {
        Episode {
            outputs,
            state,
            fast_weights: None,
            eligibility: None,
            gradients: None,
            readout_change: None,
            rates: None,
            activations: None,
            trajectories: None,
            credit: None,
        }
    }
}
