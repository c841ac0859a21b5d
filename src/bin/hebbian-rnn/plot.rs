//! `hebbian-rnn plot`, and the pictures that `train` draws.

use crate::args::PlotArgs;
use crate::output::{usage, Spinner};
use crate::read;
use anyhow::{anyhow, bail, Result};
use candle_core::Device;
use hebbian_rnn::report::report_life;
use hebbian_rnn::report::{draw_learning_curves, draw_sample_trials, LearningCurve};
use hebbian_rnn::storage::{holds_a_life, CIRCUIT_PICTURE, LIFE_PICTURE};
use hebbian_rnn::storage::{LEARNING_CURVE, SAMPLE_TRIALS};
use hebbian_rnn::Checkpoint;
use std::io::{stdout, Write};
use std::path::{Path, PathBuf};

/// More runs than this cannot be told apart in one picture.
const MOST_RUNS: usize = 12;

pub fn run(args: PlotArgs) -> Result<()> {
    args.runs.iter().try_for_each(|run| read::ensure_folder(run))?;
    let spinner = Spinner::start("drawing");
    let pictures = match (&args.runs[..], args.out) {
        ([run], None) if holds_a_life(run) => draw_lives(run, &args.watch.neurons)?,
        ([run], None) => draw(run, &read::to_run(run, None, &Device::Cpu)?, args.log)?,
        (runs, out) => draw_together(runs, out, args.width_mm, args.log)?,
    };
    drop(spinner);
    Ok(writeln!(stdout(), "{}", pictures.join("\n"))?)
}

/// Draws all the pictures of a run; returns their paths.
pub fn draw(folder: &Path, checkpoint: &Checkpoint, log: bool) -> Result<Vec<String>> {
    LearningCurve::read(String::new(), &checkpoint.setup, folder)?.draw(folder, log)?;
    draw_sample_trials(folder, checkpoint)?;
    Ok([LEARNING_CURVE, SAMPLE_TRIALS].iter().flat_map(|stem| files(&folder.join(stem))).collect())
}

/// Draws the pictures of lives; returns their paths.
fn draw_lives(folder: &Path, watch: &[String]) -> Result<Vec<String>> {
    let (checkpoint, rows) = read::life(folder)?;
    usage(report_life(folder, &checkpoint, &rows, watch))?;
    Ok([LIFE_PICTURE, CIRCUIT_PICTURE].iter().flat_map(|stem| files(&folder.join(stem))).collect())
}

/// Draws the learning curves of several runs into one picture; returns its paths.
fn draw_together(runs: &[PathBuf], out: Option<PathBuf>, width_mm: f64, log: bool) -> Result<Vec<String>> {
    const PAPER: std::ops::RangeInclusive<f64> = 10.0..=2000.0;
    if !PAPER.contains(&width_mm) {
        return usage(Err(anyhow!("--width-mm is {width_mm}; expected 10 to 2000")));
    }
    if runs.len() > MOST_RUNS {
        return usage(Err(anyhow!("{} runs given; expected at most {MOST_RUNS}", runs.len())));
    }
    let out = out.unwrap_or_else(|| PathBuf::from("learning_curves"));
    if out.is_dir() {
        bail!("--out {} is a folder; expected the name of a picture file", out.display());
    }
    let read = |run: &PathBuf| -> Result<LearningCurve> {
        let setup = Checkpoint::read(run, &Device::Cpu)?.setup;
        Ok(LearningCurve::read(format!("{} ({})", run.display(), setup.config().rule.name), &setup, run)?)
    };
    let curves = draw_learning_curves(&runs.iter().map(read).collect::<Result<Vec<_>>>()?, log)?;
    if out.extension().is_some_and(|end| ["pdf", "png", "svg"].iter().any(|known| end == *known)) {
        curves.save_as(&out, width_mm)?;
        return Ok(vec![out.display().to_string()]);
    }
    curves.save(&out)?;
    Ok(files(&out).to_vec())
}

/// A picture's two files.
fn files(stem: &Path) -> [String; 2] {
    ["png", "svg"].map(|end| format!("{}.{end}", stem.display()))
}
