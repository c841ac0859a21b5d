//! Runs that an earlier program began continue to the same files.

use crate::command::{fine, hebbian};
use hebbian_rnn::{Checkpoint, LifeCheckpoint};
use std::fs;
use std::path::{Path, PathBuf};
use tempfile::TempDir;

/// How far cells may differ where products of matrices depend on the processor.
const TOLERANCE: f64 = 1e-4;

fn begun(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/begun").join(name)
}

/// A copy of a folder with the folders in it.
fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap().map(|entry| entry.unwrap().path()) {
        let there = to.join(entry.file_name().unwrap());
        if entry.is_dir() {
            copy(&entry, &there);
        } else {
            fs::copy(&entry, &there).unwrap();
        }
    }
}

/// Asserts that two CSV files have the same text, except for numbers that are close.
fn assert_similar(found: &str, expected: &str, what: &str) {
    let cells = |text: &str| text.lines().flat_map(|line| line.split(',')).map(String::from).collect::<Vec<_>>();
    let (found, expected) = (cells(found), cells(expected));
    assert_eq!(found.len(), expected.len(), "{what}");
    for (found, expected) in found.iter().zip(&expected) {
        let numbers = found.parse::<f64>().ok().zip(expected.parse::<f64>().ok());
        let close = numbers.is_some_and(|(a, b)| (a - b).abs() <= TOLERANCE * (1.0 + b.abs()));
        assert!(found == expected || close, "{what}: {found} instead of {expected}");
    }
}

#[test]
fn training_continues() {
    for name in ["cartpole-critic", "curriculum"] {
        let dir = TempDir::new().unwrap();
        let run = dir.path().join("run");
        copy(&begun(name), &run);
        fine(hebbian(&["train", "--resume", "--out", "run", "--updates", "6"], dir.path()));
        let text = |folder: &Path| fs::read_to_string(folder.join("metrics.csv")).unwrap();
        // The column had another name.
        let expected = text(&run.join("later")).replacen(",frozen,", ",diverged_at,", 1);
        assert_similar(&text(&run), &expected, name);
        let read = |folder: &Path| Checkpoint::read(folder, &candle_core::Device::Cpu).unwrap();
        assert_eq!(read(&run).setup.config(), read(&run.join("later")).setup.config(), "{name}");
        assert_eq!(read(&run).stages, read(&run.join("later")).stages, "{name}");
    }
}

#[test]
fn lives_continue_to_the_byte() {
    for (name, seconds) in [("xor-rate", "20"), ("distal-reward", "6"), ("linear-track", "12")] {
        let dir = TempDir::new().unwrap();
        let run = dir.path().join("run");
        copy(&begun(name), &run);
        fine(hebbian(&["live", "--resume", "--out", "run", "--seconds", seconds], dir.path()));
        assert_eq!(LifeCheckpoint::read(&run).unwrap().seconds().to_string(), seconds);
        for file in ["metrics.csv", "checkpoint.safetensors"] {
            let bytes = |folder: &Path| fs::read(folder.join(file)).unwrap();
            assert!(bytes(&run) == bytes(&run.join("later")), "{name}: {file}");
        }
    }
}

#[test]
fn a_sweep_continues() {
    let dir = TempDir::new().unwrap();
    let sweep = dir.path().join("sweep");
    copy(&begun("sweep"), &sweep);
    fine(hebbian(&["sweep", "run", "sweep"], dir.path()));
    fine(hebbian(&["sweep", "collect", "sweep"], dir.path()));
    let results = fs::read_to_string(sweep.join("results.csv")).unwrap();
    let expected = fs::read_to_string(begun("sweep.csv")).unwrap().replacen(",frozen", ",diverged_at", 1);
    assert_similar(&results, &expected, "results.csv");
}
