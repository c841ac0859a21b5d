//! What draws found, to be printed.

use crate::interruption::Interruption;
use crate::judge::Difference;
use crate::process::Ended;
use crate::scene::Happened;
use std::collections::BTreeMap;
use std::path::PathBuf;

/// What a draw found.
pub struct Outcome {
    pub number: u64,
    pub kind: &'static str,
    /// The names of its interruptions.
    pub interruptions: Vec<&'static str>,
    /// What could not be done on this machine.
    pub skipped: Option<String>,
    /// Its processes and how they ended.
    pub story: Vec<String>,
    pub differences: Vec<Difference>,
    /// Where its files are, if it was asked to keep them.
    pub kept: Option<PathBuf>,
}

impl Outcome {
    /// Adds a process to the story.
    pub fn tell(&mut self, args: &[String], interruption: &Interruption, happened: &Happened) {
        let Ended { code, signal, stderr, .. } = &happened.ended;
        let end = code.map_or(format!("signal {}", signal.unwrap_or(0)), |code| format!("exit code {code}"));
        let late = if happened.too_late { " (too late)" } else { "" };
        self.story.push(format!("{} | {interruption:?}{late}: {end}\n{}", args.join(" "), indented(stderr)));
    }

    /// Prints what was found, and how it came to that.
    pub fn print(&self, seed: u64) {
        let Outcome { number, kind, interruptions, .. } = self;
        let mut text = format!("\nSEED={seed} DRAW={number}: {kind}: {}\n", interruptions.join(", "));
        const SHOWN: usize = 6;
        self.differences
            .iter()
            .take(SHOWN)
            .for_each(|Difference(class, what)| text += &format!("    {class}: {what}\n"));
        if self.differences.len() > SHOWN {
            text += &format!("    and {} more\n", self.differences.len() - SHOWN);
        }
        self.story.iter().for_each(|process| text += &format!("      {process}"));
        if let Some(folder) = &self.kept {
            text += &format!("    files: {}\n", folder.display());
        }
        println!("{text}");
    }
}

/// A table of draws and of those that found something.
pub fn table(outcomes: &[Outcome]) -> String {
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

fn indented(text: &str) -> String {
    let lines: Vec<&str> = text.lines().collect();
    let shown = lines.iter().take(6).map(|line| format!("        {}\n", line.chars().take(220).collect::<String>()));
    let more = if lines.len() > 6 { format!("        … {} lines\n", lines.len()) } else { String::new() };
    shown.chain([more]).collect()
}
