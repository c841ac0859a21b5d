//! Sums along rows, four rows at a time: what they share is loaded once.
//!
//! The loops are plain. Callers compile them for each vector extension through [`pulp::Arch::dispatch`], for which they
//! must be inlined to the end.

/// Partial sums of a scalar product; two vectors of the widest extension.
const PARTS: usize = 32;
/// Rows are whole multiples of this.
const LANES: usize = super::LANES;

/// drive ← drive + h · scale.
#[inline(always)]
pub(super) fn add_scaled(drive: &mut [f32], h: &[f32], scale: f32) {
    let w = drive.len();
    let h = &h[..w];
    for i in 0..w {
        drive[i] += h[i] * scale;
    }
}

/// drive ← drive + Σ_j rows_j · scales_j, for rows as long as `drive`.
#[inline(always)]
pub(super) fn add_rows(drive: &mut [f32], rows: &[f32], scales: &[f32]) {
    let w = drive.len();
    let mut fours = rows.chunks_exact(4 * w);
    for (rows, s) in fours.by_ref().zip(scales.chunks_exact(4)) {
        let [a, b, c, d] = four(rows, w);
        for i in 0..w {
            drive[i] += (a[i] * s[0] + b[i] * s[1]) + (c[i] * s[2] + d[i] * s[3]);
        }
    }
    let done = scales.len() / 4 * 4;
    for (row, s) in fours.remainder().chunks_exact(w).zip(&scales[done..]) {
        add_scaled(drive, row, *s);
    }
}

/// sums_j ← rows_j · v, for rows as long as `v`.
#[inline(always)]
pub(super) fn dots(sums: &mut [f32], rows: &[f32], v: &[f32]) {
    let w = v.len();
    let mut fours = rows.chunks_exact(4 * w);
    for (rows, sums) in fours.by_ref().zip(sums.chunks_exact_mut(4)) {
        let rows = four(rows, w);
        let mut parts = [[0f32; LANES]; 4];
        for (at, v) in v.chunks_exact(LANES).enumerate() {
            for k in 0..4 {
                let row = &rows[k][at * LANES..(at + 1) * LANES];
                for i in 0..LANES {
                    parts[k][i] += row[i] * v[i];
                }
            }
        }
        for k in 0..4 {
            sums[k] = parts[k].iter().sum();
        }
    }
    let done = sums.len() / 4 * 4;
    for (row, sum) in fours.remainder().chunks_exact(w).zip(&mut sums[done..]) {
        *sum = dot(row, v);
    }
}

/// The scalar product, in partial sums that a vector unit can hold.
#[inline(always)]
pub(super) fn dot(a: &[f32], b: &[f32]) -> f32 {
    let mut parts = [0f32; PARTS];
    let (mut a, mut b) = (a.chunks_exact(PARTS), b.chunks_exact(PARTS));
    for (a, b) in a.by_ref().zip(b.by_ref()) {
        for i in 0..PARTS {
            parts[i] += a[i] * b[i];
        }
    }
    for (i, (a, b)) in a.remainder().iter().zip(b.remainder()).enumerate() {
        parts[i] += a * b;
    }
    parts.iter().sum()
}

/// Four consecutive rows of `w`.
#[inline(always)]
pub(super) fn four(rows: &[f32], w: usize) -> [&[f32]; 4] {
    let (ab, cd) = rows.split_at(2 * w);
    let ((a, b), (c, d)) = (ab.split_at(w), cd.split_at(w));
    [a, b, c, &d[..w]]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values(len: usize, step: f32) -> Vec<f32> {
        (0..len).map(|i| (i as f32 * step).sin()).collect()
    }

    #[test]
    fn sums_over_rows_equal_plain_loops() {
        for (rows, w) in [(1, 16), (3, 16), (4, 32), (9, 48)] {
            let (matrix, v, scales) = (values(rows * w, 0.7), values(w, 0.3), values(rows, 1.1));
            let (mut drive, mut sums) = (values(w, 0.9), vec![0.0; rows]);
            let before = drive.clone();
            add_rows(&mut drive, &matrix, &scales);
            dots(&mut sums, &matrix, &v);
            let entry = |j: usize, i: usize| f64::from(matrix[j * w + i]);
            for i in 0..w {
                let expected: f64 =
                    f64::from(before[i]) + (0..rows).map(|j| entry(j, i) * f64::from(scales[j])).sum::<f64>();
                assert!((f64::from(drive[i]) - expected).abs() < 1e-5);
            }
            for j in 0..rows {
                let expected: f64 = (0..w).map(|i| entry(j, i) * f64::from(v[i])).sum();
                assert!((f64::from(sums[j]) - expected).abs() < 1e-5);
                assert!((f64::from(dot(&matrix[j * w..(j + 1) * w], &v)) - expected).abs() < 1e-5);
            }
        }
    }
}
