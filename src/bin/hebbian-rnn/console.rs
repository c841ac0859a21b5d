//! The only place that prints without returning an error.
//!
//! Results go to stdout with `writeln!`, whose error ends the command. Stderr is a log: if it cannot be written, for example because
//! the disk is full or its reader is gone, the work continues.

use hebbian_rnn::text::printable;
use std::fmt::Display;
use std::io::{stderr, Write};

/// Prints lines on stderr. Control characters are escaped.
pub fn say(lines: impl Display) {
    for line in lines.to_string().lines() {
        let _ = writeln!(stderr(), "{}", printable(line));
    }
}
