//! The fast weights H, as keys of the table `trace`: which vectors they associate, in which stage, and how they act.

use serde::{Deserialize, Serialize};

/// How the trace H changes at each step (docs/model.md, "The Hebbian trace").
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Stage {
    /// There is no trace.
    None,
    /// H_ij ← η a_i b_j for every pair: the change of this step alone, pair by pair.
    Hebb,
    /// H ← η a bᵀ: the same for the whole layer at once.
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
    /// Whether H holds nothing but the change of the last step.
    pub(crate) fn of_one_step(self) -> bool {
        matches!(self, Stage::Hebb | Stage::Outer)
    }
}

/// Which two vectors the trace associates; entry [i, j] is a_i b_j.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Association {
    /// a = b = r(t), the rates before the step.
    Auto,
    /// a = r(t+1), b = r(t): what drove the step, and what came of it.
    PostPre,
    /// a = r(t), b = r(t+1).
    PrePost,
}

impl Association {
    /// a and b, out of what belongs to the time before a step and after it.
    pub fn pair<T: Copy>(self, before: T, after: T) -> (T, T) {
        match self {
            Association::Auto => (before, before),
            Association::PostPre => (after, before),
            Association::PrePost => (before, after),
        }
    }
}

/// What the m(t) of the trace is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ModulatorSource {
    /// m = 1.
    Constant,
    /// The task's m(t); 1 where the task gives none.
    Task,
    /// R(t) − R̄(t), the surprise in the reward at this step; 0 on steps that are not scored.
    Reward,
}

/// How the fused kernels hold H. Both forms are exact; results differ by rounding.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FastWeightsForm {
    /// Whichever costs less.
    #[default]
    Auto,
    /// A matrix, read and written at every step.
    Written,
    /// The list of what was added, which the CPU folds into a matrix now and then. H is written all the same where it is
    /// clipped, and on a GPU in the stages `oja` and `retroactive`.
    History,
}

/// The Hebbian trace: one fast-weight matrix H [N, N] for each trial.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FastWeightsConfig {
    /// How H changes at each step.
    pub stage: Stage,
    /// Which two vectors are associated.
    pub association: Association,
    /// Where m(t) comes from.
    pub modulator: ModulatorSource,
    /// α: the drive contains α H r.
    pub alpha: f64,
    /// η of the trace.
    pub eta: f64,
    /// H is clipped to ±clip after each step; 0: never.
    pub clip: f64,
    /// Keep H from one trial to the next instead of starting each from zero.
    pub persistent: bool,
    /// How the fused kernels hold H.
    #[serde(default)]
    pub form: FastWeightsForm,
}

impl Default for FastWeightsConfig {
    /// None; else those of Hebb, each trial from zero, that act on nothing.
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
    /// One line on the trace; `None` where there is none.
    pub fn describe(&self) -> Option<String> {
        let kept = if self.persistent { "kept across trials" } else { "reset for each trial" };
        let (stage, association) = (kebab(&self.stage), kebab(&self.association));
        let line = format!("trace {stage} ({association}), alpha {}, eta {}, {kept}", self.alpha, self.eta);
        (self.stage != Stage::None).then_some(line)
    }
}

/// The name that an enum's value has in files.
fn kebab(value: &impl Serialize) -> String {
    toml::Value::try_from(value).ok().and_then(|v| v.as_str().map(String::from)).unwrap_or_default()
}
