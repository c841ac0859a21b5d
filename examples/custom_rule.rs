//! Question: how do I train with a learning rule of my own?
//! Answer: implement `LearningRule` and what it adds at each step (a page), and hand it to a trainer.
//!
//! The rule here is a reward-modulated covariance rule (after Loewenstein & Seung 2006): the eligibility sums
//! (x_post − x̄_post) (r_pre − r̄_pre), and the reward of the trial against its baseline multiplies it.
//!
//! `cargo run --release --example custom_rule`

use candle_core::{Result, Tensor};
use hebbian_rnn::{evaluate, Factors, Increment, LearningRule, Moment, Source, State, StepRule, Trainer};
use std::sync::Arc;

struct Covariance {
    decay: f64,
}

impl LearningRule for Covariance {
    fn name(&self) -> &str {
        "covariance"
    }
    fn source(&self) -> Source {
        Source::Steps(Box::new(Means { decay: self.decay, x: None, r: None }))
    }
}

/// Running means of activations and rates, `[S, B, N]` each: all networks and trials move in one operation.
struct Means {
    decay: f64,
    x: Option<Tensor>,
    r: Option<Tensor>,
}

/// The deviation of `value` from a running mean, which moves on.
fn deviation(mean: &mut Option<Tensor>, value: &Tensor, decay: f64) -> Result<Tensor> {
    let before = mean.take().unwrap_or_else(|| value.clone());
    let deviation = (value - &before)?;
    *mean = Some((before + (&deviation * (1.0 - decay))?)?);
    Ok(deviation)
}

impl StepRule for Means {
    fn begin(&mut self, state: &State) -> Result<()> {
        (self.x, self.r) = (Some(state.x.clone()), Some(state.r.clone()));
        Ok(())
    }
    fn increment(&mut self, moment: &Moment) -> Result<Option<Increment>> {
        let pre = deviation(&mut self.r, moment.r_before, self.decay)?;
        let post = deviation(&mut self.x, &moment.state.x, self.decay)?;
        Ok(Some(Increment::Outer(Factors { post, pre })))
    }
}

fn main() -> std::result::Result<(), Box<dyn std::error::Error>> {
    let mut trainer = Trainer::builder("echo")
        .own_rule(Arc::new(Covariance { decay: 0.9 }))
        .set("rule.eta", 0.1)
        .networks(2)
        .updates(500)
        .build()?;
    trainer.train()?;

    for score in evaluate(&trainer.checkpoint()?, 200, 1)? {
        println!("network {}: error {:.3}, chance is 1", score.network, score.error);
        assert!(score.error < 0.5, "not learnt");
    }
    Ok(())
}
