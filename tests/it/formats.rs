//! Files of every released format still load, evaluate the same and continue training; a newer format is refused.

use crate::command::{fine, hebbian, one_line_error};
use crate::support::*;
use candle_core::Device;
use hebbian_rnn::storage::{read_metrics, METRICS_FILE};
use hebbian_rnn::training::{FORMAT, METADATA_KEY};
use hebbian_rnn::{evaluate, Checkpoint, Setting, Setup, Trainer};
use safetensors::SafeTensors;
use std::path::{Path, PathBuf};
use tempfile::TempDir;

/// Trials are short, so results from vector units of different widths stay this close.
const TOLERANCE: f64 = 1e-4;

fn folders(of: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(of).unwrap().map(|entry| entry.unwrap().path());
    let mut folders: Vec<PathBuf> = entries.filter(|path| path.is_dir()).collect();
    folders.sort();
    folders
}

/// The folder of every fixture of every format.
fn fixtures() -> Vec<PathBuf> {
    let all = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures");
    let formats = folders(&all).into_iter().filter(|folder| folder.display().to_string().contains("format-"));
    let fixtures: Vec<PathBuf> = formats.flat_map(|format| folders(&format)).collect();
    assert!(fixtures.len() >= 6, "fixtures are missing: {fixtures:?}");
    fixtures
}

fn read(path: &Path) -> Checkpoint {
    Checkpoint::read(path, &Device::Cpu).unwrap_or_else(|error| panic!("{error:#}"))
}

#[test]
fn every_format_up_to_this_one_has_fixtures() {
    for format in 1..=FORMAT {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/fixtures/format-{format}"));
        assert!(folder.is_dir(), "{}: run scripts/make_fixtures.sh with the program that writes it", folder.display());
    }
}

#[test]
fn old_checkpoints_evaluate_to_what_was_said_of_them() {
    for fixture in fixtures() {
        let checkpoint = read(&fixture);
        let said: serde_json::Value =
            serde_json::from_str(&std::fs::read_to_string(fixture.join("evaluate.json")).unwrap()).unwrap();
        let trials = said["trials"].as_u64().unwrap();
        let scores = evaluate(&checkpoint, trials, said["seed"].as_u64().unwrap()).unwrap();
        let column = |name: &str| -> Vec<f64> {
            said["networks"].as_array().unwrap().iter().map(|row| row[name].as_f64().unwrap()).collect()
        };
        let what = fixture.display().to_string();
        assert_close(&scores.iter().map(|s| s.error).collect::<Vec<_>>(), &column("error"), TOLERANCE, &what);
        assert_eq!(scores.iter().map(|s| s.fraction_correct).collect::<Vec<_>>(), column("fraction_correct"), "{what}");
        assert_eq!(scores.iter().map(|s| s.network as f64).collect::<Vec<_>>(), column("network"), "{what}");
    }
}

#[test]
fn old_runs_go_on_as_they_would_have_gone_on_then() {
    for fixture in fixtures() {
        let what = fixture.display().to_string();
        let before = read(&fixture);
        let mut trainer = Trainer::resume(&before.clone(), &[Device::Cpu]).unwrap();
        trainer.update().unwrap();
        trainer.update().unwrap();
        let (now, then) = (trainer.checkpoint().unwrap(), read(&fixture.join("two-updates-later.safetensors")));
        assert_eq!((before.updates, now.updates, then.updates), (3, 5, 5), "{what}");
        // Compares weight changes: comparing the weights themselves would hide a difference.
        let moved =
            |after: &Checkpoint| values(&(&after.plastic.weights.w_rec - &before.plastic.weights.w_rec).unwrap());
        assert_close(&moved(&now), &moved(&then), 100.0 * TOLERANCE, &what);
        assert_close(&values(&now.plastic.state.r), &values(&then.plastic.state.r), TOLERANCE, &what);
        assert_close(&now.expected_error, &then.expected_error, TOLERANCE, &what);
        if let (Some(now), Some(then)) = (&now.plastic.weights.w_out, &then.plastic.weights.w_out) {
            assert_close(&values(now), &values(then), TOLERANCE, &what);
        }
        if let (Some(now), Some(then)) = (&now.plastic.fast_weights, &then.plastic.fast_weights) {
            assert_close(&values(&now.h), &values(&then.h), TOLERANCE, &what);
        }
    }
}

#[test]
fn old_configurations_and_metrics_are_read() {
    for fixture in fixtures() {
        let text = std::fs::read_to_string(fixture.join("config.toml")).unwrap();
        let config = Setup::resolve(None, &Setting::from_toml(&text, "config.toml").unwrap()).unwrap().config().clone();
        let mut saved = read(&fixture).setup.config().clone();
        // They differ only in the limit of the later checkpoint.
        saved.train.updates = config.train.updates;
        assert_eq!(config, saved, "{}", fixture.display());
        let rows = read_metrics(&fixture.join(METRICS_FILE)).unwrap();
        assert_eq!(rows.len(), 3 * config.train.networks.count());
        assert!(rows.iter().all(|row| row.error.is_finite() && row.diverged_at.is_none()));
    }
}

#[test]
fn the_command_resumes_an_old_run() {
    for fixture in fixtures() {
        let dir = TempDir::new().unwrap();
        let run = dir.path().join("run");
        std::fs::create_dir(&run).unwrap();
        for file in ["config.toml", "metrics.csv", "checkpoint.safetensors"] {
            std::fs::copy(fixture.join(file), run.join(file)).unwrap();
        }
        fine(hebbian(&["train", "--resume", "--out", "run", "--updates", "4"], dir.path()));
        let rows = read_metrics(&run.join(METRICS_FILE)).unwrap();
        assert_eq!(rows.len(), 4 * read(&run).setup.config().train.networks.count(), "{}", fixture.display());
        // Columns that the old program did not have are empty in its rows.
        assert!(rows.iter().all(|row| row.saturated.is_some() == row.dead.is_some()));
        assert!(rows.iter().filter(|row| row.update == 4).all(|row| row.saturated.is_some()));
    }
}

#[test]
fn a_newer_format_is_refused_with_both_numbers() {
    let newer = FORMAT + 7;
    let mut trainer = trainer("echo", &["network.neurons=4", "train.batch=3", "train.networks=1"]);
    trainer.update().unwrap();
    let bytes = trainer.checkpoint().unwrap().to_bytes().unwrap();
    let (_, metadata) = SafeTensors::read_metadata(&bytes).unwrap();
    let json = &metadata.metadata().as_ref().unwrap()[METADATA_KEY];
    let (old, new) = (format!("\"format\":{FORMAT}"), format!("\"format\":{newer}"));
    assert!(json.contains(&old));
    let tensors = SafeTensors::deserialize(&bytes).unwrap();
    let metadata = [(METADATA_KEY.to_string(), json.replace(&old, &new))].into();
    let dir = TempDir::new().unwrap();
    std::fs::write(
        dir.path().join("newer.safetensors"),
        safetensors::serialize(tensors.tensors(), Some(metadata)).unwrap(),
    )
    .unwrap();
    for command in ["inspect", "evaluate"] {
        let ran = hebbian(&[command, "newer.safetensors"], dir.path());
        assert!(ran.stderr.contains(&format!("format {newer}")), "{}", ran.stderr);
        one_line_error(ran, 1, &FORMAT.to_string());
    }
}
