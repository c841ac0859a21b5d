//! Episodes as they unfold: the work that both engines for episodes do between two steps of a network.

use super::{DrawnTrial, EpisodeDraws};
use crate::environments::{Copies, Outcome};
use crate::error::Result;
use crate::random::{Counter, CHUNK};
use crate::setup::Setup;
use crate::tasks::{Actor, Episodes, Trajectory};

/// Some episodes side by side, and their environment.
pub(super) struct Rollout<'a> {
    pub episodes: &'a Episodes,
    /// The trajectory of each episode so far.
    pub trajectories: Vec<Trajectory>,
    draws: Vec<Option<Draws>>,
    copies: Box<dyn Copies>,
    actor: Actor,
    sizes: Vec<f64>,
    sigma: f64,
    record: bool,
    observation: Vec<f64>,
    /// The action of each episode, `[episodes, dimensions]`.
    actions: Vec<f64>,
    outcomes: Vec<Outcome>,
    /// The score of the action that was last chosen, and 1 for a critic, `[n_out]`: times the rates, it is each output's eligibility.
    pub score: Vec<f64>,
}

/// The random numbers of one network's actions.
struct Draws {
    counter: Counter,
    /// The chunk that was drawn last; `numbers` starts with it.
    chunk: Option<usize>,
    numbers: Vec<f32>,
}

impl<'a> Rollout<'a> {
    /// The start of the `drawn` episodes.
    pub fn start<'d>(
        setup: &Setup,
        episodes: &'a Episodes,
        drawn: impl IntoIterator<Item = &'d DrawnTrial>,
        record: bool,
    ) -> Self {
        let given: Vec<&EpisodeDraws> = drawn.into_iter().filter_map(|drawn| drawn.episode.as_ref()).collect();
        let copies = episodes.environment.start(given.iter().map(|draws| draws.start.clone()).collect());
        let actor = episodes.actor();
        let sizes = episodes.sizes();
        let start = |k| Trajectory { condition: copies.condition(k), ..Trajectory::default() };
        Rollout {
            trajectories: (0..given.len()).map(start).collect(),
            draws: given
                .iter()
                .map(|draws| draws.acting.map(|counter| Draws { counter, chunk: None, numbers: Vec::new() }))
                .collect(),
            copies,
            sigma: setup.config.readout.perturbation,
            record,
            observation: vec![0.0; sizes.len()],
            sizes,
            actions: vec![0.0; given.len() * actor.dimensions()],
            outcomes: vec![Outcome::default(); given.len()],
            // The score of a critic stays 1.
            score: vec![1.0; episodes.shape().n_out],
            actor,
            episodes,
        }
    }

    /// Writes the network's `inputs` in the `k`-th episode, `[n_in]`.
    pub fn observe(&mut self, k: usize, inputs: &mut [f32]) {
        self.copies.observe(k, &mut self.observation);
        for ((u, o), size) in inputs.iter_mut().zip(&self.observation).zip(&self.sizes) {
            *u = (o / size) as f32;
        }
        if self.record {
            self.trajectories[k].observations_and_actions.extend(&self.observation);
            self.trajectories[k].sketches.push(self.copies.sketch(k));
        }
    }

    /// Chooses the action in the `k`-th episode from the `outputs` `[n_out]` at a step of the environment.
    pub fn choose(&mut self, k: usize, step: usize, outputs: &[f64]) {
        let draw = step / self.episodes.settings.hold;
        let draws = self.draws[k].as_mut().map(|draws| draws.at(&self.actor, draw));
        let (outputs, value) = outputs.split_at(self.actor.outputs());
        let dimensions = self.actor.dimensions();
        let action = &mut self.actions[k * dimensions..(k + 1) * dimensions];
        self.actor.act(outputs, draws, self.sigma, action, &mut self.score[..outputs.len()]);
        let trajectory = &mut self.trajectories[k];
        trajectory.values.extend(value);
        if self.record {
            trajectory.observations_and_actions.extend_from_slice(action);
            trajectory.scores.extend(&self.score);
        }
    }

    /// Takes the chosen actions in the `living` episodes.
    ///
    /// # Errors
    /// As [`Copies::step_together`].
    pub fn step(&mut self, living: &[usize]) -> Result<()> {
        self.copies.step_together(living, &self.actions, &mut self.outcomes)
    }

    /// Stores the outcome of a step in the `k`-th episode. Returns whether the episode goes on.
    pub fn goes_on(&mut self, k: usize, step: usize) -> bool {
        let (outcome, trajectory) = (self.outcomes[k], &mut self.trajectories[k]);
        trajectory.rewards.push(outcome.reward);
        (trajectory.terminated, trajectory.correct) = (outcome.terminated, outcome.correct);
        !outcome.terminated && !outcome.truncated && step + 1 < self.episodes.environment.limit()
    }
}

impl Draws {
    /// The numbers for draw number `draw`. A chunk holds as many whole draws as fit; a draw that is larger than a chunk takes several.
    fn at(&mut self, actor: &Actor, draw: usize) -> &[f32] {
        let each = actor.draws();
        let together = (CHUNK / each).max(1);
        let (chunk, place) = (draw / together * each.div_ceil(CHUNK), draw % together);
        if self.chunk != Some(chunk) {
            self.chunk = Some(chunk);
            self.numbers.resize(each.max(CHUNK), 0.0);
            if actor.draws_are_uniform() {
                self.counter.uniform(chunk, &mut self.numbers);
            } else {
                self.counter.gaussian(chunk, 1.0, &mut self.numbers);
            }
        }
        &self.numbers[place * each..][..each]
    }
}
