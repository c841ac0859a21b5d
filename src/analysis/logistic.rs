//! Logistic fits of psychometric curves by maximum likelihood.

use crate::error::{ensure, Result};

/// p(right | x) = lapse + (1 − 2 lapse) / (1 + exp(−(bias + slope x))).
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub struct Logistic {
    /// Log-odds of the answer right at x = 0, apart from lapses.
    pub bias: f64,
    /// Change of the log-odds per unit of x.
    pub slope: f64,
    /// The probability of right where the log-odds are −∞, and of left where they are ∞.
    pub lapse: f64,
    /// Standard errors of bias and slope, from the Fisher information at this lapse.
    pub errors: [f64; 2],
}

/// The answers at one x.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub struct Point {
    /// The stimulus.
    pub x: f64,
    /// Trials with this stimulus.
    pub trials: f64,
    /// The trials that were answered "right" (rather than "left").
    pub right: f64,
}

/// The largest lapse that is considered.
const LAPSE: f64 = 0.3;
/// Standard deviation of the weak prior on bias and on slope · largest |x|. It only keeps both finite if x separates
/// left from right perfectly, in which case the likelihood has no maximum.
const PRIOR: f64 = 30.0;

impl Logistic {
    /// The maximum-likelihood curve, by Fisher scoring for bias and slope and golden-section search for the lapse,
    /// which is 0 unless `lapse` is set.
    ///
    /// # Errors
    /// [`Error::Usage`](crate::Error::Usage) if fewer than two different x have trials.
    pub fn fit(points: &[Point], lapse: bool) -> Result<Self> {
        let seen = |p: &&Point| p.trials > 0.0;
        let first = points.iter().find(seen).map(|p| p.x);
        ensure!(
            points.iter().filter(seen).any(|p| Some(p.x) != first),
            Usage,
            "a curve needs trials at two different stimuli"
        );
        if !lapse {
            return Ok(Self::at_lapse(points, 0.0));
        }
        let golden = (5f64.sqrt() - 1.0) / 2.0;
        let likelihood = |lapse: f64| Self::at_lapse(points, lapse).log_likelihood(points);
        let (mut lo, mut hi) = (0.0, LAPSE);
        while hi - lo > 1e-5 {
            let (a, b) = (hi - golden * (hi - lo), lo + golden * (hi - lo));
            (lo, hi) = if likelihood(a) >= likelihood(b) { (lo, b) } else { (a, hi) };
        }
        let found = (lo + hi) / 2.0;
        Ok(Self::at_lapse(points, if likelihood(found) > likelihood(0.0) { found } else { 0.0 }))
    }

    /// p(right | x).
    pub fn at(&self, x: f64) -> f64 {
        self.lapse + (1.0 - 2.0 * self.lapse) / (1.0 + (-(self.bias + self.slope * x)).exp())
    }

    /// The log-likelihood of the observed answers.
    fn log_likelihood(&self, points: &[Point]) -> f64 {
        let term = |count: f64, p: f64| if count > 0.0 { count * p.max(1e-300).ln() } else { 0.0 };
        points.iter().map(|p| term(p.right, self.at(p.x)) + term(p.trials - p.right, 1.0 - self.at(p.x))).sum()
    }

    /// The maximum-likelihood curve among those with this lapse.
    fn at_lapse(points: &[Point], lapse: f64) -> Self {
        let largest = points.iter().map(|p| p.x.abs()).fold(0.0, f64::max);
        let priors = [1.0 / (PRIOR * PRIOR), (largest / PRIOR).powi(2)];
        let mut fit = Logistic { bias: 0.0, slope: 0.0, lapse, errors: [f64::INFINITY; 2] };
        for _ in 0..200 {
            // Score and Fisher information of (bias, slope).
            let (mut score, mut info) = ([-priors[0] * fit.bias, -priors[1] * fit.slope], [priors[0], 0.0, priors[1]]);
            for p in points {
                let right = fit.at(p.x);
                let steep = (right - lapse) * (1.0 - lapse - right) / (1.0 - 2.0 * lapse);
                let spread = (right * (1.0 - right)).max(1e-12);
                let surprise = (p.right - p.trials * right) * steep / spread;
                let weight = p.trials * steep * steep / spread;
                score = [score[0] + surprise, score[1] + surprise * p.x];
                info = [info[0] + weight, info[1] + weight * p.x, info[2] + weight * p.x * p.x];
            }
            let determinant = info[0] * info[2] - info[1] * info[1];
            let step = [
                (info[2] * score[0] - info[1] * score[1]) / determinant,
                (info[0] * score[1] - info[1] * score[0]) / determinant,
            ];
            fit.errors = [(info[2] / determinant).sqrt(), (info[0] / determinant).sqrt()];
            // Steps of more than two units of log-odds are shortened: far out there is almost no information.
            let length = step[0].abs() + (step[1] * largest).abs();
            let shortened = (2.0 / length.max(1e-300)).min(1.0);
            fit.bias += shortened * step[0];
            fit.slope += shortened * step[1];
            if length < 1e-9 {
                break;
            }
        }
        fit
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::{stream, Phase, Purpose};
    use rand::RngExt;

    const TRUE: Logistic = Logistic { bias: -0.4, slope: 6.0, lapse: 0.0, errors: [0.0; 2] };

    /// Draws answers of a known observer at nine stimuli.
    fn observed(observer: Logistic, trials: usize, seed: u64) -> Vec<Point> {
        let mut rng = stream(seed, 0, 0, Phase::Simulate, Purpose::Task);
        let point = |k: usize| {
            let x = (k as f64 - 4.0) / 8.0;
            let right = (0..trials).filter(|_| rng.random::<f64>() < observer.at(x)).count() as f64;
            Point { x, trials: trials as f64, right }
        };
        (0..9).map(point).collect()
    }

    #[test]
    fn a_known_slope_is_recovered_within_its_error() {
        let fits: Vec<Logistic> = (0..200).map(|s| Logistic::fit(&observed(TRUE, 60, s), false).unwrap()).collect();
        let inside = |k: f64| {
            let near =
                |f: &&Logistic| (f.slope - 6.0).abs() < k * f.errors[1] && (f.bias + 0.4).abs() < k * f.errors[0];
            fits.iter().filter(near).count()
        };
        // Two nearly independent errors: P(both within one standard error) ≈ 0.47, within three ≈ 0.995.
        assert!((70..=120).contains(&inside(1.0)), "{}", inside(1.0));
        assert!(inside(3.0) >= 194, "{}", inside(3.0));
        let mean = fits.iter().map(|f| f.slope).sum::<f64>() / 200.0;
        assert!((mean - 6.0).abs() < 0.25, "{mean}");
    }

    #[test]
    fn a_known_lapse_is_recovered() {
        let observer = Logistic { slope: 20.0, lapse: 0.1, ..TRUE };
        let points = observed(observer, 2000, 1);
        let fit = Logistic::fit(&points, true).unwrap();
        assert!((fit.lapse - 0.1).abs() < 0.01 && (fit.slope - 20.0).abs() < 3.0 * fit.errors[1], "{fit:?}");
        let without = Logistic::fit(&points, false).unwrap();
        assert!(without.slope < 15.0 && without.log_likelihood(&points) < fit.log_likelihood(&points));
    }

    #[test]
    fn separated_answers_have_a_finite_steep_fit() {
        let points = [-1.0, -0.5, 0.5, 1.0].map(|x| Point { x, trials: 50.0, right: if x > 0.0 { 50.0 } else { 0.0 } });
        let fit = Logistic::fit(&points, false).unwrap();
        assert!(fit.slope.is_finite() && fit.slope > 10.0 && fit.bias.abs() < 1e-6, "{fit:?}");
        assert!(Logistic::fit(&points[..1], false).is_err());
    }
}
