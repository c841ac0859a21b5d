//! The transfer functions φ of the kernels and their slopes, of one number and of a vector: the same bits.

use super::rows::splat;
use crate::model::tanh::{tanh, tanh_of_vector};
use pulp::Simd;

/// A transfer function φ.
pub(super) trait Response: Copy {
    /// The firing rate at activation `x`.
    fn rate(self, x: f32) -> f32;
    /// φ'(x), where φ(x) is `rate`.
    fn slope(self, x: f32, rate: f32) -> f32;
    /// `rate` of a vector.
    fn rates<S: Simd>(self, simd: S, x: S::f32s) -> S::f32s;
    /// `slope` of a vector.
    fn slopes<S: Simd>(self, simd: S, x: S::f32s, rates: S::f32s) -> S::f32s;
}

/// tanh(x).
#[derive(Clone, Copy)]
pub(super) struct Tanh;

/// x + offset, limited to [0, max].
#[derive(Clone, Copy)]
pub(super) struct Rectified {
    pub(super) offset: f32,
    pub(super) max: f32,
}

impl Response for Tanh {
    #[inline(always)]
    fn rate(self, x: f32) -> f32 {
        tanh(x)
    }

    #[inline(always)]
    fn slope(self, _: f32, rate: f32) -> f32 {
        1.0 - rate * rate
    }

    #[inline(always)]
    fn rates<S: Simd>(self, simd: S, x: S::f32s) -> S::f32s {
        tanh_of_vector(simd, x)
    }

    #[inline(always)]
    fn slopes<S: Simd>(self, simd: S, _: S::f32s, rates: S::f32s) -> S::f32s {
        simd.sub_f32s(simd.splat_f32s(1.0), simd.mul_f32s(rates, rates))
    }
}

impl Response for Rectified {
    #[inline(always)]
    fn rate(self, x: f32) -> f32 {
        (x + self.offset).clamp(0.0, self.max)
    }

    #[inline(always)]
    fn slope(self, x: f32, _: f32) -> f32 {
        if x > -self.offset && x < self.max - self.offset {
            1.0
        } else {
            0.0
        }
    }

    #[inline(always)]
    fn rates<S: Simd>(self, simd: S, x: S::f32s) -> S::f32s {
        let [offset, max, zero, _] = splat(simd, [self.offset, self.max, 0.0, 0.0]);
        // In this order of operands, NaN stays NaN: x86 returns the second one.
        simd.min_f32s(max, simd.max_f32s(zero, simd.add_f32s(x, offset)))
    }

    #[inline(always)]
    fn slopes<S: Simd>(self, simd: S, x: S::f32s, _: S::f32s) -> S::f32s {
        let [low, high, one, zero] = splat(simd, [-self.offset, self.max - self.offset, 1.0, 0.0]);
        let rising = simd.and_m32s(simd.greater_than_f32s(x, low), simd.less_than_f32s(x, high));
        simd.select_f32s(rising, one, zero)
    }
}
