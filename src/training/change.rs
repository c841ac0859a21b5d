//! Step 4 of an update for the Hebbian rules: Δw_rec from the eligibilities and the modulator, and the change of the
//! readout.

use super::adamw;
use super::divergence::finite_networks;
use super::judge::Outcome;
use super::share::Share;
use super::update::Change;
use super::Plastic;
use crate::config::ReadoutConfig;
use crate::engine::{DrawnTrial, Eligibility, EpisodeCredit, TrialBatch};
use crate::error::{Error, Result};
use crate::model::{signed, Weights};
use candle_core::{DType, Device, Tensor};

impl Share {
    /// w_rec after the update, `[S, N, N]`, moved by Δw_rec = clip(η Σ_b m_b e_b), and the change in each network.
    pub(super) fn changed_recurrent(
        &self,
        eligibility: &Eligibility,
        outcomes: &[Outcome],
    ) -> Result<(Tensor, Vec<Change>)> {
        self.moved_recurrent(eligibility.weighted_sum(&self.factors(outcomes))?)
    }

    /// The modulator m of each trial, `[S, B]`.
    pub(super) fn factors(&self, outcomes: &[Outcome]) -> Vec<f64> {
        let (credit, trials) = (self.current.setup.rule.credit(), self.current.trials());
        let networks = outcomes.iter().enumerate();
        let of_network = |(network, Outcome { costs, types, .. }): (usize, &Outcome)| {
            self.baseline.trial_factors(credit, network, costs, types, trials)
        };
        networks.flat_map(of_network).collect()
    }

    /// η now.
    pub(super) fn rate(&self) -> f64 {
        self.current.setup.config.rule.eta * self.fall()
    }

    /// The same from the `sum` of weighted eligibilities, `[S, N, N]`.
    pub(super) fn moved_recurrent(&self, sum: Tensor) -> Result<(Tensor, Vec<Change>)> {
        let (config, before) = (&self.current.setup.config, &self.current.plastic.weights);
        let (networks, dtype) = (sum.dim(0)?, sum.dtype());
        let mut dw = (sum * self.rate())?;
        if let Some(exists) = &before.connectivity {
            dw = (dw * exists.to_dtype(dtype)?)?;
        }
        // Checked before applying the bound, which would turn infinity into an ordinary large change.
        let finite = finite_networks(&dw)?;
        let bound = self.bound();
        let clipped = if bound > 0.0 {
            let at_bound = dw.abs()?.ge(bound)?.to_dtype(dtype)?;
            dw = dw.clamp(-bound, bound)?;
            network_means(&at_bound)?
        } else {
            vec![0.0; networks]
        };
        let statistics = network_means(&dw.abs()?)?.into_iter().zip(clipped).zip(finite);
        let changes = statistics.map(|((mean_abs, clipped), finite)| Change { mean_abs, clipped, finite }).collect();
        let mut w_rec = (&before.w_rec + dw)?;
        if config.network.dale {
            w_rec = signed(&w_rec, config.network.excitatory_neurons())?;
        }
        Ok((w_rec, changes))
    }

    /// Changes w_rec and the readout by the credited eligibilities of episodes; returns the change of w_rec in each network.
    pub(super) fn change_by_episodes(&self, after: &mut Plastic, credit: &EpisodeCredit) -> Result<Vec<Change>> {
        let Plastic { weights, moments, .. } = after;
        let mut changes = vec![Change::NONE; self.current.setup.config.train.networks.count()];
        let decay = self.current.setup.config.rule.rms_decay.unwrap_or(0.0);
        let critic_eta = self.current.setup.task.episodes().map_or(0.0, |episodes| episodes.settings.critic_eta);
        let mut scaled = |weight: &str, sum: &Tensor| {
            if decay > 0.0 {
                adamw::over_rms(decay, self.current.updates + 1, weight, sum, moments)
            } else {
                Ok(sum.clone())
            }
        };
        // The values of an untrained critic would only add noise.
        let settled = critic_eta <= 0.0 || self.has_settled();
        if let Some(sum) = &credit.recurrent {
            let sum = scaled("w_rec", sum)?;
            if settled {
                (weights.w_rec, changes) = self.moved_recurrent(sum)?;
            }
        }
        let ReadoutConfig { eta, max_dw, forget, .. } = self.current.setup.config.readout;
        let (eta, max_dw) = (eta * self.fall(), max_dw.unwrap_or(0.0) * self.fall());
        let kept = self.kept(forget.unwrap_or(0.0));
        let (Some((dw_out, db_out)), Some(w_out), Some(b_out)) =
            (&credit.readout, &mut weights.w_out, &mut weights.b_out)
        else {
            return Ok(changes);
        };
        for (name, w, dw) in [("w_out", w_out, dw_out), ("b_out", b_out, db_out)] {
            let critics = usize::from(critic_eta > 0.0);
            let actors = w.dim(1)? - critics;
            let mut rows = vec![w.narrow(1, 0, actors)?];
            if self.current.setup.config.readout_learns() {
                let dw = (scaled(name, dw)?.narrow(1, 0, actors)? * eta)?;
                let dw = if max_dw > 0.0 { dw.clamp(-max_dw, max_dw)? } else { dw };
                if settled {
                    rows[0] = (by_network(&rows[0], &kept)? + dw)?;
                }
            }
            if critics > 0 {
                let rates: Vec<f64> = credit.critic_scale.iter().map(|scale| critic_eta * scale).collect();
                rows.push((w.narrow(1, actors, 1)? + by_network(&dw.narrow(1, actors, 1)?, &rates)?)?);
            }
            *w = Tensor::cat(&rows, 1)?;
        }
        Ok(changes)
    }

    /// The fraction of its readout that each network keeps, `[S]`.
    fn kept(&self, forget: f64) -> Vec<f64> {
        self.current.criterion.iter().map(|criterion| 1.0 - forget * (1.0 - criterion.recent_fraction())).collect()
    }

    /// The factor by which rates and bounds have decreased.
    fn fall(&self) -> f64 {
        match self.current.setup.config.rule.fall_trials.unwrap_or(0.0) {
            0.0 => 1.0,
            half => 1.0 / (1.0 + self.current.trials() as f64 / half),
        }
    }

    /// The largest change of a weight in an update of B trials: max_dw · max(1, clip_growth · √B).
    pub(super) fn bound(&self) -> f64 {
        let config = &self.current.setup.config;
        self.fall() * config.rule.max_dw * (config.rule.clip_growth * (config.train.batch as f64).sqrt()).max(1.0)
    }

    /// Moves w_out and b_out by η times the mean, over trials and scored steps, of their summed changes.
    pub(super) fn change_readout(
        &self,
        weights: &mut Weights,
        (dw_out, db_out): &(Tensor, Tensor),
        batch: &TrialBatch,
    ) -> Result<()> {
        let config = &self.current.setup.config;
        if config.readout_explores() && !self.has_settled() {
            return Ok(());
        }
        let scored_steps = |trials: &[DrawnTrial]| {
            trials.iter().flat_map(|drawn| &drawn.trial.scored).filter(|scored| **scored).count().max(1) as f64
        };
        let networks = batch.drawn.chunks(batch.trials_each);
        let rates: Vec<f64> = networks.map(|trials| self.fall() * config.readout.eta / scored_steps(trials)).collect();
        let (Some(w_out), Some(b_out)) = (&mut weights.w_out, &mut weights.b_out) else {
            return Err(Error::Bug("a readout learns, but there is none".into()));
        };
        *w_out = (&*w_out + by_network(dw_out, &rates)?)?;
        *b_out = (&*b_out + by_network(db_out, &rates)?)?;
        Ok(())
    }

    /// The online baseline R̄ starts each trial at −Ē, which is meaningless until the warm-up is over; until then,
    /// nothing is learnt from R − R̄.
    fn has_settled(&self) -> bool {
        self.baseline.has_settled(self.current.trials())
    }
}

/// `values` `[S, …]` times a factor for each network.
fn by_network(values: &Tensor, factors: &[f64]) -> candle_core::Result<Tensor> {
    let mut shape = vec![1; values.rank()];
    shape[0] = factors.len();
    let factors = Tensor::from_slice(factors, shape, &Device::Cpu)?.to_dtype(values.dtype())?;
    values.broadcast_mul(&factors.to_device(values.device())?)
}

/// The mean of `values` `[S, …]` over each network.
pub(super) fn network_means(values: &Tensor) -> candle_core::Result<Vec<f64>> {
    values.flatten_from(1)?.mean(1)?.to_dtype(DType::F64)?.to_vec1()
}
