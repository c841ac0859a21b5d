//! Products of matrices whose rows are whole vectors and few enough to stay in a core's cache: what a step and a block of factors need.
//!
//! The result is computed tile by tile, a few rows by a few vectors, in registers. A library's product packs its operands and prepares
//! itself for every call, which at these sizes takes a good part of the time. Each element is the sum over k in order, by fused
//! multiply-adds where there are any: the same bits as the library's for three terms and more. One or two terms, as at the end of an
//! episode, the library adds in an order of its own.
//!
//! A factor is broadcast where it is read: as one instruction, this is a load, which costs Intel's processors nothing. A check, slice
//! or call between the two would make them two instructions, the second on a port that the multiply-adds need (`scripts/check-tiles.sh`).

use super::product::Strides;
use pulp::{Simd, WithSimd};

/// Rows of the result in a tile.
const ROWS: usize = 6;

/// out `[m, n]` (+)= lhs `[m, k]` · rhs `[k, n]`, where the rows of `out` and `rhs` are `n` apart and n is a multiple of 16.
pub(super) struct Tiles<'a> {
    pub(super) sizes: (usize, usize, usize),
    pub(super) out: &'a mut [f32],
    pub(super) add: bool,
    pub(super) lhs: &'a [f32],
    pub(super) strides: Strides,
    pub(super) rhs: &'a [f32],
}

impl WithSimd for Tiles<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let vectors = self.sizes.1 / S::F32_LANES;
        let Tiles { sizes: (m, _, k), out, add, lhs, strides, rhs } = self;
        let (out, rhs) = (S::as_mut_simd_f32s(out).0, S::as_simd_f32s(rhs).0);
        let mut panel = Panel { simd, m, k, vectors, first: 0, out, add, lhs, strides, rhs };
        // As many vectors as registers hold the sums of.
        let most = if S::REGISTER_COUNT >= 32 { 4 } else { 2 };
        while panel.first < vectors {
            // Thin tiles cannot keep the processor busy: a rest of one vector is shared between two tiles.
            let left = vectors - panel.first;
            let width = if left == most + 1 { left.div_ceil(2) } else { left.min(most) };
            match width {
                4 => panel.rows::<4>(),
                3 => panel.rows::<3>(),
                2 => panel.rows::<2>(),
                _ => panel.rows::<1>(),
            }
            panel.first += width;
        }
    }
}

/// Some columns of the result.
struct Panel<'a, S: Simd> {
    simd: S,
    m: usize,
    k: usize,
    /// Vectors in a row.
    vectors: usize,
    /// The first vector.
    first: usize,
    out: &'a mut [S::f32s],
    add: bool,
    lhs: &'a [f32],
    strides: Strides,
    rhs: &'a [S::f32s],
}

impl<S: Simd> Panel<'_, S> {
    #[inline(always)]
    fn rows<const V: usize>(&mut self) {
        let mut row = 0;
        while row < self.m {
            let rows = (self.m - row).min(ROWS);
            match rows {
                6 => self.tile::<V, 6>(row),
                5 => self.tile::<V, 5>(row),
                4 => self.tile::<V, 4>(row),
                3 => self.tile::<V, 3>(row),
                2 => self.tile::<V, 2>(row),
                _ => self.tile::<V, 1>(row),
            }
            row += rows;
        }
    }

    #[inline(always)]
    fn tile<const V: usize, const R: usize>(&mut self, row: usize) {
        let Strides { rows, columns } = self.strides;
        let mut sums = [[self.simd.splat_f32s(0.0); V]; R];
        if columns == 1 {
            let lhs: [&[f32]; R] = std::array::from_fn(|r| &self.lhs[(row + r) * rows..][..self.k]);
            for l in 0..self.k {
                let vectors = self.vectors(l);
                for r in 0..R {
                    add_product(self.simd, &mut sums[r], lhs[r][l], vectors);
                }
            }
        } else if rows == 1 {
            for l in 0..self.k {
                let vectors = self.vectors(l);
                let lhs: &[f32; R] = array(&self.lhs[l * columns + row..]);
                for r in 0..R {
                    add_product(self.simd, &mut sums[r], lhs[r], vectors);
                }
            }
        } else {
            for l in 0..self.k {
                let vectors = self.vectors(l);
                let lhs = &self.lhs[row * rows + l * columns..];
                for r in 0..R {
                    add_product(self.simd, &mut sums[r], lhs[r * rows], vectors);
                }
            }
        }
        for (r, sums) in sums.into_iter().enumerate() {
            let first = (row + r) * self.vectors + self.first;
            for (out, sum) in self.out[first..][..V].iter_mut().zip(sums) {
                *out = if self.add { self.simd.add_f32s(*out, sum) } else { sum };
            }
        }
    }

    /// The vectors of these columns in row `l` of `rhs`.
    #[inline(always)]
    fn vectors<const V: usize>(&self, l: usize) -> &[S::f32s; V] {
        array(&self.rhs[l * self.vectors + self.first..])
    }
}

/// sums ← sums + factor · vectors.
#[inline(always)]
fn add_product<S: Simd, const V: usize>(simd: S, sums: &mut [S::f32s; V], factor: f32, vectors: &[S::f32s; V]) {
    let factor = simd.splat_f32s(factor);
    for v in 0..V {
        sums[v] = simd.mul_add_e_f32s(factor, vectors[v], sums[v]);
    }
}

/// The first elements of a slice, with one check for all of them.
///
/// # Panics
/// If there are fewer; `product` has compared all sizes with the slices.
#[inline(always)]
fn array<T, const L: usize>(values: &[T]) -> &[T; L] {
    values.first_chunk().expect("an operand is as large as its sizes say")
}
