//! The ways in which a command is disturbed.

use crate::catalogue::{Folder, Work};
use crate::process::Sink;
use crate::reference::Step;
use rand::{Rng, RngExt};

/// The names of all interruptions.
pub const NAMES: [&str; 14] = [
    "nothing",
    "killed",
    "killed at a call",
    "failing calls",
    "a signal",
    "several signals",
    "full disk",
    "stdout full",
    "stderr full",
    "stdout closed",
    "stderr closed",
    "folder removed",
    "folder moved",
    "folder replaced",
];

/// When it happens, unless the command ends before.
#[derive(Clone, Copy, Debug)]
pub enum Moment {
    /// After this fraction of the time that the undisturbed command took.
    Time(f64),
    /// After this fraction of the rows of metrics that are still to be written.
    Rows(f64),
}

/// What becomes of a folder while it is written to.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Fate {
    Removed,
    Moved,
    /// Moved, and another finished run put in its place.
    Replaced,
}

/// One disturbance of one process.
#[derive(Clone, Debug)]
pub enum Interruption {
    Nothing,
    Kill(Moment),
    /// SIGKILL at a thread's n-th call.
    KillAt {
        call: String,
        n: u32,
    },
    /// A thread's calls from `n` to `last` fail.
    Fail {
        call: String,
        n: u32,
        last: u32,
        error: &'static str,
    },
    Signals {
        names: Vec<&'static str>,
        moment: Moment,
    },
    /// The disk is full for this fraction of the undisturbed command's time.
    FullDisk {
        moment: Moment,
        time: f64,
    },
    Streams {
        stdout: Sink,
        stderr: Sink,
    },
    Folder {
        fate: Fate,
        moment: Moment,
    },
}

fn moment(random: &mut impl Rng, last: f64) -> Moment {
    let fraction = random.random_range(0.0..last);
    if random.random_bool(0.5) {
        Moment::Time(fraction)
    } else {
        Moment::Rows(fraction)
    }
}

impl Interruption {
    /// Draws one of the kind `name` for step `number` of `work`; `None` if it does not apply to that, or not on this machine.
    pub fn draw(name: &str, work: &Work, number: usize, step: &Step, random: &mut impl Rng) -> Option<Self> {
        let streams = |stdout, stderr| Interruption::Streams { stdout, stderr };
        let folder = |fate, random: &mut _| Interruption::Folder { fate, moment: moment(random, 0.8) };
        let replaceable = matches!(work.folder, Folder::Run | Folder::Life);
        // Folders are exchanged where their files grow.
        let grows = work.folder != Folder::Fixed && (work.steps.len() == 1 || number == 1);
        Some(match name {
            "nothing" => Interruption::Nothing,
            "killed" => Interruption::Kill(moment(random, 1.0)),
            "killed at a call" | "failing calls" => {
                let names: Vec<&String> = step.calls.keys().collect();
                let call = names.get(random.random_range(0..names.len().max(1)))?.to_string();
                let places = &step.calls[&call];
                let n = places[random.random_range(0..places.len())];
                if name == "killed at a call" {
                    return Some(Interruption::KillAt { call, n });
                }
                // strace counts no further.
                let last = (n + [0, 2, 9, 60_000][random.random_range(0..4)]).min(60_000);
                let error = ["ENOSPC", "EIO"][random.random_range(0..2)];
                Interruption::Fail { call, n, last, error }
            }
            "a signal" | "several signals" => {
                let count = if name == "a signal" { 1 } else { random.random_range(2..5) };
                let signal = |_| ["TERM", "INT", "HUP", "USR1"][random.random_range(0..4)];
                Interruption::Signals { names: (0..count).map(signal).collect(), moment: moment(random, 1.0) }
            }
            "full disk" => Interruption::FullDisk {
                moment: moment(random, 1.0),
                time: [0.1, 0.3, 100.0][random.random_range(0..3)],
            },
            "stdout full" => streams(Sink::Full, Sink::File),
            "stderr full" => streams(Sink::File, Sink::Full),
            "stdout closed" => streams(Sink::Closed, Sink::File),
            "stderr closed" => streams(Sink::File, Sink::Closed),
            "folder removed" if grows => folder(Fate::Removed, random),
            "folder moved" if grows => folder(Fate::Moved, random),
            "folder replaced" if grows && replaceable => folder(Fate::Replaced, random),
            _ => return None,
        })
    }

    /// Whether more checkpoints may be written than without it, or fewer.
    pub fn moves_saves(&self) -> bool {
        use Interruption::*;
        matches!(self, Fail { .. } | Signals { .. } | FullDisk { .. } | Folder { .. })
    }
}
