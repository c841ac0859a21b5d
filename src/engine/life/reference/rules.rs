//! The rules of lives in plain candle operations.

use super::{Outcome, Reference};
use crate::engine::life::Drawn;
use crate::rules::{EscapeRate, Exploratory, Filter, PairRule, Simultaneous};
use candle_core::Tensor;
use rand::RngExt;

/// post preᵀ for each network.
fn outer(post: &Tensor, pre: &Tensor) -> Outcome<Tensor> {
    post.unsqueeze(2)?.broadcast_mul(&pre.unsqueeze(1)?)
}

impl Reference {
    /// Pairs of spikes up to the step before this one.
    pub(super) fn pairs(
        &mut self,
        k: usize,
        rule: &PairRule,
        (f_pre, f_post): (Tensor, Tensor),
        now: u64,
    ) -> Outcome<()> {
        let gates: Vec<f64> =
            self.projections[k].level.iter_mut().zip(&self.rewards).map(|(level, r)| rule.gate(level, *r)).collect();
        let gate = self.each(&gates, 3)?;
        let bounds = (self.setup.config.projections[k].w_min, self.setup.config.projections[k].w_max);
        let projection = &mut self.projections[k];
        let (Some(p), Some(q)) = (&projection.pre, &projection.post) else { return Ok(()) };
        let moved = |trace: &Tensor, decay: f64, f: &Tensor| {
            let kept = if rule.accumulates { trace.clone() } else { (trace * f.affine(-1.0, 1.0)?)? };
            kept.affine(decay, 0.0)? + f
        };
        let q = moved(q, rule.post_decay, &f_post)?;
        let after = moved(p, rule.pre_decay, &f_pre)?;
        let used = if rule.simultaneous == Simultaneous::Both { &after } else { p };
        let zeta = (outer(&f_post, used)?.affine(rule.a_plus, 0.0)? + outer(&q, &f_pre)?.affine(rule.a_minus, 0.0)?)?;
        let zeta = (zeta * &projection.mask)?;
        let bounded = |w: Tensor| w.clamp(bounds.0, bounds.1)? * &projection.mask;
        match (rule.eligibility, &projection.synaptic[..]) {
            (Some((decay, scale)), [z]) => {
                let z = (z + zeta.affine(scale, 0.0)?)?;
                if (now + 1).is_multiple_of(rule.period) {
                    projection.weight = bounded((&projection.weight + z.broadcast_mul(&gate)?)?)?;
                    projection.synaptic = vec![z.affine(decay, 0.0)?];
                } else {
                    projection.synaptic = vec![z];
                }
            }
            _ => projection.weight = bounded((&projection.weight + zeta.broadcast_mul(&gate)?)?)?,
        }
        (projection.pre, projection.post) = (Some(after), Some(q));
        Ok(())
    }

    /// The rule for rates, by the reward of this step.
    pub(super) fn explore(
        &mut self,
        k: usize,
        rule: &Exploratory,
        (pre, post): (&Tensor, &Tensor),
        now: u64,
        drawn: &mut [Drawn],
    ) -> Outcome<()> {
        let levels = self.projections[k].level.iter().zip(&self.rewards).zip(drawn);
        let better = levels.map(|((mean, reward), drawn)| match rule.coin {
            true => drawn.coin.random::<bool>(),
            false => reward > mean,
        });
        let better: Vec<f64> = better.map(|better| f64::from(u8::from(better)) * rule.eta_at(now)).collect();
        let gate = self.each(&better, 3)?;
        let bounds = (self.setup.config.projections[k].w_min, self.setup.config.projections[k].w_max);
        let projection = &mut self.projections[k];
        let Some(mean) = &projection.post else { return Ok(()) };
        let change = outer(&(post - mean)?, pre)?.broadcast_mul(&gate)?;
        let change = (change * &projection.mask)?;
        let change = match projection.synaptic.pop() {
            None => Some(change),
            Some(held) => {
                let held = (held + change)?;
                let due = (now + 1).is_multiple_of(rule.hold);
                projection.synaptic.push(if due { held.zeros_like()? } else { held.clone() });
                due.then_some(held)
            }
        };
        if let Some(change) = change {
            projection.weight = ((&projection.weight + change)?.clamp(bounds.0, bounds.1)? * &projection.mask)?;
        }
        projection.post = Some((mean.affine(rule.rate_decay, 0.0)? + post.affine(1.0 - rule.rate_decay, 0.0)?)?);
        for (level, reward) in projection.level.iter_mut().zip(&self.rewards) {
            *level = rule.reward_decay * *level + (1.0 - rule.reward_decay) * reward;
        }
        Ok(())
    }

    /// The rules for neurons with escape noise: `x` arrived in this step, `f` are the spikes and their probability.
    pub(super) fn escape(
        &mut self,
        k: usize,
        rule: &EscapeRate,
        x: &Tensor,
        (f, probability): (&Tensor, &Tensor),
    ) -> Outcome<()> {
        let resets = self.setup.resets[k];
        let projection = &mut self.projections[k];
        let factors = projection.level.iter_mut().zip(&self.rewards);
        let factors: Vec<f64> = factors.map(|(level, reward)| rule.rate * rule.third.of(level, *reward)).collect();
        let gate = self.each(&factors, 3)?;
        let bounds = (self.setup.config.projections[k].w_min, self.setup.config.projections[k].w_max);
        let projection = &mut self.projections[k];
        let ([slow, fast, z_slow, z_fast], Some(q)) = (&projection.synaptic[..], &projection.post) else {
            return Ok(());
        };
        // Both exponentials of a kernel after a step in which `new` came, and their difference.
        let filtered = |kernel: &Filter, slow: &Tensor, fast: &Tensor, new: &Tensor| -> Outcome<[Tensor; 3]> {
            let slow = slow.affine(kernel.slow, 0.0)?.broadcast_add(new)?;
            let fast = match kernel.fast {
                Some(decay) => fast.affine(decay, 0.0)?.broadcast_add(new)?,
                None => fast.clone(),
            };
            let value = ((&slow - &fast)? * kernel.scale)?;
            Ok([slow, fast, value])
        };
        let arrived = x.unsqueeze(1)?.broadcast_mul(&projection.mask)?;
        let [slow, fast, h] = filtered(&rule.response, slow, fast, &arrived)?;
        let learning = if rule.centred { (f - probability)? } else { f.clone() };
        let mut zeta = h.broadcast_mul(&learning.unsqueeze(2)?)?;
        let mut q = q.clone();
        if let Some((a_minus, decay)) = rule.depression {
            zeta = (zeta + arrived.broadcast_mul(&q.affine(decay * a_minus, 0.0)?.unsqueeze(2)?)?)?;
            // An own spike sets P⁻ to 1.
            q = ((&q * f.affine(-decay, decay)?)? + f)?;
        }
        // Only what arrives after an own spike counts from then on, unless it outlasts it.
        let kept = f.affine(if resets { -1.0 } else { 0.0 }, 1.0)?.unsqueeze(2)?;
        let [z_slow, z_fast, z] = filtered(&rule.eligibility, z_slow, z_fast, &zeta)?;
        let weight = (&projection.weight + z.broadcast_mul(&gate)?)?.clamp(bounds.0, bounds.1)?;
        projection.weight = (weight * &projection.mask)?;
        projection.synaptic = vec![slow.broadcast_mul(&kept)?, fast.broadcast_mul(&kept)?, z_slow, z_fast];
        projection.post = Some(q);
        Ok(())
    }
}
