//! An estimate of the memory that a run needs on its device, made before it starts.
//!
//! The estimate counts everything that grows with N², T or B; docs/gpu.md has the formula. Each engine estimates its own part. A
//! run that does not fit is refused at its start, and `--batch auto` takes the largest batch that fits.

use super::{chosen_memory, Record};
use crate::config::{Config, FastWeightsConfig, Precision, Stage};
use crate::device::memory_of;
use crate::error::{Error, Result, Shortage};
use crate::setup::Setup;
use crate::tasks::TrialShape;
use candle_core::Device;

/// The fraction of free memory that a run can plan to use; allocators and drivers need some too.
const USABLE: f64 = 0.9;
/// The largest batch of `--batch auto`; each update then already averages over many trials.
const LARGEST_BATCH: usize = 256;
/// Bytes of one perturbation on its device: step, neuron and size.
const PERTURBATION: f64 = 12.0;

/// One part of the memory of a run.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Part {
    /// Its contents.
    pub name: &'static str,
    /// Its size in bytes.
    pub bytes: u64,
}

impl Part {
    pub(crate) fn new(name: &'static str, bytes: f64) -> Self {
        Part { name, bytes: bytes as u64 }
    }
}

/// The parts of the memory of a run whose rule can have an eligibility.
pub(super) fn parts((eligibility, factors): (f64, f64), fast_weights: f64, trials: f64) -> Vec<Part> {
    vec![
        Part::new("eligibility", eligibility),
        Part::new("factors of the eligibility", factors),
        Part::new("fast weights", fast_weights),
        Part::new("trials", trials),
    ]
}

/// The number of matrices `[N, N]` in the fast weights of one trial.
pub(super) fn matrices(stage: Stage) -> f64 {
    match stage {
        Stage::None => 0.0,
        Stage::Retroactive => 2.0,
        Stage::Hebb | Stage::Outer | Stage::Accumulate | Stage::Decay | Stage::Modulated | Stage::Oja => 1.0,
    }
}

/// The bytes per number.
pub(super) fn float(config: &Config) -> f64 {
    match config.train.dtype {
        Precision::F32 => 4.0,
        Precision::F64 => 8.0,
    }
}

/// The sizes of a run, as counts and as `f64` for the formulas: absurdly large sizes must not overflow, and results up
/// to 2⁵³ bytes are exact.
pub struct Sizes<'a> {
    /// The device of the run.
    pub device: &'a Device,
    /// The shape of a trial.
    pub shape: TrialShape,
    /// The number of networks, S.
    pub networks: usize,
    /// The number of trials per network, B.
    pub batch: usize,
    /// Whether any weights learn.
    pub learn: bool,
    /// The number of neurons, N.
    pub n: f64,
    /// The number of steps, T.
    pub t: f64,
    /// The number of trials, S · B.
    pub trials: f64,
    /// The bytes per number.
    pub float: f64,
    /// The probability that a neuron is perturbed at a step.
    probability: f64,
}

impl<'a> Sizes<'a> {
    fn new(
        setup: &Setup,
        shape: TrialShape,
        (networks, batch): (usize, usize),
        learn: bool,
        device: &'a Device,
    ) -> Self {
        let config = &setup.config;
        Sizes {
            device,
            shape,
            networks,
            batch,
            learn,
            n: config.network.neurons as f64,
            t: shape.steps as f64,
            trials: networks as f64 * batch as f64,
            float: float(config),
            probability: if learn { config.perturbation.probability } else { 0.0 },
        }
    }

    /// The bytes of one matrix `[N, N]` per trial.
    pub fn matrix(&self) -> f64 {
        self.trials * self.n * self.n * self.float
    }

    /// The bytes of the fast weights if an engine holds `copies` of them while it runs. Persistent ones also exist
    /// before and after the trial.
    pub fn fast_weights(&self, config: &FastWeightsConfig, copies: f64) -> f64 {
        matrices(config.stage) * (copies + if config.persistent { 2.0 } else { 0.0 }) * self.matrix()
    }

    /// The bytes of everything drawn for `steps` steps of all trials.
    pub fn drawn(&self, steps: f64) -> f64 {
        let outside = self.shape.n_in as f64 + 2.0 * self.shape.n_out as f64 + 2.0;
        let perturbations = (self.probability * (self.trials * steps * self.n) * PERTURBATION).floor();
        self.trials * steps * outside * self.float + perturbations
    }

    /// The bytes of `vectors` vectors `[N]` per trial.
    pub fn vectors(&self, vectors: f64) -> f64 {
        self.trials * vectors * self.n * self.float
    }

    /// Whether neurons are perturbed.
    pub fn perturbed(&self) -> bool {
        self.probability > 0.0
    }
}

/// The parts of a run's memory.
fn estimate(setup: &Setup, sizes: &Sizes) -> Vec<Part> {
    let (s, n_in, n_out) = (sizes.networks as f64, sizes.shape.n_in as f64, sizes.shape.n_out as f64);
    // w_rec, its transpose, the mask, Δw and its intermediate results.
    let mut parts = vec![Part::new("weights", s * sizes.n * (6.0 * sizes.n + n_in + n_out) * sizes.float)];
    parts.extend(chosen_memory(setup, sizes));
    parts
}

/// The estimate for training `networks` networks with `batch` trials each.
fn training(setup: &Setup, networks: usize, batch: usize, device: &Device) -> Vec<Part> {
    estimate(setup, &Sizes::new(setup, setup.shape(), (networks, batch), true, device))
}

fn total(parts: &[Part]) -> u64 {
    parts.iter().fold(0, |sum, part| sum.saturating_add(part.bytes))
}

fn usable(free: u64) -> u64 {
    (USABLE * free as f64) as u64
}

/// The largest power of two trials that fit into `free` bytes, at most [`LARGEST_BATCH`]; `None` if not even one fits.
fn largest_batch(setup: &Setup, networks: usize, device: &Device, free: u64) -> Option<usize> {
    let fits = |batch: &usize| total(&training(setup, networks, *batch, device)) <= usable(free);
    std::iter::successors(Some(LARGEST_BATCH), |batch| (*batch > 1).then_some(batch / 2)).find(fits)
}

/// Refuses to train `networks` networks if they do not fit into `free` bytes.
fn check(setup: &Setup, networks: usize, device: &Device, free: u64) -> Result<()> {
    let parts = training(setup, networks, setup.config.train.batch, device);
    refuse(&parts, free, "the run", || match largest_batch(setup, networks, device, free) {
        Some(batch) => format!("train.batch = {batch} would fit"),
        None => "not even train.batch = 1 would fit: use fewer networks or neurons".to_string(),
    })
}

/// Refuses to run `trials` trials of each network with frozen weights if they and their recordings do not fit on a
/// device. `resident` bytes of the networks are already there.
pub(crate) fn check_forward(
    setup: &Setup,
    shape: TrialShape,
    trials: usize,
    record: Record,
    (device, resident): (&Device, u64),
) -> Result<()> {
    let Some(free) = memory_of(device) else { return Ok(()) };
    let sizes = Sizes::new(setup, shape, (setup.config.train.networks.count(), trials), false, device);
    let mut parts = estimate(setup, &sizes);
    let recorded = f64::from(u8::from(record.rates) + u8::from(record.activations));
    parts.push(Part::new("recordings", recorded * sizes.vectors(sizes.t)));
    let remedy = || "use fewer trials or steps, or a machine with more memory".to_string();
    refuse(&parts, free.saturating_add(resident), "this", remedy)
}

pub(super) fn refuse(parts: &[Part], free: u64, what: &'static str, remedy: impl Fn() -> String) -> Result<()> {
    let usable = usable(free);
    if total(parts) <= usable {
        return Ok(());
    }
    let parts = parts.iter().map(|part| (part.name, part.bytes)).collect();
    Err(Error::Memory(Box::new(Shortage { what, parts, free, usable, remedy: remedy() })))
}

/// The number of networks in each part of the run, and the free memory of its device, shared equally among the parts on
/// it. Devices whose memory is unknown are left out.
fn shares<'d>(setup: &Setup, devices: &'d [Device]) -> impl Iterator<Item = (&'d Device, usize, u64)> {
    let networks = setup.config.train.networks;
    devices.iter().enumerate().filter_map(move |(i, device)| {
        let here = devices.iter().filter(|other| other.location() == device.location()).count() as u64;
        Some((device, networks.share(i, devices.len()).len(), memory_of(device)? / here))
    })
}

/// Refuses a training run that does not fit on its devices.
///
/// # Errors
/// [`Error::Memory`], with the size of each part, the free memory, and the largest batch that would fit.
pub fn check_memory(setup: &Setup, devices: &[Device]) -> Result<()> {
    (0..setup.config.curriculum.len()).try_for_each(|k| check_stage(&setup.stage(k)?, devices))?;
    check_stage(setup, devices)
}

/// [`check_memory`] for one stage of the curriculum.
fn check_stage(setup: &Setup, devices: &[Device]) -> Result<()> {
    shares(setup, devices).try_for_each(|(device, networks, free)| check(setup, networks, device, free))
}

/// The largest batch that fits on all of these devices, at most 256, as `--batch auto` uses.
///
/// # Errors
/// [`Error::Memory`] if not even one trial of each network fits.
pub fn automatic_batch(setup: &Setup, devices: &[Device]) -> Result<usize> {
    let fits =
        shares(setup, devices).filter_map(|(device, networks, free)| largest_batch(setup, networks, device, free));
    let batch = fits.min().unwrap_or(1);
    let mut setup = setup.clone();
    setup.config.train.batch = batch;
    check_memory(&setup, devices)?;
    Ok(batch)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Setting;

    fn dnms(settings: &[&str]) -> Setup {
        let mut settings: Vec<Setting> = settings.iter().map(|s| Setting::parse(s).unwrap()).collect();
        settings.push(Setting::flag("--networks", "train.networks", 20));
        Setup::resolve(Some("dnms"), &settings).unwrap()
    }

    #[test]
    fn parts_are_those_of_the_formula() {
        let bytes = |setup: &Setup, name| {
            training(setup, 20, 64, &Device::Cpu).into_iter().find(|part| part.name == name).unwrap().bytes
        };
        let plain = dnms(&[]);
        assert_eq!(bytes(&plain, "eligibility"), 20 * 64 * 200 * 200 * 4);
        assert_eq!(bytes(&plain, "weights"), 20 * 200 * (6 * 200 + 2 + 1) * 4);
        assert_eq!(bytes(&plain, "fast weights"), 0);
        let retroactive = dnms(&["trace.stage=retroactive", "trace.persistent=true"]);
        assert_eq!(bytes(&retroactive, "fast weights"), 2 * 3 * 20 * 64 * 200 * 200 * 4);
        let exact = dnms(&["train.dtype=f64"]);
        assert_eq!(bytes(&exact, "eligibility"), 3 * 20 * 64 * 200 * 200 * 8, "f64 has only plain operations");
    }

    #[test]
    fn the_batch_is_the_largest_power_of_two_that_fits() {
        let setup = dnms(&[]);
        let largest = |free| largest_batch(&setup, 20, &Device::Cpu, free);
        let needs = |batch| (total(&training(&setup, 20, batch, &Device::Cpu)) as f64 / USABLE) as u64;
        for batch in [1, 2, 16, 128, 256] {
            assert_eq!(largest(needs(batch) + 2), Some(batch));
            assert_eq!(largest(needs(batch) - 2), (batch > 1).then_some(batch / 2));
        }
        assert_eq!(largest(1 << 50), Some(256));
        assert_eq!(largest(0), None);
        let error = check(&setup, 20, &Device::Cpu, 200 << 20).unwrap_err().to_string();
        for part in
            ["eligibility 195.3 MiB", "180.0 MiB of the 200.0 MiB free can be used", "train.batch = 16 would fit"]
        {
            assert!(error.contains(part), "{part}: {error}");
        }
        let error = check(&setup, 20, &Device::Cpu, 1 << 20).unwrap_err().to_string();
        assert!(error.contains("not even train.batch = 1"), "{error}");
    }
}
