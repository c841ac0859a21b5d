//! `hebbian-rnn report`, and the page that `train` writes.

use crate::args::ReportArgs;
use crate::output::{usage, Spinner};
use crate::read;
use crate::results::FINAL_TRIALS;
use anyhow::Result;
use candle_core::Device;
use hebbian_rnn::analysis::Analysis;
use hebbian_rnn::report::{report_life, write_report, RunReport};
use hebbian_rnn::storage::{holds_a_life, REPORT_FILE};
use hebbian_rnn::{evaluate, Checkpoint, Score};
use std::io::{stdout, Write};
use std::path::{Path, PathBuf};

pub fn run(args: ReportArgs) -> Result<()> {
    read::ensure_folder(&args.run)?;
    if holds_a_life(&args.run) {
        let (checkpoint, rows) = read::life(&args.run)?;
        usage(report_life(&args.run, &checkpoint, &rows, &args.watch.neurons))?;
        return Ok(writeln!(stdout(), "{}", args.run.join(REPORT_FILE).display())?);
    }
    let checkpoint = read::to_run(&args.run, None, &Device::Cpu)?;
    // Some analyses take a minute.
    let spinner = Spinner::with_log("testing the networks");
    let scores = evaluate(&checkpoint, FINAL_TRIALS, checkpoint.setup.config().train.seed)?;
    let page = write(&args.run, &checkpoint, &scores, args.log, Some(&|analysis| spinner.say(analysis.title)))?;
    drop(spinner);
    Ok(writeln!(stdout(), "{}", page.display())?)
}

/// Writes a run's page and returns its path. With `progress`, which is called before each analysis, all analyses that
/// apply are included; without it, only the quick ones.
pub fn write(
    folder: &Path,
    checkpoint: &Checkpoint,
    scores: &[Score],
    log: bool,
    progress: Option<&dyn Fn(&Analysis)>,
) -> Result<PathBuf> {
    let mut page = RunReport { log, ..RunReport::of(folder, checkpoint, scores, FINAL_TRIALS)? };
    page.analyse(progress.is_some(), progress.unwrap_or(&|_| ()));
    Ok(write_report(folder, &page)?)
}
