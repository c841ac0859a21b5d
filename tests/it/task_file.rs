//! `--task-file` from a user's point of view: train, evaluate on other trials, resume with the same file but no other.

use crate::command::{fine, hebbian, one_line_error};
use safetensors::{tensor::TensorView, Dtype};
use std::path::Path;
use tempfile::TempDir;

/// Two types of trial of 12 steps: the target at the end is 0.5 or −0.5, depending on which input had a pulse.
fn write(path: &Path, pulse: f32, n_out: usize) {
    let (mut inputs, mut targets, mut mask) = (Vec::new(), Vec::new(), Vec::new());
    for kind in 0..2 {
        for step in 0..12 {
            inputs.extend([0, 1].map(|k| if k == kind && step < 4 { pulse } else { 0.0 }));
            targets.extend(vec![if kind == 0 { 0.5f32 } else { -0.5 }; n_out]);
            mask.push(f32::from(u8::from(step >= 8)));
        }
    }
    let bytes = |values: &[f32]| values.iter().flat_map(|v| v.to_le_bytes()).collect::<Vec<u8>>();
    let data = [("inputs", vec![2, 12, 2], bytes(&inputs)), ("targets", vec![2, 12, n_out], bytes(&targets))];
    let mask = [("mask", vec![2, 12], bytes(&mask))];
    let views = data
        .iter()
        .chain(&mask)
        .map(|(name, shape, bytes)| (*name, TensorView::new(Dtype::F32, shape.clone(), bytes).unwrap()));
    std::fs::write(path, safetensors::serialize(views, None).unwrap()).unwrap();
}

const SMALL: [&str; 6] = ["--neurons", "20", "--batch", "8", "--networks", "2"];

#[test]
fn a_task_file_trains_resumes_and_evaluates() {
    let dir = TempDir::new().unwrap();
    let at = |name: &str| dir.path().join(name);
    write(&at("mine.safetensors"), 1.0, 2);
    write(&at("other.safetensors"), 2.0, 2);
    write(&at("wider.safetensors"), 1.0, 3);
    let train = [&["train", "--task-file", "mine.safetensors", "--updates", "3", "--out", "run"][..], &SMALL].concat();
    fine(hebbian(&train, dir.path()));
    let config = std::fs::read_to_string(at("run/config.toml")).unwrap();
    assert!(config.contains("output_neurons = [0, 1]") && config.contains("sha256 = \""), "{config}");

    // Evaluates from another folder and on trials not seen in training, but not on trials that do not fit.
    std::fs::create_dir(at("elsewhere")).unwrap();
    fine(hebbian(&["evaluate", "../run", "--trials", "4"], &at("elsewhere")));
    fine(hebbian(&["evaluate", "run", "--trials", "4", "--task-file", "other.safetensors"], dir.path()));
    one_line_error(
        hebbian(&["evaluate", "run", "--task-file", "wider.safetensors"], dir.path()),
        1,
        "network.output_neurons is 2; expected 3 neurons",
    );

    // Says that these are draws from the file, scores each trial once where asked, and runs the file's inputs.
    let draws = fine(hebbian(&["evaluate", "run", "--trials", "4"], dir.path())).stdout;
    assert!(draws.contains("4 draws from its 2 ready-made trials") && draws.contains("type 1"), "{draws}");
    let all = hebbian(&["evaluate", "run", "--all", "--json", "--task-file", "other.safetensors"], dir.path());
    let all: serde_json::Value = serde_json::from_str(&fine(all).stdout).unwrap();
    assert_eq!(all["trials"], 2);
    for of_type in all["networks"][1]["types"].as_array().unwrap() {
        assert_eq!(of_type["trials"], 1, "{of_type}");
    }
    fine(hebbian(&["simulate", "run", "--task-file", "other.safetensors", "--out", "out.safetensors"], dir.path()));
    let page = std::fs::read_to_string(at("run/report.html")).unwrap();
    assert!(page.contains("On 400 draws from its 2 ready-made trials each"), "the page calls them fresh");

    // Resumes with the same file, also from another place, but with no other file.
    fine(hebbian(&["train", "--resume", "--out", "run", "--updates", "4"], dir.path()));
    std::fs::rename(at("mine.safetensors"), at("moved.safetensors")).unwrap();
    let resume = ["train", "--resume", "--out", "run", "--updates", "5"];
    one_line_error(hebbian(&resume, dir.path()), 1, "mine.safetensors");
    fine(hebbian(&[&resume[..], &["--task-file", "moved.safetensors"]].concat(), dir.path()));
    let other = hebbian(&[&resume[..], &["--task-file", "other.safetensors"]].concat(), dir.path());
    one_line_error(other, 1, "give the file these networks were trained on");
    std::fs::copy(at("other.safetensors"), at("moved.safetensors")).unwrap();
    one_line_error(hebbian(&["evaluate", "run"], dir.path()), 1, "task.sha256");
}

#[test]
fn a_task_file_that_is_wrong_is_refused_before_anything_is_written() {
    let dir = TempDir::new().unwrap();
    one_line_error(hebbian(&["train", "file"], dir.path()), 2, "task.path is empty");
    one_line_error(hebbian(&["train", "--task-file", "none.safetensors"], dir.path()), 1, "none.safetensors");
    std::fs::write(dir.path().join("text"), "no tensors").unwrap();
    one_line_error(hebbian(&["train", "--task-file", "text"], dir.path()), 2, "text: not a whole safetensors file");
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1, "something was written");
    assert_eq!(hebbian(&["train", "dnms", "--task-file", "text"], dir.path()).code, 2);
}

/// Eight trials of 12 steps, of which every second ends after 9; names, and labels of both kinds.
fn write_labelled(path: &Path, steps: Option<&[i64]>) {
    let (mut inputs, mut targets, mut evidence) = (Vec::new(), Vec::new(), Vec::new());
    for trial in 0..8 {
        evidence.push(trial as f32 - 3.5);
        for step in 0..12 {
            inputs.extend([if step < 4 { evidence[trial] / 4.0 } else { 0.0 }, 1.0]);
            targets.push(if trial > 3 { 0.5f32 } else { -0.5 });
        }
    }
    let floats = |values: &[f32]| values.iter().flat_map(|v| v.to_le_bytes()).collect::<Vec<u8>>();
    let integers = |values: &[i64]| values.iter().flat_map(|v| v.to_le_bytes()).collect::<Vec<u8>>();
    let side: Vec<i64> = (0..8).map(|trial| i64::from(trial > 3)).collect();
    let mut tensors = vec![
        ("inputs", Dtype::F32, vec![8, 12, 2], floats(&inputs)),
        ("targets", Dtype::F32, vec![8, 12, 1], floats(&targets)),
        ("type", Dtype::I64, vec![8], integers(&side)),
        ("label.side", Dtype::I64, vec![8], integers(&side)),
        ("label.evidence", Dtype::F32, vec![8], floats(&evidence)),
    ];
    tensors.extend(steps.map(|steps| ("steps", Dtype::I64, vec![8], integers(steps))));
    let views = tensors
        .iter()
        .map(|(name, dtype, shape, bytes)| (*name, TensorView::new(*dtype, shape.clone(), bytes).unwrap()));
    let names = [("inputs", "evidence,constant"), ("outputs", "choice"), ("types", "below,above")];
    let names = names.map(|(key, names)| (key.to_string(), names.to_string())).into();
    std::fs::write(path, safetensors::serialize(views, Some(names)).unwrap()).unwrap();
}

#[test]
fn labels_are_analysed_and_names_are_shown() {
    let dir = TempDir::new().unwrap();
    write_labelled(&dir.path().join("mine.safetensors"), Some(&[12, 9, 12, 9, 12, 9, 12, 1]));
    let train = [&["train", "--task-file", "mine.safetensors", "--updates", "3", "--out", "run"][..], &SMALL].concat();
    fine(hebbian(&train, dir.path()));
    let picture = std::fs::read_to_string(dir.path().join("run/sample_trials.svg")).unwrap();
    for name in ["evidence", "constant", "choice", "below", "above"] {
        assert!(picture.contains(&format!(">{name}<")), "{name}");
    }
    fine(hebbian(&["analyse", "run", "decoding", "psychometric", "--trials", "40"], dir.path()));
    let read = |name: &str| std::fs::read_to_string(dir.path().join("run/analysis").join(name)).unwrap();
    assert!(read("decoding.csv").contains("\nside,"));
    let curve = read("psychometric.csv");
    assert!(curve.contains(",evidence,-3.5,") && curve.contains(",evidence,3.5,"), "{curve}");

    // What does not fit is refused.
    for (steps, message) in
        [(0, "tensor `steps` is 0 for trial 2"), (13, "tensor `steps` is 13 for trial 2; expected 1 to 12")]
    {
        write_labelled(&dir.path().join("wrong.safetensors"), Some(&[12, 12, steps, 12, 12, 12, 12, 12]));
        one_line_error(hebbian(&["train", "--task-file", "wrong.safetensors", "--out", "no"], dir.path()), 2, message);
    }
}
