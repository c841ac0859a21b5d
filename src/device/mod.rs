//! Devices: parsing their names, opening and listing them.

#[cfg(feature = "cuda")]
#[allow(unsafe_code)] // Calls of the CUDA driver.
mod cuda;
mod processor;

pub use processor::{Cache, Processor};

use crate::error::{bail, ensure, At, Error, Result};
use crate::text::bytes;
use candle_core::Device;

/// Opened devices.
#[non_exhaustive]
pub struct ChosenDevices {
    /// One device, or several among which the networks are divided.
    pub devices: Vec<Device>,
    /// Why the CPU was chosen automatically, if a GPU might have been expected.
    pub note: Option<String>,
}

/// A device that this program supports.
#[derive(Clone, Debug, serde::Serialize)]
#[non_exhaustive]
pub struct FoundDevice {
    /// The name, as in `--device`.
    pub name: String,
    /// Whether it can be used now.
    pub usable: bool,
    /// A description, or why it cannot be used.
    pub detail: String,
}

/// The name of a device, which need not exist.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum DeviceName {
    /// The first usable GPU, else the CPU.
    Auto,
    /// The CPU.
    Cpu,
    /// The CUDA GPU of this index.
    Cuda(usize),
    /// The Metal GPU of this index.
    Metal(usize),
}

/// Parses `auto`, `cpu`, `cuda`, `cuda:1` or `metal`, or several separated by commas, as in `cuda:0,cuda:1`.
///
/// # Errors
/// [`Error::Usage`] for an unknown name, or `auto` among several; [`Error::Device`] for a kind that is not built in.
pub fn parse_devices(names: &str) -> Result<Vec<DeviceName>> {
    let parsed: Vec<DeviceName> = names.split(',').map(|name| parse_one(name.trim())).collect::<Result<_>>()?;
    ensure!(
        parsed.len() == 1 || !parsed.contains(&DeviceName::Auto),
        Usage,
        "device `{names}`: `auto` cannot be one of several"
    );
    Ok(parsed)
}

fn parse_one(name: &str) -> Result<DeviceName> {
    let (kind, index) = name.split_once(':').unwrap_or((name, "0"));
    let not_a_number = |_| Error::Usage(format!("device `{name}`: `{index}` is not a device number"));
    let index = || index.parse().map_err(not_a_number);
    match kind {
        "auto" if name == kind => Ok(DeviceName::Auto),
        "cpu" if name == kind => Ok(DeviceName::Cpu),
        "cuda" if cfg!(feature = "cuda") => Ok(DeviceName::Cuda(index()?)),
        "metal" if cfg!(feature = "metal") => Ok(DeviceName::Metal(index()?)),
        "cuda" => bail!(Device, "{}", without("CUDA", "cuda")),
        "metal" => bail!(Device, "{}", without("Metal", "metal")),
        _ => {
            bail!(
                Usage,
                "unknown device `{name}`; known are: auto, cpu, cuda, cuda:N, metal, or several separated by commas"
            )
        }
    }
}

fn without(kind: &str, feature: &str) -> String {
    format!("this program was built without {kind} (cargo build --release --features {feature})")
}

/// Opens devices. Only [`DeviceName::Auto`] falls back to the CPU.
///
/// # Errors
/// [`Error::Device`] or [`Error::At`] if a device cannot be used; [`Error::Usage`] for `auto` among several.
pub fn open_devices(names: &[DeviceName]) -> Result<ChosenDevices> {
    let open_one = |name: &DeviceName| match *name {
        DeviceName::Auto => bail!(Usage, "`auto` cannot be one of several devices"),
        DeviceName::Cpu => Ok(Device::Cpu),
        DeviceName::Cuda(index) => cuda_device(index),
        DeviceName::Metal(index) => metal_device(index),
    };
    match names {
        [DeviceName::Auto] => Ok(automatic()),
        names => Ok(ChosenDevices { devices: names.iter().map(open_one).collect::<Result<_>>()?, note: None }),
    }
}

fn automatic() -> ChosenDevices {
    let candidates = [
        (cfg!(feature = "cuda"), "CUDA", cuda_device as fn(usize) -> Result<Device>),
        (cfg!(feature = "metal"), "Metal", metal_device),
    ];
    let mut note = None;
    for (_, kind, open) in candidates.into_iter().filter(|(built, ..)| *built) {
        match open(0) {
            Ok(device) => return ChosenDevices { devices: vec![device], note: None },
            Err(why) => note = Some(format!("using the CPU, since there is no {kind}: {why}")),
        }
    }
    ChosenDevices { devices: vec![Device::Cpu], note }
}

/// All devices, usable or not.
pub fn list_devices() -> Vec<FoundDevice> {
    let threads = num_cpus::get();
    let memory = memory_of(&Device::Cpu).map_or(String::new(), |free| format!(", {} free", bytes(free)));
    let cpu = FoundDevice {
        name: "cpu".into(),
        usable: true,
        detail: format!("{threads} threads{memory}{}", cpu_libraries()),
    };
    let metal = found("metal".into(), metal_device(0).map(|_| "ready".into()));
    std::iter::once(cpu).chain(cuda_list()).chain([metal]).collect()
}

fn found(name: String, detail: Result<String>) -> FoundDevice {
    let usable = detail.is_ok();
    FoundDevice { name, usable, detail: detail.unwrap_or_else(|why| why.to_string()) }
}

/// Free memory of a device in bytes; `None` if unknown.
pub(crate) fn memory_of(device: &Device) -> Option<u64> {
    match device {
        Device::Cpu => {
            let mut system = sysinfo::System::new();
            system.refresh_memory();
            let free = Some(system.available_memory()).filter(|free| *free > 0);
            free.into_iter().chain(left_of_limit()).min()
        }
        #[cfg(feature = "cuda")]
        Device::Cuda(_) => cuda::free_memory(device).ok(),
        _ => None,
    }
}

/// The bytes that a limit on this process's memory leaves: `ulimit -v`, which Grid Engine sets as h_vmem. `None`: no limit, or
/// none is known.
fn left_of_limit() -> Option<u64> {
    let text = |name: &str| std::fs::read_to_string(format!("/proc/self/{name}")).ok();
    let number = |text: String, line: &str| {
        let rest = text.lines().find_map(|found| found.strip_prefix(line))?.trim_start();
        rest.split_whitespace().next()?.parse::<u64>().ok()
    };
    let limit = number(text("limits")?, "Max address space")?;
    let used = number(text("status")?, "VmSize:")? * 1024;
    Some(limit.saturating_sub(used))
}

fn cpu_libraries() -> &'static str {
    if cfg!(feature = "mkl") {
        ", products by MKL"
    } else if cfg!(feature = "accelerate") {
        ", products by Accelerate"
    } else {
        ""
    }
}

#[cfg(feature = "cuda")]
fn cuda_device(index: usize) -> Result<Device> {
    cuda::open(index)
}

#[cfg(feature = "cuda")]
fn cuda_list() -> Vec<FoundDevice> {
    match cuda::count() {
        Ok(count) => {
            let describe = |index| cuda::open(index).and_then(|device| cuda::describe(&device));
            (0..count).map(|index| found(format!("cuda:{index}"), describe(index))).collect()
        }
        Err(why) => vec![found("cuda".into(), Err(why))],
    }
}

#[cfg(not(feature = "cuda"))]
fn cuda_device(_: usize) -> Result<Device> {
    bail!(Device, "{}", without("CUDA", "cuda"))
}

#[cfg(not(feature = "cuda"))]
fn cuda_list() -> Vec<FoundDevice> {
    vec![found("cuda".into(), cuda_device(0).map(|_| String::new()))]
}

fn metal_device(index: usize) -> Result<Device> {
    ensure!(cfg!(feature = "metal"), Device, "{}", without("Metal", "metal"));
    caught(|| Ok(Device::new_metal(index)?)).at(format!("Metal device {index} cannot be used"))
}

/// Turns panics into errors: bindings panic if a driver library is missing.
fn caught<T>(open: impl FnOnce() -> Result<T> + std::panic::UnwindSafe) -> Result<T> {
    let hook = std::panic::take_hook();
    std::panic::set_hook(Box::new(|_| {}));
    let opened = std::panic::catch_unwind(open);
    std::panic::set_hook(hook);
    opened.unwrap_or_else(|_| Err(Error::Device("a library of its driver is missing; install it".into())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_split_at_commas() {
        assert_eq!(parse_devices("auto").unwrap(), [DeviceName::Auto]);
        assert_eq!(parse_devices("cpu, cpu,cpu").unwrap(), [DeviceName::Cpu; 3]);
        assert_eq!(open_devices(&[DeviceName::Cpu; 3]).unwrap().devices.len(), 3);
        for (name, message) in [
            ("cpu,auto", "`auto` cannot be one of several"),
            ("gpu", "unknown device `gpu`; known are: auto, cpu, cuda"),
            ("cpu:1", "unknown device `cpu:1`"),
            ("", "unknown device ``"),
        ] {
            let error = format!("{}", parse_devices(name).unwrap_err());
            assert!(error.contains(message), "{name}: {error}");
        }
        if cfg!(feature = "cuda") {
            assert_eq!(parse_devices("cuda,cuda:1").unwrap(), [DeviceName::Cuda(0), DeviceName::Cuda(1)]);
            assert!(format!("{}", parse_devices("cuda:x").unwrap_err()).contains("`x` is not a device number"));
        }
    }

    #[test]
    fn a_panic_while_opening_is_an_error() {
        let error = caught::<Device>(|| panic!("no library")).unwrap_err();
        assert!(error.to_string().contains("library"), "{error}");
        assert!(memory_of(&Device::Cpu).is_some_and(|free| free > 1 << 20));
    }
}
