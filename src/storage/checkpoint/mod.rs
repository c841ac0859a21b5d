//! The checkpoint of a training run: everything on which the next update depends. Reading is strict (see `read.rs`).

mod read;

use super::envelope;
use crate::config::Config;
use crate::error::{At, Result};
use crate::files::write_atomically;
use crate::setup::Setup;
use crate::training::{Checkpoint, Criterion, Frozen, Plastic, StageProgress, FORMAT, METADATA_KEY, WINDOW};
use candle_core::{DType, Device, Tensor};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::Path;

/// The value in `recent_correct` for a trial not yet seen.
const NOT_YET: u8 = 2;

/// The errors of recent trials; NaN if unknown, since earlier versions did not save them in environments.
const RECENT_ERROR: &str = "recent_error";

/// The element type and shape of every tensor in the checkpoints of a run, by name.
pub fn layout(setup: &Setup) -> BTreeMap<&'static str, (DType, Vec<usize>)> {
    let (s, types) = (setup.config.train.networks.count(), setup.task.n_types());
    let mut tensors = Plastic::layout(setup);
    tensors.insert("expected_error", (DType::F64, vec![s, types]));
    tensors.insert("recent_correct", (DType::U8, vec![s, WINDOW]));
    if judges_by_errors(setup) {
        tensors.insert(RECENT_ERROR, (DType::F64, vec![s, WINDOW]));
    }
    tensors
}

/// Whether the errors of recent trials decide anything: when a stage of a curriculum ends, or whether an environment is solved.
fn judges_by_errors(setup: &Setup) -> bool {
    !setup.config.curriculum.is_empty() || setup.task.solved().is_some()
}

#[derive(Serialize, Deserialize)]
struct Header {
    format: u32,
    program: String,
    seed: u64,
    updates: u64,
    trials: u64,
    criterion_trials: Vec<Option<u64>>,
    /// Left out if no network is frozen.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    frozen: Vec<Option<Frozen>>,
    /// Left out if there is no curriculum.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    stages: Vec<StageProgress>,
    /// Left out if false.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    criterion_in_doubt: bool,
    config: Config,
    /// Empty in format 1.
    #[serde(default)]
    sha256: String,
}

impl envelope::Header for Header {
    const KEY: &'static str = METADATA_KEY;
    const FORMAT: u32 = FORMAT;
    const WITHOUT_CHECKSUM: u32 = 1;

    fn checksum(&mut self) -> &mut String {
        &mut self.sha256
    }
}

impl Checkpoint {
    /// The tensors by name, in host memory.
    fn tensors(&self) -> Result<BTreeMap<&'static str, Tensor>> {
        let (s, cpu) = (self.setup.config.train.networks.count(), &Device::Cpu);
        let mut recent = Vec::with_capacity(s * WINDOW);
        for criterion in &self.criterion {
            let seen = criterion.recent().map(|(correct, error)| (u8::from(correct), error));
            recent.extend(std::iter::repeat_n((NOT_YET, 0.0), WINDOW - seen.len()).chain(seen));
        }
        let (correct, errors): (Vec<u8>, Vec<f64>) = recent.into_iter().unzip();
        let plastic = self.plastic.each().map(|(name, tensor)| Ok((name, tensor.to_device(cpu)?)));
        let mut tensors = plastic.collect::<Result<BTreeMap<_, _>>>()?;
        let types = self.expected_error.len() / s;
        tensors.insert("expected_error", Tensor::from_slice(&self.expected_error, (s, types), cpu)?);
        tensors.insert("recent_correct", Tensor::from_vec(correct, (s, WINDOW), cpu)?);
        if judges_by_errors(&self.setup) {
            tensors.insert(RECENT_ERROR, Tensor::from_vec(errors, (s, WINDOW), cpu)?);
        }
        Ok(tensors)
    }

    /// The contents of the checkpoint's file.
    ///
    /// # Errors
    /// [`Error::Tensors`](crate::Error::Tensors) if a device's memory cannot be read.
    pub fn to_bytes(&self) -> Result<Vec<u8>> {
        let header = Header {
            format: FORMAT,
            program: self.program.clone(),
            seed: self.setup.config.train.seed,
            updates: self.updates,
            trials: self.trials(),
            criterion_trials: self.criterion.iter().map(Criterion::reached_at).collect(),
            frozen: if self.frozen.iter().any(Option::is_some) { self.frozen.clone() } else { Vec::new() },
            stages: if self.setup.config.curriculum.is_empty() { Vec::new() } else { self.stages.clone() },
            criterion_in_doubt: self.criterion_in_doubt,
            config: self.setup.config.clone(),
            sha256: String::new(),
        };
        envelope::seal(header, &self.tensors()?)
    }

    /// Writes the checkpoint to `path`, whole or not at all. Returns once it is safe on disk.
    ///
    /// # Errors
    /// [`Error::Io`](crate::Error::Io) if it cannot be written; otherwise as [`Checkpoint::to_bytes`]. On failure, `path` keeps its
    /// previous contents.
    pub fn write(&self, path: &Path) -> Result<()> {
        let bytes = self.to_bytes().at(format!("preparing {}", path.display()))?;
        write_atomically(path, &bytes)
    }
}
