//! `linear-track`: run along a track to a reward, always at the same speed; only values are learnt.

use super::body::{parameters, Body, Happened};
use super::place_cells::Axis;
use super::ActorCritic;
use crate::error::Result;
use crate::random::Stream;
use crate::ranges::positive;
use documented::DocumentedFields;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::f64::consts::SQRT_2;

const START: f64 = -17.5;
const GOAL: f64 = 16.0;
/// Values are reported by quarters of the track.
const PARTS: usize = 4;

#[derive(DocumentedFields, JsonSchema, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Parameters {
    /// The velocity along the track, in units of length per second.
    speed: f64,
}

pub(super) struct Track {
    own: Parameters,
    goal_reward: f64,
    at: [f64; 1],
}

impl Track {
    pub fn new(world: &ActorCritic) -> Result<Self> {
        let own: Parameters = parameters(world)?;
        positive("world.body.speed", own.speed)?;
        Ok(Track { own, goal_reward: world.goal_reward, at: [START] })
    }
}

impl Body for Track {
    fn axes(&self) -> Vec<Axis> {
        vec![Axis::new(-42.0, 2.0, 43, SQRT_2, false), Axis::new(-4.0, 2.0, 5, SQRT_2, false)]
    }

    fn vote(&self, _: usize, _: usize) -> [f64; 2] {
        [0.0; 2]
    }

    fn kinship(&self, _: usize, _: usize) -> f64 {
        0.0
    }

    fn weighs(&self) -> bool {
        false
    }

    fn state(&mut self) -> &mut [f64] {
        &mut self.at
    }

    fn start(&mut self, _: &mut Stream) {
        self.at = [START];
    }

    fn drawn(&self) -> [f64; 2] {
        [self.at[0], 0.0]
    }

    fn coordinates(&self) -> Vec<f64> {
        vec![self.at[0], 0.0]
    }

    fn act(&mut self, _: [f64; 2], dt_ms: f64) -> Happened {
        self.at[0] += self.own.speed * dt_ms / 1000.0;
        let reached = self.at[0] >= GOAL;
        Happened { event: if reached { self.goal_reward } else { 0.0 }, flow: 0.0, end: reached.then_some(true) }
    }

    fn part(&self) -> Option<usize> {
        Some(((self.at[0] - START) / (GOAL - START) * PARTS as f64) as usize)
    }

    /// The mean of e^((t − t_r)/τ_r) over each quarter.
    fn values(&self, horizon: f64) -> Vec<f64> {
        let quarter = (GOAL - START) / self.own.speed / PARTS as f64 / horizon;
        let at = |k: usize| libm::exp(-quarter * (PARTS - k) as f64);
        (0..PARTS).map(|k| (at(k + 1) - at(k)) / quarter).collect()
    }
}
