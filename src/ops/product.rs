//! Single-threaded matrix products on slices, with or without adding to what is there.

use gemm::{gemm, Parallelism};

/// A matrix inside a slice: element [i, j] is at `i * rows + j * columns`.
#[derive(Clone, Copy)]
pub(crate) struct Strides {
    pub(crate) rows: usize,
    pub(crate) columns: usize,
}

impl Strides {
    fn fits(self, (rows, columns): (usize, usize), len: usize) -> bool {
        rows == 0 || columns == 0 || (rows - 1) * self.rows + (columns - 1) * self.columns < len
    }
}

/// out `[m, n]` (+)= lhs `[m, k]` · rhs `[k, n]`; adds where `add`, else overwrites.
///
/// # Panics
/// Where a matrix does not fit into its slice, or two elements of `out` would share a place: both are mistakes of the caller.
pub(crate) fn product(
    (m, n, k): (usize, usize, usize),
    (out, out_strides): (&mut [f32], Strides),
    add: bool,
    (lhs, lhs_strides): (&[f32], Strides),
    (rhs, rhs_strides): (&[f32], Strides),
) {
    assert!(out_strides.columns == 1 && out_strides.rows >= n, "rows of the result overlap");
    assert!(
        out_strides.fits((m, n), out.len())
            && lhs_strides.fits((m, k), lhs.len())
            && rhs_strides.fits((k, n), rhs.len())
    );
    // SAFETY: all three matrices lie inside their slices (asserted above), `out` is borrowed mutably and so overlaps neither
    // input, and its elements do not share places.
    unsafe {
        gemm(
            m,
            n,
            k,
            out.as_mut_ptr(),
            out_strides.columns as isize,
            out_strides.rows as isize,
            add,
            lhs.as_ptr(),
            lhs_strides.columns as isize,
            lhs_strides.rows as isize,
            rhs.as_ptr(),
            rhs_strides.columns as isize,
            rhs_strides.rows as isize,
            1.0,
            1.0,
            false,
            false,
            false,
            Parallelism::None,
        );
    }
}
