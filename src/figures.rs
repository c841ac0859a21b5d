//! The pictures of a run: its learning curve and sample trials, drawn from what is saved.

use crate::checkpoint::Checkpoint;
use crate::config::{Config, Dynamics};
use crate::evaluate::run_fresh;
use crate::plot::{learning_curve, sample_trials, LearningCurve, SampleTrial, SampleTrials};
use crate::task::Task;
use crate::trainer::NetworkReport;
use anyhow::Result;
use candle_core::DType;
use std::path::Path;

/// Draws `learning_curve.png` and `.svg` into `folder` from the rows of a run's metrics.
pub fn draw_learning_curve(
    folder: &Path,
    config: &Config,
    task: &dyn Task,
    rows: &[NetworkReport],
    log: bool,
) -> Result<()> {
    learning_curve(&learning_curve_of(config, task, rows, log), &folder.join("learning_curve"))
}

/// The learning curve that the rows of a run's metrics make.
pub fn learning_curve_of(config: &Config, task: &dyn Task, rows: &[NetworkReport], log: bool) -> LearningCurve {
    let networks = config.train.networks;
    let of = |network: u64| rows.iter().filter(move |row| row.network == network);
    LearningCurve {
        title: format!("{}, {}", task.name(), config.rule.name.as_str()),
        error_label: task.measure().label().to_string(),
        networks: networks.range().map(|k| of(k).map(|row| (row.trials as f64, row.error)).collect()).collect(),
        criterion: networks.range().map(|k| of(k).find_map(|row| row.criterion_trials).map(|t| t as f64)).collect(),
        reference: task.chance().map(|(error, _)| (error, "chance".to_string())),
        log,
    }
}

/// Draws `sample_trials.png` and `.svg`: fresh trials of the first network that reached the criterion, else of the first.
pub fn draw_sample_trials(folder: &Path, checkpoint: &Checkpoint, task: &dyn Task) -> Result<()> {
    sample_trials(&sample_trials_of(checkpoint, task)?, &folder.join("sample_trials"))
}

/// The fresh trials of [`draw_sample_trials`].
pub fn sample_trials_of(checkpoint: &Checkpoint, task: &dyn Task) -> Result<SampleTrials> {
    let config = &checkpoint.config;
    let place = checkpoint.criterion.iter().position(|c| c.reached_at().is_some()).unwrap_or(0);
    let types = task.trial_types();
    let shown = if types.len() > 1 { types.len().min(6) } else { 4 };
    let (batch, episode) = run_fresh(checkpoint, task, 0, shown, config.train.seed)?;
    let outputs = episode.outputs.to_dtype(DType::F32)?.get_on_dim(1, place)?;
    let channel = |values: &[f32], width: usize, k: usize| -> Vec<f32> {
        values.iter().skip(k).step_by(width).copied().collect()
    };
    let (n_in, n_out) = (task.inputs().len(), task.n_out());
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
