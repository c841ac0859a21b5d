//! How many networks and trials, where, how precisely, and when to stop.

use super::Networks;
use serde::{Deserialize, Serialize};

/// The floating-point type of every tensor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
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

/// Which implementation of a step runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kernels {
    /// Plain candle operations: slow, obvious, and on every device.
    Reference,
    /// One vectorised pass per step, where it exists for the network, rule and device; plain operations elsewhere.
    Fused,
    /// On CUDA one launch for each step, which `fused` falls back to where whole trials do not fit; elsewhere plain operations.
    Stepwise,
}

/// How many networks, how many trials, where, and when to stop.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TrainConfig {
    /// Which networks.
    pub networks: Networks,
    /// B, trials of each network in parallel; one update for each batch.
    pub batch: usize,
    /// The seed of every stream.
    pub seed: u64,
    /// Stop after this many trials of each network, rounded up to whole updates.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub trials: Option<u64>,
    /// Stop after this many updates.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub updates: Option<u64>,
    /// Stop as soon as every network has reached the criterion.
    pub until_criterion: bool,
    /// Write the checkpoint every so many updates (and at the end); 0: only at the end.
    pub checkpoint_every: u64,
    /// Keep so many checkpoints from before the newest.
    #[serde(default = "one")]
    pub keep: u64,
    /// `auto`, `cpu`, `cuda`, `cuda:1` or `metal`.
    pub device: String,
    /// The type of every tensor.
    pub dtype: Precision,
    /// Which implementation of a step runs.
    pub kernels: Kernels,
    /// Stop as soon as a network diverges, with the state of the update before, instead of freezing that network.
    #[serde(default)]
    pub strict_numbers: bool,
}

fn one() -> u64 {
    1
}

impl TrainConfig {
    /// How many updates the run makes at most.
    pub fn max_updates(&self) -> u64 {
        match (self.updates, self.trials) {
            (Some(updates), _) => updates,
            (None, Some(trials)) => trials.div_ceil(self.batch as u64),
            (None, None) => u64::MAX,
        }
    }
}
