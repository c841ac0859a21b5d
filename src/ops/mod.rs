//! Fused operations. Each has a plain-candle twin that says what it computes, and tests that hold the two together.
//!
//! | fused | twin |
//! |---|---|
//! | [`tanh::tanh`] | `Tensor::tanh` |
//! | [`cpu::run`] | [`crate::episode::run`] |
//! | `cuda::run`, with the feature `cuda` | [`crate::episode::run`] |

pub mod cpu;
#[cfg(any(feature = "cuda", test))]
#[allow(unsafe_code)] // Launches of kernels, and of the same kernels compiled as C++ in tests.
pub mod cuda;
#[allow(unsafe_code)] // The `gemm` crate's products take pointers.
mod product;
pub(crate) use product::{product, Strides};
pub mod tanh;

use crate::batch::TrialBatch;
use crate::config::{Config, Dynamics};
use crate::eligibility::Workspace;
use crate::episode::{Ensemble, Episode, Record};
use candle_core::{Device, Result};

/// Runs a batch of trials; with `true`, learns.
pub(crate) type Run = fn(&Ensemble, &TrialBatch, bool, Record, &mut Workspace) -> Result<Episode>;

/// The fused kernels that can do what the configuration asks for on this device; `None`: there are none.
pub(crate) fn fused(config: &Config, device: &Device) -> Option<Run> {
    #[cfg(feature = "cuda")]
    if cuda::supports(config, device) {
        return Some(cuda::run);
    }
    cpu::supports(config, device).then_some(cpu::run as Run)
}

/// Whether the network, its rule and its modulator are among those that fused kernels compute, on any device.
fn known_to_fused_kernels(config: &Config) -> bool {
    let network = &config.network;
    network.dynamics != Dynamics::LeakyRate
        && network.private_noise == 0.0
        && network.feedback_scale == 0.0
        && !config.reads_error_online()
        && !config.modulator.binary
}
