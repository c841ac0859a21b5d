//! Frozen weights on fresh, unperturbed trials.

use crate::batch::{Draw, TrialBatch};
use crate::checkpoint::Checkpoint;
use crate::config::Config;
use crate::divergence::Frozen;
use crate::eligibility::Workspace;
use crate::episode::{Ensemble, Episode, Record, TrialShape};
use crate::memory;
use crate::modulator::Modulator;
use crate::random::Phase;
use crate::task::Task;
use crate::trainer::errors;
use anyhow::Result;
use serde::Serialize;

/// How one network did.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Score {
    /// The network's index.
    pub network: u64,
    /// Mean error over the trials.
    pub error: f64,
    /// Fraction of the trials that were correct.
    pub fraction_correct: f64,
    /// Trials it reached the criterion after, while training.
    pub criterion_trials: Option<u64>,
    /// When and why it was frozen, where it was.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub frozen: Option<Frozen>,
}

/// Runs `trials` fresh trials of each network, in batches of the size it was trained with.
pub fn evaluate(checkpoint: &Checkpoint, task: &dyn Task, trials: u64, seed: u64) -> Result<Vec<Score>> {
    let networks = checkpoint.config.train.networks;
    let s = networks.count();
    fits(checkpoint, task, trials.min(checkpoint.config.train.batch as u64) as usize)?;
    let (mut error, mut correct) = (vec![0.0; s], vec![0u64; s]);
    let batch_size = checkpoint.config.train.batch as u64;
    let (mut done, mut workspace) = (0, Workspace::default());
    while done < trials {
        let trials_each = (trials - done).min(batch_size) as usize;
        let batch = draw_fresh(&checkpoint.config, task, done, trials_each, seed)?;
        let episode = run_drawn(checkpoint, task, &batch, &mut workspace)?;
        for (i, e) in errors(task, &batch, &episode.outputs)?.into_iter().enumerate() {
            error[i / trials_each] += e;
            correct[i / trials_each] += u64::from(e < task.correct_below());
        }
        done += trials_each as u64;
    }
    let score = |(i, network): (usize, u64)| Score {
        network,
        error: error[i] / trials as f64,
        fraction_correct: correct[i] as f64 / trials as f64,
        criterion_trials: checkpoint.criterion[i].reached_at(),
        frozen: checkpoint.frozen[i],
    };
    Ok(networks.range().enumerate().map(score).collect())
}

fn fits(checkpoint: &Checkpoint, task: &dyn Task, trials_each: usize) -> Result<()> {
    memory::check_forward(checkpoint, TrialShape::of(task), trials_each, Record::default())
}

/// Runs fresh trials `first..first + trials_each` of each network; the outputs are `[T, S, B, n_out]`.
pub fn run_fresh(
    checkpoint: &Checkpoint,
    task: &dyn Task,
    first: u64,
    trials_each: usize,
    seed: u64,
) -> Result<(TrialBatch, Episode)> {
    fits(checkpoint, task, trials_each)?;
    let batch = draw_fresh(&checkpoint.config, task, first, trials_each, seed)?;
    let episode = run_drawn(checkpoint, task, &batch, &mut Workspace::default())?;
    Ok((batch, episode))
}

/// Draws the trials `first..first + trials_each` of each network, unperturbed.
pub fn draw_fresh(config: &Config, task: &dyn Task, first: u64, trials_each: usize, seed: u64) -> Result<TrialBatch> {
    let draw = Draw { seed, phase: Phase::Evaluate, first_trial: first, trials_each, explore: false };
    TrialBatch::draw(config, task, draw)
}

/// Runs drawn trials with frozen weights.
pub fn run_drawn(
    checkpoint: &Checkpoint,
    task: &dyn Task,
    batch: &TrialBatch,
    workspace: &mut Workspace,
) -> Result<Episode> {
    run_recorded(checkpoint, task, batch, Record::default(), workspace)
}

/// The same, keeping what `record` asks for.
pub fn run_recorded(
    checkpoint: &Checkpoint,
    task: &dyn Task,
    batch: &TrialBatch,
    record: Record,
    workspace: &mut Workspace,
) -> Result<Episode> {
    let config: &Config = &checkpoint.config;
    let mut modulator = Modulator::new(&config.modulator, batch.networks, task.n_types());
    modulator.restore(checkpoint.expected_error.clone());
    // A persistent trace belongs to a trial's place in the batch; where the batch is as wide, it goes on from there.
    let trace = checkpoint.trace.clone().filter(|_| batch.trials_each == config.train.batch);
    let shape = TrialShape::of(task);
    let ensemble = Ensemble { config, shape, weights: &checkpoint.weights, modulator: &modulator, trace };
    Ok(ensemble.run(batch, false, record, workspace)?)
}
