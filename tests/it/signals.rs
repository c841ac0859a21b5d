//! Signals: what was trained is saved, then the program stops.
#![cfg(unix)]

use crate::command::{bytes, fine, hebbian};
use crate::kinds::{by_shell, saved, train_forever, FOREVER};
use crate::process::{computed, last_update, start, start_command, treats, TINY};
use std::time::Duration;
use tempfile::TempDir;

#[test]
fn four_signals_save_and_stop() {
    for (signal, number) in [("INT", 2), ("TERM", 15), ("HUP", 1), ("USR1", 10)] {
        if treats(std::process::id(), "SigIgn", number) {
            eprintln!("skipped: the tests were started to ignore SIG{signal}, as nohup does with SIGHUP");
            continue;
        }
        let dir = TempDir::new().unwrap();
        let run = dir.path().join("run");
        let mut process = train_forever(dir.path());
        process.wait_for_updates(&run.join("metrics.csv"), 5);
        process.signal(signal);
        let (code, stderr) = process.end();
        assert_eq!(code, Some(130), "SIG{signal}: {stderr}");
        assert!(
            stderr.ends_with("everything is saved. To continue:\n  hebbian-rnn train --resume --out run\n"),
            "{stderr}"
        );
        assert_eq!(saved(&run), last_update(&run), "SIG{signal}");
    }
}

/// The same command again and again, as a batch system submits it: it starts, goes on where it was stopped, and at the end has
/// nothing to do.
#[test]
fn a_command_submitted_again_goes_on() {
    let dir = TempDir::new().unwrap();
    let run = dir.path().join("run");
    let command = [&TINY[..], &["--updates", "60000", "--resume-or-start", "--out", "run"]].concat();
    for _ in 0..2 {
        let before = if run.exists() { last_update(&run) } else { 0 };
        let mut process = start(dir.path(), &command);
        process.wait_for_updates(&run.join("metrics.csv"), before as usize + 5);
        process.signal("TERM");
        assert_eq!(process.end().0, Some(130));
        assert!(saved(&run) >= before + 5);
    }
    let updates = (saved(&run) + 3).to_string();
    let end = [&TINY[..], &["--updates", &updates, "--resume-or-start", "--out"]].concat();
    fine(hebbian(&[&end[..], &["run"]].concat(), dir.path()));
    let metrics = bytes(run.join("metrics.csv"));
    assert!(fine(hebbian(&[&end[..], &["run"]].concat(), dir.path())).stdout.contains("this run is finished"));
    assert!(metrics == bytes(run.join("metrics.csv")), "a finished run was changed");
    fine(hebbian(&[&end[..], &["whole"]].concat(), dir.path()));
    assert!(metrics == bytes(dir.path().join("whole/metrics.csv")), "it differs from an undisturbed run");
}

#[test]
fn a_signal_ignored_from_the_start_stays_ignored() {
    let dir = TempDir::new().unwrap();
    let run = dir.path().join("run");
    // As nohup does.
    let command = by_shell("trap '' HUP", &[&TINY[..], &["--updates", FOREVER, "--out", "run"]].concat());
    let mut process = start_command(dir.path(), command);
    process.wait_for_updates(&run.join("metrics.csv"), 5);
    process.signal("HUP");
    let later = last_update(&run) as usize + 20;
    process.wait_for_updates(&run.join("metrics.csv"), later);
    process.signal("TERM");
    assert_eq!(process.end().0, Some(130));
}

#[test]
fn a_second_ctrl_c_does_not_wait_for_the_update_to_end() {
    let dir = TempDir::new().unwrap();
    if !cfg!(target_os = "linux") || treats(std::process::id(), "SigIgn", 2) {
        eprintln!("skipped: only /proc tells when a program listens, or the tests were started to ignore SIGINT");
        return;
    }
    // One update takes minutes.
    let slow = ["train", "dnms", "--kernels", "reference", "--batch", "256", "--networks", "8", "--out", "run"];
    let mut process = start(dir.path(), &slow);
    let pid = process.child.id();
    process.wait_until("its listening for signals", |_| treats(pid, "SigCgt", 15));
    // What comes before the first update takes much less than half a second of computing.
    process.wait_until("its first update", |_| computed(pid) >= 50);
    process.signal("INT");
    std::thread::sleep(Duration::from_millis(100));
    assert!(process.child.try_wait().unwrap().is_none(), "the first one waits for the update: {}", process.stderr());
    process.signal("INT");
    let (code, stderr) = process.end();
    assert_eq!((code, stderr.as_str()), (Some(130), ""));
    assert!(!dir.path().join("run/checkpoint.safetensors").exists());
}
