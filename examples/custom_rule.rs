//! Question: how do I train networks with my own learning rule? Answer: implement `LearningRule`, and give the rule to
//! the trainer and to whatever reads the checkpoint.
//!
//! The rule here is node perturbation with presynaptic traces, after Fiete & Seung (2006, doi
//! 10.1103/PhysRevLett.97.048104), whose synapses have dynamics. Each synapse keeps a trace s of its presynaptic rate
//! r. The eligibility accumulates the perturbation ξ of the postsynaptic neuron times that trace:
//!
//! ```text
//! s_pre ← λ s_pre + (1 − λ) r_pre(t−1)
//! e ← e + ξ_post(t) s_pre
//! ```
//!
//! After the trial, the weights change by Δw = η M e, where M says how much better than expected the trial went.
//!
//! `cargo run --release --example custom_rule`

use candle_core::{Device, Tensor};
use hebbian_rnn::rules::{Factors, Increment, Source};
use hebbian_rnn::{evaluate, Checkpoint, LearningRule, Own, Trainer};
use std::sync::Arc;

/// The rule and its parameter.
struct PresynapticTrace {
    /// λ.
    decay: f64,
}

impl LearningRule for PresynapticTrace {
    fn name(&self) -> &str {
        "presynaptic-trace"
    }
    fn source(&self) -> Source {
        let decay = self.decay;
        // s, `[S, B, N]`; 0 before the first step.
        let mut trace: Option<Tensor> = None;
        Source::Steps(Box::new(move |moment| {
            let new = (moment.r_before * (1.0 - decay))?;
            let pre = match trace.take() {
                Some(old) => ((old * decay)? + new)?,
                None => new,
            };
            trace = Some(pre.clone());
            // Without a perturbation, nothing becomes eligible.
            Ok(moment.perturbation.map(|xi| Increment::Outer(Factors { post: xi.clone(), pre })))
        }))
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let rule = Arc::new(PresynapticTrace { decay: 0.5 });
    // Only the recurrent weights learn, so that neither the readout nor the Hebbian trace can do the rule's work.
    let mut trainer = Trainer::builder("echo")
        .own_rule(rule.clone())
        .set("rule.eta", 0.1)
        .set("rule.max_dw", 0.01)
        .set("readout.rule", "none")
        .set("trace.stage", "none")
        .updates(800)
        .build()?;
    let untrained = evaluate(&trainer.checkpoint()?, 100, 1)?;
    trainer.train()?;

    // A checkpoint stores only the rule's name, so the rule itself must be given when it is read.
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("echo.safetensors");
    trainer.checkpoint()?.write(&path)?;
    let own = Own { rule: Some(rule), ..Own::default() };
    let checkpoint = Checkpoint::read_with(&path, own, &Device::Cpu)?;

    for (before, after) in untrained.iter().zip(evaluate(&checkpoint, 100, 1)?) {
        println!("network {}: error {:.3}, before training {:.3}", after.network, after.error, before.error);
        assert!(after.error < before.error / 4.0, "did not learn");
    }

    // Training goes on as if it had never stopped.
    let mut resumed = Trainer::resume(&checkpoint, &[Device::Cpu])?;
    let (resumed, unbroken) = (resumed.update()?, trainer.update()?);
    assert!(resumed.networks[0].error == unbroken.networks[0].error, "the resumed training differs");
    Ok(())
}
