//! What the steps of an episode add to the eligibilities, kept until its end, which tells what they were worth.

use super::Plan;
use crate::engine::{product, Strides};
use crate::rules::FusedRule;

/// The factors of one episode.
#[derive(Default)]
pub(super) struct EpisodeFactors {
    /// Postsynaptic factors, `[T, width]`; empty if w_rec does not learn.
    pub post: Vec<f32>,
    /// Firing rates before the first step and after each, `[T + 1, width]`; empty if nothing learns.
    pub rates: Vec<f32>,
    /// The score of each output, `[T / network_steps, n_out]`; empty if the readout does not learn.
    pub score: Vec<f32>,
}

/// Sums of eligibilities times what their steps were worth.
#[derive(Clone)]
pub(super) struct Sums {
    /// For w_rec, `[N, width]`; empty if it does not learn.
    pub recurrent: Vec<f32>,
    /// For w_out `[n_out, width]` and b_out `[n_out]`; empty if they do not learn.
    pub w_out: Vec<f32>,
    pub b_out: Vec<f32>,
}

/// The steps that are multiplied at once, while they are in cache.
const BLOCK: usize = 128;

impl Sums {
    pub fn zero(plan: &Plan, readout: bool) -> Self {
        let outputs = if readout { plan.n_out } else { 0 };
        Sums {
            recurrent: vec![0.0; if plan.learns == FusedRule::Nothing { 0 } else { plan.matrix() }],
            w_out: vec![0.0; outputs * plan.width],
            b_out: vec![0.0; outputs],
        }
    }

    pub fn add(&mut self, other: &Sums) {
        let pairs = [(&mut self.recurrent, &other.recurrent), (&mut self.w_out, &other.w_out), (&mut self.b_out, &other.b_out)];
        for (sum, other) in pairs {
            sum.iter_mut().zip(other).for_each(|(sum, other)| *sum += other);
        }
    }

    /// Adds an episode, each step of the world times what it was `worth`. The factors are spent.
    pub fn add_episode(&mut self, plan: &Plan, network_steps: usize, factors: &mut EpisodeFactors, worth: &[f64]) {
        let w = plan.width;
        if !self.w_out.is_empty() {
            for (score, worth) in factors.score.chunks_exact_mut(plan.n_out).zip(worth) {
                for (score, sum) in score.iter_mut().zip(&mut self.b_out) {
                    *score *= *worth as f32;
                    *sum += *score;
                }
            }
            // The rates after the last step of the network in each step of the world.
            let rates = &factors.rates[network_steps * w..];
            fold(&mut self.w_out, w, (&factors.score, plan.n_out), (rates, network_steps * w));
        }
        if !self.recurrent.is_empty() {
            let first = plan.start_step.min(factors.post.len() / w);
            let (post, rates) = (&mut factors.post[first * w..], &mut factors.rates[first * w..]);
            for (step, post) in post.chunks_exact_mut(w).enumerate() {
                let worth = worth[(first + step) / network_steps] as f32;
                post.iter_mut().for_each(|post| *post *= worth);
            }
            if matches!(plan.learns, FusedRule::DeltaX(_)) {
                rates.iter_mut().for_each(|r| *r = *r * *r * *r);
            }
            fold(&mut self.recurrent, w, (post, w), (rates, w));
        }
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

impl EpisodeFactors {
    /// Forgets everything but its memory.
    pub fn clear(&mut self) {
        self.post.clear();
        self.rates.clear();
        self.score.clear();
    }
}
