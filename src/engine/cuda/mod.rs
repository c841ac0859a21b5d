//! A batch of trials on a CUDA GPU, fused. The kernels are in `kernels/`; docs/gpu.md says how they work.
//!
//! Whole trials in one launch where a network's w_rec fits into the memory of a block of threads, else one launch a step.
//! All is f32; results repeat to the bit. The driver needs of a device only what [`machine::Machine`] asks for, so tests run
//! it, and the kernels as C++, where there is no GPU.

mod drawn;
mod driver;
#[cfg(all(test, target_os = "linux"))]
mod emulated;
#[cfg(feature = "cuda")]
mod gpu;
mod machine;
mod params;
mod shape;
mod tensors;
#[cfg(all(test, target_os = "linux"))]
mod tests;
#[cfg(feature = "cuda")]
mod uploads;

#[cfg(feature = "cuda")]
pub(super) use gpu::Cuda;

use super::eligibility::Eligibility;
use candle_core::Tensor;
use std::sync::Mutex;

/// What is kept from one batch to the next.
pub(super) struct Workspace<U> {
    /// The memory of the last eligibility, and whether it is lent and may come back.
    eligibility: Option<Tensor>,
    lent: bool,
    history: Option<Tensor>,
    /// A device's own memory need not be for several threads; nobody but the engine's owner takes it.
    uploads: Mutex<Option<U>>,
}

impl<U> Default for Workspace<U> {
    fn default() -> Self {
        Workspace { eligibility: None, lent: false, history: None, uploads: Mutex::new(None) }
    }
}

impl<U> Workspace<U> {
    /// Takes an eligibility's memory back, where it came from here.
    fn recycle(&mut self, spent: Eligibility) {
        if let (true, Eligibility::Tensor(tensor)) = (std::mem::take(&mut self.lent), spent) {
            self.eligibility = Some(tensor);
        }
    }
}
