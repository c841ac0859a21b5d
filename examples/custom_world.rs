//! Question: how do I train in my own world? Answer: implement `Copy` for one copy of it and `Environment` for its
//! description, and hand it to a trainer with the settings of a similar world.
//!
//! The world is a corridor with a reward at one end. A light shows which end, but only in the first step, so a
//! network has to remember it while it walks.
//!
//! `cargo run --release --example custom_world`

use hebbian_rnn::environments::{Actions, Copies, Instance, Outcome, Start};
use hebbian_rnn::{evaluate, Environment, Episodes, Trainer};
use rand::RngExt;

/// How far the ends are from the middle.
struct Corridor {
    half: i32,
}

impl Environment for Corridor {
    fn name(&self) -> &str {
        "corridor"
    }
    /// The position and the light, each with its divisor.
    fn observations(&self) -> Vec<(String, f64)> {
        vec![("position".into(), f64::from(self.half)), ("light".into(), 1.0)]
    }
    /// A step to the left or right.
    fn actions(&self) -> Actions {
        Actions::Discrete(2)
    }
    fn limit(&self) -> usize {
        40
    }
    fn solved(&self) -> f64 {
        0.9
    }
    fn start(&self, episodes: Vec<Start>) -> Box<dyn Copies> {
        let walker = |mut start: Start| Walker {
            half: self.half,
            position: 0,
            light: true,
            goal: if start.rng.random() { 1 } else { -1 },
        };
        Box::new(episodes.into_iter().map(walker).collect::<Vec<_>>())
    }
}

/// One copy.
struct Walker {
    half: i32,
    position: i32,
    light: bool,
    goal: i32,
}

impl Instance for Walker {
    fn observe(&self, observation: &mut [f64]) {
        observation[0] = f64::from(self.position);
        observation[1] = if self.light { f64::from(self.goal) } else { 0.0 };
    }
    fn step(&mut self, action: &[f64]) -> Outcome {
        self.light = false;
        self.position += if action[0] == 1.0 { 1 } else { -1 };
        let arrived = self.position.abs() == self.half;
        let right = arrived && self.position.signum() == self.goal;
        Outcome {
            reward: if right { 1.0 } else { 0.0 },
            terminated: arrived,
            correct: Some(right),
            ..Outcome::default()
        }
    }
}

fn main() -> hebbian_rnn::Result<()> {
    // The network and rule of `cartpole`, with our world instead of its own.
    let mut trainer = Trainer::builder("cartpole")
        .own_task(Episodes::new(Corridor { half: 4 }))
        .networks(3)
        .trials(8000)
        .until_criterion()
        .build()?;
    trainer.train()?;

    for score in evaluate(&trainer.checkpoint()?, 100, 1)? {
        let reached = score.criterion_trials.map_or("never".to_string(), |trials| format!("after {trials} episodes"));
        println!("network {}: criterion {reached}, fraction correct {:.2}", score.network, score.fraction_correct);
    }
    assert!(trainer.criterion_trials().iter().flatten().count() >= 2, "did not learn");
    Ok(())
}
