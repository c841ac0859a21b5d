//! Everything the next update reads, in one value: of all networks of a run, or of some of them. How it is written and read is
//! the storage's business.

use super::progress::finished;
use super::{Criterion, Frozen, Plastic, StopReason};
use crate::error::Result;
use crate::presets::Setup;
use candle_core::{Device, Tensor};
use serde::Serialize;
use std::ops::Range;

/// The version of the format this program writes, and the newest it reads; it reads all older ones.
pub const FORMAT: u32 = 2;

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
    /// The run.
    pub setup: Setup,
    /// What the networks are.
    pub plastic: Plastic,
    /// Ē, `[S, types]`.
    pub expected_error: Vec<f64>,
    /// Each network's criterion.
    pub criterion: Vec<Criterion>,
    /// Which networks are frozen, since when and why.
    pub frozen: Vec<Option<Frozen>>,
    /// Updates made.
    pub updates: u64,
}

impl Checkpoint {
    /// Trials of each network.
    pub fn trials(&self) -> u64 {
        self.updates * self.setup.config.train.batch as u64
    }

    /// Why training would stop here; `None`: it would go on.
    pub fn finished(&self) -> Option<StopReason> {
        let reached: Vec<Option<u64>> = self.criterion.iter().map(Criterion::reached_at).collect();
        finished(&self.setup.config.train, self.updates, &reached, &self.frozen)
    }

    /// The networks at some places, counted from 0, on a device.
    ///
    /// # Errors
    /// Where the device fails.
    pub fn part(&self, places: Range<usize>, device: &Device) -> Result<Self> {
        let part =
            |_: &str, tensor: &Tensor| tensor.narrow(0, places.start, places.len())?.contiguous()?.to_device(device);
        let types = self.expected_error.len() / self.setup.config.train.networks.count();
        let mut setup = self.setup.clone();
        setup.config.train.networks = setup.config.train.networks.at(places.clone());
        Ok(Checkpoint {
            program: self.program.clone(),
            setup,
            plastic: self.plastic.map(part)?,
            expected_error: self.expected_error[places.start * types..places.end * types].to_vec(),
            criterion: self.criterion[places.clone()].to_vec(),
            frozen: self.frozen[places].to_vec(),
            ..*self
        })
    }

    /// One checkpoint of the networks of all `parts`, in order, on the first part's device.
    pub(super) fn join(setup: &Setup, mut parts: Vec<Checkpoint>) -> Result<Self> {
        if parts.len() == 1 {
            return Ok(parts.swap_remove(0));
        }
        let device = parts[0].plastic.weights.w_rec.device().clone();
        let cat = |name: &'static str, _: &Tensor| {
            let host = |part: &Checkpoint| match part.plastic.get(name) {
                Some(tensor) => tensor.to_device(&Device::Cpu),
                None => candle_core::bail!("tensor `{name}` is not on every device"),
            };
            let host = parts.iter().map(host).collect::<candle_core::Result<Vec<_>>>()?;
            Tensor::cat(&host, 0)?.to_device(&device)
        };
        Ok(Checkpoint {
            setup: setup.clone(),
            plastic: parts[0].plastic.map(cat)?,
            program: parts[0].program.clone(),
            expected_error: parts.iter().flat_map(|part| part.expected_error.clone()).collect(),
            criterion: parts.iter().flat_map(|part| part.criterion.clone()).collect(),
            frozen: parts.iter().flat_map(|part| part.frozen.clone()).collect(),
            ..parts[0]
        })
    }
}
