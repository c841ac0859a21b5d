//! Starts the command as a separate process, watches it and ends it.

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// A network so small that a run spends most of its time writing.
pub const TINY: [&str; 10] =
    ["train", "echo", "--neurons", "6", "--networks", "2", "--batch", "4", "--checkpoint-every", "1"];

/// The stderr of a command without the line that says what it begins.
pub fn after_first_line(stderr: &str) -> String {
    let first = |line: &str| line.contains(": networks ") && line.contains(" on ") && line.contains(", in ");
    stderr.split_inclusive('\n').filter(|line| !first(line)).collect()
}

/// Starts the command in `folder`, with its stderr going to the file `stderr` there.
pub fn start(folder: &Path, args: &[&str]) -> Running {
    let mut command = Command::new(assert_cmd::cargo::cargo_bin("hebbian-rnn"));
    command.args(args);
    start_command(folder, command)
}

/// The same for any command.
pub fn start_command(folder: &Path, mut command: Command) -> Running {
    let stderr = folder.join("stderr");
    let file = std::fs::File::create(&stderr).unwrap();
    let child = command.current_dir(folder).stdout(Stdio::null()).stderr(file).spawn().unwrap();
    Running { child, stderr }
}

/// A process that is killed on drop.
pub struct Running {
    pub child: Child,
    stderr: std::path::PathBuf,
}

impl Running {
    /// Its output on stderr so far.
    pub fn stderr(&self) -> String {
        after_first_line(&std::fs::read_to_string(&self.stderr).unwrap())
    }

    /// Waits until `there` holds for its stderr; the process must not end first.
    pub fn wait_until(&mut self, what: &str, there: impl Fn(&str) -> bool) {
        let start = Instant::now();
        while !there(&self.stderr()) {
            assert!(start.elapsed() < Duration::from_secs(300), "waited in vain for {what}: {}", self.stderr());
            let ended = self.child.try_wait().unwrap();
            assert!(ended.is_none(), "ended while waiting for {what}: {ended:?}: {}", self.stderr());
            std::thread::sleep(Duration::from_millis(2));
        }
    }

    /// Waits until `metrics` has rows for `updates` updates of two networks.
    pub fn wait_for_updates(&mut self, metrics: &Path, updates: usize) {
        let rows = || std::fs::read_to_string(metrics).map_or(0, |text| text.lines().count());
        self.wait_until("updates", |_| rows() > 2 * updates);
    }

    /// Sends a signal by its name.
    pub fn signal(&self, name: &str) {
        let sent = Command::new("kill").args(["-s", name, &self.child.id().to_string()]).status().unwrap();
        assert!(sent.success());
    }

    /// Waits for its end; returns the exit code and stderr.
    pub fn end(mut self) -> (Option<i32>, String) {
        let status = self.child.wait().unwrap();
        (status.code(), self.stderr())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Whether process `pid` ignores (`SigIgn`) or catches (`SigCgt`) signal `number`; false if unknown.
pub fn treats(pid: u32, how: &str, number: u32) -> bool {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix(how)?.strip_prefix(':'));
    mask.and_then(|digits| u64::from_str_radix(digits.trim(), 16).ok())
        .is_some_and(|mask| mask >> (number - 1) & 1 == 1)
}

/// The last update in a run's metrics.
pub fn last_update(run: &Path) -> u64 {
    hebbian_rnn::storage::read_metrics(&run.join("metrics.csv")).unwrap().last().map_or(0, |row| row.update)
}

/// The time for which a process has computed, in hundredths of a second; 0 if it has ended.
pub fn computed(pid: u32) -> u64 {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    // The name in parentheses may hold spaces; the twelfth field after it is the time in user mode.
    let after_name = stat.rsplit(')').next().unwrap_or_default();
    after_name.split_whitespace().nth(11).and_then(|ticks| ticks.parse().ok()).unwrap_or(0)
}
