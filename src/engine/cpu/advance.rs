//! One step of one trial: x ← x + leak (drive − x), clamped; r = φ(x), or, where the rate leaks, r ← r + leak (φ(x) − r).
//!
//! [`pulp::Arch::dispatch`] compiles the step for each vector extension and picks one at run time, which only works if every
//! function in it is inlined. Where there are vectors, the step is written in them: a plain loop over this many slices tests at each
//! call that none overlap, which takes a quarter of its time and more. Both give the same bits; nothing is contracted.

use super::response::{Rectified, Response, Tanh};
use super::rows::splat;
use super::Plan;
use crate::model::Transfer;
use crate::rules::FusedRule;
use pulp::{Simd, WithSimd};
use std::marker::PhantomData;

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
    let constants = Constants {
        leak: plan.leak,
        rate_leak: plan.rate_leak.unwrap_or(1.0),
        decay: plan.decay,
        free: &plan.free,
        held: &plan.held,
    };
    let Some((post, pre)) = factors else {
        return arch.dispatch(Advance::<_, Nothing, RATE>::new(constants, response, row, &mut [], &mut []));
    };
    match plan.learns {
        FusedRule::DeltaX { exponent: 3, .. } => {
            arch.dispatch(Advance::<_, Cube, RATE>::new(constants, response, row, post, pre));
        }
        FusedRule::DeltaX { exponent, .. } => {
            arch.dispatch(Advance::<_, Difference, RATE>::new(constants, response, row, &mut *post, &mut *pre));
            raise(post, exponent);
            raise(pre, exponent);
        }
        FusedRule::Rflo => arch.dispatch(Advance::<_, Slope, RATE>::new(constants, response, row, post, pre)),
        FusedRule::Nothing => arch.dispatch(Advance::<_, Gradient, RATE>::new(constants, response, row, post, pre)),
        _ => arch.dispatch(Advance::<_, Difference, RATE>::new(constants, response, row, post, pre)),
    }
}

/// Raises the size of each value to a power; its sign stays.
pub(super) fn raise(values: &mut [f32], exponent: u32) {
    for value in values {
        let size = value.abs();
        *value = (1..exponent).fold(*value, |power, _| power * size);
    }
}

/// The settings that the steps of all trials share, as in [`Plan`].
#[derive(Clone, Copy)]
struct Constants<'a> {
    leak: f32,
    /// 1 where the rate does not leak.
    rate_leak: f32,
    decay: f32,
    free: &'a [f32],
    held: &'a [f32],
}

/// The factors (post, pre) that a step leaves for a learning rule; x̄ is the running mean of x.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Factors {
    /// No factors, and no x̄.
    Nothing,
    /// post = x − x̄ and pre = r(t−1).
    Difference,
    /// Both of these cubed.
    Cube,
    /// For `rflo`: post = φ'(x) and pre = r(t−1), which is filtered in `x_mean` unless the rate leaks.
    Slope,
    /// post = φ'(x), 0 for clamped neurons, and pre = r(t−1): what gradients need.
    Gradient,
}

/// Factors known when the step is compiled.
trait Wanted {
    const FACTORS: Factors;
}

macro_rules! wanted {
    ($($name:ident)*) => {$(
        struct $name;

        impl Wanted for $name {
            const FACTORS: Factors = Factors::$name;
        }
    )*};
}

wanted!(Nothing Difference Cube Slope Gradient);

/// The step, with the factors `F`. `RATE`: the rate leaks.
struct Advance<'a, R, F, const RATE: bool> {
    factors: PhantomData<F>,
    constants: Constants<'a>,
    response: R,
    row: Row<'a>,
    post: &'a mut [f32],
    pre: &'a mut [f32],
}

impl<R: Response, F: Wanted, const RATE: bool> WithSimd for Advance<'_, R, F, RATE> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        if S::F32_LANES == 1 {
            self.by_element();
        } else {
            self.by_vector(simd);
        }
    }
}

impl<'a, R: Response, F: Wanted, const RATE: bool> Advance<'a, R, F, RATE> {
    fn new(constants: Constants<'a>, response: R, row: Row<'a>, post: &'a mut [f32], pre: &'a mut [f32]) -> Self {
        Advance { factors: PhantomData, constants, response, row, post, pre }
    }

    /// The plain loop.
    #[inline(always)]
    fn by_element(self) {
        let Advance { constants, response, factors: _, row: Row { recurrent, input, x, r, x_mean }, post, pre } = self;
        let w = x.len();
        let (recurrent, input, x, r) = (&recurrent[..w], &input[..w], &mut x[..w], &mut r[..w]);
        let Constants { leak, rate_leak, decay, free, held } = constants;
        let (free, held) = (&free[..w], &held[..w]);
        let used = if F::FACTORS == Factors::Nothing { 0 } else { w };
        let (x_mean, post, pre) = (&mut x_mean[..used], &mut post[..used], &mut pre[..used]);
        for i in 0..w {
            let next = x[i] + leak * (recurrent[i] + input[i] - x[i]);
            let next = next * free[i] + held[i];
            let rate = response.rate(next);
            match F::FACTORS {
                Factors::Nothing => {}
                Factors::Difference | Factors::Cube => {
                    let cubed = F::FACTORS == Factors::Cube;
                    let delta = next - x_mean[i];
                    post[i] = if cubed { delta * delta * delta } else { delta };
                    pre[i] = if cubed { r[i] * r[i] * r[i] } else { r[i] };
                    x_mean[i] = decay * x_mean[i] + (1.0 - decay) * next;
                }
                Factors::Slope => {
                    post[i] = response.slope(next, rate);
                    if !RATE {
                        x_mean[i] = decay * x_mean[i] + (1.0 - decay) * r[i];
                    }
                    pre[i] = if RATE { r[i] } else { x_mean[i] };
                }
                Factors::Gradient => {
                    post[i] = response.slope(next, rate) * free[i];
                    pre[i] = r[i];
                }
            }
            x[i] = next;
            r[i] = if RATE { r[i] + rate_leak * (rate - r[i]) } else { rate };
        }
    }

    /// The same, operation by operation, on vectors.
    #[inline(always)]
    fn by_vector<S: Simd>(self, simd: S) {
        let Advance { constants, response, factors: _, row: Row { recurrent, input, x, r, x_mean }, post, pre } = self;
        let Constants { leak, rate_leak, decay, free, held } = constants;
        let count = x.len() / S::F32_LANES;
        let used = if F::FACTORS == Factors::Nothing { 0 } else { count };
        let [recurrent, input, free, held] =
            [recurrent, input, free, held].map(|slice| &S::as_simd_f32s(slice).0[..count]);
        let (x, r) = (&mut S::as_mut_simd_f32s(x).0[..count], &mut S::as_mut_simd_f32s(r).0[..count]);
        let [x_mean, post, pre] = [x_mean, post, pre].map(|slice| &mut S::as_mut_simd_f32s(slice).0[..used]);
        let [leak, rate_leak, decay, rest] = splat(simd, [leak, rate_leak, decay, 1.0 - decay]);
        for i in 0..count {
            let next = leaked(simd, x[i], leak, simd.add_f32s(recurrent[i], input[i]));
            let next = simd.add_f32s(simd.mul_f32s(next, free[i]), held[i]);
            let rate = response.rates(simd, next);
            match F::FACTORS {
                Factors::Nothing => {}
                Factors::Difference | Factors::Cube => {
                    let cubed = F::FACTORS == Factors::Cube;
                    let delta = simd.sub_f32s(next, x_mean[i]);
                    post[i] = if cubed { cube(simd, delta) } else { delta };
                    pre[i] = if cubed { cube(simd, r[i]) } else { r[i] };
                    x_mean[i] = mean(simd, (decay, x_mean[i]), (rest, next));
                }
                Factors::Slope => {
                    post[i] = response.slopes(simd, next, rate);
                    if !RATE {
                        x_mean[i] = mean(simd, (decay, x_mean[i]), (rest, r[i]));
                    }
                    pre[i] = if RATE { r[i] } else { x_mean[i] };
                }
                Factors::Gradient => {
                    post[i] = simd.mul_f32s(response.slopes(simd, next, rate), free[i]);
                    pre[i] = r[i];
                }
            }
            x[i] = next;
            r[i] = if RATE { leaked(simd, r[i], rate_leak, rate) } else { rate };
        }
    }
}

/// value + leak (target − value).
#[inline(always)]
fn leaked<S: Simd>(simd: S, value: S::f32s, leak: S::f32s, target: S::f32s) -> S::f32s {
    simd.add_f32s(value, simd.mul_f32s(leak, simd.sub_f32s(target, value)))
}

/// The sum of two values times their weights.
#[inline(always)]
fn mean<S: Simd>(simd: S, (decay, old): (S::f32s, S::f32s), (rest, new): (S::f32s, S::f32s)) -> S::f32s {
    simd.add_f32s(simd.mul_f32s(decay, old), simd.mul_f32s(rest, new))
}

#[inline(always)]
fn cube<S: Simd>(simd: S, x: S::f32s) -> S::f32s {
    simd.mul_f32s(simd.mul_f32s(x, x), x)
}

#[cfg(test)]
mod tests {
    use super::*;
    use pulp::Arch;

    /// Ordinary values, and those that need care.
    fn values(seed: u64) -> Vec<f32> {
        let special = [f32::NAN, f32::INFINITY, f32::NEG_INFINITY, -0.0, 0.0, 7.9, -7.9, 1e-40, f32::MAX];
        let ordinary = (0..39).map(|i| ((i * 37 + seed * 11) % 41) as f32 * 0.17 - 3.3);
        let mut all: Vec<f32> = special.into_iter().chain(ordinary).collect();
        all.rotate_left(seed as usize);
        all
    }

    /// x, r, x̄ and both factors after a step.
    fn step<R: Response, F: Wanted, const RATE: bool>(response: R, arch: Option<Arch>) -> [Vec<f32>; 5] {
        let [recurrent, input, mut x, mut r, mut x_mean] = [1, 12, 23, 34, 45].map(values);
        let free: Vec<f32> = (0..x.len()).map(|i| f32::from(u8::from(i % 7 > 0))).collect();
        let held: Vec<f32> = free.iter().map(|free| 0.5 * (1.0 - free)).collect();
        let (mut post, mut pre) = (vec![0.0; x.len()], vec![0.0; x.len()]);
        let row = Row { recurrent: &recurrent, input: &input, x: &mut x, r: &mut r, x_mean: &mut x_mean };
        let constants = Constants { leak: 0.03, rate_leak: 0.07, decay: 0.95, free: &free, held: &held };
        let advance = Advance::<R, F, RATE>::new(constants, response, row, &mut post, &mut pre);
        match arch {
            Some(arch) => arch.dispatch(advance),
            None => advance.by_element(),
        }
        [x, r, x_mean, post, pre]
    }

    fn compare<R: Response, F: Wanted, const RATE: bool>(response: R) {
        // A NaN's sign and payload are not specified.
        let bits = |all: [Vec<f32>; 5]| {
            all.map(|values| values.iter().map(|v| if v.is_nan() { u32::MAX } else { v.to_bits() }).collect::<Vec<_>>())
        };
        let plain = bits(step::<R, F, RATE>(response, None));
        assert!(plain[1].contains(&u32::MAX), "NaN stays NaN");
        for arch in archs() {
            assert_eq!(bits(step::<R, F, RATE>(response, Some(arch))), plain, "{:?} {RATE} {arch:?}", F::FACTORS);
        }
    }

    /// All vector extensions of this machine.
    fn archs() -> Vec<Arch> {
        #[cfg(target_arch = "x86_64")]
        let narrower = pulp::x86::V3::try_new().map(Arch::V3);
        #[cfg(not(target_arch = "x86_64"))]
        let narrower = None;
        [Arch::Scalar, Arch::new()].into_iter().chain(narrower).collect()
    }

    #[test]
    fn vectors_give_the_bits_of_the_plain_loop() {
        fn all<R: Response>(response: R) {
            compare::<R, Nothing, false>(response);
            compare::<R, Nothing, true>(response);
            compare::<R, Difference, false>(response);
            compare::<R, Difference, true>(response);
            compare::<R, Cube, false>(response);
            compare::<R, Cube, true>(response);
            compare::<R, Slope, false>(response);
            compare::<R, Slope, true>(response);
            compare::<R, Gradient, false>(response);
            compare::<R, Gradient, true>(response);
        }
        all(Tanh);
        all(Rectified { offset: 0.1, max: 2.0 });
    }
}
