//! Which device a run uses, and why.

use anyhow::{bail, Context, Result};
use candle_core::Device;

/// A device and, where another might have been expected, one line on why it is this one.
pub struct Chosen {
    /// Where tensors live.
    pub device: Device,
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

/// Opens the device called `name`: `auto`, `cpu`, `cuda`, `cuda:1` or `metal`.
///
/// `auto` takes the first GPU that works and falls back to the CPU, saying so. A device asked for by name is never replaced.
pub fn choose(name: &str) -> Result<Chosen> {
    let gpu = |device: Result<Device>| Ok(Chosen { device: device?, note: None });
    match name.split_once(':').unwrap_or((name, "0")) {
        ("auto", "0") => Ok(automatic()),
        ("cpu", "0") => Ok(Chosen { device: Device::Cpu, note: None }),
        ("cuda", index) => {
            gpu(cuda(index.parse().with_context(|| format!("device `{name}`: `{index}` is no GPU number"))?))
        }
        ("metal", index) => {
            gpu(metal(index.parse().with_context(|| format!("device `{name}`: `{index}` is no GPU number"))?))
        }
        _ => bail!("unknown device `{name}`; known are: auto, cpu, cuda, cuda:N, metal"),
    }
}

fn automatic() -> Chosen {
    let candidates = [(cfg!(feature = "cuda"), cuda as fn(usize) -> Result<Device>), (cfg!(feature = "metal"), metal)];
    let mut note = None;
    for (_, open) in candidates.into_iter().filter(|(built, _)| *built) {
        match open(0) {
            Ok(device) => return Chosen { device, note: None },
            Err(why) => note = Some(format!("using the CPU: {why:#}")),
        }
    }
    Chosen { device: Device::Cpu, note }
}

/// Every kind of device, usable or not.
pub fn list() -> Vec<Found> {
    let threads = num_cpus::get();
    let mut found =
        vec![Found { name: "cpu".into(), usable: true, detail: format!("{threads} threads{}", cpu_libraries()) }];
    for (name, open) in [("cuda", cuda as fn(usize) -> Result<Device>), ("metal", metal)] {
        let (usable, detail) = match open(0) {
            Ok(_) => (true, "ready".to_string()),
            Err(why) => (false, format!("{why:#}")),
        };
        found.push(Found { name: name.into(), usable, detail });
    }
    found
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

fn cuda(index: usize) -> Result<Device> {
    if !cfg!(feature = "cuda") {
        bail!("this program was built without CUDA (cargo build --release --features cuda)");
    }
    open("CUDA", index, || Device::new_cuda(index))
}

fn metal(index: usize) -> Result<Device> {
    if !cfg!(feature = "metal") {
        bail!("this program was built without Metal (cargo build --release --features metal)");
    }
    open("Metal", index, || Device::new_metal(index))
}

/// Opens a GPU. Where a driver library is missing, candle's CUDA bindings panic; that too is only "no GPU" here.
fn open(
    kind: &str,
    index: usize,
    device: impl FnOnce() -> candle_core::Result<Device> + std::panic::UnwindSafe,
) -> Result<Device> {
    let hook = std::panic::take_hook();
    std::panic::set_hook(Box::new(|_| {}));
    let opened = std::panic::catch_unwind(device);
    std::panic::set_hook(hook);
    match opened {
        Ok(device) => device.with_context(|| format!("{kind} device {index} cannot be used")),
        Err(_) => bail!("{kind} device {index} cannot be used: its driver's libraries are missing"),
    }
}
