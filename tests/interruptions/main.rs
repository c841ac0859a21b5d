//! Commands of every kind, interrupted in every way, end with the files of undisturbed ones.
//!
//! Each draw takes a command and one to three interruptions from a seed, runs the command again until it has succeeded, and
//! compares every file with what the undisturbed command writes ([`judge`] holds the rules). `cargo test` makes a few draws of each
//! kind. More of them, with a table at the end:
//!
//! ```sh
//! DRAWS=2000 SEED=7 cargo test --locked --test interruptions -- --ignored --nocapture
//! DRAW=123   SEED=7 cargo test --locked --test interruptions -- --ignored --nocapture    # one draw, whose files are kept
//! ```
//!
//! `HEBBIAN_RNN_PROGRAM` names another program to test, and `THREADS` how many draws run at once (2). A few interruptions need
//! strace, or root for a small file system. The draws are the same for a seed; when a signal arrives depends on the machine.

// Tests start the command itself.
#![allow(clippy::disallowed_methods)]
#![cfg(target_os = "linux")]

mod catalogue;
mod draw;
mod interruption;
mod judge;
mod process;
mod reference;
mod tree;

use draw::{play, Outcome};
use reference::{has_strace, References};
use std::collections::BTreeMap;
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
            print(&outcome, seed);
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

fn print(outcome: &Outcome, seed: u64) {
    let Outcome { number, kind, interruptions, .. } = outcome;
    let mut text = format!("\nSEED={seed} DRAW={number}: {kind}: {}\n", interruptions.join(", "));
    outcome.differences.iter().for_each(|judge::Difference(class, what)| text += &format!("    {class}: {what}\n"));
    outcome.story.iter().for_each(|process| text += &format!("      {process}"));
    if let Some(folder) = &outcome.kept {
        text += &format!("    files: {}\n", folder.display());
    }
    println!("{text}");
}

/// A table of draws and of those that found something.
fn table(outcomes: &[Outcome]) -> String {
    let mut rows: BTreeMap<(&str, &str), (usize, usize)> = BTreeMap::new();
    let mut count = |group, name, bad: bool| {
        let (draws, found) = rows.entry((group, name)).or_default();
        *draws += 1;
        *found += usize::from(bad);
    };
    for outcome in outcomes {
        let bad = !outcome.differences.is_empty();
        count("command", outcome.kind, bad);
        outcome.interruptions.iter().for_each(|name| count("interruption", *name, bad));
        outcome.differences.iter().for_each(|difference| count("difference", difference.0, true));
        count("total", "", bad);
    }
    let line = |((group, name), (draws, found)): (&(&str, &str), &(usize, usize))| {
        format!("{group:<14}{name:<24}{draws:>6}{found:>6}\n")
    };
    format!("{:<38}{:>6}{:>6}\n", "", "draws", "found") + &rows.iter().map(line).collect::<String>()
}

fn assert_nothing_found(outcomes: &[Outcome], seed: u64) {
    let found: Vec<String> = outcomes.iter().filter(|o| !o.differences.is_empty()).map(|o| o.number.to_string()).collect();
    assert!(
        found.is_empty(),
        "{} of {} draws found something: {}. One of them again, with its files kept: SEED={seed} DRAW={} cargo test --locked --test \
         interruptions -- --ignored --nocapture",
        found.len(),
        outcomes.len(),
        found.join(", "),
        found[0]
    );
}

#[test]
fn interrupted_commands_end_as_undisturbed_ones() {
    let outcomes = play_all(1, 0..80, false);
    assert_nothing_found(&outcomes, 1);
}

#[test]
#[ignore = "as long as DRAWS says"]
fn many_draws() {
    let seed = number("SEED").unwrap_or(2);
    let (draws, keep) = match number("DRAW") {
        Some(draw) => (draw..draw + 1, true),
        None => (0..number("DRAWS").unwrap_or(500), false),
    };
    let outcomes = play_all(seed, draws, keep);
    println!("{}", table(&outcomes));
    assert_nothing_found(&outcomes, seed);
}
