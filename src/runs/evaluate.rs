//! Evaluation: fresh, unperturbed trials of networks with frozen weights.

use crate::engine::memory::check_forward;
use crate::engine::{choose, Draw, Engine, Ensemble, Episode, Record, TrialBatch};
use crate::error::Result;
use crate::random::Phase;
use crate::rules::RewardBaseline;
use crate::setup::Setup;
use crate::tasks::{Problem, Trajectory, TrialShape};
use crate::training::{judge, Checkpoint, Frozen};
use serde::Serialize;

/// The performance of one network on fresh trials.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Score {
    /// The network's index.
    pub network: u64,
    /// Mean error over the trials.
    pub error: f64,
    /// Fraction of the trials that are correct.
    pub fraction_correct: f64,
    /// The results of the episodes, in an environment.
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    pub returns: Option<Returns>,
    /// The same for each trial type.
    pub types: Vec<TypeScore>,
    /// The number of trials after which it reached the criterion in training.
    pub criterion_trials: Option<u64>,
    /// When and why it was frozen, if it was.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub frozen: Option<Frozen>,
}

/// The performance of one network on the trials of one type.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct TypeScore {
    /// The type's name.
    pub name: String,
    /// The number of its trials.
    pub trials: u64,
    /// Mean error over them.
    pub error: f64,
    /// Fraction of them that are correct.
    pub fraction_correct: f64,
}

/// The results of a network's episodes in an environment.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Returns {
    /// Mean return.
    pub mean_return: f64,
    /// Its standard error.
    pub standard_error: f64,
    /// Mean number of environment steps of an episode.
    pub mean_steps: f64,
}

impl Returns {
    /// The results of one network's episodes.
    fn of(trajectories: &[Trajectory]) -> Self {
        let n = trajectories.len() as f64;
        let returns = || trajectories.iter().map(Trajectory::total_reward);
        let mean_return = returns().sum::<f64>() / n;
        let squares = returns().map(|r| (r - mean_return).powi(2)).sum::<f64>();
        Returns {
            mean_return,
            standard_error: (squares / (n - 1.0).max(1.0) / n).sqrt(),
            mean_steps: trajectories.iter().map(|trajectory| trajectory.rewards.len() as f64).sum::<f64>() / n,
        }
    }
}

/// Performance on each trial type, as means over networks, for a table. Empty if there is only one type, or too many for a table.
pub fn by_type(scores: &[Score]) -> Vec<TypeScore> {
    const MOST: usize = 20;
    let Some(first) = scores.first().filter(|score| (2..=MOST).contains(&score.types.len())) else { return Vec::new() };
    let of_type = |(k, of_type): (usize, &TypeScore)| {
        let mean = |value: fn(&TypeScore) -> f64| {
            scores.iter().map(|score| value(&score.types[k])).sum::<f64>() / scores.len() as f64
        };
        let [error, fraction_correct] = [mean(|of_type| of_type.error), mean(|of_type| of_type.fraction_correct)];
        TypeScore { error, fraction_correct, ..of_type.clone() }
    };
    first.types.iter().enumerate().map(of_type).collect()
}

/// Describes `trials` of a task's trials: "400 fresh trials", or "400 draws from its 512 ready-made trials".
pub fn name_trials(problem: &Problem, trials: u64) -> String {
    match problem.trials().and_then(|task| task.each_once()) {
        Some((count, _)) => format!("{trials} draws from its {count} ready-made trials"),
        None => format!("{trials} fresh trials"),
    }
}

/// Runs `trials` fresh trials of each network, in batches of the size used in training.
///
/// # Errors
/// [`crate::Error::Memory`] if a batch does not fit; otherwise as [`draw_fresh`] and [`FrozenNetworks::run`].
pub fn evaluate(checkpoint: &Checkpoint, trials: u64, seed: u64) -> Result<Vec<Score>> {
    let Setup { config, task, .. } = &checkpoint.setup;
    let (networks, batch_size) = (config.train.networks, config.train.batch);
    let mut frozen = FrozenNetworks::new(checkpoint)?;
    frozen.check_memory(trials.min(batch_size as u64) as usize)?;
    let names = task.trial_types();
    let no_trials = |name: &String| TypeScore { name: name.clone(), trials: 0, error: 0.0, fraction_correct: 0.0 };
    let no_score = |(i, network): (usize, u64)| Score {
        network,
        error: 0.0,
        fraction_correct: 0.0,
        returns: None,
        types: names.iter().map(no_trials).collect(),
        criterion_trials: checkpoint.criterion[i].reached_at(),
        frozen: checkpoint.frozen[i],
    };
    let mut scores: Vec<Score> = networks.range().enumerate().map(no_score).collect();
    let mut trajectories = vec![Vec::new(); networks.count()];
    for first in (0..trials).step_by(batch_size) {
        let trials_each = (trials - first).min(batch_size as u64) as usize;
        let batch = draw(&checkpoint.setup, first, trials_each, (seed, checkpoint.trials()))?;
        let episode = frozen.run(&batch, Record::default())?;
        for (score, outcome) in scores.iter_mut().zip(judge(task, &batch, &episode)?) {
            for ((error, kind), correct) in outcome.errors.iter().zip(outcome.types).zip(outcome.correct) {
                let (of_type, correct) = (&mut score.types[kind], f64::from(u8::from(correct)));
                (score.error, score.fraction_correct) = (score.error + error, score.fraction_correct + correct);
                of_type.trials += 1;
                (of_type.error, of_type.fraction_correct) = (of_type.error + error, of_type.fraction_correct + correct);
            }
        }
        for (i, trajectory) in episode.trajectories.into_iter().flatten().enumerate() {
            trajectories[i / trials_each].push(trajectory);
        }
    }
    for (score, trajectories) in scores.iter_mut().zip(&trajectories) {
        score.error /= trials as f64;
        score.fraction_correct /= trials as f64;
        score.returns = (!trajectories.is_empty()).then(|| Returns::of(trajectories));
        for of_type in score.types.iter_mut().filter(|of_type| of_type.trials > 0) {
            of_type.error /= of_type.trials as f64;
            of_type.fraction_correct /= of_type.trials as f64;
        }
    }
    Ok(scores)
}

/// Runs fresh trials `first..first + trials_each` of each network.
///
/// # Errors
/// As [`evaluate`].
pub fn run_fresh(checkpoint: &Checkpoint, first: u64, trials_each: usize, seed: u64) -> Result<(TrialBatch, Episode)> {
    let mut frozen = FrozenNetworks::new(checkpoint)?;
    frozen.check_memory(trials_each)?;
    let batch = draw(&checkpoint.setup, first, trials_each, (seed, checkpoint.trials()))?;
    let episode = frozen.run(&batch, Record { episodes: true, ..Record::default() })?;
    Ok((batch, episode))
}

/// Draws the unperturbed fresh trials `first..first + trials_each` of each network.
///
/// # Errors
/// As [`TrialBatch::draw`].
pub fn draw_fresh(setup: &Setup, first: u64, trials_each: usize, seed: u64) -> Result<TrialBatch> {
    draw(setup, first, trials_each, (seed, 0))
}

/// As [`draw_fresh`], for networks with an age of `age` trials, since environments can change with age.
pub(super) fn draw(setup: &Setup, first_trial: u64, trials_each: usize, (seed, age): (u64, u64)) -> Result<TrialBatch> {
    TrialBatch::draw(setup, Draw { seed, phase: Phase::Evaluate, first_trial, trials_each, age, explore: false })
}

/// Networks with frozen weights, and the engine that runs their trials.
pub struct FrozenNetworks<'a> {
    checkpoint: &'a Checkpoint,
    baseline: RewardBaseline,
    engine: Box<dyn Engine>,
}

impl<'a> FrozenNetworks<'a> {
    /// The networks of a checkpoint, on its device.
    ///
    /// # Errors
    /// As [`choose`].
    pub fn new(checkpoint: &'a Checkpoint) -> Result<Self> {
        let setup = &checkpoint.setup;
        let mut baseline =
            RewardBaseline::new(&setup.config, setup.config.train.networks.count(), setup.task.n_types());
        baseline.restore(checkpoint.expected_error.clone());
        let engine = choose(setup, checkpoint.plastic.weights.w_rec.device(), false)?;
        Ok(FrozenNetworks { checkpoint, baseline, engine })
    }

    /// Refuses to run `trials_each` trials of each network if they would not fit into memory.
    fn check_memory(&self, trials_each: usize) -> Result<()> {
        let Checkpoint { setup, plastic, .. } = self.checkpoint;
        let on_device = (plastic.weights.w_rec.device(), plastic.bytes());
        check_forward(setup, setup.shape(), trials_each, Record::default(), on_device)
    }

    /// Runs the trials of `batch` and keeps the quantities that `record` asks for.
    ///
    /// # Errors
    /// [`crate::Error::Tensors`] or [`crate::Error::Device`] if the device fails.
    pub fn run(&mut self, batch: &TrialBatch, record: Record) -> Result<Episode> {
        self.run_shaped(self.checkpoint.setup.shape(), batch, record)
    }

    /// As [`FrozenNetworks::run`], for trials of another shape.
    pub(super) fn run_shaped(&mut self, shape: TrialShape, batch: &TrialBatch, record: Record) -> Result<Episode> {
        let Checkpoint { setup, plastic, .. } = self.checkpoint;
        // Persistent fast weights belong to a trial's place in the batch; only a batch of the size used in training
        // continues them.
        let continues = batch.trials_each == setup.config.train.batch;
        let ensemble = Ensemble {
            setup,
            shape,
            weights: &plastic.weights,
            baseline: &self.baseline,
            trials: self.checkpoint.trials(),
            fast_weights: plastic.fast_weights.clone().filter(|_| continues),
        };
        self.engine.run(&ensemble, batch, false, record)
    }
}
