//! Limits of the machine: clocks that are wrong, and too little memory.
#![cfg(unix)]

use crate::command::{bytes, fine, hebbian, one_line_error};
use crate::kinds::{by_shell, goes_on_as_if_nothing_had_happened, FOREVER};
use crate::process::{start_command, TINY};
use hebbian_rnn::training::METADATA_KEY;
use safetensors::tensor::TensorView;
use safetensors::{Dtype, SafeTensors};
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, SystemTime};
use tempfile::TempDir;

#[test]
fn nothing_depends_on_the_clock() {
    // No source file reads the time of day; durations come from the monotonic clock.
    let mut folders = vec![PathBuf::from("src")];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = std::fs::read_to_string(&path).unwrap();
                for word in ["SystemTime", "UNIX_EPOCH", "chrono", ".modified()", ".created()"] {
                    assert!(!text.contains(word), "{} mentions {word}", path.display());
                }
            }
        }
    }
    // A run whose files have dates in the future, as after the clock was set back.
    let dir = TempDir::new().unwrap();
    let run = dir.path().join("run");
    fine(hebbian(&[&TINY[..], &["--updates", "2", "--out", "run"]].concat(), dir.path()));
    let later = SystemTime::now() + Duration::from_secs(10 * 365 * 24 * 3600);
    for entry in std::fs::read_dir(&run).unwrap() {
        std::fs::File::options().write(true).open(entry.unwrap().path()).unwrap().set_modified(later).unwrap();
    }
    goes_on_as_if_nothing_had_happened(&run);
}

/// libfaketime reads the time from a file, so that a test can change the clock during a run.
#[test]
fn a_clock_that_jumps_changes_nothing() {
    let library = Path::new("/usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1");
    if !library.exists() {
        eprintln!("skipped: {} (Debian: libfaketime) is not installed", library.display());
        return;
    }
    let dir = TempDir::new().unwrap();
    let (run, clock) = (dir.path().join("run"), dir.path().join("clock"));
    let set = |year: u32| std::fs::write(&clock, format!("@{year}-01-01 00:00:00\n")).unwrap();
    set(2026);
    let mut command = Command::new(assert_cmd::cargo::cargo_bin("hebbian-rnn"));
    command.args(TINY).args(["--updates", FOREVER, "--out", "run"]);
    command.env("LD_PRELOAD", library).env("FAKETIME_TIMESTAMP_FILE", &clock).env("FAKETIME_NO_CACHE", "1");
    let mut process = start_command(dir.path(), command);
    for (jump, year) in [2001, 2037, 1999].into_iter().enumerate() {
        process.wait_for_updates(&run.join("metrics.csv"), 20 * (jump + 1));
        set(year);
    }
    process.wait_for_updates(&run.join("metrics.csv"), 80);
    process.signal("TERM");
    let (code, stderr) = process.end();
    assert_eq!(code, Some(130), "{stderr}");
    goes_on_as_if_nothing_had_happened(&run);
}

#[test]
fn what_does_not_fit_into_memory_is_refused_with_its_size() {
    let dir = TempDir::new().unwrap();
    let too_large: [&[&str]; 4] = [
        &["--neurons", "1000000"],
        &["--batch", "1000000000"],
        &["--batch", "auto", "--neurons", "1000000"],
        &["--networks", "4000000000", "--batch", "4000000000"],
    ];
    let beyond_any_machine: [(&[&str], &str); 3] = [
        (&["--neurons", "9000000000000000000"], "network.neurons is 9000000000000000000; expected at most "),
        (&["--batch", "1000000000000"], "train.batch is 1000000000000; expected at most "),
        (&["--networks", "1000000000000000"], "train.networks is 1000000000000000; expected at most "),
    ];
    let train = |args: &[&str]| hebbian(&[&["train", "dnms", "--updates", "1"], args].concat(), dir.path());
    for args in too_large {
        one_line_error(train(args), 1, "of memory on its device (weights ");
    }
    let backpropagated = ["train", "reach", "--rule", "bptt", "--set", "task.steps=4000000000"];
    one_line_error(hebbian(&backpropagated, dir.path()), 1, "of memory on its device (weights ");
    for (args, error) in beyond_any_machine {
        one_line_error(train(args), 2, error);
    }
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0, "something was written");

    // What is left of a limit on the address space counts as well: Grid Engine sets one.
    let limited =
        by_shell("ulimit -v 2000000", &["train", "dnms", "--updates", "1", "--neurons", "4000", "--networks", "1"]);
    let output = { limited }.current_dir(dir.path()).output().unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{stderr}");
    assert!(stderr.contains("of memory on its device (weights ") && stderr.lines().count() == 1, "{stderr}");
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0, "something was written");

    // Small files, too, can ask for a lot of memory.
    let traced = ["--set", "trace.stage=accumulate", "--neurons", "500", "--networks", "1", "--batch", "1"];
    fine(hebbian(&[&["train", "echo", "--updates", "0", "--out", "run"], &traced[..]].concat(), dir.path()));
    let inputs = vec![0; 4_000_000];
    let view = TensorView::new(Dtype::F32, vec![1_000_000, 1, 1], &inputs).unwrap();
    std::fs::write(dir.path().join("in.safetensors"), safetensors::serialize([("inputs", view)], None).unwrap())
        .unwrap();
    let ran = hebbian(&["simulate", "run", "--inputs", "in.safetensors", "--out", "out.safetensors"], dir.path());
    one_line_error(ran, 1, "fast weights 931.3 GiB");
    assert!(!dir.path().join("out.safetensors").exists());

    let path = dir.path().join("run/checkpoint.safetensors");
    let file = bytes(&path);
    let (_, metadata) = SafeTensors::read_metadata(&file).unwrap();
    let json = metadata.metadata().as_ref().unwrap()[METADATA_KEY].replace("\"steps\":", "\"steps\":40000000");
    let tensors = SafeTensors::deserialize(&file).unwrap().tensors();
    let long = safetensors::serialize(tensors, Some(HashMap::from([(METADATA_KEY.to_string(), json)]))).unwrap();
    std::fs::write(&path, long).unwrap();
    let ran = hebbian(&["evaluate", "run"], dir.path());
    let last = ran.stderr.lines().last().unwrap();
    assert!(ran.code == 1 && last.starts_with("error: this needs ") && last.contains("of memory"), "{}", ran.stderr);
}
