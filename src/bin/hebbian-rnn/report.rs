//! `hebbian-rnn report`.

use crate::args::ReportArgs;
use crate::output::print;
use crate::train::FINAL_TRIALS;
use crate::{read, Outcome};
use anyhow::{ensure, Result};
use candle_core::Device;
use hebbian_rnn::{evaluate, write_report, RunReport};
use indicatif::ProgressBar;
use std::time::Duration;

pub fn run(args: ReportArgs) -> Result<Outcome> {
    ensure!(args.run.is_dir(), "{} is not a run's folder", args.run.display());
    let checkpoint = read::to_run(&args.run, None, &Device::Cpu)?;
    let scores = evaluate(&checkpoint, FINAL_TRIALS, checkpoint.setup.config.train.seed)?;
    let mut page = RunReport { log: args.log, ..RunReport::of(&args.run, &checkpoint, &scores, FINAL_TRIALS)? };
    // Some take a minute; nothing is shown where stderr is no terminal.
    let bar = ProgressBar::new_spinner();
    bar.enable_steady_tick(Duration::from_millis(200));
    page.analyse(true, &|analysis| bar.set_message(analysis.title));
    bar.finish_and_clear();
    print(&write_report(&args.run, &page)?.display().to_string())?;
    Ok(Outcome::Done)
}
