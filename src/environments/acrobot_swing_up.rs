//! `acrobot-swing-up`: lift the tip of a double pendulum above its bar by a torque on the middle joint (the life of this name, after
//! Frémaux, Sprekeler & Gerstner 2013, by trials).

use super::embodied::{Embodied, Embody};
use super::*;
use crate::bodies;
use std::sync::Arc;

/// Its parameters.
#[derive(Clone, Debug, DocumentedFields, JsonSchema, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct AcrobotSwingUp {
    /// The number of steps after which an episode is truncated.
    #[schemars(range(min = 1))]
    pub limit: usize,
    /// The duration of a step.
    #[schemars(range(max = 1000), extend("exclusiveMinimum" = 0))]
    pub step_ms: f64,
    /// The largest torque.
    #[schemars(extend("exclusiveMinimum" = 0))]
    pub torque: f64,
    /// The reward per second.
    pub time_reward: f64,
    /// The reward of the goal.
    pub goal_reward: f64,
    /// The height of the goal above the bar, in link lengths.
    pub goal_height: f64,
}

impl Default for AcrobotSwingUp {
    fn default() -> Self {
        AcrobotSwingUp {
            limit: 500,
            step_ms: 100.0,
            torque: 0.75,
            time_reward: -1.0,
            goal_reward: 0.0,
            goal_height: 1.0,
        }
    }
}

impl Embody for AcrobotSwingUp {
    const NAME: &'static str = "acrobot-swing-up";

    fn longest(&self) -> usize {
        self.limit
    }

    /// The goal within 20 seconds.
    fn solved_from(&self) -> f64 {
        20.0 * self.time_reward + self.goal_reward
    }

    fn embodied(&self) -> Embodied {
        let AcrobotSwingUp { step_ms, torque, time_reward, goal_reward, goal_height, .. } = *self;
        // No neurons vote, so none are coupled.
        let body = Arc::new(bodies::Acrobot { torque, time_reward, goal_height, kin: 1.0 });
        let coordinates = &["angle 1", "angle 2", "velocity 1", "velocity 2"];
        Embodied { body, coordinates, bounds: vec![torque], goal_reward, step_ms }
    }
}
