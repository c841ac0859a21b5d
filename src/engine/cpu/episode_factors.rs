//! The contributions of the steps of an episode to the eligibilities, kept until its end shows their advantages.

use super::advance::raise;
use super::Plan;
use crate::engine::{product, Strides};
use crate::rules::FusedRule;

/// The contributions of an episode to its eligibilities.
#[derive(Default)]
pub(super) struct EpisodeFactors {
    /// Postsynaptic factors of the newest steps, `[T, width]`; empty if w_rec does not learn.
    pub post: Vec<f32>,
    /// Firing rates before the first of these steps and after each, `[T + 1, width]`; empty if nothing learns.
    pub rates: Vec<f32>,
    /// The score of each output, `[T / network_steps, n_out]`; empty if the readout does not learn.
    pub score: Vec<f32>,
    /// The eligibilities of the steps before.
    sums: Sums,
    /// The number of those steps.
    folded: usize,
}

/// Eligibilities, or sums of them.
#[derive(Default)]
pub(super) struct Sums {
    /// For w_rec, `[N, width]`; empty if it does not learn.
    pub recurrent: Vec<f32>,
    /// For w_out `[n_out, width]` and b_out `[n_out]`; empty if they do not learn.
    pub w_out: Vec<f32>,
    pub b_out: Vec<f32>,
}

/// The steps of the network that are multiplied at once, while they are in cache.
pub(super) const BLOCK: usize = 64;

impl Sums {
    /// Zeros in the memory of `self`.
    pub fn clear(&mut self, plan: &Plan, readout: bool) {
        let outputs = if readout { plan.n_out } else { 0 };
        let matrix = if plan.learns == FusedRule::Nothing { 0 } else { plan.matrix() };
        for (sum, length) in
            [(&mut self.recurrent, matrix), (&mut self.w_out, outputs * plan.width), (&mut self.b_out, outputs)]
        {
            sum.clear();
            sum.resize(length, 0.0);
        }
    }

    /// Adds `other` times `factor`.
    pub fn add(&mut self, other: &Sums, factor: f32) {
        for (sum, other) in
            [(&mut self.recurrent, &other.recurrent), (&mut self.w_out, &other.w_out), (&mut self.b_out, &other.b_out)]
        {
            sum.iter_mut().zip(other).for_each(|(sum, other)| *sum += factor * other);
        }
    }
}

impl EpisodeFactors {
    /// The start of an episode at rates `r` `[width]`.
    pub fn start(&mut self, plan: &Plan, readout: bool, r: &[f32]) {
        for list in [&mut self.post, &mut self.rates, &mut self.score] {
            list.clear();
        }
        self.rates.extend_from_slice(r);
        self.sums.clear(plan, readout);
        self.folded = 0;
    }

    /// Adds the newest steps to the eligibilities.
    pub fn fold(&mut self, plan: &Plan, network_steps: usize) {
        let (w, steps) = (plan.width, self.rates.len() / plan.width - 1);
        if !self.sums.w_out.is_empty() {
            for score in self.score.chunks_exact(plan.n_out) {
                self.sums.b_out.iter_mut().zip(score).for_each(|(sum, score)| *sum += score);
            }
            // The rates after the last step of the network in each step of the environment.
            let rates = (&self.rates[network_steps * w..], network_steps * w);
            fold(&mut self.sums.w_out, w, (&self.score, plan.n_out), rates);
            self.score.clear();
        }
        if !self.sums.recurrent.is_empty() {
            let first = plan.start_step.saturating_sub(self.folded).min(steps);
            let (post, rates) = (&self.post[first * w..], &mut self.rates[first * w..steps * w]);
            if let FusedRule::DeltaX { exponent, .. } = plan.learns {
                raise(rates, exponent);
            }
            fold(&mut self.sums.recurrent, w, (post, w), (rates, w));
            self.post.clear();
        }
        self.folded += steps;
        self.rates.drain(..steps * w);
    }

    /// The eligibilities after the last step, with each step times its advantage; without, they are not weighted.
    /// Advantages are for steps of which none has been folded.
    pub fn finish(&mut self, plan: &Plan, network_steps: usize, advantages: Option<&[f64]>) -> &Sums {
        if let Some(advantages) = advantages {
            for (score, advantage) in self.score.chunks_exact_mut(plan.n_out).zip(advantages) {
                score.iter_mut().for_each(|score| *score *= *advantage as f32);
            }
            for (step, post) in self.post.chunks_exact_mut(plan.width).enumerate() {
                let advantage = advantages[step / network_steps] as f32;
                post.iter_mut().for_each(|post| *post *= advantage);
            }
        }
        self.fold(plan, network_steps);
        &self.sums
    }
}

/// sum `[rows, width]` ← sum + Σ_t post_t pre_tᵀ. Post is `[T, columns]`, of which the first `rows` of each step are used; a
/// step of `pre` is `stride` numbers from the one before.
fn fold(sum: &mut [f32], width: usize, (post, columns): (&[f32], usize), (pre, stride): (&[f32], usize)) {
    let rows = sum.len() / width;
    for (block, post) in post.chunks(BLOCK * columns).enumerate() {
        product(
            (rows, width, post.len() / columns),
            (sum, Strides { rows: width, columns: 1 }),
            true,
            (post, Strides { rows: 1, columns }),
            (&pre[block * BLOCK * stride..], Strides { rows: stride, columns: 1 }),
        );
    }
}
