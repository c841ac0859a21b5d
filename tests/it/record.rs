//! Recordings of fresh trials: what they hold agrees with what evaluation finds, and with itself.

use crate::command::{fine, hebbian, one_line_error};
use crate::support::{assert_close, trainer, values};
use candle_core::{DType, Device, Tensor};
use hebbian_rnn::engine::Record;
use hebbian_rnn::runs::{evaluate, read_inputs, record_trials, write_tensors, RecordOptions, Recording};
use hebbian_rnn::tasks::FileTask;
use hebbian_rnn::training::record_update;
use hebbian_rnn::{Checkpoint, Trainer};
use std::path::Path;
use tempfile::TempDir;

fn record(trainer: &Trainer, trials: usize, types: &[&str]) -> (Checkpoint, Recording) {
    let checkpoint = trainer.checkpoint().unwrap();
    let types = types.iter().map(|name| name.to_string()).collect();
    let kept = Record { rates: true, activations: true, ..Record::default() };
    let recording = record_trials(&checkpoint, &RecordOptions { trials, types, record: kept, seed: 7 }).unwrap();
    (checkpoint, recording)
}

/// The means of `[S, B]` over trials, for each network.
fn means(tensor: &Tensor) -> Vec<f64> {
    let trials = tensor.dims()[1];
    values(tensor).chunks(trials).map(|of| of.iter().sum::<f64>() / trials as f64).collect()
}

#[test]
fn a_recording_of_a_task_is_what_evaluation_judges() {
    let small = ["train.networks=3", "network.neurons=20", "train.batch=4", "network.private_noise=0.1"];
    let (checkpoint, recording) = record(&trainer("selective-integration", &small), 10, &[]);
    let found = |name: &str| &recording.tensors[name];
    let (s, b, t, n_out) = found("outputs").dims4().unwrap();
    assert_eq!((s, b), (3, 10));
    assert_eq!(found("rates").dims(), [3, 10, t, 20]);
    // Rates are tanh of activations, but for the clamped neurons.
    let tanh = found("activations").tanh().unwrap();
    let tail = |tensor: &Tensor| values(&tensor.narrow(3, 12, 8).unwrap());
    assert_close(&tail(found("rates")), &tail(&tanh), 1e-6, "rates");
    // The error of each trial, from outputs, targets and mask.
    let (outputs, targets, mask) = (values(found("outputs")), values(found("targets")), values(found("mask")));
    let errors = |trial: usize| {
        let scored = (0..t).filter(|step| mask[trial * t + step] == 1.0);
        let of = |step: usize| (0..n_out).map(move |k| (trial * t + step) * n_out + k);
        let differences: Vec<f64> = scored.flat_map(of).map(|k| (outputs[k] - targets[k]).abs()).collect();
        differences.iter().sum::<f64>() / differences.len() as f64
    };
    let errors: Vec<f64> = (0..s * b).map(errors).collect();
    assert_close(&values(found("error")), &errors, 1e-6, "errors");
    let scores = evaluate(&checkpoint, 10, 7).unwrap();
    assert_close(&means(found("error")), &scores.iter().map(|s| s.error).collect::<Vec<_>>(), 1e-6, "mean error");
    let correct: Vec<f64> = scores.iter().map(|s| s.fraction_correct).collect();
    assert_eq!(means(found("correct")), correct);
    let types: Vec<&str> = recording.metadata["types"].split(',').collect();
    assert_eq!(types.len(), checkpoint.setup.task().n_types());
    assert_eq!(recording.metadata["dt_ms"], checkpoint.setup.config().network.dt_ms.to_string());
}

#[test]
fn trials_of_the_wanted_types_are_recorded() {
    let small = ["train.networks=2", "network.neurons=12", "train.batch=4"];
    let (_, recording) = record(&trainer("dnms", &small), 5, &["AB", "BB"]);
    let names: Vec<&str> = recording.metadata["types"].split(',').collect();
    let types = values(&recording.tensors["type"]);
    assert_eq!(types.len(), 10);
    let found: Vec<&str> = types.iter().map(|kind| names[*kind as usize]).collect();
    assert!(found.iter().all(|name| ["AB", "BB"].contains(name)), "{found:?}");
    assert!(found.contains(&"AB") && found.contains(&"BB"));
}

#[test]
fn actions_follow_from_the_recorded_outputs() {
    let small = [
        "train.networks=2",
        "train.batch=3",
        "network.neurons=16",
        "task.network_steps=2",
        "network.private_noise=0.2",
        "network.readout_scale=1",
    ];
    let (checkpoint, recording) = record(&trainer("cartpole", &small), 5, &[]);
    let found = |name: &str| &recording.tensors[name];
    let (_, _, e, _) = found("observations").dims4().unwrap();
    assert_eq!(found("rates").dims(), [2, 5, 2 * e, 16]);
    let (outputs, actions, steps) = (values(found("outputs")), values(found("actions")), values(found("steps")));
    let (inputs, observations) = (values(found("inputs")), values(found("observations")));
    let sizes: Vec<f64> =
        checkpoint.setup.task().episodes().unwrap().environment.observations().iter().map(|(_, size)| *size).collect();
    let mut pushes = [0, 0];
    for trial in 0..10 {
        for step in 0..steps[trial] as usize / 2 {
            // A step of the environment is two of the network.
            let last = (trial * 2 * e + 2 * step + 1) * 2;
            let action = usize::from(outputs[last + 1] > outputs[last]);
            assert_eq!(actions[trial * e + step] as usize, action, "trial {trial}, step {step}");
            pushes[action] += 1;
            for (k, size) in sizes.iter().enumerate() {
                let seen = observations[(trial * e + step) * 4 + k] / size;
                assert!((inputs[(trial * 2 * e + 2 * step + 1) * 4 + k] - seen).abs() < 1e-6);
            }
        }
    }
    assert!(pushes[0] > 0 && pushes[1] > 0);
    let returns: Vec<f64> =
        evaluate(&checkpoint, 5, 7).unwrap().iter().map(|s| s.returns.unwrap().mean_return).collect();
    let rewards: Vec<f64> = values(found("rewards")).chunks(e).map(|of| of.iter().sum()).collect();
    let means: Vec<f64> = rewards.chunks(5).map(|of| of.iter().sum::<f64>() / 5.0).collect();
    assert_close(&means, &returns, 1e-9, "returns");
}

#[test]
fn numpy_archives_are_read_and_written() {
    let dir = TempDir::new().unwrap();
    let (checkpoint, recording) = record(&trainer("dnms", &["train.networks=2", "network.neurons=12"]), 3, &[]);
    let [npz, tensors] = ["r.npz", "r.safetensors"].map(|name| dir.path().join(name));
    for path in [&npz, &tensors] {
        write_tensors(path, &recording.tensors, &recording.metadata).unwrap();
        let inputs = read_inputs(path, &checkpoint, &Device::Cpu).unwrap().inputs;
        assert_eq!(values(&inputs), values(&recording.tensors["inputs"]));
    }
    // A task file.
    let part = |name: &str| recording.tensors[name].get(0).unwrap();
    let task: Vec<(String, Tensor)> =
        ["inputs", "targets", "mask", "type"].map(|name| (name.to_string(), part(name))).to_vec();
    Tensor::write_npz(&task, &npz).unwrap();
    let bytes = safetensors::serialize(task.clone(), None).unwrap();
    std::fs::write(&tensors, bytes).unwrap();
    assert_eq!(FileTask::read(&npz).unwrap(), FileTask::read(&tensors).unwrap());
    // Damage, and a header that claims more than the file can hold.
    let small = Tensor::zeros((1, 1, 1), DType::F32, &Device::Cpu).unwrap();
    Tensor::write_npz(&[("inputs", small)], &npz).unwrap();
    let whole = std::fs::read(&npz).unwrap();
    let mut claiming = whole.clone();
    let shape = whole.windows(8).position(|window| window == b"(1,1,1,)").unwrap();
    claiming[shape..shape + 8].copy_from_slice(b"(999999)");
    for (damaged, message) in
        [(&whole[..whole.len() / 2], ""), (b"PK", ""), (b"", ""), (&claiming, "array `inputs` is larger than the file")]
    {
        std::fs::write(&npz, damaged).unwrap();
        let error = FileTask::read(&npz).unwrap_err().to_string();
        assert!(error.contains("r.npz: not an archive of NumPy arrays") && error.contains(message), "{error}");
    }
}

/// The next update, from what is recorded of it: eligibilities, modulators and Δw in plain loops, and w_rec as training leaves it.
#[test]
fn an_update_can_be_computed_from_its_record() {
    let small = [
        "rule.name=node-perturbation",
        "train.networks=2",
        "train.batch=4",
        "train.updates=30",
        "network.neurons=14",
        "perturbation.probability=0.05",
        "rule.max_dw=0.0001",
    ];
    let mut trainer = trainer("dnms", &small);
    trainer.train().unwrap();
    let parts = record_update(&trainer.checkpoint().unwrap()).unwrap();
    let found = |name: &str| values(&parts[name]);
    let (s, b, t, n) = parts["perturbation"].dims4().unwrap();
    let (xi, rates, x0) = (found("perturbation"), found("rates"), found("x0"));
    let clamped = &trainer.setup().config().network.clamped;
    let start = trainer.setup().config().rule.start_step;
    // e = Σ ξ(t) r(t − 1).
    let mut eligibility = vec![0.0; s * b * n * n];
    for trial in 0..s * b {
        for step in start..t {
            for j in 0..n {
                let initial = clamped.iter().find(|(neuron, _)| *neuron == j).map_or(x0[trial * n + j], |(_, x)| *x);
                let r = if step == 0 { initial.tanh() } else { rates[(trial * t + step - 1) * n + j] };
                for i in 0..n {
                    eligibility[(trial * n + i) * n + j] += xi[(trial * t + step) * n + i] * r;
                }
            }
        }
    }
    assert_close(&found("eligibility"), &eligibility, 1e-5, "eligibility");
    let (modulator, eta, bound) = (found("modulator"), found("eta")[0], found("bound")[0]);
    let (before, after) = (found("w_rec_before"), found("w_rec_after"));
    assert!(modulator.iter().any(|m| *m != 0.0));
    let mut bounded = 0;
    for (k, (before, after)) in before.iter().zip(&after).enumerate() {
        let (network, place) = (k / (n * n), k % (n * n));
        let sum: f64 = (0..b)
            .map(|trial| network * b + trial)
            .map(|trial| modulator[trial] * eligibility[trial * n * n + place])
            .sum();
        bounded += usize::from((eta * sum).abs() > bound);
        assert!((after - before - (eta * sum).clamp(-bound, bound)).abs() < 1e-6, "{k}: {before} {after}");
    }
    assert!(bounded > 0 && bounded < before.len());
    // Recorded before training goes on, and the same.
    let mut more = crate::support::trainer("dnms", &[&small[..3], &["train.updates=31"], &small[4..]].concat());
    more.train().unwrap();
    assert_close(&values(&more.weights().unwrap().w_rec), &after, 1e-6, "w_rec");
    let error =
        record_update(&crate::support::trainer("cartpole", &["network.neurons=8"]).checkpoint().unwrap()).unwrap_err();
    assert!(error.to_string().contains("expected a task"), "{error}");
    let error = record_update(
        &crate::support::trainer("dnms", &["rule.name=bptt", "network.neurons=14"]).checkpoint().unwrap(),
    );
    assert!(error.unwrap_err().to_string().contains("rule `bptt` has no eligibility"));
}

#[test]
fn the_command_records_lives() {
    let dir = TempDir::new().unwrap();
    let run = |arguments: &[&str]| hebbian(&[&["simulate", "run", "--out", "out.npz"], arguments].concat(), dir.path());
    fine(hebbian(&["live", "xor-rate", "--networks", "2", "--seconds", "2", "--out", "run"], dir.path()));
    let before = std::fs::read(dir.path().join("run/checkpoint.safetensors")).unwrap();
    let said = fine(run(&["--seconds", "2", "--learn", "--record", "weights", "--watch", "hidden.3"])).stdout;
    for shape in ["modulator [2, 2000]", "level.hidden-output [2, 2000]", "membranes [2, 2000, 1]", "1.spikes.hidden ["]
    {
        assert!(said.contains(shape), "{shape}: {said}");
    }
    assert_eq!(std::fs::read(dir.path().join("run/checkpoint.safetensors")).unwrap(), before);
    for (arguments, message) in [
        (&["--force", "--seconds", "0"][..], "0 s are to be recorded; expected more than 0"),
        (&["--force", "--seconds", "1e12"], "the recording needs"),
        (&["--force", "--seconds", "1", "--watch", "hidden.300"], "watch is hidden.300"),
        (&["--force", "--seconds", "1", "--record", "rates"], "--record rates: of lives, expected weights"),
    ] {
        one_line_error(run(arguments), 2, message);
    }
}

#[test]
fn the_command_records_trials() {
    let dir = TempDir::new().unwrap();
    let run = |arguments: &[&str]| hebbian(&[&["simulate", "run"], arguments].concat(), dir.path());
    fine(hebbian(
        &["train", "dnms", "--networks", "2", "--neurons", "12", "--updates", "1", "--out", "run"],
        dir.path(),
    ));
    let said = fine(run(&["--trials", "3", "--type", "AB", "--record", "rates", "--out", "out.npz"]));
    assert!(said.stdout.contains("rates [2, 3, 1000, 12]"), "{}", said.stdout);
    assert!(dir.path().join("out.npz").is_file());
    fine(run(&["--trials", "3", "--out", "out.safetensors"]));
    fine(run(&["--inputs", "out.safetensors", "--out", "again.npz"]));
    for (arguments, message) in [
        (&["--trials", "3", "--type", "AC", "--out", "x.npz"][..], "unknown trial type `AC`"),
        (&["--trials", "3", "--record", "trace", "--out", "x.npz"], "can be recorded only with inputs of your own"),
        (&["--trials", "3", "--silence", "12", "--out", "x.npz"], "neuron 12 cannot be silenced"),
        (&["--trials", "3", "--silence", "inhibitory", "--out", "x.npz"], "--silence: neurons are `inhibitory`"),
    ] {
        one_line_error(run(arguments), 2, message);
        assert!(!Path::new(dir.path()).join("x.npz").exists());
    }
    for (arguments, option) in
        [(&["--out", "x.npz"][..], "--trials"), (&["--inputs", "in.npz", "--type", "AB", "--out", "x.npz"], "--type")]
    {
        let ran = run(arguments);
        assert!(ran.code == 2 && ran.stderr.contains(option), "{}", ran.stderr);
    }
}
