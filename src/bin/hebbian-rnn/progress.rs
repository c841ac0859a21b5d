//! Progress display: a bar on a terminal, a line every 30 seconds in a log.

use crate::console::{is_quiet, say, warn};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::io::{stderr, IsTerminal};
use std::sync::Mutex;
use std::time::{Duration, Instant};

/// The time between two lines in a log.
const EVERY: Duration = Duration::from_secs(30);

/// The progress of work that is done in steps. Threads can share it.
pub struct Progress {
    bar: ProgressBar,
    /// `None` on a terminal.
    log: Option<Mutex<Instant>>,
    started: Instant,
    first: u64,
    steps: &'static str,
}

impl Progress {
    /// Progress that starts at step `first` of `limit`, which is `None` for work without a limit.
    pub fn new(steps: &'static str, first: u64, limit: Option<u64>) -> Self {
        let bar = limit.map_or_else(ProgressBar::no_length, ProgressBar::new);
        let style = ProgressStyle::with_template(&format!("{{bar:30}} {{pos}}/{{len}} {steps}  {{msg}}  {{eta}} left"));
        bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
        bar.set_position(first);
        bar.reset_eta();
        let started = Instant::now();
        if is_quiet() {
            bar.set_draw_target(ProgressDrawTarget::hidden());
        }
        Progress { bar, log: (!stderr().is_terminal()).then(|| Mutex::new(started)), started, first, steps }
    }

    /// The first line of a log.
    pub fn begin(&self, line: impl FnOnce() -> String) {
        if self.log.is_some() {
            say(line());
        }
    }

    /// Seconds since the work began.
    pub fn seconds(&self) -> f64 {
        self.started.elapsed().as_secs_f64()
    }

    /// The work is at `position`; `message` describes it.
    pub fn set(&self, position: u64, message: impl FnOnce() -> String) {
        self.bar.set_position(position);
        self.show(message);
    }

    /// One step is done.
    pub fn step(&self, message: impl FnOnce() -> String) {
        self.bar.inc(1);
        self.show(message);
    }

    /// Shows a message beside the bar; in a log, if it is time for a line.
    pub fn show(&self, message: impl FnOnce() -> String) {
        let Some(log) = &self.log else { return self.bar.set_message(message()) };
        let Ok(mut last) = log.try_lock() else { return };
        if last.elapsed() < EVERY {
            return;
        }
        *last = Instant::now();
        let position = self.bar.position();
        let done = position.saturating_sub(self.first) as f64;
        let rest = self.bar.length().filter(|_| done > 0.0).map(|limit| limit.saturating_sub(position) as f64);
        let left = rest.map(|rest| rest * self.seconds() / done);
        let of = self.bar.length().map_or(String::new(), |limit| format!(" of {limit}"));
        let left = left.map_or(String::new(), |seconds| format!(", {} left", in_words(seconds)));
        say(format_args!("{position}{of} {}: {}{left}", self.steps, message()));
    }

    /// Prints a line without disturbing the bar.
    pub fn say(&self, line: &str) {
        self.bar.suspend(|| warn(line));
    }

    /// Removes the bar.
    pub fn end(&self) {
        self.bar.finish_and_clear();
    }
}

/// A duration such as 2 h 10 min.
fn in_words(seconds: f64) -> String {
    let seconds = seconds.round() as u64;
    match (seconds / 3600, seconds % 3600 / 60, seconds % 60) {
        (0, 0, seconds) => format!("{seconds} s"),
        (0, minutes, seconds) => format!("{minutes} min {seconds} s"),
        (hours, minutes, _) => format!("{hours} h {minutes} min"),
    }
}
