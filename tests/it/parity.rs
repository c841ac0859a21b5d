//! Parity: the seed's network against plain loops, and the fused kernels against the reference.

use crate::support::*;
use candle_core::{DType, Device, Tensor};
use hebbian_rnn::episode::Record;
use hebbian_rnn::simulate::{simulate, Inputs, Recorded};
use hebbian_rnn::trainer::Trainer;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

const T: usize = 10;
const B: usize = 32;
const N: usize = 32;

struct Seed {
    outputs: Vec<f64>,
    trace: Vec<f64>,
}

/// The seed's forward pass in f64 loops: r' = tanh(w_in u + w_rec r + b + α H r); H ← (1−η) H + η m r r'ᵀ.
fn seed_loops(weights: [&[f64]; 5], inputs: &[f64], modulator: &[f64], alpha: f64, eta: f64) -> Seed {
    let [w_in, w_rec, b_rec, w_out, b_out] = weights;
    let mut outputs = vec![0.0; T * B];
    let mut traces = Vec::new();
    for b in 0..B {
        let mut r = vec![0.0; N];
        let mut h = vec![0.0; N * N];
        for t in 0..T {
            let mut next = vec![0.0; N];
            for i in 0..N {
                let mut drive = w_in[i] * inputs[t * B + b] + b_rec[i];
                for j in 0..N {
                    drive += (w_rec[i * N + j] + alpha * h[i * N + j]) * r[j];
                }
                next[i] = drive.tanh();
            }
            for i in 0..N {
                for j in 0..N {
                    h[i * N + j] = (1.0 - eta) * h[i * N + j] + eta * modulator[t * B + b] * r[i] * next[j];
                }
            }
            r = next;
            outputs[t * B + b] = b_out[0] + (0..N).map(|i| w_out[i] * r[i]).sum::<f64>();
        }
        traces.extend(h);
    }
    Seed { outputs, trace: traces }
}

#[test]
fn simulate_equals_the_seed_in_plain_loops() {
    let settings =
        ["trace.stage=modulated", "trace.association=pre-post", "trace.alpha=1.0", "trace.eta=0.1", "train.networks=1"];
    let checkpoint = Trainer::new(config("sequence", &settings), &Device::Cpu).unwrap().checkpoint();
    let mut rng = ChaCha8Rng::seed_from_u64(5);
    let bits: Vec<f64> = (0..T * B).map(|_| f64::from(u8::from(rng.random::<bool>()))).collect();
    let modulator: Vec<f64> = (0..T * B).map(|_| rng.random::<f64>() * 2.0 - 1.0).collect();
    let tensor = |v: &[f64], shape: &[usize]| {
        Tensor::from_vec(v.to_vec(), shape, &Device::Cpu).unwrap().to_dtype(DType::F32).unwrap()
    };
    let inputs = Inputs {
        inputs: tensor(&bits, &[T, 1, B, 1]),
        modulator: Some(tensor(&modulator, &[T, 1, B])),
        x: None,
        hebbian_trace: None,
    };
    let w = &checkpoint.weights;
    let [w_in, w_rec, b_rec, w_out, b_out] = [
        values(&w.w_in),
        values(&w.w_rec),
        values(w.b_rec.as_ref().unwrap()),
        values(w.w_out.as_ref().unwrap()),
        values(w.b_out.as_ref().unwrap()),
    ];
    let expected = seed_loops([&w_in, &w_rec, &b_rec, &w_out, &b_out], &bits, &modulator, 1.0, 0.1);
    let results =
        simulate(&checkpoint, inputs, Recorded { episode: Record::default(), trace: true }, 0, &Device::Cpu).unwrap();
    for (name, expected) in [("outputs", expected.outputs), ("hebbian_trace", expected.trace)] {
        let found = values(&results[name]);
        let worst = found.iter().zip(&expected).map(|(f, e)| (f - e).abs()).fold(0.0, f64::max);
        assert!(expected.iter().any(|e| e.abs() > 0.01), "{name} is nothing");
        assert!(worst < 1e-5, "{name} is off by {worst:e}");
    }
}

/// Trains a few updates by both kernels and compares weights and metrics.
fn kernels_agree(more: &[&str]) {
    let settings = small_dnms(more);
    let [mut fused, mut reference] = ["fused", "reference"].map(|kernels| {
        let kernels = format!("train.kernels={kernels}");
        trainer("dnms", &settings.iter().copied().chain([kernels.as_str()]).collect::<Vec<_>>())
    });
    for _ in 0..2 {
        let (a, b) = (fused.update().unwrap(), reference.update().unwrap());
        for (a, b) in a.networks.iter().zip(&b.networks) {
            assert!((a.error - b.error).abs() < 1e-4, "{more:?}: errors {} and {}", a.error, b.error);
            assert!(a.mean_abs_dw > 0.0);
        }
    }
    assert_close(&values(&fused.weights().w_rec), &values(&reference.weights().w_rec), 1e-5, &format!("{more:?}"));
}

#[test]
fn fused_kernels_equal_the_reference() {
    for rule in ["rule.name=delta-x", "rule.name=node-perturbation"] {
        // Batches that leave a short last shard, trials that leave a short last block, one trial alone.
        for batch in ["train.batch=8", "train.batch=19", "train.batch=40"] {
            kernels_agree(&[rule, batch, "rule.eta=1"]);
        }
        kernels_agree(&[rule, "task.steps=135", "network.bias_scale=0.3", "rule.eta=1", "network.neurons=33"]);
        kernels_agree(&[rule, "network.dynamics=discrete", "network.gain=0.9", "perturbation.amplitude=0.5"]);
        kernels_agree(&[rule, "network.output_neurons=[0]", "network.clamped=[]", "network.connectivity=0.5"]);
    }
}

#[test]
fn one_trial_at_a_time_equals_the_reference() {
    let one = ["train.batch=1", "modulator.warmup_trials=0", "modulator.expected_error_factor=false", "rule.eta=10"];
    kernels_agree(&[&["rule.name=delta-x"][..], &one].concat());
    kernels_agree(&[&["rule.name=node-perturbation"][..], &one].concat());
}
