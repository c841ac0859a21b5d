//! The body in a world for an actor and a critic, and how it reads the votes of actor neurons.

use super::place_cells::Axis;
use super::ActorCritic;
use crate::error::{Error, Result};
use crate::random::Stream;
use serde::de::DeserializeOwned;

/// The result of a step of a body.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Happened {
    /// The reward of an event.
    pub event: f64,
    /// Continuous reward, per second.
    pub flow: f64,
    /// Whether the trial ends, and if so, whether with success.
    pub end: Option<bool>,
}

/// A body.
pub(super) trait Body: Send {
    /// The grid of place cells.
    fn axes(&self) -> Vec<Axis>;
    /// The vote of neuron `k` of `n`.
    fn vote(&self, k: usize, n: usize) -> [f64; 2];
    /// How strongly two of `n` neurons that are `apart` excite each other.
    fn kinship(&self, apart: usize, n: usize) -> f64;
    /// Whether votes are weighed by the rates of all neurons, or divided by their number.
    fn weighs(&self) -> bool;
    /// Its position and velocity.
    fn state(&mut self) -> &mut [f64];
    /// The state in which it starts a trial.
    fn start(&mut self, rng: &mut Stream);
    /// The point at which it is drawn.
    fn drawn(&self) -> [f64; 2];
    /// Lines that show its surroundings.
    fn outline(&self) -> Vec<Vec<(f64, f64)>> {
        Vec::new()
    }
    /// Its coordinates along the axes.
    fn coordinates(&self) -> Vec<f64>;
    /// Acts for a step of `dt_ms`.
    fn act(&mut self, action: [f64; 2], dt_ms: f64) -> Happened;
    /// The part of its world where it is, if values are reported by part.
    fn part(&self) -> Option<usize> {
        None
    }
    /// The values that should be learnt in each part, for a reward of 1 and a horizon in seconds.
    fn values(&self, _horizon: f64) -> Vec<f64> {
        Vec::new()
    }
    /// Whether a trial that runs to its limit is a success.
    fn endures(&self) -> bool {
        false
    }
}

/// The vote of neuron `k` of `n`, if votes range from −`most` to `most`.
pub(super) fn vote_along(most: f64, k: usize, n: usize) -> [f64; 2] {
    [most * (2.0 * (k + 1) as f64 / n as f64 - 1.0), 0.0]
}

/// The lateral coupling of neurons that are this far `apart`, for a width of `kin` neurons.
pub(super) fn kinship_along(apart: usize, kin: f64) -> f64 {
    libm::exp(-(apart as f64 / kin).powi(2))
}

/// The body's own parameters.
pub(super) fn parameters<P: DeserializeOwned>(world: &ActorCritic) -> Result<P> {
    let table = world.body.clone();
    table.try_into().map_err(|error: toml::de::Error| Error::Usage(format!("world.body: {}", error.message().trim())))
}
