//! The networks of a run that are on one device. An update is first proposed, which can fail and changes nothing, and then
//! made, which cannot.

use super::adamw;
use super::divergence::{Activity, Limits};
use super::proposal::{Change, Proposal};
use super::{Checkpoint, Criterion, Frozen, Integrity, NetworkReport, Plastic, FORMAT, REMEDY};
use crate::engine::{choose, Draw, DrawnTrial, Engine, Ensemble, Record, TrialBatch};
use crate::error::{Error, Result};
use crate::presets::Setup;
use crate::random::Phase;
use crate::rules::RewardBaseline;
use crate::tasks::Task;
use candle_core::{DType, Device, Tensor};
use rayon::prelude::*;

/// Some networks in training.
pub(super) struct Share {
    pub setup: Setup,
    pub plastic: Plastic,
    pub baseline: RewardBaseline,
    pub criterion: Vec<Criterion>,
    pub frozen: Vec<Option<Frozen>>,
    pub updates: u64,
    device: Device,
    limits: Limits,
    engine: Box<dyn Engine>,
    /// The next batch, where it was drawn while a GPU ran the last one.
    drawn: Option<TrialBatch>,
}

impl Share {
    /// Goes on from a checkpoint of these networks on their device.
    pub fn resume(checkpoint: Checkpoint, device: &Device) -> Result<Self> {
        let Checkpoint { setup, plastic, expected_error, criterion, frozen, updates, .. } = checkpoint;
        let networks = setup.config.train.networks.count();
        let mut baseline = RewardBaseline::new(&setup.config.modulator, networks, setup.task.n_types());
        baseline.restore(expected_error);
        Ok(Share {
            limits: Limits::new(&setup.config.network),
            engine: choose(&setup, device, true)?,
            setup,
            device: device.clone(),
            plastic,
            baseline,
            criterion,
            frozen,
            updates,
            drawn: None,
        })
    }

    /// New networks.
    pub fn new(setup: Setup, device: &Device) -> Result<Self> {
        let s = setup.config.train.networks.count();
        let checkpoint = Checkpoint {
            program: String::new(),
            format: FORMAT,
            integrity: Integrity::Whole,
            plastic: Plastic::new(&setup, device)?,
            expected_error: vec![0.0; s * setup.task.n_types()],
            criterion: vec![Criterion::default(); s],
            frozen: vec![None; s],
            updates: 0,
            setup,
        };
        Self::resume(checkpoint, device)
    }

    /// Everything the next update reads.
    pub fn checkpoint(&self) -> Checkpoint {
        Checkpoint {
            program: env!("CARGO_PKG_VERSION").to_string(),
            format: FORMAT,
            integrity: Integrity::Whole,
            setup: self.setup.clone(),
            plastic: self.plastic.clone(),
            expected_error: self.baseline.expected_error().to_vec(),
            criterion: self.criterion.clone(),
            frozen: self.frozen.clone(),
            updates: self.updates,
        }
    }

    /// Trials of each network so far.
    pub fn trials(&self) -> u64 {
        self.updates * self.setup.config.train.batch as u64
    }

    /// Works an update out: everything of it that can fail. The networks stay as they are.
    pub fn propose(&mut self) -> Result<Proposal> {
        let batch = match self.drawn.take() {
            Some(batch) => batch,
            None => draw(&self.setup, self.trials())?,
        };
        let ensemble = Ensemble {
            setup: &self.setup,
            shape: self.setup.shape(),
            weights: &self.plastic.weights,
            baseline: &self.baseline,
            fast_weights: self.plastic.fast_weights.clone(),
        };
        let (setup, device, engine) = (&self.setup, &self.device, &mut self.engine);
        let after = (self.updates + 1) * batch.trials_each as u64;
        let (mut episode, next) = std::thread::scope(|scope| -> Result<_> {
            // While a GPU runs the trials, the processor has time for the next ones.
            let next = (!device.is_cpu()).then(|| scope.spawn(move || draw(setup, after)));
            let episode = engine.run(&ensemble, &batch, true, Record::default())?;
            let joined = next.map(|next| next.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)));
            Ok((episode, joined.transpose()?))
        })?;
        let errors = errors(&*self.setup.task, &batch, &episode.outputs)?;
        let types = batch.types();
        let judged = self.with_energy_cost(&errors, &episode.outputs)?;
        let (mut weights, mut moments) = (self.plastic.weights.clone(), self.plastic.moments.clone());
        let mut change = Change::none(batch.networks);
        if let Some(eligibility) = episode.eligibility.take() {
            (weights.w_rec, change) = self.changed_recurrent(&eligibility, &judged, &types)?;
            self.engine.recycle(eligibility);
        }
        if let Some(readout_change) = &episode.readout_change {
            self.change_readout(&mut weights, readout_change, &batch)?;
        }
        if let Some(gradients) = &episode.gradients {
            (weights, moments, change) =
                adamw::step(&self.setup.config, self.updates, &weights, &self.plastic.moments, gradients)?;
        }
        let state = episode.state;
        let rates: Vec<f32> = state.r.to_dtype(DType::F32)?.flatten_all()?.to_vec1()?;
        let activity: Vec<Activity> =
            rates.chunks_exact(rates.len() / batch.networks).map(|r| self.limits.activity(r)).collect();
        let fast_weights = episode.fast_weights.filter(|_| self.setup.config.fast_weights.persistent);
        let mut proposal = Proposal {
            trials_each: batch.trials_each,
            next,
            errors,
            judged,
            types,
            change,
            after: Plastic { weights, state, fast_weights, moments },
            activity,
            frozen: self.frozen.clone(),
        };
        proposal.freeze(self.updates + 1, self.stuck(&proposal.activity)?)?;
        self.refuse_divergence(&proposal)?;
        proposal.hold(&self.plastic)?;
        Ok(proposal)
    }

    /// With `train.strict_numbers`, an error where a network diverges.
    fn refuse_divergence(&self, proposal: &Proposal) -> Result<()> {
        let train = &self.setup.config.train;
        let mut networks = train.networks.range().zip(&proposal.frozen).zip(&self.frozen);
        match networks.find(|((_, now), before)| now != before) {
            Some(((network, Some(frozen)), _)) if train.strict_numbers => {
                Err(Error::Diverged { network, update: frozen.update, why: frozen.why.to_string(), remedy: REMEDY })
            }
            _ => Ok(()),
        }
    }

    /// Makes a proposed update the networks' own, and reports on each of them.
    pub fn make(&mut self, proposal: Proposal) -> Vec<NetworkReport> {
        let Proposal { trials_each: b, next, errors, judged, types, change, after, activity, frozen } = proposal;
        self.updates += 1;
        (self.drawn, self.frozen, self.plastic) = (next, frozen, after);
        let trials = self.trials();
        let mut reports = Vec::with_capacity(self.frozen.len());
        for (s, network) in self.setup.config.train.networks.range().enumerate() {
            let (errors, types) = (&errors[s * b..(s + 1) * b], &types[s * b..(s + 1) * b]);
            let correct: Vec<bool> = errors.iter().map(|e| *e < self.setup.task.correct_below()).collect();
            if self.frozen[s].is_none() {
                self.baseline.observe(s, &judged[s * b..(s + 1) * b], types);
                self.criterion[s].observe(correct.iter().copied(), trials);
            }
            reports.push(NetworkReport {
                update: self.updates,
                trials,
                network,
                error: errors.iter().sum::<f64>() / b as f64,
                fraction_correct: correct.iter().filter(|c| **c).count() as f64 / b as f64,
                recent_correct: self.criterion[s].recent_fraction(),
                mean_abs_dw: change.mean_abs[s],
                fraction_clipped: change.clipped[s],
                criterion_trials: self.criterion[s].reached_at(),
                saturated: Some(activity[s].saturated),
                dead: Some(activity[s].dead),
                frozen: self.frozen[s].map(|frozen| frozen.update),
            });
        }
        reports
    }

    /// Whether each network's rates are stuck, in this batch and at the end of the one before.
    fn stuck(&self, activity: &[Activity]) -> Result<Vec<bool>> {
        let before = |(s, now): (usize, &Activity)| -> Result<bool> {
            if !now.stuck {
                return Ok(false);
            }
            let rates: Vec<f32> = self.plastic.state.r.get(s)?.to_dtype(DType::F32)?.flatten_all()?.to_vec1()?;
            Ok(self.limits.activity(&rates).stuck)
        };
        activity.iter().enumerate().map(before).collect()
    }
}

/// Draws the batch that begins with trial `first_trial` of each network.
fn draw(setup: &Setup, first_trial: u64) -> Result<TrialBatch> {
    let train = &setup.config.train;
    let draw = Draw { seed: train.seed, phase: Phase::Train, first_trial, trials_each: train.batch, explore: true };
    TrialBatch::draw(setup, draw)
}

/// The error of each trial, `[S, B]`, from outputs `[S, B, T, n_out]`.
pub(crate) fn errors(task: &dyn Task, batch: &TrialBatch, outputs: &Tensor) -> Result<Vec<f64>> {
    let (_, _, t, n_out) = outputs.dims4()?;
    // As exact as the run is: judged in single precision where it runs in that.
    let outputs: Vec<f64> = outputs.to_dtype(DType::F64)?.flatten_all()?.to_vec1()?;
    let error = |(drawn, outputs): (&DrawnTrial, &[f64])| task.error(&drawn.trial, outputs);
    Ok(batch.drawn.par_iter().zip(outputs.par_chunks_exact(t * n_out)).map(error).collect())
}
