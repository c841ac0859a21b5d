//! Checkpoints: one safetensors file that holds everything the next update reads.
//!
//! Written to a temporary file beside the target, synced, and renamed over it, so a reader finds the old file or the new
//! one, never a part. Read strictly: every tensor must have the name, type and shape that the configuration calls for. The
//! one metadata key, `hebbian_rnn`, holds JSON: format version, program version, configuration, seed, counters and checksum.
//!
//! Formats: 1 had no checksum.

mod checksum;
mod read;

use crate::config::Config;
use crate::error::{At, Error, Result};
use crate::files::write_keeping;
use crate::presets::Setup;
use crate::training::{Checkpoint, Criterion, Expected, Frozen, Plastic, FORMAT, WINDOW};
use candle_core::{DType, Device, Tensor};
use checksum::checksum;
use safetensors::View;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, HashMap};
use std::path::Path;

/// The only metadata key.
pub const METADATA_KEY: &str = "hebbian_rnn";
/// The name of the newest checkpoint in a run's folder.
pub const CHECKPOINT_FILE: &str = "checkpoint.safetensors";

/// Every tensor of a run's checkpoint, by name.
pub fn layout(setup: &Setup) -> BTreeMap<&'static str, Expected> {
    let (s, types) = (setup.config.train.networks.count(), setup.task.n_types());
    let mut tensors = Plastic::layout(setup);
    tensors.insert("expected_error", Expected { dtype: DType::F64, shape: vec![s, types] });
    tensors.insert("recent_correct", Expected { dtype: DType::U8, shape: vec![s, WINDOW] });
    tensors
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

impl Header {
    fn json(&self) -> Result<String> {
        serde_json::to_string(self).map_err(|error| Error::Bug(format!("writing a checkpoint's metadata: {error}")))
    }
}

/// Outcomes not yet seen, in `recent_correct`.
const NOT_YET: u8 = 2;

impl Checkpoint {
    /// The tensors by name, in the host's memory.
    fn tensors(&self) -> Result<BTreeMap<&'static str, Tensor>> {
        let cpu = Device::Cpu;
        let s = self.setup.config.train.networks.count();
        let recent: Vec<u8> = self
            .criterion
            .iter()
            .flat_map(|c| {
                let seen: Vec<u8> = c.recent().map(u8::from).collect();
                std::iter::repeat_n(NOT_YET, WINDOW - seen.len()).chain(seen)
            })
            .collect();
        let types = self.expected_error.len() / s;
        let expected_error = Tensor::from_vec(self.expected_error.clone(), (s, types), &cpu)?;
        let counters =
            [("expected_error", expected_error), ("recent_correct", Tensor::from_vec(recent, (s, WINDOW), &cpu)?)];
        let plastic = self.plastic.each().map(|(name, tensor)| (name, tensor.clone()));
        plastic.chain(counters).map(|(name, tensor)| Ok((name, tensor.to_device(&cpu)?))).collect()
    }

    /// The file's bytes.
    ///
    /// # Errors
    /// Where a device's memory cannot be read.
    pub fn to_bytes(&self) -> Result<Vec<u8>> {
        let mut header = Header {
            format: FORMAT,
            program: self.program.clone(),
            seed: self.setup.config.train.seed,
            updates: self.updates,
            trials: self.trials(),
            criterion_trials: self.criterion.iter().map(Criterion::reached_at).collect(),
            frozen: if self.frozen.iter().any(Option::is_some) { self.frozen.clone() } else { Vec::new() },
            config: self.setup.config.clone(),
            sha256: String::new(),
        };
        let tensors = self.tensors()?;
        let stored = tensors.iter().map(|(name, t)| (*name, View::dtype(t), t.dims(), View::data(t)));
        header.sha256 = checksum(&header.json()?, stored);
        let metadata = HashMap::from([(METADATA_KEY.to_string(), header.json()?)]);
        safetensors::serialize(tensors.iter().map(|(name, tensor)| (*name, tensor)), Some(metadata))
            .map_err(|error| Error::Bug(format!("writing safetensors: {error}")))
    }

    /// Writes the checkpoint to `path`, whole or not at all, and not before it is safe on the disk.
    ///
    /// # Errors
    /// Names the file; what was there before is then as it was.
    pub fn write(&self, path: &Path) -> Result<()> {
        self.write_keeping(path, 0)
    }

    /// The same, keeping the last `keep` files that were there before as `checkpoint.1.safetensors`, `checkpoint.2.safetensors`,
    /// …, the newest first.
    ///
    /// # Errors
    /// As [`Checkpoint::write`].
    pub fn write_keeping(&self, path: &Path, keep: u64) -> Result<()> {
        let bytes = self.to_bytes().at(format!("preparing {}", path.display()))?;
        write_keeping(path, &bytes, keep)
    }
}
