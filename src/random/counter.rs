//! Noise by counting: any number of a sequence is made from its place alone, so that it need not be kept, and an episode
//! that ends early has cost nothing more. Philox4x32 with 7 rounds (Salmon et al. 2011, doi 10.1145/2063384.2063405),
//! and the transform of Box and Muller.
//!
//! The loops are plain arithmetic in a fixed order, which gives the same numbers on every machine; they are compiled for
//! each vector extension.

use super::Stream;
use pulp::{Arch, Simd, WithSimd};
use rand::Rng;

/// Numbers are made this many at a time.
pub(crate) const CHUNK: usize = 64;
const LANES: usize = CHUNK / 4;

/// A sequence of random numbers.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Counter {
    key: [u32; 2],
}

impl Counter {
    /// The sequence whose key is the next number of `stream`.
    pub fn new(stream: &mut Stream) -> Self {
        Counter { key: [stream.next_u32(), stream.next_u32()] }
    }

    /// Draws from N(0, sd²), from chunk number `chunk` of the sequence on.
    pub fn gaussian(&self, chunk: usize, sd: f32, values: &mut [f32]) {
        Arch::new().dispatch(Fill::<true> { key: self.key, chunk, sd, values });
    }

    /// Draws from U(0, 1], from chunk number `chunk` of the sequence on.
    pub fn uniform(&self, chunk: usize, values: &mut [f32]) {
        Arch::new().dispatch(Fill::<false> { key: self.key, chunk, sd: 1.0, values });
    }
}

struct Fill<'a, const GAUSSIAN: bool> {
    key: [u32; 2],
    chunk: usize,
    sd: f32,
    values: &'a mut [f32],
}

impl<const GAUSSIAN: bool> WithSimd for Fill<'_, GAUSSIAN> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        let mut first = self.chunk as u64;
        let mut chunks = self.values.chunks_exact_mut(CHUNK);
        for values in chunks.by_ref() {
            fill::<GAUSSIAN>(self.key, first, self.sd, values);
            first += 1;
        }
        let rest = chunks.into_remainder();
        if !rest.is_empty() {
            let mut whole = [0.0; CHUNK];
            fill::<GAUSSIAN>(self.key, first, self.sd, &mut whole);
            rest.copy_from_slice(&whole[..rest.len()]);
        }
    }
}

/// Writes the numbers of a chunk.
#[inline(always)]
fn fill<const GAUSSIAN: bool>(key: [u32; 2], chunk: u64, sd: f32, values: &mut [f32]) {
    let words = philox(key, chunk);
    for (pair, values) in values.chunks_exact_mut(2 * LANES).enumerate() {
        let (first, second) = values.split_at_mut(LANES);
        for lane in 0..LANES {
            let (a, b) = (words[2 * pair][lane], words[2 * pair + 1][lane]);
            (first[lane], second[lane]) = if GAUSSIAN { box_muller(a, b, sd) } else { (unit(a), unit(b)) };
        }
    }
}

/// Four random words for each lane of a chunk. Words are kept in 64 bits, of which the upper half is ignored: so a product
/// of two words is one instruction.
#[inline(always)]
fn philox(key: [u32; 2], chunk: u64) -> [[u32; LANES]; 4] {
    const ROUNDS: usize = 7;
    const WORD: u64 = u32::MAX as u64;
    let mut c = [[0; LANES], [chunk & WORD; LANES], [chunk >> 32; LANES], [0; LANES]];
    for (lane, counter) in c[0].iter_mut().enumerate() {
        *counter = lane as u64;
    }
    let mut k = key;
    for _ in 0..ROUNDS {
        let key = k.map(u64::from);
        for lane in 0..LANES {
            let (a, b) = ((c[0][lane] & WORD) * 0xD251_1F53, (c[2][lane] & WORD) * 0xCD9E_8D57);
            c[0][lane] = (b >> 32) ^ c[1][lane] ^ key[0];
            c[2][lane] = (a >> 32) ^ c[3][lane] ^ key[1];
            c[1][lane] = b;
            c[3][lane] = a;
        }
        k = [k[0].wrapping_add(0x9E37_79B9), k[1].wrapping_add(0xBB67_AE85)];
    }
    c.map(|words| words.map(|word| word as u32))
}

/// A word as a number from U(0, 1], of which there are 2²⁴.
#[inline(always)]
fn unit(word: u32) -> f32 {
    const STEP: f32 = 1.0 / (1 << 24) as f32;
    ((word >> 8) as i32 + 1) as f32 * STEP
}

/// Two words as two draws from N(0, sd²); none is beyond 5.8 sd.
#[inline(always)]
fn box_muller(a: u32, b: u32, sd: f32) -> (f32, f32) {
    let length = sd * (-2.0 * ln(unit(a))).max(0.0).sqrt();
    let (sin, cos) = sin_cos_turn(b);
    (length * cos, length * sin)
}

/// ln x for normal x > 0, to 2e-7 (the polynomial of Cephes' logf).
#[inline(always)]
fn ln(x: f32) -> f32 {
    let bits = x.to_bits() as i32;
    // The mantissa between √½ and √2.
    let exponent = (bits - 0x3f35_04f3) >> 23;
    let m = f32::from_bits((bits - (exponent << 23)) as u32) - 1.0;
    let p = 7.037_683_6e-2;
    let p = p * m - 0.115_146_1;
    let p = p * m + 0.116_769_984;
    let p = p * m - 0.124_201_41;
    let p = p * m + 0.142_493_23;
    let p = p * m - 0.166_680_57;
    let p = p * m + 0.200_007_14;
    let p = p * m - 0.249_999_94;
    let p = p * m + 0.333_333_3;
    let z = m * m;
    exponent as f32 * std::f32::consts::LN_2 + (m - 0.5 * z + p * m * z)
}

/// Sine and cosine of a random angle: `word` / 2³² of a turn, to 1e-6.
#[inline(always)]
fn sin_cos_turn(word: u32) -> (f32, f32) {
    // The nearest quarter turn, and the angle from it in rad.
    let quarter = word.wrapping_add(1 << 29) >> 30;
    let rest = word.wrapping_sub(quarter << 30) as i32;
    let x = rest as f32 * (std::f32::consts::TAU / 4_294_967_296.0);
    let z = x * x;
    let sin = x + x * z * (-0.166_666_55 + z * (8.332_161e-3 - z * 1.951_529_6e-4));
    let cos = 1.0 - 0.5 * z + z * z * (4.166_664_6e-2 + z * (-1.388_731_6e-3 + z * 2.443_315_7e-5));
    let odd = quarter & 1 == 1;
    let (s, c) = (if odd { cos } else { sin }, if odd { sin } else { cos });
    let s = if quarter & 2 == 2 { -s } else { s };
    let c = if quarter == 1 || quarter == 2 { -c } else { c };
    (s, c)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::{stream, Phase, Purpose};

    fn counter(trial: u64) -> Counter {
        Counter::new(&mut stream(1, 2, trial, Phase::Train, Purpose::Perturbation))
    }

    #[test]
    fn numbers_are_pinned_and_depend_on_their_place_alone() {
        let mut whole = [0.0; 200];
        counter(3).gaussian(5, 1.0, &mut whole);
        assert_eq!(whole[..3], PINNED);
        let mut part = [0.0; 70];
        counter(3).gaussian(6, 1.0, &mut part);
        assert_eq!(part, whole[64..134]);
    }

    const PINNED: [f32; 3] = [0.05099726, 0.7305498, 0.54635257];

    /// The first words of the published generator (Random123, kat_vectors: philox4x32 7).
    #[test]
    fn words_are_those_of_the_published_generator() {
        let words = philox([0, 0], 0);
        assert_eq!([0, 1, 2, 3].map(|k| words[k][0]), [0x5f6f_b709, 0x0d89_3f64, 0x4f12_1f81, 0x4f73_0a48]);
    }

    #[test]
    fn logarithm_sine_and_cosine_are_accurate() {
        for k in 0..10_000u32 {
            let x = unit(k.wrapping_mul(429_497));
            assert!((f64::from(ln(x)) - f64::from(x).ln()).abs() < 2e-6, "{x}");
            let word = k.wrapping_mul(429_511);
            let angle = f64::from(word) / 4_294_967_296.0 * std::f64::consts::TAU;
            let (sin, cos) = sin_cos_turn(word);
            assert!((f64::from(sin) - angle.sin()).abs() < 1e-6 && (f64::from(cos) - angle.cos()).abs() < 1e-6, "{k}");
        }
    }

    #[test]
    fn gaussian_numbers_have_the_right_moments_and_are_not_correlated() {
        let (n, trials) = (CHUNK, 20_000);
        let all: Vec<Vec<f32>> = (0..trials)
            .map(|trial| {
                let mut values = vec![0.0; n];
                counter(trial as u64).gaussian(trial % 7, 1.0, &mut values);
                values
            })
            .collect();
        let mean = |of: &dyn Fn(&[f32]) -> f64| all.iter().map(|values| of(values)).sum::<f64>() / trials as f64;
        let each = |power: i32| {
            mean(&|values| values.iter().map(|v| f64::from(*v).powi(power)).sum::<f64>() / values.len() as f64)
        };
        // Five standard errors of each moment.
        let error = 5.0 / ((n * trials) as f64).sqrt();
        assert!(each(1).abs() < error && (each(2) - 1.0).abs() < 1.5 * error);
        assert!(each(3).abs() < 4.0 * error && (each(4) - 3.0).abs() < 10.0 * error);
        for (i, j) in [(0, 1), (0, 16), (5, 37), (16, 32), (62, 63)] {
            let correlation = mean(&|values| f64::from(values[i]) * f64::from(values[j]));
            assert!(correlation.abs() < 5.0 / (trials as f64).sqrt(), "{i} {j}: {correlation}");
        }
    }
}
