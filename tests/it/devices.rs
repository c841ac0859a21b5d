//! Devices from a user's point of view: several at once, their memory, and whether their results agree.

use crate::command::{bytes, fine, hebbian, one_line_error, train};
use tempfile::TempDir;

#[test]
fn several_devices_leave_the_files_of_one() {
    let dir = TempDir::new().unwrap();
    let run = |name: &str, device: &str| {
        fine(train(dir.path(), &["--updates", "3", "--out", name, "--device", device]));
        ["checkpoint.safetensors", "metrics.csv"].map(|file| bytes(dir.path().join(name).join(file)))
    };
    let ([checkpoint, metrics], [split, split_metrics]) = (run("one", "cpu"), run("two", "cpu,cpu"));
    assert!(metrics == split_metrics, "metrics differ");
    // The checkpoints differ only in the device that the configuration names.
    let read = |bytes: &[u8]| {
        let mut checkpoint =
            hebbian_rnn::Checkpoint::from_bytes(bytes, &hebbian_rnn::candle_core::Device::Cpu).unwrap();
        let device = hebbian_rnn::Setting::parse("train.device=cpu").unwrap();
        checkpoint.setup = checkpoint.setup.changed(&[device]).unwrap();
        checkpoint.to_bytes().unwrap()
    };
    assert!(read(&checkpoint) == read(&split), "checkpoints differ");
    // Each run can be resumed on the other's devices.
    for (from, device) in [("one", "cpu,cpu"), ("two", "cpu")] {
        fine(hebbian(&["train", "--resume", "--out", from, "--updates", "5", "--device", device], dir.path()));
    }
    assert!(bytes(dir.path().join("one/metrics.csv")) == bytes(dir.path().join("two/metrics.csv")));
    one_line_error(train(dir.path(), &["--device", "cpu,cpu,cpu"]), 1, "3 devices, but train.networks is 2");
    one_line_error(train(dir.path(), &["--device", "cpu,auto"]), 2, "`auto` cannot be one of several");
}

#[test]
fn a_run_that_does_not_fit_is_refused_before_it_starts() {
    let dir = TempDir::new().unwrap();
    let huge = ["train", "dnms", "--networks", "100000", "--batch", "4096", "--out", "huge", "--device", "cpu"];
    let ran = hebbian(&huge, dir.path());
    one_line_error(ran, 1, "eligibility");
    assert!(!dir.path().join("huge").exists(), "something was written");
}

#[test]
fn an_automatic_batch_is_written_down() {
    let dir = TempDir::new().unwrap();
    let auto =
        ["train", "echo", "--batch", "auto", "--networks", "1", "--updates", "1", "--out", "run", "--device", "cpu"];
    fine(hebbian(&auto, dir.path()));
    let config = std::fs::read_to_string(dir.path().join("run/config.toml")).unwrap();
    assert!(config.lines().any(|line| line == "batch = 256"), "{config}");
    one_line_error_of_clap(&["train", "echo", "--batch", "many"], &dir);
}

fn one_line_error_of_clap(args: &[&str], dir: &TempDir) {
    let ran = hebbian(args, dir.path());
    assert_eq!(ran.code, 2, "{}", ran.stderr);
    assert!(ran.stderr.contains("expected a number or `auto`"), "{}", ran.stderr);
}

#[test]
fn implementations_are_compared() {
    let dir = TempDir::new().unwrap();
    let small =
        ["compare", "--networks", "2", "--batch", "6", "--device", "cpu", "--set", "network.neurons=24", "--set"];
    let short = ["task.steps=60", "--set", "task.second_stimulus=25", "--set", "task.stimulus_steps=10"];
    let response = ["--set", "task.response_steps=10"];
    let command = [&small[..], &short, &response].concat();
    let ran = fine(hebbian(&[&command[..], &["--json"]].concat(), dir.path()));
    let found: serde_json::Value = serde_json::from_str(&ran.stdout).unwrap();
    let found = found.as_array().unwrap();
    assert_eq!(found.len(), 3);
    assert!(found.iter().all(|c| c["repeats"] == true && c["largest"].as_f64().unwrap() > 0.0), "{found:?}");
    assert!(
        found.iter().any(|c| c["worst"].as_f64().unwrap() > 0.0),
        "the same code was compared with itself: {found:?}"
    );
    let strict = [&command[..], &["--tolerance", "1e-12"]].concat();
    let ran = hebbian(&strict, dir.path());
    one_line_error(ran, 1, "kernels `fused` on cpu: off by");
    let none = ["compare", "--device", "cpu", "--rule", "none", "--batch", "1", "--networks", "1"];
    one_line_error(hebbian(&none, dir.path()), 1, "nothing to compare");
}

#[cfg(feature = "cuda")]
#[test]
fn without_a_gpu_auto_falls_back_and_cuda_is_an_error() {
    let dir = TempDir::new().unwrap();
    if hebbian(&["devices"], dir.path()).stdout.contains("cuda:0") {
        eprintln!("skipped: there is a GPU");
        return;
    }
    one_line_error(train(dir.path(), &["--device", "cuda"]), 1, "");
    let ran = fine(train(dir.path(), &["--updates", "1"]));
    assert!(ran.stderr.contains("using the CPU, since there is no CUDA"), "{}", ran.stderr);
}
