//! `pendulum`: swing a pendulum up and hold it there by a torque that is too weak to lift it at once (Gymnasium's
//! Pendulum-v1, Euler steps of 0.05 s).

use super::*;
use std::f64::consts::PI;

const G: f64 = 10.0;
const DT: f64 = 0.05;
const MOST_SPEED: f64 = 8.0;
const MOST_TORQUE: f64 = 2.0;

/// Its parameters.
#[derive(Clone, Debug, DocumentedFields, JsonSchema, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Pendulum {
    /// The number of steps after which an episode is truncated.
    #[schemars(range(min = 1))]
    pub limit: usize,
}

impl Default for Pendulum {
    fn default() -> Self {
        Pendulum { limit: 200 }
    }
}

impl Environment for Pendulum {
    fn name(&self) -> &str {
        "pendulum"
    }

    fn check(&self) -> Result<()> {
        check_ranges("task", self)
    }

    fn observations(&self) -> Vec<(String, f64)> {
        named(&[("cos", 1.0), ("sin", 1.0), ("velocity", 4.0)])
    }

    fn actions(&self) -> Actions {
        Actions::Continuous { low: vec![-MOST_TORQUE], high: vec![MOST_TORQUE] }
    }

    fn limit(&self) -> usize {
        self.limit
    }

    /// Gymnasium names no such return; good policies reach −150.
    fn solved(&self) -> f64 {
        -200.0
    }

    fn start(&self, episodes: Vec<Start>) -> Box<dyn Copies> {
        copies(episodes, |mut start| Rod { theta: within(&mut start.rng, PI), velocity: within(&mut start.rng, 1.0) })
    }
}

struct Rod {
    /// The angle from upright, in rad; it is not wrapped.
    theta: f64,
    /// In rad/s.
    velocity: f64,
}

impl Instance for Rod {
    fn observe(&self, observation: &mut [f64]) {
        let (sin, cos) = libm::sincos(self.theta);
        observation.copy_from_slice(&[cos, sin, self.velocity]);
    }

    fn step(&mut self, action: &[f64]) -> Outcome {
        let torque = action[0].clamp(-MOST_TORQUE, MOST_TORQUE);
        let angle = (self.theta + PI).rem_euclid(2.0 * PI) - PI;
        let cost = angle * angle + 0.1 * (self.velocity * self.velocity) + 0.001 * (torque * torque);
        let acceleration = 3.0 * G / 2.0 * libm::sin(self.theta) + 3.0 * torque;
        self.velocity = (self.velocity + acceleration * DT).clamp(-MOST_SPEED, MOST_SPEED);
        self.theta += self.velocity * DT;
        Outcome { reward: -cost, terminated: false, ..Outcome::default() }
    }

    fn sketch(&self) -> Sketch {
        vec![vec![(0.0, 0.0), (-libm::sin(self.theta), libm::cos(self.theta))]]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_are_those_of_gymnasium() {
        let text = include_str!("../../tests/fixtures/gymnasium/pendulum.csv");
        let make = |state: &[f64]| Rod { theta: state[0], velocity: state[1] };
        assert!(recorded::follow(text, make, |rod| vec![rod.theta, rod.velocity]) > 150);
    }
}
