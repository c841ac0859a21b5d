//! Sums outer products over time as one matrix product per block of steps.

use super::{Factors, Increment};
use candle_core::{Result, Tensor};

/// Σ_t post(t) pre(t)ᵀ for each trial, computed in blocks of steps.
///
/// Memory: S·B·N² for the sum and 2·S·B·block·N for the factors, for trials of any length.
pub(crate) struct Accumulator {
    sum: Option<Tensor>,
    post: Tensor,
    pre: Tensor,
    filled: usize,
    cubed: bool,
}

impl Accumulator {
    /// A sum of 0, for trials with a state variable shaped like `like` `[S, B, N]`.
    pub fn new(like: &Tensor, block: usize) -> Result<Self> {
        let (s, b, n) = like.dims3()?;
        let buffer = || Tensor::zeros((s, b, block, n), like.dtype(), like.device());
        Ok(Accumulator { sum: None, post: buffer()?, pre: buffer()?, filled: 0, cubed: false })
    }

    /// Adds a step.
    pub fn push(&mut self, increment: &Increment) -> Result<()> {
        match increment {
            Increment::Outer(factors) => self.push_outer(factors, false),
            Increment::Outers(both) => both.iter().try_for_each(|factors| self.push_outer(factors, false)),
            Increment::CubedOuter(factors) => self.push_outer(factors, true),
            Increment::Matrix(matrix) => self.add(matrix.clone()),
        }
    }

    fn push_outer(&mut self, factors: &Factors, cubed: bool) -> Result<()> {
        if cubed != self.cubed {
            self.fold()?;
            self.cubed = cubed;
        }
        self.post.slice_set(&factors.post.unsqueeze(2)?.contiguous()?, 2, self.filled)?;
        self.pre.slice_set(&factors.pre.unsqueeze(2)?.contiguous()?, 2, self.filled)?;
        self.filled += 1;
        if self.filled == self.post.dim(2)? {
            self.fold()?;
        }
        Ok(())
    }

    /// The sum, `[S, B, N, N]` (post, pre).
    pub fn finish(mut self) -> Result<Tensor> {
        self.fold()?;
        match self.sum {
            Some(sum) => Ok(sum),
            None => {
                let (s, b, _, n) = self.post.dims4()?;
                Tensor::zeros((s, b, n, n), self.post.dtype(), self.post.device())
            }
        }
    }

    fn fold(&mut self) -> Result<()> {
        if self.filled == 0 {
            return Ok(());
        }
        let block = |factors: &Tensor| {
            let factors = factors.narrow(2, 0, self.filled)?;
            // The cube of a product is the product of the cubes.
            if self.cubed {
                factors.sqr()? * factors
            } else {
                factors.contiguous()
            }
        };
        let product = block(&self.post)?.transpose(2, 3)?.contiguous()?.matmul(&block(&self.pre)?)?;
        self.filled = 0;
        self.add(product)
    }

    fn add(&mut self, matrix: Tensor) -> Result<()> {
        self.sum = Some(match self.sum.take() {
            Some(sum) => (sum + matrix)?,
            None => matrix,
        });
        Ok(())
    }
}
