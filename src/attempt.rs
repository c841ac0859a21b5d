//! An update that is worked out and not yet made: what it would change, and which networks diverge in it.

use crate::batch::TrialBatch;
use crate::bptt::Moments;
use crate::divergence::{finite_networks, hold, Activity, Frozen, Why};
use crate::network::{State, Weights};
use crate::trace::TraceState;
use candle_core::{Result, Tensor};

/// What an update changes of S networks of B trials.
pub(crate) struct Attempt {
    /// B.
    pub trials_each: usize,
    /// The next batch, where it was drawn already.
    pub next: Option<TrialBatch>,
    /// The error of each trial, `[S, B]`.
    pub errors: Vec<f64>,
    /// What the modulator judges trials by, `[S, B]`.
    pub judged: Vec<f64>,
    /// The trial types, `[S, B]`.
    pub types: Vec<usize>,
    /// What becomes of w_rec.
    pub changes: Change,
    /// What the networks would be.
    pub after: Plastic,
    /// `[S]`.
    pub activity: Vec<Activity>,
    /// `[S]`.
    pub frozen: Vec<Option<Frozen>>,
}

/// Δw_rec `[S, N, N]`, its statistics `[S]`, and whether it was finite before the bound, `[S]`.
pub(crate) struct Change {
    pub dw: Option<Tensor>,
    pub mean_abs: Vec<f64>,
    pub clipped: Vec<f64>,
    pub finite: Vec<bool>,
}

/// All that an update may change of what the next one starts from.
pub(crate) struct Plastic {
    pub weights: Weights,
    pub state: State,
    /// Where it outlives a trial.
    pub trace: Option<TraceState>,
    /// The optimiser's state; empty unless the rule is `bptt`.
    pub moments: Moments,
}

impl Attempt {
    /// Freezes the networks in which something is not a finite number, or whose rates are `stuck` `[S]`.
    pub fn freeze(&mut self, update: u64, stuck: Vec<bool>) -> Result<()> {
        let mut frozen = std::mem::take(&mut self.frozen);
        let mut look = |why, fine: Vec<bool>| {
            for (frozen, _) in frozen.iter_mut().zip(fine).filter(|(frozen, fine)| frozen.is_none() && !fine) {
                *frozen = Some(Frozen { update, why });
            }
        };
        let Plastic { weights, state, trace, .. } = &self.after;
        look(Why::Error, self.judged.chunks(self.trials_each).map(|b| b.iter().all(|e| e.is_finite())).collect());
        look(Why::Weights, self.changes.finite.clone());
        for (_, weight) in weights.each().filter(|(_, weight)| weight.dtype().is_float()) {
            look(Why::Weights, finite_networks(weight)?);
        }
        look(Why::Activations, finite_networks(&state.x)?);
        look(Why::Activations, finite_networks(&state.r)?);
        for kept in trace.iter().flat_map(|trace| [Some(&trace.h), trace.eligibility.as_ref()]).flatten() {
            look(Why::Trace, finite_networks(kept)?);
        }
        look(Why::StuckRates, stuck.into_iter().map(|stuck| !stuck).collect());
        self.frozen = frozen;
        Ok(())
    }

    /// Puts frozen networks back to what they were.
    pub fn hold(
        &mut self,
        weights: &Weights,
        state: &State,
        trace: Option<&TraceState>,
        moments: Option<&Moments>,
    ) -> Result<()> {
        let held: Vec<bool> = self.frozen.iter().map(Option::is_some).collect();
        if !held.contains(&true) {
            return Ok(());
        }
        let put_back = |after: &mut Tensor, before: &Tensor| -> Result<()> {
            *after = hold(&held, before, after)?;
            Ok(())
        };
        let after = &mut self.after;
        after.weights = after.weights.map(|name, after| match weights.get(name) {
            Some(before) => hold(&held, before, after),
            None => Ok(after.clone()),
        })?;
        put_back(&mut after.state.x, &state.x)?;
        put_back(&mut after.state.r, &state.r)?;
        if let (Some(after), Some(before)) = (&mut after.trace, trace) {
            put_back(&mut after.h, &before.h)?;
            if let (Some(after), Some(before)) = (&mut after.eligibility, &before.eligibility) {
                put_back(after, before)?;
            }
        }
        for (name, before) in moments.into_iter().flatten() {
            if let Some(after) = after.moments.get_mut(name) {
                put_back(after, before)?;
            }
        }
        for s in (0..held.len()).filter(|s| held[*s]) {
            (self.changes.mean_abs[s], self.changes.clipped[s]) = (0.0, 0.0);
        }
        Ok(())
    }
}
