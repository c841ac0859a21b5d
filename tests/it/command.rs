//! The command from a user's point of view: files, exit codes, one-line errors, nothing overwritten.

use crate::process::after_first_line;
use assert_cmd::Command;
use std::path::Path;
use tempfile::TempDir;

const SMALL: [&str; 14] = [
    "--set",
    "network.neurons=24",
    "--set",
    "task.steps=60",
    "--set",
    "task.second_stimulus=25",
    "--set",
    "task.stimulus_steps=10",
    "--set",
    "task.response_steps=10",
    "--batch",
    "8",
    "--networks",
    "2",
];

pub struct Ran {
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
}

pub fn hebbian(args: &[&str], folder: &Path) -> Ran {
    ran(Command::cargo_bin("hebbian-rnn").unwrap().args(args).current_dir(folder))
}

pub fn ran(command: &mut Command) -> Ran {
    let output = command.output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    let stderr = after_first_line(&text(output.stderr));
    Ran { code: output.status.code().unwrap(), stdout: text(output.stdout), stderr }
}

pub fn train(folder: &Path, more: &[&str]) -> Ran {
    hebbian(&[&["train", "dnms"][..], &SMALL, more].concat(), folder)
}

pub fn fine(ran: Ran) -> Ran {
    assert_eq!(ran.code, 0, "{}{}", ran.stdout, ran.stderr);
    ran
}

pub fn one_line_error(ran: Ran, code: i32, message: &str) {
    assert_eq!(ran.code, code, "{}", ran.stderr);
    assert!(ran.stderr.starts_with("error: ") && ran.stderr.contains(message), "{}", ran.stderr);
    assert_eq!(ran.stderr.trim_end().lines().count(), 1, "{}", ran.stderr);
    assert!(ran.stderr.matches("os error").count() < 2, "the cause is given twice: {}", ran.stderr);
}

pub fn bytes(path: impl AsRef<Path>) -> Vec<u8> {
    std::fs::read(path).unwrap()
}

#[test]
fn a_run_leaves_its_files_and_a_table() {
    let dir = TempDir::new().unwrap();
    let ran = fine(train(dir.path(), &["--updates", "3", "--out", "run"]));
    for file in [
        "config.toml",
        "metrics.csv",
        "checkpoint.safetensors",
        "learning_curve.png",
        "learning_curve.svg",
        "sample_trials.png",
        "sample_trials.svg",
    ] {
        assert!(!bytes(dir.path().join("run").join(file)).is_empty(), "{file}");
    }
    assert!(ran.stdout.contains("trials to criterion") && ran.stdout.contains("not reached"));
    assert_eq!(ran.stderr, "", "progress is hidden where stderr is no terminal");
    let again = ["train", "--config", "run/config.toml", "--out", "logged"];
    let logged = Command::cargo_bin("hebbian-rnn").unwrap().args(again).current_dir(dir.path()).output().unwrap();
    assert_eq!(
        String::from_utf8(logged.stderr).unwrap(),
        "dnms, delta-x: networks 0..2 with 8 trials at a time on cpu, in logged\n"
    );
    let metrics = String::from_utf8(bytes(dir.path().join("run/metrics.csv"))).unwrap();
    assert!(metrics.starts_with("update,trials,network,error,fraction_correct,"));
    assert_eq!(metrics.lines().count(), 1 + 3 * 2);
    // The configuration alone repeats the run.
    fine(hebbian(&["train", "--config", "run/config.toml", "--out", "again"], dir.path()));
    for file in ["metrics.csv", "checkpoint.safetensors"] {
        assert!(bytes(dir.path().join("run").join(file)) == bytes(dir.path().join("again").join(file)), "{file}");
    }
}

#[test]
fn six_updates_equal_three_and_three_with_any_number_of_threads() {
    let dir = TempDir::new().unwrap();
    let threads = |threads: &str, args: &[&str]| {
        let args = [&["train", "dnms"][..], &SMALL, args].concat();
        fine(ran(Command::cargo_bin("hebbian-rnn")
            .unwrap()
            .args(args)
            .env("RAYON_NUM_THREADS", threads)
            .current_dir(dir.path())))
    };
    for kernels in ["fused", "reference"] {
        let out = |name: &str| format!("{name}-{kernels}");
        threads("1", &["--updates", "6", "--kernels", kernels, "--out", &out("whole")]);
        threads("2", &["--updates", "3", "--kernels", kernels, "--out", &out("parts")]);
        threads("2", &["--updates", "6", "--kernels", kernels, "--out", &out("parts"), "--resume"]);
        for file in ["checkpoint.safetensors", "metrics.csv", "config.toml"] {
            let of = |name: &str| bytes(dir.path().join(out(name)).join(file));
            assert!(of("whole") == of("parts"), "{file}, {kernels}");
        }
    }
}

#[test]
fn resuming() {
    let dir = TempDir::new().unwrap();
    fine(train(dir.path(), &["--updates", "2", "--out", "run"]));
    let before = bytes(dir.path().join("run/checkpoint.safetensors"));
    // A finished run has nothing to do.
    let ran = fine(hebbian(&["train", "--resume", "--out", "run"], dir.path()));
    assert!(ran.stdout.contains("finished"));
    // Another configuration is refused.
    one_line_error(
        hebbian(&["train", "--resume", "--out", "run", "--seed", "2"], dir.path()),
        2,
        "train.seed is 1 in run and 2 now",
    );
    one_line_error(hebbian(&["train", "echo", "--resume", "--out", "run"], dir.path()), 2, "task.name is `dnms`");
    // So is a second run into the same folder.
    one_line_error(train(dir.path(), &["--updates", "2", "--out", "run"]), 1, "run already holds a run");
    assert!(bytes(dir.path().join("run/checkpoint.safetensors")) == before);
    // With --force the old run is moved, not lost.
    fine(train(dir.path(), &["--updates", "1", "--out", "run", "--force"]));
    assert!(bytes(dir.path().join("run.1/checkpoint.safetensors")) == before);
    assert!(bytes(dir.path().join("run/checkpoint.safetensors")) != before);
    // Rows that a crash left after the checkpoint, with an incomplete last one, are cut off.
    let metrics = dir.path().join("run/metrics.csv");
    let mut ahead = bytes(&metrics);
    ahead.extend_from_slice(b"2,16,0,1.0,0.5,0.5,0.1,0.0,\n2,16,1,1.");
    std::fs::write(&metrics, ahead).unwrap();
    fine(hebbian(&["train", "--resume", "--out", "run", "--updates", "2"], dir.path()));
    assert!(bytes(&metrics) == bytes(dir.path().join("run.1/metrics.csv")));
}

#[test]
fn an_option_wins_against_set_and_the_last_one_against_itself() {
    let dir = TempDir::new().unwrap();
    let given = ["--updates", "0", "--seed", "3", "--seed", "4", "--set", "train.seed=5", "--out", "run"];
    fine(train(dir.path(), &given));
    assert!(std::fs::read_to_string(dir.path().join("run/config.toml")).unwrap().contains("\nseed = 4\n"));
}

#[test]
fn untrained_networks_can_be_written_and_range_names_networks() {
    let dir = TempDir::new().unwrap();
    fine(train(dir.path(), &["--updates", "0", "--out", "run", "--networks", "2..3"]));
    let ran = fine(hebbian(&["inspect", "run", "--json"], dir.path()));
    let json: serde_json::Value = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!((&json["updates"], &json["config"]["train"]["networks"]), (&0.into(), &"2..3".into()));
    let ran = fine(hebbian(&["evaluate", "run", "--trials", "9", "--json"], dir.path()));
    let json: serde_json::Value = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!(json["networks"][0]["network"], 2);
    fine(hebbian(&["plot", "run", "--log"], dir.path()));
}

#[test]
fn wrong_usage_is_refused_before_anything_is_written() {
    let dir = TempDir::new().unwrap();
    let cases: [(&[&str], &str); 11] = [
        (&["train", "dmns"], "unknown task `dmns`; did you mean `dnms`?"),
        (&["train", "dnms", "--rule", "hebbian"], "unknown rule `hebbian`"),
        (&["train", "dnms", "--set", "trace.etta=1"], "did you mean `trace.eta`?"),
        (&["train", "dnms", "--set", "gain=1.3"], "did you mean `network.gain`?"),
        (&["train", "dnms", "--neurons", "10"], "or none (network.clamped=[])"),
        (&["train", "dnms", "--set", "trace.eta"], "expected key=value"),
        (&["train", "dnms", "--set", "trace.eta=2"], "trace.eta is 2; expected a number from 0 to 1"),
        (&["train", "dnms", "--networks", "0"], "neither a count of at least 1"),
        (&["train", "dnms", "--device", "gpu"], "unknown device `gpu`"),
        (&["train", "--resume"], "name the run's folder"),
        (&["train"], "no task is named; known are: dnms, "),
    ];
    for (args, message) in cases {
        one_line_error(hebbian(args, dir.path()), 2, message);
    }
    assert_eq!(hebbian(&["train", "dnms", "--updates", "1", "--trials", "1"], dir.path()).code, 2);
    assert_eq!(hebbian(&["trian"], dir.path()).code, 2);
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0, "something was written");
}

#[test]
fn a_task_and_a_life_of_one_name_have_different_folders() {
    let dir = TempDir::new().unwrap();
    for (command, name, folder) in [
        ("train", "dnms", "runs/dnms"),
        ("train", "maze", "runs/maze-node-perturbation"),
        ("live", "maze", "runs/maze"),
    ] {
        let expected = format!("error: {folder} is not a run's folder");
        one_line_error(hebbian(&[command, name, "--resume"], dir.path()), 1, &expected);
    }
}

#[test]
fn failures_name_the_file() {
    let dir = TempDir::new().unwrap();
    std::fs::write(dir.path().join("file"), "no folder").unwrap();
    one_line_error(train(dir.path(), &["--updates", "1", "--out", "file/run"]), 1, "file/run");
    one_line_error(hebbian(&["evaluate", "nowhere.safetensors"], dir.path()), 1, "nowhere.safetensors");
    one_line_error(hebbian(&["inspect", "file"], dir.path()), 1, "file: not a whole safetensors file");
    one_line_error(hebbian(&["train", "--config", "none.toml"], dir.path()), 1, "none.toml");
    std::fs::write(dir.path().join("bad.toml"), "[network\n").unwrap();
    one_line_error(hebbian(&["train", "--config", "bad.toml"], dir.path()), 2, "bad.toml is not TOML");
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 2, "something was written");
}

#[cfg(not(feature = "cuda"))]
#[test]
fn a_gpu_asked_for_by_name_is_never_replaced() {
    let dir = TempDir::new().unwrap();
    one_line_error(train(dir.path(), &["--device", "cuda"]), 2, "built without CUDA");
}

#[test]
fn names_are_explained() {
    let dir = TempDir::new().unwrap();
    let gain = fine(hebbian(&["explain", "gain"], dir.path())).stdout;
    assert!(gain.starts_with("network.gain: g, the gain"), "{gain}");
    assert!(fine(hebbian(&["explain"], dir.path())).stdout.starts_with("# Reference\n"));
    one_line_error(hebbian(&["explain", "network.gian"], dir.path()), 2, "did you mean `network.gain`?");
}

#[test]
fn lists_are_json_where_asked() {
    let dir = TempDir::new().unwrap();
    for list in ["tasks", "rules", "devices"] {
        let ran = fine(hebbian(&[list, "--json"], dir.path()));
        let json: serde_json::Value = serde_json::from_str(&ran.stdout).unwrap();
        assert!(json.as_array().unwrap().iter().all(|entry| entry["name"].is_string()), "{list}");
        assert!(!fine(hebbian(&[list], dir.path())).stdout.is_empty());
    }
    // A task's defaults are a configuration that trains it.
    let defaults = fine(hebbian(&["tasks", "echo"], dir.path())).stdout;
    std::fs::write(dir.path().join("echo.toml"), defaults).unwrap();
    fine(hebbian(&["train", "--config", "echo.toml", "--updates", "1", "--out", "run"], dir.path()));
}

#[test]
fn simulate_reads_inputs_and_records() {
    use safetensors::{tensor::TensorView, Dtype, SafeTensors};
    let dir = TempDir::new().unwrap();
    fine(train(dir.path(), &["--updates", "1", "--out", "run"]));
    let write = |name: &str, shape: Vec<usize>| {
        let data: Vec<u8> =
            (0..shape.iter().product::<usize>()).flat_map(|i| (i as f32 * 0.1).sin().to_le_bytes()).collect();
        let file =
            safetensors::serialize([("inputs", TensorView::new(Dtype::F32, shape, &data).unwrap())], None).unwrap();
        std::fs::write(dir.path().join(name), file).unwrap();
    };
    write("in.safetensors", vec![5, 7, 2]);
    let ran = fine(hebbian(
        &["simulate", "run", "--inputs", "in.safetensors", "--out", "out.safetensors", "--record", "rates,activations"],
        dir.path(),
    ));
    assert!(
        ran.stderr.contains("warning: the inputs are 5 trials of 7 steps; trials of `dnms` have"),
        "{}",
        ran.stderr
    );
    let out = bytes(dir.path().join("out.safetensors"));
    let out = SafeTensors::deserialize(&out).unwrap();
    let shape = |name: &str| out.tensor(name).unwrap().shape().to_vec();
    assert_eq!(
        (shape("outputs"), shape("rates"), shape("activations")),
        (vec![2, 5, 7, 1], vec![2, 5, 7, 24], vec![2, 5, 7, 24])
    );

    write("wrong.safetensors", vec![5, 7, 3]);
    let wrong = hebbian(&["simulate", "run", "--inputs", "wrong.safetensors", "--out", "out2.safetensors"], dir.path());
    one_line_error(wrong, 1, "tensor `inputs` is [5, 7, 3]; expected [B, T, 2] or [2, B, T, 2]");
    let trace = hebbian(
        &["simulate", "run", "--inputs", "in.safetensors", "--out", "out2.safetensors", "--record", "trace"],
        dir.path(),
    );
    one_line_error(trace, 1, "no Hebbian trace");
    assert!(!dir.path().join("out2.safetensors").exists());
}

#[test]
fn inputs_of_old_with_time_first_are_the_same_trials() {
    use candle_core::{DType, Device, Tensor};
    let dir = TempDir::new().unwrap();
    fine(train(dir.path(), &["--updates", "1", "--out", "run"]));
    let inputs = Tensor::arange(0f32, 70.0, &Device::Cpu).unwrap().sin().unwrap().reshape((5, 7, 2)).unwrap();
    let x = Tensor::zeros((5, 24), DType::F32, &Device::Cpu).unwrap();
    let results = [("now", inputs.clone(), None), ("old", inputs.permute((1, 0, 2)).unwrap(), Some("time-first"))].map(
        |(name, inputs, order)| {
            let tensors = [("inputs", inputs.contiguous().unwrap()), ("x", x.clone())];
            let metadata =
                order.map(|order| std::collections::HashMap::from([("order".to_string(), order.to_string())]));
            std::fs::write(dir.path().join(name), safetensors::serialize(tensors, metadata).unwrap()).unwrap();
            let out = format!("{name}.safetensors");
            fine(hebbian(&["simulate", "run", "--inputs", name, "--out", &out], dir.path()));
            bytes(dir.path().join(out))
        },
    );
    assert!(results[0] == results[1]);
}

#[test]
fn a_run_tells_where_it_is_and_how_to_go_on() {
    let dir = TempDir::new().unwrap();
    let small = ["train", "dnms", "--networks", "1", "--neurons", "20", "--batch", "2"];
    let train = |more: &[&str]| hebbian(&[&small[..], more].concat(), dir.path());
    let ran = fine(train(&["--updates", "1"]));
    assert!(ran.stdout.starts_with("2 trials (1 network, 1 update) in"), "{}", ran.stdout);
    fine(train(&["--updates", "1", "--rule", "eh"]));
    assert!(dir.path().join("runs/dnms-eh/checkpoint.safetensors").exists());
    one_line_error(train(&["--updates", "1"]), 1, "(--out runs/dnms-2)");
    let again = fine(hebbian(&["train", "dnms", "--resume"], dir.path())).stdout;
    let how = "to continue: hebbian-rnn train --resume --out runs/dnms --trials 4\n";
    assert!(again.contains("finished (1 update, 2 trials of each network)") && again.ends_with(how), "{again}");
    fine(hebbian(&how.trim().split(' ').skip(3).collect::<Vec<_>>(), dir.path()));
}

#[test]
fn simulate_replaces_results_if_asked_and_nothing_else() {
    let dir = TempDir::new().unwrap();
    fine(train(dir.path(), &["--updates", "1", "--out", "run"]));
    let inputs = candle_core::Tensor::zeros((5, 7, 2), candle_core::DType::F32, &candle_core::Device::Cpu).unwrap();
    let all = std::collections::HashMap::from([("inputs", inputs)]);
    candle_core::safetensors::save(&all, dir.path().join("in.safetensors")).unwrap();
    let force = ["simulate", "run", "--inputs", "in.safetensors", "--force", "--out"];
    let simulate = |out: &str| hebbian(&[&force[..], &[out]].concat(), dir.path());
    for (out, what) in [("run/checkpoint.safetensors", "is a checkpoint"), ("./in.safetensors", "is the input file")] {
        let before = bytes(dir.path().join(out));
        one_line_error(simulate(out), 1, what);
        assert_eq!(bytes(dir.path().join(out)), before);
    }
    fine(simulate("out.safetensors"));
    let again = hebbian(&["simulate", "run", "--inputs", "in.safetensors", "--out", "out.safetensors"], dir.path());
    one_line_error(again, 1, "out.safetensors already exists; choose another name, or replace it (--force)");
    fine(simulate("out.safetensors"));
}

#[cfg(unix)]
#[test]
fn an_interrupted_run_is_saved_and_goes_on() {
    let dir = TempDir::new().unwrap();
    let mut child = std::process::Command::new(assert_cmd::cargo::cargo_bin("hebbian-rnn"))
        .args(
            [&["train", "dnms"][..], &SMALL, &["--updates", "1000000", "--checkpoint-every", "0", "--out", "run"]]
                .concat(),
        )
        .current_dir(dir.path())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let metrics = dir.path().join("run/metrics.csv");
    while std::fs::read_to_string(&metrics).map_or(0, |text| text.lines().count()) < 20 {
        assert!(child.try_wait().unwrap().is_none(), "the run ended early");
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    std::process::Command::new("kill").args(["-TERM", &child.id().to_string()]).status().unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(130));
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert!(stderr.contains("hebbian-rnn train --resume --out run"), "{stderr}");
    let rows = std::fs::read_to_string(&metrics).unwrap();
    let done: u64 = rows.lines().last().unwrap().split(',').next().unwrap().parse().unwrap();
    let next = (done + 1).to_string();
    fine(hebbian(&["train", "--resume", "--out", "run", "--updates", &next], dir.path()));
    fine(train(dir.path(), &["--updates", &next, "--checkpoint-every", "0", "--out", "whole"]));
    for file in ["checkpoint.safetensors", "metrics.csv"] {
        assert!(bytes(dir.path().join("run").join(file)) == bytes(dir.path().join("whole").join(file)), "{file}");
    }
}
