//! Files from elsewhere: 100,000 damaged ones, and not one panic, hang, or allocation beyond a small multiple of the file.
//!
//! A test binary of its own, for its allocator counts: every call under test is held against the bytes that its thread asked
//! for. What is damaged, and how, comes from a seeded generator, so a failure repeats; its message names the mutation.

mod allocation;
mod checkpoint;
mod damage;
mod findings;
mod inputs;
mod metrics;
mod round_trip;
mod settings;
mod task_file;
mod tasks;
mod valid;

use allocation::peak_of;
use hebbian_rnn::Result;
use std::error::Error;

/// What a reader may hold at its peak beside a multiple of the file: messages, defaults, one configuration.
const BASE: usize = 512 << 10;
/// How many times the file's size a reader may hold: one byte of JSON can become a value of 32, kept twice while a list grows.
const TIMES: usize = 64;

/// Calls `read` and checks that its outcome is a value or one line that says why not, and that it kept to its memory.
fn held_to_account<T>(what: &str, size: usize, read: impl FnOnce() -> Result<T>) -> Option<T> {
    let (outcome, peak) = peak_of(read);
    let allowed = BASE + TIMES * size;
    assert!(peak <= allowed, "{what}: held {peak} bytes for a file of {size}; allowed {allowed}");
    match outcome {
        Ok(value) => Some(value),
        Err(error) => {
            let message = error.to_string();
            // Causes may quote what they found; the command cuts them.
            assert!(
                !message.is_empty() && message.len() < 4000 + 2 * size,
                "{what}: {} bytes of message",
                message.len()
            );
            let mut causes = std::iter::successors(Some(&error as &dyn Error), |&error| error.source());
            let first_lines = causes.all(|cause| !cause.to_string().lines().next().unwrap_or("").trim().is_empty());
            assert!(first_lines, "{what}: a cause without a first line in {message:?}");
            None
        }
    }
}
