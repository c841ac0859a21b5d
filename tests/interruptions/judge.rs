//! What is expected of a command that was disturbed: every rule, and every exception from one, is in this file.
//!
//! 1. A process ends by itself, never by a panic or a fault, and with an exit code that fits what happened to it.
//! 2. It says each thing once: a warning when writing begins to fail, one when it works again, and one if its folder was removed.
//! 3. Once a command has succeeded, all files are those of the undisturbed command, to the byte, and there are no others.
//!    Exceptions: the text in locks; earlier checkpoints (`checkpoint.1.safetensors` …), if signals or failing disks moved the moments
//!    of saving: these have to be whole, and each older than the one after it; what `merge --force` moved aside; and the page, if it
//!    had to be written by `report`.
//! 4. Its output is then that of the undisturbed command. Exceptions: times, speeds, and what only this process did.

use crate::interruption::{Fate, Interruption};
use crate::process::{Ended, Process, Sink};
use crate::scene::Happened;
use crate::tree::Tree;
use std::collections::HashMap;
use std::path::Path;

/// One violation of a rule: which kind, and the details.
#[derive(Clone, Debug)]
pub struct Difference(pub &'static str, pub String);

/// Rule 1.
pub fn end(happened: &Happened, interruption: &Interruption, fails: bool) -> Option<Difference> {
    let Ended { code, signal, stderr, hung, .. } = &happened.ended;
    let found = format!("exit code {code:?}, signal {signal:?}, after {interruption:?}: {}", last_lines(stderr));
    if *hung {
        return Some(Difference("hangs", found));
    }
    if stderr.contains("panicked")
        || matches!(code, Some(101 | 134 | 139))
        || matches!(signal, Some(4 | 6 | 7 | 8 | 11))
    {
        return Some(Difference("panic", found));
    }
    if matches!(code, Some(137)) {
        return None; // strace, if what it runs is killed.
    }
    let failed = *code == Some(1) && stderr.lines().last().is_some_and(|line| line.starts_with("error: "));
    let good = *code == Some(0) || fails && *code == Some(1);
    let expected = good
        || match interruption {
            Interruption::Nothing => false,
            Interruption::Kill(_) | Interruption::KillAt { .. } => *signal == Some(9),
            // 127: the program could not be loaded, since calls of its first thread fail, too.
            // Nor can an error be printed where nothing can be written.
            Interruption::Fail { call, .. } => failed || *code == Some(127) || call == "write" && *code == Some(1),
            Interruption::FullDisk { .. } => failed,
            // The last save of training may find the folder gone.
            Interruption::Folder { fate, .. } => failed && (happened.at_the_end || *fate == Fate::Replaced),
            Interruption::Streams { stdout, .. } => *stdout != Sink::File && *code == Some(1),
            Interruption::Signals { names, .. } if happened.deaf => {
                let numbers = names.iter().map(|name| match *name {
                    "HUP" => 1,
                    "INT" => 2,
                    "USR1" => 10,
                    _ => 15,
                });
                *code == Some(130) || numbers.into_iter().any(|number| *signal == Some(number))
            }
            Interruption::Signals { names, .. } => {
                let resumes = stderr.lines().last().is_some_and(|line| line.starts_with("  hebbian-rnn "));
                *code == Some(130) && (resumes || names.len() > 1)
            }
        };
    (!expected).then_some(Difference("exit code", found))
}

/// Rule 2.
pub fn words(stderr: &str, interruption: &Interruption) -> Option<Difference> {
    let mut counts: HashMap<String, usize> = HashMap::new();
    for line in stderr.lines() {
        let warning = line.starts_with("warning:");
        *counts.entry(if warning { without_numbers(line) } else { line.to_string() }).or_default() += 1;
        let most = if warning { 1 } else { 2 };
        if counts.values().any(|count| *count > most) {
            let begin: String = line.chars().take(20).collect();
            let all = stderr.lines().filter(|other| other.starts_with(&begin)).count();
            return Some(Difference("repeated", format!("{all} lines such as: {line}")));
        }
    }
    let warnings = counts.keys().filter(|line| line.starts_with("warning:") && !about_pictures(line));
    let mut outages: HashMap<String, usize> = HashMap::new();
    warnings.for_each(|line| *outages.entry(job(line)).or_default() += 1);
    let most = outages.into_values().max().unwrap_or(0);
    // One more says that files were removed.
    let allowed = if matches!(interruption, Interruption::Folder { .. }) { 3 } else { 2 };
    (most > allowed).then(|| Difference("repeated", format!("{most} warnings: {stderr}")))
}

/// Whether a line says that pictures or the page could not be written.
pub fn about_pictures(line: &str) -> bool {
    line.starts_with("warning: no pictures") || line.starts_with("warning: no report")
}

/// The commands by which a process says that pictures can be drawn later, as the arguments of the program.
pub fn remedies(stderr: &str) -> Vec<Vec<String>> {
    let lines = stderr.lines().filter(|line| about_pictures(line));
    let commands = lines.filter_map(|line| line.rsplit_once(": hebbian-rnn "));
    commands.map(|(_, args)| args.split_whitespace().map(str::to_string).collect()).collect()
}

/// The job that a line of a sweep is about.
fn job(line: &str) -> String {
    let after = line.split("jobs/").nth(1).or_else(|| line.split("job ").nth(1)).unwrap_or_default();
    after.chars().take_while(char::is_ascii_digit).collect()
}

/// The line without its numbers, except that of a job, and without the random ends of temporary names.
fn without_numbers(line: &str) -> String {
    let masked: String = line.chars().map(|c| if c.is_ascii_digit() { '#' } else { c }).collect();
    format!("{} {masked}", job(line)).trim_start().to_string()
}

/// Rule 3, for the tree that a command leaves; `at` is where it is.
pub fn files(found: &Tree, expected: &Tree, saves_moved: bool, at: &Path) -> Vec<Difference> {
    let mut differences = Vec::new();
    for (name, bytes) in expected {
        let difference = match found.get(name) {
            None => Difference("missing", name.clone()),
            Some(other) if other != bytes => {
                Difference("differs", format!("{name}: {}", first_difference(other, bytes)))
            }
            Some(_) => continue,
        };
        differences.push((name, difference));
    }
    for name in found.keys().filter(|name| !expected.contains_key(*name)) {
        let class = if name.contains(".writing-") { "leftover" } else { "extra" };
        differences.push((name, Difference(class, name.clone())));
    }
    let excepted = |name: &str| {
        let moved_aside = name.split('/').next().is_some_and(|first| first.starts_with("merged."));
        moved_aside || saves_moved && earlier(name).is_some_and(|(newer, _)| is_earlier(name, &newer, found, at))
    };
    differences.retain(|(name, _)| !excepted(name));
    differences.into_iter().map(|(_, difference)| difference).collect()
}

/// For the name of an earlier checkpoint, that of the next newer one and its own number.
fn earlier(name: &str) -> Option<(String, u64)> {
    let (folder, number) = name.strip_suffix(".safetensors")?.rsplit_once("checkpoint.")?;
    let number = number.parse().ok()?;
    let newer = if number == 1 { String::new() } else { format!("{}.", number - 1) };
    Some((format!("{folder}checkpoint.{newer}safetensors"), number))
}

/// Whether an earlier checkpoint is missing, or whole and older than the next.
fn is_earlier(name: &str, newer: &str, found: &Tree, at: &Path) -> bool {
    let age = |name: &str| {
        let log = tempfile::TempDir::new().unwrap();
        let args = ["inspect", name, "--json"].map(str::to_string);
        let ended = Process::start(&[], &args, at, &log.path().join("inspect"), [Sink::File; 2]).end();
        let json: serde_json::Value = serde_json::from_str(&ended.stdout).unwrap_or_default();
        let whole = ended.code == Some(0) && json["integrity"] == "whole";
        json["updates"].as_u64().or(json["blocks"].as_u64()).filter(|_| whole)
    };
    !found.contains_key(name) || matches!((age(name), age(newer)), (Some(own), Some(next)) if own < next)
}

/// What was changed in another run's folder.
pub fn touched(before: &Tree, after: &Tree, name: &str) -> Option<String> {
    let differences = files(after, before, false, Path::new("."));
    (!differences.is_empty()).then(|| format!("another run, in {name}: {differences:?}"))
}

fn first_difference(found: &[u8], expected: &[u8]) -> String {
    let sizes = format!("{} bytes and not {}", found.len(), expected.len());
    let (Ok(found), Ok(expected)) = (std::str::from_utf8(found), std::str::from_utf8(expected)) else { return sizes };
    let pairs = found.lines().zip(expected.lines());
    let short = |line: &str| line.chars().take(120).collect::<String>();
    pairs
        .zip(1..)
        .find(|((a, b), _)| a != b)
        .map_or(sizes, |((a, b), line)| format!("line {line}: {} | {}", short(a), short(b)))
}

/// Rule 4: the figures in the output of a command that has succeeded.
pub fn figures(stdout: &str) -> Vec<String> {
    let own = [" trials per second", " per second", "simulated seconds, in", "\"seconds\":", "\"trials_per_second\":"];
    let own = [&own[..], &["\"simulated_seconds\":", "\"world_steps\":"]].concat();
    let lines = stdout.lines().filter(|line| !own.iter().any(|part| line.contains(part)));
    // Of the errors while training, the first is that of this process's first update.
    let last = |line: &str| match line.split_once(" while training: ") {
        Some((_, figures)) => figures.split_once("update, ").map_or(String::new(), |(_, last)| last.to_string()),
        None => line.trim_end().to_string(),
    };
    lines.map(last).filter(|line| !line.is_empty()).collect()
}

/// Compares the output of a command with that of the undisturbed one; `None` if they agree, or if there was nothing left to do.
pub fn output(found: &Ended, expected: &Ended) -> Option<Difference> {
    // Of networks that have all diverged, that is an error.
    let nothing_to_do =
        found.stdout.contains("this run is finished") || found.code == Some(1) && found.stdout.is_empty();
    if nothing_to_do || found.stderr.lines().any(about_pictures) {
        return None;
    }
    let (found, expected) = (figures(&found.stdout), figures(&expected.stdout));
    let training = |line: &String| line.ends_with("in the last (mean over networks)");
    // A process that only draws pictures does not train.
    let expected: Vec<_> = expected.into_iter().filter(|line| !training(line) || found.iter().any(training)).collect();
    let longest = found.len().max(expected.len());
    let line = |lines: &[String], k: usize| lines.get(k).cloned().unwrap_or_default();
    let k = (0..longest).find(|k| line(&found, *k) != line(&expected, *k))?;
    Some(Difference("output", format!("{:?}, not {:?}", line(&found, k), line(&expected, k))))
}

fn last_lines(text: &str) -> String {
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(3)..].join(" / ")
}
