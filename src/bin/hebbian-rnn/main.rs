//! The command `hebbian-rnn`: reads the arguments, calls the library, and turns the result into an exit code.

// They panic if nothing can be written; `console` prints to a log without panicking.
#![deny(clippy::print_stdout, clippy::print_stderr)]

mod analyse;
mod args;
mod bench;
mod compare;
mod console;
mod evaluate;
mod inspect;
mod lists;
mod live;
mod merge;
mod output;
mod plot;
mod progress;
mod read;
mod report;
mod results;
mod run;
mod scan;
mod shell;
mod signals;
mod simulate;
mod sweep;
mod train;

use anyhow::Context;
use args::{Cli, Command};
use clap::Parser;
use console::warn;
use hebbian_rnn::engine::Product;
use hebbian_rnn::text::printable;
use hebbian_rnn::Error;
use std::process::ExitCode;

#[cfg(target_env = "musl")]
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Marks an error in the request itself, rather than in carrying it out: exit code 2.
#[derive(Debug, thiserror::Error)]
#[error("wrong usage")]
struct Usage;

fn main() -> ExitCode {
    let cli = Cli::parse();
    // If this is unset, every matrix product on the CPU asks the file system for the number of processors.
    if cli.threads.is_some() || std::env::var_os("RAYON_NUM_THREADS").is_none() {
        let threads = cli.threads.unwrap_or_else(|| num_cpus::get() as u64);
        std::env::set_var("RAYON_NUM_THREADS", threads.to_string());
    }
    if cli.quiet {
        console::be_quiet();
    }
    // Runs on a thread of the pool: handing work to the pool from outside costs two context switches each time, which
    // is as much as the whole update of a small network.
    match rayon::scope(|_| run(cli.command)) {
        Ok(code) => code,
        Err(error) if closed_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => complain(error),
    }
}

fn run(command: Command) -> anyhow::Result<ExitCode> {
    Product::requested().context(Usage)?;
    let result = match command {
        Command::Train(args) => return train::run(&args),
        Command::Live(args) => return live::run(&args),
        Command::Sweep(args) => return sweep::run(args.command),
        Command::Merge(args) => merge::run(args),
        Command::Evaluate(args) => evaluate::run(args),
        Command::Simulate(args) => simulate::run(args),
        Command::Inspect(args) => inspect::run(args),
        Command::Plot(args) => plot::run(args),
        Command::Report(args) => report::run(args),
        Command::Analyse(args) => analyse::run(args),
        Command::Bench(args) => bench::run(args),
        Command::Compare(args) => compare::run(args),
        Command::Explain(args) => lists::explain(args),
        Command::Cite(args) => lists::cite(args),
        Command::Completions(args) => shell::completions(args),
        Command::Manual(args) => shell::manual(args),
        Command::Tasks(args) => lists::tasks(args),
        Command::Lives(args) => live::list(args),
        Command::Rules(args) => lists::rules(args),
        Command::Devices(args) => lists::devices(args),
    };
    result.map(|()| ExitCode::SUCCESS)
}

/// Whether the error is that the reader of our output, such as `head`, has closed the pipe.
fn closed_pipe(error: &anyhow::Error) -> bool {
    error
        .chain()
        .any(|cause| cause.downcast_ref::<std::io::Error>().is_some_and(|e| e.kind() == std::io::ErrorKind::BrokenPipe))
}

/// The text in one line, truncated if long: a name from a file can hold terminal escape sequences.
fn plain(text: &str) -> String {
    const MOST: usize = 2000;
    let cut = if text.chars().nth(MOST).is_some() { "…" } else { "" };
    printable(&text.chars().take(MOST).collect::<String>()) + cut
}

fn complain(error: anyhow::Error) -> ExitCode {
    let request = error.downcast_ref::<Usage>().is_some();
    // A missing file is not a usage error, whichever option names it.
    let missing = |cause: &Error| matches!(cause.root(), Error::Io { .. });
    let usage = request && !error.chain().any(|cause| cause.downcast_ref().is_some_and(missing));
    // Only printing results gives a bare I/O error; errors of files name the file.
    let printing = error.downcast_ref::<std::io::Error>().is_some();
    let mut text = String::from(if printing { "the results cannot be printed" } else { "" });
    for cause in error.chain().skip(usize::from(request)).map(ToString::to_string) {
        // candle repeats its message over many lines; the first is enough. An error may already include its cause.
        let line = cause.lines().next().unwrap_or_default().trim();
        if !text.contains(line) {
            text = if text.is_empty() { line.into() } else { format!("{text}: {line}") };
        }
    }
    warn(format_args!("error: {}", plain(&text)));
    ExitCode::from(if usage { 2 } else { 1 })
}
