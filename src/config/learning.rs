//! How networks learn: perturbation, the rule, the readout's rule, and the neuromodulator.

use serde::{Deserialize, Serialize};

/// Exploratory perturbation: ξ ~ U(−amplitude, amplitude), rare, independent for each neuron.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PerturbationConfig {
    /// Probability for each neuron and step.
    pub probability: f64,
    /// Bound of the uniform draw; enters the drive, so leaky dynamics scale it by dt/τ.
    pub amplitude: f64,
    /// The first step that may be perturbed.
    pub start_step: usize,
}

/// How `w_rec` learns: what all rules have in common, and the keys of the one that is named.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RuleConfig {
    /// The rule's name: see [`crate::RULES`].
    pub name: String,
    /// η, the learning rate of the summed update of a batch.
    pub eta: f64,
    /// Largest change of a weight in an update of one trial; 0: no bound.
    pub max_dw: f64,
    /// The bound of a batch of B trials is max_dw · max(1, clip_growth · √B).
    pub clip_growth: f64,
    /// The parameters of this rule alone, each a key of the same table.
    #[serde(flatten)]
    pub own: toml::Table,
    /// The first step whose activity enters the eligibility.
    pub start_step: usize,
}

/// How the readout learns.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ReadoutRule {
    /// It stays as drawn.
    None,
    /// (R − R̄) ξ rᵀ / perturbation², ξ the readout's own noise.
    NodePerturbation,
    /// (R − R̄) (z − z̄) rᵀ.
    Eh,
    /// (target − z) rᵀ: the delta rule, told the target itself (Widrow & Hoff 1960).
    Delta,
}

/// How `w_out` and `b_out` learn. Credit is given online: the output of a step is judged by the reward of that step.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReadoutConfig {
    /// The eligibility.
    pub rule: ReadoutRule,
    /// Learning rate of the mean over trials and scored steps.
    pub eta: f64,
    /// Standard deviation of the Gaussian noise added to the output while training.
    pub perturbation: f64,
    /// Decay of z̄ (`eh`).
    pub mean_decay: f64,
}

/// What the error of a trial is compared with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Baseline {
    /// The mean error of the other trials of the same type in the batch; where there is none, the expected error.
    LeaveOneOut,
    /// The expected error of the trial type, a running mean over trials.
    ExpectedError,
}

/// The neuromodulator M = −(error − expectation).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ModulatorConfig {
    /// The expectation.
    pub baseline: Baseline,
    /// a of Ē ← a Ē + (1−a) error, kept per trial type.
    pub expected_error_decay: f64,
    /// Multiply M by the expectation, as Miconi does: learning slows as performance improves.
    pub expected_error_factor: bool,
    /// Trials before the running expectation is trusted; until then it drives no learning.
    pub warmup_trials: u64,
    /// Decay of R̄ within a trial, for rules gated online; R̄ starts from −Ē of the trial type.
    pub reward_decay: f64,
    /// Online, learn with 1 where R > R̄ and with 0 elsewhere, in place of R − R̄ (Hoerzer et al. 2014).
    #[serde(default)]
    pub binary: bool,
    /// Judge a trial by its error plus this times the mean |output| over all steps (hebbRNN); 0: by its error alone.
    #[serde(default)]
    pub energy_cost: f64,
}
