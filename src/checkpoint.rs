//! Checkpoints: one safetensors file that holds everything the next update reads.
//!
//! Written to a temporary file beside the target, synced, and renamed over it, so a reader finds the old file or the new
//! one, never a part. Read strictly: every tensor must have the name, type and shape that the configuration calls for. The
//! one metadata key, `hebbian_rnn`, holds JSON: format version, program version, configuration, seed, counters and checksum.
//!
//! Formats: 1 had no checksum.

mod layout;
mod read;

pub use crate::files::write_atomically;
pub use layout::{layout, Expected};

use crate::bptt::Moments;
use crate::checksum::checksum;
use crate::config::Config;
use crate::criterion::{Criterion, WINDOW};
use crate::divergence::Frozen;
use crate::files::write_keeping;
use crate::network::{State, Weights};
use crate::trace::TraceState;
use anyhow::{Context, Result};
use candle_core::{Device, Tensor};
use safetensors::View;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, HashMap};
use std::path::Path;

/// The only metadata key.
pub const METADATA_KEY: &str = "hebbian_rnn";
/// The version of the format this program writes, and the newest it reads; it reads all older ones.
pub const FORMAT: u32 = 2;
/// The name of the newest checkpoint in a run's folder.
pub const FILE_NAME: &str = "checkpoint.safetensors";

/// Whether a checkpoint is the one that was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Integrity {
    /// Its checksum fits.
    Whole,
    /// Its checksum does not fit: values were damaged, or edited by hand.
    Changed,
    /// It has no checksum (format 1).
    Unknown,
}

/// Everything the next update reads.
#[derive(Clone, Debug)]
pub struct Checkpoint {
    /// The version of the program that wrote it.
    pub program: String,
    /// The version of the format it was written in.
    pub format: u32,
    /// Whether it is the one that was written.
    pub integrity: Integrity,
    /// The run's configuration.
    pub config: Config,
    /// The weights.
    pub weights: Weights,
    /// x and r after the last trial.
    pub state: State,
    /// H (and e of the retroactive form), where it outlives a trial.
    pub trace: Option<TraceState>,
    /// The optimiser's state, by the names of its tensors; empty unless the rule is `bptt`.
    pub moments: Moments,
    /// Ē, `[S, types]`.
    pub expected_error: Vec<f64>,
    /// Each network's criterion.
    pub criterion: Vec<Criterion>,
    /// Which networks are frozen, since when and why.
    pub frozen: Vec<Option<Frozen>>,
    /// Updates made.
    pub updates: u64,
}

#[derive(Serialize, Deserialize)]
struct Header {
    format: u32,
    program: String,
    seed: u64,
    updates: u64,
    trials: u64,
    criterion_trials: Vec<Option<u64>>,
    /// Left out where no network is frozen.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    frozen: Vec<Option<Frozen>>,
    config: Config,
    /// Empty where there is none, and while it is computed.
    #[serde(default)]
    sha256: String,
}

/// Outcomes not yet seen, in `recent_correct`.
const NOT_YET: u8 = 2;

impl Checkpoint {
    /// The tensors by name, in the host's memory.
    fn tensors(&self) -> Result<BTreeMap<&'static str, Tensor>> {
        let cpu = Device::Cpu;
        let s = self.config.train.networks.count();
        let recent: Vec<u8> = self
            .criterion
            .iter()
            .flat_map(|c| {
                let seen: Vec<u8> = c.recent().map(u8::from).collect();
                std::iter::repeat_n(NOT_YET, WINDOW - seen.len()).chain(seen)
            })
            .collect();
        let types = self.expected_error.len() / s;
        let mut tensors: BTreeMap<_, _> = self.weights.each().map(|(name, tensor)| (name, tensor.clone())).collect();
        tensors.extend([
            ("x", self.state.x.clone()),
            ("r", self.state.r.clone()),
            ("expected_error", Tensor::from_vec(self.expected_error.clone(), (s, types), &cpu)?),
            ("recent_correct", Tensor::from_vec(recent, (s, WINDOW), &cpu)?),
        ]);
        tensors.extend(self.moments.clone());
        if let Some(TraceState { h, eligibility }) = &self.trace {
            tensors.insert("hebbian_trace", h.clone());
            tensors.extend(eligibility.clone().map(|e| ("eligibility", e)));
        }
        tensors.into_iter().map(|(name, tensor)| Ok((name, tensor.to_device(&cpu)?))).collect()
    }

    /// The file's bytes.
    pub fn to_bytes(&self) -> Result<Vec<u8>> {
        let mut header = Header {
            format: FORMAT,
            program: self.program.clone(),
            seed: self.config.train.seed,
            updates: self.updates,
            trials: self.trials(),
            criterion_trials: self.criterion.iter().map(Criterion::reached_at).collect(),
            frozen: if self.frozen.iter().any(Option::is_some) { self.frozen.clone() } else { Vec::new() },
            config: self.config.clone(),
            sha256: String::new(),
        };
        let tensors = self.tensors()?;
        let stored = tensors.iter().map(|(name, t)| (*name, View::dtype(t), t.dims(), View::data(t)));
        header.sha256 = checksum(&serde_json::to_string(&header)?, stored);
        let metadata = HashMap::from([(METADATA_KEY.to_string(), serde_json::to_string(&header)?)]);
        Ok(safetensors::serialize(tensors.iter().map(|(name, tensor)| (*name, tensor)), Some(metadata))?)
    }

    /// Trials of each network.
    pub fn trials(&self) -> u64 {
        self.updates * self.config.train.batch as u64
    }

    /// Writes the checkpoint to `path`, whole or not at all, and not before it is safe on the disk.
    pub fn write(&self, path: &Path) -> Result<()> {
        self.write_keeping(path, 0)
    }

    /// The same, keeping the last `keep` files that were there before as `checkpoint.1.safetensors`, `checkpoint.2.safetensors`,
    /// …, the newest first.
    pub fn write_keeping(&self, path: &Path, keep: u64) -> Result<()> {
        let bytes = self.to_bytes().with_context(|| format!("preparing {}", path.display()))?;
        write_keeping(path, &bytes, keep)
    }
}
