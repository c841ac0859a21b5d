//! One update of the networks on one device, in seven steps:
//!
//! 1. draw a batch of trials for each network,
//! 2. run them on the engine,
//! 3. judge their outputs,
//! 4. form a proposal: the weights, moments and state after the update,
//! 5. guard against divergence: freeze the networks that diverge,
//! 6. apply the proposal,
//! 7. report on each network.
//!
//! Steps 1 to 5 ([`Share::propose`]) can fail, in which case the networks stay as they were; steps 6 and 7
//! ([`Share::apply`]) cannot fail. If a run is split over several devices, none applies its proposal until all have
//! formed theirs.

use super::activity::Activity;
use super::adamw;
use super::judge::{judge, Outcome};
use super::share::Share;
use super::{Checkpoint, Criterion, Frozen, NetworkReport, Plastic, StageProgress};
use crate::engine::{Draw, Ensemble, Episode, Record, TrialBatch};
use crate::error::Result;
use crate::random::Phase;
use crate::setup::Setup;
use candle_core::{DType, Tensor};
use std::thread::ScopedJoinHandle;

/// The change of one network's w_rec.
#[derive(Clone, Copy)]
pub(super) struct Change {
    /// Mean |Δw_rec|.
    pub mean_abs: f64,
    /// The fraction of Δw_rec at its bound or, for a gradient, 1 if it was clipped.
    pub clipped: f64,
    /// Whether Δw_rec was finite before it was bounded.
    pub finite: bool,
}

impl Change {
    /// w_rec stays as it is.
    pub const NONE: Change = Change { mean_abs: 0.0, clipped: 0.0, finite: true };
}

/// An update of S networks that has not yet been applied.
pub(super) struct Proposal {
    /// The networks after the update.
    pub after: Plastic,
    /// The results of their trials, `[S]`.
    pub outcomes: Vec<Outcome>,
    /// The changes of w_rec, `[S]`.
    pub changes: Vec<Change>,
    /// Saturated and dead neurons, `[S]`.
    pub activity: Vec<Activity>,
    /// When and why each network was frozen, if it was, `[S]`.
    pub frozen: Vec<Option<Frozen>>,
}

impl Share {
    /// Steps 1 to 5: computes the next update, leaving the networks as they are.
    pub fn propose(&mut self) -> Result<Proposal> {
        let batch = self.draw_trials()?;
        let episode = self.run_trials(&batch, Record::default())?;
        let mut outcomes = judge(&self.current.setup.task, &batch, &episode)?;
        self.add_energy_cost(&mut outcomes, &episode.outputs)?;
        let mut proposal = self.form_proposal(&batch, episode, outcomes)?;
        self.guard(&mut proposal)?;
        Ok(proposal)
    }

    /// Step 1: draws the next batch.
    pub(super) fn draw_trials(&mut self) -> Result<TrialBatch> {
        let Checkpoint { setup, updates, .. } = &self.current;
        match self.drawn_ahead.take() {
            // After a failed update, the batch drawn ahead is not the next one.
            Some((before, batch)) if before == *updates => Ok(batch),
            _ => draw(setup, *updates),
        }
    }

    /// Step 2: runs the trials. While a GPU runs them, the CPU draws the next ones.
    pub(super) fn run_trials(&mut self, batch: &TrialBatch, record: Record) -> Result<Episode> {
        let Share { current, baseline, engine, drawn_ahead, .. } = self;
        let Checkpoint { setup, plastic, updates, .. } = &*current;
        let ensemble = Ensemble {
            setup,
            shape: setup.shape(),
            weights: &plastic.weights,
            baseline,
            trials: current.trials(),
            fast_weights: plastic.fast_weights.clone(),
        };
        let mut run = || engine.run(&ensemble, batch, true, record);
        if plastic.weights.w_rec.device().is_cpu() {
            return run();
        }
        let next = *updates + 1;
        std::thread::scope(|scope| {
            let drawing = scope.spawn(|| draw(setup, next));
            let episode = run()?;
            *drawn_ahead = Some((next, join(drawing)?));
            Ok(episode)
        })
    }

    /// Adds to the costs `modulator.energy_cost` times the mean |output| of each trial in `outputs` `[S, B, T, n_out]`.
    pub(super) fn add_energy_cost(&self, outcomes: &mut [Outcome], outputs: &Tensor) -> Result<()> {
        let factor = self.current.setup.config.modulator.energy_cost;
        if factor == 0.0 {
            return Ok(());
        }
        // Steps first: in single precision, the order of summation affects the last digit.
        let by_step = outputs.permute((2, 0, 1, 3))?.contiguous()?;
        let energy: Vec<f64> = by_step.abs()?.mean(3)?.mean(0)?.to_dtype(DType::F64)?.flatten_all()?.to_vec1()?;
        let costs = outcomes.iter_mut().flat_map(|outcome| &mut outcome.costs);
        costs.zip(energy).for_each(|(cost, energy)| *cost += factor * energy);
        Ok(())
    }

    /// Step 4: forms the proposal.
    fn form_proposal(&mut self, batch: &TrialBatch, episode: Episode, outcomes: Vec<Outcome>) -> Result<Proposal> {
        let Checkpoint { setup: Setup { config, .. }, plastic: before, frozen, updates, .. } = &self.current;
        let mut after = Plastic {
            weights: before.weights.clone(),
            state: episode.state,
            fast_weights: episode.fast_weights.filter(|_| config.fast_weights.persistent),
            moments: before.moments.clone(),
        };
        let mut changes = vec![Change::NONE; batch.networks];
        if let Some(eligibility) = episode.eligibility {
            (after.weights.w_rec, changes) = self.changed_recurrent(&eligibility, &outcomes)?;
            self.engine.recycle(eligibility);
        }
        if let Some(credit) = &episode.credit {
            changes = self.change_by_episodes(&mut after, credit)?;
        }
        if let Some(readout_change) = &episode.readout_change {
            self.change_readout(&mut after.weights, readout_change, batch)?;
        }
        if let Some(gradients) = &episode.gradients {
            (after.weights, after.moments, changes) =
                adamw::step(config, updates + 1, &after.weights, &after.moments, gradients)?;
        }
        let activity = self.limits.activity(&after.state.r)?;
        Ok(Proposal { after, outcomes, changes, activity, frozen: frozen.clone() })
    }

    /// Steps 6 and 7: makes the proposed networks the current ones, and reports on each network.
    pub fn apply(&mut self, proposal: Proposal) -> Vec<NetworkReport> {
        let Proposal { after, outcomes, changes, activity, frozen } = proposal;
        let now = &mut self.current;
        (now.plastic, now.frozen) = (after, frozen);
        now.updates += 1;
        let mut reports = Vec::with_capacity(outcomes.len());
        for (s, outcome) in outcomes.iter().enumerate() {
            let ended = self.current.frozen[s].is_none() && self.observe(s, outcome);
            reports.push(self.report(s, outcome, changes[s], activity[s]));
            if ended {
                let now = &mut self.current;
                now.stages[s] = StageProgress { stage: self.stage + 1, since: now.trials() };
                now.criterion[s] = Criterion::default();
            }
        }
        reports
    }

    /// Records the results of the `s`-th network's trials. Returns whether this ends its stage of the curriculum.
    fn observe(&mut self, s: usize, outcome: &Outcome) -> bool {
        self.baseline.observe(s, &outcome.costs, &outcome.types);
        let now = &mut self.current;
        let trials = now.trials();
        let until = now.setup.config.curriculum.get(self.stage).map(|stage| stage.until);
        let outcomes = outcome.correct.iter().copied().zip(outcome.errors.iter().copied());
        let solved = now.setup.task.solved().map(|solved| -solved);
        let met = now.criterion[s].observe(outcomes, solved, until.is_none().then_some(trials));
        until.is_some_and(|until| now.criterion[s].ends(until, trials - now.stages[s].since, met))
    }

    /// Step 7 for the `s`-th network.
    fn report(&self, s: usize, outcome: &Outcome, change: Change, activity: Activity) -> NetworkReport {
        let now = &self.current;
        let b = outcome.errors.len() as f64;
        NetworkReport {
            update: now.updates,
            trials: now.trials(),
            network: now.setup.config.train.networks.start + s as u64,
            error: outcome.errors.iter().sum::<f64>() / b,
            fraction_correct: outcome.correct.iter().filter(|correct| **correct).count() as f64 / b,
            recent_correct: now.criterion[s].recent_fraction(),
            mean_abs_dw: change.mean_abs,
            fraction_clipped: change.clipped,
            criterion_trials: now.criterion[s].reached_at(),
            saturated: Some(activity.saturated),
            dead: Some(activity.dead),
            diverged_at: now.frozen[s].map(|frozen| frozen.update),
            mean_return: outcome.world_steps.map(|_| -outcome.errors.iter().sum::<f64>() / b),
            world_steps: outcome.world_steps,
            stage: (!now.setup.config.curriculum.is_empty()).then_some(self.stage as u64 + 1),
        }
    }
}

/// Draws the batch that follows `updates` updates.
fn draw(setup: &Setup, updates: u64) -> Result<TrialBatch> {
    let train = &setup.config.train;
    let first_trial = updates * train.batch as u64;
    let draw =
        Draw { seed: train.seed, phase: Phase::Train, first_trial, trials_each: train.batch, age: 0, explore: true };
    TrialBatch::draw(setup, draw)
}

/// The result of a thread, or its panic.
pub(super) fn join<T>(thread: ScopedJoinHandle<T>) -> T {
    thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}
