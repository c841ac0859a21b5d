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
mod memory;
mod params;
mod shape;
#[cfg(all(test, target_os = "linux"))]
mod tests;
#[cfg(feature = "cuda")]
mod uploads;

#[cfg(feature = "cuda")]
mod entry {
    use super::driver;
    use super::gpu::Gpu;
    use crate::batch::TrialBatch;
    use crate::config::{Config, Kernels, Precision};
    use crate::eligibility::Workspace;
    use crate::episode::{Ensemble, Episode, Record};
    use crate::ops::known_to_fused_kernels;
    use candle_core::{Device, Result};

    /// Whether [`run`] can do what the configuration asks for.
    pub fn supports(config: &Config, device: &Device) -> bool {
        known_to_fused_kernels(config)
            && device.is_cuda()
            && config.train.kernels != Kernels::Reference
            && config.train.dtype == Precision::F32
    }

    /// Runs all trials of a batch; with `learn`, accumulates the eligibility. The twin is [`crate::episode::run`].
    pub fn run(
        ensemble: &Ensemble,
        batch: &TrialBatch,
        learn: bool,
        record: Record,
        workspace: &mut Workspace,
    ) -> Result<Episode> {
        let gpu = Gpu::new(ensemble.weights.w_rec.device().as_cuda_device()?)?;
        driver::run(&gpu, ensemble, batch, learn, record, workspace)
    }
}
#[cfg(feature = "cuda")]
pub use entry::{run, supports};
