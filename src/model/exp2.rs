//! 2ˣ in single precision as plain arithmetic, which compilers can vectorise (the polynomial of Cephes' exp2f). No fused
//! multiply-add is used, so every processor computes the same bits.

use std::f32::consts::LN_2;

const P: [f32; 6] = [1.535_336_2e-4, 1.339_887_5e-3, 9.618_437e-3, 5.550_332_5e-2, 0.240_226_48, LN_2];
/// Adding and subtracting it rounds a number of less than 2²² to an integer.
const ROUND: f32 = 12_582_912.0;

/// 2ˣ to 2e-7 of its value, for x between −126 and 127; beyond, that of the nearer end.
#[inline(always)]
pub fn exp2(x: f32) -> f32 {
    let x = x.clamp(-126.0, 127.0);
    let rounded = x + ROUND;
    let r = x - (rounded - ROUND);
    let p = ((((P[0] * r + P[1]) * r + P[2]) * r + P[3]) * r + P[4]) * r + P[5];
    // The last bits of `rounded` count from those of `ROUND`.
    let power = f32::from_bits(rounded.to_bits().wrapping_sub(ROUND.to_bits()).wrapping_add(127) << 23);
    (p * r + 1.0) * power
}

#[cfg(test)]
mod tests {
    #[test]
    fn within_2e_7_of_its_value() {
        for k in -1_260_000..=1_270_000 {
            let x = k as f32 * 1e-4;
            let (found, expected) = (f64::from(super::exp2(x)), f64::from(x).exp2());
            assert!((found / expected - 1.0).abs() < 2e-7, "{x}: {found} {expected}");
        }
        assert_eq!(super::exp2(-1e9), super::exp2(-126.0));
        assert_eq!([0.0, 3.0, -2.0].map(super::exp2), [1.0, 8.0, 0.25]);
    }
}
