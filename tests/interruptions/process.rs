//! Starts the command as a process of its own, watches it, and waits for its end.

use std::fs::File;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// A process that runs longer than this hangs: undisturbed, each takes less than a second.
const HANGS_AFTER: Duration = Duration::from_secs(120);

/// Where batch systems put the number of a job; `sweep run` reads them.
const JOB_VARIABLES: [&str; 4] = ["SLURM_ARRAY_TASK_ID", "LSB_JOBINDEX", "PBS_ARRAY_INDEX", "SGE_TASK_ID"];

/// The program to test: that of this build, or the one that `HEBBIAN_RNN_PROGRAM` names.
pub fn program() -> PathBuf {
    std::env::var_os("HEBBIAN_RNN_PROGRAM")
        .map_or_else(|| assert_cmd::cargo::cargo_bin("hebbian-rnn"), |path| std::path::absolute(path).unwrap())
}

/// Where an output stream goes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Sink {
    /// To a file, as a batch system does.
    File,
    /// To a device that is always full.
    Full,
    /// To a pipe whose reader is gone.
    Closed,
}

/// How a process ended, and what it wrote.
#[derive(Clone, Debug, Default)]
pub struct Ended {
    pub code: Option<i32>,
    pub signal: Option<i32>,
    pub stdout: String,
    pub stderr: String,
    /// It had to be killed by the test.
    pub hung: bool,
}

/// A running process, which is killed on drop, with everything that it started.
pub struct Process {
    child: Child,
    stdout: PathBuf,
    stderr: PathBuf,
}

impl Process {
    /// Starts the command in `folder`, under `wrapper` (such as strace with its options) unless that is empty. stdout and stderr go
    /// to `sinks`; the files of [`Sink::File`] have names that begin with `log`.
    pub fn start(wrapper: &[String], args: &[String], folder: &Path, log: &Path, sinks: [Sink; 2]) -> Self {
        let words: Vec<String> = [wrapper, &[program().display().to_string()], args].concat();
        let mut command = Command::new(&words[0]);
        command.args(&words[1..]).current_dir(folder).process_group(0).stdin(Stdio::null());
        for name in JOB_VARIABLES {
            command.env_remove(name);
        }
        let [stdout, stderr] = ["out", "err"].map(|extension| log.with_extension(extension));
        let open = |sink: Sink, path: &Path| {
            let file = File::create(path).unwrap();
            match sink {
                Sink::File => file.into(),
                Sink::Full => File::options().write(true).open("/dev/full").unwrap().into(),
                Sink::Closed => Stdio::piped(),
            }
        };
        command.stdout(open(sinks[0], &stdout)).stderr(open(sinks[1], &stderr));
        let mut child = command.spawn().unwrap();
        // The reading ends of pipes are closed at once.
        drop((child.stdout.take(), child.stderr.take()));
        Process { child, stdout, stderr }
    }

    /// Whether it has not ended yet.
    pub fn runs(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }

    /// Sends a signal by its name; it may have ended.
    pub fn signal(&self, name: &str) {
        self.kill(&["-s", name, &self.child.id().to_string()]);
    }

    fn kill(&self, args: &[&str]) {
        // It complains about processes that have ended.
        Command::new("kill").args(args).stderr(Stdio::null()).status().unwrap();
    }

    /// Stops it, and waits until it stands still.
    pub fn stop(&mut self) {
        self.signal("STOP");
        let begun = Instant::now();
        while self.state() != Some('T') && self.runs() && begun.elapsed() < Duration::from_secs(5) {
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    fn state(&self) -> Option<char> {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.child.id())).ok()?;
        stat.rsplit(')').next()?.trim().chars().next()
    }

    /// Whether it catches SIGUSR1 already, as the last of the signals that it listens for.
    pub fn listens(&self) -> bool {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap_or_default();
        let mask = status.lines().find_map(|line| line.strip_prefix("SigCgt:"));
        mask.and_then(|digits| u64::from_str_radix(digits.trim(), 16).ok()).is_some_and(|mask| mask >> 9 & 1 == 1)
    }

    /// Whether it has the file `path` open.
    pub fn has_open(&self, path: &Path) -> bool {
        let files = std::fs::read_dir(format!("/proc/{}/fd", self.child.id())).into_iter().flatten().flatten();
        files.filter_map(|file| std::fs::read_link(file.path()).ok()).any(|open| open == path)
    }

    /// Waits for its end.
    pub fn end(mut self) -> Ended {
        let begun = Instant::now();
        let mut hung = false;
        while self.runs() {
            if !hung && begun.elapsed() > HANGS_AFTER {
                hung = true;
                self.kill_all();
            }
            std::thread::sleep(Duration::from_millis(2));
        }
        let status = self.child.wait().unwrap();
        let text = |path: &Path| String::from_utf8_lossy(&std::fs::read(path).unwrap_or_default()).into_owned();
        let (stdout, stderr) = (text(&self.stdout), text(&self.stderr));
        Ended { code: status.code(), signal: status.signal(), stdout, stderr, hung }
    }

    fn kill_all(&self) {
        self.kill(&["-s", "KILL", "--", &format!("-{}", self.child.id())]);
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if self.runs() {
            self.kill_all();
            let _ = self.child.wait();
        }
    }
}
