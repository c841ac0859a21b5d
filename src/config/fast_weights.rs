//! The fast weights H (table `trace`): which vectors they associate, how they change, and how they act.

use crate::keys::ReadWith;
use documented::DocumentedFields;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How the fast weights H change in each step (docs/model.md, "Fast weights").
#[derive(Clone, Copy, Debug, PartialEq, Eq, JsonSchema, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Stage {
    /// There are no fast weights.
    None,
    /// H_ij ← η a_i b_j, pair by pair: H holds only the last step's increment.
    Hebb,
    /// H ← η a bᵀ, the same for the whole layer at once.
    Outer,
    /// H ← H + η a bᵀ.
    Accumulate,
    /// H ← (1 − η) H + η a bᵀ.
    Decay,
    /// H ← (1 − η) H + η m a bᵀ.
    Modulated,
    /// H ← H + η m (a bᵀ − a² H): Oja's rule.
    Oja,
    /// e ← (1 − η) e + η a bᵀ, then H ← clip(H + m e).
    Retroactive,
}

impl Stage {
    /// Whether H holds only the last step's increment.
    pub(crate) fn of_one_step(self) -> bool {
        matches!(self, Stage::Hebb | Stage::Outer)
    }
}

/// Which two vectors the fast weights associate; entry [i, j] is a_i b_j.
#[derive(Clone, Copy, Debug, PartialEq, Eq, JsonSchema, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Association {
    /// a = b = r(t), the rates before the step.
    Auto,
    /// a = r(t+1), b = r(t): postsynaptic rates after the step, presynaptic rates before it.
    PostPre,
    /// a = r(t), b = r(t+1).
    PrePost,
}

impl Association {
    /// (a, b), given values from before and after a step.
    pub fn pair<T: Copy>(self, before: T, after: T) -> (T, T) {
        match self {
            Association::Auto => (before, before),
            Association::PostPre => (after, before),
            Association::PrePost => (before, after),
        }
    }
}

/// The source of the modulator m(t) of the fast weights.
#[derive(Clone, Copy, Debug, PartialEq, Eq, JsonSchema, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum ModulatorSource {
    /// m = 1.
    Constant,
    /// m(t) is given by the task; 1 if the task gives none.
    Task,
    /// m(t) = R(t) − R̄(t), the reward prediction error of the step; 0 on steps that are not scored.
    Reward,
}

/// How the fused kernels store H. Both forms are exact up to rounding.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, JsonSchema, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum FastWeightsForm {
    /// Whichever is faster.
    #[default]
    Auto,
    /// As a matrix, read and written in every step.
    Written,
    /// As the history of its increments, which the CPU merges into a matrix from time to time. H is stored as a matrix
    /// anyway if it is clipped, and on a GPU in the stages `oja` and `retroactive`.
    History,
}

/// The fast weights: one matrix H [N, N] per trial.
#[derive(Clone, Debug, PartialEq, DocumentedFields, JsonSchema, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[schemars(extend("x-read-with" = ReadWith::FastWeights))]
#[non_exhaustive]
pub struct FastWeightsConfig {
    /// How H changes in each step.
    #[schemars(extend("x-read-with" = ReadWith::Anything))]
    pub stage: Stage,
    /// Which two vectors are associated.
    pub association: Association,
    /// The source of m(t).
    pub modulator: ModulatorSource,
    /// α, the weight of H r in the drive.
    pub alpha: f64,
    /// η, the learning rate of H.
    #[schemars(range(min = 0, max = 1))]
    pub eta: f64,
    /// H is clipped to ±clip after each step; 0: no bound.
    #[schemars(range(min = 0))]
    pub clip: f64,
    /// Carry H over from one trial to the next instead of starting each trial from zero.
    pub persistent: bool,
    /// How the fused kernels store H.
    #[serde(default)]
    pub form: FastWeightsForm,
}

impl Default for FastWeightsConfig {
    /// No fast weights; the other keys apply once a stage is chosen.
    fn default() -> Self {
        FastWeightsConfig {
            stage: Stage::None,
            association: Association::PostPre,
            modulator: ModulatorSource::Constant,
            alpha: 0.0,
            eta: 0.01,
            clip: 0.0,
            persistent: false,
            form: FastWeightsForm::Auto,
        }
    }
}

impl FastWeightsConfig {
    /// A one-line summary; `None` without fast weights.
    pub fn describe(&self) -> Option<String> {
        let kept = if self.persistent { "kept across trials" } else { "reset for each trial" };
        let (stage, association) = (kebab(&self.stage), kebab(&self.association));
        let line = format!("trace {stage} ({association}), alpha {}, eta {}, {kept}", self.alpha, self.eta);
        (self.stage != Stage::None).then_some(line)
    }
}

/// The name of an enum's variant in files.
fn kebab(value: &impl Serialize) -> String {
    toml::Value::try_from(value).ok().and_then(|v| v.as_str().map(String::from)).unwrap_or_default()
}
