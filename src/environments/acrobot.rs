//! `acrobot`: swing the tip of a double pendulum above the bar by a torque on its middle joint (Sutton 1996;
//! Gymnasium's Acrobot-v1, with the equations of Sutton & Barto's book, Runge-Kutta steps of 0.2 s).

use super::*;
use std::f64::consts::PI;

const DT: f64 = 0.2;
const G: f64 = 9.8;
/// Length of the first link, and distances of the centres of mass.
const L1: f64 = 1.0;
const LC: f64 = 0.5;
const MOST: [f64; 2] = [4.0 * PI, 9.0 * PI];

/// Its parameters.
#[derive(Clone, Debug, DocumentedFields, JsonSchema, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Acrobot {
    /// The number of steps after which an episode is truncated.
    #[schemars(range(min = 1))]
    pub limit: usize,
}

impl Default for Acrobot {
    fn default() -> Self {
        Acrobot { limit: 500 }
    }
}

impl Environment for Acrobot {
    fn name(&self) -> &str {
        "acrobot"
    }

    fn check(&self) -> Result<()> {
        check_ranges("task", self)
    }

    fn observations(&self) -> Vec<(String, f64)> {
        let velocities = [("velocity 1", 4.0), ("velocity 2", 9.0)];
        named(&[&[("cos 1", 1.0), ("sin 1", 1.0), ("cos 2", 1.0), ("sin 2", 1.0)][..], &velocities].concat())
    }

    fn actions(&self) -> Actions {
        Actions::Discrete(3)
    }

    fn limit(&self) -> usize {
        self.limit
    }

    /// As registered in Gymnasium.
    fn solved(&self) -> f64 {
        -100.0
    }

    fn start(&self, episodes: Vec<Start>) -> Box<dyn Copies> {
        copies(episodes, |mut start| Links { state: [(); 4].map(|()| within(&mut start.rng, 0.1)) })
    }
}

struct Links {
    /// Both angles and their velocities: rad, rad/s.
    state: [f64; 4],
}

/// d/dt of a state under a torque; all masses and moments of inertia are 1.
fn slope([theta1, theta2, dtheta1, dtheta2]: [f64; 4], torque: f64) -> [f64; 4] {
    let (sin2, cos2) = (libm::sin(theta2), libm::cos(theta2));
    let d1 = LC * LC + (L1 * L1 + LC * LC + 2.0 * L1 * LC * cos2) + 1.0 + 1.0;
    let d2 = (LC * LC + L1 * LC * cos2) + 1.0;
    let phi2 = LC * G * libm::cos(theta1 + theta2 - PI / 2.0);
    let phi1 = -L1 * LC * (dtheta2 * dtheta2) * sin2 - 2.0 * L1 * LC * dtheta2 * dtheta1 * sin2
        + (LC + L1) * G * libm::cos(theta1 - PI / 2.0)
        + phi2;
    let ddtheta2 =
        (torque + d2 / d1 * phi1 - L1 * LC * (dtheta1 * dtheta1) * sin2 - phi2) / (LC * LC + 1.0 - (d2 * d2) / d1);
    [dtheta1, dtheta2, -(d2 * ddtheta2 + phi1) / d1, ddtheta2]
}

/// An angle between −π and π.
fn wrapped(mut angle: f64) -> f64 {
    while angle > PI {
        angle -= 2.0 * PI;
    }
    while angle < -PI {
        angle += 2.0 * PI;
    }
    angle
}

impl Instance for Links {
    fn observe(&self, observation: &mut [f64]) {
        let [theta1, theta2, dtheta1, dtheta2] = self.state;
        let (one, two) = (libm::sincos(theta1), libm::sincos(theta2));
        observation.copy_from_slice(&[one.1, one.0, two.1, two.0, dtheta1, dtheta2]);
    }

    fn step(&mut self, action: &[f64]) -> Outcome {
        let torque = action[0] - 1.0;
        let next = runge_kutta(self.state, DT, |at| slope(at, torque));
        self.state =
            [wrapped(next[0]), wrapped(next[1]), next[2].clamp(-MOST[0], MOST[0]), next[3].clamp(-MOST[1], MOST[1])];
        let [theta1, theta2, ..] = self.state;
        let above = -libm::cos(theta1) - libm::cos(theta2 + theta1) > 1.0;
        Outcome { reward: if above { 0.0 } else { -1.0 }, terminated: above, ..Outcome::default() }
    }

    /// The height to reach, and both links.
    fn sketch(&self) -> Sketch {
        let [theta1, theta2, ..] = self.state;
        let along = |from: (f64, f64), angle: f64| (from.0 + L1 * libm::sin(angle), from.1 - L1 * libm::cos(angle));
        let elbow = along((0.0, 0.0), theta1);
        vec![vec![(-2.0, 1.0), (2.0, 1.0)], vec![(0.0, 0.0), elbow, along(elbow, theta1 + theta2)]]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_are_those_of_gymnasium() {
        let text = include_str!("../../tests/fixtures/gymnasium/acrobot.csv");
        let make = |state: &[f64]| Links { state: state.try_into().unwrap() };
        assert!(recorded::follow(text, make, |links| links.state.to_vec()) > 150);
    }
}
