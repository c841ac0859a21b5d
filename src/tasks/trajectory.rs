//! The trajectory of an episode.

use crate::environments::Sketch;

/// An episode from its start to its end.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Trajectory {
    /// The condition in which it started: an index into the environment's conditions.
    pub condition: usize,
    /// The reward of each step of the environment.
    pub rewards: Vec<f64>,
    /// Whether the environment ended it; if not, it was truncated.
    pub terminated: bool,
    /// Whether the last action was the right one, in environments that have a right answer.
    pub correct: Option<bool>,
    /// Each observation and the action that followed, if recorded: `[steps, n_in + dimensions of an action]`.
    pub observations_and_actions: Vec<f64>,
    /// The critic's value of each step; empty without a critic.
    pub values: Vec<f64>,
    /// The score of each action, ∂ log π / ∂z, and 1 for a critic, if recorded: `[steps, n_out]`.
    pub scores: Vec<f64>,
    /// The sketch of the environment at each observation, if recorded.
    pub sketches: Vec<Sketch>,
}

impl Trajectory {
    /// The return: the sum of the rewards.
    pub fn total_reward(&self) -> f64 {
        self.rewards.iter().sum()
    }

    /// The discounted return from each step on.
    pub(crate) fn returns(&self, discount: f64) -> Vec<f64> {
        let mut returns = self.rewards.clone();
        for step in (1..returns.len()).rev() {
            returns[step - 1] += discount * returns[step];
        }
        returns
    }
}
