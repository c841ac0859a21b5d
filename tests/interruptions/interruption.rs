//! The ways in which a command is disturbed.

use crate::catalogue::{Folder, Work};
use crate::process::{Ended, Process, Sink};
use crate::reference::{has_strace, Step};
use crate::tree::{self, Tree};
use rand::{Rng, RngExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

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
    KillAt { call: String, n: u32 },
    /// A thread's calls from `n` to `last` fail.
    Fail { call: String, n: u32, last: u32, error: &'static str },
    Signals { names: Vec<&'static str>, moment: Moment },
    /// The disk is full for this fraction of the undisturbed command's time.
    FullDisk { moment: Moment, time: f64 },
    Streams { stdout: Sink, stderr: Sink },
    Folder { fate: Fate, moment: Moment },
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

/// Where an interruption takes place.
pub struct Scene<'a> {
    pub work: &'a Work,
    pub step: &'a Step,
    /// Where the command runs.
    pub at: &'a Path,
    /// The name of its output's files, without extension.
    pub log: PathBuf,
    /// A finished run of other settings.
    pub other: &'a Tree,
}

/// What happened.
#[derive(Default)]
pub struct Happened {
    pub ended: Ended,
    /// The process ended before.
    pub too_late: bool,
    /// It came when the last checkpoint was being written or was written already.
    pub at_the_end: bool,
    /// The process had not begun to listen for signals, or never does.
    pub deaf: bool,
    /// What was found to be wrong with a folder that is not the command's.
    pub damage: Option<String>,
}

impl Scene<'_> {
    /// Runs `args` with an interruption.
    pub fn play(&self, args: &[String], interruption: &Interruption) -> Happened {
        let (wrapper, sinks) = match interruption {
            Interruption::KillAt { call, n } => (injecting(call, &format!("signal=SIGKILL:when={n}")), [Sink::File; 2]),
            Interruption::Fail { call, n, last, error } => {
                (injecting(call, &format!("error={error}:when={n}..{last}")), [Sink::File; 2])
            }
            Interruption::Streams { stdout, stderr } => (Vec::new(), [*stdout, *stderr]),
            _ => (Vec::new(), [Sink::File; 2]),
        };
        let mut process = Process::start(&wrapper, args, self.at, &self.log, sinks);
        match interruption {
            Interruption::Kill(moment) => {
                let too_late = !self.wait(*moment, &mut process);
                process.signal("KILL");
                Happened { too_late, ended: process.end(), ..Happened::default() }
            }
            Interruption::Signals { names, moment } => {
                let too_late = !self.wait(*moment, &mut process);
                let deaf = !process.listens();
                for name in names {
                    process.signal(name);
                    std::thread::sleep(Duration::from_millis(3));
                }
                Happened { too_late, deaf, ended: process.end(), ..Happened::default() }
            }
            Interruption::FullDisk { moment, time } => {
                let too_late = !self.wait(*moment, &mut process);
                let filler = self.at.join("filler");
                fill(&filler);
                let until = Instant::now() + Duration::from_secs_f64(time * self.step.seconds);
                while process.runs() && Instant::now() < until {
                    std::thread::sleep(Duration::from_millis(2));
                }
                // If the disk is to be full until the end, the end has come.
                std::fs::remove_file(filler).unwrap();
                Happened { too_late, ended: process.end(), ..Happened::default() }
            }
            Interruption::Folder { fate, moment } => self.exchange(process, *fate, *moment),
            _ => Happened { ended: process.end(), ..Happened::default() },
        }
    }

    /// Waits for a moment; returns whether the process still runs.
    fn wait(&self, moment: Moment, process: &mut Process) -> bool {
        let begun = Instant::now();
        let out = self.at.join(self.work.out);
        let before = tree::rows(&out);
        let there = || match moment {
            Moment::Time(fraction) => begun.elapsed().as_secs_f64() >= fraction * self.step.seconds,
            Moment::Rows(fraction) => {
                tree::rows(&out) as f64 >= before as f64 + fraction * self.step.rows.saturating_sub(before) as f64
            }
        };
        while process.runs() {
            if there() {
                return true;
            }
            std::thread::sleep(Duration::from_millis(1));
        }
        false
    }

    /// Stops a process that has locked `folder` where it is not in the middle of a save: if the folder goes while a file is half
    /// written, that save can only fail. Returns whether it stands still.
    fn stop_between_saves(&self, process: &mut Process, folder: &Path) -> bool {
        let lock = folder.join(".lock");
        while process.runs() {
            process.stop();
            if process.has_open(&lock) && !tree::names(folder).iter().any(|name| name.contains(".writing-")) {
                return true;
            }
            process.signal("CONT");
            std::thread::sleep(Duration::from_millis(1));
        }
        false
    }

    /// Removes, moves or replaces the folder in which the process writes.
    fn exchange(&self, mut process: Process, fate: Fate, moment: Moment) -> Happened {
        let mut happened = Happened { too_late: !self.wait(moment, &mut process), ..Happened::default() };
        let (folder, moved) = (self.at.join(self.work.changing), self.at.join("moved"));
        if !self.stop_between_saves(&mut process, &folder) {
            return Happened { too_late: true, ended: process.end(), ..happened };
        }
        happened.at_the_end = tree::rows(&folder) >= self.step.changing_rows;
        if fate == Fate::Removed {
            std::fs::remove_dir_all(&folder).unwrap();
        } else {
            std::fs::rename(&folder, &moved).unwrap();
        }
        if fate == Fate::Replaced {
            std::fs::create_dir(&folder).unwrap();
            tree::write(self.other, &folder);
        }
        process.signal("CONT");
        happened.ended = process.end();
        if fate == Fate::Replaced {
            happened.damage = crate::judge::touched(self.other, &tree::read(&folder), self.work.changing);
            std::fs::remove_dir_all(&folder).unwrap();
        }
        if moved.exists() {
            if folder.exists() {
                std::fs::remove_dir_all(&moved).unwrap();
            } else {
                std::fs::rename(&moved, &folder).unwrap();
            }
        }
        happened
    }
}

fn injecting(call: &str, what: &str) -> Vec<String> {
    assert!(has_strace());
    let words = ["strace", "-f", "-qq", "-o", "/dev/null", "-e", &format!("trace={call}"), "-e"];
    words.iter().map(|word| word.to_string()).chain([format!("inject={call}:{what}")]).collect()
}

/// Writes a file until the disk is full.
fn fill(path: &Path) {
    let mut file = std::fs::File::create(path).unwrap();
    for size in [1 << 20, 4096, 1] {
        while std::io::Write::write_all(&mut file, &vec![0; size]).is_ok() {}
    }
}
