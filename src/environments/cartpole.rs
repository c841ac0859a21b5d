//! `cartpole`: keep a pole upright by pushing the cart below it to the left or right (Barto, Sutton & Anderson 1983;
//! Gymnasium's CartPole-v1, Euler steps of 0.02 s).

use super::*;

const GRAVITY: f64 = 9.8;
const POLE_MASS: f64 = 0.1;
const TOTAL_MASS: f64 = 1.1;
/// Half the length of the pole.
const LENGTH: f64 = 0.5;
const FORCE: f64 = 10.0;
const DT: f64 = 0.02;
const MOST_X: f64 = 2.4;
const MOST_ANGLE: f64 = 12.0 * 2.0 * std::f64::consts::PI / 360.0;

/// Its parameters.
#[derive(Clone, Debug, DocumentedFields, JsonSchema, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct CartPole {
    /// The number of steps after which an episode is truncated.
    #[schemars(range(min = 1))]
    pub limit: usize,
    /// Whether the velocities of cart and pole are observed. Without them, a network has to remember.
    pub velocities: bool,
}

impl Default for CartPole {
    fn default() -> Self {
        CartPole { limit: 500, velocities: true }
    }
}

impl Environment for CartPole {
    fn name(&self) -> &str {
        "cartpole"
    }

    fn check(&self) -> Result<()> {
        check_ranges("task", self)
    }

    fn observations(&self) -> Vec<(String, f64)> {
        match self.velocities {
            true => named(&[("x", 2.4), ("velocity", 2.0), ("angle", 0.21), ("angular velocity", 2.0)]),
            false => named(&[("x", 2.4), ("angle", 0.21)]),
        }
    }

    fn actions(&self) -> Actions {
        Actions::Discrete(2)
    }

    fn limit(&self) -> usize {
        self.limit
    }

    /// As registered in Gymnasium: 475 of 500.
    fn solved(&self) -> f64 {
        0.95 * self.limit as f64
    }

    fn start(&self, episodes: Vec<Start>) -> Box<dyn Copies> {
        let velocities = self.velocities;
        copies(episodes, |mut start| Cart { state: [(); 4].map(|()| within(&mut start.rng, 0.05)), velocities })
    }
}

struct Cart {
    /// Position, velocity, angle of the pole and its velocity: m, m/s, rad, rad/s.
    state: [f64; 4],
    velocities: bool,
}

impl Instance for Cart {
    fn observe(&self, observation: &mut [f64]) {
        match self.velocities {
            true => observation.copy_from_slice(&self.state),
            false => observation.copy_from_slice(&[self.state[0], self.state[2]]),
        }
    }

    fn step(&mut self, action: &[f64]) -> Outcome {
        let [x, x_dot, theta, theta_dot] = self.state;
        let force = if action[0] == 1.0 { FORCE } else { -FORCE };
        let (sin, cos) = (libm::sin(theta), libm::cos(theta));
        let pole = POLE_MASS * LENGTH;
        let push = (force + pole * (theta_dot * theta_dot) * sin) / TOTAL_MASS;
        let theta_acc = (GRAVITY * sin - cos * push) / (LENGTH * (4.0 / 3.0 - POLE_MASS * (cos * cos) / TOTAL_MASS));
        let x_acc = push - pole * theta_acc * cos / TOTAL_MASS;
        self.state = [x + DT * x_dot, x_dot + DT * x_acc, theta + DT * theta_dot, theta_dot + DT * theta_acc];
        let fell = self.state[0].abs() > MOST_X || self.state[2].abs() > MOST_ANGLE;
        Outcome { reward: 1.0, terminated: fell, ..Outcome::default() }
    }

    /// The cart and the pole.
    fn sketch(&self) -> Sketch {
        let [x, _, angle, _] = self.state;
        let tip = (x + 2.0 * LENGTH * libm::sin(angle), 2.0 * LENGTH * libm::cos(angle));
        vec![vec![(x - 0.25, 0.0), (x + 0.25, 0.0)], vec![(x, 0.0), tip]]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_are_those_of_gymnasium() {
        let text = include_str!("../../tests/fixtures/gymnasium/cartpole.csv");
        let make = |state: &[f64]| Cart { state: state.try_into().unwrap(), velocities: true };
        assert!(recorded::follow(text, make, |cart| cart.state.to_vec()) > 150);
    }
}
