//! Place cells: neurons on a grid that fire when the body is near.

use crate::random::Stream;
use rand::RngExt;

/// The centres of the cells along one coordinate.
pub(crate) struct Axis {
    first: f64,
    apart: f64,
    cells: usize,
    /// σ: a cell fires with exp(−d²/2σ²) of its rate.
    sigma: f64,
    /// Whether the last centre is followed by the first.
    periodic: bool,
    /// exp(−(mΔ)²/2σ²) for all m that matter.
    falls: Vec<f64>,
}

impl Axis {
    /// `cells` centres from `first` on, this far `apart`.
    pub fn new(first: f64, apart: f64, cells: usize, sigma: f64, periodic: bool) -> Self {
        const FAR: f64 = 5.5;
        let away = |m: usize| m as f64 * apart / sigma;
        let falls = (0..cells).map(away).take_while(|away| *away < FAR).map(|away| libm::exp(-0.5 * away * away));
        Axis { first, apart, cells, sigma, periodic, falls: falls.collect() }
    }

    pub fn cells(&self) -> usize {
        self.cells
    }

    /// The length of a circle of cells.
    pub fn period(&self) -> Option<f64> {
        self.periodic.then_some(self.apart * self.cells as f64)
    }

    /// The largest distance of a centre from 0.
    pub fn reach(&self) -> f64 {
        let last = self.first + self.apart * (self.cells - 1) as f64;
        self.first.abs().max(last.abs())
    }

    /// The cumulative sum of the cells' activities.
    fn cumulate(&self, at: f64, sums: &mut Vec<f64>) {
        // With d the distance to the nearest centre and m steps from there to another one, Δ apart,
        // exp(−(d − mΔ)²/2σ²) = exp(−d²/2σ²) exp(dΔ/σ²)ᵐ exp(−m²Δ²/2σ²).
        let n = self.cells as i64;
        let nearest = ((at - self.first) / self.apart).round();
        let nearest = if self.periodic { nearest } else { nearest.clamp(0.0, (n - 1) as f64) };
        let d = (at - self.first - nearest * self.apart) / self.sigma;
        // On a circle, which cell it is; now it can be added to, wherever the body is.
        let nearest = if self.periodic { nearest.rem_euclid(n as f64) } else { nearest };
        let (top, ratio) = (libm::exp(-0.5 * d * d), libm::exp(d * self.apart / self.sigma));
        sums.clear();
        sums.resize(self.cells, 0.0);
        for (sign, ratio) in [(1, ratio), (-1, 1.0 / ratio)] {
            let mut power = top;
            for (m, fall) in (0..).zip(&self.falls) {
                let cell = nearest as i64 + sign * m;
                let cell = if self.periodic { cell.rem_euclid(n) } else { cell };
                // A circle ends on its other side, which is met from where it is nearer.
                let beyond = 2 * m > n || (2 * m == n && sign as f64 * d < 0.0);
                let met = (sign < 0 && m == 0) || (self.periodic && beyond);
                if let (Some(sum), false) = (sums.get_mut(cell as usize), met) {
                    *sum = power * fall;
                }
                power *= ratio;
            }
        }
        sums.iter_mut().fold(0.0, |sum, activity| {
            *activity += sum;
            *activity
        });
    }
}

/// All cells, the last axis the fastest.
pub(crate) struct PlaceCells {
    axes: Vec<Axis>,
    /// Spikes in a step of a cell at its centre, or of all cells together.
    per_step: f64,
    /// Whether cells share that number.
    share: bool,
    sums: Vec<Vec<f64>>,
}

impl PlaceCells {
    pub fn new(axes: Vec<Axis>, per_step: f64, share: bool) -> Self {
        let sums = vec![Vec::new(); axes.len()];
        PlaceCells { axes, per_step, share, sums }
    }

    /// Draws the spikes of a step: a Poisson number of them, each of a random cell.
    pub fn spikes(&mut self, at: &[f64], rng: &mut Stream, mut fire: impl FnMut(usize)) {
        self.axes.iter().zip(at).zip(&mut self.sums).for_each(|((axis, at), sums)| axis.cumulate(*at, sums));
        let total = |sums: &Vec<f64>| sums.last().copied().unwrap_or_default();
        let all: f64 = self.sums.iter().map(total).product();
        let mean = if self.share { self.per_step } else { self.per_step * all };
        // If no cell is near, or the body's position is not a number, none fires.
        if all.is_nan() || all <= 0.0 {
            return;
        }
        let mut left = mean + libm::log(1.0 - rng.random::<f64>());
        while left >= 0.0 {
            let pick = |cell: usize, (axis, sums): (&Axis, &Vec<f64>)| {
                let u = rng.random::<f64>() * total(sums);
                cell * axis.cells() + sums.partition_point(|sum| *sum <= u).min(axis.cells() - 1)
            };
            fire(self.axes.iter().zip(&self.sums).fold(0, pick));
            left += libm::log(1.0 - rng.random::<f64>());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::{stream, Phase, Purpose};

    #[test]
    fn cells_fire_at_their_rates() {
        let axes = || vec![Axis::new(-2.0, 1.0, 5, 0.7, false), Axis::new(0.0, 2.0, 4, 1.5, true)];
        let rng = || stream(3, 0, 0, Phase::Train, Purpose::World);
        let at = [0.3, 7.5];
        for share in [false, true] {
            let mut cells = PlaceCells::new(axes(), 0.01, share);
            let (mut rng, mut counts) = (rng(), [0.0f64; 20]);
            let steps = 1_000_000;
            (0..steps).for_each(|_| cells.spikes(&at, &mut rng, |cell| counts[cell] += 1.0));
            let activity = |x: f64, sigma: f64| (-x * x / (2.0 * sigma * sigma)).exp();
            // 7.5 is 0.5 before the first centre of a period of 8.
            let away = |centre: usize| [0.5, 2.5, 3.5, 1.5][centre];
            let expected = (0..20).map(|k| activity((k / 4) as f64 - 2.3, 0.7) * activity(away(k % 4), 1.5));
            let expected: Vec<f64> = expected.collect();
            let scale = if share { 1.0 / expected.iter().sum::<f64>() } else { 1.0 };
            for (k, (count, expected)) in counts.iter().zip(&expected).enumerate() {
                let mean = expected * scale * 0.01 * f64::from(steps);
                assert!((count - mean).abs() < 5.0 * mean.sqrt() + 1.0, "{k}: {count} {mean}");
            }
        }
    }
}
