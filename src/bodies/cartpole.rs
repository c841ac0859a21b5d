//! `cartpole-swing-up`: swing a pole up by pushing its cart, and balance it.

use super::*;
use rand::RngExt;
use std::f64::consts::{PI, TAU};

/// A trial ends beyond these positions and angles.
const MOST: [f64; 2] = [2.5, 5.0 * PI];

/// Its parameters.
#[derive(DocumentedFields, JsonSchema, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Cartpole {
    /// F_max, the largest force.
    #[schemars(extend("exclusiveMinimum" = 0))]
    pub force: f64,
    /// The reward per second upright, times the cosine of the angle.
    pub upright_reward: f64,
    /// The reward for leaving the track or turning over and over.
    pub crash_reward: f64,
    /// A pole counts as balanced after this long within π/4 of upright in a trial.
    #[schemars(extend("exclusiveMinimum" = 0))]
    pub balanced_s: f64,
    /// Whether this time must be uninterrupted; if not, all such time in a trial adds up.
    pub in_a_row: bool,
    /// Width of the lateral connections between actor neurons, in neurons.
    #[schemars(extend("exclusiveMinimum" = 0))]
    pub kin: f64,
}

/// d/dt of position, angle and velocities under a force: l = 0.5, m_c = 1, m_p = 0.1, μ_c = 5e-4, μ_p = 2e-6, g = 9.8.
fn slope([_, angle, v, turning]: [f64; 4], force: f64) -> [f64; 4] {
    const L: f64 = 0.5;
    const POLE: f64 = 0.1;
    const ALL: f64 = 1.1;
    let (sin, cos) = libm::sincos(angle);
    let friction = 5e-4 * if v == 0.0 { 0.0 } else { v.signum() };
    let push = (force + POLE * L * turning * turning * sin - friction) / ALL;
    let acceleration =
        (9.8 * sin - cos * push - 2e-6 * turning / (POLE * L)) / (L * (4.0 / 3.0 - POLE * cos * cos / ALL));
    [v, turning, push - POLE * L * acceleration * cos / ALL, acceleration]
}

impl Body for Cartpole {
    fn name(&self) -> &'static str {
        "cartpole-swing-up"
    }

    fn axes(&self) -> Vec<Axis> {
        let linear = || Axis::new(-3.75, 1.25, 7, 1.25, false);
        let angle = Axis::new(-PI, TAU / 15.0, 15, TAU / 15.0, true);
        vec![linear(), angle, linear(), Axis::new(-7.0 * TAU / 3.0, TAU / 3.0, 15, TAU / 3.0, false)]
    }

    fn vote(&self, k: usize, n: usize) -> [f64; 2] {
        vote_along(self.force, k, n)
    }

    fn lateral(&self, apart: usize, _: usize) -> f64 {
        lateral_along(apart, self.kin)
    }

    fn weighs(&self) -> bool {
        true
    }

    fn numbers(&self) -> usize {
        6
    }

    /// Position, angle (0: upright), their velocities; how long it has been upright, and the longest it was.
    fn start(&self, rng: &mut Stream, _: u64) -> Vec<f64> {
        vec![0.0, PI * (2.0 * rng.random::<f64>() - 1.0), 0.0, 0.0, 0.0, 0.0]
    }

    /// The tip of the pole.
    fn drawn(&self, state: &[f64]) -> [f64; 2] {
        let [x, angle] = first(state);
        [x + libm::sin(angle), libm::cos(angle)]
    }

    fn outline(&self) -> Vec<Vec<(f64, f64)>> {
        vec![vec![(-MOST[0], 0.0), (MOST[0], 0.0)]]
    }

    fn coordinates(&self, state: &[f64]) -> Vec<f64> {
        state[..4].to_vec()
    }

    fn act(&self, state: &mut Vec<f64>, action: &[f64], dt_ms: f64) -> Transition {
        let [force] = first(action);
        let force = force.clamp(-self.force, self.force);
        let [x, angle, v, turning, upright, longest] = first(state);
        let [x, angle, v, turning] = runge_kutta([x, angle, v, turning], dt_ms / 1000.0, |at| slope(at, force));
        let up = (angle - TAU * (angle / TAU).round()).abs() < PI / 4.0;
        let upright = match up {
            true => upright + dt_ms / 1000.0,
            false if self.in_a_row => 0.0,
            false => upright,
        };
        let longest = longest.max(upright);
        state.copy_from_slice(&[x, angle, v, turning, upright, longest]);
        let crashed = x.abs() > MOST[0] || angle.abs() > MOST[1];
        Transition {
            event: if crashed { self.crash_reward } else { 0.0 },
            flow: self.upright_reward * libm::cos(angle),
            end: crashed.then_some(self.endures(state)),
            ..Transition::default()
        }
    }

    fn endures(&self, state: &[f64]) -> bool {
        state[5] > self.balanced_s
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn energy_is_lost_by_friction_alone() {
        let energy = |[_, angle, v, turning]: [f64; 4]| {
            let cos = libm::cos(angle);
            1.1 * v * v / 2.0 + 0.05 * v * turning * cos + 0.1 * turning * turning / 6.0 + 0.49 * cos
        };
        let mut at = [0.0, 0.5, 0.0, 0.0];
        let before = energy(at);
        let mut work = 0.0;
        for _ in 0..3000 {
            let next = runge_kutta(at, 0.001, |at| slope(at, 0.0));
            work += 0.001 * (5e-4 * ((at[2] + next[2]) / 2.0).abs() + 2e-6 * at[3] * at[3]);
            at = next;
        }
        assert!((energy(at) - before + work).abs() < 1e-4, "{} {before} {work}", energy(at));
    }
}
