//! `rflo` and the delta rule against plain f64 loops and, where `rflo` is exact, against the true gradient.

use crate::support::*;
use candle_core::{Device, Tensor};
use hebbian_rnn::engine::{Draw, TrialBatch};
use hebbian_rnn::random::Phase;
use hebbian_rnn::{Checkpoint, Trainer, Weights};

const SMALL: [&str; 11] = [
    "network.neurons=7",
    "network.initial_activation=0.5",
    "network.readout_scale=1",
    "task.steps=20",
    "task.period=20",
    "train.batch=3",
    "train.networks=2",
    "train.dtype=f64",
    "rule.eta=0.1",
    "readout.eta=0.1",
    "train.updates=2",
];
const DYNAMICS: [&str; 3] = ["network.dynamics=leaky-rate", "network.dynamics=leaky", "network.dynamics=discrete"];

fn batch_of(trainer: &Trainer) -> TrialBatch {
    let config = trainer.config();
    let draw = Draw {
        seed: config.train.seed,
        phase: Phase::Train,
        first_trial: trainer.trials(),
        trials_each: config.train.batch,
        age: 0,
        explore: true,
    };
    TrialBatch::draw(trainer.setup(), draw).unwrap()
}

fn change(after: &Tensor, before: &Tensor) -> Vec<f64> {
    values(after).iter().zip(values(before)).map(|(after, before)| after - before).collect()
}

#[test]
fn an_update_equals_plain_loops() {
    for dynamics in DYNAMICS {
        equals_plain_loops(dynamics, "train.dtype=f64", 1e-9);
        // The fused kernels, which filter errors backward where rates leak. Changes are differences of rounded weights.
        equals_plain_loops(dynamics, "train.dtype=f32", 1e-5);
    }
}

fn equals_plain_loops(dynamics: &str, dtype: &str, tolerance: f64) {
    let mut trainer = trainer("pattern-generation", &[&SMALL[..], &[dynamics, dtype]].concat());
    let config = trainer.config().clone();
    let (n, b, t) = (7, config.train.batch, 20);
    let leak = if dynamics.ends_with("discrete") { 1.0 } else { 0.1 };
    let batch = batch_of(&trainer);
    let before = trainer.weights().unwrap();
    trainer.update().unwrap();
    let after = trainer.weights().unwrap();
    for s in 0..2 {
        let of = |w: &Tensor| values(&w.get(s).unwrap());
        let (w_in, w_rec, w_out) = (of(&before.w_in), of(&before.w_rec), of(before.w_out.as_ref().unwrap()));
        let (b_out, feedback) = (of(before.b_out.as_ref().unwrap()), of(before.error_feedback.as_ref().unwrap()));
        let (mut dw_rec, mut dw_out, mut db_out) = (vec![0.0; n * n], vec![0.0; n], 0.0);
        for drawn in &batch.drawn[s * b..(s + 1) * b] {
            let mut x: Vec<f64> = drawn.x0.iter().map(|v| f64::from(*v)).collect();
            let mut r: Vec<f64> = x.iter().map(|v| v.tanh()).collect();
            let mut p = vec![0.0; n * n];
            for step in 0..t {
                let old = r.clone();
                for i in 0..n {
                    let recurrent: f64 = (0..n).map(|j| w_rec[i * n + j] * old[j]).sum();
                    let drive = recurrent + w_in[i] * f64::from(drawn.trial.inputs[step]);
                    match config.network.dynamics.as_str() {
                        "leaky" => x[i] += leak * (drive - x[i]),
                        _ => x[i] = drive,
                    }
                    let rate = x[i].tanh();
                    r[i] = if config.network.dynamics == "leaky-rate" { old[i] + leak * (rate - old[i]) } else { rate };
                }
                let z = b_out[0] + (0..n).map(|i| w_out[i] * r[i]).sum::<f64>();
                let error = f64::from(drawn.trial.targets[step]) - z;
                for i in 0..n {
                    let slope = 1.0 - x[i].tanh().powi(2);
                    for j in 0..n {
                        let (inside, outside) = match config.network.dynamics.as_str() {
                            "leaky-rate" => (slope, 1.0),
                            _ => (1.0, slope),
                        };
                        let p = &mut p[i * n + j];
                        *p = (1.0 - leak) * *p + leak * inside * old[j];
                        dw_rec[i * n + j] += 0.1 * feedback[i] * error * outside * *p;
                    }
                    dw_out[i] += 0.1 * error * r[i] / (b * t) as f64;
                }
                db_out += 0.1 * error / (b * t) as f64;
            }
        }
        let found = |after: &Tensor, before: &Tensor| change(&after.get(s).unwrap(), &before.get(s).unwrap());
        let of = |w: &Option<Tensor>| w.clone().unwrap();
        assert_close(&found(&after.w_rec, &before.w_rec), &dw_rec, tolerance, &format!("{dynamics}: w_rec"));
        assert_close(&found(&of(&after.w_out), &of(&before.w_out)), &dw_out, tolerance, &format!("{dynamics}: w_out"));
        assert_close(
            &found(&of(&after.b_out), &of(&before.b_out)),
            &[db_out],
            tolerance,
            &format!("{dynamics}: b_out"),
        );
    }
}

/// −½ Σ (z − target)² over all trials and steps of each network's batch, summed over networks.
fn fit(trainer: &Trainer, weights: &Weights, batch: &TrialBatch) -> f64 {
    let outputs = values(&outputs(trainer.setup(), weights, batch));
    let steps = trainer.setup().shape().steps;
    let error = |k: usize| outputs[k] - f64::from(batch.drawn[k / steps].trial.targets[k % steps]);
    -0.5 * (0..outputs.len()).map(|k| error(k) * error(k)).sum::<f64>()
}

#[test]
fn without_recurrence_and_with_the_readout_s_own_weights_it_is_the_gradient() {
    // With w_rec = 0 no activity passes between neurons, so p is exact; with F = w_outᵀ the feedback is not random.
    for dynamics in DYNAMICS {
        let settings = [&SMALL[..], &[dynamics, "network.gain=0", "rule.eta=1", "readout.eta=0"]].concat();
        let drawn = trainer("pattern-generation", &settings);
        let mut checkpoint = drawn.checkpoint().unwrap();
        let w_out = checkpoint.plastic.weights.w_out.clone().unwrap();
        checkpoint.plastic.weights.error_feedback = Some(w_out.transpose(1, 2).unwrap().contiguous().unwrap());
        let mut trainer = Trainer::resume(&checkpoint, &[Device::Cpu]).unwrap();
        let batch = batch_of(&trainer);
        let before = trainer.weights().unwrap();
        let gradient: Vec<f64> = (0..2 * 49)
            .map(|k| {
                let moved = |by: f64| {
                    let mut w = values(&before.w_rec);
                    w[k] += by;
                    let w_rec = Tensor::from_vec(w, (2, 7, 7), &Device::Cpu).unwrap();
                    fit(&trainer, &Weights { w_rec, ..before.clone() }, &batch)
                };
                (moved(1e-5) - moved(-1e-5)) / 2e-5
            })
            .collect();
        trainer.update().unwrap();
        assert_close(&change(&trainer.weights().unwrap().w_rec, &before.w_rec), &gradient, 1e-6, dynamics);
    }
}

#[test]
fn a_checkpoint_keeps_the_feedback_weights() {
    let settings = [&SMALL[..], &["network.feedback_scale=0.5", "network.private_noise=0.1"]].concat();
    let mut whole = trainer("pattern-generation", &settings);
    whole.update().unwrap();
    let bytes = whole.checkpoint().unwrap().to_bytes().unwrap();
    let checkpoint = Checkpoint::from_bytes(&bytes, &Device::Cpu).unwrap();
    assert_eq!(checkpoint.plastic.weights.w_fb.as_ref().unwrap().dims(), [2, 7, 1]);
    assert_eq!(checkpoint.plastic.weights.error_feedback.as_ref().unwrap().dims(), [2, 7, 1]);
    let mut resumed = Trainer::resume(&checkpoint, &[Device::Cpu]).unwrap();
    whole.update().unwrap();
    resumed.update().unwrap();
    assert!(whole.checkpoint().unwrap().to_bytes().unwrap() == resumed.checkpoint().unwrap().to_bytes().unwrap());
}

#[test]
fn a_sum_of_sines_is_learnt() {
    let mut trainer = trainer("pattern-generation", &["train.networks=3"]);
    let first = trainer.update().unwrap();
    let last = (0..600).map(|_| trainer.update().unwrap()).last().unwrap();
    for (first, last) in first.networks.iter().zip(&last.networks) {
        assert!(first.error > 0.5 && last.error < 0.1, "network {}: {} to {}", last.network, first.error, last.error);
    }
}
