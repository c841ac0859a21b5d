//! A batch of trials in host memory: S networks × B trials, each drawn from its own random streams.

use crate::config::{Config, Distribution, NetworkConfig, NetworkRange};
use crate::environments::Start;
use crate::error::{ensure, Result};
use crate::presets::Setup;
use crate::random::{events, gaussian, stream, symmetric_uniform, uniform, Counter, Phase, Purpose, Stream, CHUNK};
use crate::tasks::{Episodes, Task, Trial, TrialNumbers};
use candle_core::{DType, Tensor};
use rayon::prelude::*;
use std::ops::Range;

/// One exploratory perturbation ξ of one neuron at one step.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Perturbation {
    /// The step.
    pub step: u32,
    /// The index of the neuron.
    pub neuron: u32,
    /// ξ, added to the neuron's drive.
    pub size: f32,
}

/// One trial with all its random numbers.
#[derive(Clone, Debug)]
pub struct DrawnTrial {
    /// The trial drawn from the task, its lists padded to T steps if it is shorter.
    pub trial: Trial,
    /// The number of steps until it ends. Its state stays the same from then on.
    pub ends: usize,
    /// The initial activations x(0), `[N]`.
    pub x0: Vec<f32>,
    /// The exploratory perturbations, ordered by step.
    pub perturbations: Vec<Perturbation>,
    /// The Gaussian perturbations, instead of a list.
    pub dense: Option<DensePerturbation>,
    /// The noise on the readout, `[T, n_out]`; empty if the readout does not explore.
    pub readout_noise: Vec<f32>,
    /// The neurons' private noise, `[T, N]`; empty if there is none.
    pub private_noise: Vec<f32>,
    /// The random numbers of an episode in a world that answers.
    pub episode: Option<EpisodeDraws>,
}

/// Exploratory perturbations of every neuron at every step.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct DensePerturbation {
    counter: Counter,
    sd: f32,
    start_step: usize,
    /// The number of steps for which ξ stays the same.
    hold: usize,
}

impl DensePerturbation {
    /// ξ of the N neurons at a step.
    pub fn at(&self, step: usize, neurons: &mut [f32]) {
        if step < self.start_step {
            return neurons.fill(0.0);
        }
        self.counter.gaussian(step / self.hold * neurons.len().div_ceil(CHUNK), self.sd, neurons);
    }
}

/// The random numbers that an episode draws as it unfolds.
#[derive(Clone, Debug)]
pub struct EpisodeDraws {
    /// For the world.
    pub start: Start,
    /// For the noise of outputs; `None` without.
    pub acting: Option<Counter>,
}

/// S × B trials, ordered by network.
#[derive(Clone, Debug)]
pub struct TrialBatch {
    /// The number of networks, S.
    pub networks: usize,
    /// The number of trials per network, B.
    pub trials_each: usize,
    /// The trials, `[S, B]`.
    pub drawn: Vec<DrawnTrial>,
    /// The user's own inputs in full precision, for engines that can use it.
    pub exact: Option<Exact>,
}

/// Inputs as the user gave them; the trials hold single-precision copies.
#[derive(Clone, Debug)]
pub struct Exact {
    /// The inputs u, `[T, S, B, n_in]`.
    pub inputs: Tensor,
    /// The modulator m(t) of the fast weights, `[T, S, B]`.
    pub modulator: Option<Tensor>,
    /// The initial activations x(0), `[S, B, N]`.
    pub x0: Tensor,
}

/// Which trials to draw.
#[derive(Clone, Copy, Debug)]
pub struct Draw {
    /// The seed of all random streams.
    pub seed: u64,
    /// Training, evaluation or simulation.
    pub phase: Phase,
    /// The index of each network's first trial in the batch.
    pub first_trial: u64,
    /// The number of trials per network, B.
    pub trials_each: usize,
    /// The age, in trials, of networks that do not train here: worlds may change with it.
    pub age: u64,
    /// Whether the neurons and the readout explore.
    pub explore: bool,
}

impl TrialBatch {
    /// Draws the trials `first_trial..first_trial + trials_each` of each network of the configuration.
    ///
    /// # Errors
    /// [`Error::Content`](crate::Error::Content) if a trial's lists do not match the task's `steps`, `n_in` and
    /// `n_out`, or the task has no such trial type; any error of [`Task::trials`].
    pub fn draw(setup: &Setup, draw: Draw) -> Result<Self> {
        let (networks, trials_each) = (setup.config.train.networks, draw.trials_each);
        let given = networks.range().map(|network| given_trials(&*setup.task, draw, network));
        let given = given.collect::<Result<Vec<_>>>()?.into_iter().flatten().collect::<Vec<_>>();
        let trial = |(i, given)| {
            let (network, trial) = (networks.start + (i / trials_each) as u64, (i % trials_each) as u64);
            draw_trial(&setup.config, &*setup.task, draw, network, draw.first_trial + trial, given)
        };
        let mut drawn: Vec<DrawnTrial> = given.into_par_iter().enumerate().map(trial).collect();
        let labels = setup.task.labels().len();
        drawn.iter().try_for_each(|d| check(&*setup.task, &d.trial, labels))?;
        drawn.iter_mut().for_each(|drawn| drawn.pad(&*setup.task));
        Ok(TrialBatch { networks: networks.count(), trials_each, drawn, exact: None })
    }

    /// Unscored trials with the user's own inputs. Private noise is drawn from the seed's streams.
    ///
    /// # Errors
    /// If the tensors do not have the shapes given in [`Exact`].
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
                    inputs,
                    targets: vec![0.0; t * n_out],
                    scored: vec![false; t],
                    modulator: modulator.next(),
                    ..Trial::default()
                },
                ends: t,
                x0,
                perturbations: Vec::new(),
                dense: None,
                readout_noise: Vec::new(),
                episode: None,
                private_noise: private_noise(&config.network, t, rng(Purpose::PrivateNoise)),
            }
        };
        let drawn = inputs.into_iter().zip(x0).enumerate().map(trial).collect();
        Ok(TrialBatch { networks, trials_each, drawn, exact: Some(given) })
    }

    /// The elements of `all`, `[S, B]`, that belong to the given trials of the given networks.
    pub(super) fn part<'t, T>(&self, networks: &Range<usize>, trials: &Range<usize>, all: &'t [T]) -> Vec<&'t T> {
        let b = self.trials_each;
        networks.clone().flat_map(|s| &all[s * b + trials.start..s * b + trials.end]).collect()
    }

    /// How its trials unfold, if they are episodes in a world. The user's own inputs are not.
    pub(super) fn episodes<'t>(&self, task: &'t dyn Task) -> Option<&'t Episodes> {
        task.episodes().filter(|_| self.drawn.iter().all(|drawn| drawn.episode.is_some()))
    }

    /// The trial types, `[S, B]`.
    pub fn types(&self) -> Vec<usize> {
        self.drawn.iter().map(|d| d.trial.trial_type).collect()
    }
}

impl DrawnTrial {
    /// Pads the lists of a trial that is shorter than T.
    fn pad(&mut self, task: &dyn Task) {
        let (t, trial) = (task.steps(), &mut self.trial);
        if task.episodes().is_some() || self.ends >= t {
            return;
        }
        trial.inputs.resize(t * task.n_in(), 0.0);
        trial.targets.resize(t * task.n_out(), 0.0);
        trial.scored.resize(t, false);
        trial.modulator.iter_mut().for_each(|modulator| modulator.resize(t, 0.0));
        for noise in [&mut self.readout_noise, &mut self.private_noise] {
            noise.resize(noise.len() / self.ends * t, 0.0);
        }
    }
}

fn check(task: &dyn Task, trial: &Trial, labels: usize) -> Result<()> {
    let (name, kind, kinds) = (task.name(), trial.trial_type, task.n_types());
    // Episodes are not drawn as a whole.
    let t = match task.lengths_vary() {
        _ if task.episodes().is_some() => 0,
        true => trial.scored.len().clamp(1, task.steps()),
        false => task.steps(),
    };
    for (list, found, expected) in [
        ("inputs", trial.inputs.len(), t * task.n_in()),
        ("targets", trial.targets.len(), t * task.n_out()),
        ("scored", trial.scored.len(), t),
        ("labels", trial.labels.len(), if task.episodes().is_some() { 0 } else { labels }),
        ("modulator", trial.modulator.as_ref().map_or(t, Vec::len), t),
    ] {
        ensure!(found == expected, Content, "task `{name}` drew a trial with {found} {list}; expected {expected}");
    }
    ensure!(kind < kinds, Content, "task `{name}` drew a trial of type {kind}; expected below {kinds}");
    Ok(())
}

/// A network's trials if the task draws them at once, else a `None` for each.
fn given_trials(task: &dyn Task, draw: Draw, network: u64) -> Result<Vec<Option<Trial>>> {
    let Draw { seed, phase, first_trial: first, trials_each: count, .. } = draw;
    let Some(trials) = task.trials(TrialNumbers { seed, network, phase, first, count }).transpose()? else {
        return Ok(vec![None; count]);
    };
    let (name, found) = (task.name(), trials.len());
    ensure!(found == count, Content, "task `{name}` drew {found} trials; expected {count}");
    Ok(trials.into_iter().map(Some).collect())
}

fn draw_trial(
    config: &Config,
    task: &dyn Task,
    draw: Draw,
    network: u64,
    trial: u64,
    given: Option<Trial>,
) -> DrawnTrial {
    let rng = |purpose| stream(draw.seed, network, trial, draw.phase, purpose);
    let drawn = given.unwrap_or_else(|| task.trial(trial, &mut rng(Purpose::Task)));
    // A trial draws for its own steps, whatever it is padded to; one without any is refused later.
    let steps = if task.episodes().is_some() { task.steps() } else { drawn.scored.len().clamp(1, task.steps()) };
    let sd = config.readout.perturbation;
    let explore = |explores: bool| draw.explore && explores;
    let readout_noise = || gaussian(&mut rng(Purpose::ReadoutPerturbation), steps * task.n_out(), sd);
    let perturbations = || perturbations(config, steps, &mut rng(Purpose::Perturbation));
    let perturbed = explore(config.perturbation.amplitude as f32 != 0.0);
    let gaussian = config.perturbation.distribution == Some(Distribution::Gaussian) && config.perturbs();
    let dense = || DensePerturbation {
        counter: Counter::new(&mut rng(Purpose::Perturbation)),
        sd: config.perturbation.amplitude as f32,
        start_step: config.perturbation.start_step,
        hold: task.episodes().map_or(1, |episodes| episodes.settings.hold * episodes.settings.network_steps),
    };
    let episode = |episodes: &Episodes| {
        let of = |trial, purpose| stream(draw.seed, network, trial, draw.phase, purpose);
        let alike = episodes.settings.same_start && draw.explore;
        let start = if alike { draw.first_trial } else { trial };
        EpisodeDraws {
            start: Start {
                index: if draw.phase == Phase::Train { trial } else { draw.age },
                rng: of(start, Purpose::Task),
                shared: stream(config.train.seed, network, u64::MAX, Phase::Train, Purpose::Task),
            },
            acting: explore(sd > 0.0).then(|| Counter::new(&mut rng(Purpose::ReadoutPerturbation))),
        }
    };
    DrawnTrial {
        ends: steps,
        trial: drawn,
        x0: initial(&config.network, rng(Purpose::InitialActivation)),
        perturbations: (perturbed && !gaussian).then(perturbations).unwrap_or_default(),
        dense: (perturbed && gaussian).then(dense),
        readout_noise: explore(config.readout_explores() && task.episodes().is_none())
            .then(readout_noise)
            .unwrap_or_default(),
        private_noise: private_noise(&config.network, steps, rng(Purpose::PrivateNoise)),
        episode: task.episodes().map(episode),
    }
}

/// x(0) of one trial, `[N]`.
fn initial(network: &NetworkConfig, mut rng: Stream) -> Vec<f32> {
    uniform(&mut rng, network.neurons, network.initial_activation)
}

/// x(0) for the user's own trials, `[S, trials, N]`.
pub(crate) fn initial_activation(
    network: &NetworkConfig,
    seed: u64,
    networks: NetworkRange,
    trials: usize,
) -> Vec<f32> {
    let rng = |k, trial| stream(seed, k, trial, Phase::Simulate, Purpose::InitialActivation);
    let each = |k| (0..trials as u64).flat_map(move |trial| initial(network, rng(k, trial)));
    networks.range().flat_map(each).collect()
}

/// The private noise of one trial, `[T, N]`; empty if there is none.
fn private_noise(network: &NetworkConfig, steps: usize, mut rng: Stream) -> Vec<f32> {
    match network.private_noise {
        0.0 => Vec::new(),
        sd => gaussian(&mut rng, steps * network.neurons, sd),
    }
}

fn perturbations(config: &Config, steps: usize, rng: &mut Stream) -> Vec<Perturbation> {
    let (neurons, start) = (config.network.neurons, config.perturbation.start_step);
    let amplitude = config.perturbation.amplitude as f32;
    let places = events(rng, steps.saturating_sub(start) * neurons, config.perturbation.probability);
    let perturbation = |place: usize| Perturbation {
        step: (start + place / neurons) as u32,
        neuron: (place % neurons) as u32,
        size: symmetric_uniform(rng) * amplitude,
    };
    places.into_iter().map(perturbation).collect()
}
