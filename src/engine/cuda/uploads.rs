//! Uploads to a GPU that run alongside its kernels, from pinned host memory on a separate stream.

use super::machine::Uploads;
use super::params::Address;
use candle_core::cuda_backend::cudarc::driver::{
    result::memcpy_htod_async, CudaEvent, CudaSlice, CudaStream, DevicePtr, PinnedHostSlice,
};
use candle_core::cuda_backend::WrapErr;
use candle_core::{CudaDevice, Result};
use std::sync::Arc;

/// Two pieces of memory, filled on one stream and read by kernels on another.
pub(super) struct GpuUploads {
    copies: Arc<CudaStream>,
    kernels: Arc<CudaStream>,
    pieces: [Piece; 2],
}

struct Piece {
    host: PinnedHostSlice<u32>,
    device: CudaSlice<u32>,
    /// Signals that the last copy is complete.
    copied: CudaEvent,
    /// Signals that the last kernel to read this copy has ended.
    read: CudaEvent,
}

impl GpuUploads {
    pub fn new(device: &CudaDevice, words: usize) -> Result<Self> {
        let kernels = device.cuda_stream();
        let context = kernels.context();
        let piece = || -> Result<Piece> {
            // SAFETY: neither is read before it is written: `fill` writes all that it copies, and kernels read only
            // that.
            let (host, device) = unsafe { (context.alloc_pinned(words).w()?, device.alloc(words)?) };
            Ok(Piece { host, device, copied: context.new_event(None).w()?, read: context.new_event(None).w()? })
        };
        let pieces = [piece()?, piece()?];
        // A fork of the kernels' stream comes after the allocations on it.
        Ok(GpuUploads { copies: kernels.fork().w()?, kernels, pieces })
    }
}

impl Uploads for GpuUploads {
    fn words(&self) -> usize {
        self.pieces[0].host.len()
    }

    fn fill(&mut self, piece: usize, words: usize, write: impl FnOnce(&mut [u32])) -> Result<Address> {
        let Piece { host, device, copied, read } = &mut self.pieces[piece];
        copied.synchronize().w()?;
        let filled = &mut host.as_mut_slice().w()?[..words];
        write(filled);
        self.copies.wait(read).w()?;
        let (to, _) = device.device_ptr(&self.copies);
        // SAFETY: both have the same length, and the copy waits for the kernels that read the device memory. The host
        // memory is neither touched before `copied` nor freed before the stream has finished (`drop`).
        unsafe { memcpy_htod_async(to, filled, self.copies.cu_stream()) }.w()?;
        copied.record(&self.copies).w()?;
        Ok(to)
    }

    fn begin_reading(&mut self, piece: usize) -> Result<()> {
        self.kernels.wait(&self.pieces[piece].copied).w()
    }

    fn end_reading(&mut self, piece: usize) -> Result<()> {
        self.pieces[piece].read.record(&self.kernels).w()
    }
}

impl Drop for GpuUploads {
    fn drop(&mut self) {
        // Memory is freed in the order of the kernels' stream, which may not have waited for the last copy. If the
        // device no longer responds, there is nothing to wait for.
        let _ = self.copies.synchronize();
    }
}
