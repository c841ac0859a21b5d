//! How networks learn: perturbations, the rule, the readout's rule, reward and its baseline, backpropagation.

use crate::error::Result;
use crate::keys::{check_ranges, OtherKeys, ReadWith};
use crate::ranges::expect;
use documented::DocumentedFields;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The distribution of perturbations.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, JsonSchema, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Distribution {
    /// U(−amplitude, amplitude).
    #[default]
    Uniform,
    /// N(0, amplitude²), for every neuron at every step: `probability` must be 1.
    Gaussian,
}

/// Exploratory perturbations ξ, drawn independently for each neuron and step.
#[derive(Clone, Debug, PartialEq, DocumentedFields, JsonSchema, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[schemars(extend("x-read-with" = ReadWith::Perturbations))]
#[non_exhaustive]
pub struct PerturbationConfig {
    /// Probability that a neuron is perturbed in a step.
    #[schemars(range(min = 0, max = 1))]
    pub probability: f64,
    /// Bound of the uniform draw, or standard deviation of the Gaussian one. ξ is part of the drive, so leaky dynamics scale
    /// it by dt/τ.
    #[schemars(range(min = 0))]
    pub amplitude: f64,
    /// The first step in which neurons can be perturbed.
    pub start_step: usize,
    /// The distribution of ξ; `None`: uniform.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub distribution: Option<Distribution>,
}

impl Default for PerturbationConfig {
    /// No neuron is perturbed.
    fn default() -> Self {
        PerturbationConfig { probability: 0.0, amplitude: 1.0, start_step: 0, distribution: None }
    }
}

impl PerturbationConfig {
    pub(super) fn check(&self) -> Result<()> {
        check_ranges("perturbation", self)?;
        let (p, gaussian) = (self.probability, self.distribution == Some(Distribution::Gaussian));
        let expected = "1, since perturbation.distribution is `gaussian`; or 0";
        expect(!gaussian || p == 0.0 || p == 1.0, "perturbation.probability", p, expected)
    }
}

/// How `w_rec` learns: the keys that all rules share, and those of the selected rule.
#[derive(Clone, Debug, PartialEq, DocumentedFields, JsonSchema, Serialize, Deserialize)]
#[schemars(extend("x-read-with" = ReadWith::Rule))]
#[non_exhaustive]
pub struct RuleConfig {
    /// The rule's name: see [`crate::RULES`].
    #[schemars(extend("x-read-with" = ReadWith::Anything))]
    pub name: String,
    /// η, the learning rate. It multiplies the sum over the trials of a batch.
    #[schemars(range(min = 0))]
    pub eta: f64,
    /// Largest change of a weight in an update from one trial; 0: no bound.
    #[schemars(range(min = 0))]
    pub max_dw: f64,
    /// The bound for a batch of B trials is max_dw · max(1, clip_growth · √B).
    #[schemars(range(min = 0))]
    pub clip_growth: f64,
    /// T, the number of trials after which η and its bound, also those of the readout, have fallen to half: they are divided
    /// by 1 + trials / T. 0 or `None`: they stay constant.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0), extend("x-read-with" = ReadWith::Rates))]
    pub fall_trials: Option<f64>,
    /// Decay of the running mean of each weight's squared change; changes, also of readout weights, are divided by
    /// its root, so that η is the size of a step (RMSprop; Tieleman & Hinton 2012). 0 or `None`: no division. In
    /// environments only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0), extend("exclusiveMaximum" = 1, "x-read-with" = ReadWith::Rates))]
    pub rms_decay: Option<f64>,
    /// The parameters of the selected rule, as further keys of this table.
    #[serde(flatten)]
    #[schemars(with = "OtherKeys")]
    pub own: toml::Table,
    /// The first step whose activity enters the eligibility.
    #[schemars(extend("x-read-with" = ReadWith::StepRule))]
    pub start_step: usize,
}

/// How the readout learns.
#[derive(Clone, Copy, Debug, PartialEq, Eq, JsonSchema, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum ReadoutRule {
    /// It keeps its initial weights.
    None,
    /// (R − R̄) ζ rᵀ / σ², with ζ the exploratory noise of the readout and σ its standard deviation.
    NodePerturbation,
    /// (R − R̄) (z − z̄) rᵀ.
    Eh,
    /// (target − z) rᵀ, the delta rule (Widrow & Hoff 1960). It is supervised.
    Delta,
}

/// How `w_out` and `b_out` learn. Credit is assigned online: each output is judged by the reward of its own step. In
/// environments, credit is assigned by episode, as for `w_rec`.
#[derive(Clone, Debug, PartialEq, DocumentedFields, JsonSchema, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[schemars(extend("x-read-with" = ReadWith::LearningReadout))]
#[non_exhaustive]
pub struct ReadoutConfig {
    /// The readout's learning rule.
    #[schemars(extend("x-read-with" = ReadWith::Readout))]
    pub rule: ReadoutRule,
    /// Learning rate. It multiplies the mean over trials and scored steps; in environments, the sum over episodes.
    #[schemars(range(min = 0))]
    pub eta: f64,
    /// σ, the standard deviation of the Gaussian noise added to the output during training; the temperature, where
    /// `task.acting` is `softmax`.
    #[schemars(range(min = 0))]
    pub perturbation: f64,
    /// Decay of the running mean z̄ of the output (`eh` only).
    #[schemars(range(min = 0, max = 1))]
    pub mean_decay: f64,
    /// Largest change of a weight in an update; 0 or `None`: no bound. In environments only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0))]
    pub max_dw: Option<f64>,
    /// The fraction of every readout weight lost per update as long as no episode succeeds: w_out and b_out are
    /// multiplied by 1 − forget · (1 − p), where p is the fraction correct in the last 100 episodes. In
    /// environments only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 1))]
    pub forget: Option<f64>,
}

impl Default for ReadoutConfig {
    /// The readout does not learn.
    fn default() -> Self {
        ReadoutConfig {
            rule: ReadoutRule::None,
            eta: 0.0,
            perturbation: 0.0,
            mean_decay: 0.8,
            max_dw: None,
            forget: None,
        }
    }
}

/// The reward baseline: the expected error with which the error of a trial is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, JsonSchema, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Baseline {
    /// The mean error of the other trials of the same type in the batch; without any, the running mean Ē.
    LeaveOneOut,
    /// Ē, the running mean of the error over trials of the same type.
    ExpectedError,
}

/// How errors become the modulator M = E − error of learning, with E the reward baseline (table `modulator`).
#[derive(Clone, Debug, PartialEq, DocumentedFields, JsonSchema, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct RewardConfig {
    /// The reward baseline E.
    pub baseline: Baseline,
    /// a in Ē ← a Ē + (1 − a) error. Each trial type has its own Ē.
    #[schemars(range(min = 0, max = 1))]
    pub expected_error_decay: f64,
    /// Multiply M by E (Miconi 2017), so that learning slows as performance improves.
    pub expected_error_factor: bool,
    /// Number of trials before Ē serves as a baseline; until then it drives no learning.
    pub warmup_trials: u64,
    /// Decay of R̄, the running mean of the reward within a trial, for online rules. R̄ starts at −Ē of the trial type.
    #[schemars(range(min = 0, max = 1))]
    pub reward_decay: f64,
    /// Online rules: replace R − R̄ with 1 where R > R̄ and with 0 elsewhere (Hoerzer et al. 2014).
    #[serde(default)]
    pub binary: bool,
    /// Divide the modulators of a batch by their root mean square, so that the size of the reward does not matter. In
    /// environments only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub normalise: Option<bool>,
    /// A control: permute the modulators of a batch among its trials (in environments the advantages among its episodes), so that they
    /// keep their distribution but say nothing about a trial. For rules that are given credit after a trial.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shuffle: Option<bool>,
    /// Add this times the mean |output| over all steps to the error by which a trial is judged (hebbRNN); 0: no cost.
    #[serde(default)]
    #[schemars(range(min = 0))]
    pub energy_cost: f64,
}

impl Default for RewardConfig {
    fn default() -> Self {
        RewardConfig {
            baseline: Baseline::LeaveOneOut,
            expected_error_decay: 0.95,
            expected_error_factor: false,
            warmup_trials: 100,
            reward_decay: 0.8,
            binary: false,
            normalise: None,
            shuffle: None,
            energy_cost: 0.0,
        }
    }
}

/// The loss that backpropagation minimises.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, JsonSchema, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Loss {
    /// The mean of (output − target)² over scored steps and outputs (Song et al. 2016).
    #[default]
    Squared,
    /// The task's own error measure, averaged over scored steps and outputs.
    Task,
}

/// The weights that backpropagation trains.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, JsonSchema, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Parameters {
    /// The weights that the other rules change as well: w_rec, and the readout if there is one.
    #[default]
    Recurrent,
    /// Also w_in, and b_rec and w_fb if the network has them.
    All,
}

/// The rule `bptt`: backpropagation through time with AdamW (docs/model.md, "Backpropagation beside the rules").
#[derive(Clone, Debug, PartialEq, DocumentedFields, JsonSchema, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[schemars(extend("x-read-with" = ReadWith::Bptt))]
#[non_exhaustive]
pub struct BpttConfig {
    /// Truncation: gradients stay within segments of this many steps from the start of the trial; 0: no truncation.
    pub steps: usize,
    /// The loss.
    pub loss: Loss,
    /// The weights that learn.
    pub parameters: Parameters,
    /// η of AdamW.
    #[schemars(range(min = 0))]
    pub learning_rate: f64,
    /// λ of AdamW: each update reduces every weight by the fraction learning_rate · weight_decay.
    #[schemars(range(min = 0))]
    pub weight_decay: f64,
    /// β₁ of AdamW: decay of the running mean of the gradient.
    #[schemars(range(min = 0), extend("exclusiveMaximum" = 1))]
    pub beta1: f64,
    /// β₂ of AdamW: decay of the running mean of the squared gradient.
    #[schemars(range(min = 0), extend("exclusiveMaximum" = 1))]
    pub beta2: f64,
    /// ε of AdamW.
    #[schemars(extend("exclusiveMinimum" = 0))]
    pub epsilon: f64,
    /// Largest norm of the gradient over all parameters of a network; longer gradients are rescaled. 0: no bound.
    #[schemars(range(min = 0))]
    pub gradient_clip: f64,
}

impl Default for BpttConfig {
    fn default() -> Self {
        BpttConfig {
            steps: 0,
            loss: Loss::Squared,
            parameters: Parameters::Recurrent,
            learning_rate: 1e-3,
            weight_decay: 0.0,
            beta1: 0.9,
            beta2: 0.999,
            epsilon: 1e-8,
            gradient_clip: 1.0,
        }
    }
}
