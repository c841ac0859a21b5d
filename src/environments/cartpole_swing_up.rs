//! `cartpole-swing-up`: swing a pole up by pushing its cart, and balance it (the life of this name, after Frémaux, Sprekeler &
//! Gerstner 2013, by trials).

use super::embodied::{Embodied, Embody};
use super::*;
use crate::bodies;
use std::sync::Arc;

/// Its parameters.
#[derive(Clone, Debug, DocumentedFields, JsonSchema, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct CartPoleSwingUp {
    /// The number of steps after which an episode is truncated.
    #[schemars(range(min = 1))]
    pub limit: usize,
    /// The duration of a step.
    #[schemars(range(max = 1000), extend("exclusiveMinimum" = 0))]
    pub step_ms: f64,
    /// The largest force.
    #[schemars(extend("exclusiveMinimum" = 0))]
    pub force: f64,
    /// The reward per second upright, times the cosine of the angle.
    pub upright_reward: f64,
    /// The reward for leaving the track or turning over and over.
    pub crash_reward: f64,
    /// A pole counts as balanced after this long within π/4 of upright in an episode.
    #[schemars(extend("exclusiveMinimum" = 0))]
    pub balanced_s: f64,
    /// Whether this time must be uninterrupted; if not, all such time in an episode adds up.
    pub in_a_row: bool,
}

impl Default for CartPoleSwingUp {
    fn default() -> Self {
        CartPoleSwingUp {
            limit: 400,
            step_ms: 50.0,
            force: 10.0,
            upright_reward: 1.0,
            crash_reward: -10.0,
            balanced_s: 10.0,
            in_a_row: false,
        }
    }
}

impl Embody for CartPoleSwingUp {
    const NAME: &'static str = "cartpole-swing-up";

    fn longest(&self) -> usize {
        self.limit
    }

    /// Upright for as long as it takes to count as balanced, and horizontal otherwise.
    fn solved_from(&self) -> f64 {
        self.upright_reward * self.balanced_s
    }

    fn embodied(&self) -> Embodied {
        let CartPoleSwingUp { step_ms, force, upright_reward, crash_reward, balanced_s, in_a_row, .. } = *self;
        // No neurons vote, so none are coupled.
        let body = bodies::Cartpole { force, upright_reward, crash_reward, balanced_s, in_a_row, kin: 1.0 };
        let coordinates = &["x", "angle", "velocity", "angular velocity"];
        Embodied { body: Arc::new(body), coordinates, bounds: vec![force], goal_reward: 0.0, step_ms }
    }
}
