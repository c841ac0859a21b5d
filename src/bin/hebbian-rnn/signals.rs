//! Signals. Ctrl-C, SIGTERM, SIGHUP and SIGUSR1, which batch systems send ahead of a time limit, ask training to save and stop; a
//! second Ctrl-C stops it at once.

use anyhow::{Context, Result};
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::flag;
use std::os::raw::c_int;
use std::sync::atomic::AtomicBool;
use std::sync::Arc;

#[cfg(unix)]
const SIGNALS: [c_int; 4] = [SIGINT, SIGTERM, signal_hook::consts::SIGHUP, signal_hook::consts::SIGUSR1];
#[cfg(not(unix))]
const SIGNALS: [c_int; 2] = [SIGINT, SIGTERM];

/// Returns a flag that is set once a signal asks training to stop.
///
/// Signals that were ignored when the process started stay ignored: `nohup hebbian-rnn train …` outlives the terminal.
pub fn listen() -> Result<Arc<AtomicBool>> {
    let asked = Arc::new(AtomicBool::new(false));
    for signal in SIGNALS.into_iter().filter(|signal| !ignored(*signal)) {
        if signal == SIGINT {
            // This handler runs before the flag is set, so it takes effect only from the second Ctrl-C on.
            flag::register_conditional_shutdown(signal, 130, asked.clone()).context("listening for Ctrl-C")?;
        }
        flag::register(signal, asked.clone()).with_context(|| format!("listening for signal {signal}"))?;
    }
    Ok(asked)
}

/// Whether the process ignores a signal; false if that cannot be determined.
fn ignored(signal: c_int) -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let mask = mask.and_then(|digits| u64::from_str_radix(digits.trim(), 16).ok()).unwrap_or(0);
    mask >> (signal - 1) & 1 == 1
}
