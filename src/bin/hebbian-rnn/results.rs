//! The results of training: the final table, the pictures and the page.

use crate::args::TrainArgs;
use crate::console::warn;
use crate::output::{counted, print_json, print_scores, rounded, Spinner};
use crate::train::Watch;
use crate::{plot, report};
use anyhow::Result;
use candle_core::DType;
use hebbian_rnn::quantile::quantile_with_missing;
use hebbian_rnn::runs::{name_trials, run_fresh};
use hebbian_rnn::{evaluate, Checkpoint, Score};
use serde_json::json;
use std::io::{stdout, Write};
use std::path::Path;

/// Fresh trials per network for the final table.
pub const FINAL_TRIALS: u64 = 400;

/// Evaluates the networks, draws the pictures, writes the page, and prints the results of training.
pub fn summarise(args: &TrainArgs, checkpoint: &Checkpoint, watch: &Watch, seconds: f64, out: &Path) -> Result<()> {
    let (config, task) = (checkpoint.setup.config(), checkpoint.setup.task());
    let networks = config.train.networks.count() as u64;
    let new_updates = checkpoint.updates - watch.first_update;
    let new_trials = new_updates * config.train.batch as u64 * networks;
    let speed = new_trials as f64 / seconds.max(1e-9);
    let spinner = Spinner::start("testing and drawing the networks");
    let scores = evaluate(checkpoint, FINAL_TRIALS, config.train.seed)?;
    let written = draw_and_report(checkpoint, &scores, out, args.log);
    drop(spinner);
    if args.json {
        return print_json(&json!({
            "task": task.name(),
            "out": out,
            "updates": checkpoint.updates,
            "trials": checkpoint.trials(),
            "seconds": seconds,
            "trials_per_second": speed,
            "world_steps": (watch.world_steps > 0).then_some(watch.world_steps),
            "evaluation_trials": FINAL_TRIALS,
            "networks": scores,
        }));
    }
    let mut console = stdout();
    if new_trials > 0 {
        writeln!(
            console,
            "{} ({}, {}) in {seconds:.1} s: {speed:.0} trials per second",
            counted(new_trials, "trial"),
            counted(networks, "network"),
            counted(new_updates, "update")
        )?;
    }
    if let Some((first, last)) = watch.measured {
        let what = task.measure().word();
        writeln!(
            console,
            "{what} while training: {first:.3} in the first update, {last:.3} in the last (mean over networks)"
        )?;
    }
    if watch.world_steps > 0 {
        let (steps, speed) = (watch.world_steps, watch.world_steps as f64 / seconds.max(1e-9));
        writeln!(console, "{steps} environment steps: {speed:.0} per second")?;
        let unchanged = watch.measured.filter(|(first, last)| first == last && new_updates > 1);
        if let (Some((always, _)), Some(solved)) = (unchanged, task.solved()) {
            if always < solved {
                writeln!(
                    console,
                    "hint: the return was {always} at first and is {always} now; if no episode earns more, there is nothing to learn \
                     from: explore more (readout.perturbation, perturbation.amplitude), or reward first steps towards the goal"
                )?;
            }
        }
    }
    if let Some((error, why)) = task.chance() {
        writeln!(console, "chance is an error of {}: {why}", rounded(error))?;
    }
    writeln!(console, "\nafter training, on {}, without perturbations:", name_trials(task, FINAL_TRIALS))?;
    print_scores(&scores)?;
    print_criterion(&scores)?;
    if task.trials().is_some_and(|task| task.printable()) && checkpoint.frozen[0].is_none() {
        print_sample(checkpoint)?;
    }
    if !written.is_empty() {
        writeln!(console, "\n{}", written.join("\n"))?;
    }
    Ok(())
}

/// Draws the pictures and writes the page; returns their paths. A failure to write them is only a warning: the run itself is saved.
pub fn draw_and_report(checkpoint: &Checkpoint, scores: &[Score], out: &Path, log: bool) -> Vec<String> {
    let mut written = plot::draw(out, checkpoint, log).unwrap_or_else(|why| {
        warn(format_args!("warning: no pictures: {why:#}; to draw them later: hebbian-rnn plot {}", out.display()));
        Vec::new()
    });
    match report::write(out, checkpoint, scores, log, None) {
        Ok(page) => written.push(page.display().to_string()),
        Err(why) => {
            warn(format_args!("warning: no report: {why:#}; to write it later: hebbian-rnn report {}", out.display()))
        }
    }
    written
}

/// Prints how many networks reached the criterion, and when; for a single network, its row already says so.
fn print_criterion(scores: &[Score]) -> Result<()> {
    let trials: Vec<Option<f64>> = scores.iter().map(|s| s.criterion_trials.map(|t| t as f64)).collect();
    let reached = trials.iter().flatten().count();
    if trials.len() == 1 || reached == 0 {
        return Ok(());
    }
    let quantile = |q| quantile_with_missing(&trials, q);
    let when = match (quantile(0.25), quantile(0.5), quantile(0.75)) {
        (Some(first), Some(median), Some(third)) => format!("median {median:.0}, quartiles {first:.0} and {third:.0}"),
        (Some(first), Some(median), None) => {
            format!("median {median:.0}, first quartile {first:.0}, third not reached")
        }
        (first, ..) => {
            let (name, trials) = match first {
                Some(first) => ("first quartile", first),
                None => ("earliest", trials.iter().flatten().copied().fold(f64::INFINITY, f64::min)),
            };
            format!("{name} {trials:.0}, median not reached")
        }
    };
    writeln!(stdout(), "\ncriterion reached by {reached} of {} networks; trials to criterion: {when}", trials.len())?;
    Ok(())
}

/// Prints one fresh trial of the first network as three lines of numbers.
fn print_sample(checkpoint: &Checkpoint) -> Result<()> {
    let train = &checkpoint.setup.config().train;
    let (batch, episode) = run_fresh(checkpoint, 0, 1, train.seed)?;
    let trial = &batch.drawn[0].trial;
    let outputs: Vec<f32> = episode.outputs.get(0)?.to_dtype(DType::F32)?.flatten_all()?.to_vec1()?;
    let all = |values: &[f32]| values.iter().map(|v| format!("{v:6.2}")).collect::<String>();
    let scored = |values: &[f32]| {
        let values = values.iter().zip(&trial.scored);
        values.map(|(v, scored)| if *scored { format!("{v:6.2}") } else { "     ·".to_string() }).collect::<String>()
    };
    writeln!(stdout(), "\na fresh trial of network {}:", train.networks.start)?;
    writeln!(stdout(), "input       {}", all(&trial.inputs))?;
    writeln!(stdout(), "target      {}", scored(&trial.targets))?;
    writeln!(stdout(), "prediction  {}", scored(&outputs))?;
    Ok(())
}
