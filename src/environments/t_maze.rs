//! `t-maze`: a cue at the start of a corridor says at which side of the junction at its end the reward is (Bakker 2002). After that
//! there is nothing but noise to see, so the cue must be remembered. It is shown for one step only, so waiting at the start does not
//! help.

use super::*;
use documented::DocumentedFields;
use schemars::JsonSchema;

/// The actions that turn into an arm; the other one walks on.
const LEFT: f64 = 0.0;
const FORWARD: f64 = 2.0;

/// Its parameters.
#[derive(Clone, Debug, DocumentedFields, JsonSchema, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TMaze {
    /// The length of the corridor: the number of steps from the start to the junction.
    #[schemars(range(min = 1))]
    pub corridor: usize,
    /// Standard deviation of the noise on each observation, step by step.
    #[schemars(range(min = 0))]
    pub noise: f64,
    /// The number of further observations that are nothing but noise. Without them, the best linear readout could still tell the
    /// cue from the traces that it has left in a random network.
    #[schemars(range(max = 1000))]
    pub distractors: usize,
    /// The number of steps after which an episode is truncated.
    #[schemars(range(min = 1))]
    pub limit: usize,
    /// The reward for the right turn at the junction.
    pub goal_reward: f64,
    /// The reward for the wrong turn, and for each step into a wall.
    pub wall_reward: f64,
}

impl Default for TMaze {
    fn default() -> Self {
        TMaze { corridor: 15, noise: 0.3, distractors: 8, limit: 150, goal_reward: 4.0, wall_reward: -0.1 }
    }
}

impl Environment for TMaze {
    fn name(&self) -> &str {
        "t-maze"
    }

    fn check(&self) -> Result<()> {
        check_ranges("task", self)?;
        let expected = format!("above task.corridor ({})", self.corridor);
        expect(self.limit > self.corridor, "task.limit", self.limit, expected)
    }

    /// The cue, −1 for left and 1 for right in the first step and 0 later; 1 at the junction and 0 elsewhere; distractors.
    fn observations(&self) -> Vec<(String, f64)> {
        let distractors = (1..=self.distractors).map(|k| (format!("distractor {k}"), 1.0));
        named(&[("cue", 1.0), ("junction", 1.0)]).into_iter().chain(distractors).collect()
    }

    /// Left, right and forward.
    fn actions(&self) -> Actions {
        Actions::Discrete(3)
    }

    fn limit(&self) -> usize {
        self.limit
    }

    /// Nine right turns out of ten, without running into walls.
    fn solved(&self) -> f64 {
        0.9 * self.goal_reward + 0.1 * self.wall_reward
    }

    /// One for each cue.
    fn conditions(&self) -> Vec<String> {
        ["left", "right"].map(String::from).to_vec()
    }

    fn start(&self, episodes: Vec<Start>) -> Box<dyn Copies> {
        copies(episodes, |mut start| {
            let right = start.rng.random::<bool>();
            let mut walk = Walk {
                maze: self.clone(),
                right,
                first: true,
                place: 0,
                noise: vec![0.0; 2 + self.distractors],
                rng: start.rng,
            };
            walk.draw();
            walk
        })
    }
}

struct Walk {
    maze: TMaze,
    /// Whether the reward is on the right.
    right: bool,
    /// Whether this is the first step, in which the cue is shown.
    first: bool,
    /// Steps from the start.
    place: usize,
    /// The noise on each observation at this step.
    noise: Vec<f64>,
    rng: Stream,
}

impl Walk {
    fn draw(&mut self) {
        for noise in &mut self.noise {
            let drawn: f64 = StandardNormal.sample(&mut self.rng);
            *noise = self.maze.noise * drawn;
        }
    }

    fn at_junction(&self) -> bool {
        self.place == self.maze.corridor
    }
}

impl Instance for Walk {
    fn condition(&self) -> usize {
        usize::from(self.right)
    }

    fn observe(&self, observation: &mut [f64]) {
        observation.copy_from_slice(&self.noise);
        if self.first {
            observation[0] += if self.right { 1.0 } else { -1.0 };
        }
        if self.at_junction() {
            observation[1] += 1.0;
        }
    }

    fn step(&mut self, action: &[f64]) -> Outcome {
        let (turns, at_junction) = (action[0] != FORWARD, self.at_junction());
        let correct = at_junction && turns && (action[0] != LEFT) == self.right;
        let reward = if correct {
            self.maze.goal_reward
        } else if turns || at_junction {
            self.maze.wall_reward
        } else {
            self.place += 1;
            0.0
        };
        self.first = false;
        self.draw();
        Outcome { reward, terminated: at_junction && turns, correct: Some(correct), ..Outcome::default() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::{stream, Phase, Purpose};

    fn start(maze: &TMaze, index: u64) -> Box<dyn Copies> {
        let rng = || stream(1, 0, index, Phase::Train, Purpose::Task);
        maze.start(vec![Start { index, rng: rng(), shared: rng() }])
    }

    fn seen(walk: &dyn Copies) -> [f64; 2] {
        let mut seen = [0.0; 2];
        walk.observe(0, &mut seen);
        seen
    }

    #[test]
    fn the_cue_is_seen_in_the_first_step_and_the_reward_is_on_its_side() {
        let maze = TMaze { corridor: 2, noise: 0.0, distractors: 0, ..TMaze::default() };
        let (mut sides, wall) = ([0, 0], Outcome { reward: -0.1, correct: Some(false), ..Outcome::default() });
        for index in 0..40 {
            for turn in [0.0, 1.0] {
                let mut walk = start(&maze, index);
                let right = walk.condition(0);
                sides[right] += 1;
                assert_eq!(seen(&*walk), [[-1.0, 0.0], [1.0, 0.0]][right]);
                // Into the wall: still at the start, but the cue is gone.
                assert_eq!(walk.step(0, &[1.0]), wall);
                assert_eq!(seen(&*walk), [0.0, 0.0]);
                assert_eq!(walk.step(0, &[2.0]), Outcome { reward: 0.0, ..wall });
                assert_eq!(seen(&*walk), [0.0, 0.0]);
                assert_eq!(walk.step(0, &[2.0]), Outcome { reward: 0.0, ..wall });
                assert_eq!(seen(&*walk), [0.0, 1.0]);
                // The junction has a wall in front.
                assert_eq!(walk.step(0, &[2.0]), wall);
                let correct = turn == right as f64;
                let reward = if correct { 4.0 } else { -0.1 };
                let end = Outcome { reward, terminated: true, correct: Some(correct), ..Outcome::default() };
                assert_eq!(walk.step(0, &[turn]), end);
            }
        }
        assert!(sides.iter().all(|side| *side > 20), "{sides:?}");
    }

    #[test]
    fn noise_is_drawn_anew_for_every_channel_and_step() {
        let maze = TMaze { corridor: 50, distractors: 3, ..TMaze::default() };
        let mut walk = start(&maze, 0);
        let mut noise = Vec::new();
        for _ in 0..50 {
            assert_eq!(walk.step(0, &[2.0]).reward, 0.0);
            let mut seen = [0.0; 5];
            walk.observe(0, &mut seen);
            noise.extend(seen);
        }
        // The last step is at the junction.
        noise.truncate(245);
        let sd = (noise.iter().map(|n| n * n).sum::<f64>() / 245.0).sqrt();
        assert!((sd - 0.3).abs() < 0.05, "{sd}");
        let mut distinct = noise.clone();
        distinct.sort_by(f64::total_cmp);
        distinct.dedup();
        assert_eq!(distinct.len(), noise.len());
    }

    #[test]
    fn a_limit_that_does_not_reach_the_junction_is_refused() {
        let refusal = TMaze { limit: 15, ..TMaze::default() }.check().unwrap_err().to_string();
        assert!(refusal.contains("task.limit") && refusal.contains("above task.corridor (15)"), "{refusal}");
        TMaze { limit: 16, ..TMaze::default() }.check().unwrap();
    }
}
