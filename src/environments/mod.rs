//! Environments, in which a network's actions change its next observations.
//!
//! The conventions are those of Gymnasium (1.4): an episode starts from a random state, each step takes an action and
//! gives an observation and a reward, and an episode ends because the environment says so (terminated) or because of its limit
//! of steps (truncated). An environment does not depend on networks; [`crate::Episodes`] take place in one.
//!
//! To add one, write a file with its parameters and its [`Environment`], and a type for one copy of it with its
//! [`Instance`], and add it to `NAMED` in `registry.rs`; then a preset (`src/presets/tasks.rs`, `episodes.rs`).
//! `examples/custom_world.rs` keeps one outside this crate.

mod acrobot;
mod acrobot_swing_up;
mod bandit;
mod cartpole;
mod cartpole_swing_up;
mod embodied;
mod maze;
mod open_field;
mod pendulum;
mod perceptual_decision;
mod registry;
mod t_maze;
mod two_step;

pub use acrobot::Acrobot;
pub use acrobot_swing_up::AcrobotSwingUp;
pub use bandit::Bandit;
pub use cartpole::CartPole;
pub use cartpole_swing_up::CartPoleSwingUp;
pub use maze::Maze;
pub use open_field::OpenField;
pub use pendulum::Pendulum;
pub use perceptual_decision::PerceptualDecision;
pub use registry::from_table;
pub use t_maze::TMaze;
pub use two_step::TwoStep;

// Every environment's file begins with `use super::*`, which brings these in.
use crate::bodies::runge_kutta;
use crate::error::Result;
use crate::keys::check_ranges;
use crate::random::Stream;
use crate::ranges::*;
use documented::DocumentedFields;
use rand::RngExt;
use rand_distr::{Distribution, StandardNormal};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The actions available in an environment.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Actions {
    /// One of this many actions; an action is its index.
    Discrete(usize),
    /// A number for each dimension, within these bounds.
    Continuous {
        /// The smallest value of each.
        low: Vec<f64>,
        /// The largest value of each.
        high: Vec<f64>,
    },
}

/// The result of a step.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Outcome {
    /// The reward.
    pub reward: f64,
    /// Whether the environment ended the episode.
    pub terminated: bool,
    /// Whether the environment truncated it, before [`Environment::limit`] does.
    pub truncated: bool,
    /// Whether the action was the right one, where the environment knows.
    pub correct: Option<bool>,
}

/// The data from which an episode starts.
#[derive(Clone, Debug)]
pub struct Start {
    /// The number of the network's episode, from 0; in evaluation, the number of its training episodes.
    pub index: u64,
    /// Random numbers of the episode.
    pub rng: Stream,
    /// Random numbers that all episodes of the network share, always from their beginning.
    pub shared: Stream,
}

/// An environment.
pub trait Environment: Send + Sync {
    /// The name used in configurations and on the command line.
    fn name(&self) -> &str;
    /// Checks the parameters; called before anything runs.
    ///
    /// # Errors
    /// [`Error::Setting`](crate::Error::Setting) if one is out of range.
    fn check(&self) -> Result<()> {
        Ok(())
    }
    /// The names of the observations, and the size by which each is divided before a network sees it.
    fn observations(&self) -> Vec<(String, f64)>;
    /// The available actions.
    fn actions(&self) -> Actions;
    /// The number of steps after which an episode is truncated.
    fn limit(&self) -> usize;
    /// The mean return over 100 episodes in a row from which the environment counts as solved.
    fn solved(&self) -> f64;
    /// The names of the conditions in which an episode can start. The expected return is kept for each.
    fn conditions(&self) -> Vec<String> {
        vec!["episode".to_string()]
    }
    /// The most copies, for an environment whose copies can only step together. `None`: any number, spread over threads.
    fn together(&self) -> Option<usize> {
        None
    }
    /// Copies of the environment, each at the start of an episode.
    fn start(&self, episodes: Vec<Start>) -> Box<dyn Copies>;
}

/// Copies of an environment, side by side.
pub trait Copies: Send {
    /// The condition in which the `k`-th started: an index into [`Environment::conditions`].
    fn condition(&self, k: usize) -> usize;
    /// Writes the observations of the `k`-th, in the order and units of [`Environment::observations`].
    fn observe(&self, k: usize, observation: &mut [f64]);
    /// Takes a step in the `k`-th. A discrete action is one number, the index.
    fn step(&mut self, k: usize, action: &[f64]) -> Outcome;
    /// Takes a step in each of some copies; `actions` and `outcomes` have a place for every copy.
    ///
    /// # Errors
    /// Any error with which the environment ends training.
    fn step_together(&mut self, some: &[usize], actions: &[f64], outcomes: &mut [Outcome]) -> Result<()> {
        let dimensions = actions.len() / outcomes.len();
        for &k in some {
            outcomes[k] = self.step(k, &actions[k * dimensions..(k + 1) * dimensions]);
        }
        Ok(())
    }
    /// A sketch of the `k`-th.
    fn sketch(&self, _k: usize) -> Sketch {
        Vec::new()
    }
}

/// A sketch of a copy of an environment at a moment: lines through points of the plane, each with the same number of points
/// at every moment. Pictures show the trajectory of the last point of the last line. Empty: the environment cannot be drawn.
pub type Sketch = Vec<Vec<(f64, f64)>>;

/// One copy of an environment. A list of them is [`Copies`].
pub trait Instance: Send {
    /// As [`Copies::condition`].
    fn condition(&self) -> usize {
        0
    }
    /// As [`Copies::observe`].
    fn observe(&self, observation: &mut [f64]);
    /// As [`Copies::step`].
    fn step(&mut self, action: &[f64]) -> Outcome;
    /// As [`Copies::sketch`].
    fn sketch(&self) -> Sketch {
        Vec::new()
    }
}

impl<C: Instance> Copies for Vec<C> {
    fn condition(&self, k: usize) -> usize {
        self[k].condition()
    }

    fn observe(&self, k: usize, observation: &mut [f64]) {
        self[k].observe(observation);
    }

    fn step(&mut self, k: usize, action: &[f64]) -> Outcome {
        self[k].step(action)
    }

    fn sketch(&self, k: usize) -> Sketch {
        self[k].sketch()
    }
}

/// Copies of one kind.
fn copies<C: Instance + 'static>(episodes: Vec<Start>, start: impl Fn(Start) -> C) -> Box<dyn Copies> {
    Box::new(episodes.into_iter().map(start).collect::<Vec<C>>())
}

/// Names of observations with their sizes.
fn named(observations: &[(&str, f64)]) -> Vec<(String, f64)> {
    observations.iter().map(|(name, size)| (name.to_string(), *size)).collect()
}

/// A draw from U(−bound, bound).
fn within(rng: &mut Stream, bound: f64) -> f64 {
    (2.0 * rng.random::<f64>() - 1.0) * bound
}

/// Moves probabilities by as many Gaussian steps of standard deviation `sd`, reflected at both bounds.
fn walk(probabilities: &mut [f64], (low, high): (f64, f64), sd: f64, steps: u64, rng: &mut Stream) {
    if sd <= 0.0 {
        return;
    }
    let width = high - low;
    for _ in 0..steps {
        for p in &mut *probabilities {
            let step: f64 = StandardNormal.sample(rng);
            // Reflected: a triangle wave.
            let at = (*p - low + sd * step).rem_euclid(2.0 * width);
            *p = low + if at > width { 2.0 * width - at } else { at };
        }
    }
}

/// Trajectories recorded from Gymnasium (scripts/gymnasium_trajectories.py): a state, an action, and what followed.
#[cfg(test)]
mod recorded {
    use super::*;

    /// Steps a copy whose state is `state` through a recorded file: each line has the action, the state after it, the
    /// reward and whether the episode was terminated; a line without action starts an episode with its state.
    pub fn follow<C: Instance>(text: &str, make: impl Fn(&[f64]) -> C, state: impl Fn(&C) -> Vec<f64>) -> usize {
        let (mut copy, mut steps) = (None, 0);
        for line in text.lines().filter(|line| !line.starts_with('#')) {
            let numbers: Vec<f64> = line.split(',').skip(1).map(|number| number.parse().unwrap()).collect();
            if line.starts_with("reset") {
                copy = Some(make(&numbers));
                continue;
            }
            let copy: &mut C = copy.as_mut().unwrap();
            let (action, rest) = numbers.split_first().unwrap();
            let (expected, after) = rest.split_at(rest.len() - 2);
            let outcome = copy.step(&[*action]);
            for (found, expected) in state(copy).iter().zip(expected) {
                assert!((found - expected).abs() <= 1e-12 * expected.abs().max(1.0), "{line}: {found} {expected}");
            }
            assert!((outcome.reward - after[0]).abs() <= 1e-12 * after[0].abs().max(1.0), "{line}: {}", outcome.reward);
            assert_eq!(outcome.terminated, after[1] == 1.0, "{line}");
            steps += 1;
        }
        steps
    }
}
