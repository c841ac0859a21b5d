//! The only place that prints without returning an error.
//!
//! Results go to stdout with `writeln!`, whose error ends the command. What goes to stderr is a log: where it cannot be written, as on
//! a full disk or once its reader is gone, the work continues.

use hebbian_rnn::text::printable;
use std::fmt::Display;
use std::io::{stderr, Write};

/// Prints lines on stderr. Characters that a terminal would obey are escaped.
pub fn say(lines: impl Display) {
    for line in lines.to_string().lines() {
        let _ = writeln!(stderr(), "{}", printable(line));
    }
}
