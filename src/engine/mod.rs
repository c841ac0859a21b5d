//! Engines: what runs a batch of trials and, where `w_rec` learns, accumulates what the rule learns from.
//!
//! | engine | what it is | its twin in tests |
//! |---|---|---|
//! | [`reference`] | plain candle operations, step by step, on any device | plain f64 loops |
//! | [`cpu`] | one vectorised pass a step on the CPU | `reference` |
//! | `cuda` | kernels for whole trials or for single steps | `reference` |
//! | [`gradient`] | backpropagation through time | finite differences |
//!
//! [`choose`] is the one place that chooses.

mod batch;
mod cpu;
#[cfg(any(feature = "cuda", test))]
#[allow(unsafe_code)] // Launches of kernels, and of the same kernels compiled as C++ in tests.
mod cuda;
mod eligibility;
mod episode;
mod fused;
pub(crate) mod gradient;
pub(crate) mod memory;
#[allow(unsafe_code)] // The `gemm` crate's products take pointers.
mod product;
pub(crate) mod reference;

pub(crate) use batch::initial_activation;
pub use batch::{Draw, DrawnTrial, Exact, Perturbation, TrialBatch};
pub(crate) use eligibility::zeros;
pub use eligibility::Eligibility;
pub use episode::{Ensemble, Episode, Gradients, Record};
pub use memory::{automatic_batch, check_memory, Part};
pub(crate) use product::{product, Strides};

use crate::error::Result;
use crate::presets::Setup;
use candle_core::Device;
use memory::Sizes;

/// Something that runs batches of trials.
pub trait Engine: Send + Sync {
    /// Its name.
    fn name(&self) -> &'static str;
    /// Why it cannot do what a setup asks for on a device; `None`: it can.
    fn refuses(&self, setup: &Setup, device: &Device) -> Option<String>;
    /// What it needs of the device's memory beside weights, by part.
    fn memory(&self, setup: &Setup, sizes: &Sizes) -> Vec<Part>;
    /// Runs all trials of a batch; with `learn`, accumulates what the rule and the readout learn from.
    ///
    /// # Errors
    /// Where the device fails.
    fn run(&mut self, ensemble: &Ensemble, batch: &TrialBatch, learn: bool, record: Record) -> Result<Episode>;
    /// Takes the memory of an eligibility back for the next batch: fresh pages would cost as much as the arithmetic on them.
    fn recycle(&mut self, _spent: Eligibility) {}
}

/// The engine that runs a setup's trials on a device: the first of the fastest that can. With `learn`, it also learns.
///
/// # Errors
/// Where it cannot be started.
pub fn choose(setup: &Setup, device: &Device, learn: bool) -> Result<Box<dyn Engine>> {
    if learn && gradient::wanted(setup) {
        return Ok(Box::new(gradient::Gradient::new(setup)?));
    }
    Ok(forward(setup, device))
}

/// The engine that runs trials whose weights no gradient moves.
fn forward(setup: &Setup, device: &Device) -> Box<dyn Engine> {
    let able = fastest().into_iter().find(|engine| engine.refuses(setup, device).is_none());
    able.unwrap_or_else(|| Box::new(reference::Reference))
}

/// The engines that are tried before the plain operations, the fastest first.
fn fastest() -> Vec<Box<dyn Engine>> {
    vec![
        #[cfg(feature = "cuda")]
        Box::new(cuda::Cuda::default()),
        Box::new(cpu::Cpu::default()),
    ]
}
