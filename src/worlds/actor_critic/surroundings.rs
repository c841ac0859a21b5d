//! An environment as the surroundings of an actor and a critic.
//!
//! An episode is a trial. Its copy of the environment cannot be saved, so a state is the actions so far, which are taken once more.

use super::decoder::{is_count, Decoder};
use super::environment::{GridAxis, InEnvironment};
use super::Places;
use crate::bodies::{lateral_along, Axis, Body, Transition};
use crate::environments::{Actions, Copies, Environment, Outcome, Start};
use crate::error::{bail, ensure, Result};
use crate::random::{stream, Phase, Purpose, Stream};
use std::sync::{Arc, Mutex, PoisonError};

/// Episodes after this one start like it: some environments take a time that grows with the number of an episode.
const LAST_INDEX: u64 = 10_000_000;
/// A state begins with the number of the episode and the steps of the life since the last step of the environment. The actions of the
/// episode follow.
const HEAD: usize = 2;

pub(super) struct Surroundings {
    own: InEnvironment,
    environment: Arc<dyn Environment>,
    decoder: Decoder,
    /// The index of the observation of each axis.
    observed: Vec<usize>,
    /// Steps of the life in a step of the environment.
    steps: usize,
    seed: u64,
    network: u64,
    /// The copy that has taken the actions in the state. A lock, since worlds are shared between threads; each network has its own.
    episode: Mutex<Option<Episode>>,
}

/// An episode as it unfolds.
struct Episode {
    copies: Box<dyn Copies>,
    observation: Vec<f64>,
    returned: f64,
    correct: Option<bool>,
}

impl Episode {
    fn step(&mut self, action: &[f64]) -> Outcome {
        let outcome = self.copies.step(0, action);
        self.copies.observe(0, &mut self.observation);
        self.returned += outcome.reward;
        self.correct = outcome.correct;
        outcome
    }
}

impl Surroundings {
    pub fn new(own: InEnvironment, environment: Arc<dyn Environment>, places: &Places) -> Result<Self> {
        let (observed, steps) = own.check(&*environment, places)?;
        let decoder = Decoder(environment.actions());
        let episode = Mutex::new(None);
        Ok(Surroundings { own, environment, decoder, observed, steps, seed: 0, network: 0, episode })
    }

    /// Starts episode number `index`, as in training by trials.
    fn begin(&self, index: u64) {
        let numbers = |episode| stream(self.seed, self.network, episode, Phase::Train, Purpose::Task);
        let copies = self.environment.start(vec![Start { index, rng: numbers(index), shared: numbers(u64::MAX) }]);
        let mut observation = vec![0.0; self.environment.observations().len()];
        copies.observe(0, &mut observation);
        let episode = Episode { copies, observation, returned: 0.0, correct: None };
        *self.episode.lock().unwrap_or_else(PoisonError::into_inner) = Some(episode);
    }

    /// Reads or continues the episode, if there is one.
    fn episode<T: Default>(&self, read: impl FnOnce(&mut Episode) -> T) -> T {
        let mut episode = self.episode.lock().unwrap_or_else(PoisonError::into_inner);
        episode.as_mut().map(read).unwrap_or_default()
    }

    fn is_over(&self, outcome: Outcome, taken: usize) -> bool {
        outcome.terminated || outcome.truncated || taken >= self.environment.limit()
    }
}

impl Body for Surroundings {
    fn name(&self) -> &'static str {
        "environment"
    }

    fn axes(&self) -> Vec<Axis> {
        self.own.axes.iter().map(GridAxis::centres).collect()
    }

    fn groups(&self) -> usize {
        self.decoder.groups()
    }

    fn vote(&self, k: usize, n: usize) -> [f64; 2] {
        match &self.decoder.0 {
            Actions::Discrete(_) => [1.0, 0.0],
            Actions::Continuous { .. } => [(2 * k + 1) as f64 / n as f64 - 1.0, 0.0],
        }
    }

    fn lateral(&self, apart: usize, _: usize) -> f64 {
        match &self.decoder.0 {
            Actions::Discrete(_) => 1.0,
            Actions::Continuous { .. } => lateral_along(apart, self.own.kin),
        }
    }

    fn weighs(&self) -> bool {
        matches!(self.decoder.0, Actions::Continuous { .. })
    }

    fn numbers(&self) -> usize {
        HEAD
    }

    fn of_network(&self, seed: u64, network: u64) -> Option<Arc<dyn Body>> {
        Some(Arc::new(Surroundings {
            own: self.own.clone(),
            environment: self.environment.clone(),
            decoder: self.decoder.clone(),
            observed: self.observed.clone(),
            steps: self.steps,
            seed,
            network,
            episode: Mutex::new(None),
        }))
    }

    fn start(&self, _: &mut Stream, trial: u64) -> Vec<f64> {
        let index = trial.min(LAST_INDEX);
        self.begin(index);
        vec![index as f64, 0.0]
    }

    /// Takes the actions of the state once more.
    fn restore(&self, state: &[f64], ended: bool) -> Result<()> {
        let [Some(index), Some(waited)] = [0, 1].map(|k| state.get(k).copied().filter(|number| is_count(*number)))
        else {
            bail!(Content, "the state of the world: body does not begin with two counts");
        };
        ensure!(
            index <= LAST_INDEX as f64,
            Content,
            "the state of the world: the episode's number is {index}; expected at most {LAST_INDEX}"
        );
        ensure!(
            waited < self.steps as f64,
            Content,
            "the state of the world: {waited} steps have passed since the last action; expected fewer than {}",
            self.steps
        );
        let actions = state[HEAD..].chunks(self.decoder.dimensions());
        self.begin(index as u64);
        let all = actions.len();
        for (action, taken) in actions.zip(1..) {
            let possible = action.len() == self.decoder.dimensions() && self.decoder.is_possible(action);
            ensure!(possible, Content, "the state of the world: {action:?} is not an action of the environment");
            let over = self.is_over(self.episode(|episode| episode.step(action)), taken);
            ensure!(!over || (ended && taken == all), Content, "the state of the world: the episode is over after {taken} actions; found {all} and a trial that goes on");
        }
        Ok(())
    }

    fn memory(&self, steps: f64) -> f64 {
        let actions = (steps / self.steps as f64).min(self.environment.limit() as f64);
        8.0 * (actions * self.decoder.dimensions() as f64 + self.environment.observations().len() as f64)
    }

    /// The last point of the environment's sketch.
    fn drawn(&self, _: &[f64]) -> [f64; 2] {
        let (x, y) = self.episode(|episode| {
            episode.copies.sketch(0).last().and_then(|line| line.last().copied()).unwrap_or_default()
        });
        [x, y]
    }

    fn coordinates(&self, _: &[f64]) -> Vec<f64> {
        let on_grid = |observation: &[f64]| -> Vec<f64> {
            let axes = self.own.axes.iter().zip(&self.observed);
            axes.map(|(axis, k)| observation[*k].clamp(axis.low, axis.high)).collect()
        };
        self.episode(|episode| on_grid(&episode.observation))
    }

    fn act(&self, state: &mut Vec<f64>, votes: &[f64], _: f64) -> Transition {
        state[1] += 1.0;
        if state[1] < self.steps as f64 {
            return Transition::default();
        }
        state[1] = 0.0;
        let action = self.decoder.action(votes);
        state.extend(&action);
        let taken = (state.len() - HEAD) / self.decoder.dimensions();
        let outcome = self.episode(|episode| episode.step(&action));
        Transition {
            event: self.own.reward_scale * outcome.reward,
            end: outcome.terminated.then(|| self.endures(state)),
            truncated: self.is_over(outcome, taken),
            ..Transition::default()
        }
    }

    fn returned(&self) -> Option<f64> {
        Some(self.episode(|episode| episode.returned))
    }

    /// Whether the trial is a success.
    fn endures(&self, _: &[f64]) -> bool {
        let reached = |least: f64, episode: &Episode| episode.returned >= least;
        self.episode(|episode| match (self.own.success_return, episode.correct) {
            (Some(least), _) => reached(least, episode),
            (None, Some(correct)) => correct,
            (None, None) => reached(self.environment.solved(), episode),
        })
    }
}
