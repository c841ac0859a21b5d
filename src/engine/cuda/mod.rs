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
mod tensors;
mod params;
mod shape;
#[cfg(all(test, target_os = "linux"))]
mod tests;
#[cfg(feature = "cuda")]
mod uploads;

use super::eligibility::Eligibility;
use super::memory::{Part, Sizes};
use crate::presets::Setup;
use crate::rules::FusedRule;
use candle_core::Tensor;
use std::sync::Mutex;

/// Most bytes that the kernels give to a block of the eligibility's factors.
const HISTORY_BYTES: u64 = 2 << 30;
/// Steps of what is drawn that the kernels are given at a time: the first such stretch of a trial is waited for, and each costs
/// a launch in which w_rec is read again.
const UPLOAD_STEPS: usize = 128;

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

/// What the kernels need of a GPU's memory beside weights.
fn memory(setup: &Setup, sizes: &Sizes) -> Vec<Part> {
    let &Sizes { n, t, trials, float, .. } = sizes;
    let rule = setup.rule.fused().filter(|_| sizes.learn).unwrap_or(FusedRule::Nothing);
    let history = sizes.vectors(2.0 * t).min((HISTORY_BYTES as f64).max(sizes.vectors(2.0)));
    let (eligibility, factors) = match rule {
        FusedRule::DeltaX(_) | FusedRule::Eh(_) => (sizes.matrix(), history),
        FusedRule::NodePerturbation => (sizes.matrix(), 0.0),
        FusedRule::FastWeights => (sizes.matrix(), 0.0),
        FusedRule::Nothing => (0.0, 0.0),
    };
    let fast_weights = &setup.config.fast_weights;
    // The list of what was added to H may stand beside it.
    let listed = fast_weights.listed_changes(setup.config.network.neurons, sizes.shape.steps) as f64;
    let listed = trials * listed * (2.0 * n + 1.0) * float;
    // Two stretches of what is drawn at a time, and somewhat more room than they need.
    let drawn = sizes.drawn(2.25 * t.min(UPLOAD_STEPS as f64));
    let outputs = trials * t * sizes.shape.n_out as f64 * float;
    vec![
        Part::new("eligibility", eligibility),
        Part::new("factors of the eligibility", factors),
        Part::new("fast weights", sizes.fast_weights(fast_weights, 1.0) + listed),
        Part::new("trials", drawn + outputs + sizes.vectors(8.0)),
    ]
}

#[cfg(feature = "cuda")]
mod engine {
    use super::gpu::Gpu;
    use super::uploads::GpuUploads;
    use super::{driver, memory, Workspace};
    use crate::config::Kernels;
    use crate::engine::memory::{Part, Sizes};
    use crate::engine::{fused, Eligibility, Engine, Ensemble, Episode, Record, TrialBatch};
    use crate::presets::Setup;
    use candle_core::Device;

    /// The fused kernels of CUDA GPUs.
    #[derive(Default)]
    pub(in crate::engine) struct Cuda {
        workspace: Workspace<GpuUploads>,
    }

    impl Engine for Cuda {
        fn name(&self) -> &'static str {
            "cuda"
        }

        fn refuses(&self, setup: &Setup, device: &Device) -> Option<String> {
            if !device.is_cuda() {
                return Some("the device is not a CUDA GPU".into());
            }
            match setup.config.train.kernels {
                Kernels::Fused | Kernels::Stepwise => fused::refuses(setup),
                Kernels::Reference => Some("train.kernels asks for others".into()),
            }
        }

        fn memory(&self, setup: &Setup, sizes: &Sizes) -> Vec<Part> {
            memory(setup, sizes)
        }

        fn run(
            &mut self,
            ensemble: &Ensemble,
            batch: &TrialBatch,
            learn: bool,
            record: Record,
        ) -> crate::Result<Episode> {
            let gpu = Gpu::new(ensemble.weights.w_rec.device().as_cuda_device()?)?;
            Ok(driver::run(&gpu, ensemble, batch, learn, record, &mut self.workspace)?)
        }

        fn recycle(&mut self, spent: Eligibility) {
            self.workspace.recycle(spent);
        }
    }
}
#[cfg(feature = "cuda")]
pub(super) use engine::Cuda;
