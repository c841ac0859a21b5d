//! The pictures of a run: its learning curve and sample trials, drawn from what is saved.

use crate::checkpoint::Checkpoint;
use crate::config::{Config, Dynamics};
use crate::criterion::Criterion;
use crate::divergence::Frozen;
use crate::evaluate::run_fresh;
use crate::plot::{learning_curves, sample_trials, LearningCurves, Run, SampleTrial, SampleTrials};
use crate::task::{self, Task};
use crate::trainer::NetworkReport;
use anyhow::{ensure, Context, Result};
use candle_core::DType;
use std::path::Path;

/// How the names of a run's pictures begin.
pub(crate) const LEARNING_CURVE: &str = "learning_curve";
pub(crate) const SAMPLE_TRIALS: &str = "sample_trials";

/// Draws `learning_curve.png` and `.svg` into `folder` from the rows of a run's metrics.
pub fn draw_learning_curve(
    folder: &Path,
    config: &Config,
    task: &dyn Task,
    rows: &[NetworkReport],
    log: bool,
) -> Result<()> {
    learning_curves(&learning_curve_of(config, task, rows, log), &folder.join(LEARNING_CURVE))
}

/// The learning curve that the rows of a run's metrics make.
pub fn learning_curve_of(config: &Config, task: &dyn Task, rows: &[NetworkReport], log: bool) -> LearningCurves {
    let networks = config.train.networks;
    let last = |network: u64| rows.iter().rfind(|row| row.network == network);
    let diverged = networks.range().filter(|k| last(*k).is_some_and(|row| row.frozen.is_some())).count();
    let note = match diverged {
        0 => String::new(),
        some => format!(", {some} of {} diverged", networks.count()),
    };
    LearningCurves {
        title: format!("{}, {}{note}", task.name(), config.rule.name.as_str()),
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
    /// Its configuration.
    pub config: Config,
    /// The rows of its metrics.
    pub rows: Vec<NetworkReport>,
}

/// Draws the learning curves of several runs into one picture, `STEM.png` and `STEM.svg`.
///
/// # Errors
/// Where the runs judge outputs by different measures, so that their errors have no common axis.
pub fn draw_learning_curves(stem: &Path, runs: &[NamedRun], log: bool) -> Result<()> {
    let mut tasks = runs.iter().map(|run| task::build(&run.config.task)).collect::<Result<Vec<_>>>()?.into_iter();
    let first = tasks.next().context("there is no run to draw")?;
    let mut same = true;
    for (task, run) in tasks.zip(&runs[1..]) {
        same &= task.name() == first.name();
        ensure!(
            task.measure() == first.measure(),
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
        runs: runs.iter().map(|run| run_of(run.name.clone(), &run.config, &run.rows)).collect(),
        reference: first.chance().filter(|_| same).map(|(error, _)| (error, "chance".to_string())),
        log,
    };
    learning_curves(&curves, stem)
}

/// Draws `sample_trials.png` and `.svg`: fresh trials of the first network that reached the criterion, else of the first;
/// frozen networks come last.
pub fn draw_sample_trials(folder: &Path, checkpoint: &Checkpoint, task: &dyn Task) -> Result<()> {
    sample_trials(&sample_trials_of(checkpoint, task)?, &folder.join(SAMPLE_TRIALS))
}

/// The fresh trials of [`draw_sample_trials`].
pub fn sample_trials_of(checkpoint: &Checkpoint, task: &dyn Task) -> Result<SampleTrials> {
    let config = &checkpoint.config;
    let reached = |(c, frozen): (&Criterion, &Option<Frozen>)| c.reached_at().is_some() && frozen.is_none();
    let place = checkpoint.criterion.iter().zip(&checkpoint.frozen).position(reached);
    let place = place.or_else(|| checkpoint.frozen.iter().position(Option::is_none)).unwrap_or(0);
    let types = task.trial_types();
    let shown = if types.len() > 1 { types.len().min(6) } else { 4 };
    let (batch, episode) = run_fresh(checkpoint, task, 0, shown, config.train.seed)?;
    let outputs = episode.outputs.to_dtype(DType::F32)?.get_on_dim(1, place)?;
    let channel = |values: &[f32], width: usize, k: usize| -> Vec<f32> {
        values.iter().skip(k).step_by(width).copied().collect()
    };
    let (n_in, n_out) = (task.n_in(), task.n_out());
    let leaky = config.network.dynamics != Dynamics::Discrete;
    let mut trials = Vec::new();
    for b in 0..shown {
        let trial = &batch.drawn[place * shown + b].trial;
        let output: Vec<f32> = outputs.get_on_dim(1, b)?.flatten_all()?.to_vec1()?;
        let output = task.judged(&output);
        let mut targets = trial.targets.clone();
        for (step, _) in trial.scored.iter().enumerate().filter(|(_, scored)| !**scored) {
            targets[step * n_out..(step + 1) * n_out].fill(f32::NAN);
        }
        trials.push(SampleTrial {
            title: if types.len() > 1 { types[trial.trial_type].clone() } else { format!("trial {}", b + 1) },
            step_ms: if leaky { config.network.dt_ms } else { 1.0 },
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
        time_label: if leaky { "time (ms)".into() } else { "step".into() },
        input_names: task.inputs(),
        trials,
    })
}
