//! The fused CUDA engine: runs a batch of trials with the kernels in `kernels/`, which docs/gpu.md describes.
//!
//! If w_rec fits into the shared memory of a block of threads, a whole stretch of a trial is one launch; otherwise each
//! step is one. All arithmetic is f32, and results are reproducible to the bit. The driver reaches the device only
//! through [`machine::Machine`], so the tests can run it without a GPU, with the kernels compiled as C++.

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

/// Device memory that is kept from one batch to the next.
pub(super) struct Workspace<U> {
    /// The memory of the last eligibility, for reuse.
    eligibility: Option<Tensor>,
    /// Whether an episode holds that memory now and may give it back.
    lent: bool,
    /// The memory of the eligibility's factors.
    history: Option<Tensor>,
    uploads: Option<U>,
}

impl<U> Default for Workspace<U> {
    fn default() -> Self {
        Workspace { eligibility: None, lent: false, history: None, uploads: None }
    }
}

impl<U> Workspace<U> {
    /// Takes an eligibility's memory back if it came from here.
    fn recycle(&mut self, spent: Eligibility) {
        if let (true, Eligibility::Tensor(tensor)) = (std::mem::take(&mut self.lent), spent) {
            self.eligibility = Some(tensor);
        }
    }
}
