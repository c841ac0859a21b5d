//! Draws the trials of a batch: for a task, whole trials; for an environment, the random numbers of episodes.

use super::batch::{initial, private_noise};
use super::{DensePerturbation, Draw, DrawnTrial, EpisodeDraws, Perturbation, TrialBatch};
use crate::config::{Config, Distribution};
use crate::environments::Start;
use crate::error::{ensure, Result};
use crate::random::{events, gaussian, stream, symmetric_uniform, Counter, Phase, Purpose, Stream};
use crate::setup::Setup;
use crate::tasks::{Episodes, Problem, Task, Trial, TrialNumbers};
use rayon::prelude::*;

impl TrialBatch {
    /// Draws the trials `first_trial..first_trial + trials_each` of each network of the configuration.
    ///
    /// # Errors
    /// [`Error::Content`](crate::Error::Content) if a trial's lists do not match the task's `steps`, `n_in` and
    /// `n_out`, or the task has no such trial type; any error of [`Task::trials`].
    pub fn draw(setup: &Setup, draw: Draw) -> Result<Self> {
        let drawn = match &setup.task {
            Problem::Trials(task) => draw_trials(&setup.config, &**task, draw)?,
            Problem::Episodes(episodes) => draw_episodes(&setup.config, episodes, draw),
        };
        let networks = setup.config.train.networks.count();
        Ok(TrialBatch { networks, trials_each: draw.trials_each, drawn, exact: None })
    }
}

/// The network and the number of the trial at a place in the batch, `[S, B]`.
fn numbers(place: usize, config: &Config, draw: Draw) -> (u64, u64) {
    let (network, trial) = (place / draw.trials_each, place % draw.trials_each);
    (config.train.networks.start + network as u64, draw.first_trial + trial as u64)
}

/// The initial activations, perturbations and private noise of `steps` steps, from the random streams of a trial. Gaussian
/// perturbations stay the same for `hold` steps.
fn draw_network(
    config: &Config,
    steps: usize,
    hold: usize,
    explore: bool,
    stream: impl Fn(Purpose) -> Stream,
) -> DrawnTrial {
    let amplitude = config.perturbation.amplitude as f32;
    let mut drawn = DrawnTrial {
        ends: steps,
        x0: initial(&config.network, stream(Purpose::InitialActivation)),
        private_noise: private_noise(&config.network, steps, stream(Purpose::PrivateNoise)),
        ..DrawnTrial::default()
    };
    if !explore || amplitude == 0.0 {
        return drawn;
    }
    let mut rng = stream(Purpose::Perturbation);
    if config.perturbation.distribution == Some(Distribution::Gaussian) && config.perturbs() {
        let (counter, start_step) = (Counter::new(&mut rng), config.perturbation.start_step);
        drawn.dense = Some(DensePerturbation { counter, sd: amplitude, start_step, hold });
    } else {
        drawn.perturbations = perturbations(config, steps, &mut rng);
    }
    drawn
}

fn draw_trials(config: &Config, task: &dyn Task, draw: Draw) -> Result<Vec<DrawnTrial>> {
    let mut given = Vec::new();
    for network in config.train.networks.range() {
        given.extend(given_trials(task, draw, network)?);
    }
    let draw_trial = |(place, given): (usize, Option<Trial>)| {
        let (network, number) = numbers(place, config, draw);
        let stream = |purpose| stream(draw.seed, network, number, draw.phase, purpose);
        let trial = given.unwrap_or_else(|| task.trial(number, &mut stream(Purpose::Task)));
        // A trial draws only for its own steps, however far it is padded; a trial without steps is refused later.
        let steps = trial.scored.len().clamp(1, task.steps());
        let mut drawn = DrawnTrial { trial, ..draw_network(config, steps, 1, draw.explore, stream) };
        if draw.explore && config.readout_explores() {
            let mut rng = stream(Purpose::ReadoutPerturbation);
            drawn.readout_noise = gaussian(&mut rng, steps * task.n_out(), config.readout.perturbation);
        }
        drawn
    };
    let mut drawn: Vec<DrawnTrial> = given.into_par_iter().enumerate().map(draw_trial).collect();
    let labels = task.labels().len();
    drawn.iter().try_for_each(|drawn| check(task, &drawn.trial, labels))?;
    drawn.iter_mut().for_each(|drawn| pad(drawn, task));
    Ok(drawn)
}

/// A network's trials if the task draws them all at once, otherwise `None` for each.
fn given_trials(task: &dyn Task, draw: Draw, network: u64) -> Result<Vec<Option<Trial>>> {
    let Draw { seed, phase, first_trial: first, trials_each: count, .. } = draw;
    let Some(trials) = task.trials(TrialNumbers { seed, network, phase, first, count }).transpose()? else {
        return Ok(vec![None; count]);
    };
    let (name, found) = (task.name(), trials.len());
    ensure!(found == count, Content, "task `{name}` drew {found} trials; expected {count}");
    Ok(trials.into_iter().map(Some).collect())
}

fn check(task: &dyn Task, trial: &Trial, labels: usize) -> Result<()> {
    let (name, kind, kinds) = (task.name(), trial.trial_type, task.n_types());
    let t = if task.lengths_vary() { trial.scored.len().clamp(1, task.steps()) } else { task.steps() };
    for (list, found, expected) in [
        ("inputs", trial.inputs.len(), t * task.n_in()),
        ("targets", trial.targets.len(), t * task.n_out()),
        ("scored", trial.scored.len(), t),
        ("labels", trial.labels.len(), labels),
        ("modulator", trial.modulator.as_ref().map_or(t, Vec::len), t),
    ] {
        ensure!(found == expected, Content, "task `{name}` drew a trial with {found} {list}; expected {expected}");
    }
    ensure!(kind < kinds, Content, "task `{name}` drew a trial of type {kind}; expected below {kinds}");
    Ok(())
}

/// Pads the lists of a trial that is shorter than T.
fn pad(drawn: &mut DrawnTrial, task: &dyn Task) {
    let (t, trial) = (task.steps(), &mut drawn.trial);
    if drawn.ends >= t {
        return;
    }
    trial.inputs.resize(t * task.n_in(), 0.0);
    trial.targets.resize(t * task.n_out(), 0.0);
    trial.scored.resize(t, false);
    trial.modulator.iter_mut().for_each(|modulator| modulator.resize(t, 0.0));
    for noise in [&mut drawn.readout_noise, &mut drawn.private_noise] {
        noise.resize(noise.len() / drawn.ends * t, 0.0);
    }
}

fn draw_episodes(config: &Config, episodes: &Episodes, draw: Draw) -> Vec<DrawnTrial> {
    let settings = &episodes.settings;
    let explores = draw.explore && config.readout.perturbation > 0.0;
    let (steps, hold) = (episodes.shape().steps, settings.hold * settings.network_steps);
    let draw_episode = |place: usize| {
        let (network, number) = numbers(place, config, draw);
        let stream_of = |number, purpose| stream(draw.seed, network, number, draw.phase, purpose);
        let same_start = settings.same_start && draw.explore;
        let start = Start {
            index: if draw.phase == Phase::Train { number } else { draw.age },
            rng: stream_of(if same_start { draw.first_trial } else { number }, Purpose::Task),
            shared: stream(config.train.seed, network, u64::MAX, Phase::Train, Purpose::Task),
        };
        let acting = explores.then(|| Counter::new(&mut stream_of(number, Purpose::ReadoutPerturbation)));
        let drawn = draw_network(config, steps, hold, draw.explore, |purpose| stream_of(number, purpose));
        DrawnTrial { episode: Some(EpisodeDraws { start, acting }), ..drawn }
    };
    (0..config.train.networks.count() * draw.trials_each).into_par_iter().map(draw_episode).collect()
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
