//! A batch of trials as drawn on the host: S networks × B trials, each from its own random streams.

use crate::config::{Config, NetworkConfig, Networks};
use crate::error::{ensure, Result};
use crate::presets::Setup;
use crate::random::{events, gaussian, stream, symmetric_uniform, uniform, Phase, Purpose, Stream};
use crate::tasks::{Task, Trial};
use candle_core::{DType, Tensor};
use rayon::prelude::*;
use std::ops::Range;

/// One exploratory perturbation ξ of one neuron at one step.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Perturbation {
    /// The step.
    pub step: u32,
    /// The neuron.
    pub neuron: u32,
    /// ξ.
    pub size: f32,
}

/// One trial with everything random about it.
#[derive(Clone, Debug)]
pub struct DrawnTrial {
    /// What the task drew.
    pub trial: Trial,
    /// x(0), `[N]`.
    pub x0: Vec<f32>,
    /// The exploratory perturbations, by step.
    pub perturbations: Vec<Perturbation>,
    /// The noise on the readout, `[T, n_out]`; empty where the readout does not explore.
    pub readout_noise: Vec<f32>,
    /// The neurons' private noise, `[T, N]`; empty where there is none.
    pub private_noise: Vec<f32>,
}

/// S × B trials, networks first.
#[derive(Clone, Debug)]
pub struct TrialBatch {
    /// S.
    pub networks: usize,
    /// B.
    pub trials_each: usize,
    /// `[S, B]`.
    pub drawn: Vec<DrawnTrial>,
    /// What a user gave in double precision, for engines that can take it.
    pub exact: Option<Exact>,
}

/// Inputs as they were given; trials hold them in single precision.
#[derive(Clone, Debug)]
pub struct Exact {
    /// u, `[T, S, B, n_in]`.
    pub inputs: Tensor,
    /// m(t) of the fast weights, `[T, S, B]`.
    pub modulator: Option<Tensor>,
    /// x(0), `[S, B, N]`.
    pub x0: Tensor,
}

/// Which trials to draw.
#[derive(Clone, Copy, Debug)]
pub struct Draw {
    /// The seed of every stream.
    pub seed: u64,
    /// Training or evaluation.
    pub phase: Phase,
    /// The number of each network's first trial in the batch.
    pub first_trial: u64,
    /// B.
    pub trials_each: usize,
    /// Whether neurons and readout explore.
    pub explore: bool,
}

impl TrialBatch {
    /// Draws the trials `first_trial..first_trial + trials_each` of each network of the configuration.
    ///
    /// # Errors
    /// Where the task draws a trial whose lists do not have the lengths that its own `steps`, `inputs` and `n_out` call for.
    pub fn draw(setup: &Setup, draw: Draw) -> Result<Self> {
        let (config, task) = (&setup.config, &*setup.task);
        let networks = config.train.networks;
        let s = networks.count();
        let drawn: Vec<DrawnTrial> = (0..s * draw.trials_each)
            .into_par_iter()
            .map(|i| {
                let network = networks.start + (i / draw.trials_each) as u64;
                let trial = draw.first_trial + (i % draw.trials_each) as u64;
                draw_trial(config, task, draw, network, trial)
            })
            .collect();
        drawn.iter().try_for_each(|d| check(task, &d.trial))?;
        Ok(TrialBatch { networks: s, trials_each: draw.trials_each, drawn, exact: None })
    }

    /// Trials that nobody judges, from what a user gave: x(0), where it is not given, and private noise come from the seed's own
    /// streams.
    ///
    /// # Errors
    /// Where tensors do not have the shapes of [`Exact`].
    pub fn given(config: &Config, given: Exact, n_out: usize, seed: u64) -> candle_core::Result<Self> {
        let (t, networks, trials_each, n_in) = given.inputs.dims4()?;
        let trials = networks * trials_each;
        let rows =
            |tensor: Tensor, width: usize| tensor.to_dtype(DType::F32)?.reshape((trials, width))?.to_vec2::<f32>();
        let inputs = rows(given.inputs.permute((1, 2, 0, 3))?.contiguous()?, t * n_in)?;
        let modulator = given.modulator.as_ref().map(|m| rows(m.permute((1, 2, 0))?.contiguous()?, t)).transpose()?;
        let mut modulator = modulator.into_iter().flatten();
        let x0 = rows(given.x0.clone(), config.network.neurons)?;
        let trial = |(i, (inputs, x0)): (usize, (Vec<f32>, Vec<f32>))| {
            let network = config.train.networks.start + (i / trials_each) as u64;
            let rng = |purpose| stream(seed, network, (i % trials_each) as u64, Phase::Simulate, purpose);
            DrawnTrial {
                trial: Trial {
                    trial_type: 0,
                    inputs,
                    targets: vec![0.0; t * n_out],
                    scored: vec![false; t],
                    modulator: modulator.next(),
                },
                x0,
                perturbations: Vec::new(),
                readout_noise: Vec::new(),
                private_noise: private_noise(&config.network, t, rng(Purpose::PrivateNoise)),
            }
        };
        let drawn = inputs.into_iter().zip(x0).enumerate().map(trial).collect();
        Ok(TrialBatch { networks, trials_each, drawn, exact: Some(given) })
    }

    /// Those of `all`, `[S, B]`, that belong to some trials of some networks.
    pub(super) fn part<'t, T>(&self, networks: &Range<usize>, trials: &Range<usize>, all: &'t [T]) -> Vec<&'t T> {
        let b = self.trials_each;
        networks.clone().flat_map(|s| &all[s * b + trials.start..s * b + trials.end]).collect()
    }

    /// The trial types, `[S, B]`.
    pub fn types(&self) -> Vec<usize> {
        self.drawn.iter().map(|d| d.trial.trial_type).collect()
    }
}

fn check(task: &dyn Task, trial: &Trial) -> Result<()> {
    let (t, n_in, n_out) = (task.steps(), task.n_in(), task.n_out());
    let modulator = trial.modulator.as_ref().map_or(t, Vec::len);
    let lengths = [
        ("inputs", trial.inputs.len(), t * n_in),
        ("targets", trial.targets.len(), t * n_out),
        ("scored", trial.scored.len(), t),
        ("modulator", modulator, t),
    ];
    for (list, found, expected) in lengths {
        ensure!(
            found == expected,
            Content,
            "task `{}` drew a trial with {found} {list}; expected {expected}",
            task.name()
        );
    }
    let types = task.n_types();
    ensure!(
        trial.trial_type < types,
        Content,
        "task `{}` drew a trial of type {}; expected below {types}",
        task.name(),
        trial.trial_type
    );
    Ok(())
}

fn draw_trial(config: &Config, task: &dyn Task, draw: Draw, network: u64, trial: u64) -> DrawnTrial {
    let rng = |purpose| stream(draw.seed, network, trial, draw.phase, purpose);
    let steps = task.steps();
    let neurons = config.network.neurons;
    let drawn = task.trial(trial, &mut rng(Purpose::Task));
    DrawnTrial {
        x0: uniform(&mut rng(Purpose::InitialActivation), neurons, config.network.initial_activation),
        perturbations: if draw.explore {
            perturbations(config, steps, &mut rng(Purpose::Perturbation))
        } else {
            Vec::new()
        },
        readout_noise: if draw.explore && config.readout_explores() {
            gaussian(&mut rng(Purpose::ReadoutPerturbation), steps * task.n_out(), config.readout.perturbation)
        } else {
            Vec::new()
        },
        private_noise: private_noise(&config.network, steps, rng(Purpose::PrivateNoise)),
        trial: drawn,
    }
}

/// x(0) for trials that no task drew, one list `[N]` after the other: those of the first network first.
pub(crate) fn initial_activation(network: &NetworkConfig, seed: u64, networks: Networks, trials: usize) -> Vec<f32> {
    let draw = |k, trial| {
        let mut rng = stream(seed, k, trial, Phase::Simulate, Purpose::InitialActivation);
        uniform(&mut rng, network.neurons, network.initial_activation)
    };
    networks.range().flat_map(|k| (0..trials as u64).flat_map(move |trial| draw(k, trial))).collect()
}

/// The private noise of one trial, `[T, N]`; empty where there is none.
fn private_noise(network: &NetworkConfig, steps: usize, mut rng: Stream) -> Vec<f32> {
    match network.private_noise {
        0.0 => Vec::new(),
        sd => gaussian(&mut rng, steps * network.neurons, sd),
    }
}

fn perturbations(config: &Config, steps: usize, rng: &mut Stream) -> Vec<Perturbation> {
    let (neurons, start) = (config.network.neurons, config.perturbation.start_step);
    let amplitude = config.perturbation.amplitude as f32;
    if amplitude == 0.0 {
        return Vec::new();
    }
    let places = events(rng, steps.saturating_sub(start) * neurons, config.perturbation.probability);
    let perturbation = |place: usize| Perturbation {
        step: (start + place / neurons) as u32,
        neuron: (place % neurons) as u32,
        size: symmetric_uniform(rng) * amplitude,
    };
    places.into_iter().map(perturbation).collect()
}
