//! Copies to a GPU that run beside its kernels: from memory that the GPU reads by itself, on a stream of their own.

use super::machine::Uploads;
use super::params::Address;
use candle_core::cuda_backend::cudarc::driver::{
    result::memcpy_htod_async, CudaEvent, CudaSlice, CudaStream, DevicePtr, PinnedHostSlice,
};
use candle_core::cuda_backend::WrapErr;
use candle_core::{CudaDevice, Result};
use std::sync::Arc;

/// Two pieces, the stream of the copies into them, and that of the kernels.
pub(super) struct GpuUploads {
    copies: Arc<CudaStream>,
    kernels: Arc<CudaStream>,
    pieces: [Piece; 2],
}

struct Piece {
    host: PinnedHostSlice<u32>,
    device: CudaSlice<u32>,
    /// The last copy is done.
    copied: CudaEvent,
    /// The last kernel that reads the last copy is done.
    read: CudaEvent,
}

impl GpuUploads {
    pub fn new(device: &CudaDevice, words: usize) -> Result<Self> {
        let kernels = device.cuda_stream();
        let context = kernels.context();
        let piece = || -> Result<Piece> {
            // SAFETY: what is read of both was written before: `fill` writes all that it copies, and a kernel reads no more
            // than what was copied.
            let (host, device) = unsafe { (context.alloc_pinned(words).w()?, device.alloc(words)?) };
            Ok(Piece { host, device, copied: context.new_event(None).w()?, read: context.new_event(None).w()? })
        };
        let pieces = [piece()?, piece()?];
        // The copies' stream must not use the memory before it is there.
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
        // SAFETY: the device's memory is as long as the host's, and no kernel that was started so far reads it any more. The
        // host's memory is not touched before `copied`, nor freed before the stream has ended (`drop`).
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
        // Memory is freed in the order of the kernels' stream, which may not have waited for the last copy. Where the device
        // does not answer any more, there is nothing to wait for.
        let _ = self.copies.synchronize();
    }
}
