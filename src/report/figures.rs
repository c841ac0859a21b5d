//! The pictures of a run: its learning curve and sample trials, drawn from what is saved.

use crate::config::Config;
use crate::error::{bail, ensure, Result};
use crate::plot::{learning_curves, sample_trials, LearningCurves, Run, SampleTrial, SampleTrials};
use crate::presets::Setup;
use crate::runs::run_fresh;
use crate::storage::{LEARNING_CURVE, SAMPLE_TRIALS};
use crate::training::{Checkpoint, Criterion, Frozen, NetworkReport};
use candle_core::DType;
use std::path::Path;

/// Draws `learning_curve.png` and `.svg` into `folder` from the rows of a run's metrics.
///
/// # Errors
/// Where a file cannot be written.
pub fn draw_learning_curve(folder: &Path, setup: &Setup, rows: &[NetworkReport], log: bool) -> Result<()> {
    learning_curves(&learning_curve_of(setup, rows, log), &folder.join(LEARNING_CURVE))
}

/// The learning curve that the rows of a run's metrics make.
pub(super) fn learning_curve_of(setup: &Setup, rows: &[NetworkReport], log: bool) -> LearningCurves {
    let Setup { config, task, .. } = setup;
    let networks = config.train.networks;
    let last = |network: u64| rows.iter().rfind(|row| row.network == network);
    let diverged = networks.range().filter(|k| last(*k).is_some_and(|row| row.frozen.is_some())).count();
    let note = match diverged {
        0 => String::new(),
        some => format!(", {some} of {} diverged", networks.count()),
    };
    LearningCurves {
        title: format!("{}, {}{note}", task.name(), config.rule.name),
        error_label: task.measure().label().to_string(),
        runs: vec![run_of(String::new(), config, rows)],
        reference: task.chance().map(|(error, _)| (error, "chance".to_string())),
        log,
    }
}

/// The lines of a run, which end where networks diverged, and when networks reached the criterion.
fn run_of(name: String, config: &Config, rows: &[NetworkReport]) -> Run {
    let of = |network: u64| rows.iter().filter(move |row| row.network == network);
    let learning = |network: u64| of(network).take_while(|row| row.frozen.is_none());
    let networks = config.train.networks;
    Run {
        name,
        networks: networks.range().map(|k| learning(k).map(|row| (row.trials as f64, row.error)).collect()).collect(),
        criterion: networks.range().map(|k| of(k).find_map(|row| row.criterion_trials).map(|t| t as f64)).collect(),
    }
}

/// A run to be drawn beside others.
pub struct NamedRun {
    /// What the legend calls it.
    pub name: String,
    /// What it trained.
    pub setup: Setup,
    /// The rows of its metrics.
    pub rows: Vec<NetworkReport>,
}

/// Draws the learning curves of several runs into one picture, `STEM.png` and `STEM.svg`.
///
/// # Errors
/// Where the runs judge outputs by different measures, so that their errors have no common axis, or a file cannot be
/// written.
pub fn draw_learning_curves(stem: &Path, runs: &[NamedRun], log: bool) -> Result<()> {
    let Some(first) = runs.first().map(|run| &run.setup.task) else { bail!(Usage, "there is no run to draw") };
    let mut same = true;
    for run in &runs[1..] {
        let task = &run.setup.task;
        same &= task.name() == first.name();
        ensure!(
            task.measure() == first.measure(),
            Usage,
            "the errors of {} and {} have no common axis: one is the {}, the other the {}",
            runs[0].name,
            run.name,
            first.measure().label(),
            task.measure().label()
        );
    }
    let curves = LearningCurves {
        title: if same { format!("{}: error while learning", first.name()) } else { "Error while learning".into() },
        error_label: first.measure().label().to_string(),
        runs: runs.iter().map(|run| run_of(run.name.clone(), &run.setup.config, &run.rows)).collect(),
        reference: first.chance().filter(|_| same).map(|(error, _)| (error, "chance".to_string())),
        log,
    };
    learning_curves(&curves, stem)
}

/// Draws `sample_trials.png` and `.svg`: fresh trials of the first network that reached the criterion, else of the first;
/// frozen networks come last.
///
/// # Errors
/// Where the trials cannot be run, or a file cannot be written.
pub fn draw_sample_trials(folder: &Path, checkpoint: &Checkpoint) -> Result<()> {
    sample_trials(&sample_trials_of(checkpoint)?, &folder.join(SAMPLE_TRIALS))
}

/// The fresh trials of [`draw_sample_trials`].
pub(super) fn sample_trials_of(checkpoint: &Checkpoint) -> Result<SampleTrials> {
    let Setup { config, task, .. } = &checkpoint.setup;
    let reached = |(c, frozen): (&Criterion, &Option<Frozen>)| c.reached_at().is_some() && frozen.is_none();
    let place = checkpoint.criterion.iter().zip(&checkpoint.frozen).position(reached);
    let place = place.or_else(|| checkpoint.frozen.iter().position(Option::is_none)).unwrap_or(0);
    let types = task.trial_types();
    let shown = if types.len() > 1 { types.len().min(6) } else { 4 };
    let (batch, episode) = run_fresh(checkpoint, 0, shown, config.train.seed)?;
    let outputs: Vec<Vec<f64>> = episode.outputs.get(place)?.flatten_from(1)?.to_dtype(DType::F64)?.to_vec2()?;
    let channel =
        |values: &[f32], width: usize, k: usize| values.iter().skip(k).step_by(width).copied().collect::<Vec<f32>>();
    let (n_in, n_out) = (task.n_in(), task.n_out());
    let mut trials = Vec::new();
    for (b, outputs) in outputs.iter().enumerate() {
        let trial = &batch.drawn[place * shown + b].trial;
        let output: Vec<f32> = task.judged(outputs).iter().map(|z| *z as f32).collect();
        let mut targets = trial.targets.clone();
        for (step, _) in trial.scored.iter().enumerate().filter(|(_, scored)| !**scored) {
            targets[step * n_out..(step + 1) * n_out].fill(f32::NAN);
        }
        trials.push(SampleTrial {
            title: if types.len() > 1 { types[trial.trial_type].clone() } else { format!("trial {}", b + 1) },
            step_ms: checkpoint.setup.step_ms().unwrap_or(1.0),
            inputs: (0..n_in).map(|k| channel(&trial.inputs, n_in, k)).collect(),
            outputs: (0..n_out).map(|k| channel(&output, n_out, k)).collect(),
            targets: (0..n_out).map(|k| channel(&targets, n_out, k)).collect(),
        });
    }
    let network = config.train.networks.start + place as u64;
    Ok(SampleTrials {
        title: format!(
            "{}: fresh trials of network {network} after {} training trials",
            task.name(),
            checkpoint.trials()
        ),
        time_label: if checkpoint.setup.step_ms().is_some() { "time (ms)".into() } else { "step".into() },
        input_names: task.inputs(),
        trials,
    })
}
