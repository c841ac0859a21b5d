//! What an update changes: Δw_rec from eligibilities and modulators, and the readout.

use super::Trainer;
use crate::attempt::Change;
use crate::batch::TrialBatch;
use crate::divergence::finite_networks;
use crate::episode::Episode;
use crate::rule::{self, Credit};
use anyhow::{Context, Result};
use candle_core::{DType, Device, Tensor};

impl Trainer {
    /// Δw_rec = clip(η Σ_b weight_b e_b), and what to report of it. `errors` and `types` are `[S, B]`.
    pub(super) fn recurrent_change(&self, episode: &Episode, errors: &[f64], types: &[usize]) -> Result<Change> {
        let (s, b) = (self.config.train.networks.count(), self.config.train.batch);
        let Some(eligibility) = &episode.eligibility else {
            return Ok(Change { dw: None, mean_abs: vec![0.0; s], clipped: vec![0.0; s], finite: vec![true; s] });
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
        Ok(Change { mean_abs: per_network(&dw.abs()?)?, dw: Some(dw), clipped, finite })
    }

    /// What the modulator judges trials by: their `errors` `[S, B]`, plus the cost of `outputs` `[T, S, B, n_out]`.
    pub(super) fn with_energy_cost(&self, errors: &[f64], outputs: &Tensor) -> Result<Vec<f64>> {
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
    pub(super) fn changed_readout(&self, episode: &Episode, batch: &TrialBatch) -> Result<Option<(Tensor, Tensor)>> {
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
}

/// The mean of `[S, N, N]` over each network.
fn per_network(values: &Tensor) -> candle_core::Result<Vec<f64>> {
    values.flatten_from(1)?.mean(1)?.to_dtype(DType::F64)?.to_vec1()
}
