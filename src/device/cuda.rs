//! CUDA GPUs: opening them without panics, and their descriptions.

use crate::error::{bail, ensure, At, Error, Result};
use crate::text::bytes;
use candle_core::cuda_backend::cudarc::driver::result::{device::get_default_mem_pool, mem_pool, DriverError};
use candle_core::cuda_backend::cudarc::driver::sys::CUmemPool_attribute as PoolAttribute;
use candle_core::cuda_backend::cudarc::driver::CudaContext;
use candle_core::Device;

/// A driver error as an error of this crate.
fn failed(error: DriverError) -> Error {
    Error::Device(error.to_string())
}

/// The number of GPUs.
pub(super) fn count() -> Result<usize> {
    libraries()?;
    let count = super::caught(|| CudaContext::device_count().map_err(failed)).at("no GPU can be used")?;
    ensure!(count > 0, Device, "there is no GPU");
    Ok(count as usize)
}

/// Opens a GPU.
pub(super) fn open(index: usize) -> Result<Device> {
    let count = count()?;
    ensure!(index < count, Device, "there is no GPU {index}; found {count}");
    // A stream of its own, since candle's default stream differs between threads.
    let device =
        super::caught(|| Ok(Device::new_cuda_with_stream(index)?)).at(format!("GPU {index} cannot be used"))?;
    // SAFETY: all of a device's work, including freeing memory, is queued on its only stream and so runs in order:
    // nothing needs tracking.
    unsafe { device.as_cuda_device()?.disable_event_tracking() };
    keep_memory(device.as_cuda_device()?.cuda_stream().context())?;
    Ok(device)
}

/// Makes the driver keep freed memory for reuse. By default it would return it to the system at each synchronisation
/// and allocate it again for each update.
fn keep_memory(context: &CudaContext) -> Result<()> {
    if context.has_async_alloc() {
        let mut all = u64::MAX;
        // SAFETY: the driver returned this device, its pool lives as long as the device, and the attribute is a u64.
        unsafe {
            let pool = get_default_mem_pool(context.cu_device()).map_err(failed)?;
            mem_pool::set_attribute(pool, PoolAttribute::CU_MEMPOOL_ATTR_RELEASE_THRESHOLD, (&raw mut all).cast())
                .map_err(failed)?;
        }
    }
    Ok(())
}

/// Free bytes that the driver keeps.
fn kept(context: &CudaContext) -> Result<u64> {
    if !context.has_async_alloc() {
        return Ok(0);
    }
    let read = |attribute| -> Result<u64, DriverError> {
        let mut bytes = 0u64;
        // SAFETY: as above; both attributes are u64.
        unsafe {
            let pool = get_default_mem_pool(context.cu_device())?;
            mem_pool::get_attribute(pool, attribute, (&raw mut bytes).cast())?;
        }
        Ok(bytes)
    };
    let reserved = read(PoolAttribute::CU_MEMPOOL_ATTR_RESERVED_MEM_CURRENT).map_err(failed)?;
    Ok(reserved.saturating_sub(read(PoolAttribute::CU_MEMPOOL_ATTR_USED_MEM_CURRENT).map_err(failed)?))
}

/// Name, compute capability and memory of an open GPU.
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

/// Free memory in bytes, after all queued work is done.
pub(super) fn free_memory(device: &Device) -> Result<u64> {
    device.synchronize()?;
    let stream = device.as_cuda_device()?.cuda_stream();
    Ok(stream.context().mem_get_info().map_err(failed)?.0 as u64 + kept(stream.context())?)
}

/// Checks that all libraries that candle loads at run time are present: candle panics if one is missing.
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
        Some((missing, _)) => bail!(Device, "{missing} was not found; add its folder to LD_LIBRARY_PATH"),
        None => Ok(()),
    }
}

/// Without dynamic loading there is nothing to check: the program could not have started without these libraries.
#[cfg(not(feature = "dynamic-loading"))]
fn libraries() -> Result<()> {
    Ok(())
}
