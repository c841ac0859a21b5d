//! `acrobot-swing-up`: lift the tip of a double pendulum above its bar by a torque on the middle joint.

use super::*;
use std::f64::consts::{PI, TAU};

/// The largest velocities.
const MOST: [f64; 2] = [4.0 * PI, 9.0 * PI];

/// Its parameters.
#[derive(DocumentedFields, JsonSchema, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Acrobot {
    /// F_max, the largest torque.
    #[schemars(extend("exclusiveMinimum" = 0))]
    pub torque: f64,
    /// The reward per second.
    pub time_reward: f64,
    /// The height of the goal above the bar, in link lengths.
    pub goal_height: f64,
    /// Width of the lateral connections between actor neurons, in neurons.
    #[schemars(extend("exclusiveMinimum" = 0))]
    pub kin: f64,
}

/// d/dt of both angles and velocities under a torque: links of length 1 and mass 1, I = 1/12, g = 9.8.
fn slope([one, two, d_one, d_two]: [f64; 4], torque: f64) -> [f64; 4] {
    const G: f64 = 9.8;
    const LC: f64 = 0.5;
    const I: f64 = 1.0 / 12.0;
    let (sin, cos) = libm::sincos(two);
    let d11 = LC * LC + (1.0 + LC * LC + 2.0 * LC * cos) + 2.0 * I;
    let d12 = LC * LC + LC * cos + I;
    let d22 = LC * LC + I;
    let gravity_two = LC * G * libm::sin(one + two);
    let gravity_one = (LC + 1.0) * G * libm::sin(one) + gravity_two;
    // M θ̈ = b.
    let b_one = LC * sin * (2.0 * d_one * d_two + d_two * d_two) - gravity_one;
    let b_two = torque - LC * sin * d_one * d_one - gravity_two;
    let determinant = d11 * d22 - d12 * d12;
    [d_one, d_two, (d22 * b_one - d12 * b_two) / determinant, (d11 * b_two - d12 * b_one) / determinant]
}

impl Body for Acrobot {
    fn name(&self) -> &'static str {
        "acrobot-swing-up"
    }

    fn axes(&self) -> Vec<Axis> {
        let angle = || Axis::new(0.0, PI / 3.0, 6, PI / 3.0, true);
        let velocity = |most: f64| {
            let apart = libm::atan(most / 4.0) / 3.0;
            Axis::new(-3.0 * apart, apart, 7, apart, false)
        };
        vec![angle(), angle(), velocity(MOST[0]), velocity(MOST[1])]
    }

    fn vote(&self, k: usize, n: usize) -> [f64; 2] {
        vote_along(self.torque, k, n)
    }

    fn lateral(&self, apart: usize, _: usize) -> f64 {
        lateral_along(apart, self.kin)
    }

    fn weighs(&self) -> bool {
        true
    }

    fn numbers(&self) -> usize {
        4
    }

    fn start(&self, _: &mut Stream, _: u64) -> Vec<f64> {
        vec![0.0; 4]
    }

    /// The tip.
    fn drawn(&self, state: &[f64]) -> [f64; 2] {
        let [one, two] = first(state);
        [libm::sin(one) + libm::sin(one + two), -libm::cos(one) - libm::cos(one + two)]
    }

    fn outline(&self) -> Vec<Vec<(f64, f64)>> {
        let height = self.goal_height;
        vec![vec![(-2.0, height), (2.0, height)]]
    }

    fn coordinates(&self, state: &[f64]) -> Vec<f64> {
        let [one, two, d_one, d_two] = first(state);
        vec![one, two, libm::atan(d_one / 4.0), libm::atan(d_two / 4.0)]
    }

    fn act(&self, state: &mut Vec<f64>, action: &[f64], dt_ms: f64) -> Transition {
        let [torque] = first(action);
        let torque = torque.clamp(-self.torque, self.torque);
        let [one, two, d_one, d_two] = runge_kutta(first(state), dt_ms / 1000.0, |at| slope(at, torque));
        let turned = |angle: f64| angle - TAU * (angle / TAU).round();
        state.copy_from_slice(&[
            turned(one),
            turned(two),
            d_one.clamp(-MOST[0], MOST[0]),
            d_two.clamp(-MOST[1], MOST[1]),
        ]);
        let height = -libm::cos(one) - libm::cos(one + two);
        let reached = height > self.goal_height;
        Transition { goal: reached, flow: self.time_reward, end: reached.then_some(true), ..Transition::default() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn energy_is_kept_without_a_torque() {
        let energy = |[one, two, d_one, d_two]: [f64; 4]| {
            let both = d_one + d_two;
            let kinetic = (0.25 + 1.0 / 12.0) * (d_one * d_one + both * both) / 2.0
                + 0.5 * (d_one * d_one + libm::cos(two) * d_one * both);
            kinetic - 9.8 * (1.5 * libm::cos(one) + 0.5 * libm::cos(one + two))
        };
        let mut at = [1.0, -0.5, 0.3, 2.0];
        let before = energy(at);
        for _ in 0..5000 {
            at = runge_kutta(at, 0.001, |at| slope(at, 0.0));
        }
        assert!((energy(at) - before).abs() < 1e-6, "{} {before}", energy(at));
        // A torque does work: its power is the velocity of the joint.
        let next = runge_kutta(at, 1e-4, |at| slope(at, 0.7));
        assert!(((energy(next) - energy(at)) / 1e-4 - 0.7 * (at[3] + next[3]) / 2.0).abs() < 1e-4);
    }
}
