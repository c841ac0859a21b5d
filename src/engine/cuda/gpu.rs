//! A CUDA device. The kernels are compiled to PTX when the program is built; the driver compiles the PTX for its GPU.

use super::machine::{Kernel, Limits, Machine, Shape};
use super::params::Params;
use super::uploads::GpuUploads;
use super::{driver, tensors, Workspace};
use crate::config::{Distribution, Kernels};
use crate::engine::memory::{parts, Part, Sizes};
use crate::engine::{fused, Concern, Eligibility, Engine, Ensemble, Episode, Record, Refusal, TrialBatch};
use crate::rules::FusedRule;
use crate::setup::Setup;
use crate::tasks::Problem;
use candle_core::cuda_backend::cudarc::driver::sys::{CUdevice_attribute, CUfunction_attribute};
use candle_core::cuda_backend::cudarc::driver::{DeviceRepr, LaunchConfig, PushKernelArg};
use candle_core::cuda_backend::WrapErr;
use candle_core::{CudaDevice, Device, Result};

/// The most memory for the history of the eligibility's factors.
const HISTORY_BYTES: usize = 2 << 30;
/// How many drawn steps are uploaded at a time. A batch must wait for its first upload, and each upload costs a launch
/// that reads w_rec again.
const UPLOAD_STEPS: usize = 128;

const STEP: &str = include_str!(concat!(env!("OUT_DIR"), "/step.ptx"));
const ELIGIBILITY: &str = include_str!(concat!(env!("OUT_DIR"), "/eligibility.ptx"));
const WHOLE_TRIAL: &str = include_str!(concat!(env!("OUT_DIR"), "/whole_trial.ptx"));

/// The shared memory that a block may use without setting an attribute of the kernel.
const FREELY_SHARED: usize = 48 << 10;

// SAFETY: plain numbers in C layout, the same as `struct Trials` in the kernels.
unsafe impl DeviceRepr for Params {}

pub(super) struct Gpu<'a> {
    device: &'a CudaDevice,
    limits: Limits,
}

impl<'a> Gpu<'a> {
    pub fn new(device: &'a CudaDevice) -> Result<Self> {
        let stream = device.cuda_stream();
        let attribute = |which| stream.context().attribute(which).w().map(|value| value as usize);
        Ok(Gpu {
            device,
            limits: Limits {
                shared_bytes: attribute(CUdevice_attribute::CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_BLOCK_OPTIN)?,
                processors: attribute(CUdevice_attribute::CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT)?,
                upload_steps: UPLOAD_STEPS,
                history_bytes: HISTORY_BYTES,
            },
        })
    }
}

impl Machine for Gpu<'_> {
    type Uploads = GpuUploads;

    fn limits(&self) -> Limits {
        self.limits
    }

    fn uploads(&self, words: usize) -> Result<GpuUploads> {
        GpuUploads::new(self.device, words)
    }

    fn launch(&self, kernel: Kernel, shape: Shape, params: &Params) -> Result<()> {
        let (module, ptx) = match kernel {
            Kernel::Step | Kernel::FinishFastWeights | Kernel::FilterBack => ("hebbian_step", STEP),
            Kernel::Eligibility => ("hebbian_eligibility", ELIGIBILITY),
            Kernel::WholeTrial2 | Kernel::WholeTrial4 | Kernel::WholeTrial8 => ("hebbian_whole_trial", WHOLE_TRIAL),
        };
        let function = self.device.get_or_load_custom_func(kernel.name(), module, ptx)?;
        if shape.shared_bytes > FREELY_SHARED {
            let attribute = CUfunction_attribute::CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES;
            function.set_attribute(attribute, shape.shared_bytes as i32).w()?;
        }
        let launch = LaunchConfig {
            grid_dim: (shape.blocks as u32, 1, 1),
            block_dim: (shape.threads as u32, 1, 1),
            shared_mem_bytes: shape.shared_bytes as u32,
        };
        let mut builder = function.builder();
        builder.arg(params);
        // SAFETY: the kernel's only argument is this struct. Its addresses belong to tensors of this device with the
        // shapes that `kernels/trials.cuh` states; the driver keeps them, and memory is freed in the order of this same
        // stream.
        unsafe { builder.launch(launch) }.w()?;
        Ok(())
    }
}

/// The fused kernels of CUDA GPUs.
#[derive(Default)]
pub(in crate::engine) struct Cuda {
    workspace: Workspace<GpuUploads>,
}

impl Engine for Cuda {
    fn refuses(&self, setup: &Setup, device: &Device) -> Option<Refusal> {
        if !device.is_cuda() {
            return Some(Refusal::new(Concern::Device, "the device is not a CUDA GPU"));
        }
        if let Problem::Episodes(_) = setup.task {
            return Some(Refusal::new(Concern::Setup, "an environment (its steps run on the host)"));
        }
        if matches!(setup.rule.fused(), Some(FusedRule::DeltaX { exponent, .. }) if exponent != 3) {
            return Some(Refusal::new(Concern::Setup, "rule.exponent other than 3"));
        }
        fused::refuses(setup, &[Kernels::Fused, Kernels::Stepwise], fused::Of::Trials)
    }

    fn memory(&self, setup: &Setup, sizes: &Sizes) -> Vec<Part> {
        let &Sizes { n, t, trials, float, .. } = sizes;
        let whole = sizes.vectors(2.0 * t);
        let history = match fused::filters_back(setup) {
            true => whole,
            false => whole.min((HISTORY_BYTES as f64).max(sizes.vectors(2.0))),
        };
        let fast_weights = &setup.config.fast_weights;
        // A persistent H exists alongside the list of its changes.
        let (neurons, early) =
            (setup.config.network.neurons, setup.task.trials().is_some_and(|task| task.lengths_vary()));
        let changes = tensors::listed_changes(fast_weights, neurons, sizes.shape.steps, early);
        let listed = trials * changes as f64 * (2.0 * n + 1.0) * float;
        // Two stretches, each with an eighth of its size to spare.
        let stretches = 2.25 * t.min(UPLOAD_STEPS as f64);
        let gaussian = setup.config.perturbation.distribution == Some(Distribution::Gaussian);
        let dense = f64::from(u8::from(gaussian)) + f64::from(u8::from(setup.config.network.private_noise > 0.0));
        let drawn = sizes.drawn(stretches) + sizes.vectors(stretches * dense);
        // Outputs, and the errors of `rflo`.
        let outputs = 2.0 * trials * t * sizes.shape.n_out as f64 * float;
        let eligibility = fused::eligibility(setup, sizes, history);
        let fast_weights = sizes.fast_weights(fast_weights, 1.0) + listed;
        parts(eligibility, fast_weights, drawn + outputs + sizes.vectors(8.0))
    }

    fn run(
        &mut self,
        ensemble: &Ensemble,
        batch: &TrialBatch,
        learn: bool,
        record: Record,
    ) -> crate::error::Result<Episode> {
        let gpu = Gpu::new(ensemble.weights.w_rec.device().as_cuda_device()?)?;
        Ok(driver::run(&gpu, ensemble, batch, learn, record, &mut self.workspace)?)
    }

    fn recycle(&mut self, spent: Eligibility) {
        self.workspace.recycle(spent);
    }
}
