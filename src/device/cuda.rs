//! CUDA GPUs: opened without ever panicking, and described.

use anyhow::{anyhow, ensure, Context, Result};
use candle_core::cuda_backend::cudarc::driver::CudaContext;
use candle_core::Device;

/// How many GPUs the driver shows.
pub(super) fn count() -> Result<usize> {
    libraries()?;
    let count =
        super::caught(|| Ok(CudaContext::device_count()?)).map_err(|why| anyhow!("no GPU can be used: {why:#}"))?;
    ensure!(count > 0, "no GPU is there");
    Ok(count as usize)
}

/// Opens a GPU.
pub(super) fn open(index: usize) -> Result<Device> {
    let count = count()?;
    ensure!(index < count, "there is no GPU {index}; found {count}");
    // A stream of its own, for candle's default one is another in each thread.
    let device = super::caught(|| Ok(Device::new_cuda_with_stream(index)?))
        .with_context(|| format!("GPU {index} cannot be used"))?;
    // SAFETY: all work of a device is put on its one stream, so it is done in the order in which it is asked for, and so is
    // the freeing of memory. Nothing has to be tracked.
    unsafe { device.as_cuda_device()?.disable_event_tracking() };
    Ok(device)
}

/// Name, capability and memory of an open GPU.
pub(super) fn describe(device: &Device) -> Result<String> {
    let stream = device.as_cuda_device()?.cuda_stream();
    let context = stream.context();
    let ((major, minor), (free, total)) = (context.compute_capability()?, context.mem_get_info()?);
    Ok(format!(
        "{}, compute capability {major}.{minor}, {} of {} free",
        context.name()?,
        crate::memory::in_words(free as u64),
        crate::memory::in_words(total as u64)
    ))
}

/// Free memory in bytes.
pub(super) fn free_memory(device: &Device) -> Result<u64> {
    Ok(device.as_cuda_device()?.cuda_stream().context().mem_get_info()?.0 as u64)
}

/// Whether every library that candle opens is there. A program that loads them when it runs would panic without.
#[cfg(feature = "dynamic-loading")]
fn libraries() -> Result<()> {
    use candle_core::cuda_backend::cudarc::{cublas, curand, driver};
    // SAFETY: these open a library and close it again.
    let present = unsafe {
        [
            ("libcuda, the driver,", driver::sys::is_culib_present()),
            ("libcublas", cublas::sys::is_culib_present()),
            ("libcurand", curand::sys::is_culib_present()),
        ]
    };
    match present.iter().find(|(_, found)| !found) {
        Some((missing, _)) => Err(anyhow!("{missing} was not found (LD_LIBRARY_PATH names folders to look in)")),
        None => Ok(()),
    }
}

/// A program linked with them would not have started.
#[cfg(not(feature = "dynamic-loading"))]
fn libraries() -> Result<()> {
    Ok(())
}
