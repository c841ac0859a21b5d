//! tanh as a rational function, which compilers can vectorise.
//!
//! tanh(x) ≈ x P(x²) / Q(x²) with P and Q of degree 4, fitted by `scripts/tanh_coefficients.py` to minimise the
//! relative error on [0, 7.9]; beyond that tanh is 1 to within 3e-7. The absolute error is below 4e-7 everywhere. No
//! fused multiply-add is used, so every processor computes the same bits.

use candle_core::{CpuStorage, CustomOp1, DType, Layout, Result, Shape, Tensor};
use pulp::{Arch, Simd, WithSimd};

/// The result is constant beyond this.
const BOUND: f32 = 7.9;
const P: [f32; 5] = [0.999_999_994_356_082_9, 0.134_506_26, 0.003_578_998_6, 2.202_335_4e-5, 1.542_812_8e-8];
const Q: [f32; 5] = [1.0, 0.467_839_54, 0.026_192_263, 0.000_342_366_14, 8.598_842_7e-7];

/// tanh(x) with an absolute error below 4e-7; NaN for NaN.
#[inline(always)]
pub fn tanh(x: f32) -> f32 {
    let x = x.clamp(-BOUND, BOUND);
    let s = x * x;
    let p = (((P[4] * s + P[3]) * s + P[2]) * s + P[1]) * s + P[0];
    let q = (((Q[4] * s + Q[3]) * s + Q[2]) * s + Q[1]) * s + Q[0];
    x * p / q
}

/// [`tanh`] of each element, with the same bits.
#[inline(always)]
pub(crate) fn tanh_of_vector<S: Simd>(simd: S, x: S::f32s) -> S::f32s {
    let (low, high) = (simd.splat_f32s(-BOUND), simd.splat_f32s(BOUND));
    // In this order of operands, NaN stays NaN: x86 returns the second one.
    let x = simd.min_f32s(high, simd.max_f32s(low, x));
    let s = simd.mul_f32s(x, x);
    let (p, q) = (polynomial(simd, P, s), polynomial(simd, Q, s));
    simd.div_f32s(simd.mul_f32s(x, p), q)
}

/// The polynomial with these coefficients, the lowest first.
#[inline(always)]
fn polynomial<S: Simd>(simd: S, coefficients: [f32; 5], s: S::f32s) -> S::f32s {
    let mut sum = simd.splat_f32s(coefficients[4]);
    for k in (0..4).rev() {
        sum = simd.add_f32s(simd.mul_f32s(sum, s), simd.splat_f32s(coefficients[k]));
    }
    sum
}

/// tanh(x), elementwise and differentiable: by [`tanh`] in single precision on the CPU, else by candle.
pub(crate) fn elementwise(x: &Tensor) -> Result<Tensor> {
    if x.device().is_cpu() && x.dtype() == DType::F32 && x.is_contiguous() {
        return x.apply_op1(FastTanh);
    }
    x.tanh()
}

struct FastTanh;

impl CustomOp1 for FastTanh {
    fn name(&self) -> &'static str {
        "fast-tanh"
    }

    fn cpu_fwd(&self, storage: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let Some((from, to)) = layout.contiguous_offsets() else { candle_core::bail!("fast-tanh: not contiguous") };
        let mut values = storage.as_slice::<f32>()?[from..to].to_vec();
        Arch::new().dispatch(Each(&mut values));
        Ok((CpuStorage::F32(values), layout.shape().clone()))
    }

    /// `gradient` · (1 − tanh²(x)).
    fn bwd(&self, _x: &Tensor, rate: &Tensor, gradient: &Tensor) -> Result<Option<Tensor>> {
        Ok(Some((gradient * rate.sqr()?.affine(-1.0, 1.0)?)?))
    }
}

/// Applies [`tanh`]; compiled for each vector extension.
struct Each<'a>(&'a mut [f32]);

impl WithSimd for Each<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _simd: S) {
        self.0.iter_mut().for_each(|x| *x = tanh(*x));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn worst(values: impl Iterator<Item = f32>) -> f64 {
        values.map(|x| (f64::from(tanh(x)) - f64::from(x).tanh()).abs()).fold(0.0, f64::max)
    }

    #[test]
    fn within_4e_7_over_the_whole_range() {
        // All floats would take minutes; every 97th bit pattern still visits each exponent thousands of times.
        let positive = (0..f32::INFINITY.to_bits()).step_by(97).map(f32::from_bits);
        let error = worst(positive.clone()).max(worst(positive.map(|x| -x)));
        assert!(error < 4e-7, "{error:e}");
    }

    #[test]
    fn small_values_keep_their_relative_precision() {
        for x in [1e-30f32, 1e-10, 1e-4, 1e-2] {
            let relative = (f64::from(tanh(x)) / f64::from(x).tanh() - 1.0).abs();
            assert!(relative < 3e-7, "{x:e}: {relative:e}");
        }
    }

    #[test]
    fn limits() {
        assert_eq!(tanh(0.0), 0.0);
        assert!((1.0 - tanh(f32::INFINITY)).abs() < 4e-7);
        assert!((1.0 + tanh(f32::NEG_INFINITY)).abs() < 4e-7);
        assert!(tanh(f32::NAN).is_nan());
        assert!(tanh(f32::MAX) < 1.0, "a rate never reaches 1");
    }
}
