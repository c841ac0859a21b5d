//! A batch of trials as drawn on the host: S networks × B trials, each from its own random streams.

use crate::config::Config;
use crate::random::{events, gaussian, stream, symmetric_uniform, uniform, Phase, Purpose};
use crate::task::{Task, Trial};
use anyhow::{ensure, Result};
use rayon::prelude::*;

/// One exploratory perturbation ξ of one neuron at one step.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Kick {
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
    pub kicks: Vec<Kick>,
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
    pub fn draw(config: &Config, task: &dyn Task, draw: Draw) -> Result<Self> {
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
        Ok(TrialBatch { networks: s, trials_each: draw.trials_each, drawn })
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
        ensure!(found == expected, "task `{}` drew a trial with {found} {list}; expected {expected}", task.name());
    }
    let types = task.n_types();
    ensure!(
        trial.trial_type < types,
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
    let private_noise = config.network.private_noise;
    DrawnTrial {
        x0: uniform(&mut rng(Purpose::InitialActivation), neurons, config.network.initial_activation),
        kicks: if draw.explore { kicks(config, steps, &mut rng(Purpose::Perturbation)) } else { Vec::new() },
        readout_noise: if draw.explore && config.readout_explores() {
            gaussian(&mut rng(Purpose::ReadoutPerturbation), steps * task.n_out(), config.readout.perturbation)
        } else {
            Vec::new()
        },
        private_noise: if private_noise > 0.0 {
            gaussian(&mut rng(Purpose::PrivateNoise), steps * neurons, private_noise)
        } else {
            Vec::new()
        },
        trial: drawn,
    }
}

fn kicks(config: &Config, steps: usize, rng: &mut crate::random::Stream) -> Vec<Kick> {
    let (neurons, start) = (config.network.neurons, config.perturbation.start_step);
    let amplitude = config.perturbation.amplitude as f32;
    if amplitude == 0.0 {
        return Vec::new();
    }
    let places = events(rng, steps.saturating_sub(start) * neurons, config.perturbation.probability);
    let kick = |place: usize| Kick {
        step: (start + place / neurons) as u32,
        neuron: (place % neurons) as u32,
        size: symmetric_uniform(rng) * amplitude,
    };
    places.into_iter().map(kick).collect()
}
