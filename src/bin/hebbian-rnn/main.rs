//! The command `hebbian-rnn`: reads arguments, calls the library, and turns the outcome into an exit code.

mod analyse;
mod args;
mod bench;
mod compare;
mod devices;
mod evaluate;
mod inspect;
mod lists;
mod output;
mod plot;
mod read;
mod report;
mod signals;
mod simulate;
mod train;

use args::{Cli, Command};
use clap::Parser;
use std::process::ExitCode;

/// Something was asked for that cannot be: exit code 2.
#[derive(Debug)]
struct Usage;

impl std::fmt::Display for Usage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("wrong usage")
    }
}

/// How a command that did not fail ended.
enum Outcome {
    Done,
    Interrupted,
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    // Without it, every matrix product on the CPU counts the processors anew through the file system.
    if std::env::var_os("RAYON_NUM_THREADS").is_none() {
        std::env::set_var("RAYON_NUM_THREADS", num_cpus::get().to_string());
    }
    // On a thread of the pool: handing work to the pool from outside costs two switches of threads each time, as much as
    // a small network's whole update.
    let outcome = rayon::scope(|_| run(cli.command));
    match outcome {
        Ok(Outcome::Done) => ExitCode::SUCCESS,
        Ok(Outcome::Interrupted) => ExitCode::from(130),
        Err(error) if closed_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => complain(error),
    }
}

fn run(command: Command) -> anyhow::Result<Outcome> {
    match command {
        Command::Train(args) => train::run(*args),
        Command::Evaluate(args) => evaluate::run(args),
        Command::Simulate(args) => simulate::run(args),
        Command::Inspect(args) => inspect::run(args),
        Command::Plot(args) => plot::run(args),
        Command::Report(args) => report::run(args),
        Command::Analyse(args) => analyse::run(args),
        Command::Bench(args) => bench::run(args),
        Command::Compare(args) => compare::run(args),
        Command::Tasks(args) => lists::tasks(args),
        Command::Rules(args) => lists::rules(args),
        Command::Devices(args) => devices::run(args),
    }
}

/// Whether whoever read our output has gone, as `head` does.
fn closed_pipe(error: &anyhow::Error) -> bool {
    error
        .chain()
        .any(|cause| cause.downcast_ref::<std::io::Error>().is_some_and(|e| e.kind() == std::io::ErrorKind::BrokenPipe))
}

/// What a terminal would act on, such as an escape sequence in a name from a file, spelled out; no more than a screen of it.
fn plain(text: &str) -> String {
    const MOST: usize = 2000;
    let spelled = |c: char| if c.is_control() { c.escape_debug().collect() } else { String::from(c) };
    let cut = if text.chars().nth(MOST).is_some() { "…" } else { "" };
    text.chars().take(MOST).map(spelled).collect::<String>() + cut
}

fn complain(error: anyhow::Error) -> ExitCode {
    let usage = error.downcast_ref::<Usage>().is_some();
    let causes = error.chain().map(ToString::to_string).skip(usize::from(usage));
    // candle repeats itself over many lines; the first line of each cause says it.
    let first_lines: Vec<String> =
        causes.map(|cause| cause.lines().next().unwrap_or_default().trim().to_string()).collect();
    eprintln!("error: {}", plain(&first_lines.join(": ")));
    ExitCode::from(if usage { 2 } else { 1 })
}
