//! One step of one trial: x ← x + leak (drive − x), clamped; r = φ(x).
//!
//! The loops are plain; [`pulp::Arch::dispatch`] compiles them for each vector extension and picks one at run time. For that
//! they must be inlined to the end.

use super::Plan;
use crate::model::{tanh::tanh, Transfer};
use crate::rules::FusedRule;
use pulp::{Simd, WithSimd};

/// A transfer function φ.
trait Response: Copy {
    /// The firing rate for an activation.
    fn rate(self, x: f32) -> f32;
}

/// tanh(x).
#[derive(Clone, Copy)]
struct Tanh;

/// x + offset within [0, max].
#[derive(Clone, Copy)]
struct Rectified {
    offset: f32,
    max: f32,
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

/// The state of one trial, `[width]` each.
pub(super) struct Row<'a> {
    pub(super) recurrent: &'a [f32],
    pub(super) input: &'a [f32],
    pub(super) x: &'a mut [f32],
    pub(super) r: &'a mut [f32],
    pub(super) x_mean: &'a mut [f32],
}

/// One step of a trial; `factors` (post, pre) are written for the rules that have them.
pub(super) fn advance(plan: &Plan, row: Row, factors: Option<(&mut [f32], &mut [f32])>) {
    match plan.transfer {
        Transfer::Tanh => advance_with(Tanh, plan, row, factors),
        Transfer::Rectified { offset, max } => {
            advance_with(Rectified { offset: offset as f32, max: max as f32 }, plan, row, factors)
        }
    }
}

fn advance_with<R: Response>(response: R, plan: &Plan, row: Row, factors: Option<(&mut [f32], &mut [f32])>) {
    let step = Advance { plan, response, row };
    match factors {
        None => plan.arch.dispatch(step),
        Some((post, pre)) if matches!(plan.learns, FusedRule::DeltaX(_)) => {
            plan.arch.dispatch(AdvanceWithFactors::<_, true> { step, post, pre })
        }
        Some((post, pre)) => plan.arch.dispatch(AdvanceWithFactors::<_, false> { step, post, pre }),
    }
}

/// The step alone.
struct Advance<'a, R> {
    plan: &'a Plan<'a>,
    response: R,
    row: Row<'a>,
}

/// The step with the factors of a rule that compares x with its running mean: post = δx, pre = r(t−1), both cubed for
/// `delta-x`. x̄ is moved on afterwards.
struct AdvanceWithFactors<'a, R, const CUBED: bool> {
    step: Advance<'a, R>,
    post: &'a mut [f32],
    pre: &'a mut [f32],
}

impl<R: Response> WithSimd for Advance<'_, R> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        let Advance { plan, response, row: Row { recurrent, input, x, r, .. } } = self;
        let w = plan.width;
        let (recurrent, input, x, r) = (&recurrent[..w], &input[..w], &mut x[..w], &mut r[..w]);
        let (leak, free, held) = (plan.leak, &plan.free[..w], &plan.held[..w]);
        for i in 0..w {
            let next = x[i] + leak * (recurrent[i] + input[i] - x[i]);
            x[i] = next * free[i] + held[i];
            r[i] = response.rate(x[i]);
        }
    }
}

impl<R: Response, const CUBED: bool> WithSimd for AdvanceWithFactors<'_, R, CUBED> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        let Advance { plan, response, row: Row { recurrent, input, x, r, x_mean } } = self.step;
        let w = plan.width;
        let (recurrent, input, x, r) = (&recurrent[..w], &input[..w], &mut x[..w], &mut r[..w]);
        let (x_mean, post, pre) = (&mut x_mean[..w], &mut self.post[..w], &mut self.pre[..w]);
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
