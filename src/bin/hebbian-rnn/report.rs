//! `hebbian-rnn report`.

use crate::args::ReportArgs;
use crate::output::print;
use crate::train::FINAL_TRIALS;
use crate::Outcome;
use anyhow::{ensure, Result};
use candle_core::Device;
use hebbian_rnn::checkpoint::Checkpoint;
use hebbian_rnn::evaluate::evaluate;
use hebbian_rnn::report::{self, Report};
use hebbian_rnn::task;

pub fn run(args: ReportArgs) -> Result<Outcome> {
    ensure!(args.run.is_dir(), "{} is not a run's folder", args.run.display());
    let checkpoint = Checkpoint::read(&args.run, &Device::Cpu)?;
    let task = task::build(&checkpoint.config.task)?;
    let scores = evaluate(&checkpoint, &*task, FINAL_TRIALS, checkpoint.config.train.seed)?;
    let mut page = Report { log: args.log, ..Report::of(&args.run, &checkpoint, &*task, &scores, FINAL_TRIALS)? };
    page.analyse(true);
    print(&report::write(&args.run, &page)?.display().to_string())?;
    Ok(Outcome::Done)
}
