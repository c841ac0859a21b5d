//! `train.init`: initial weights from an earlier run or another program's file.

use crate::command::*;
use crate::support::*;
use candle_core::{Device, Tensor};
use hebbian_rnn::{Checkpoint, Trainer};
use std::collections::HashMap;
use std::path::Path;

/// A checkpoint of networks 2 and 3 after two updates, and its file's name as a setting.
fn earlier(folder: &Path, more: &[&str]) -> (Checkpoint, String) {
    let mut trainer = trainer("dnms", &small_dnms(&[&["train.networks=2..4"], more].concat()));
    trainer.train().unwrap();
    let path = folder.join("earlier.safetensors");
    trainer.checkpoint().unwrap().write(&path).unwrap();
    (trainer.checkpoint().unwrap(), format!("train.init={}", path.display()))
}

fn start(settings: &[&str]) -> Result<Trainer, String> {
    Trainer::new(setup("dnms", &small_dnms(settings)), &[Device::Cpu]).map_err(|error| error.to_string())
}

#[test]
fn networks_take_their_weights_by_index_and_say_where_from() {
    let folder = tempfile::tempdir().unwrap();
    let (earlier, init) = earlier(folder.path(), &[]);
    let run = start(&[&init, "train.networks=3..4", "network.bias_scale=0.1", "rule.name=node-perturbation"]).unwrap();
    let (old, new) = (&earlier.plastic.weights, run.weights().unwrap());
    assert_eq!(values(&new.w_rec), values(&old.w_rec.get(1).unwrap()));
    assert_eq!(values(&new.w_in), values(&old.w_in.get(1).unwrap()));
    let initial = run.initial_weights().unwrap();
    assert_eq!((initial.taken(), initial.drawn(), initial.unused()), (vec!["w_in", "w_rec"], &["b_rec"][..], &[][..]));
    assert_eq!(run.config().train.init_sha256.as_ref().unwrap().len(), 64);

    // The configuration repeats the run, as long as the file is the same.
    let hash = format!("train.init_sha256={}", run.config().train.init_sha256.as_ref().unwrap());
    assert_eq!(
        values(&start(&[&init, &hash, "train.networks=3..4"]).unwrap().weights().unwrap().w_rec),
        values(&new.w_rec)
    );
    let other = hash.replace(&hash[hash.len() - 4..], "0000");
    assert!(start(&[&init, &other, "train.networks=3..4"]).err().unwrap().contains("the file has changed since"));
}

#[test]
fn what_does_not_fit_is_refused_with_both_shapes() {
    let folder = tempfile::tempdir().unwrap();
    let (_, init) = earlier(folder.path(), &[]);
    let refused = |more: &[&str]| start(&[&[&init[..], "train.networks=2..4"], more].concat()).err().unwrap();
    for (error, message) in [
        (refused(&["network.neurons=30"]), "tensor `w_in` is [2, 24, 2]; expected [2, 30, 2]"),
        (refused(&["train.networks=0..2"]), "it has networks 2..4, but train.networks is 2"),
        (refused(&["network.connectivity=0.5"]), "tensor `connectivity` is missing"),
        (refused(&["network.dale=true"]), "weights of the wrong sign"),
    ] {
        assert!(error.contains(message), "{message}: {error}");
    }
    let none = folder.path().join("none.safetensors");
    let w = Tensor::zeros((2, 24), candle_core::DType::F32, &Device::Cpu).unwrap();
    candle_core::safetensors::save(&HashMap::from([("w", w)]), &none).unwrap();
    let error = start(&[&format!("train.init={}", none.display())]).err().unwrap();
    assert!(error.contains("no weights for these networks; expected some of w_in, w_rec"), "{error}");
}

#[test]
fn another_task_draws_its_inputs_and_keeps_the_recurrent_weights() {
    let folder = tempfile::tempdir().unwrap();
    let (earlier, init) = earlier(folder.path(), &[]);
    let settings = ["train.networks=2..4", "network.neurons=24", &init];
    let run = trainer("selective-integration", &settings);
    let initial = run.initial_weights().unwrap();
    assert_eq!((initial.taken(), initial.redrawn()), (vec!["w_rec"], &["w_in"][..]));
    let weights = run.weights().unwrap();
    assert_eq!(values(&weights.w_rec), values(&earlier.plastic.weights.w_rec));
    let drawn = trainer("selective-integration", &settings[..2]);
    assert_eq!(values(&weights.w_in), values(&drawn.weights().unwrap().w_in));
}

#[test]
fn the_first_task_is_tested_with_the_recurrent_weights_of_the_second() {
    let folder = tempfile::tempdir().unwrap();
    fine(train(folder.path(), &["--out", "a"]));
    let second = ["train", "selective-integration", "--init", "a", "--neurons", "24", "--updates", "4", "--batch", "4"];
    let warm = ["--networks", "2", "--out", "b", "--set", "modulator.warmup_trials=0"];
    fine(hebbian(&[&second[..], &warm].concat(), folder.path()));
    let errors = |arguments: &[&str]| {
        let ran = fine(hebbian(&[&["evaluate", "a", "--json", "--trials", "8"], arguments].concat(), folder.path()));
        let found: serde_json::Value = serde_json::from_str(&ran.stdout).unwrap();
        assert_eq!(found["task"], "dnms");
        found["networks"].as_array().unwrap().iter().map(|n| n["error"].as_f64().unwrap()).collect::<Vec<_>>()
    };
    let before = errors(&[]);
    assert_eq!(errors(&["--recurrent-from", "a"]), before);
    assert_ne!(errors(&["--recurrent-from", "b"]), before);
    fine(train(folder.path(), &["--out", "c", "--neurons", "30"]));
    let refused = hebbian(&["evaluate", "a", "--recurrent-from", "c"], folder.path());
    one_line_error(refused, 2, "the other run has networks 0..2 of 30 neurons; expected 0..2 of 24");
}

#[test]
fn the_weights_may_be_another_programs() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("w.safetensors");
    let w_rec = Tensor::randn(0.0f64, 0.1, (2, 24, 24), &Device::Cpu).unwrap();
    candle_core::safetensors::save(&HashMap::from([("w_rec", w_rec.clone())]), &path).unwrap();
    let run = start(&[&format!("train.init={}", path.display())]).unwrap();
    assert_close(&values(&run.weights().unwrap().w_rec), &values(&w_rec), 1e-7, "w_rec");
    assert_eq!(run.initial_weights().unwrap().drawn(), ["w_in"]);
}

#[test]
fn the_command_says_what_it_took_and_the_run_resumes_without_the_file() {
    let folder = tempfile::tempdir().unwrap();
    fine(train(folder.path(), &["--out", "a"]));
    let ran = fine(train(folder.path(), &["--out", "b", "--init", "a", "--seed", "2"]));
    assert!(ran.stderr.contains("checkpoint.safetensors: w_in, w_rec"), "{}", ran.stderr);
    let config = std::fs::read_to_string(folder.path().join("b/config.toml")).unwrap();
    assert!(config.contains("init = ") && config.contains("init_sha256 = "), "{config}");
    assert!(std::fs::read_to_string(folder.path().join("b/report.html")).unwrap().contains("--init"));
    std::fs::remove_dir_all(folder.path().join("a")).unwrap();
    fine(hebbian(&["train", "--resume", "--out", "b", "--updates", "9"], folder.path()));
}
