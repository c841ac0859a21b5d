//! Divergence: the signs that a network's numbers are no longer usable, and how the network is restored.
//!
//! A network diverges in an update if an error, a changed weight, an activation or a fast weight is not a finite
//! number, or if all its free neurons are stuck at a limit of their rates. It is frozen: it keeps its state before that
//! update and learns no more. Networks never interact, so the others train just as they would without it.

use super::activity::Activity;
use super::share::Share;
use super::update::{Change, Proposal};
use super::Plastic;
use crate::error::Error;
use candle_core::{CpuStorage, DType, Result, Storage, Tensor};
use serde::{Deserialize, Serialize};
use std::fmt;

/// The sign by which a network's divergence was detected.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
#[serde(rename_all = "kebab-case")]
pub enum Divergence {
    /// The error of a trial is not a finite number.
    Error,
    /// A weight or its change is not a finite number.
    Weights,
    /// An activation or a rate is not a finite number.
    Activations,
    /// A fast weight that outlives the trial is not a finite number.
    Trace,
    /// Every free neuron ended every trial of this update and of the one before beyond 0.99 of the same limit of its
    /// rate.
    StuckRates,
}

impl fmt::Display for Divergence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Divergence::Error => "the error of a trial is not a finite number",
            Divergence::Weights => "a weight or its change is not a finite number",
            Divergence::Activations => "an activation is not a finite number",
            Divergence::Trace => "a fast weight is not a finite number",
            Divergence::StuckRates => "all its rates are stuck at their limits",
        })
    }
}

/// When and why a network was frozen. It keeps its state before `update`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Frozen {
    /// The update in which it diverged, counted from 1.
    pub update: u64,
    /// The sign by which the divergence was detected.
    pub why: Divergence,
}

impl fmt::Display for Frozen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "diverged in update {}: {}", self.update, self.why)
    }
}

/// What to try when networks diverge.
pub const REMEDY: &str = "Smaller rates (rule.eta and readout.eta, or bptt.learning_rate) may help";

impl Share {
    /// Step 5 of an update: freezes the networks that diverge in it and restores their previous state. With
    /// `train.strict_numbers`, a network that diverges is an error.
    pub(super) fn guard(&self, proposal: &mut Proposal) -> crate::error::Result<()> {
        let (now, train) = (&self.current, &self.current.setup.config.train);
        proposal.freeze(now.updates + 1, &self.stuck(&proposal.activity)?)?;
        if train.strict_numbers {
            let networks = train.networks.range().zip(&proposal.frozen).zip(&now.frozen);
            for ((network, frozen), _) in networks.filter(|(_, before)| before.is_none()) {
                if let Some(Frozen { update, why }) = *frozen {
                    return Err(Error::Diverged { network, update, why: why.to_string(), remedy: REMEDY });
                }
            }
        }
        Ok(proposal.hold(&now.plastic)?)
    }

    /// Whether each network's rates are stuck both in this batch and at the end of the one before.
    fn stuck(&self, activity: &[Activity]) -> Result<Vec<bool>> {
        let mut stuck: Vec<bool> = activity.iter().map(|activity| activity.stuck).collect();
        if stuck.contains(&true) {
            let before = self.limits.activity(&self.current.plastic.state.r)?;
            stuck.iter_mut().zip(before).for_each(|(stuck, before)| *stuck &= before.stuck);
        }
        Ok(stuck)
    }
}

impl Proposal {
    /// Freezes the networks that have a value that is not finite, or whose rates are `stuck` `[S]`.
    fn freeze(&mut self, update: u64, stuck: &[bool]) -> Result<()> {
        let Plastic { weights, state, fast_weights, moments: _ } = &self.after;
        let finite_costs = self.outcomes.iter().map(|o| o.costs.iter().all(|cost| cost.is_finite())).collect();
        let finite_changes = self.changes.iter().map(|change| change.finite).collect();
        // Each sign, and whether each network is free of it; the first sign found is reported.
        let mut signs: Vec<(Divergence, Vec<bool>)> =
            vec![(Divergence::Error, finite_costs), (Divergence::Weights, finite_changes)];
        let weights = weights.each().map(|(_, tensor)| (Divergence::Weights, tensor));
        let state = state.each().map(|(_, tensor)| (Divergence::Activations, tensor));
        let fast_weights = fast_weights.iter().flat_map(|h| h.each()).map(|(_, tensor)| (Divergence::Trace, tensor));
        for (why, tensor) in weights.chain(state).chain(fast_weights).filter(|(_, tensor)| tensor.dtype().is_float()) {
            signs.push((why, finite_networks(tensor)?));
        }
        signs.push((Divergence::StuckRates, stuck.iter().map(|stuck| !stuck).collect()));
        for (s, frozen) in self.frozen.iter_mut().enumerate().filter(|(_, frozen)| frozen.is_none()) {
            *frozen = signs.iter().find(|(_, fine)| !fine[s]).map(|(why, _)| Frozen { update, why: *why });
        }
        Ok(())
    }

    /// Restores frozen networks to their state `before` the update.
    fn hold(&mut self, before: &Plastic) -> Result<()> {
        let held: Vec<bool> = self.frozen.iter().map(Option::is_some).collect();
        if !held.contains(&true) {
            return Ok(());
        }
        self.after = self.after.map(|name, after| {
            let before = before.get(name).unwrap_or(after);
            let sources = held.iter().map(|held| if *held { before } else { after });
            let networks = sources.enumerate().map(|(s, source)| source.narrow(0, s, 1));
            Tensor::cat(&networks.collect::<Result<Vec<_>>>()?, 0)
        })?;
        for (change, _) in self.changes.iter_mut().zip(held).filter(|(_, held)| *held) {
            *change = Change::NONE;
        }
        Ok(())
    }
}

/// Which of the S networks in `values` `[S, …]` have only finite values.
pub(super) fn finite_networks(values: &Tensor) -> Result<Vec<bool>> {
    let length = (values.elem_count() / values.dim(0)?).max(1);
    {
        let (storage, layout) = values.storage_and_layout();
        match (&*storage, layout.contiguous_offsets()) {
            (Storage::Cpu(CpuStorage::F32(all)), Some((start, end))) => {
                return Ok(finite_chunks(&all[start..end], length, |value| value.is_finite()));
            }
            (Storage::Cpu(CpuStorage::F64(all)), Some((start, end))) => {
                return Ok(finite_chunks(&all[start..end], length, |value| value.is_finite()));
            }
            _ => {}
        }
    }
    // Finite values times 0 give 0; all others give NaN.
    let zeros = (values.contiguous()?.flatten_from(1)? * 0.0)?.sum(1)?.to_dtype(DType::F64)?;
    Ok(zeros.to_vec1::<f64>()?.into_iter().map(|zero| zero == 0.0).collect())
}

/// Whether all values are finite in each chunk of `length`. The loop has no branch per value, so it is vectorised.
fn finite_chunks<T>(values: &[T], length: usize, finite: impl Fn(&T) -> bool) -> Vec<bool> {
    values.chunks_exact(length).map(|chunk| chunk.iter().fold(true, |all, value| all & finite(value))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::Device;

    fn tensor(values: &[f64], dtype: DType) -> Tensor {
        Tensor::new(values, &Device::Cpu).unwrap().reshape((2, 1, ())).unwrap().to_dtype(dtype).unwrap()
    }

    #[test]
    fn a_value_that_is_not_finite_is_found_in_its_network() {
        for dtype in [DType::F32, DType::F64] {
            let finite = |values: &[f64]| finite_networks(&tensor(values, dtype)).unwrap();
            assert_eq!(finite(&[1.0, -2.0, 0.0, 3e38]), [true, true]);
            assert_eq!(finite(&[1.0, f64::NAN, 0.0, 3.0]), [false, true]);
            assert_eq!(finite(&[1.0, 2.0, f64::NEG_INFINITY, f64::INFINITY]), [true, false]);
            // A non-contiguous view takes the same path as tensors on other devices.
            let view = tensor(&[1.0, 2.0, f64::INFINITY, 4.0], dtype).reshape((2, 2)).unwrap().t().unwrap();
            assert_eq!(finite_networks(&view).unwrap(), [false, true]);
        }
    }
}
