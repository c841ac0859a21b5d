//! Commands of every kind, interrupted in every way, end with the files of undisturbed ones.
//!
//! Each draw takes a command and one to three interruptions from a seed, runs the command again until it has succeeded, and
//! compares every file with what the undisturbed command writes ([`judge`] holds the rules). `cargo test` makes a few draws of each
//! kind. More of them, with a table at the end:
//!
//! ```sh
//! DRAWS=2000 SEED=7 cargo test --locked --test interruptions -- --nocapture
//! DRAW=123   SEED=7 cargo test --locked --test interruptions -- --nocapture    # one draw, whose files are kept
//! ```
//!
//! `HEBBIAN_RNN_PROGRAM` names another program to test, and `THREADS` how many draws run at once (2). A few interruptions need
//! strace, or root for a small file system. The draws are the same for a seed; when a signal arrives depends on the machine.

// Tests start the command itself.
#![allow(clippy::disallowed_methods)]
#![cfg(target_os = "linux")]

mod catalogue;
mod composed;
mod draw;
mod interruption;
mod judge;
mod outcome;
mod process;
mod reference;
mod scene;
mod tree;

use draw::play;
use outcome::{table, Outcome};
use reference::{has_strace, References};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::Mutex;

/// The number that `name` is set to in the environment.
fn number(name: &str) -> Option<u64> {
    let text = std::env::var(name).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{name} is `{text}`; expected a number")))
}

/// Plays draws, several at a time. Prints those that found something, with the draw's number.
fn play_all(seed: u64, draws: std::ops::Range<u64>, keep: bool) -> Vec<Outcome> {
    if !has_strace() {
        eprintln!("skipped: interruptions at a given call (strace is not installed, or may not be used)");
    }
    let (references, next, outcomes) = (References::default(), AtomicU64::new(draws.start), Mutex::new(Vec::new()));
    let work = || loop {
        let number = next.fetch_add(1, Ordering::SeqCst);
        if number >= draws.end {
            return;
        }
        let outcome = play(&references, seed, number, keep);
        if keep || !outcome.differences.is_empty() {
            outcome.print(seed);
        }
        outcomes.lock().unwrap().push(outcome);
    };
    let threads = number("THREADS").unwrap_or(2);
    std::thread::scope(|scope| (0..threads).for_each(|_| drop(scope.spawn(work))));
    let outcomes = outcomes.into_inner().unwrap();
    if let Some(why) = outcomes.iter().find_map(|outcome| outcome.skipped.as_ref()) {
        eprintln!("skipped: full disks: {why}");
    }
    outcomes
}

fn assert_nothing_found(outcomes: &[Outcome], seed: u64) {
    let found: Vec<String> =
        outcomes.iter().filter(|o| !o.differences.is_empty()).map(|o| o.number.to_string()).collect();
    assert!(
        found.is_empty(),
        "{} of {} draws found something: {}. One of them again, with its files kept: SEED={seed} DRAW={} cargo test --locked --test \
         interruptions -- --nocapture",
        found.len(),
        outcomes.len(),
        found.join(", "),
        found[0]
    );
}

/// A few draws of each kind, unless the environment asks for others.
#[test]
fn interrupted_commands_end_as_undisturbed_ones() {
    let seed = number("SEED").unwrap_or(1);
    let (draws, keep) = match number("DRAW") {
        Some(draw) => (draw..draw + 1, true),
        None => (0..number("DRAWS").unwrap_or(80), false),
    };
    let outcomes = play_all(seed, draws, keep);
    println!("{}", table(&outcomes));
    assert_nothing_found(&outcomes, seed);
}
