//! What the driver needs of a device beyond candle's tensors: to start a kernel.

use super::params::{Address, Params};
use candle_core::{CpuStorage, InplaceOp1, Layout, Result, Tensor};
use std::sync::atomic::{AtomicU64, Ordering};

/// Each kernel, named as in `kernels/*.cu`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kernel {
    Step,
    FinishTrace,
    Eligibility,
    WholeTrial2,
    WholeTrial4,
    WholeTrial8,
}

impl Kernel {
    pub fn name(self) -> &'static str {
        match self {
            Kernel::Step => "step",
            Kernel::FinishTrace => "finish_trace",
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

/// A device, real or emulated. Kernels run in the order in which they are asked for.
pub(super) trait Machine {
    /// Its memory for what is drawn.
    type Uploads: Uploads + Send + 'static;
    /// Room for two pieces of `words` words.
    fn uploads(&self, words: usize) -> Result<Self::Uploads>;
    /// How many steps should be uploaded at a time.
    fn upload_steps(&self) -> usize;
    /// The most memory that the threads of a block can share.
    fn shared_bytes(&self) -> usize;
    /// How many blocks should run at a time to keep the device busy.
    fn processors(&self) -> usize;
    /// The most memory that a block of history should take.
    fn history_bytes(&self) -> usize;
    /// Starts a kernel. The driver sees to it that every address belongs to a tensor that outlives the call.
    fn launch(&self, kernel: Kernel, shape: Shape, params: &Params) -> Result<()>;
}

/// Two pieces of device memory for what is drawn: kernels read one while the other is filled.
pub(super) trait Uploads {
    /// How many words each piece has.
    fn words(&self) -> usize;
    /// Fills the first `words` words of a piece, once nothing reads it any more, and returns where it starts. Only `write`
    /// and a copy before the last of this piece are waited for.
    fn fill(&mut self, piece: usize, words: usize, write: impl FnOnce(&mut [u32])) -> Result<Address>;
    /// Kernels that are started from now on find what was filled in.
    fn begin_reading(&mut self, piece: usize) -> Result<()>;
    /// Kernels that are started from now on do not read the piece.
    fn end_reading(&mut self, piece: usize) -> Result<()>;
}

/// Where a contiguous tensor's memory starts.
pub(super) fn address(tensor: &Tensor) -> Result<Address> {
    if !tensor.is_contiguous() {
        candle_core::bail!("a kernel needs contiguous tensors, not {:?}", tensor.layout());
    }
    let find = Find(AtomicU64::new(0));
    tensor.inplace_op1(&find)?;
    Ok(find.0.into_inner())
}

/// An operation that changes nothing and notes where the memory is: candle gives access to it in this way only.
struct Find(AtomicU64);

impl Find {
    fn found(&self, start: u64, layout: &Layout, size: usize) {
        self.0.store(start + (layout.start_offset() * size) as u64, Ordering::Relaxed);
    }
}

impl InplaceOp1 for Find {
    fn name(&self) -> &'static str {
        "address"
    }

    fn cpu_fwd(&self, storage: &mut CpuStorage, layout: &Layout) -> Result<()> {
        match storage {
            CpuStorage::F32(values) => self.found(values.as_mut_ptr() as u64, layout, size_of::<f32>()),
            CpuStorage::U32(values) => self.found(values.as_mut_ptr() as u64, layout, size_of::<u32>()),
            _ => candle_core::bail!("kernels know f32 and u32 only"),
        }
        Ok(())
    }

    #[cfg(feature = "cuda")]
    fn cuda_fwd(&self, storage: &mut candle_core::CudaStorage, layout: &Layout) -> Result<()> {
        use candle_core::backend::BackendStorage;
        use candle_core::cuda_backend::cudarc::driver::DevicePtrMut;
        let stream = storage.device().cuda_stream();
        match storage.dtype() {
            candle_core::DType::F32 => {
                let (start, _) = storage.as_cuda_slice_mut::<f32>()?.device_ptr_mut(&stream);
                self.found(start, layout, size_of::<f32>());
            }
            candle_core::DType::U32 => {
                let (start, _) = storage.as_cuda_slice_mut::<u32>()?.device_ptr_mut(&stream);
                self.found(start, layout, size_of::<u32>());
            }
            _ => candle_core::bail!("kernels know f32 and u32 only"),
        }
        Ok(())
    }
}
