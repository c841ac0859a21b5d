//! Which device a run uses, and why.

#[cfg(feature = "cuda")]
#[allow(unsafe_code)] // Calls of the CUDA driver.
mod cuda;

use anyhow::{anyhow, bail, ensure, Context, Result};
use candle_core::Device;

/// Devices and, where others might have been expected, one line on why they are these.
pub struct Chosen {
    /// Where tensors live: one device, or several among which the networks are split.
    pub devices: Vec<Device>,
    /// Why, for stderr.
    pub note: Option<String>,
}

/// A device this program could use.
#[derive(Clone, Debug, serde::Serialize)]
pub struct Found {
    /// The name `--device` takes.
    pub name: String,
    /// Whether a run on it could start now.
    pub usable: bool,
    /// What it is, or why it cannot be used.
    pub detail: String,
}

/// A device that may or may not be there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Name {
    /// The first GPU that works, else the CPU.
    Auto,
    /// The CPU.
    Cpu,
    /// A CUDA GPU.
    Cuda(usize),
    /// A Metal GPU.
    Metal(usize),
}

/// Reads `auto`, `cpu`, `cuda`, `cuda:1` or `metal`; or several with commas between, as in `cuda:0,cuda:1`.
///
/// # Errors
/// An unknown name, `auto` among several, or a kind that this program was built without.
pub fn parse(names: &str) -> Result<Vec<Name>> {
    let parsed: Vec<Name> = names.split(',').map(|name| parse_one(name.trim())).collect::<Result<_>>()?;
    ensure!(parsed.len() == 1 || !parsed.contains(&Name::Auto), "device `{names}`: `auto` cannot be one of several");
    Ok(parsed)
}

fn parse_one(name: &str) -> Result<Name> {
    let (kind, index) = name.split_once(':').unwrap_or((name, "0"));
    let index = || index.parse().with_context(|| format!("device `{name}`: `{index}` is no number of a device"));
    match kind {
        "auto" if name == kind => Ok(Name::Auto),
        "cpu" if name == kind => Ok(Name::Cpu),
        "cuda" => {
            ensure!(cfg!(feature = "cuda"), "{}", without("CUDA", "cuda"));
            Ok(Name::Cuda(index()?))
        }
        "metal" => {
            ensure!(cfg!(feature = "metal"), "{}", without("Metal", "metal"));
            Ok(Name::Metal(index()?))
        }
        _ => {
            bail!("unknown device `{name}`; known are: auto, cpu, cuda, cuda:N, metal, and several with commas between")
        }
    }
}

fn without(kind: &str, feature: &str) -> String {
    format!("this program was built without {kind} (cargo build --release --features {feature})")
}

/// Opens devices.
///
/// [`Name::Auto`] takes the first GPU that works and falls back to the CPU, saying so. A device asked for by name is never
/// replaced.
///
/// # Errors
/// Where one cannot be used.
pub fn open(names: &[Name]) -> Result<Chosen> {
    let open_one = |name: &Name| match *name {
        Name::Auto => bail!("`auto` cannot be one of several devices"),
        Name::Cpu => Ok(Device::Cpu),
        Name::Cuda(index) => cuda_device(index),
        Name::Metal(index) => metal_device(index),
    };
    match names {
        [Name::Auto] => Ok(automatic()),
        names => Ok(Chosen { devices: names.iter().map(open_one).collect::<Result<_>>()?, note: None }),
    }
}

fn automatic() -> Chosen {
    let candidates = [
        (cfg!(feature = "cuda"), "CUDA", cuda_device as fn(usize) -> Result<Device>),
        (cfg!(feature = "metal"), "Metal", metal_device),
    ];
    let mut note = None;
    for (_, kind, open) in candidates.into_iter().filter(|(built, ..)| *built) {
        match open(0) {
            Ok(device) => return Chosen { devices: vec![device], note: None },
            Err(why) => note = Some(format!("using the CPU, for there is no {kind}: {}", in_one_line(&why))),
        }
    }
    Chosen { devices: vec![Device::Cpu], note }
}

/// Every kind of device, usable or not; each GPU on its own.
pub fn list() -> Vec<Found> {
    let threads = num_cpus::get();
    let memory =
        memory_of(&Device::Cpu).map_or(String::new(), |free| format!(", {} free", crate::memory::in_words(free)));
    let cpu =
        Found { name: "cpu".into(), usable: true, detail: format!("{threads} threads{memory}{}", cpu_libraries()) };
    let metal = found("metal".into(), metal_device(0).map(|_| "ready".into()));
    [vec![cpu], cuda_list(), vec![metal]].concat()
}

fn found(name: String, detail: Result<String>) -> Found {
    let usable = detail.is_ok();
    Found { name, usable, detail: detail.unwrap_or_else(|why| in_one_line(&why)) }
}

/// Bytes that are free on a device now; `None` where that cannot be known.
pub fn memory_of(device: &Device) -> Option<u64> {
    match device {
        Device::Cpu => {
            let mut system = sysinfo::System::new();
            system.refresh_memory();
            Some(system.available_memory()).filter(|free| *free > 0)
        }
        #[cfg(feature = "cuda")]
        Device::Cuda(_) => cuda::free_memory(device).ok(),
        _ => None,
    }
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
fn cuda_list() -> Vec<Found> {
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
    bail!(without("CUDA", "cuda"))
}

#[cfg(not(feature = "cuda"))]
fn cuda_list() -> Vec<Found> {
    vec![found("cuda".into(), cuda_device(0).map(|_| String::new()))]
}

fn metal_device(index: usize) -> Result<Device> {
    if !cfg!(feature = "metal") {
        bail!(without("Metal", "metal"));
    }
    caught(|| Ok(Device::new_metal(index)?)).with_context(|| format!("Metal device {index} cannot be used"))
}

/// Where a driver's library is missing, bindings panic; that too is only an error here.
fn caught<T>(open: impl FnOnce() -> Result<T> + std::panic::UnwindSafe) -> Result<T> {
    let hook = std::panic::take_hook();
    std::panic::set_hook(Box::new(|_| {}));
    let opened = std::panic::catch_unwind(open);
    std::panic::set_hook(hook);
    opened.unwrap_or_else(|_| Err(anyhow!("a library of its driver is missing")))
}

/// candle repeats itself over many lines; the first line of each cause says it.
fn in_one_line(error: &anyhow::Error) -> String {
    let first_line = |cause: String| cause.lines().next().unwrap_or_default().trim().to_string();
    error.chain().map(|cause| first_line(cause.to_string())).collect::<Vec<_>>().join(": ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_split_at_commas() {
        assert_eq!(parse("auto").unwrap(), [Name::Auto]);
        assert_eq!(parse("cpu, cpu,cpu").unwrap(), [Name::Cpu; 3]);
        assert_eq!(open(&[Name::Cpu; 3]).unwrap().devices.len(), 3);
        for (name, message) in [
            ("cpu,auto", "`auto` cannot be one of several"),
            ("gpu", "unknown device `gpu`; known are: auto, cpu, cuda"),
            ("cpu:1", "unknown device `cpu:1`"),
            ("", "unknown device ``"),
        ] {
            let error = format!("{:#}", parse(name).unwrap_err());
            assert!(error.contains(message), "{name}: {error}");
        }
        if cfg!(feature = "cuda") {
            assert_eq!(parse("cuda,cuda:1").unwrap(), [Name::Cuda(0), Name::Cuda(1)]);
            assert!(format!("{:#}", parse("cuda:x").unwrap_err()).contains("`x` is no number"));
        }
    }

    #[test]
    fn a_panic_while_opening_is_an_error() {
        let error = caught::<Device>(|| panic!("no library")).unwrap_err();
        assert!(error.to_string().contains("library"), "{error}");
        assert!(memory_of(&Device::Cpu).is_some_and(|free| free > 1 << 20));
    }
}
