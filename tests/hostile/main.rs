//! Untrusted files: 100,000 damaged ones must cause no panic, no hang, and no allocation beyond a small multiple of the
//! file's size.
//!
//! This is a separate test binary because it replaces the allocator: every call under test is checked against the bytes
//! that its thread allocated. A seeded generator chooses the damage, so failures are reproducible; their messages name
//! the mutation.

mod allocation;
mod checkpoint;
mod damage;
mod findings;
mod inputs;
mod life;
mod metrics;
mod round_trip;
mod settings;
mod sweep;
mod task_file;
mod tasks;
mod valid;

use allocation::peak_of;
use hebbian_rnn::Result;
use std::error::Error;

/// The bytes a reader may hold at its peak besides a multiple of the file's size: messages, defaults, one
/// configuration.
const BASE: usize = 512 << 10;
/// The multiple of the file's size that a reader may hold: one byte of JSON can become a value of 32 bytes, held twice
/// while a list grows.
const TIMES: usize = 64;

/// Calls `read` and checks that it returns a value or an error with a message, and that it stays within its memory
/// limit.
fn held_to_account<T>(what: &str, size: usize, read: impl FnOnce() -> Result<T>) -> Option<T> {
    let (outcome, peak) = peak_of(read);
    let allowed = BASE + TIMES * size;
    assert!(peak <= allowed, "{what}: held {peak} bytes for a file of {size}; allowed {allowed}");
    match outcome {
        Ok(value) => Some(value),
        Err(error) => {
            let message = error.to_string();
            // Causes may quote what they found; the command shortens them.
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
