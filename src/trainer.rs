//! One update: draw trials, run them, judge them, change the weights. The loop around it is [`crate::training`].

use crate::batch::{Draw, TrialBatch};
use crate::bptt::{Learner, Moments, Stepped};
use crate::checkpoint::Checkpoint;
use crate::config::{Config, RuleName};
use crate::criterion::Criterion;
use crate::dale;
use crate::eligibility::Workspace;
use crate::episode::{Ensemble, Episode, Record, TrialShape};
use crate::modulator::Modulator;
use crate::network::{State, Weights};
use crate::random::Phase;
use crate::rule::{self, Credit};
use crate::task::{self, Task};
use crate::trace::{HebbianTrace, TraceState};
pub use crate::training::{NetworkReport, Observer, StopReason, Training, UpdateReport};
use anyhow::{bail, Context, Result};
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
        let weights = Weights::draw(
            &config.network,
            task.inputs().len(),
            task.n_out(),
            config.train.seed,
            networks,
            dtype,
            device,
        )?;
        let x = Tensor::zeros((s, b, n), dtype, device)?;
        let trace = match HebbianTrace::new(&config.trace) {
            Some(trace) if config.trace.persistent => Some(trace.zero(&x)?),
            _ => None,
        };
        Ok(Trainer {
            modulator: Modulator::new(&config.modulator, s, task.trial_types().len()),
            criterion: vec![Criterion::default(); s],
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
        let Checkpoint { config, weights, state, trace, moments, expected_error, criterion, updates, .. } = checkpoint;
        let mut modulator = Modulator::new(&config.modulator, config.train.networks.count(), task.trial_types().len());
        modulator.restore(expected_error);
        Ok(Trainer {
            learner: learner(&config, &weights, &*task, moments)?,
            config,
            task,
            device: device.clone(),
            weights,
            state,
            trace,
            modulator,
            criterion,
            updates,
            workspace: Workspace::default(),
            drawn: None,
        })
    }

    /// Everything the next update reads.
    pub fn checkpoint(&self) -> Checkpoint {
        Checkpoint {
            program: env!("CARGO_PKG_VERSION").to_string(),
            config: self.config.clone(),
            weights: self.weights.clone(),
            state: self.state.clone(),
            trace: self.trace.clone(),
            moments: self.learner.as_ref().map(Learner::moments).cloned().unwrap_or_default(),
            expected_error: self.modulator.expected_error().to_vec(),
            criterion: self.criterion.clone(),
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

    /// Why training would stop now; `None`: it would go on.
    pub fn finished(&self) -> Option<StopReason> {
        Training::finished(self)
    }

    /// Updates until a limit, the criterion, or until `interrupted` says so between two updates.
    pub fn run(&mut self, observers: &mut [&mut dyn Observer], interrupted: &dyn Fn() -> bool) -> Result<StopReason> {
        Training::run(self, observers, interrupted)
    }

    /// Draws the batch that begins with trial `first_trial` of each network.
    fn draw(&self, first_trial: u64) -> Result<TrialBatch> {
        let train = &self.config.train;
        let draw = Draw { seed: train.seed, phase: Phase::Train, first_trial, trials_each: train.batch, explore: true };
        TrialBatch::draw(&self.config, &*self.task, draw)
    }

    /// Runs one batch of trials and changes the weights once.
    ///
    /// # Errors
    /// Where an error or a weight change is not finite; the weights then stay as they were.
    pub fn update(&mut self) -> Result<UpdateReport> {
        let batch = match self.drawn.take() {
            Some(batch) => batch,
            None => self.draw(self.trials())?,
        };
        let ensemble = Ensemble {
            config: &self.config,
            shape: TrialShape::of(&*self.task),
            weights: &self.weights,
            modulator: &self.modulator,
            trace: self.trace.clone(),
        };
        let (mut episode, stepped) = match &self.learner {
            Some(learner) => {
                let (episode, stepped) = learner.update(&ensemble, &*self.task, &batch, self.updates)?;
                (episode, Some(stepped))
            }
            None => (ensemble.run(&batch, true, Record::default(), &mut self.workspace)?, None),
        };
        // A GPU works on its own until somebody reads a result.
        if !self.device.is_cpu() {
            self.drawn = Some(self.draw(self.trials() + batch.trials_each as u64)?);
        }
        let errors = errors(&*self.task, &batch, &episode.outputs)?;
        let types = batch.types();
        let judged = self.with_energy_cost(&errors, &episode.outputs)?;
        let changes = match &stepped {
            Some(Stepped { mean_abs, clipped, .. }) => {
                Change { dw: None, mean_abs: mean_abs.clone(), clipped: clipped.clone() }
            }
            None => self.recurrent_change(&episode, &judged, &types)?,
        };
        if let Some(spent) = episode.eligibility.take() {
            self.workspace.recycle(spent);
        }
        let readout = self.changed_readout(&episode, &batch)?;
        self.check_finite(&errors, &changes.mean_abs, readout.as_ref())?;
        if let Some(dw) = &changes.dw {
            self.weights.w_rec = (&self.weights.w_rec + dw)?;
            if self.config.network.dale {
                self.weights.w_rec = dale::signed(&self.weights.w_rec, self.config.network.excitatory_neurons())?;
            }
        }
        if let Some((w_out, b_out)) = readout {
            (self.weights.w_out, self.weights.b_out) = (Some(w_out), Some(b_out));
        }
        if let (Some(learner), Some(stepped)) = (&mut self.learner, stepped) {
            self.weights = learner.accept(stepped);
        }

        self.updates += 1;
        let (b, trials) = (batch.trials_each, self.trials());
        let mut networks = Vec::with_capacity(batch.networks);
        for (s, network) in self.config.train.networks.range().enumerate() {
            let (errors, types) = (&errors[s * b..(s + 1) * b], &types[s * b..(s + 1) * b]);
            self.modulator.observe(s, &judged[s * b..(s + 1) * b], types);
            let correct: Vec<bool> = errors.iter().map(|e| *e < self.task.correct_below()).collect();
            self.criterion[s].observe(correct.iter().copied(), trials);
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
            });
        }
        self.state = episode.state;
        if self.config.trace.persistent {
            self.trace = episode.trace;
        }
        Ok(UpdateReport { update: self.updates, trials, networks })
    }

    /// Δw_rec = clip(η Σ_b weight_b e_b), and what to report of it. `errors` and `types` are `[S, B]`.
    fn recurrent_change(&self, episode: &Episode, errors: &[f64], types: &[usize]) -> Result<Change> {
        let (s, b) = (self.config.train.networks.count(), self.config.train.batch);
        let Some(eligibility) = &episode.eligibility else {
            return Ok(Change { dw: None, mean_abs: vec![0.0; s], clipped: vec![0.0; s] });
        };
        let of = |i: usize| i * b..(i + 1) * b;
        let weights: Vec<f64> = match rule::credit(self.config.rule.name) {
            Credit::Trial => {
                (0..s).flat_map(|i| self.modulator.weights(i, &errors[of(i)], &types[of(i)], self.trials())).collect()
            }
            Credit::Online => vec![if self.online_reward_settled() { 1.0 } else { 0.0 }; s * b],
            Credit::Supervised => vec![1.0; s * b],
        };
        let sum = eligibility.weighted_sum(&weights)?;
        let dtype = sum.dtype();
        let mut dw = (sum * self.config.rule.eta)?;
        if let Some(exists) = &self.weights.connectivity {
            dw = (dw * exists.to_dtype(dtype)?)?;
        }
        let bound = self.bound();
        let clipped = if bound > 0.0 {
            let at_bound = dw.abs()?.ge(bound)?.to_dtype(dtype)?;
            dw = dw.clamp(-bound, bound)?;
            per_network(&at_bound)?
        } else {
            vec![0.0; s]
        };
        Ok(Change { mean_abs: per_network(&dw.abs()?)?, dw: Some(dw), clipped })
    }

    /// What the modulator judges trials by: their `errors` `[S, B]`, plus the cost of `outputs` `[T, S, B, n_out]`.
    fn with_energy_cost(&self, errors: &[f64], outputs: &Tensor) -> Result<Vec<f64>> {
        let cost = self.config.modulator.energy_cost;
        if cost == 0.0 {
            return Ok(errors.to_vec());
        }
        let energy: Vec<f64> = outputs.abs()?.mean(3)?.mean(0)?.to_dtype(DType::F64)?.flatten_all()?.to_vec1()?;
        Ok(errors.iter().zip(energy).map(|(error, energy)| error + cost * energy).collect())
    }

    /// The largest change of a weight in an update of B trials: max_dw · max(1, clip_growth · √B).
    fn bound(&self) -> f64 {
        let rule = &self.config.rule;
        rule.max_dw * (rule.clip_growth * (self.config.train.batch as f64).sqrt()).max(1.0)
    }

    /// w_out and b_out after the update: moved by η times the mean over trials and scored steps, once R̄ has settled.
    fn changed_readout(&self, episode: &Episode, batch: &TrialBatch) -> Result<Option<(Tensor, Tensor)>> {
        let settled = self.online_reward_settled() || !self.config.readout_explores();
        let Some((dw_out, db_out)) = episode.readout_change.as_ref().filter(|_| settled) else { return Ok(None) };
        let rates: Vec<f64> = batch
            .drawn
            .chunks(batch.trials_each)
            .map(|trials| trials.iter().flat_map(|d| &d.trial.scored).filter(|scored| **scored).count())
            .map(|scored_steps| self.config.readout.eta / scored_steps.max(1) as f64)
            .collect();
        let rates =
            Tensor::from_vec(rates, batch.networks, &Device::Cpu)?.to_dtype(dw_out.dtype())?.to_device(&self.device)?;
        let moved = |w: &Option<Tensor>, change: &Tensor, rates: Tensor| -> Result<Tensor> {
            let w = w.as_ref().context("a readout learns, but there is none")?;
            Ok((w + change.broadcast_mul(&rates)?)?)
        };
        Ok(Some((
            moved(&self.weights.w_out, dw_out, rates.reshape(((), 1, 1))?)?,
            moved(&self.weights.b_out, db_out, rates.reshape(((), 1))?)?,
        )))
    }

    /// R̄ starts each trial from −Ē, which means nothing before the warm-up: until then nothing is learnt from R − R̄.
    fn online_reward_settled(&self) -> bool {
        self.trials() >= self.config.modulator.warmup_trials
    }

    fn check_finite(&self, errors: &[f64], mean_abs: &[f64], readout: Option<&(Tensor, Tensor)>) -> Result<()> {
        let b = self.config.train.batch;
        let s = self.config.train.networks.count();
        let readout = match readout {
            Some((w_out, b_out)) => {
                (w_out.abs()?.flatten_from(1)?.sum(1)? + b_out.abs()?.sum(1)?)?.to_dtype(DType::F64)?.to_vec1()?
            }
            None => vec![0.0; s],
        };
        for (i, network) in self.config.train.networks.range().enumerate() {
            let errors = &errors[i * b..(i + 1) * b];
            if !(errors.iter().all(|e| e.is_finite()) && mean_abs[i].is_finite() && f64::is_finite(readout[i])) {
                bail!(
                    "network {network} diverged in update {}: its errors or its weight change are not finite numbers. \
                     The update was not applied; the last checkpoint is unharmed. Smaller rates (rule.eta, readout.eta) may help",
                    self.updates + 1
                );
            }
        }
        Ok(())
    }
}

/// The optimiser, where there is one: with the `moments` of a checkpoint, or none.
fn learner(config: &Config, weights: &Weights, task: &dyn Task, moments: Moments) -> Result<Option<Learner>> {
    (config.rule.name == RuleName::Bptt).then(|| Learner::new(config, weights, task, moments)).transpose()
}

/// Δw_rec `[S, N, N]` and its statistics `[S]`.
struct Change {
    dw: Option<Tensor>,
    mean_abs: Vec<f64>,
    clipped: Vec<f64>,
}

/// The mean of `[S, N, N]` over each network.
fn per_network(values: &Tensor) -> candle_core::Result<Vec<f64>> {
    values.flatten_from(1)?.mean(1)?.to_dtype(DType::F64)?.to_vec1()
}

/// The error of each trial, `[S, B]`, from outputs `[T, S, B, n_out]`.
pub(crate) fn errors(task: &dyn Task, batch: &TrialBatch, outputs: &Tensor) -> Result<Vec<f64>> {
    let (t, s, b, n_out) = outputs.dims4()?;
    let values: Vec<f32> = outputs.to_dtype(DType::F32)?.flatten_all()?.to_vec1()?;
    let error = |i: usize| {
        let of_trial: Vec<f32> = (0..t)
            .flat_map(|step| &values[(step * s * b + i) * n_out..(step * s * b + i + 1) * n_out])
            .copied()
            .collect();
        task.error(&batch.drawn[i].trial, &of_trial)
    };
    Ok((0..s * b).into_par_iter().map(error).collect())
}
