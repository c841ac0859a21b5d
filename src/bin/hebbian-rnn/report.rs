//! `hebbian-rnn report`.

use crate::args::ReportArgs;
use crate::output::print;
use crate::train::FINAL_TRIALS;
use crate::Outcome;
use anyhow::{ensure, Result};
use candle_core::Device;
use hebbian_rnn::checkpoint::Checkpoint;
use hebbian_rnn::evaluate::{evaluate, Score};
use hebbian_rnn::report::{self, Report};
use hebbian_rnn::task::{self, Task};
use std::path::{Path, PathBuf};

pub fn run(args: ReportArgs) -> Result<Outcome> {
    ensure!(args.run.is_dir(), "{} is not a run's folder", args.run.display());
    let checkpoint = Checkpoint::read(&args.run, &Device::Cpu)?;
    let task = task::build(&checkpoint.config.task)?;
    let scores = evaluate(&checkpoint, &*task, FINAL_TRIALS, checkpoint.config.train.seed)?;
    let page = write(&args.run, &checkpoint, &*task, &scores, args.log)?;
    print(&page.display().to_string())?;
    Ok(Outcome::Done)
}

/// Writes the page of a run whose networks had `scores` on [`FINAL_TRIALS`] fresh trials; returns its path.
pub fn write(folder: &Path, checkpoint: &Checkpoint, task: &dyn Task, scores: &[Score], log: bool) -> Result<PathBuf> {
    let page = Report { log, ..Report::of(folder, checkpoint, task, scores, FINAL_TRIALS)? };
    report::write(folder, &page)
}
