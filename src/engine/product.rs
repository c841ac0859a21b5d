//! Single-threaded matrix products on slices.

use super::tiles::Tiles;
use crate::error::{Error, Result};
use crate::text::shown;
use gemm::{gemm, Parallelism};
use serde::Serialize;
use std::ffi::OsStr;
use std::sync::LazyLock;

/// Rows and columns up to which a product of whole vectors is computed here.
const SMALL: usize = 512;

/// Forces one of the products; see docs/performance.md.
const VARIABLE: &str = "HEBBIAN_RNN_PRODUCT";

static REQUESTED: LazyLock<Result<Product, String>> =
    LazyLock::new(|| std::env::var_os(VARIABLE).map_or(Ok(Product::Tiles), |value| Product::parse(&value)));

/// The implementation of matrix products on the CPU.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Product {
    /// Tiles that stay in registers, for matrices of whole vectors with up to 512 rows and columns; the library for others.
    Tiles,
    /// The crate `gemm`, for all matrices.
    Library,
}

impl Product {
    /// The error is the value in printable form.
    fn parse(value: &OsStr) -> Result<Self, String> {
        match value.to_str() {
            Some("tiles") => Ok(Product::Tiles),
            Some("library") => Ok(Product::Library),
            _ => Err(shown(&value.to_string_lossy())),
        }
    }

    /// The product requested by the environment variable `HEBBIAN_RNN_PRODUCT` when it was first read; tiles if it is not set.
    ///
    /// # Errors
    /// [`Error::Setting`] if it is neither `tiles` nor `library`.
    pub fn requested() -> Result<Self> {
        REQUESTED.clone().map_err(|found| Error::Setting {
            key: format!("the environment variable {VARIABLE}"),
            found: format!("`{found}`"),
            expected: "`tiles`, which is the default, or `library`".into(),
        })
    }

    /// The product of weights and rates in the fused kernels for this many neurons, and why.
    pub(super) fn of_rates(neurons: usize) -> (Self, String) {
        if !tiles_allowed() {
            (Product::Library, format!("{VARIABLE} is `library`"))
        } else if neurons > SMALL {
            (Product::Library, format!("N is above {SMALL}"))
        } else {
            (Product::Tiles, format!("N is at most {SMALL}"))
        }
    }
}

/// Whether small products go by tiles. A value that is not valid has been refused by [`Product::requested`].
fn tiles_allowed() -> bool {
    !matches!(*REQUESTED, Ok(Product::Library))
}

/// The layout of a matrix in a slice: element [i, j] is at `i * rows + j * columns`.
#[derive(Clone, Copy)]
pub(crate) struct Strides {
    pub(crate) rows: usize,
    pub(crate) columns: usize,
}

impl Strides {
    fn fits(self, (rows, columns): (usize, usize), len: usize) -> bool {
        if rows == 0 || columns == 0 {
            return true;
        }
        let last_row = (rows - 1).checked_mul(self.rows);
        let last = last_row.and_then(|start| start.checked_add((columns - 1).checked_mul(self.columns)?));
        last.is_some_and(|last| last < len)
    }
}

/// out `[m, n]` (+)= lhs `[m, k]` · rhs `[k, n]`; adds to `out` with `add`, else overwrites it.
///
/// # Panics
/// If a matrix does not fit into its slice, or two elements of `out` share a place; both are bugs in the caller.
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
    let whole = rhs_strides.columns == 1 && rhs_strides.rows == n && out_strides.rows == n && n.is_multiple_of(16);
    if whole && m > 1 && n <= SMALL && k <= SMALL && tiles_allowed() {
        return pulp::Arch::new().dispatch(Tiles { sizes: (m, n, k), out, add, lhs, strides: lhs_strides, rhs });
    }
    // SAFETY: all three matrices lie inside their slices (asserted above), `out` is borrowed mutably and so overlaps
    // neither input, and its elements do not share places.
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

#[cfg(test)]
mod tests {
    use super::*;

    /// Values whose products and sums must be rounded, or every order of additions would give the same bits.
    fn values(n: usize, seed: usize) -> Vec<f32> {
        (0..n).map(|k| ((k * 7 + seed * 13) % 23) as f32 / 9.1 - 1.1).collect()
    }

    /// Slices end where the last element does, so that a memory checker (scripts/check-unsafe.sh) notices any access
    /// beyond it.
    #[test]
    fn products_of_all_shapes_and_strides_equal_plain_loops() {
        for (m, n, k) in [(1, 1, 1), (2, 3, 4), (5, 1, 7), (1, 9, 3), (17, 13, 11), (33, 40, 19), (4, 4, 0), (0, 3, 2)]
        {
            for (transposed, gap) in [(false, 0), (true, 0), (false, 3)] {
                let strides = |rows: usize, columns: usize| match transposed {
                    true => Strides { rows: 1, columns: rows.max(1) },
                    false => Strides { rows: columns + gap, columns: 1 },
                };
                let len = |s: Strides, rows: usize, columns: usize| match (rows, columns) {
                    (0, _) | (_, 0) => 0,
                    _ => (rows - 1) * s.rows + (columns - 1) * s.columns + 1,
                };
                let (ls, rs, os) = (strides(m, k), strides(k, n), Strides { rows: n + gap, columns: 1 });
                let (lhs, rhs) = (values(len(ls, m, k), 1), values(len(rs, k, n), 2));
                for add in [false, true] {
                    let before = values(len(os, m, n), 3);
                    let mut out = before.clone();
                    product((m, n, k), (&mut out, os), add, (&lhs, ls), (&rhs, rs));
                    let mut expected = before;
                    for (i, j) in (0..m).flat_map(|i| (0..n).map(move |j| (i, j))) {
                        let left = |l| f64::from(lhs[i * ls.rows + l * ls.columns]);
                        let right = |l| f64::from(rhs[l * rs.rows + j * rs.columns]);
                        let sum: f64 = (0..k).map(|l| left(l) * right(l)).sum();
                        let place = &mut expected[i * os.rows + j];
                        *place = (sum + if add { f64::from(*place) } else { 0.0 }) as f32;
                    }
                    let close = out.iter().zip(&expected).all(|(o, e)| (o - e).abs() <= 1e-5 * e.abs().max(1.0));
                    assert!(close, "{m} x {n} x {k}, transposed {transposed}, gap {gap}, add {add}");
                }
            }
        }
    }

    /// Whole vectors go by tiles; the same with a gap between the rows of the result by the library, which adds one or two terms in an
    /// order of its own.
    #[test]
    fn tiles_give_the_bits_of_the_library() {
        for n in [16, 32, 48, 64, 80, 208, 512] {
            for (m, k) in
                [(2, 50), (3, 200), (4, 64), (5, 1), (9, 2), (8, 3), (6, 200), (13, 64), (200, 64), (50, 100), (7, 512)]
            {
                let (along, across) = (Strides { rows: k, columns: 1 }, Strides { rows: 1, columns: m });
                for (layout, ls) in
                    [("along", along), ("across", across), ("apart", Strides { rows: 2 * k, columns: 2 })]
                {
                    let (lhs, rhs) = (values(2 * m * k, 1), values(k * n, 2));
                    let rs = Strides { rows: n, columns: 1 };
                    for add in [false, true] {
                        let before = values(m * n, 3);
                        let mut tiles = before.clone();
                        product((m, n, k), (&mut tiles, rs), add, (&lhs, ls), (&rhs, rs));
                        let apart = Strides { rows: n + 16, columns: 1 };
                        let mut library = vec![0.0; m * (n + 16)];
                        library
                            .chunks_exact_mut(n + 16)
                            .zip(before.chunks_exact(n))
                            .for_each(|(l, b)| l[..n].copy_from_slice(b));
                        product((m, n, k), (&mut library, apart), add, (&lhs, ls), (&rhs, rs));
                        let library = library.chunks_exact(n + 16).flat_map(|row| &row[..n]);
                        let what = format!("{m} x {n} x {k}, {layout}, add {add}");
                        assert!(tiles.iter().zip(library.clone()).all(|(t, l)| (t - l).abs() <= 1e-3), "{what}");
                        #[cfg(target_arch = "x86_64")]
                        if is_x86_feature_detected!("fma") && k > 2 {
                            assert!(tiles.iter().eq(library), "{what}: not the same bits");
                        }
                    }
                }
            }
        }
    }

    #[test]
    fn the_variable_names_a_product() {
        let parsed = ["tiles", "library", "Tiles", "", "fast\n"].map(|value| Product::parse(OsStr::new(value)));
        let refused = ["Tiles", "", "fast\\n"].map(|value| Err(value.to_string()));
        assert_eq!(parsed[..2], [Ok(Product::Tiles), Ok(Product::Library)]);
        assert_eq!(parsed[2..], refused);
    }

    #[test]
    fn what_does_not_fit_is_a_panic_and_not_a_write() {
        let two_by_two = Strides { rows: 2, columns: 1 };
        let overflowing = Strides { rows: usize::MAX, columns: 1 };
        let overlapping = Strides { rows: 1, columns: 1 };
        for (length, strides, lhs) in [
            (3, two_by_two, two_by_two),
            (4, overflowing, two_by_two),
            (4, overlapping, two_by_two),
            (4, two_by_two, overflowing),
        ] {
            let call = || {
                let mut out = vec![0.0; length];
                product((2, 2, 2), (&mut out, strides), false, (&[1.0; 4], lhs), (&[1.0; 4], two_by_two));
            };
            assert!(std::panic::catch_unwind(call).is_err(), "{length}, {}, {}", strides.rows, lhs.rows);
        }
    }
}
