//! The driver's requirements on a device beyond candle's tensors: its limits, background uploads, and kernel
//! launches.

use super::params::{Address, Params};
use candle_core::{CpuStorage, InplaceOp1, Layout, Result, Tensor};
use std::sync::atomic::{AtomicU64, Ordering};

/// The kernels in `kernels/*.cu`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kernel {
    Step,
    FinishFastWeights,
    FilterBack,
    Eligibility,
    WholeTrial2,
    WholeTrial4,
    WholeTrial8,
}

impl Kernel {
    /// Its name in the source.
    pub fn name(self) -> &'static str {
        match self {
            Kernel::Step => "step",
            Kernel::FinishFastWeights => "finish_fast_weights",
            Kernel::FilterBack => "filter_back",
            Kernel::Eligibility => "eligibility",
            Kernel::WholeTrial2 => "whole_trial_2",
            Kernel::WholeTrial4 => "whole_trial_4",
            Kernel::WholeTrial8 => "whole_trial_8",
        }
    }
}

/// The shape of a launch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Shape {
    pub blocks: usize,
    pub threads: usize,
    pub shared_bytes: usize,
}

/// The limits of a device.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    /// The most memory that the threads of a block can share.
    pub shared_bytes: usize,
    /// How many blocks must run at a time to keep the device busy.
    pub processors: usize,
    /// How many drawn steps are uploaded at a time.
    pub upload_steps: usize,
    /// The most memory for the history of the eligibility's factors.
    pub history_bytes: usize,
}

/// A device, real or emulated. Kernels run in the order in which they are launched.
pub(super) trait Machine {
    /// Device memory for what was drawn.
    type Uploads: Uploads + Send + Sync + 'static;

    fn limits(&self) -> Limits;

    /// Makes room for two pieces of `words` words.
    fn uploads(&self, words: usize) -> Result<Self::Uploads>;

    /// Launches a kernel. Every address in `params` belongs to a tensor that the caller keeps until after the call.
    fn launch(&self, kernel: Kernel, shape: Shape, params: &Params) -> Result<()>;
}

/// Two pieces of device memory for what was drawn: kernels read one while the other is filled.
pub(super) trait Uploads {
    /// The length of each piece.
    fn words(&self) -> usize;

    /// Fills the first `words` words of a piece once no kernel reads it any longer, and returns its address. Waits only
    /// for `write` and for the previous copy into the same piece.
    fn fill(&mut self, piece: usize, words: usize, write: impl FnOnce(&mut [u32])) -> Result<Address>;

    /// Kernels launched from now on see what `fill` wrote into the piece.
    fn begin_reading(&mut self, piece: usize) -> Result<()>;

    /// Kernels launched from now on do not read the piece.
    fn end_reading(&mut self, piece: usize) -> Result<()>;
}

/// The address of a contiguous tensor of f32 or u32.
pub(super) fn address(tensor: &Tensor) -> Result<Address> {
    if !tensor.is_contiguous() {
        candle_core::bail!("a kernel needs contiguous tensors, not {:?}", tensor.layout());
    }
    let find = FindAddress(AtomicU64::new(0));
    tensor.inplace_op1(&find)?;
    Ok(find.0.into_inner() + (tensor.layout().start_offset() * size_of::<f32>()) as Address)
}

/// An operation that changes nothing and only records where a tensor's storage starts; candle gives mutable access in
/// no other way.
struct FindAddress(AtomicU64);

impl InplaceOp1 for FindAddress {
    fn name(&self) -> &'static str {
        "address"
    }

    fn cpu_fwd(&self, storage: &mut CpuStorage, _: &Layout) -> Result<()> {
        let start = match storage {
            CpuStorage::F32(values) => values.as_mut_ptr() as Address,
            CpuStorage::U32(values) => values.as_mut_ptr() as Address,
            _ => candle_core::bail!("kernels take f32 and u32 only"),
        };
        self.0.store(start, Ordering::Relaxed);
        Ok(())
    }

    #[cfg(feature = "cuda")]
    fn cuda_fwd(&self, storage: &mut candle_core::CudaStorage, _: &Layout) -> Result<()> {
        use candle_core::cuda_backend::{cudarc::driver::DevicePtrMut, CudaStorageSlice};
        let stream = storage.device.cuda_stream();
        let start = match &mut storage.slice {
            CudaStorageSlice::F32(values) => values.device_ptr_mut(&stream).0,
            CudaStorageSlice::U32(values) => values.device_ptr_mut(&stream).0,
            _ => candle_core::bail!("kernels take f32 and u32 only"),
        };
        self.0.store(start, Ordering::Relaxed);
        Ok(())
    }
}
