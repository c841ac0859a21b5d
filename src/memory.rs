//! How much memory a run needs on its device, known before it takes any.
//!
//! The estimate counts what grows with N², T or B; docs/gpu.md has the formula. A run that would not fit is refused at its
//! start, and `--batch auto` asks for the largest batch that does.

use crate::checkpoint::Checkpoint;
use crate::config::{Config, Kernels, Precision, RuleName, Stage};
use crate::device::memory_of;
use crate::episode::{Record, TrialShape, PERTURBED_STEPS};
use anyhow::{bail, Result};
use candle_core::{Device, Tensor};

/// The share of what is free that a run may plan to use: allocators and drivers need some too.
const USABLE: f64 = 0.9;
/// `--batch auto` goes no further: each update then already averages over many trials.
const LARGEST_BATCH: usize = 256;
/// Most bytes that the GPU kernels give to a block of the eligibility's factors.
pub(crate) const HISTORY_BYTES: u64 = 2 << 30;
/// Steps of what is drawn that the GPU kernels are given at a time: the first such stretch of a trial is waited for, and each
/// costs a launch in which w_rec is read again.
pub(crate) const UPLOAD_STEPS: usize = 128;
/// Bytes of one perturbation on its device: step, neuron and size.
const KICK: f64 = 12.0;

/// One part of what a run keeps, in bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    /// What it is.
    pub name: &'static str,
    /// Its size.
    pub bytes: u64,
}

/// What `networks` networks of the configuration need with `batch` trials each, by part.
pub fn estimate(config: &Config, shape: TrialShape, networks: usize, batch: usize, device: &Device) -> Vec<Part> {
    // Sizes that nobody meant must not overflow; up to 2⁵³ bytes every number here is exact.
    let (n, t) = (config.network.neurons as f64, shape.steps as f64);
    let (s, trials) = (networks as f64, networks as f64 * batch as f64);
    let float = if config.train.dtype == Precision::F64 { 8.0 } else { 4.0 };
    let fused = config.train.kernels != Kernels::Reference && config.train.dtype == Precision::F32;
    let matrix = trials * n * n * float;

    // The plain operations make each sum anew: the old one, what is added, and the new one are there at the same time.
    let copies = if fused { 1.0 } else { 3.0 };
    let eligibility = match config.rule.name {
        RuleName::None | RuleName::Bptt => 0.0,
        RuleName::HebbianTrace => matrix,
        _ => copies * matrix,
    };
    let factors = match config.rule.name {
        RuleName::None | RuleName::Bptt | RuleName::HebbianTrace => 0.0,
        RuleName::NodePerturbation if fused => 0.0,
        _ if fused && !device.is_cpu() => {
            (2.0 * trials * t * n * float).min((HISTORY_BYTES as f64).max(2.0 * trials * n * float))
        }
        // The plain operations copy a block before they multiply it.
        _ => (if fused { 2.0 } else { 5.0 }) * trials * t.min(100.0) * n * float,
    };
    let matrices = match config.trace.stage {
        Stage::None => 0.0,
        Stage::Retroactive => 2.0,
        _ => 1.0,
    };
    // Kept ones are there before the trial, while it runs, and after it.
    let trace_copies = if fused { 1.0 } else { 3.0 } + if config.trace.persistent { 2.0 } else { 0.0 };
    // On a GPU, the list of what was added to H may stand beside it.
    let listed = match fused && !device.is_cpu() {
        true => {
            trials * config.trace.listed_changes(config.network.neurons, shape.steps) as f64 * (2.0 * n + 1.0) * float
        }
        false => 0.0,
    };
    let (n_in, n_out) = (shape.n_in as f64, shape.n_out as f64);
    let outside = n_in + 2.0 * n_out + 2.0;
    // The GPU kernels have two stretches of what is drawn at a time, and somewhat more room than they need.
    let (steps, results) = match fused && !device.is_cpu() {
        true => (2.25 * t.min(UPLOAD_STEPS as f64), t * n_out),
        false => (t, 0.0),
    };
    let kicks = (config.perturbation.probability * (trials * steps * n) * KICK).floor();
    // The plain operations write the perturbations of some steps out.
    let perturbed = !fused && config.perturbation.probability > 0.0;
    let state = (if perturbed { 8.0 + PERTURBED_STEPS as f64 } else { 8.0 }) * n;
    let backpropagation = match config.rule.name {
        RuleName::Bptt => crate::bptt::memory(config, shape, networks, batch, device),
        _ => 0.0,
    };
    let part = |name, bytes: f64| Part { name, bytes: bytes as u64 };
    vec![
        // w_rec, its transpose, Δw and the steps towards it, the mask.
        part("weights", s * n * (6.0 * n + n_in + n_out) * float),
        part("eligibility", eligibility),
        part("factors of the eligibility", factors),
        part("backpropagation", backpropagation),
        part("Hebbian traces", matrices * trace_copies * matrix + listed),
        part("trials", trials * (steps * outside + results + state) * float + kicks),
    ]
}

fn total(parts: &[Part]) -> u64 {
    parts.iter().fold(0, |sum, part| sum.saturating_add(part.bytes))
}

/// The largest power of two that fits into `free` bytes, up to a bound beyond which nothing is gained; `None`: not even 1.
pub fn largest_batch(config: &Config, shape: TrialShape, networks: usize, device: &Device, free: u64) -> Option<usize> {
    let fits = |batch: usize| total(&estimate(config, shape, networks, batch, device)) as f64 <= USABLE * free as f64;
    std::iter::successors(Some(LARGEST_BATCH), |batch| (*batch > 1).then_some(batch / 2)).find(|&batch| fits(batch))
}

/// Refuses what would not fit into `free` bytes.
///
/// # Errors
/// Names the size of each part, what there is, and the largest batch that would fit.
pub fn check(config: &Config, shape: TrialShape, networks: usize, device: &Device, free: u64) -> Result<()> {
    let parts = estimate(config, shape, networks, config.train.batch, device);
    refuse(&parts, free, "the run", || match largest_batch(config, shape, networks, device, free) {
        Some(batch) => format!("train.batch = {batch} would fit"),
        None => "not even train.batch = 1 would fit: take fewer networks or neurons".to_string(),
    })
}

/// Refuses to run `trials` trials of each network of a checkpoint, its weights frozen, where that would not fit on its device
/// with what is recorded of them.
///
/// # Errors
/// Names the size of each part and what there is.
pub fn check_forward(checkpoint: &Checkpoint, shape: TrialShape, trials: usize, record: Record) -> Result<()> {
    let device = checkpoint.weights.w_rec.device();
    let Some(free) = memory_of(device) else { return Ok(()) };
    let parts = estimate_forward(&checkpoint.config, shape, trials, record, device);
    // The checkpoint is there already, and is counted in the parts as well.
    let free = free.saturating_add(resident(checkpoint));
    refuse(&parts, free, "this", || "take fewer trials or steps, or a machine with more memory".to_string())
}

/// Bytes of a checkpoint's tensors.
fn resident(checkpoint: &Checkpoint) -> u64 {
    let Checkpoint { weights, trace, .. } = checkpoint;
    let trace = trace.iter().flat_map(|trace| [Some(&trace.h), trace.eligibility.as_ref()]).flatten();
    let bytes = |tensor: &Tensor| (tensor.elem_count() * tensor.dtype().size_in_bytes()) as u64;
    weights.each().map(|(_, tensor)| tensor).chain(trace).map(bytes).sum()
}

fn estimate_forward(config: &Config, shape: TrialShape, trials: usize, record: Record, device: &Device) -> Vec<Part> {
    let networks = config.train.networks.count();
    let mut frozen = config.clone();
    frozen.rule.name = RuleName::None;
    frozen.perturbation.probability = 0.0;
    let mut parts = estimate(&frozen, shape, networks, trials, device);
    let float = if config.train.dtype == Precision::F64 { 8.0 } else { 4.0 };
    let recorded = f64::from(u8::from(record.rates) + u8::from(record.activations));
    let each = networks as f64 * trials as f64 * shape.steps as f64 * config.network.neurons as f64 * float;
    parts.push(Part { name: "recordings", bytes: (recorded * each) as u64 });
    parts
}

fn refuse(parts: &[Part], free: u64, what: &str, way_out: impl Fn() -> String) -> Result<()> {
    if total(parts) as f64 <= USABLE * free as f64 {
        return Ok(());
    }
    let sizes: Vec<String> =
        parts.iter().filter(|part| part.bytes > 0).map(|p| format!("{} {}", p.name, in_words(p.bytes))).collect();
    bail!(
        "{what} needs {} of memory on its device ({}), of which {} may be used of {} free; {}",
        in_words(total(parts)),
        sizes.join(", "),
        in_words((USABLE * free as f64) as u64),
        in_words(free),
        way_out()
    );
}

/// What a run may count on: each device's free memory, shared by all parts of the run that are on it, with how many of the
/// `networks` each part has. Devices whose memory cannot be known are left out.
fn shares(devices: &[Device], networks: usize) -> impl Iterator<Item = (&Device, usize, u64)> {
    devices.iter().enumerate().filter_map(move |(i, device)| {
        let here = devices.iter().filter(|other| other.location() == device.location()).count() as u64;
        Some((device, crate::split::share(networks, devices.len(), i).len(), memory_of(device)? / here))
    })
}

/// Refuses a run that would not fit on its devices.
///
/// # Errors
/// As [`check`].
pub fn check_on(config: &Config, shape: TrialShape, devices: &[Device]) -> Result<()> {
    shares(devices, config.train.networks.count())
        .try_for_each(|(device, networks, free)| check(config, shape, networks, device, free))
}

/// The batch that `--batch auto` stands for on these devices: the largest that fits on all of them.
///
/// # Errors
/// Where not even one trial of each network fits: as [`check`].
pub fn automatic_batch(config: &Config, shape: TrialShape, devices: &[Device]) -> Result<usize> {
    let fits = shares(devices, config.train.networks.count())
        .filter_map(|(device, networks, free)| largest_batch(config, shape, networks, device, free));
    let batch = fits.min().unwrap_or(1);
    let mut config = config.clone();
    config.train.batch = batch;
    check_on(&config, shape, devices)?;
    Ok(batch)
}

/// Bytes with a unit.
pub fn in_words(bytes: u64) -> String {
    let (mut size, mut unit) = (bytes as f64, "bytes");
    for next in ["KiB", "MiB", "GiB", "TiB"] {
        if size >= 1024.0 {
            (size, unit) = (size / 1024.0, next);
        }
    }
    if unit == "bytes" {
        format!("{bytes} bytes")
    } else {
        format!("{size:.1} {unit}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::task;

    fn dnms() -> (Config, TrialShape) {
        let mut config = Config::for_task("dnms").unwrap();
        config.train.networks = "20".parse().unwrap();
        let shape = TrialShape::of(&*task::build(&config.task).unwrap());
        (config, shape)
    }

    #[test]
    fn parts_are_those_of_the_formula() {
        let (config, shape) = dnms();
        let bytes = |config: &Config, name| {
            let parts = estimate(config, shape, 20, 64, &Device::Cpu);
            parts.into_iter().find(|part| part.name == name).unwrap().bytes
        };
        assert_eq!(bytes(&config, "eligibility"), 20 * 64 * 200 * 200 * 4);
        assert_eq!(bytes(&config, "weights"), 20 * 200 * (6 * 200 + 2 + 1) * 4);
        assert_eq!(bytes(&config, "Hebbian traces"), 0);
        let mut traced = config.clone();
        traced.trace.stage = Stage::Retroactive;
        traced.trace.persistent = true;
        assert_eq!(bytes(&traced, "Hebbian traces"), 2 * 3 * 20 * 64 * 200 * 200 * 4);
        let mut exact = config;
        exact.train.dtype = Precision::F64;
        assert_eq!(bytes(&exact, "eligibility"), 3 * 20 * 64 * 200 * 200 * 8, "f64 has plain operations only");
    }

    #[test]
    fn the_batch_is_the_largest_power_of_two_that_fits() {
        let (mut config, shape) = dnms();
        let largest = |free| largest_batch(&config, shape, 20, &Device::Cpu, free);
        let needs = |batch| (total(&estimate(&config, shape, 20, batch, &Device::Cpu)) as f64 / USABLE) as u64;
        for batch in [1, 2, 16, 128, 256] {
            assert_eq!(largest(needs(batch) + 2), Some(batch));
            assert_eq!(largest(needs(batch) - 2), (batch > 1).then_some(batch / 2));
        }
        assert_eq!(largest(1 << 50), Some(256));
        assert_eq!(largest(0), None);
        config.train.batch = 64;
        let error = check(&config, shape, 20, &Device::Cpu, 200 << 20).unwrap_err().to_string();
        for part in ["eligibility 195.3 MiB", "180.0 MiB may be used of 200.0 MiB free", "train.batch = 16 would fit"] {
            assert!(error.contains(part), "{part}: {error}");
        }
        let error = check(&config, shape, 20, &Device::Cpu, 1 << 20).unwrap_err().to_string();
        assert!(error.contains("not even train.batch = 1"), "{error}");
    }

    #[test]
    fn sizes_in_words() {
        let words = [17, 2048, 3 << 20, 5 << 29].map(in_words);
        assert_eq!(words, ["17 bytes", "2.0 KiB", "3.0 MiB", "2.5 GiB"]);
    }
}
