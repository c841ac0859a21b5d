//! Engines run batches of trials and, if `w_rec` learns, accumulate the eligibility or gradients that the rule needs.
//!
//! | engine | how it computes | tested against |
//! |---|---|---|
//! | `reference` | plain candle operations, step by step, on any device | plain f64 loops |
//! | `cpu` | one vectorised pass per step on the CPU | `reference` |
//! | `cuda` | kernels for whole trials or for single steps | `reference` |
//! | `gradient` | backpropagation through time, by candle's autograd; on the CPU by `cpu/adjoint.rs` where that can | finite differences |
//!
//! [`choose`] is the only place that decides between them. Lives, whose weights change at every step, have their own engines
//! (`life`).

mod batch;
mod cpu;
#[cfg(any(feature = "cuda", test))]
#[allow(unsafe_code)] // Launches kernels, and in tests the same kernels compiled as C++.
mod cuda;
mod draw;
mod eligibility;
mod episode;
mod fused;
pub(crate) mod gradient;
pub(crate) mod life;
mod loss;
pub(crate) mod memory;
#[allow(unsafe_code)] // The `gemm` crate's products take pointers.
mod product;
pub(crate) mod reference;
mod refusal;
mod replay;
mod rollout;
mod tiles;

pub(crate) use batch::initial_activation;
pub use batch::{DensePerturbation, Draw, DrawnTrial, EpisodeDraws, Exact, Perturbation, TrialBatch};
pub(crate) use eligibility::zeros;
pub use eligibility::Eligibility;
pub use episode::{Ensemble, Episode, EpisodeCredit, Gradients, Record};
pub use gradient::gradient;
pub use life::{LifeEngine, LifeRecord, LifeState, PlasticState};
pub use memory::{automatic_batch, check_memory, Part};
pub use product::Product;
pub(crate) use product::{product, Strides};
pub use refusal::{Concern, Refusal};
pub(crate) use replay::replayed;

use crate::error::Result;
use crate::setup::Setup;
use candle_core::Device;
use cpu::adjoint;
use memory::Sizes;

/// Runs batches of trials.
pub trait Engine: Send + Sync {
    /// Why the engine cannot run a setup on a device; `None` if it can.
    fn refuses(&self, _setup: &Setup, _device: &Device) -> Option<Refusal> {
        None
    }
    /// The parts of the device memory that it needs besides the weights.
    fn memory(&self, setup: &Setup, sizes: &Sizes) -> Vec<Part>;
    /// Runs all trials of a batch; with `learn`, also accumulates the eligibility or gradients and the readout's
    /// change.
    ///
    /// # Errors
    /// [`crate::Error::Tensors`] if an operation on the device fails; also any error from the task's own functions.
    fn run(&mut self, ensemble: &Ensemble, batch: &TrialBatch, learn: bool, record: Record) -> Result<Episode>;
    /// Takes back the memory of an eligibility for the next batch; touching fresh pages would cost as much as the
    /// arithmetic.
    fn recycle(&mut self, _spent: Eligibility) {}
}

/// The fastest engine that can run a setup's trials on a device. With `learn`, it can also train the networks.
///
/// # Errors
/// [`crate::Error::Device`] if the threads for backpropagation cannot be started.
pub fn choose(setup: &Setup, device: &Device, learn: bool) -> Result<Box<dyn Engine>> {
    if learn && setup.follows_gradient() {
        return Ok(Box::new(gradient::Gradient::new(setup)?));
    }
    Ok(forward(setup, device))
}

/// The parts of the device memory that the chosen engine needs besides the weights.
fn chosen_memory(setup: &Setup, sizes: &Sizes) -> Vec<Part> {
    match sizes.learn && setup.follows_gradient() {
        true => gradient::memory(setup, sizes),
        false => forward(setup, sizes.device).memory(setup, sizes),
    }
}

/// The fastest engine for trials that need no gradient.
fn forward(setup: &Setup, device: &Device) -> Box<dyn Engine> {
    let mut engines = by_speed().into_iter();
    engines.find(|engine| engine.refuses(setup, device).is_none()).unwrap_or_else(|| Box::new(reference::Reference))
}

/// The reason why training runs on plain candle operations on a device; `None`: it runs on fused kernels.
pub fn why_plain(setup: &Setup, device: &Device) -> Option<String> {
    if setup.follows_gradient() {
        return adjoint::refuses(setup, device).map(|refusal| refusal.reason);
    }
    let refusals: Option<Vec<Refusal>> = by_speed().iter().map(|engine| engine.refuses(setup, device)).collect();
    let of_this_device = refusals?.into_iter().find(|refusal| refusal.concerns != Concern::Device);
    Some(of_this_device.map_or("this device has no fused kernels".into(), |refusal| refusal.reason))
}

/// The kind of product of weights and rates in a setup's trials, and the reason for it; `None`: the fused kernels of the CPU
/// do not run these trials.
pub(crate) fn chosen_product(setup: &Setup, device: &Device, learn: bool) -> (Option<Product>, String) {
    let refused = match learn && setup.follows_gradient() {
        true => adjoint::refuses(setup, device),
        false => cpu::Cpu::default().refuses(setup, device),
    };
    if let Some(refusal) = refused {
        return (None, refusal.reason);
    }
    let (product, why) = Product::of_rates(setup.config.network.neurons);
    (Some(product), why)
}

/// The engines that are faster than plain candle operations, the fastest first.
fn by_speed() -> Vec<Box<dyn Engine>> {
    vec![
        #[cfg(feature = "cuda")]
        Box::new(cuda::Cuda::default()),
        Box::new(cpu::Cpu::default()),
    ]
}
