//! Runs a process and disturbs it.

use crate::catalogue::Work;
use crate::interruption::{Fate, Interruption, Moment};
use crate::process::{Ended, Process, Sink};
use crate::reference::Step;
use crate::tree::{self, Tree};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

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

    /// Stops a process that has locked `folder` and begun its work, where it is not in the middle of a save: if the folder goes while
    /// a file is half written, that save can only fail. Returns whether it stands still.
    fn stop_between_saves(&self, process: &mut Process, folder: &Path) -> bool {
        let lock = folder.join(".lock");
        while process.runs() {
            process.stop();
            if process.listens()
                && process.has_open(&lock)
                && !tree::names(folder).iter().any(|name| name.contains(".writing-"))
            {
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

/// A small file system in memory, unmounted on drop.
pub struct Mounted(PathBuf);

impl Mounted {
    /// `None` if this user may not mount file systems.
    pub fn new(at: &Path) -> Option<Self> {
        let mounted = Command::new("mount").args(["-t", "tmpfs", "-o", "size=24m", "none"]).arg(at).output();
        mounted.is_ok_and(|output| output.status.success()).then(|| Mounted(at.to_path_buf()))
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}
