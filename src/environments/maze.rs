//! `maze`: find the goal in the middle of a square, from any side of a U-shaped wall around it (the life `maze`, after Frémaux,
//! Sprekeler & Gerstner 2013, by trials).

use super::embodied::{Embodied, Embody};
use super::*;
use crate::bodies;
use std::sync::Arc;

/// Its parameters.
#[derive(Clone, Debug, DocumentedFields, JsonSchema, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Maze {
    /// The number of steps after which an episode is truncated.
    #[schemars(range(min = 1))]
    pub limit: usize,
    /// The duration of a step.
    #[schemars(range(max = 1000), extend("exclusiveMinimum" = 0))]
    pub step_ms: f64,
    /// The largest velocity along each coordinate, in units of length per second. Half a side of the square is 10 long.
    #[schemars(extend("exclusiveMinimum" = 0))]
    pub speed: f64,
    /// The reward of the goal.
    pub goal_reward: f64,
    /// The reward for running into a wall.
    pub wall_reward: f64,
    /// How far the body is thrown back by a wall.
    #[schemars(extend("exclusiveMinimum" = 0))]
    pub bounce: f64,
    /// The distance at which the goal counts as reached.
    #[schemars(extend("exclusiveMinimum" = 0))]
    pub goal_radius: f64,
}

impl Default for Maze {
    fn default() -> Self {
        Maze {
            limit: 250,
            step_ms: 100.0,
            speed: 5.0,
            goal_reward: 100.0,
            wall_reward: -1.0,
            bounce: 0.1,
            goal_radius: 1.0,
        }
    }
}

impl Embody for Maze {
    const NAME: &'static str = "maze";

    fn longest(&self) -> usize {
        self.limit
    }

    /// Nine of ten goals, without walls.
    fn solved_from(&self) -> f64 {
        0.9 * self.goal_reward
    }

    fn embodied(&self) -> Embodied {
        let Maze { step_ms, speed, goal_reward, wall_reward, bounce, goal_radius, .. } = *self;
        // Actions are velocities, for which no neurons vote.
        let body = Arc::new(bodies::Maze { wall_reward, bounce, speed, sharpness: 0.0, goal_radius });
        Embodied { body, coordinates: &["x", "y"], bounds: vec![speed; 2], goal_reward, step_ms }
    }
}
