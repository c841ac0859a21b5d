//! Frozen weights on fresh, unperturbed trials.

use crate::engine::memory::check_forward;
use crate::engine::{choose, Draw, Engine, Ensemble, Episode, Record, TrialBatch};
use crate::error::Result;
use crate::presets::Setup;
use crate::random::Phase;
use crate::rules::RewardBaseline;
use crate::training::{errors, Checkpoint, Frozen};
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
///
/// # Errors
/// Where that would not fit into memory, or the device fails.
pub fn evaluate(checkpoint: &Checkpoint, trials: u64, seed: u64) -> Result<Vec<Score>> {
    let Setup { config, task, .. } = &checkpoint.setup;
    let (networks, batch_size) = (config.train.networks, config.train.batch as u64);
    let s = networks.count();
    let mut frozen = FrozenNetworks::new(checkpoint)?;
    frozen.check_memory(trials.min(batch_size) as usize, Record::default())?;
    let (mut error, mut correct) = (vec![0.0; s], vec![0u64; s]);
    let mut done = 0;
    while done < trials {
        let trials_each = (trials - done).min(batch_size) as usize;
        let batch = draw_fresh(&checkpoint.setup, done, trials_each, seed)?;
        let episode = frozen.run(&batch, Record::default())?;
        for (i, e) in errors(&**task, &batch, &episode.outputs)?.into_iter().enumerate() {
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

/// Runs fresh trials `first..first + trials_each` of each network.
///
/// # Errors
/// As [`evaluate`].
pub fn run_fresh(checkpoint: &Checkpoint, first: u64, trials_each: usize, seed: u64) -> Result<(TrialBatch, Episode)> {
    let mut frozen = FrozenNetworks::new(checkpoint)?;
    frozen.check_memory(trials_each, Record::default())?;
    let batch = draw_fresh(&checkpoint.setup, first, trials_each, seed)?;
    let episode = frozen.run(&batch, Record::default())?;
    Ok((batch, episode))
}

/// Draws the trials `first..first + trials_each` of each network, unperturbed.
///
/// # Errors
/// As [`TrialBatch::draw`].
pub fn draw_fresh(setup: &Setup, first: u64, trials_each: usize, seed: u64) -> Result<TrialBatch> {
    TrialBatch::draw(setup, Draw { seed, phase: Phase::Evaluate, first_trial: first, trials_each, explore: false })
}

/// Networks whose weights do not change, and the engine that runs their trials.
pub struct FrozenNetworks<'a> {
    checkpoint: &'a Checkpoint,
    baseline: RewardBaseline,
    engine: Box<dyn Engine>,
}

impl<'a> FrozenNetworks<'a> {
    /// The networks of a checkpoint, on its device.
    ///
    /// # Errors
    /// Where there is no engine for them.
    pub fn new(checkpoint: &'a Checkpoint) -> Result<Self> {
        let setup = &checkpoint.setup;
        let mut baseline =
            RewardBaseline::new(&setup.config.modulator, setup.config.train.networks.count(), setup.task.n_types());
        baseline.restore(checkpoint.expected_error.clone());
        let engine = choose(setup, checkpoint.plastic.weights.w_rec.device(), false)?;
        Ok(FrozenNetworks { checkpoint, baseline, engine })
    }

    /// Refuses so many trials of each where they would not fit into memory.
    ///
    /// # Errors
    /// [`crate::Error::Memory`].
    pub fn check_memory(&self, trials_each: usize, record: Record) -> Result<()> {
        let Checkpoint { setup, plastic, .. } = self.checkpoint;
        check_forward(setup, setup.shape(), trials_each, record, (plastic.weights.w_rec.device(), plastic.bytes()))
    }

    /// Runs drawn trials, keeping what `record` asks for.
    ///
    /// # Errors
    /// Where the device fails.
    pub fn run(&mut self, batch: &TrialBatch, record: Record) -> Result<Episode> {
        let Checkpoint { setup, plastic, .. } = self.checkpoint;
        // Persistent fast weights belong to a trial's place in the batch; where the batch is as wide, they go on from there.
        let as_wide = batch.trials_each == setup.config.train.batch;
        let ensemble = Ensemble {
            setup,
            shape: setup.shape(),
            weights: &plastic.weights,
            baseline: &self.baseline,
            fast_weights: plastic.fast_weights.clone().filter(|_| as_wide),
        };
        self.engine.run(&ensemble, batch, false, record)
    }
}
