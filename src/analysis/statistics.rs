//! Statistics and linear algebra that several analyses share, in f64.

use crate::error::{Error, Result};
use candle_core::{DType, Tensor};
use nalgebra::{Complex, DMatrix};
use std::fmt;

/// The mean of some values. Displayed with its standard error: "0.970 ± 0.012", or "0.970" for a single value.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub struct Mean {
    pub value: f64,
    /// The standard error, where there are at least two values.
    pub error: Option<f64>,
    /// The number of values.
    pub count: usize,
}

impl Mean {
    pub fn of(values: &[f64]) -> Self {
        let n = values.len() as f64;
        let value = values.iter().sum::<f64>() / n;
        let variance = values.iter().map(|v| (v - value).powi(2)).sum::<f64>() / (n - 1.0);
        Mean { value, error: (values.len() > 1).then(|| (variance / n).sqrt()), count: values.len() }
    }

    /// Mean, standard error and number of values.
    pub fn numbers(&self) -> [(&'static str, f64); 3] {
        let error = self.error.unwrap_or(f64::NAN);
        [("mean", self.value), ("standard error", error), ("networks", self.count as f64)]
    }

    /// Mean and standard error of a value for each network, in words.
    pub fn over_networks(self) -> String {
        match self.error {
            Some(_) => format!("{self:.3} (mean and its standard error over {} networks)", self.count),
            None => format!("{self:.3}"),
        }
    }
}

impl fmt::Display for Mean {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.value.fmt(f)?;
        self.error.map_or(Ok(()), |error| f.write_str(" ± ").and_then(|()| error.fmt(f)))
    }
}

/// Principal components of the rows of a matrix.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Pca {
    /// The mean of each column.
    pub mean: Vec<f64>,
    /// The axes, one of length 1 in each column, in order of descending variance.
    pub axes: DMatrix<f64>,
    /// The fraction of the variance along each axis.
    pub explained: Vec<f64>,
}

impl Pca {
    /// The components of `samples`, one sample per row: the right singular vectors of the centred matrix, each with the
    /// sign that makes its largest entry positive.
    pub fn of(samples: &DMatrix<f64>) -> Result<Self> {
        let mean: Vec<f64> = samples.column_iter().map(|column| column.mean()).collect();
        let mut centred = samples.clone();
        for (mut column, mean) in centred.column_iter_mut().zip(&mean) {
            column.add_scalar_mut(-mean);
        }
        let svd = centred
            .try_svd(false, true, f64::EPSILON, 0)
            .ok_or_else(|| Error::Content("the singular value decomposition does not converge".into()))?;
        let mut axes = svd.v_t.ok_or_else(|| Error::Bug("the singular vectors are missing".into()))?.transpose();
        for mut axis in axes.column_iter_mut() {
            if axis[axis.iamax()] < 0.0 {
                axis.neg_mut();
            }
        }
        let squares: Vec<f64> = svd.singular_values.iter().map(|s| s * s).collect();
        let all: f64 = squares.iter().sum();
        let explained = squares.iter().map(|s| if all > 0.0 { s / all } else { 0.0 }).collect();
        Ok(Pca { mean, axes, explained })
    }

    /// The coordinate of a sample along axis `k`.
    pub fn coordinate(&self, sample: &[f64], k: usize) -> f64 {
        sample.iter().zip(&self.mean).zip(self.axes.column(k).iter()).map(|((v, mean), axis)| (v - mean) * axis).sum()
    }
}

/// The eigenvalues of a square matrix, in order of descending modulus.
pub fn eigenvalues(matrix: DMatrix<f64>) -> Vec<Complex<f64>> {
    let mut values: Vec<Complex<f64>> = matrix.complex_eigenvalues().iter().copied().collect();
    values.sort_by(|a, b| b.norm_sqr().total_cmp(&a.norm_sqr()).then(b.im.total_cmp(&a.im)));
    values
}

/// A tensor `[rows, columns]` as a matrix.
pub fn matrix(tensor: &Tensor) -> Result<DMatrix<f64>> {
    let (rows, columns) = tensor.dims2()?;
    let values: Vec<f64> = tensor.to_dtype(DType::F64)?.flatten_all()?.to_vec1()?;
    Ok(DMatrix::from_row_slice(rows, columns, &values))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::{gaussian, stream, Phase, Purpose};

    fn near(a: Complex<f64>, b: Complex<f64>) -> bool {
        (a.re - b.re).hypot(a.im - b.im) < 1e-10
    }

    #[test]
    fn eigenvalues_of_known_matrices() {
        // Companion matrix of (z − 2)(z² + 1): eigenvalues 2, i, −i.
        let companion = DMatrix::from_row_slice(3, 3, &[2.0, -1.0, 2.0, 1.0, 0.0, 0.0, 0.0, 1.0, 0.0]);
        let found = eigenvalues(companion);
        let expected = [Complex::new(2.0, 0.0), Complex::new(0.0, 1.0), Complex::new(0.0, -1.0)];
        assert!(found.iter().zip(expected).all(|(f, e)| near(*f, e)), "{found:?}");
        // A rotation by 30 degrees scaled by 1.5.
        let (sin, cos) = (0.5, 0.75f64.sqrt());
        let found = eigenvalues(DMatrix::from_row_slice(2, 2, &[cos, -sin, sin, cos]) * 1.5);
        assert!(near(found[0], Complex::new(1.5 * cos, 0.75)), "{found:?}");
    }

    #[test]
    fn a_planted_plane_is_found_with_its_variances() {
        // Samples 3 a u + 1 b v + small noise in 20 dimensions, a and b ~ N(0, 1), u and v orthonormal.
        let mut rng = stream(3, 0, 0, Phase::Simulate, Purpose::Task);
        let draw = |rng: &mut _, n| gaussian(rng, n, 1.0).into_iter().map(f64::from).collect::<Vec<_>>();
        let planted = DMatrix::from_vec(20, 2, draw(&mut rng, 40)).qr().q();
        let places =
            DMatrix::from_vec(400, 2, draw(&mut rng, 800)) * DMatrix::from_row_slice(2, 2, &[3.0, 0.0, 0.0, 1.0]);
        let noise = DMatrix::from_vec(400, 20, draw(&mut rng, 8000)) * 0.05;
        let pca = Pca::of(&(&places * planted.transpose() + noise).add_scalar(7.0)).unwrap();
        for k in 0..2 {
            let along = pca.axes.column(k).dot(&planted.column(k)).abs();
            assert!(along > 0.99, "axis {k}: {along}");
        }
        // Variances 9, 1 and 20 · 0.0025.
        assert!((pca.explained[0] - 9.0 / 10.05).abs() < 0.03, "{:?}", &pca.explained[..3]);
        assert!((pca.explained.iter().sum::<f64>() - 1.0).abs() < 1e-12);
        assert!(pca.mean.iter().all(|m| (m - 7.0).abs() < 0.5));
        let sample: Vec<f64> = (0..20).map(|i| pca.mean[i] + 2.0 * pca.axes[(i, 1)]).collect();
        assert!((pca.coordinate(&sample, 1) - 2.0).abs() < 1e-9 && pca.coordinate(&sample, 0).abs() < 1e-9);
    }

    #[test]
    fn mean_with_its_error() {
        let mean = Mean::of(&[1.0, 2.0, 3.0]);
        assert_eq!(mean, Mean { value: 2.0, error: Some((1.0f64 / 3.0).sqrt()), count: 3 });
        assert_eq!(format!("{mean:.2}"), "2.00 ± 0.58");
        assert_eq!(Mean::of(&[4.0]), Mean { value: 4.0, error: None, count: 1 });
    }
}
