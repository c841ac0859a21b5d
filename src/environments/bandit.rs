//! `bandit`: pull one of several arms, each of which pays 1 with a probability of its own (Robbins 1952). An episode is
//! one pull.

use super::*;
use rand::seq::SliceRandom;

/// Its parameters.
#[derive(Clone, Debug, DocumentedFields, JsonSchema, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Bandit {
    /// The probability that each arm pays. Each network has them in its own order.
    #[schemars(inner(range(min = 0, max = 1)))]
    pub arms: Vec<f64>,
    /// Standard deviation of the random walk of each probability from pull to pull, reflected at 0 and 1; 0: they
    /// stay constant.
    #[schemars(range(min = 0))]
    pub drift: f64,
}

impl Default for Bandit {
    fn default() -> Self {
        Bandit { arms: vec![0.9, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5], drift: 0.0 }
    }
}

impl Bandit {
    /// The probabilities at a pull.
    fn arms(&self, mut shared: Stream, pull: u64) -> Vec<f64> {
        let mut arms = self.arms.clone();
        arms.shuffle(&mut shared);
        walk(&mut arms, (0.0, 1.0), self.drift, pull, &mut shared);
        arms
    }
}

impl Environment for Bandit {
    fn name(&self) -> &str {
        "bandit"
    }

    fn check(&self) -> Result<()> {
        expect(self.arms.len() >= 2, "task.arms", self.arms.len(), "at least 2 arms")?;
        check_ranges("task", self)
    }

    /// There is nothing to see: a constant.
    fn observations(&self) -> Vec<(String, f64)> {
        named(&[("constant", 1.0)])
    }

    fn actions(&self) -> Actions {
        Actions::Discrete(self.arms.len())
    }

    fn limit(&self) -> usize {
        1
    }

    /// The expected return of pulling the best arm nine times out of ten, and a random one otherwise.
    fn solved(&self) -> f64 {
        let best = self.arms.iter().copied().fold(0.0, f64::max);
        let mean = self.arms.iter().sum::<f64>() / self.arms.len() as f64;
        0.9 * best + 0.1 * mean
    }

    fn start(&self, episodes: Vec<Start>) -> Box<dyn Copies> {
        copies(episodes, |start| Pull { arms: self.arms(start.shared, start.index), rng: start.rng })
    }
}

struct Pull {
    arms: Vec<f64>,
    rng: Stream,
}

impl Instance for Pull {
    fn observe(&self, observation: &mut [f64]) {
        observation[0] = 1.0;
    }

    fn step(&mut self, action: &[f64]) -> Outcome {
        let p = self.arms[action[0] as usize];
        let pays = self.rng.random::<f64>() < p;
        let correct = Some(self.arms.iter().all(|other| *other <= p));
        Outcome { reward: f64::from(u8::from(pays)), terminated: true, correct, ..Outcome::default() }
    }
}
