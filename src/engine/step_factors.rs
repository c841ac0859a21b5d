//! What the steps of episodes add to the eligibilities. It is kept step by step, since only the end of an episode tells
//! what a step was worth.

use super::{product, Strides};
use crate::rules::{Factors, Increment};
use candle_core::{Device, Result, Tensor};
use rayon::prelude::*;

/// What the steps of S × B episodes add to the eligibilities of w_rec and the readout.
pub enum StepFactors {
    /// As tensors, from the reference engine.
    Plain(PlainFactors),
    /// In host memory, from the fused CPU kernels.
    Host(HostFactors),
}

impl StepFactors {
    /// Σ_b Σ_t weight_bt e_bt for w_rec, `[S, N, N]`; `weights` has a list for each episode, `[S, B]`, with a number for each
    /// step of the world.
    pub(crate) fn recurrent(&self, weights: &[Vec<f64>]) -> Result<Option<Tensor>> {
        match self {
            StepFactors::Plain(factors) => factors.recurrent.iter().map(|step| step.weighted(weights)).sum_all(),
            StepFactors::Host(factors) => factors.recurrent(weights),
        }
    }

    /// The same for w_out `[S, n_out, N]` and b_out `[S, n_out]`.
    pub(crate) fn readout(&self, weights: &[Vec<f64>]) -> Result<Option<(Tensor, Tensor)>> {
        match self {
            StepFactors::Plain(factors) => {
                let w_out = factors.readout.iter().map(|step| step.weighted(weights)).sum_all()?;
                let b_out = factors.readout.iter().map(|step| step.weighted_post(weights)?.sum(1)).sum_all()?;
                Ok(w_out.zip(b_out))
            }
            StepFactors::Host(factors) => factors.readout(weights),
        }
    }
}

trait SumAll {
    fn sum_all(self) -> Result<Option<Tensor>>;
}

impl<I: Iterator<Item = Result<Tensor>>> SumAll for I {
    fn sum_all(mut self) -> Result<Option<Tensor>> {
        self.try_fold(None, |sum: Option<Tensor>, term| match sum {
            Some(sum) => Ok(Some((sum + term?)?)),
            None => Ok(Some(term?)),
        })
    }
}

/// [`StepFactors`] as tensors.
#[derive(Default)]
pub struct PlainFactors {
    recurrent: Vec<PlainStep>,
    readout: Vec<PlainStep>,
}

/// An outer product at a step of the world.
struct PlainStep {
    step: usize,
    post: Tensor,
    pre: Tensor,
}

impl PlainStep {
    /// Post, `[S, B, …]`, times the weight of each episode at this step.
    fn weighted_post(&self, weights: &[Vec<f64>]) -> Result<Tensor> {
        let (s, b, _) = self.post.dims3()?;
        let now: Vec<f64> = weights.iter().map(|of| of.get(self.step).copied().unwrap_or(0.0)).collect();
        let now = Tensor::from_vec(now, (s, b, 1), &Device::Cpu)?.to_dtype(self.post.dtype())?;
        self.post.broadcast_mul(&now.to_device(self.post.device())?)
    }

    fn weighted(&self, weights: &[Vec<f64>]) -> Result<Tensor> {
        self.weighted_post(weights)?.transpose(1, 2)?.contiguous()?.matmul(&self.pre.contiguous()?)
    }
}

impl PlainFactors {
    /// Adds what a step of the network adds to the eligibility of w_rec.
    pub(super) fn push(&mut self, step: usize, increment: Increment) -> Result<()> {
        let mut add = |Factors { post, pre }| self.recurrent.push(PlainStep { step, post, pre });
        match increment {
            Increment::Outer(factors) => add(factors),
            Increment::Outers(both) => both.into_iter().for_each(add),
            // The cube of a product is the product of the cubes.
            Increment::CubedOuter(Factors { post, pre }) => {
                add(Factors { post: (post.sqr()? * post)?, pre: (pre.sqr()? * pre)? });
            }
            Increment::Matrix(_) => candle_core::bail!("a rule whose increments are matrices, in a world"),
        }
        Ok(())
    }

    /// Adds what a step adds to the eligibility of the readout.
    pub(super) fn push_readout(&mut self, step: usize, score: Tensor, r: Tensor) {
        self.readout.push(PlainStep { step, post: score, pre: r });
    }
}

/// [`StepFactors`] in host memory.
pub struct HostFactors {
    /// The number of networks, S.
    pub(super) networks: usize,
    /// N.
    pub(super) neurons: usize,
    /// The length of a row of N, with padding.
    pub(super) width: usize,
    pub(super) n_out: usize,
    /// Steps of the network for each step of the world.
    pub(super) network_steps: usize,
    /// The first step of the network that counts for w_rec.
    pub(super) start_step: usize,
    /// Whether presynaptic factors are the cubes of rates.
    pub(super) cubed: bool,
    /// `[S, B]`.
    pub(super) episodes: Vec<HostEpisode>,
}

/// The factors of one episode.
#[derive(Default)]
pub(super) struct HostEpisode {
    /// Postsynaptic factors, `[T, width]`; empty if w_rec does not learn.
    pub post: Vec<f32>,
    /// Firing rates before the first step and after each, `[T + 1, width]`.
    pub rates: Vec<f32>,
    /// The score of each output, `[T / network_steps, n_out]`; empty if the readout does not learn.
    pub score: Vec<f32>,
}

impl HostEpisode {
    /// Forgets everything but its memory.
    pub fn clear(&mut self) {
        self.post.clear();
        self.rates.clear();
        self.score.clear();
    }
}

/// Rows that are multiplied at once.
const BLOCK: usize = 128;
/// Postsynaptic neurons of a job. It does not depend on the number of threads, and so neither do the results.
const PART: usize = 32;

impl HostFactors {
    fn recurrent(&self, weights: &[Vec<f64>]) -> Result<Option<Tensor>> {
        if self.episodes.iter().all(|episode| episode.post.is_empty()) {
            return Ok(None);
        }
        let (s, n, w, b) = (self.networks, self.neurons, self.width, self.episodes.len() / self.networks);
        let mut sum = vec![0f32; s * n * n];
        let parts = |(k, sum)| <[f32]>::chunks_mut(sum, PART * n).enumerate().map(move |(part, sum)| (k, part, sum));
        let jobs: Vec<_> = sum.chunks_mut(n * n).enumerate().flat_map(parts).collect();
        jobs.into_par_iter().for_each(|(k, part, sum)| {
            let mut block = Block::new(PART, w);
            for (episode, weights) in self.episodes[k * b..][..b].iter().zip(&weights[k * b..]) {
                for (step, post) in episode.post.chunks_exact(w).enumerate().skip(self.start_step) {
                    let pre = &episode.rates[step * w..(step + 1) * w];
                    let post = &post[part * PART..(part * PART + PART).min(w)];
                    block.push(post, pre, weights[step / self.network_steps] as f32, self.cubed);
                }
            }
            let whole = block.finish();
            for (row, sum) in sum.chunks_exact_mut(n).enumerate() {
                sum.copy_from_slice(&whole[row * w..row * w + n]);
            }
        });
        Tensor::from_vec(sum, (s, n, n), &Device::Cpu).map(Some)
    }

    fn readout(&self, weights: &[Vec<f64>]) -> Result<Option<(Tensor, Tensor)>> {
        if self.episodes.iter().all(|episode| episode.score.is_empty()) {
            return Ok(None);
        }
        let (s, n, w, m, b) =
            (self.networks, self.neurons, self.width, self.n_out, self.episodes.len() / self.networks);
        let of_network = |k: usize| {
            let (mut block, mut bias) = (Block::new(m, w), vec![0f32; m]);
            for (episode, weights) in self.episodes[k * b..][..b].iter().zip(&weights[k * b..]) {
                for ((step, score), weight) in episode.score.chunks_exact(m).enumerate().zip(weights) {
                    let (after, weight) = ((step + 1) * self.network_steps, *weight as f32);
                    block.push(score, &episode.rates[after * w..(after + 1) * w], weight, false);
                    bias.iter_mut().zip(score).for_each(|(bias, score)| *bias += weight * score);
                }
            }
            let rows = block.finish().chunks_exact(w).flat_map(|row| &row[..n]).copied().collect::<Vec<f32>>();
            (rows, bias)
        };
        let all: Vec<_> = (0..s).into_par_iter().map(of_network).collect();
        let (rows, biases): (Vec<_>, Vec<_>) = all.into_iter().unzip();
        let w_out = Tensor::from_vec(rows.concat(), (s, m, n), &Device::Cpu)?;
        Ok(Some((w_out, Tensor::from_vec(biases.concat(), (s, m), &Device::Cpu)?)))
    }
}

/// Rows of factors that wait to be multiplied, and the sum of those that were.
struct Block {
    /// `[BLOCK, rows]` and `[BLOCK, width]`.
    post: Vec<f32>,
    pre: Vec<f32>,
    filled: usize,
    /// `[rows, width]`.
    sum: Vec<f32>,
    rows: usize,
    width: usize,
}

impl Block {
    fn new(rows: usize, width: usize) -> Self {
        Block {
            post: vec![0.0; BLOCK * rows],
            pre: vec![0.0; BLOCK * width],
            filled: 0,
            sum: vec![0.0; rows * width],
            rows,
            width,
        }
    }

    /// Adds weight · post preᵀ, with the cubes of `pre` if so wanted.
    fn push(&mut self, post: &[f32], pre: &[f32], weight: f32, cubed: bool) {
        let at = self.filled;
        let row = &mut self.post[at * self.rows..][..post.len()];
        row.iter_mut().zip(post).for_each(|(kept, post)| *kept = weight * post);
        let row = &mut self.pre[at * self.width..][..self.width];
        match cubed {
            true => row.iter_mut().zip(pre).for_each(|(kept, r)| *kept = r * r * r),
            false => row.copy_from_slice(pre),
        }
        self.filled += 1;
        if self.filled == BLOCK {
            self.fold();
        }
    }

    fn fold(&mut self) {
        let along = Strides { rows: self.width, columns: 1 };
        product(
            (self.rows, self.width, self.filled),
            (&mut self.sum, along),
            true,
            (&self.post, Strides { rows: 1, columns: self.rows }),
            (&self.pre, along),
        );
        self.filled = 0;
    }

    fn finish(mut self) -> Vec<f32> {
        if self.filled > 0 {
            self.fold();
        }
        self.sum
    }
}
