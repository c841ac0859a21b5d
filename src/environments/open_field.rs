//! `open-field`: find a goal in a square arena by the activity of place cells, and find it again after it has moved (after
//! Foster, Morris & Dayan 2000, and Brzosko et al. 2017, whose program is ModelDB 245018).

use super::*;

/// Half the side of the arena.
const HALF: f64 = 2.0;
/// Place cells along each side, and the distance between them, which is also the width of their fields.
const CELLS: usize = 11;
const SPACING: f64 = 2.0 * HALF / (CELLS - 1) as f64;
/// The length of a step at full speed.
const STEP: f64 = 0.1;
/// The radius of the goal.
const GOAL: f64 = 0.3;
/// Where the goal is at first, and after it has moved.
const GOALS: [[f64; 2]; 2] = [[1.0, 1.0], [-1.0, -1.0]];

/// Its parameters.
#[derive(Clone, Debug, DocumentedFields, JsonSchema, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct OpenField {
    /// The number of steps after which an episode is truncated.
    #[schemars(range(min = 1))]
    pub limit: usize,
    /// The number of a network's episodes after which the goal moves to its second place; 0: never.
    pub move_after: u64,
}

impl Default for OpenField {
    fn default() -> Self {
        OpenField { limit: 150, move_after: 1600 }
    }
}

impl Environment for OpenField {
    fn name(&self) -> &str {
        "open-field"
    }

    fn check(&self) -> Result<()> {
        check_ranges("task", self)
    }

    /// The rates of the place cells.
    fn observations(&self) -> Vec<(String, f64)> {
        (0..CELLS * CELLS).map(|cell| (format!("place {},{}", cell % CELLS, cell / CELLS), 1.0)).collect()
    }

    /// The velocity, in units of full speed.
    fn actions(&self) -> Actions {
        Actions::Continuous { low: vec![-1.0; 2], high: vec![1.0; 2] }
    }

    fn limit(&self) -> usize {
        self.limit
    }

    /// Straight paths give −16.4 on average.
    fn solved(&self) -> f64 {
        -30.0
    }

    fn start(&self, episodes: Vec<Start>) -> Box<dyn Copies> {
        copies(episodes, |mut start| {
            let moved = self.move_after > 0 && start.index >= self.move_after;
            let goal = GOALS[usize::from(moved)];
            loop {
                let place = [(); 2].map(|()| within(&mut start.rng, HALF));
                if distance(place, goal) > GOAL {
                    return Animal { place, goal };
                }
            }
        })
    }
}

struct Animal {
    place: [f64; 2],
    goal: [f64; 2],
}

fn distance(a: [f64; 2], b: [f64; 2]) -> f64 {
    libm::hypot(a[0] - b[0], a[1] - b[1])
}

impl Instance for Animal {
    fn observe(&self, observation: &mut [f64]) {
        // A Gaussian of two dimensions is a product of two.
        let along = |x: f64| -> [f64; CELLS] {
            std::array::from_fn(|k| {
                let d = (x + HALF) / SPACING - k as f64;
                libm::exp(-d * d / 2.0)
            })
        };
        let (x, y) = (along(self.place[0]), along(self.place[1]));
        for (row, y) in observation.chunks_exact_mut(CELLS).zip(y) {
            row.iter_mut().zip(x).for_each(|(rate, x)| *rate = x * y);
        }
    }

    fn step(&mut self, action: &[f64]) -> Outcome {
        let speed = libm::hypot(action[0], action[1]).max(1.0);
        for (x, a) in self.place.iter_mut().zip(action) {
            *x = (*x + STEP * a / speed).clamp(-HALF, HALF);
        }
        let arrived = distance(self.place, self.goal) <= GOAL;
        Outcome {
            reward: if arrived { 0.0 } else { -1.0 },
            terminated: arrived,
            correct: Some(arrived),
            ..Outcome::default()
        }
    }

    /// The walls, the goal and the animal.
    fn sketch(&self) -> Sketch {
        let around = |step: i32| {
            let (sin, cos) = libm::sincos(f64::from(step) * std::f64::consts::TAU / 24.0);
            (self.goal[0] + GOAL * cos, self.goal[1] + GOAL * sin)
        };
        let walls = [(-HALF, -HALF), (HALF, -HALF), (HALF, HALF), (-HALF, HALF), (-HALF, -HALF)];
        vec![walls.to_vec(), (0..=24).map(around).collect(), vec![(self.place[0], self.place[1])]]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_walks_straight_arrives_after_the_distance() {
        let mut animal = Animal { place: [-1.0, 1.0], goal: GOALS[0] };
        let mut steps = 0;
        while !animal.step(&[3.0, 0.0]).terminated {
            steps += 1;
        }
        assert_eq!(steps, 16); // 17 steps of 0.1 to a distance of 0.3 from the goal, of which the last arrives.
        let mut seen = [0.0; CELLS * CELLS];
        Animal { place: [HALF, -HALF + SPACING], goal: GOALS[0] }.observe(&mut seen);
        assert!((seen[CELLS + CELLS - 1] - 1.0).abs() < 1e-12 && (seen[CELLS - 1] - (-0.5f64).exp()).abs() < 1e-12);
    }
}
