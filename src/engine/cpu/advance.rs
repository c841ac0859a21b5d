//! One step of one trial: x ← x + leak (drive − x), clamped; r = φ(x). Every slice is one row.
//!
//! The loops are plain; [`pulp::Arch::dispatch`] compiles them for each vector extension and picks one at run time. For that
//! they must be inlined to the end.

use super::Plan;
use crate::model::tanh::tanh;
use pulp::{Simd, WithSimd};

/// φ.
pub(super) trait Response: Copy {
    /// The firing rate for an activation.
    fn rate(self, x: f32) -> f32;
}

/// tanh(x).
#[derive(Clone, Copy)]
pub(super) struct Tanh;

/// x + offset within [0, max].
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
}

impl Response for Rectified {
    #[inline(always)]
    fn rate(self, x: f32) -> f32 {
        (x + self.offset).clamp(0.0, self.max)
    }
}

/// The step alone.
pub(super) struct Advance<'a, R> {
    pub(super) plan: &'a Plan<'a>,
    pub(super) response: R,
    pub(super) recurrent: &'a [f32],
    pub(super) input: &'a [f32],
    pub(super) x: &'a mut [f32],
    pub(super) r: &'a mut [f32],
}

/// The step with the factors of a rule that compares x with its running mean: post = δx, pre = r(t−1), both cubed for
/// `delta-x`. x̄ is moved on afterwards.
pub(super) struct AdvanceWithFactors<'a, R, const CUBED: bool> {
    pub(super) step: Advance<'a, R>,
    pub(super) x_mean: &'a mut [f32],
    pub(super) post: &'a mut [f32],
    pub(super) pre: &'a mut [f32],
}

impl<R: Response> WithSimd for Advance<'_, R> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        let w = self.plan.width;
        let (recurrent, input) = (&self.recurrent[..w], &self.input[..w]);
        let (x, r) = (&mut self.x[..w], &mut self.r[..w]);
        let (leak, free, held) = (self.plan.leak, &self.plan.free[..w], &self.plan.held[..w]);
        for i in 0..w {
            let next = x[i] + leak * (recurrent[i] + input[i] - x[i]);
            x[i] = next * free[i] + held[i];
            r[i] = self.response.rate(x[i]);
        }
    }
}

impl<R: Response, const CUBED: bool> WithSimd for AdvanceWithFactors<'_, R, CUBED> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        let Advance { plan, response, recurrent, input, x, r } = self.step;
        let w = plan.width;
        let (recurrent, input, x, r) = (&recurrent[..w], &input[..w], &mut x[..w], &mut r[..w]);
        let (x_mean, post, pre) = (&mut self.x_mean[..w], &mut self.post[..w], &mut self.pre[..w]);
        let (leak, decay, free, held) = (plan.leak, plan.decay, &plan.free[..w], &plan.held[..w]);
        for i in 0..w {
            let next = x[i] + leak * (recurrent[i] + input[i] - x[i]);
            let next = next * free[i] + held[i];
            let delta = next - x_mean[i];
            post[i] = if CUBED { delta * delta * delta } else { delta };
            pre[i] = if CUBED { r[i] * r[i] * r[i] } else { r[i] };
            x_mean[i] = decay * x_mean[i] + (1.0 - decay) * next;
            x[i] = next;
            r[i] = response.rate(next);
        }
    }
}
