//! A batch of trials in host memory: S networks × B trials, each drawn from its own random streams.

use crate::config::{Config, NetworkConfig, NetworkRange};
use crate::environments::Start;
use crate::random::{gaussian, stream, uniform, Counter, Phase, Purpose, Stream, CHUNK};
use crate::tasks::{Episodes, Problem, Trial};
use candle_core::{DType, Tensor};
use std::ops::Range;

/// One exploratory perturbation ξ of one neuron at one step.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub struct Perturbation {
    /// The step.
    pub step: u32,
    /// The index of the neuron.
    pub neuron: u32,
    /// ξ, added to the neuron's drive.
    pub size: f32,
}

/// One trial with all its random numbers.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct DrawnTrial {
    /// The trial drawn from the task, its lists padded to T steps if it is shorter.
    pub trial: Trial,
    /// The number of steps until the trial ends. The network's state stays the same from then on.
    pub ends: usize,
    /// The initial activations x(0), `[N]`.
    pub x0: Vec<f32>,
    /// The exploratory perturbations, ordered by step.
    pub perturbations: Vec<Perturbation>,
    /// Gaussian perturbations, which take the place of the list.
    pub dense: Option<DensePerturbation>,
    /// The noise on the readout, `[T, n_out]`; empty if the readout does not explore.
    pub readout_noise: Vec<f32>,
    /// The neurons' private noise, `[T, N]`; empty if there is none.
    pub private_noise: Vec<f32>,
    /// The random numbers of an episode in an environment.
    pub episode: Option<EpisodeDraws>,
}

/// Exploratory perturbations of every neuron at every step.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct DensePerturbation {
    pub(super) counter: Counter,
    pub(super) sd: f32,
    pub(super) start_step: usize,
    /// The number of steps for which ξ stays the same.
    pub(super) hold: usize,
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
#[non_exhaustive]
pub struct EpisodeDraws {
    /// The start of the episode, with the environment's random numbers.
    pub start: Start,
    /// The random numbers for the noise on the outputs; `None` if there is no noise.
    pub acting: Option<Counter>,
}

/// S × B trials, ordered by network.
#[derive(Clone, Debug)]
#[non_exhaustive]
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

/// A description of the trials to draw.
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
    /// The age, in trials, of networks that are not being trained here; an environment can change with it.
    pub age: u64,
    /// Whether the neurons and the readout explore.
    pub explore: bool,
}

impl TrialBatch {
    /// Trials with the user's own inputs, which are not scored. Private noise is drawn from the seed's streams.
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
                private_noise: private_noise(&config.network, t, rng(Purpose::PrivateNoise)),
                ..DrawnTrial::default()
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

    /// The problem's episodes, if the trials of this batch unfold as episodes. The user's own inputs and replayed
    /// episodes do not.
    pub(super) fn episodes<'p>(&self, problem: &'p Problem) -> Option<&'p Episodes> {
        problem.episodes().filter(|_| self.drawn.iter().all(|drawn| drawn.episode.is_some()))
    }

    /// The trial types, `[S, B]`.
    pub fn types(&self) -> Vec<usize> {
        self.drawn.iter().map(|d| d.trial.trial_type).collect()
    }
}

/// x(0) of one trial, `[N]`.
pub(super) fn initial(network: &NetworkConfig, mut rng: Stream) -> Vec<f32> {
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
pub(super) fn private_noise(network: &NetworkConfig, steps: usize, mut rng: Stream) -> Vec<f32> {
    match network.private_noise {
        0.0 => Vec::new(),
        sd => gaussian(&mut rng, steps * network.neurons, sd),
    }
}
