//! `maze`: find the goal in the middle of a square, from any side of a U-shaped wall around it.

use super::*;
use rand::RngExt;
use std::f64::consts::{SQRT_2, TAU};

/// Half the side of the square.
const WALL: f64 = 10.0;
/// The U: x from, x to, y from, y to. It is open to the north.
const OBSTACLES: [[f64; 4]; 3] = [[-5.0, -3.0, -5.0, 5.0], [3.0, 5.0, -5.0, 5.0], [-5.0, 5.0, -5.0, -3.0]];
const STARTS: [[f64; 2]; 4] = [[7.5, 0.0], [-7.5, 0.0], [0.0, 7.5], [0.0, -7.5]];

/// Its parameters.
#[derive(DocumentedFields, JsonSchema, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Maze {
    /// The reward for running into a wall.
    pub wall_reward: f64,
    /// How far the body is thrown back.
    #[schemars(extend("exclusiveMinimum" = 0))]
    pub bounce: f64,
    /// The velocity that a neuron votes for.
    pub speed: f64,
    /// How sharply neurons distinguish directions.
    pub sharpness: f64,
    /// The distance at which the goal counts as reached.
    #[schemars(extend("exclusiveMinimum" = 0))]
    pub goal_radius: f64,
}

impl Maze {
    /// The next position and whether something was in the way.
    fn moved(&self, old: [f64; 2], by: [f64; 2]) -> ([f64; 2], bool) {
        let bounce = self.bounce;
        let mut new = [old[0] + by[0], old[1] + by[1]];
        let outside = new.map(|x| x.abs() > WALL);
        for k in (0..2).filter(|k| outside[*k]) {
            new[k] = (WALL - bounce).copysign(new[k]);
        }
        for [x0, x1, y0, y1] in OBSTACLES {
            if (x0..=x1).contains(&new[0]) && (y0..=y1).contains(&new[1]) {
                // Back from the side that was crossed.
                let sideways = !(x0..=x1).contains(&old[0]);
                let k = usize::from(!sideways);
                let middle = if sideways { (x0 + x1) / 2.0 } else { (y0 + y1) / 2.0 };
                new = old;
                new[k] += bounce.copysign(old[k] - middle);
                return (new, true);
            }
        }
        (new, outside.contains(&true))
    }
}

impl Body for Maze {
    fn name(&self) -> &'static str {
        "maze"
    }

    fn axes(&self) -> Vec<Axis> {
        // exp(−d²/2²), as wide as centres are apart.
        (0..2).map(|_| Axis::new(-12.0, 2.0, 13, SQRT_2, false)).collect()
    }

    fn vote(&self, k: usize, n: usize) -> [f64; 2] {
        let (sin, cos) = libm::sincos(TAU * k as f64 / n as f64);
        [self.speed * sin, self.speed * cos]
    }

    fn lateral(&self, apart: usize, n: usize) -> f64 {
        libm::exp(self.sharpness * libm::cos(TAU * apart as f64 / n as f64))
    }

    fn weighs(&self) -> bool {
        false
    }

    fn numbers(&self) -> usize {
        2
    }

    fn start(&self, rng: &mut Stream, _: u64) -> Vec<f64> {
        STARTS[rng.random_range(0..STARTS.len())].to_vec()
    }

    fn drawn(&self, state: &[f64]) -> [f64; 2] {
        first(state)
    }

    fn outline(&self) -> Vec<Vec<(f64, f64)>> {
        let square = [(-WALL, -WALL), (-WALL, WALL), (WALL, WALL), (WALL, -WALL), (-WALL, -WALL)];
        let u = [
            (-5.0, 5.0),
            (-5.0, -5.0),
            (5.0, -5.0),
            (5.0, 5.0),
            (3.0, 5.0),
            (3.0, -3.0),
            (-3.0, -3.0),
            (-3.0, 5.0),
            (-5.0, 5.0),
        ];
        let goal = (0..=60).map(|k| libm::sincos(TAU * f64::from(k) / 60.0));
        let radius = self.goal_radius;
        vec![square.into(), u.into(), goal.map(|(sin, cos)| (radius * sin, radius * cos)).collect()]
    }

    fn coordinates(&self, state: &[f64]) -> Vec<f64> {
        state.to_vec()
    }

    fn act(&self, state: &mut Vec<f64>, action: &[f64], dt_ms: f64) -> Transition {
        let (at, hit) = self.moved(first(state), first(action).map(|v: f64| v * dt_ms / 1000.0));
        state.copy_from_slice(&at);
        let reached = libm::hypot(at[0], at[1]) < self.goal_radius;
        let event = if hit { self.wall_reward } else { 0.0 };
        Transition { event, goal: reached, end: reached.then_some(true), ..Transition::default() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn walls_are_in_the_way() {
        let maze = Maze { wall_reward: -1.0, bounce: 0.1, speed: 1.8, sharpness: 8.0, goal_radius: 1.0 };
        let run = |at: [f64; 2], velocity: [f64; 2]| {
            let mut at = at.to_vec();
            let happened = maze.act(&mut at, &velocity, 1.0);
            let reward = happened.event + if happened.goal { 100.0 } else { 0.0 };
            (first(&at).map(|x: f64| (x * 1e6).round() / 1e6), reward, happened.end)
        };
        assert_eq!(run([9.95, 0.0], [100.0, 10.0]), ([9.9, 0.01], -1.0, None));
        assert_eq!(run([5.02, 1.0], [-30.0, 0.0]), ([5.12, 1.0], -1.0, None));
        assert_eq!(run([0.0, -2.99], [0.0, -30.0]), ([0.0, -2.89], -1.0, None));
        assert_eq!(run([0.0, 7.5], [0.0, -10.0]), ([0.0, 7.49], 0.0, None));
        assert_eq!(run([0.0, 1.005], [0.0, -10.0]), ([0.0, 0.995], 100.0, Some(true)));
    }
}
