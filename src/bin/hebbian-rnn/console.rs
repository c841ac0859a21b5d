//! The only place that prints without returning an error.
//!
//! Results go to stdout with `writeln!`, whose error ends the command. Stderr is a log: if it cannot be written, for example because
//! the disk is full or its reader is gone, the work continues.

use hebbian_rnn::text::printable;
use std::fmt::Display;
use std::io::{stderr, Write};
use std::sync::atomic::{AtomicBool, Ordering};

/// Whether only warnings and errors are printed.
static QUIET: AtomicBool = AtomicBool::new(false);

/// From now on, prints only warnings and errors.
pub fn be_quiet() {
    QUIET.store(true, Ordering::Relaxed);
}

/// Whether only warnings and errors are printed.
pub fn is_quiet() -> bool {
    QUIET.load(Ordering::Relaxed)
}

/// Prints lines about the progress of work on stderr.
pub fn say(lines: impl Display) {
    if !is_quiet() {
        warn(lines);
    }
}

/// Prints lines on stderr, also for `--quiet`. Control characters are escaped.
pub fn warn(lines: impl Display) {
    for line in lines.to_string().lines() {
        let _ = writeln!(stderr(), "{}", printable(line));
    }
}
