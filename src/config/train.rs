//! Networks, trials, device, precision and stopping.

use super::{NetworkRange, LARGEST};
use documented::DocumentedFields;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Floating-point precision of all tensors.
#[derive(Clone, Copy, Debug, PartialEq, Eq, JsonSchema, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Precision {
    /// Single precision.
    F32,
    /// Double precision.
    F64,
}

impl From<Precision> for candle_core::DType {
    fn from(precision: Precision) -> Self {
        match precision {
            Precision::F32 => candle_core::DType::F32,
            Precision::F64 => candle_core::DType::F64,
        }
    }
}

/// Which implementation computes the steps of a trial.
#[derive(Clone, Copy, Debug, PartialEq, Eq, JsonSchema, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Kernels {
    /// Plain candle operations: slow, simple, available on every device.
    Reference,
    /// Fused kernels if they support the network, rule and device; else plain operations.
    Fused,
    /// On CUDA, one kernel launch per step (the fallback of `fused` if whole trials do not fit); else plain operations.
    Stepwise,
}

/// Which networks, how many trials, on which device, and when to stop.
#[derive(Clone, Debug, PartialEq, DocumentedFields, JsonSchema, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct TrainConfig {
    /// Indices of the networks.
    #[schemars(extend("x-merge" = true))]
    pub networks: NetworkRange,
    /// B, the number of trials each network runs in parallel. There is one update for each batch.
    #[schemars(range(min = 1, max = LARGEST))]
    pub batch: usize,
    /// Seed of all random streams.
    pub seed: u64,
    /// A run's folder, checkpoint or other safetensors file with initial weights; tensors that it lacks are drawn at
    /// random.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub init: Option<String>,
    /// The SHA-256 of that file.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub init_sha256: Option<String>,
    /// Stop after this many trials per network, rounded up to whole batches.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    #[schemars(extend("x-resume" = true))]
    pub trials: Option<u64>,
    /// Stop after this many updates.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    #[schemars(extend("x-resume" = true))]
    pub updates: Option<u64>,
    /// Stop as soon as every network has reached the criterion.
    #[schemars(extend("x-resume" = true))]
    pub until_criterion: bool,
    /// Number of updates between checkpoints; there is also one at the end. 0: only at the end.
    #[schemars(extend("x-resume" = true, "x-merge" = true))]
    pub checkpoint_every: u64,
    /// Number of earlier checkpoints to keep besides the newest.
    #[serde(default = "one")]
    #[schemars(extend("x-resume" = true, "x-merge" = true))]
    pub keep: u64,
    /// `auto`, `cpu`, `cuda`, `cuda:1` or `metal`.
    #[schemars(extend("x-resume" = true, "x-merge" = true))]
    pub device: String,
    /// Floating-point precision of all tensors.
    pub dtype: Precision,
    /// Which implementation computes the steps.
    pub kernels: Kernels,
    /// Stop with an error as soon as a network diverges, keeping the state before that update, instead of freezing it.
    #[serde(default)]
    #[schemars(extend("x-resume" = true))]
    pub strict_numbers: bool,
}

fn one() -> u64 {
    1
}

impl TrainConfig {
    /// The largest number of updates the run makes.
    pub fn max_updates(&self) -> u64 {
        match (self.updates, self.trials) {
            (Some(updates), _) => updates,
            (None, Some(trials)) => trials.div_ceil(self.batch as u64),
            (None, None) => u64::MAX,
        }
    }
}
