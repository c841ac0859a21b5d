//! What an update changes: Δw_rec from eligibilities and modulators, and the readout.

use super::divergence::finite_networks;
use super::proposal::Change;
use super::share::Share;
use crate::engine::{Eligibility, TrialBatch};
use crate::error::{Error, Result};
use crate::model::{signed, Weights};
use crate::rules::Credit;
use candle_core::{DType, Device, Tensor};

impl Share {
    /// w_rec after the update, moved by Δw_rec = clip(η Σ_b weight_b e_b), and what to report of that. `errors` and `types` are
    /// `[S, B]`.
    pub(super) fn changed_recurrent(
        &self,
        eligibility: &Eligibility,
        errors: &[f64],
        types: &[usize],
    ) -> Result<(Tensor, Change)> {
        let (config, before) = (&self.setup.config, &self.plastic.weights);
        let (s, b) = (config.train.networks.count(), config.train.batch);
        let of = |i: usize| i * b..(i + 1) * b;
        let weights: Vec<f64> = match self.setup.rule.credit() {
            Credit::Trial => {
                (0..s).flat_map(|i| self.baseline.weights(i, &errors[of(i)], &types[of(i)], self.trials())).collect()
            }
            Credit::Online => vec![if self.online_reward_settled() { 1.0 } else { 0.0 }; s * b],
            Credit::Supervised => vec![1.0; s * b],
        };
        let sum = eligibility.weighted_sum(&weights)?;
        let dtype = sum.dtype();
        let mut dw = (sum * config.rule.eta)?;
        if let Some(exists) = &before.connectivity {
            dw = (dw * exists.to_dtype(dtype)?)?;
        }
        // Before the bound, which would make infinity look like any large change.
        let finite = finite_networks(&dw)?;
        let bound = self.bound();
        let clipped = if bound > 0.0 {
            let at_bound = dw.abs()?.ge(bound)?.to_dtype(dtype)?;
            dw = dw.clamp(-bound, bound)?;
            per_network(&at_bound)?
        } else {
            vec![0.0; s]
        };
        let change = Change { mean_abs: per_network(&dw.abs()?)?, clipped, finite };
        let mut w_rec = (&before.w_rec + dw)?;
        if config.network.dale {
            w_rec = signed(&w_rec, config.network.excitatory_neurons())?;
        }
        Ok((w_rec, change))
    }

    /// What trials are judged by: their `errors` `[S, B]`, plus the cost of `outputs` `[S, B, T, n_out]`.
    pub(super) fn with_energy_cost(&self, errors: &[f64], outputs: &Tensor) -> Result<Vec<f64>> {
        let cost = self.setup.config.modulator.energy_cost;
        if cost == 0.0 {
            return Ok(errors.to_vec());
        }
        // Steps first: the order of a sum in single precision shows in its last digit.
        let by_step = outputs.permute((2, 0, 1, 3))?.contiguous()?;
        let energy: Vec<f64> = by_step.abs()?.mean(3)?.mean(0)?.to_dtype(DType::F64)?.flatten_all()?.to_vec1()?;
        Ok(errors.iter().zip(energy).map(|(error, energy)| error + cost * energy).collect())
    }

    /// The largest change of a weight in an update of B trials: max_dw · max(1, clip_growth · √B).
    fn bound(&self) -> f64 {
        let rule = &self.setup.config.rule;
        rule.max_dw * (rule.clip_growth * (self.setup.config.train.batch as f64).sqrt()).max(1.0)
    }

    /// Moves w_out and b_out by η times the mean over trials and scored steps of their summed changes, once R̄ has settled.
    pub(super) fn change_readout(
        &self,
        weights: &mut Weights,
        (dw_out, db_out): &(Tensor, Tensor),
        batch: &TrialBatch,
    ) -> Result<()> {
        let config = &self.setup.config;
        if config.readout_explores() && !self.online_reward_settled() {
            return Ok(());
        }
        let scored = |of: &[crate::engine::DrawnTrial]| {
            of.iter().flat_map(|d| &d.trial.scored).filter(|scored| **scored).count().max(1) as f64
        };
        let rates: Vec<f64> =
            batch.drawn.chunks(batch.trials_each).map(|trials| config.readout.eta / scored(trials)).collect();
        let rates = Tensor::from_vec(rates, batch.networks, &Device::Cpu)?;
        let rates = rates.to_dtype(dw_out.dtype())?.to_device(dw_out.device())?;
        let (Some(w_out), Some(b_out)) = (&weights.w_out, &weights.b_out) else {
            return Err(Error::Bug("a readout learns, but there is none".into()));
        };
        let moved = |w: &Tensor, change: &Tensor, rates: Tensor| w + change.broadcast_mul(&rates)?;
        let w_out = moved(w_out, dw_out, rates.reshape(((), 1, 1))?)?;
        let b_out = moved(b_out, db_out, rates.reshape(((), 1))?)?;
        (weights.w_out, weights.b_out) = (Some(w_out), Some(b_out));
        Ok(())
    }

    /// R̄ starts each trial from −Ē, which means nothing before the warm-up: until then nothing is learnt from R − R̄.
    fn online_reward_settled(&self) -> bool {
        self.trials() >= self.setup.config.modulator.warmup_trials
    }
}

/// The mean of `[S, N, N]` over each network.
fn per_network(values: &Tensor) -> candle_core::Result<Vec<f64>> {
    values.flatten_from(1)?.mean(1)?.to_dtype(DType::F64)?.to_vec1()
}
