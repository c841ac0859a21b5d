//! The body in a world for an actor and a critic, and how it reads the votes of actor neurons.

use super::place_cells::Axis;
use crate::error::Result;
use crate::random::Stream;

/// The result of a step of a body.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Transition {
    /// The reward of an event.
    pub event: f64,
    /// Whether the goal was reached.
    pub goal: bool,
    /// Continuous reward, per second.
    pub flow: f64,
    /// Whether the trial ends, and if so, whether with success.
    pub end: Option<bool>,
}

/// A body: its parameters and how it moves. Its state is a list of numbers, such as position and velocity.
pub(super) trait Body: Send + Sync {
    /// Checks its parameters, keys of the table `world.body`.
    fn check(&self) -> Result<()>;
    /// The grid of place cells.
    fn axes(&self) -> Vec<Axis>;
    /// The vote of neuron `k` of `n`.
    fn vote(&self, k: usize, n: usize) -> [f64; 2];
    /// The strength with which two of `n` neurons excite each other, at this distance `apart`.
    fn lateral(&self, apart: usize, n: usize) -> f64;
    /// Whether votes are weighed by the rates of all neurons, or divided by their number.
    fn weighs(&self) -> bool;
    /// The number of numbers in its state.
    fn numbers(&self) -> usize;
    /// The state in which it starts a trial.
    fn start(&self, rng: &mut Stream) -> Vec<f64>;
    /// The point at which it is drawn.
    fn drawn(&self, state: &[f64]) -> [f64; 2];
    /// Lines that show its surroundings.
    fn outline(&self) -> Vec<Vec<(f64, f64)>> {
        Vec::new()
    }
    /// Its coordinates along the axes.
    fn coordinates(&self, state: &[f64]) -> Vec<f64>;
    /// Acts for a step of `dt_ms`.
    fn act(&self, state: &mut [f64], action: [f64; 2], dt_ms: f64) -> Transition;
    /// The part of its world in which it is, if values are reported by part.
    fn part(&self, _state: &[f64]) -> Option<usize> {
        None
    }
    /// The values that should be learnt in each part, for a reward of 1 and a horizon in seconds.
    fn values(&self, _horizon: f64) -> Vec<f64> {
        Vec::new()
    }
    /// Whether a trial that runs to its limit is a success.
    fn endures(&self, _state: &[f64]) -> bool {
        false
    }
}

/// The first numbers of a state.
pub(super) fn first<const N: usize>(state: &[f64]) -> [f64; N] {
    std::array::from_fn(|k| state[k])
}

/// The vote of neuron `k` of `n`, if votes range from −`most` to `most`.
pub(super) fn vote_along(most: f64, k: usize, n: usize) -> [f64; 2] {
    [most * (2.0 * (k + 1) as f64 / n as f64 - 1.0), 0.0]
}

/// The lateral coupling of neurons that are this far `apart`, for a width of `kin` neurons.
pub(super) fn lateral_along(apart: usize, kin: f64) -> f64 {
    libm::exp(-(apart as f64 / kin).powi(2))
}
