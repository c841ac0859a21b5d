//! What a batch of trials starts from, and what it leaves behind.

use super::Eligibility;
use crate::model::{FastWeights, State, Weights};
use crate::presets::Setup;
use crate::rules::RewardBaseline;
use crate::tasks::TrialShape;
use candle_core::Tensor;
use std::collections::BTreeMap;

/// S networks as they are now, and what their trials are like.
pub struct Ensemble<'a> {
    /// What is run.
    pub setup: &'a Setup,
    /// The sizes of its trials.
    pub shape: TrialShape,
    /// The weights.
    pub weights: &'a Weights,
    /// What each network expects.
    pub baseline: &'a RewardBaseline,
    /// The fast weights at the start; `None`: zero.
    pub fast_weights: Option<FastWeights>,
}

/// What a run should keep beside the outputs.
#[derive(Clone, Copy, Debug, Default)]
pub struct Record {
    /// The fast weights after the last step; persistent ones are kept without asking.
    pub fast_weights: bool,
    /// Rates of every step.
    pub rates: bool,
    /// Activations of every step.
    pub activations: bool,
}

/// Gradients by the name of their weight, each `[S, …]`.
pub type Gradients = BTreeMap<&'static str, Tensor>;

/// What a batch of trials left behind.
pub struct Episode {
    /// `[S, B, T, n_out]`.
    pub outputs: Tensor,
    /// The state after the last step.
    pub state: State,
    /// The fast weights after the last step.
    pub fast_weights: Option<FastWeights>,
    /// Where a rule of `w_rec` has one.
    pub eligibility: Option<Eligibility>,
    /// Where weights learn by the gradient: that of each network's mean loss over its trials.
    pub gradients: Option<Gradients>,
    /// Summed changes of `w_out` `[S, n_out, N]` and `b_out` `[S, n_out]`, before the learning rate, where they learn.
    pub readout_change: Option<(Tensor, Tensor)>,
    /// `[S, B, T, N]`, where asked for.
    pub rates: Option<Tensor>,
    /// `[S, B, T, N]`, where asked for.
    pub activations: Option<Tensor>,
}
