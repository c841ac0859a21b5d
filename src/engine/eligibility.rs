//! The eligibility after a batch of trials: one matrix per trial, to be weighted and summed.

use aligned_vec::{AVec, ConstAlign};
use candle_core::{Device, Result, Tensor};
use pulp::{Arch, Simd, WithSimd};
use rayon::prelude::*;

/// Floats aligned to a cache line, so that no vector read straddles two lines.
pub(crate) type Aligned = AVec<f32, ConstAlign<64>>;

/// Rows that are summed together: so few that the sums stay in the fastest cache, and so many that each trial's matrix is read in long
/// pieces.
const ROWS: usize = 10;

/// `len` zeros.
pub(crate) fn zeros(len: usize) -> Aligned {
    AVec::from_iter(0, std::iter::repeat_n(0.0, len))
}

/// An `[N, N]` matrix (post, pre) for each of the S × B trials.
#[non_exhaustive]
pub enum Eligibility {
    /// `[S, B, N, N]`, from all engines except the fused CPU engine.
    Tensor(Tensor),
    /// The same in host memory, from the fused CPU kernels.
    Host(HostEligibility),
}

/// `[S, B, N, width]` in host memory, with padded rows.
pub struct HostEligibility {
    /// The values; can be longer than S·B·N·width.
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
        let (s, b, n, width) = (self.networks, self.trials_each, self.neurons, self.width);
        let arch = Arch::new();
        let mut sum = vec![0f32; s * n * n];
        sum.par_chunks_mut(n * n).enumerate().for_each(|(network, sum)| {
            sum.par_chunks_mut(ROWS * n).enumerate().for_each(|(block, sums)| {
                for trial in network * b..(network + 1) * b {
                    let rows = &self.values[(trial * n + block * ROWS) * width..];
                    arch.dispatch(AddRows { sums, n, rows, width, weight: weights[trial] as f32 });
                }
            });
        });
        let sum = Tensor::from_vec(sum, (s, n, n), &Device::Cpu)?;
        if self.transposed {
            sum.transpose(1, 2)?.contiguous()
        } else {
            Ok(sum)
        }
    }
}

/// sums ← sums + weight · rows, where `sums` are `[rows, n]` and the rows are `width` apart.
struct AddRows<'a> {
    sums: &'a mut [f32],
    n: usize,
    rows: &'a [f32],
    width: usize,
    weight: f32,
}

impl WithSimd for AddRows<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        for (sums, row) in self.sums.chunks_exact_mut(self.n).zip(self.rows.chunks(self.width)) {
            AddScaled { sums, values: row, scale: self.weight }.with_simd(simd);
        }
    }
}

/// sums ← sums + scale · values, each product rounded before it is added; `values` are at least as many as `sums`.
pub(super) struct AddScaled<'a> {
    pub(super) sums: &'a mut [f32],
    pub(super) values: &'a [f32],
    pub(super) scale: f32,
}

impl WithSimd for AddScaled<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let AddScaled { sums, values, scale } = self;
        let scale = simd.splat_f32s(scale);
        let values = &values[..sums.len()];
        let ((sums, last_sums), (values, last_values)) = (S::as_mut_simd_f32s(sums), S::as_simd_f32s(values));
        for (sum, value) in sums.iter_mut().zip(values) {
            *sum = simd.add_f32s(*sum, simd.mul_f32s(scale, *value));
        }
        // Less than a vector, which a plain loop would add number by number.
        let (sum, value) = (simd.partial_load_f32s(last_sums), simd.partial_load_f32s(last_values));
        simd.partial_store_f32s(last_sums, simd.add_f32s(sum, simd.mul_f32s(scale, value)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// More rows than are summed together, and a number that does not divide by it.
    #[test]
    fn sums_over_trials_equal_plain_loops_to_the_bit() {
        let (networks, trials_each, neurons, width) = (2, 3, 23, 32);
        let number = |i: usize| ((i * 37 % 101) as f32 - 50.0) / 7.0;
        let values = AVec::from_iter(0, (0..networks * trials_each * neurons * width).map(number));
        let weights: Vec<f64> = (0..networks * trials_each).map(|i| f64::from(number(i + 5))).collect();
        let mut plain = vec![0f32; networks * neurons * neurons];
        for (i, sum) in plain.iter_mut().enumerate() {
            let (network, row, column) = (i / (neurons * neurons), i / neurons % neurons, i % neurons);
            for trial in network * trials_each..(network + 1) * trials_each {
                *sum += weights[trial] as f32 * values[(trial * neurons + row) * width + column];
            }
        }
        let host = HostEligibility { values, networks, trials_each, neurons, width, transposed: false };
        let sums = host.weighted_sum(&weights).and_then(|sums| sums.flatten_all()?.to_vec1::<f32>());
        assert_eq!(sums.unwrap(), plain);
    }
}
