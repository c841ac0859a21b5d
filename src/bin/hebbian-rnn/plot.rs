//! `hebbian-rnn plot`.

use crate::args::PlotArgs;
use crate::output::print;
use crate::{read, Outcome};
use anyhow::{ensure, Result};
use candle_core::Device;
use hebbian_rnn::checkpoint::Checkpoint;
use hebbian_rnn::{figures, metrics, task};
use std::path::Path;

pub fn run(args: PlotArgs) -> Result<Outcome> {
    ensure!(args.run.is_dir(), "{} is not a run's folder", args.run.display());
    let checkpoint = read::to_run(&args.run, None, &Device::Cpu)?;
    for picture in draw(&args.run, &checkpoint, args.log)? {
        print(&picture)?;
    }
    Ok(Outcome::Done)
}

/// Draws all the pictures of a run; returns their paths.
pub fn draw(folder: &Path, checkpoint: &Checkpoint, log: bool) -> Result<Vec<String>> {
    let task = task::build(&checkpoint.config.task)?;
    let rows = metrics::read(&folder.join(metrics::FILE_NAME))?;
    figures::draw_learning_curve(folder, &checkpoint.config, &*task, &rows, log)?;
    figures::draw_sample_trials(folder, checkpoint, &*task)?;
    let stems = ["learning_curve", "sample_trials"];
    Ok(stems
        .iter()
        .flat_map(|stem| ["png", "svg"].map(|end| folder.join(format!("{stem}.{end}")).display().to_string()))
        .collect())
}
