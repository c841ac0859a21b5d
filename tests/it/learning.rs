//! The rules learn: they follow the gradient, change nothing without a prediction error, and beat chance.

use crate::support::*;
use candle_core::{Device, Tensor};
use hebbian_rnn::engine::{Draw, TrialBatch};
use hebbian_rnn::random::Phase;
use hebbian_rnn::{evaluate, Setup, Weights};

#[test]
fn without_surprise_no_weight_moves() {
    // Without perturbation and with the same x(0), all trials of a type have the same error: M = 0 up to rounding.
    let mut trainer =
        trainer("dnms", &small_dnms(&["perturbation.probability=0", "network.initial_activation=0", "rule.eta=1"]));
    let before = values(&trainer.weights().unwrap().w_rec);
    let report = trainer.update().unwrap();
    assert!(report.networks[0].error > 0.1);
    assert_eq!(values(&trainer.weights().unwrap().w_rec), before);
}

#[test]
fn no_weight_moves_further_than_the_bound() {
    for (batch, growth) in [(8.0f64, 0.5), (1.0, 1.0)] {
        let batch_setting = format!("train.batch={batch}");
        let settings =
            [batch_setting.as_str(), "modulator.warmup_trials=0", "rule.eta=1e6", "perturbation.amplitude=30"];
        let mut trainer = trainer("dnms", &small_dnms(&settings));
        let before = values(&trainer.weights().unwrap().w_rec);
        // A single first trial of a type has nothing to be compared with.
        for _ in 0..5 {
            trainer.update().unwrap();
        }
        let bound = 5.0 * 3e-4 * (growth * batch.sqrt()).max(1.0);
        let moved = values(&trainer.weights().unwrap().w_rec)
            .iter()
            .zip(&before)
            .map(|(a, b)| (a - b).abs())
            .fold(0.0, f64::max);
        assert!(moved > 0.2 * bound && moved <= bound * 1.001, "moved by {moved}, bound {bound}");
    }
}

/// Mean error of one network's trials, with the random draws held fixed.
fn mean_error(setup: &Setup, weights: &Weights, batch: &TrialBatch) -> f64 {
    let outputs = outputs(setup, weights, batch);
    let outputs: Vec<Vec<f64>> = outputs.get(0).unwrap().flatten_from(1).unwrap().to_vec2().unwrap();
    let errors = batch
        .drawn
        .iter()
        .zip(&outputs)
        .map(|(drawn, outputs)| setup.task().trials().unwrap().error(&drawn.trial, outputs));
    errors.sum::<f64>() / batch.drawn.len() as f64
}

#[test]
fn node_perturbation_points_down_the_finite_difference_gradient() {
    // Compares the mean update over many perturbed trials with −∂error/∂w_rec by central differences, for 8 neurons.
    let settings = [
        "network.neurons=8",
        "network.clamped=[]",
        "network.tau_ms=5",
        "network.initial_activation=0",
        "task.steps=20",
        "task.first_stimulus=0",
        "task.second_stimulus=8",
        "task.stimulus_steps=4",
        "task.response_steps=4",
        "rule.name=node-perturbation",
        "rule.eta=1",
        "rule.max_dw=0",
        "rule.start_step=0",
        "perturbation.probability=0.1",
        "perturbation.amplitude=0.5",
        "perturbation.start_step=0",
        "modulator.expected_error_factor=false",
        "train.networks=1",
        "train.batch=4096",
        "train.dtype=f64",
    ];
    let mut trainer = trainer("dnms", &settings);
    let (setup, weights) = (trainer.setup().clone(), trainer.weights().unwrap());
    let draw = Draw { seed: 9, phase: Phase::Evaluate, first_trial: 0, trials_each: 4, age: 0, explore: false };
    let batch = TrialBatch::draw(&setup, draw).unwrap();
    let before = values(&weights.w_rec);
    let error_at = |w: Vec<f64>| {
        let w_rec = Tensor::from_vec(w, (1, 8, 8), &Device::Cpu).unwrap();
        mean_error(&setup, &Weights { w_rec, ..weights.clone() }, &batch)
    };
    let downhill: Vec<f64> = (0..64)
        .map(|k| {
            let moved = |by: f64| {
                let mut w = before.clone();
                w[k] += by;
                error_at(w)
            };
            -(moved(1e-3) - moved(-1e-3)) / 2e-3
        })
        .collect();
    trainer.update().unwrap();
    let update: Vec<f64> = values(&trainer.weights().unwrap().w_rec).iter().zip(&before).map(|(a, b)| a - b).collect();
    let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
    let cosine = dot(&update, &downhill) / (dot(&update, &update) * dot(&downhill, &downhill)).sqrt();
    assert!(cosine > 0.8, "cosine with the gradient: {cosine}");
}

#[test]
fn echo_is_learnt_and_sequence_stays_at_chance() {
    for (task, below, above) in [("echo", 0.05, 0.0), ("sequence", 0.27, 0.235)] {
        let mut trainer = trainer(task, &["train.networks=3"]);
        let first = trainer.update().unwrap();
        for _ in 0..700 {
            trainer.update().unwrap();
        }
        let scores = evaluate(&trainer.checkpoint().unwrap(), 200, 1).unwrap();
        let start = first.networks.iter().map(|n| n.error).sum::<f64>() / 3.0;
        assert!(task == "echo" || start > 0.5, "{task}: starts at {start}");
        for score in &scores {
            assert!((above..below).contains(&score.error), "{task}: ends at {}", score.error);
        }
    }
}

#[test]
fn every_rule_lowers_the_error_of_a_short_dnms() {
    // A tenth of the published durations, without a delay between stimuli: learnt within seconds.
    let task = [
        "network.neurons=60",
        "network.tau_ms=5",
        "task.steps=100",
        "task.first_stimulus=0",
        "task.second_stimulus=30",
        "task.stimulus_steps=20",
        "task.response_steps=20",
        "train.networks=3",
        "train.batch=32",
        "perturbation.probability=0.02",
        "perturbation.amplitude=3",
    ];
    for rule in [&["rule.name=delta-x", "rule.eta=1"][..], &["rule.name=node-perturbation", "rule.eta=0.01"]] {
        let mut trainer = trainer("dnms", &[&task[..], rule].concat());
        for _ in 0..150 {
            trainer.update().unwrap();
        }
        let scores = evaluate(&trainer.checkpoint().unwrap(), 40, 1).unwrap();
        let learnt = scores.iter().filter(|s| s.error < 0.5).count();
        assert!(learnt >= 2, "{rule:?}: {scores:?}");
    }
}
