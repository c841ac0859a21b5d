//! A CUDA device: kernels were compiled to PTX when the program was built, and the driver compiles that for its GPU.

use super::machine::{Kernel, Machine, Shape};
use super::params::Params;
use super::uploads::GpuUploads;
use super::{HISTORY_BYTES, UPLOAD_STEPS};
use candle_core::cuda_backend::cudarc::driver::sys::{CUdevice_attribute, CUfunction_attribute};
use candle_core::cuda_backend::cudarc::driver::{DeviceRepr, LaunchConfig, PushKernelArg};
use candle_core::cuda_backend::WrapErr;
use candle_core::{CudaDevice, Result};

const STEP: &str = include_str!(concat!(env!("OUT_DIR"), "/step.ptx"));
const ELIGIBILITY: &str = include_str!(concat!(env!("OUT_DIR"), "/eligibility.ptx"));
const WHOLE_TRIAL: &str = include_str!(concat!(env!("OUT_DIR"), "/whole_trial.ptx"));

/// Shared memory that every launch may have without asking.
const FREELY_SHARED: usize = 48 << 10;

// SAFETY: plain numbers in C layout, the same as the kernels' `struct Trials`.
unsafe impl DeviceRepr for Params {}

pub(super) struct Gpu<'a> {
    device: &'a CudaDevice,
    shared_bytes: usize,
    processors: usize,
}

impl<'a> Gpu<'a> {
    pub fn new(device: &'a CudaDevice) -> Result<Self> {
        let stream = device.cuda_stream();
        let attribute = |which| stream.context().attribute(which).w().map(|value| value as usize);
        Ok(Gpu {
            device,
            shared_bytes: attribute(CUdevice_attribute::CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_BLOCK_OPTIN)?,
            processors: attribute(CUdevice_attribute::CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT)?,
        })
    }
}

impl Machine for Gpu<'_> {
    type Uploads = GpuUploads;

    fn uploads(&self, words: usize) -> Result<GpuUploads> {
        GpuUploads::new(self.device, words)
    }

    fn upload_steps(&self) -> usize {
        UPLOAD_STEPS
    }

    fn shared_bytes(&self) -> usize {
        self.shared_bytes
    }

    fn processors(&self) -> usize {
        self.processors
    }

    fn history_bytes(&self) -> usize {
        HISTORY_BYTES as usize
    }

    fn launch(&self, kernel: Kernel, shape: Shape, params: &Params) -> Result<()> {
        let (module, ptx) = match kernel {
            Kernel::Step | Kernel::FinishTrace => ("hebbian_step", STEP),
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
        // SAFETY: the kernel's only argument is this struct. Its addresses belong to tensors of this device that the driver
        // keeps, with the shapes that `kernels/trials.cuh` states; memory is freed in the order of this same stream.
        unsafe { builder.launch(launch) }.w()?;
        Ok(())
    }
}
