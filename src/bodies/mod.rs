//! Bodies that move by the votes of actor neurons, and the place cells that encode where they are. Spiking actors and critics live
//! with them (`src/worlds/actor_critic`); some are also [environments](crate::environments).

mod acrobot;
mod cartpole;
mod maze;
mod place_cells;
mod track;

pub(crate) use acrobot::Acrobot;
pub(crate) use cartpole::Cartpole;
pub(crate) use maze::Maze;
pub(crate) use place_cells::{Axis, PlaceCells};
pub(crate) use track::Track;

// Every body's file begins with `use super::*`, which brings these in.
use crate::error::{ensure, Result};
use crate::random::Stream;
use documented::DocumentedFields;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// The result of a step of a body.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Transition {
    /// The reward of an event.
    pub event: f64,
    /// Whether the goal was reached.
    pub goal: bool,
    /// Continuous reward, per second.
    pub flow: f64,
    /// Whether the trial ends, and if so, whether with success.
    pub end: Option<bool>,
    /// Whether the trial ends because its time is up, so that more reward could still have come.
    pub truncated: bool,
}

/// A body: its parameters and how it moves. Its state is a list of numbers, such as position and velocity.
pub(crate) trait Body: Send + Sync {
    /// The name of the life with this body.
    fn name(&self) -> &'static str;
    /// The grid of place cells.
    fn axes(&self) -> Vec<Axis>;
    /// The number of groups of actor neurons that vote separately.
    fn groups(&self) -> usize {
        1
    }
    /// The vote of neuron `k` of the `n` neurons of a group.
    fn vote(&self, k: usize, n: usize) -> [f64; 2];
    /// The strength with which two of the `n` neurons of a group excite each other, at this distance `apart`.
    fn lateral(&self, apart: usize, n: usize) -> f64;
    /// Whether votes are weighed by the rates of the group's neurons, or divided by their number.
    fn weighs(&self) -> bool;
    /// The number of numbers in its state at the start of a trial.
    fn numbers(&self) -> usize;
    /// The same body for one network, if it holds anything besides its state that networks cannot share.
    fn of_network(&self, _seed: u64, _network: u64) -> Option<Arc<dyn Body>> {
        None
    }
    /// The state in which it starts trial number `trial`, from 0.
    fn start(&self, rng: &mut Stream, trial: u64) -> Vec<f64>;
    /// Checks a state that comes from a file; `ended`: its trial has ended.
    ///
    /// # Errors
    /// [`Error::Content`](crate::Error::Content) if no trial can reach it.
    fn restore(&self, state: &[f64], _ended: bool) -> Result<()> {
        let (found, expected) = (state.len(), self.numbers());
        ensure!(found == expected, Content, "the state of the world: body has {found} numbers; expected {expected}");
        Ok(())
    }
    /// The memory in bytes that it takes besides a few numbers, for trials of at most this many steps.
    fn memory(&self, _steps: f64) -> f64 {
        0.0
    }
    /// The point at which it is drawn.
    fn drawn(&self, state: &[f64]) -> [f64; 2];
    /// Lines that show its surroundings.
    fn outline(&self) -> Vec<Vec<(f64, f64)>> {
        Vec::new()
    }
    /// Its coordinates along the axes.
    fn coordinates(&self, state: &[f64]) -> Vec<f64>;
    /// Acts for a step of `dt_ms`; an action is two numbers for each group.
    fn act(&self, state: &mut Vec<f64>, action: &[f64], dt_ms: f64) -> Transition;
    /// The part of its world in which it is, if values are reported by part.
    fn part(&self, _state: &[f64]) -> Option<usize> {
        None
    }
    /// The values that should be learnt in each part, for a reward of 1 and a horizon in seconds.
    fn values(&self, _horizon: f64) -> Vec<f64> {
        Vec::new()
    }
    /// The sum of the rewards of the trial, if it is reported.
    fn returned(&self) -> Option<f64> {
        None
    }
    /// Whether a trial that runs to its limit is a success.
    fn endures(&self, _state: &[f64]) -> bool {
        false
    }
}

/// The first numbers of a list.
fn first<const N: usize>(state: &[f64]) -> [f64; N] {
    std::array::from_fn(|k| state[k])
}

/// The vote of neuron `k` of `n`, if votes range from −`most` to `most`.
fn vote_along(most: f64, k: usize, n: usize) -> [f64; 2] {
    [most * (2.0 * (k + 1) as f64 / n as f64 - 1.0), 0.0]
}

/// The lateral coupling of neurons that are this far `apart`, for a width of `kin` neurons.
pub(crate) fn lateral_along(apart: usize, kin: f64) -> f64 {
    libm::exp(-(apart as f64 / kin).powi(2))
}

/// A step of Runge and Kutta's fourth order.
pub(crate) fn runge_kutta(at: [f64; 4], dt: f64, slope: impl Fn([f64; 4]) -> [f64; 4]) -> [f64; 4] {
    let moved = |by: f64, slope: [f64; 4]| std::array::from_fn(|k| at[k] + by * slope[k]);
    let k1 = slope(at);
    let k2 = slope(moved(dt / 2.0, k1));
    let k3 = slope(moved(dt / 2.0, k2));
    let k4 = slope(moved(dt, k3));
    std::array::from_fn(|k| at[k] + dt / 6.0 * (k1[k] + 2.0 * k2[k] + 2.0 * k3[k] + k4[k]))
}
