//! Parity: the original network with a Hebbian trace against plain loops, and the fused kernels against the reference.

use crate::support::*;
use candle_core::{DType, Device, Tensor};
use hebbian_rnn::engine::{why_plain, Record};
use hebbian_rnn::random::Stream;
use hebbian_rnn::runs::Inputs;
use hebbian_rnn::{simulate, Own, Setup, Task, Trainer, Trial};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

const T: usize = 10;
const B: usize = 32;
const N: usize = 32;

struct Seed {
    outputs: Vec<f64>,
    trace: Vec<f64>,
}

/// The forward pass of the original network in f64 loops:
/// r' = tanh(w_in u + w_rec r + b + α H r); H ← (1−η) H + η m r r'ᵀ.
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
    let checkpoint = Trainer::new(setup("sequence", &settings), &[Device::Cpu]).unwrap().checkpoint().unwrap();
    let mut rng = ChaCha8Rng::seed_from_u64(5);
    let bits: Vec<f64> = (0..T * B).map(|_| f64::from(u8::from(rng.random::<bool>()))).collect();
    let modulator: Vec<f64> = (0..T * B).map(|_| rng.random::<f64>() * 2.0 - 1.0).collect();
    let tensor = |v: &[f64], shape: &[usize]| {
        Tensor::from_vec(v.to_vec(), shape, &Device::Cpu).unwrap().to_dtype(DType::F32).unwrap()
    };
    let inputs = Inputs {
        inputs: tensor(&bits, &[T, 1, B, 1]).permute((1, 2, 0, 3)).unwrap(),
        modulator: Some(tensor(&modulator, &[T, 1, B]).permute((1, 2, 0)).unwrap()),
        x: None,
        hebbian_trace: None,
    };
    let w = &checkpoint.plastic.weights;
    let [w_in, w_rec, b_rec, w_out, b_out] = [
        values(&w.w_in),
        values(&w.w_rec),
        values(w.b_rec.as_ref().unwrap()),
        values(w.w_out.as_ref().unwrap()),
        values(w.b_out.as_ref().unwrap()),
    ];
    let expected = seed_loops([&w_in, &w_rec, &b_rec, &w_out, &b_out], &bits, &modulator, 1.0, 0.1);
    let results = simulate(&checkpoint, inputs, Record { fast_weights: true, ..Record::default() }, 0).unwrap();
    for (name, expected) in [("outputs", expected.outputs), ("hebbian_trace", expected.trace)] {
        let found = match name {
            "outputs" => values(&results[name].permute((2, 0, 1, 3)).unwrap().contiguous().unwrap()),
            _ => values(&results[name]),
        };
        let worst = found.iter().zip(&expected).map(|(f, e)| (f - e).abs()).fold(0.0, f64::max);
        assert!(expected.iter().any(|e| e.abs() > 0.01), "{name}: all values are near 0");
        assert!(worst < 1e-5, "{name} is off by {worst:e}");
    }
}

/// Trains a small `dnms` for a few updates with both kernels and compares weights and metrics.
fn kernels_agree(more: &[&str]) {
    both_kernels("dnms", &small_dnms(more), 1e-5);
}

fn both_kernels(task: &str, settings: &[&str], tolerance: f64) {
    let more = settings;
    let [mut fused, mut reference] = ["fused", "reference"].map(|kernels| {
        let kernels = format!("train.kernels={kernels}");
        trainer(task, &settings.iter().copied().chain([kernels.as_str()]).collect::<Vec<_>>())
    });
    for _ in 0..2 {
        let (a, b) = (fused.update().unwrap(), reference.update().unwrap());
        for (a, b) in a.networks.iter().zip(&b.networks) {
            assert!((a.error - b.error).abs() < 1e-4, "{more:?}: errors {} and {}", a.error, b.error);
            assert!(a.mean_abs_dw > 0.0, "{more:?}: nothing is learnt");
        }
    }
    let (fused, reference) = (fused.checkpoint().unwrap(), reference.checkpoint().unwrap());
    let (f, r) = (&fused.plastic.weights, &reference.plastic.weights);
    assert_close(&values(&f.w_rec), &values(&r.w_rec), tolerance, &format!("{more:?}: w_rec"));
    for (f, r) in [(&f.w_out, &r.w_out), (&f.b_out, &r.b_out)] {
        if let (Some(f), Some(r)) = (f, r) {
            assert_close(&values(f), &values(r), tolerance, &format!("{more:?}: readout"));
        }
    }
    assert_close(
        &values(&fused.plastic.state.r),
        &values(&reference.plastic.state.r),
        10.0 * tolerance,
        &format!("{more:?}: r"),
    );
    if let (Some(f), Some(r)) = (&fused.plastic.fast_weights, &reference.plastic.fast_weights) {
        assert_close(&values(&f.h), &values(&r.h), 10.0 * tolerance, &format!("{more:?}: H"));
        if let (Some(f), Some(r)) = (&f.eligibility, &r.eligibility) {
            assert_close(&values(f), &values(r), 10.0 * tolerance, &format!("{more:?}: e"));
        }
    }
    assert_eq!(fused.plastic.fast_weights.is_some(), reference.plastic.fast_weights.is_some());
}

const STAGES: [&str; 7] = ["hebb", "outer", "accumulate", "decay", "modulated", "oja", "retroactive"];

/// `sequence` with a trace of the given stage, association, form and η, over `steps` steps with alternating modulators.
fn traces_agree(stage: usize, association: &str, form: &str, eta: &str, steps: usize) {
    let own = [
        format!("trace.stage={}", STAGES[stage]),
        format!("trace.modulator={}", ["task", "reward", "constant"][stage % 3]),
        format!("trace.association={association}"),
        format!("trace.form={form}"),
        format!("trace.eta={eta}"),
        format!("task.steps={steps}"),
    ];
    let common = [
        // Strong traces make networks chaotic, and chaos amplifies rounding errors.
        "trace.alpha=0.004",
        "trace.persistent=true",
        "modulator.warmup_trials=0",
        "train.networks=2",
        "network.neurons=21",
        "train.batch=9",
        "rule.name=hebbian-trace",
        "rule.eta=1",
        "rule.max_dw=0.01",
    ];
    let settings: Vec<&str> = own.iter().map(String::as_str).chain(common).collect();
    both_kernels("sequence", &settings, 2e-5);
}

#[test]
fn both_forms_of_the_trace_equal_the_reference() {
    for stage in 0..STAGES.len() {
        for association in ["auto", "post-pre", "pre-post"] {
            for form in ["written", "history"] {
                traces_agree(stage, association, form, "0.05", 10);
            }
        }
    }
}

#[test]
fn lists_are_folded_at_any_length_and_rate() {
    // With 21 neurons the history is folded after 32 steps: stop just before, exactly then, after it, after two.
    for stage in 0..STAGES.len() {
        for (steps, eta) in [(31, "0.3"), (32, "0.3"), (33, "0.01"), (70, "0.01"), (40, "0.9"), (40, "0.001")] {
            traces_agree(stage, "post-pre", "history", eta, steps);
        }
    }
}

#[test]
fn traces_that_nobody_keeps_equal_the_reference() {
    for stage in STAGES {
        for (form, eta) in [("written", "0.02"), ("history", "0.02"), ("history", "0.0"), ("auto", "0.02")] {
            let own = [format!("trace.stage={stage}"), format!("trace.form={form}"), format!("trace.eta={eta}")];
            let own: Vec<&str> = own.iter().map(String::as_str).chain(["trace.alpha=0.02", "rule.eta=1"]).collect();
            kernels_agree(&own);
        }
    }
}

#[test]
fn clipped_traces_and_readouts_equal_the_reference() {
    let common =
        ["modulator.warmup_trials=0", "train.networks=2", "train.batch=7", "trace.clip=0.02", "trace.alpha=0.5"];
    for rule in ["rule.name=node-perturbation", "rule.name=delta-x", "rule.name=eh"] {
        for readout in ["readout.rule=eh", "readout.rule=node-perturbation"] {
            for stage in ["trace.stage=modulated", "trace.stage=retroactive", "trace.stage=outer"] {
                both_kernels("echo", &[&common[..], &[rule, readout, stage, "rule.eta=1"]].concat(), 2e-5);
            }
        }
    }
}

#[test]
fn fused_kernels_equal_the_reference() {
    for rule in ["rule.name=delta-x", "rule.name=node-perturbation", "rule.name=eh"] {
        // Batches with a short last shard, trials with a short last block, and a single trial.
        for batch in ["train.batch=8", "train.batch=19", "train.batch=40"] {
            kernels_agree(&[rule, batch, "rule.eta=1", "modulator.warmup_trials=0"]);
        }
        let rest = ["modulator.warmup_trials=0", "train.networks=1"];
        let kernels_agree = |more: &[&str]| kernels_agree(&[more, &rest].concat());
        kernels_agree(&[rule, "task.steps=135", "network.bias_scale=0.3", "rule.eta=1", "network.neurons=33"]);
        kernels_agree(&[rule, "network.dynamics=discrete", "network.gain=0.9", "perturbation.amplitude=0.5"]);
        kernels_agree(&[rule, "network.output_neurons=[0]", "network.clamped=[]", "network.connectivity=0.5"]);
    }
}

#[test]
fn fused_rectified_networks_equal_the_reference() {
    let sizes = ["network.neurons=24", "task.steps=60", "task.second_stimulus=25", "task.stimulus_steps=10"];
    let rest = ["task.response_steps=10", "perturbation.probability=0.05", "train.batch=8", "train.networks=2"];
    for rule in ["rule.name=delta-x", "rule.name=node-perturbation", "rule.name=eh"] {
        for trace in ["trace.stage=none", "trace.stage=decay"] {
            let own =
                [rule, trace, "trace.alpha=0.001", "train.updates=2", "modulator.warmup_trials=0", "rule.eta=1e-3"];
            both_kernels("dnms-ei", &[&sizes[..], &rest, &own].concat(), 1e-5);
        }
    }
}

#[test]
fn one_trial_at_a_time_equals_the_reference() {
    let one = ["train.batch=1", "modulator.warmup_trials=0", "modulator.expected_error_factor=false", "rule.eta=10"];
    kernels_agree(&[&["rule.name=delta-x"][..], &one].concat());
    kernels_agree(&[&["rule.name=node-perturbation"][..], &one].concat());
    kernels_agree(&[&["rule.name=eh"][..], &one].concat());
}

#[test]
fn options_of_networks_equal_the_reference() {
    for option in [
        "network.private_noise=0.5",
        "network.feedback_scale=0.7",
        "network.dynamics=leaky-rate",
        "network.response=rectified-linear",
    ] {
        for rule in ["rule.name=delta-x", "rule.name=node-perturbation", "rule.name=eh"] {
            kernels_agree(&["network.gain=0.5", "modulator.warmup_trials=0", "train.batch=13", rule, option]);
        }
    }
    for readout in ["readout.rule=eh", "readout.rule=node-perturbation", "readout.rule=delta"] {
        for option in ["modulator.binary=true", "network.feedback_scale=0.5", "network.dynamics=leaky-rate"] {
            both_kernels("echo", &[readout, option, "modulator.warmup_trials=0", "train.batch=7"], 2e-6);
        }
    }
}

#[test]
fn rflo_equals_the_reference_in_all_dynamics() {
    let sizes = ["network.neurons=21", "train.networks=2", "train.batch=9", "task.steps=70", "task.period=70"];
    for dynamics in ["network.dynamics=leaky-rate", "network.dynamics=leaky", "network.dynamics=discrete"] {
        for option in
            ["rule.start_step=0", "rule.start_step=25", "network.feedback_scale=0.4", "network.private_noise=0.1"]
        {
            let own = [dynamics, option, "network.initial_activation=0.5", "network.gain=0.8", "rule.eta=0.01"];
            both_kernels("pattern-generation", &[&sizes[..], &own].concat(), 1e-5);
        }
    }
    // Several outputs, scored only at the end; a transfer function with bounds; fast weights that read the error's reward.
    let more = ["rule.name=rflo", "rule.eta=0.05", "network.response=rectified-linear", "network.response_max=2.5"];
    for dynamics in ["network.dynamics=leaky-rate", "network.dynamics=leaky"] {
        kernels_agree(&[&more[..], &["network.gain=0.5", dynamics]].concat());
        let trace = ["trace.stage=modulated", "trace.modulator=reward", "trace.alpha=0.1", "trace.eta=0.2"];
        kernels_agree(&[&["rule.name=rflo", "rule.eta=0.05", dynamics][..], &trace].concat());
    }
}

const YANG: [&str; 8] = [
    "task.tasks=['reactgo', 'delayanti', 'contextdm1', 'dmcnogo']",
    "task.ring=6",
    "task.step_ms=50",
    "network.neurons=21",
    "network.initial_activation=0.3",
    "train.networks=2",
    "train.batch=9",
    "modulator.warmup_trials=0",
];

#[test]
fn trials_of_different_lengths_equal_the_reference() {
    for rule in ["rflo", "delta-x", "node-perturbation", "eh", "hebbian-trace"] {
        for dynamics in ["network.dynamics=leaky-rate", "network.dynamics=leaky"] {
            let name = format!("rule.name={rule}");
            let trace: &[&str] = match rule {
                "hebbian-trace" => {
                    &["trace.stage=decay", "trace.alpha=0.1", "trace.eta=0.2", "perturbation.probability=0"]
                }
                "delta-x" => &["trace.stage=modulated", "trace.alpha=0.05", "trace.eta=0.2", "trace.persistent=true"],
                _ => &[],
            };
            let own = [&name[..], dynamics, "rule.eta=0.05", "rule.max_dw=0.1"];
            both_kernels("yang19", &[&YANG[..], &own, trace].concat(), 5e-6);
        }
    }
    let gaussian = ["rule.name=node-perturbation", "perturbation.distribution=gaussian", "perturbation.probability=1"];
    both_kernels("yang19", &[&YANG[..], &gaussian].concat(), 5e-6);
}

/// A task whose trials have 30 steps, in batches padded to `padded`.
struct Padded {
    padded: usize,
}

impl Task for Padded {
    fn name(&self) -> &str {
        "padded"
    }

    fn steps(&self) -> usize {
        self.padded
    }

    fn lengths_vary(&self) -> bool {
        true
    }

    fn inputs(&self) -> Vec<String> {
        vec!["input".into()]
    }

    fn trial_types(&self) -> Vec<String> {
        vec!["only".into()]
    }

    fn trial(&self, index: u64, _rng: &mut Stream) -> Trial {
        let input = |step: usize| if (step as u64 + index).is_multiple_of(7) { 1.0 } else { 0.0 };
        Trial::with_response(0, (0..30).map(input).collect(), &[0.5], 30, 10)
    }

    fn correct_below(&self) -> f64 {
        0.5
    }
}

#[test]
fn padding_changes_nothing() {
    for rule in ["delta-x", "node-perturbation", "eh", "rflo", "bptt"] {
        let [alone, padded] = [30, 47].map(|padded| {
            let name = format!("rule.name={rule}");
            let settings =
                [&name[..], "train.batch=4", "train.networks=2", "network.neurons=20", "modulator.warmup_trials=0"];
            let config = config("echo", &settings);
            let own = Own { task: Some(Padded { padded }.into()), ..Own::default() };
            let mut trainer = Trainer::new(Setup::with(config, own).unwrap(), &[Device::Cpu]).unwrap();
            let report = trainer.update().unwrap();
            assert!(report.networks[0].mean_abs_dw > 0.0, "{rule}: nothing is learnt");
            trainer.checkpoint().unwrap()
        });
        for tensor in ["w_rec", "w_out", "r"] {
            let [alone, padded] = [&alone, &padded].map(|of| values(of.plastic.get(tensor).unwrap()));
            assert_close(&padded, &alone, 1e-6, &format!("{rule}: {tensor}"));
        }
    }
}

#[test]
fn what_the_fused_kernels_lack_is_run_by_the_reference() {
    let lif =
        ["network.dynamics=lif-filtered", "network.clamped=[]", "network.bias_scale=1", "network.private_noise=8"];
    let rule = ["rule.name=r-stdp", "network.output=neurons", "modulator.warmup_trials=0", "network.gain=3"];
    kernels_agree(&[&rule[..], &lif].concat());
    let why = |task: &str, settings: &[&str]| why_plain(&setup(task, settings), &Device::Cpu);
    let lif = why("dnms", &["rule.name=r-stdp"]).unwrap();
    assert_eq!(lif, "the neuron model `lif-filtered` runs on plain operations");
    assert!(why("dnms", &["train.dtype=f64"]).unwrap().starts_with("double precision"));
    assert_eq!(why("dnms", &["rule.name=bptt"]), None);
    assert!(why("sequence", &["rule.name=bptt"]).unwrap().contains("gradients through fast weights"));
    assert!(why("cartpole", &["network.private_noise=0.1"]).unwrap().contains("private noise"));
    assert_eq!(why("pattern-generation", &["network.private_noise=0.1"]), None);
}
