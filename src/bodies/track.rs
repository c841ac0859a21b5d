//! `linear-track`: run along a track to a reward, always at the same speed; only values are learnt.

use super::*;
use std::f64::consts::SQRT_2;

const START: f64 = -17.5;
const GOAL: f64 = 16.0;
/// Values are reported by quarters of the track.
const PARTS: usize = 4;

/// Its parameters.
#[derive(DocumentedFields, JsonSchema, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Track {
    /// The velocity along the track, in units of length per second.
    #[schemars(extend("exclusiveMinimum" = 0))]
    speed: f64,
}

impl Body for Track {
    fn name(&self) -> &'static str {
        "linear-track"
    }

    fn axes(&self) -> Vec<Axis> {
        vec![Axis::new(-42.0, 2.0, 43, SQRT_2, false), Axis::new(-4.0, 2.0, 5, SQRT_2, false)]
    }

    fn vote(&self, _: usize, _: usize) -> [f64; 2] {
        [0.0; 2]
    }

    fn lateral(&self, _: usize, _: usize) -> f64 {
        0.0
    }

    fn weighs(&self) -> bool {
        false
    }

    fn numbers(&self) -> usize {
        1
    }

    fn start(&self, _: &mut Stream, _: u64) -> Vec<f64> {
        vec![START]
    }

    fn drawn(&self, state: &[f64]) -> [f64; 2] {
        [state[0], 0.0]
    }

    fn coordinates(&self, state: &[f64]) -> Vec<f64> {
        vec![state[0], 0.0]
    }

    fn act(&self, state: &mut Vec<f64>, _: &[f64], dt_ms: f64) -> Transition {
        state[0] += self.speed * dt_ms / 1000.0;
        let reached = state[0] >= GOAL;
        Transition { goal: reached, end: reached.then_some(true), ..Transition::default() }
    }

    fn part(&self, state: &[f64]) -> Option<usize> {
        Some(((state[0] - START) / (GOAL - START) * PARTS as f64) as usize)
    }

    /// The mean of e^((t − t_r)/τ_r) over each quarter.
    fn values(&self, horizon: f64) -> Vec<f64> {
        let quarter = (GOAL - START) / self.speed / PARTS as f64 / horizon;
        let at = |k: usize| libm::exp(-quarter * (PARTS - k) as f64);
        (0..PARTS).map(|k| (at(k + 1) - at(k)) / quarter).collect()
    }
}
