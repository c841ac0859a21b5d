//! An update that is worked out and not yet made: what it would change, and which networks diverge in it.

use super::divergence::{finite_networks, hold, Activity, Why};
use super::{Frozen, Plastic};
use crate::engine::TrialBatch;
use candle_core::{Result, Tensor};

/// What an update changes of S networks of B trials.
pub(super) struct Proposal {
    /// B.
    pub trials_each: usize,
    /// The next batch, where it was drawn already.
    pub next: Option<TrialBatch>,
    /// The error of each trial, `[S, B]`.
    pub errors: Vec<f64>,
    /// What trials are judged by, `[S, B]`: the error, and the cost of outputs.
    pub judged: Vec<f64>,
    /// The trial types, `[S, B]`.
    pub types: Vec<usize>,
    /// What becomes of w_rec.
    pub change: Change,
    /// What the networks would be.
    pub after: Plastic,
    /// `[S]`.
    pub activity: Vec<Activity>,
    /// `[S]`.
    pub frozen: Vec<Option<Frozen>>,
}

/// The statistics of Δw_rec, `[S]`, and whether it was finite before the bound, `[S]`.
pub(super) struct Change {
    pub mean_abs: Vec<f64>,
    pub clipped: Vec<f64>,
    pub finite: Vec<bool>,
}

impl Change {
    /// That of `s` networks whose w_rec stays as it is.
    pub fn none(s: usize) -> Self {
        Change { mean_abs: vec![0.0; s], clipped: vec![0.0; s], finite: vec![true; s] }
    }
}

impl Proposal {
    /// Freezes the networks in which something is not a finite number, or whose rates are `stuck` `[S]`.
    pub fn freeze(&mut self, update: u64, stuck: Vec<bool>) -> Result<()> {
        let mut frozen = std::mem::take(&mut self.frozen);
        let mut look = |why, fine: Vec<bool>| {
            for (frozen, _) in frozen.iter_mut().zip(fine).filter(|(frozen, fine)| frozen.is_none() && !fine) {
                *frozen = Some(Frozen { update, why });
            }
        };
        let Plastic { weights, state, fast_weights, moments: _ } = &self.after;
        look(Why::Error, self.judged.chunks(self.trials_each).map(|b| b.iter().all(|e| e.is_finite())).collect());
        look(Why::Weights, self.change.finite.clone());
        let mut all = |why, tensors: &mut dyn Iterator<Item = (&'static str, &Tensor)>| -> Result<()> {
            let mut floats = tensors.filter(|(_, tensor)| tensor.dtype().is_float());
            floats.try_for_each(|(_, tensor)| {
                look(why, finite_networks(tensor)?);
                Ok(())
            })
        };
        all(Why::Weights, &mut weights.each())?;
        all(Why::Activations, &mut state.each())?;
        all(Why::Trace, &mut fast_weights.iter().flat_map(|h| h.each()))?;
        look(Why::StuckRates, stuck.into_iter().map(|stuck| !stuck).collect());
        self.frozen = frozen;
        Ok(())
    }

    /// Puts frozen networks back to what they were `before`.
    pub fn hold(&mut self, before: &Plastic) -> Result<()> {
        let held: Vec<bool> = self.frozen.iter().map(Option::is_some).collect();
        if !held.contains(&true) {
            return Ok(());
        }
        self.after = self.after.map(|name, after| match before.get(name) {
            Some(before) => hold(&held, before, after),
            None => Ok(after.clone()),
        })?;
        for s in (0..held.len()).filter(|s| held[*s]) {
            (self.change.mean_abs[s], self.change.clipped[s]) = (0.0, 0.0);
        }
        Ok(())
    }
}
