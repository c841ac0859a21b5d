//! What is run while faults happen to it: networks that train, and networks that live.
#![cfg(unix)]

use crate::command::{bytes, fine, hebbian};
use crate::process::{start, Running, TINY};
use candle_core::Device;
use hebbian_rnn::{Checkpoint, Integrity, LifeCheckpoint};
use std::path::Path;
use std::process::Command;
use tempfile::TempDir;

pub const FOREVER: &str = "1000000";

pub fn train_forever(folder: &Path) -> Running {
    start(folder, &[&TINY[..], &["--updates", FOREVER, "--out", "run"]].concat())
}

pub fn saved(run: &Path) -> u64 {
    let checkpoint = Checkpoint::read(run, &Device::Cpu).unwrap();
    assert_eq!(checkpoint.integrity, Integrity::Whole);
    checkpoint.updates
}

/// What runs: networks that train, or networks that live. Both keep their folder in the same way.
pub struct Kind {
    /// The command without its limits and its folder.
    pub begin: &'static [&'static str],
    /// The option that sets the end, and how much of it a moment is, which is also the time between checkpoints.
    pub end: (&'static str, f64),
    /// What a warning says of the rest of the run.
    pub going_on: &'static str,
    /// The moment of the newest checkpoint, an update or a block of half a second.
    pub saved: fn(&Path) -> u64,
}

pub const KINDS: [Kind; 2] = [
    Kind { begin: &TINY, end: ("--updates", 1.0), going_on: "training continues", saved },
    Kind {
        begin: &["live", "xor-temporal", "--networks", "2"],
        end: ("--seconds", 0.5),
        going_on: "the simulation continues",
        saved: |run| {
            let checkpoint = LifeCheckpoint::read(run).unwrap();
            assert_eq!(checkpoint.integrity, Integrity::Whole);
            checkpoint.block
        },
    },
];

impl Kind {
    /// The command up to a moment.
    pub fn until(&self, moment: u64, out: &str) -> Vec<String> {
        let limits = self.limits(moment, out);
        self.begin.iter().map(ToString::to_string).chain(limits).collect()
    }

    /// The command without an end.
    pub fn forever(&self, folder: &Path, out: &str) -> Running {
        start(folder, &strs(&self.until(10_000_000, out)))
    }

    /// The command that goes on.
    pub fn resume(&self, moment: u64, out: &str) -> Vec<String> {
        [vec![self.begin[0].to_string(), "--resume".into()], self.limits(moment, out)].concat()
    }

    fn limits(&self, moment: u64, out: &str) -> Vec<String> {
        let (end, every) = ((moment as f64 * self.end.1).to_string(), self.end.1.to_string());
        [self.end.0, &end, "--checkpoint-every", &every, "--out", out].map(ToString::to_string).to_vec()
    }

    /// Goes on with `run` for two more moments, and compares it with an undisturbed run.
    pub fn goes_on_as_if_nothing_had_happened(&self, run: &Path) {
        let dir = TempDir::new().unwrap();
        let until = (self.saved)(run) + 2;
        fine(hebbian(&strs(&self.resume(until, run.to_str().unwrap())), dir.path()));
        fine(hebbian(&strs(&self.until(until, "whole")), dir.path()));
        for file in ["checkpoint.safetensors", "metrics.csv", "config.toml"] {
            assert!(bytes(run.join(file)) == bytes(dir.path().join("whole").join(file)), "{file}");
        }
    }
}

pub fn strs(words: &[String]) -> Vec<&str> {
    words.iter().map(String::as_str).collect()
}

/// Trains `run` for two more updates, and compares it with an undisturbed run.
pub fn goes_on_as_if_nothing_had_happened(run: &Path) {
    KINDS[0].goes_on_as_if_nothing_had_happened(run);
}

/// A shell that runs `preparation` and then replaces itself with the command.
pub fn by_shell(preparation: &str, args: &[&str]) -> Command {
    let mut command = Command::new("sh");
    command.args(["-c", &format!("{preparation}; exec \"$0\" \"$@\"")]);
    command.arg(assert_cmd::cargo::cargo_bin("hebbian-rnn")).args(args);
    command
}
