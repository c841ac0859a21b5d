//! One step of one trial: x ← x + leak (drive − x), clamped; r = φ(x), or, where the rate leaks, r ← r + leak (φ(x) − r).
//!
//! The loops are plain; [`pulp::Arch::dispatch`] compiles them for each vector extension and picks one at run time.
//! This only works if every function in them is inlined.

use super::Plan;
use crate::model::{tanh::tanh, Transfer};
use crate::rules::FusedRule;
use pulp::{Simd, WithSimd};

/// A transfer function φ.
trait Response: Copy {
    /// The firing rate at activation `x`.
    fn rate(self, x: f32) -> f32;
    /// φ'(x), where φ(x) is `rate`.
    fn slope(self, x: f32, rate: f32) -> f32;
}

/// tanh(x).
#[derive(Clone, Copy)]
struct Tanh;

/// x + offset, limited to [0, max].
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

    #[inline(always)]
    fn slope(self, _: f32, rate: f32) -> f32 {
        1.0 - rate * rate
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
}

/// The state of one trial; each slice is `[width]`.
pub(super) struct Row<'a> {
    pub(super) recurrent: &'a [f32],
    pub(super) input: &'a [f32],
    pub(super) x: &'a mut [f32],
    pub(super) r: &'a mut [f32],
    pub(super) x_mean: &'a mut [f32],
}

/// One step of a trial; writes `factors` (post, pre) for rules that use them.
pub(super) fn advance(plan: &Plan, row: Row, factors: Option<(&mut [f32], &mut [f32])>) {
    match plan.transfer {
        Transfer::Tanh => advance_with(Tanh, plan, row, factors),
        Transfer::Rectified { offset, max } => {
            advance_with(Rectified { offset: offset as f32, max: max as f32 }, plan, row, factors)
        }
    }
}

fn advance_with<R: Response>(response: R, plan: &Plan, row: Row, factors: Option<(&mut [f32], &mut [f32])>) {
    match plan.rate_leak {
        None => advance_leaking::<R, false>(response, plan, row, factors),
        Some(_) => advance_leaking::<R, true>(response, plan, row, factors),
    }
}

fn advance_leaking<R: Response, const RATE: bool>(
    response: R,
    plan: &Plan,
    row: Row,
    factors: Option<(&mut [f32], &mut [f32])>,
) {
    let arch = plan.arch;
    match (factors, plan.learns) {
        (None, _) => arch.dispatch(Advance::<_, 0, RATE> { plan, response, row, post: &mut [], pre: &mut [] }),
        (Some((post, pre)), FusedRule::DeltaX(_)) => {
            arch.dispatch(Advance::<_, 3, RATE> { plan, response, row, post, pre });
        }
        (Some((post, pre)), FusedRule::Rflo) => {
            arch.dispatch(Advance::<_, SLOPE, RATE> { plan, response, row, post, pre });
        }
        (Some((post, pre)), FusedRule::Nothing) => {
            arch.dispatch(Advance::<_, GRADIENT, RATE> { plan, response, row, post, pre });
        }
        (Some((post, pre)), _) => arch.dispatch(Advance::<_, 1, RATE> { plan, response, row, post, pre }),
    }
}

/// In the place of a power: factors of `rflo`.
const SLOPE: u8 = 9;

/// In the place of a power: what gradients need.
const GRADIENT: u8 = 10;

/// The step, with the factors of a rule that compares x with its running mean x̄: post = δx and pre = r(t−1), both
/// raised to `POWER`; x̄ is updated afterwards. If `POWER` is 0, there are no factors and no x̄. If it is [`SLOPE`], post = φ'(x) and
/// pre = r(t−1), the latter filtered in the place of x̄ unless the rate leaks (`RATE`). If it is [`GRADIENT`], post = φ'(x), 0 for clamped neurons, and
/// pre = r(t−1).
struct Advance<'a, R, const POWER: u8, const RATE: bool> {
    plan: &'a Plan<'a>,
    response: R,
    row: Row<'a>,
    post: &'a mut [f32],
    pre: &'a mut [f32],
}

impl<R: Response, const POWER: u8, const RATE: bool> WithSimd for Advance<'_, R, POWER, RATE> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        let Advance { plan, response, row: Row { recurrent, input, x, r, x_mean }, post, pre } = self;
        let w = plan.width;
        let (recurrent, input, x, r) = (&recurrent[..w], &input[..w], &mut x[..w], &mut r[..w]);
        let (leak, decay, free, held) = (plan.leak, plan.decay, &plan.free[..w], &plan.held[..w]);
        let rate_leak = plan.rate_leak.unwrap_or(1.0);
        let used = if POWER == 0 { 0 } else { w };
        let (x_mean, post, pre) = (&mut x_mean[..used], &mut post[..used], &mut pre[..used]);
        for i in 0..w {
            let next = x[i] + leak * (recurrent[i] + input[i] - x[i]);
            let next = next * free[i] + held[i];
            let rate = response.rate(next);
            if POWER == SLOPE {
                post[i] = response.slope(next, rate);
                if !RATE {
                    x_mean[i] = decay * x_mean[i] + (1.0 - decay) * r[i];
                }
                pre[i] = if RATE { r[i] } else { x_mean[i] };
            } else if POWER == GRADIENT {
                post[i] = response.slope(next, rate) * free[i];
                pre[i] = r[i];
            } else if POWER > 0 {
                let delta = next - x_mean[i];
                post[i] = if POWER == 3 { delta * delta * delta } else { delta };
                pre[i] = if POWER == 3 { r[i] * r[i] * r[i] } else { r[i] };
                x_mean[i] = decay * x_mean[i] + (1.0 - decay) * next;
            }
            x[i] = next;
            r[i] = if RATE { r[i] + rate_leak * (rate - r[i]) } else { rate };
        }
    }
}
