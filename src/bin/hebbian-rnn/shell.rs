//! `hebbian-rnn completions` and `hebbian-rnn manual`: completions and manual pages.

use crate::args::{Cli, CompletionsArgs, ManualArgs};
use anyhow::{Context, Result};
use clap::CommandFactory;
use std::io::{stdout, Write};

pub fn completions(args: CompletionsArgs) -> Result<()> {
    let mut text = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "hebbian-rnn", &mut text);
    Ok(stdout().write_all(&text)?)
}

pub fn manual(args: ManualArgs) -> Result<()> {
    let pages = || {
        std::fs::create_dir_all(&args.folder)?;
        clap_mangen::generate_to(Cli::command(), &args.folder)
    };
    pages().with_context(|| format!("writing the manual to {}", args.folder.display()))
}
