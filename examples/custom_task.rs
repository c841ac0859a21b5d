//! Question: how do I train on my own task? Answer: implement `Task` and hand it to a trainer with the settings of a
//! similar task.
//!
//! The task is a delayed go/no-go: a short cue, a delay, and a response period in which the output should be high after
//! the go cue and low after the no-go cue.
//!
//! `cargo run --release --example custom_task`

use hebbian_rnn::random::Stream;
use hebbian_rnn::{evaluate, Task, Trainer, Trial};

struct GoNoGo {
    cue_steps: usize,
    delay_steps: usize,
    response_steps: usize,
}

impl Task for GoNoGo {
    fn name(&self) -> &str {
        "go-no-go"
    }
    fn steps(&self) -> usize {
        self.cue_steps + self.delay_steps + self.response_steps
    }
    fn inputs(&self) -> Vec<String> {
        vec!["go".into(), "no-go".into()]
    }
    fn trial_types(&self) -> Vec<String> {
        self.inputs()
    }
    /// Go and no-go trials alternate.
    fn trial(&self, index: u64, _rng: &mut Stream) -> Trial {
        let trial_type = (index % 2) as usize;
        let mut inputs = vec![0.0; self.steps() * 2];
        for step in 0..self.cue_steps {
            inputs[step * 2 + trial_type] = 1.0;
        }
        let target = [0.9, -0.9][trial_type];
        Trial::with_response(trial_type, inputs, &[target], self.steps(), self.response_steps)
    }
    /// Mean |output − target| over the response period.
    fn correct_below(&self) -> f64 {
        0.9
    }
}

fn main() -> hebbian_rnn::Result<()> {
    let task = GoNoGo { cue_steps: 100, delay_steps: 200, response_steps: 100 };
    // The network, rule and perturbation of `dnms`, with our task instead of its own.
    let mut trainer = Trainer::builder("dnms")
        .own_task(task)
        .set("network.neurons", 100)
        .networks(3)
        .batch(32)
        .trials(1500)
        .until_criterion()
        .build()?;
    trainer.train()?;

    for score in evaluate(&trainer.checkpoint()?, 100, 1)? {
        let reached = score.criterion_trials.map_or("never".to_string(), |trials| format!("after {trials} trials"));
        println!("network {}: criterion {reached}, error {:.3}", score.network, score.error);
    }
    assert!(trainer.criterion_trials().iter().flatten().count() >= 2, "did not learn");
    Ok(())
}
