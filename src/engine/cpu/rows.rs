//! Sums along rows, four rows at a time, so that what they share is loaded only once.
//!
//! Row lengths are multiples of the widest vector. To be compiled for each vector extension, these functions must be
//! inlined into a dispatched [`pulp::WithSimd`]; closures would not be inlined.

use pulp::{Simd, WithSimd};

/// drive ← drive + h · scale.
#[inline(always)]
pub(super) fn add_scaled<S: Simd>(simd: S, drive: &mut [f32], h: &[f32], scale: f32) {
    let (drive, _) = S::as_mut_simd_f32s(drive);
    let (h, _) = S::as_simd_f32s(h);
    let scale = simd.splat_f32s(scale);
    for (drive, h) in drive.iter_mut().zip(h) {
        *drive = simd.mul_add_e_f32s(*h, scale, *drive);
    }
}

/// drive ← drive + Σ_j rows_j · scales_j, for rows as long as `drive`.
#[inline(always)]
pub(super) fn add_rows<S: Simd>(simd: S, drive: &mut [f32], rows: &[f32], scales: &[f32]) {
    let w = drive.len();
    let mut fours = rows.chunks_exact(4 * w);
    for (rows, s) in fours.by_ref().zip(scales.chunks_exact(4)) {
        let (drive, _) = S::as_mut_simd_f32s(drive);
        let [a, b, c, d] = four::<S>(rows, drive.len());
        let s = splat(simd, [s[0], s[1], s[2], s[3]]);
        for i in 0..drive.len() {
            let first = simd.mul_add_e_f32s(b[i], s[1], simd.mul_add_e_f32s(a[i], s[0], drive[i]));
            drive[i] = simd.mul_add_e_f32s(d[i], s[3], simd.mul_add_e_f32s(c[i], s[2], first));
        }
    }
    let done = scales.len() / 4 * 4;
    for (row, s) in fours.remainder().chunks_exact(w).zip(&scales[done..]) {
        add_scaled(simd, drive, row, *s);
    }
}

/// drive ← drive + Σ_j rows_j · scales_j for each of several drives, `[lanes, width]`, with scales `[lanes, stride]`. Each lane is
/// summed in the same order, however many there are.
#[inline(always)]
fn add_rows_to_lanes<S: Simd>(simd: S, drive: &mut [f32], w: usize, rows: &[f32], scales: &[f32], stride: usize) {
    let mut fours = drive.chunks_exact_mut(4 * w);
    let mut scales_of_four = scales.chunks_exact(4 * stride);
    for (drive, scales) in fours.by_ref().zip(scales_of_four.by_ref()) {
        lanes::<S, 4>(simd, drive, w, rows, scales, stride);
    }
    let (rest, scales) = (fours.into_remainder(), scales_of_four.remainder());
    match rest.len() / w {
        3 => lanes::<S, 3>(simd, rest, w, rows, scales, stride),
        2 => lanes::<S, 2>(simd, rest, w, rows, scales, stride),
        1 => lanes::<S, 1>(simd, rest, w, rows, scales, stride),
        _ => {}
    }
}

/// [`add_rows_to_lanes`] for `L` lanes: four vectors of each stay in registers over all rows.
#[inline(always)]
fn lanes<S: Simd, const L: usize>(simd: S, drive: &mut [f32], w: usize, rows: &[f32], scales: &[f32], stride: usize) {
    let vectors = S::as_simd_f32s(&drive[..w]).0.len();
    let mut first = 0;
    while first + 4 <= vectors {
        vectors_of_lanes::<S, L, 4>(simd, drive, w, first, rows, scales, stride);
        first += 4;
    }
    for at in first..vectors {
        vectors_of_lanes::<S, L, 1>(simd, drive, w, at, rows, scales, stride);
    }
}

/// The vectors `first..first + V` of `L` lanes.
#[inline(always)]
fn vectors_of_lanes<S: Simd, const L: usize, const V: usize>(
    simd: S,
    drive: &mut [f32],
    w: usize,
    first: usize,
    rows: &[f32],
    scales: &[f32],
    stride: usize,
) {
    let pre = rows.len() / w;
    let mut sums = [[simd.splat_f32s(0.0); V]; L];
    for (sums, drive) in sums.iter_mut().zip(drive.chunks_exact(w)) {
        sums.copy_from_slice(&S::as_simd_f32s(drive).0[first..first + V]);
    }
    let scales: [&[f32]; L] = std::array::from_fn(|l| &scales[l * stride..l * stride + pre]);
    for (j, row) in rows.chunks_exact(w).enumerate() {
        let row = &S::as_simd_f32s(row).0[first..first + V];
        for l in 0..L {
            let scale = simd.splat_f32s(scales[l][j]);
            for v in 0..V {
                sums[l][v] = simd.mul_add_e_f32s(row[v], scale, sums[l][v]);
            }
        }
    }
    for (sums, drive) in sums.iter().zip(drive.chunks_exact_mut(w)) {
        S::as_mut_simd_f32s(drive).0[first..first + V].copy_from_slice(sums);
    }
}

/// sums_j ← rows_j · v, for rows as long as `v`.
#[inline(always)]
pub(super) fn dots<S: Simd>(simd: S, sums: &mut [f32], rows: &[f32], v: &[f32]) {
    let w = v.len();
    let mut fours = rows.chunks_exact(4 * w);
    let mut sums_of_four = sums.chunks_exact_mut(4);
    for (rows, sums) in fours.by_ref().zip(sums_of_four.by_ref()) {
        let (v, _) = S::as_simd_f32s(v);
        let rows = four::<S>(rows, v.len());
        let mut parts = [simd.splat_f32s(0.0); 4];
        for i in 0..v.len() {
            for k in 0..4 {
                parts[k] = simd.mul_add_e_f32s(rows[k][i], v[i], parts[k]);
            }
        }
        for k in 0..4 {
            sums[k] = simd.reduce_sum_f32s(parts[k]);
        }
    }
    for (row, sum) in fours.remainder().chunks_exact(w).zip(sums_of_four.into_remainder()) {
        *sum = dot(simd, row, v);
    }
}

/// The dot product.
#[inline(always)]
fn dot<S: Simd>(simd: S, a: &[f32], b: &[f32]) -> f32 {
    let ((a, _), (b, _)) = (S::as_simd_f32s(a), S::as_simd_f32s(b));
    let mut sum = simd.splat_f32s(0.0);
    for (a, b) in a.iter().zip(b) {
        sum = simd.mul_add_e_f32s(*a, *b, sum);
    }
    simd.reduce_sum_f32s(sum)
}

/// [`add_rows`] for callers that are not dispatched themselves. Fields: drive, rows, scales.
pub(super) struct AddRows<'a>(pub(super) &'a mut [f32], pub(super) &'a [f32], pub(super) &'a [f32]);

impl WithSimd for AddRows<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        add_rows(simd, self.0, self.1, self.2);
    }
}

/// [`add_rows_to_lanes`] for callers that are not dispatched themselves.
pub(super) struct AddRowsToLanes<'a> {
    /// `[lanes, width]`.
    pub(super) drive: &'a mut [f32],
    pub(super) width: usize,
    /// `[pre, width]`.
    pub(super) rows: &'a [f32],
    /// `[lanes, stride]`, of which the first `pre` of each lane are used.
    pub(super) scales: &'a [f32],
    pub(super) stride: usize,
}

impl WithSimd for AddRowsToLanes<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        add_rows_to_lanes(simd, self.drive, self.width, self.rows, self.scales, self.stride);
    }
}

/// [`dots`] for callers that are not dispatched themselves. Fields: sums, rows, v.
pub(super) struct Dots<'a>(pub(super) &'a mut [f32], pub(super) &'a [f32], pub(super) &'a [f32]);

impl WithSimd for Dots<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        dots(simd, self.0, self.1, self.2);
    }
}

/// Four consecutive rows of `vectors`.
#[inline(always)]
fn four<S: Simd>(rows: &[f32], vectors: usize) -> [&[S::f32s]; 4] {
    let (ab, cd) = S::as_simd_f32s(rows).0.split_at(2 * vectors);
    let ((a, b), (c, d)) = (ab.split_at(vectors), cd.split_at(vectors));
    [&a[..vectors], &b[..vectors], &c[..vectors], &d[..vectors]]
}

/// Each number broadcast to all lanes.
#[inline(always)]
pub(super) fn splat<S: Simd>(simd: S, [a, b, c, d]: [f32; 4]) -> [S::f32s; 4] {
    [simd.splat_f32s(a), simd.splat_f32s(b), simd.splat_f32s(c), simd.splat_f32s(d)]
}

#[cfg(test)]
mod tests {
    use super::*;
    use pulp::Arch;

    fn values(len: usize, step: f32) -> Vec<f32> {
        (0..len).map(|i| (i as f32 * step).sin()).collect()
    }

    #[test]
    fn sums_over_rows_equal_plain_loops() {
        for (rows, w) in [(1, 16), (3, 16), (4, 32), (9, 48)] {
            let (matrix, v, scales) = (values(rows * w, 0.7), values(w, 0.3), values(rows, 1.1));
            let (mut drive, mut sums) = (values(w, 0.9), vec![0.0; rows]);
            let before = drive.clone();
            Arch::new().dispatch(AddRows(&mut drive, &matrix, &scales));
            Arch::new().dispatch(Dots(&mut sums, &matrix, &v));
            let entry = |j: usize, i: usize| f64::from(matrix[j * w + i]);
            for i in 0..w {
                let sum: f64 = (0..rows).map(|j| entry(j, i) * f64::from(scales[j])).sum();
                assert!((f64::from(drive[i]) - f64::from(before[i]) - sum).abs() < 1e-5);
            }
            for j in 0..rows {
                let expected: f64 = (0..w).map(|i| entry(j, i) * f64::from(v[i])).sum();
                assert!((f64::from(sums[j]) - expected).abs() < 1e-5);
            }
        }
    }
}
