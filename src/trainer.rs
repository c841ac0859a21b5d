//! One update: draw trials, run them, judge them, change the weights. The loop around it is [`crate::training`].

mod change;

use crate::attempt::{Attempt, Plastic};
use crate::batch::{Draw, DrawnTrial, TrialBatch};
use crate::bptt::{Learner, Moments};
use crate::checkpoint::{Checkpoint, Integrity, FORMAT};
use crate::config::{Config, RuleName};
use crate::criterion::Criterion;
use crate::dale;
use crate::divergence::{Activity, Diverged, Frozen, Limits};
use crate::eligibility::Workspace;
use crate::episode::{Ensemble, Record, TrialShape};
use crate::modulator::Modulator;
use crate::network::{State, Weights};
use crate::random::Phase;
use crate::task::{self, Task};
use crate::trace::{HebbianTrace, TraceState};
pub use crate::training::{NetworkReport, Observer, StopReason, Training, UpdateReport};
use anyhow::{bail, Result};
use candle_core::{DType, Device, Tensor};
use rayon::prelude::*;
use std::sync::Arc;

/// S networks in training.
pub struct Trainer {
    config: Config,
    task: Arc<dyn Task>,
    device: Device,
    weights: Weights,
    state: State,
    /// The trace between trials; only where it is persistent.
    trace: Option<TraceState>,
    modulator: Modulator,
    criterion: Vec<Criterion>,
    frozen: Vec<Option<Frozen>>,
    limits: Limits,
    updates: u64,
    workspace: Workspace,
    /// The optimiser, where the rule is `bptt`.
    learner: Option<Learner>,
    /// The next batch, where it was drawn while a GPU ran the last one.
    drawn: Option<TrialBatch>,
}

impl Training for Trainer {
    fn config(&self) -> &Config {
        self.config()
    }

    fn updates(&self) -> u64 {
        self.updates()
    }

    fn criterion_trials(&self) -> Vec<Option<u64>> {
        self.criterion_trials()
    }

    fn frozen(&self) -> Vec<Option<Frozen>> {
        self.frozen.clone()
    }

    fn update(&mut self) -> Result<UpdateReport> {
        self.update()
    }

    fn checkpoint(&self) -> Result<Checkpoint> {
        Ok(self.checkpoint())
    }
}

impl Trainer {
    /// Draws new networks for the configured task.
    pub fn new(mut config: Config, device: &Device) -> Result<Self> {
        let task = Arc::from(config.complete()?);
        Self::with_task(config, task, device)
    }

    /// Draws new networks for a task of your own; the configuration's `task` table is then only a note.
    pub fn with_task(mut config: Config, task: Arc<dyn Task>, device: &Device) -> Result<Self> {
        config.network.fill_output_neurons(&*task);
        config.validate(&*task)?;
        let dtype = config.train.dtype.into();
        let networks = config.train.networks;
        let (s, b, n) = (networks.count(), config.train.batch, config.network.neurons);
        let weights =
            Weights::draw(&config.network, task.n_in(), task.n_out(), config.train.seed, networks, dtype, device)?;
        let x = Tensor::zeros((s, b, n), dtype, device)?;
        let trace = match HebbianTrace::new(&config.trace) {
            Some(trace) if config.trace.persistent => Some(trace.zero(&x)?),
            _ => None,
        };
        Ok(Trainer {
            modulator: Modulator::new(&config.modulator, s, task.n_types()),
            criterion: vec![Criterion::default(); s],
            frozen: vec![None; s],
            limits: Limits::new(&config.network),
            state: State { r: x.clone(), x },
            updates: 0,
            workspace: Workspace::default(),
            learner: learner(&config, &weights, &*task, Moments::new())?,
            drawn: None,
            device: device.clone(),
            config,
            task,
            weights,
            trace,
        })
    }

    /// Goes on from a checkpoint as if training had never stopped.
    pub fn resume(checkpoint: Checkpoint, device: &Device) -> Result<Self> {
        let task = Arc::from(task::build(&checkpoint.config.task)?);
        Self::resume_with_task(checkpoint, task, device)
    }

    /// The same for a task of your own.
    pub fn resume_with_task(checkpoint: Checkpoint, task: Arc<dyn Task>, device: &Device) -> Result<Self> {
        let Checkpoint { config, weights, state, trace, moments, expected_error, criterion, frozen, updates, .. } =
            checkpoint;
        let mut modulator = Modulator::new(&config.modulator, config.train.networks.count(), task.n_types());
        modulator.restore(expected_error);
        Ok(Trainer {
            limits: Limits::new(&config.network),
            learner: learner(&config, &weights, &*task, moments)?,
            config,
            task,
            device: device.clone(),
            weights,
            state,
            trace,
            modulator,
            criterion,
            frozen,
            updates,
            workspace: Workspace::default(),
            drawn: None,
        })
    }

    /// Everything the next update reads.
    pub fn checkpoint(&self) -> Checkpoint {
        Checkpoint {
            program: env!("CARGO_PKG_VERSION").to_string(),
            format: FORMAT,
            integrity: Integrity::Whole,
            config: self.config.clone(),
            weights: self.weights.clone(),
            state: self.state.clone(),
            trace: self.trace.clone(),
            moments: self.learner.as_ref().map(Learner::moments).cloned().unwrap_or_default(),
            expected_error: self.modulator.expected_error().to_vec(),
            criterion: self.criterion.clone(),
            frozen: self.frozen.clone(),
            updates: self.updates,
        }
    }

    /// The configuration.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// The task.
    pub fn task(&self) -> &Arc<dyn Task> {
        &self.task
    }

    /// The weights as they are now.
    pub fn weights(&self) -> &Weights {
        &self.weights
    }

    /// Updates made so far.
    pub fn updates(&self) -> u64 {
        self.updates
    }

    /// Trials of each network so far.
    pub fn trials(&self) -> u64 {
        self.updates * self.config.train.batch as u64
    }

    /// Each network's trials to criterion.
    pub fn criterion_trials(&self) -> Vec<Option<u64>> {
        self.criterion.iter().map(Criterion::reached_at).collect()
    }

    /// Which networks are frozen, since when and why.
    pub fn frozen(&self) -> &[Option<Frozen>] {
        &self.frozen
    }

    /// Why training would stop now; `None`: it would go on.
    pub fn finished(&self) -> Option<StopReason> {
        Training::finished(self)
    }

    /// Updates until a limit, the criterion, or until `interrupted` says so between two updates.
    pub fn run(&mut self, observers: &mut [&mut dyn Observer], interrupted: &dyn Fn() -> bool) -> Result<StopReason> {
        Training::run(self, observers, interrupted)
    }

    /// Runs one batch of trials and changes the weights once. A network that diverges is frozen.
    ///
    /// # Errors
    /// With `train.strict_numbers`, [`Diverged`] where a network diverges; everything then stays as it was.
    pub fn update(&mut self) -> Result<UpdateReport> {
        let attempt = self.attempt()?;
        Ok(self.commit(attempt))
    }

    /// Everything that can fail of an update; what the networks are does not change.
    pub(crate) fn attempt(&mut self) -> Result<Attempt> {
        let batch = match self.drawn.take() {
            Some(batch) => batch,
            None => draw(&self.config, &*self.task, self.trials())?,
        };
        let ensemble = Ensemble {
            config: &self.config,
            shape: TrialShape::of(&*self.task),
            weights: &self.weights,
            modulator: &self.modulator,
            trace: self.trace.clone(),
        };
        let (config, task, device) = (&self.config, &*self.task, &self.device);
        let after = (self.updates + 1) * batch.trials_each as u64;
        let ((mut episode, stepped), next) = std::thread::scope(|scope| -> Result<_> {
            // While a GPU runs the trials, the processor has time for the next ones.
            let next = (!device.is_cpu()).then(|| scope.spawn(move || draw(config, task, after)));
            let ran = match &self.learner {
                Some(learner) => {
                    let (episode, stepped) = learner.update(&ensemble, task, &batch, self.updates)?;
                    (episode, Some(stepped))
                }
                None => (ensemble.run(&batch, true, Record::default(), &mut self.workspace)?, None),
            };
            let joined = next.map(|next| next.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)));
            Ok((ran, joined.transpose()?))
        })?;
        let errors = errors(&*self.task, &batch, &episode.outputs)?;
        let types = batch.types();
        let judged = self.with_energy_cost(&errors, &episode.outputs)?;
        let mut changes = self.recurrent_change(&episode, &judged, &types)?;
        if let Some(spent) = episode.eligibility.take() {
            self.workspace.recycle(spent);
        }
        let mut weights = self.weights.clone();
        if let Some((w_out, b_out)) = self.changed_readout(&episode, &batch)? {
            (weights.w_out, weights.b_out) = (Some(w_out), Some(b_out));
        }
        let mut moments = Moments::new();
        if let Some(stepped) = stepped {
            (weights, moments, changes) = (stepped.weights, stepped.moments, stepped.change);
        }
        if let Some(dw) = changes.dw.take() {
            weights.w_rec = (&self.weights.w_rec + dw)?;
            if self.config.network.dale {
                weights.w_rec = dale::signed(&weights.w_rec, self.config.network.excitatory_neurons())?;
            }
        }
        let state = episode.state;
        let trace = episode.trace.filter(|_| self.config.trace.persistent);

        let rates: Vec<f32> = state.r.to_dtype(DType::F32)?.flatten_all()?.to_vec1()?;
        let activity: Vec<Activity> =
            rates.chunks_exact(rates.len() / batch.networks).map(|r| self.limits.activity(r)).collect();
        let mut attempt = Attempt {
            trials_each: batch.trials_each,
            next,
            errors,
            judged,
            types,
            changes,
            after: Plastic { weights, state, trace, moments },
            activity,
            frozen: self.frozen.clone(),
        };
        attempt.freeze(self.updates + 1, self.stuck(&attempt.activity)?)?;
        if self.config.train.strict_numbers {
            let mut networks = self.config.train.networks.range().zip(&attempt.frozen).zip(&self.frozen);
            if let Some(((network, Some(frozen)), _)) = networks.find(|((_, now), before)| now != before) {
                bail!(Diverged { network, frozen: *frozen });
            }
        }
        let moments = self.learner.as_ref().map(Learner::moments);
        attempt.hold(&self.weights, &self.state, self.trace.as_ref(), moments)?;
        Ok(attempt)
    }

    /// Makes an attempted update the networks' own.
    pub(crate) fn commit(&mut self, attempt: Attempt) -> UpdateReport {
        let Attempt { trials_each: b, next, errors, judged, types, changes, after, activity, frozen } = attempt;
        self.updates += 1;
        (self.drawn, self.frozen) = (next, frozen);
        (self.weights, self.state, self.trace) = (after.weights, after.state, after.trace);
        if let Some(learner) = &mut self.learner {
            learner.accept(after.moments);
        }
        let trials = self.trials();
        let mut networks = Vec::with_capacity(self.frozen.len());
        for (s, network) in self.config.train.networks.range().enumerate() {
            let (errors, types) = (&errors[s * b..(s + 1) * b], &types[s * b..(s + 1) * b]);
            let correct: Vec<bool> = errors.iter().map(|e| *e < self.task.correct_below()).collect();
            if self.frozen[s].is_none() {
                self.modulator.observe(s, &judged[s * b..(s + 1) * b], types);
                self.criterion[s].observe(correct.iter().copied(), trials);
            }
            networks.push(NetworkReport {
                update: self.updates,
                trials,
                network,
                error: errors.iter().sum::<f64>() / b as f64,
                fraction_correct: correct.iter().filter(|c| **c).count() as f64 / b as f64,
                recent_correct: self.criterion[s].recent_fraction(),
                mean_abs_dw: changes.mean_abs[s],
                fraction_clipped: changes.clipped[s],
                criterion_trials: self.criterion[s].reached_at(),
                saturated: Some(activity[s].saturated),
                dead: Some(activity[s].dead),
                frozen: self.frozen[s].map(|frozen| frozen.update),
            });
        }
        UpdateReport { update: self.updates, trials, networks }
    }

    /// Whether each network's rates are stuck, in this batch and at the end of the one before.
    fn stuck(&self, activity: &[Activity]) -> Result<Vec<bool>> {
        let before = |(s, now): (usize, &Activity)| -> Result<bool> {
            if !now.stuck {
                return Ok(false);
            }
            let rates: Vec<f32> = self.state.r.get(s)?.to_dtype(DType::F32)?.flatten_all()?.to_vec1()?;
            Ok(self.limits.activity(&rates).stuck)
        };
        activity.iter().enumerate().map(before).collect()
    }
}

/// Draws the batch that begins with trial `first_trial` of each network.
fn draw(config: &Config, task: &dyn Task, first_trial: u64) -> Result<TrialBatch> {
    let train = &config.train;
    let draw = Draw { seed: train.seed, phase: Phase::Train, first_trial, trials_each: train.batch, explore: true };
    TrialBatch::draw(config, task, draw)
}

/// The optimiser, where there is one: with the `moments` of a checkpoint, or none.
fn learner(config: &Config, weights: &Weights, task: &dyn Task, moments: Moments) -> Result<Option<Learner>> {
    (config.rule.name == RuleName::Bptt).then(|| Learner::new(config, weights, task, moments)).transpose()
}

/// The error of each trial, `[S, B]`, from outputs `[T, S, B, n_out]`.
pub(crate) fn errors(task: &dyn Task, batch: &TrialBatch, outputs: &Tensor) -> Result<Vec<f64>> {
    let (t, _, _, n_out) = outputs.dims4()?;
    let by_trial: Vec<f32> = outputs.permute((1, 2, 0, 3))?.to_dtype(DType::F32)?.flatten_all()?.to_vec1()?;
    let error =
        |(i, drawn): (usize, &DrawnTrial)| task.error(&drawn.trial, &by_trial[i * t * n_out..(i + 1) * t * n_out]);
    Ok(batch.drawn.par_iter().enumerate().map(error).collect())
}
