//! The eligibility after a batch of trials: one matrix per trial, to be weighted and summed.

use aligned_vec::{AVec, ConstAlign};
use candle_core::{Device, Result, Tensor};
use rayon::prelude::*;

/// Floats aligned to a cache line, so that no vector read straddles two lines.
pub(crate) type Aligned = AVec<f32, ConstAlign<64>>;

/// `len` zeros.
pub(crate) fn zeros(len: usize) -> Aligned {
    AVec::from_iter(0, std::iter::repeat_n(0.0, len))
}

/// An `[N, N]` matrix (post, pre) for each of the S × B trials.
pub enum Eligibility {
    /// `[S, B, N, N]`, from all engines except the fused CPU engine.
    Tensor(Tensor),
    /// The same in host memory, from the fused CPU kernels.
    Host(HostEligibility),
}

/// `[S, B, N, width]` in host memory, with padded rows.
pub struct HostEligibility {
    /// The values; may be longer than S·B·N·width.
    pub(crate) values: Aligned,
    /// The number of networks, S.
    pub(crate) networks: usize,
    /// The number of trials per network, B.
    pub(crate) trials_each: usize,
    /// The number of neurons, N.
    pub(crate) neurons: usize,
    /// The length of a row, at least N; the padding is not read.
    pub(crate) width: usize,
    /// Whether the matrices are (pre, post) instead.
    pub(crate) transposed: bool,
}

impl Eligibility {
    /// Σ_b weight_b e_b for each network, `[S, N, N]`, from `weights` `[S, B]`.
    ///
    /// # Errors
    /// If the device fails.
    pub fn weighted_sum(&self, weights: &[f64]) -> Result<Tensor> {
        match self {
            Eligibility::Tensor(e) => {
                let (s, b, n, _) = e.dims4()?;
                let weights =
                    Tensor::from_slice(weights, (s, 1, b), &Device::Cpu)?.to_dtype(e.dtype())?.to_device(e.device())?;
                weights.matmul(&e.reshape((s, b, n * n))?)?.reshape((s, n, n))
            }
            Eligibility::Host(e) => e.weighted_sum(weights),
        }
    }
}

impl HostEligibility {
    /// Sums each row of each network trial by trial, so that the order does not depend on the number of threads.
    fn weighted_sum(&self, weights: &[f64]) -> Result<Tensor> {
        let (s, b, n) = (self.networks, self.trials_each, self.neurons);
        let mut sum = vec![0f32; s * n * n];
        sum.par_chunks_mut(n).enumerate().for_each(|(row, sum)| {
            let (network, row) = (row / n, row % n);
            for trial in network * b..(network + 1) * b {
                let weight = weights[trial] as f32;
                let at = (trial * n + row) * self.width;
                sum.iter_mut().zip(&self.values[at..at + n]).for_each(|(sum, e)| *sum += weight * e);
            }
        });
        let sum = Tensor::from_vec(sum, (s, n, n), &Device::Cpu)?;
        if self.transposed {
            sum.transpose(1, 2)?.contiguous()
        } else {
            Ok(sum)
        }
    }
}
