//! Killed runs lose only the time since the last checkpoint, and end with the same bytes as uninterrupted ones.

use crate::command::{bytes, fine, hebbian, one_line_error};
use crate::process::{last_update, start, TINY};
use candle_core::Device;
use hebbian_rnn::{Checkpoint, Integrity};
use rand::{RngExt, SeedableRng};
use std::path::Path;
use std::time::{Duration, Instant};
use tempfile::TempDir;

const KILLS: usize = 60;
const FOREVER: &str = "1000000";

fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> =
        std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

/// The update of the newest checkpoint, which has to be intact; `None` if none was written yet.
fn newest(run: &Path) -> Option<u64> {
    let path = run.join("checkpoint.safetensors");
    // Looked for first: both may be written between the two looks.
    let previous = run.join("checkpoint.1.safetensors").exists();
    if !path.exists() {
        assert!(!previous, "a previous checkpoint, but no newest one");
        return None;
    }
    let checkpoint = Checkpoint::read(&path, &Device::Cpu).unwrap();
    assert_eq!(checkpoint.integrity, Integrity::Whole);
    Some(checkpoint.updates)
}

/// Kills at random moments: some right after the start, while the last run's files are read and cut back; some after a
/// few updates, most of whose time is spent writing. Meanwhile the checkpoint is read continually.
#[test]
fn a_run_killed_again_and_again_ends_as_if_it_had_never_been() {
    let dir = TempDir::new().unwrap();
    let run = dir.path().join("run");
    let mut random = rand_chacha::ChaCha8Rng::seed_from_u64(6);
    let (mut saved, mut reads) = (None, 0);
    let fresh = [&TINY[..], &["--updates", FOREVER, "--out", "run"]].concat();
    for kill in 0..KILLS {
        let args = if run.join("config.toml").exists() { &["train", "--resume", "--out", "run"][..] } else { &fresh };
        let mut process = start(dir.path(), args);
        let mut read = |process: &mut crate::process::Running| {
            assert!(process.child.try_wait().unwrap().is_none(), "{}", process.stderr());
            let found = newest(&run);
            assert!(found >= saved, "back from update {saved:?} to {found:?}");
            saved = found;
            reads += 1;
            saved
        };
        if kill % 2 == 1 {
            let before = read(&mut process);
            let until = before.unwrap_or(0) + random.random_range(1..4);
            while read(&mut process) < Some(until) {}
        }
        let from_here = if kill % 2 == 1 { 4_000 } else { 40_000 };
        let moment = Instant::now() + Duration::from_micros(random.random_range(0..from_here));
        while Instant::now() < moment {
            if random.random_bool(0.1) {
                read(&mut process);
            }
        }
        process.child.kill().unwrap();
        process.child.wait().unwrap();
        let found = newest(&run);
        assert!(found >= saved, "back from update {saved:?} to {found:?}");
        saved = found;
    }
    let done = saved.expect("never came as far as a checkpoint");
    println!("{KILLS} kills in {done} updates; the newest checkpoint was read {reads} times meanwhile");
    assert!(done >= KILLS as u64 / 2 && reads > KILLS, "{done} updates, {reads} reads");
    let until = (done + 2).to_string();
    fine(hebbian(&["train", "--resume", "--out", "run", "--updates", &until], dir.path()));
    fine(hebbian(&[&TINY[..], &["--updates", &until, "--out", "whole"]].concat(), dir.path()));
    let whole = dir.path().join("whole");
    for file in ["checkpoint.safetensors", "checkpoint.1.safetensors", "metrics.csv", "config.toml"] {
        assert!(bytes(run.join(file)) == bytes(whole.join(file)), "{file}");
    }
    assert_eq!(names(&run), names(&whole), "leftovers of killed processes are removed");
}

#[test]
fn a_run_killed_before_its_first_checkpoint_starts_again() {
    let dir = TempDir::new().unwrap();
    let run = dir.path().join("run");
    let never = [&TINY[..], &["--checkpoint-every", "0", "--updates"]].concat();
    let mut process = start(dir.path(), &[&never[..], &[FOREVER, "--out", "run"]].concat());
    process.wait_for_updates(&run.join("metrics.csv"), 5);
    process.child.kill().unwrap();
    process.child.wait().unwrap();
    assert!(newest(&run).is_none() && last_update(&run) >= 5);
    // It is a run, so another one may not replace it.
    let again = hebbian(&[&never[..], &["3", "--out", "run"]].concat(), dir.path());
    one_line_error(again, 1, "run already holds a run: continue it (--resume)");
    let other = hebbian(&["train", "--resume", "--out", "run", "--seed", "2"], dir.path());
    one_line_error(other, 2, "train.seed is 1 in run and 2 now");
    let ran = fine(hebbian(&["train", "--resume", "--out", "run", "--updates", "3"], dir.path()));
    assert_eq!(ran.stderr, "run has no checkpoint yet: training starts from the beginning\n");
    fine(hebbian(&[&never[..], &["3", "--out", "whole"]].concat(), dir.path()));
    for file in ["checkpoint.safetensors", "metrics.csv", "config.toml"] {
        assert!(bytes(run.join(file)) == bytes(dir.path().join("whole").join(file)), "{file}");
    }
}

#[test]
fn a_folder_with_nothing_but_a_configuration_or_a_lock() {
    let dir = TempDir::new().unwrap();
    fine(hebbian(&[&TINY[..], &["--updates", "2", "--out", "whole"]].concat(), dir.path()));
    let whole = dir.path().join("whole");
    // Killed after its first file.
    std::fs::create_dir(dir.path().join("early")).unwrap();
    std::fs::copy(whole.join("config.toml"), dir.path().join("early/config.toml")).unwrap();
    fine(hebbian(&["train", "--resume", "--out", "early"], dir.path()));
    // Killed before that: there is nothing to resume, and nothing in the way of a new run.
    let empty = dir.path().join("empty");
    std::fs::create_dir(&empty).unwrap();
    std::fs::write(empty.join(".lock"), "process 4000000\n").unwrap();
    std::fs::write(empty.join(".writing-config.toml-a8Xy"), "half a").unwrap();
    one_line_error(hebbian(&["train", "--resume", "--out", "empty"], dir.path()), 1, "empty does not hold a run");
    fine(hebbian(&[&TINY[..], &["--updates", "2", "--out", "empty"]].concat(), dir.path()));
    for run in ["early", "empty"] {
        assert_eq!(names(&dir.path().join(run)), names(&whole));
        for file in ["checkpoint.safetensors", "metrics.csv", "config.toml"] {
            assert!(bytes(dir.path().join(run).join(file)) == bytes(whole.join(file)), "{run}: {file}");
        }
    }
    one_line_error(hebbian(&["train", "--resume", "--out", "nowhere"], dir.path()), 1, "nowhere is not a run's folder");
}

/// Killed after its last checkpoint, a run that is submitted again still gets its pictures and its page.
#[test]
fn a_run_killed_before_its_pictures_gets_them_later() {
    let dir = TempDir::new().unwrap();
    let command = [&TINY[..], &["--updates", "3", "--resume-or-start", "--out"]].concat();
    fine(hebbian(&[&command[..], &["whole"]].concat(), dir.path()));
    let (whole, run) = (dir.path().join("whole"), dir.path().join("run"));
    fine(hebbian(&[&command[..], &["run"]].concat(), dir.path()));
    for name in names(&run) {
        if ["learning_curve", "sample_trials", "report"].iter().any(|stem| name.starts_with(stem)) {
            std::fs::remove_file(run.join(name)).unwrap();
        }
    }
    // What a process leaves that is killed while it draws.
    std::fs::write(run.join(".writing-learning_curve.png-Xy"), "half a picture").unwrap();
    let ran = fine(hebbian(&[&command[..], &["run"]].concat(), dir.path()));
    assert!(ran.stdout.contains("report.html"), "{}", ran.stdout);
    assert_eq!(names(&run), names(&whole));
    for name in names(&whole).iter().filter(|name| *name != ".lock") {
        assert!(bytes(run.join(name)) == bytes(whole.join(name)), "{name}");
    }
    // A page of an earlier state counts for nothing.
    fine(hebbian(&["train", "--resume", "--updates", "5", "--out", "run"], dir.path()));
    let page = bytes(run.join("report.html"));
    std::fs::copy(whole.join("report.html"), run.join("report.html")).unwrap();
    fine(hebbian(&["train", "--resume", "--out", "run"], dir.path()));
    assert!(bytes(run.join("report.html")) == page);
    let ran = fine(hebbian(&["train", "--resume", "--out", "run"], dir.path()));
    assert!(ran.stdout.contains("this run is finished"), "{}", ran.stdout);
}

#[test]
fn previous_checkpoints_are_kept_and_can_be_gone_back_to() {
    let dir = TempDir::new().unwrap();
    let run = dir.path().join("run");
    let updates = |file: &str| Checkpoint::read(&run.join(file), &Device::Cpu).unwrap().updates;
    fine(hebbian(&[&TINY[..], &["--updates", "5", "--keep", "3", "--out", "run"]].concat(), dir.path()));
    let kept =
        ["checkpoint.safetensors", "checkpoint.1.safetensors", "checkpoint.2.safetensors", "checkpoint.3.safetensors"];
    assert_eq!(kept.map(updates), [5, 4, 3, 2]);
    assert!(!run.join("checkpoint.4.safetensors").exists());
    // The number of checkpoints kept may change; to go back to one, copy it.
    fine(hebbian(&["train", "--resume", "--updates", "7", "--keep", "0", "--out", "run"], dir.path()));
    assert_eq!(kept.map(updates), [7, 4, 3, 2]);
    std::fs::copy(run.join(kept[2]), run.join(kept[0])).unwrap();
    fine(hebbian(&["train", "--resume", "--updates", "7", "--keep", "1", "--out", "run"], dir.path()));
    assert_eq!(kept.map(updates), [7, 6, 3, 2]);
    fine(hebbian(&[&TINY[..], &["--updates", "7", "--out", "whole"]].concat(), dir.path()));
    for file in ["checkpoint.safetensors", "metrics.csv"] {
        assert!(bytes(run.join(file)) == bytes(dir.path().join("whole").join(file)), "{file}");
    }
}
