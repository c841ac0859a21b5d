//! CUDA GPUs: opened without ever panicking, and described.

use crate::error::{bail, ensure, At, Error, Result};
use crate::text::bytes;
use candle_core::cuda_backend::cudarc::driver::result::{device::get_default_mem_pool, mem_pool, DriverError};
use candle_core::cuda_backend::cudarc::driver::sys::CUmemPool_attribute as PoolAttribute;
use candle_core::cuda_backend::cudarc::driver::CudaContext;
use candle_core::Device;

/// What the driver says.
fn failed(error: DriverError) -> Error {
    Error::Device(error.to_string())
}

/// How many GPUs the driver shows.
pub(super) fn count() -> Result<usize> {
    libraries()?;
    let count = super::caught(|| CudaContext::device_count().map_err(failed)).at("no GPU can be used")?;
    ensure!(count > 0, Device, "no GPU is there");
    Ok(count as usize)
}

/// Opens a GPU.
pub(super) fn open(index: usize) -> Result<Device> {
    let count = count()?;
    ensure!(index < count, Device, "there is no GPU {index}; found {count}");
    // A stream of its own, for candle's default one is another in each thread.
    let device =
        super::caught(|| Ok(Device::new_cuda_with_stream(index)?)).at(format!("GPU {index} cannot be used"))?;
    // SAFETY: all work of a device is put on its one stream, so it is done in the order in which it is asked for, and so is
    // the freeing of memory. Nothing has to be tracked.
    unsafe { device.as_cuda_device()?.disable_event_tracking() };
    keep_memory(device.as_cuda_device()?.cuda_stream().context())?;
    Ok(device)
}

/// Has the driver keep what is freed until it is asked for again. It would give all back to the system whenever results are
/// waited for, and get it anew for every update.
fn keep_memory(context: &CudaContext) -> Result<()> {
    if context.has_async_alloc() {
        let mut all = u64::MAX;
        // SAFETY: the device is one that the driver named, its pool is there as long as the device, and this attribute is a
        // u64.
        unsafe {
            let pool = get_default_mem_pool(context.cu_device()).map_err(failed)?;
            mem_pool::set_attribute(pool, PoolAttribute::CU_MEMPOOL_ATTR_RELEASE_THRESHOLD, (&raw mut all).cast())
                .map_err(failed)?;
        }
    }
    Ok(())
}

/// Bytes that are kept in this way and free.
fn kept(context: &CudaContext) -> Result<u64> {
    if !context.has_async_alloc() {
        return Ok(0);
    }
    let read = |attribute| -> Result<u64, DriverError> {
        let mut bytes = 0u64;
        // SAFETY: as above; both attributes that are asked for are u64.
        unsafe {
            let pool = get_default_mem_pool(context.cu_device())?;
            mem_pool::get_attribute(pool, attribute, (&raw mut bytes).cast())?;
        }
        Ok(bytes)
    };
    let reserved = read(PoolAttribute::CU_MEMPOOL_ATTR_RESERVED_MEM_CURRENT).map_err(failed)?;
    Ok(reserved.saturating_sub(read(PoolAttribute::CU_MEMPOOL_ATTR_USED_MEM_CURRENT).map_err(failed)?))
}

/// Name, capability and memory of an open GPU.
pub(super) fn describe(device: &Device) -> Result<String> {
    let stream = device.as_cuda_device()?.cuda_stream();
    let context = stream.context();
    let ((major, minor), total) =
        (context.compute_capability().map_err(failed)?, context.mem_get_info().map_err(failed)?.1);
    Ok(format!(
        "{}, compute capability {major}.{minor}, {} of {} free",
        context.name().map_err(failed)?,
        bytes(free_memory(device)?),
        bytes(total as u64)
    ))
}

/// Free memory in bytes, once everything that was asked for is done.
pub(super) fn free_memory(device: &Device) -> Result<u64> {
    device.synchronize()?;
    let stream = device.as_cuda_device()?.cuda_stream();
    Ok(stream.context().mem_get_info().map_err(failed)?.0 as u64 + kept(stream.context())?)
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
        Some((missing, _)) => bail!(Device, "{missing} was not found (LD_LIBRARY_PATH names folders to look in)"),
        None => Ok(()),
    }
}

/// A program linked with them would not have started.
#[cfg(not(feature = "dynamic-loading"))]
fn libraries() -> Result<()> {
    Ok(())
}
