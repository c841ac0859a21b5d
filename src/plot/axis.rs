//! Axes: the mapping from values to page units, round ticks and readable numbers.

/// A linear or logarithmic axis from value `lo` at position `from` to value `hi` at position `to`, in page units.
#[derive(Clone, Copy, Debug)]
pub(super) struct Axis {
    pub lo: f64,
    pub hi: f64,
    pub from: f64,
    pub to: f64,
    pub log: bool,
}

/// The tolerance for rounding errors in the ratio of two numbers.
const SLACK: f64 = 1e-9;

impl Axis {
    /// A linear axis.
    pub fn linear((lo, hi): (f64, f64), (from, to): (f64, f64)) -> Self {
        Axis { lo, hi, from, to, log: false }
    }

    /// The position of `value`, kept within the axis; the middle of the axis if the result is not a number.
    pub fn at(&self, value: f64) -> f64 {
        let place = |value: f64| if self.log { value.ln() } else { value / 2.0 };
        let part = (place(value) - place(self.lo)) / (place(self.hi) - place(self.lo));
        let part = if part.is_nan() { 0.5 } else { part.clamp(0.0, 1.0) };
        self.from + part * (self.to - self.from)
    }

    /// Labelled ticks: about `count` round numbers, or on a logarithmic axis powers of ten (also 2 and 5 times these
    /// if the axis spans few).
    pub fn ticks(&self, count: usize) -> Vec<(f64, String)> {
        if self.log {
            return self.log_ticks(count);
        }
        let step = round_step((self.hi - self.lo) / count.max(1) as f64);
        let first = (self.lo / step - SLACK).ceil() as i64;
        let last = (self.hi / step + SLACK).floor() as i64;
        let tick = |i| (i as f64 * step, number(i as f64 * step, step));
        // There are far more than `count` only if the range exceeds the precision of floating-point numbers.
        (first..=last).take(8 * count.max(1)).map(tick).collect()
    }

    fn log_ticks(&self, count: usize) -> Vec<(f64, String)> {
        let decades = self.hi.log10() - self.lo.log10();
        let factors: &[f64] = if decades <= 2.5 { &[1.0, 2.0, 5.0] } else { &[1.0] };
        let stride = (decades / (2.0 * count.max(1) as f64)).ceil().max(1.0) as usize;
        (exponent(self.lo)..=exponent(self.hi))
            .step_by(stride)
            .flat_map(|e| factors.iter().map(move |f| (f * 10f64.powi(e), 10f64.powi(e))))
            .filter(|(v, _)| *v >= self.lo * (1.0 - SLACK) && *v <= self.hi * (1.0 + SLACK))
            .map(|(v, decade)| (v, number(v, decade)))
            .collect()
    }
}

/// The middle of the page unit that holds `position`: a line of width 1 is sharp there.
pub(super) fn crisp(position: f64) -> f64 {
    position.floor() + 0.5
}

/// The smallest and largest finite value, if there are any.
pub(crate) fn extent(values: impl Iterator<Item = f64>) -> Option<(f64, f64)> {
    let finite = values.filter(|v| v.is_finite()).map(|v| (v, v));
    finite.reduce(|(lo, hi), (v, _)| (v.min(lo), v.max(hi)))
}

/// The range of a linear axis that holds `lo` to `hi`, widened to round numbers.
pub(super) fn round_range(lo: f64, hi: f64) -> (f64, f64) {
    let pad = match lo {
        _ if hi - lo > 1e-12 * lo.abs().max(hi.abs()) => 0.0,
        0.0 => 0.5,
        _ => 0.1 * lo.abs(),
    };
    let (lo, hi) = (lo - pad, hi + pad);
    let step = round_step((hi - lo) / 10.0);
    ((lo / step + SLACK).floor() * step, (hi / step - SLACK).ceil() * step)
}

/// The range of a logarithmic axis that holds the positive `lo` to `hi`: 1, 2 or 5 times a power of ten at each end. It
/// starts below a `lo` that is itself such a number, so that the horizontal axis does not hide a line there.
pub(super) fn log_range(lo: f64, hi: f64) -> (f64, f64) {
    let factors = [1.0, 2.0, 5.0];
    let below = 1.0 / round_up(1.0 / lo, &factors);
    let lo = if 0.97 * lo > below { below } else { 0.8 * lo };
    let hi = round_up(hi, &factors);
    if hi > lo * 1.5 {
        (lo, hi)
    } else {
        (lo / 2.0, hi * 2.0)
    }
}

/// The exponent of the power of ten at or below `value`.
fn exponent(value: f64) -> i32 {
    (value.log10() + SLACK).floor() as i32
}

/// The smallest of 1, 2, 2.5, 5 or 10 times a power of ten that is at least `raw`.
fn round_step(raw: f64) -> f64 {
    let raw = if raw.is_finite() && raw > 0.0 { raw } else { 1.0 };
    round_up(raw, &[1.0, 2.0, 2.5, 5.0])
}

/// The smallest number of at least `value` that is one of the factors times a power of ten.
fn round_up(value: f64, factors: &[f64]) -> f64 {
    let decade = 10f64.powi(exponent(value));
    factors.iter().copied().find(|f| f * decade >= value * (1.0 - SLACK)).unwrap_or(10.0) * decade
}

/// `value` with the decimals that ticks `step` apart need, and commas between thousands.
pub(super) fn number(value: f64, step: f64) -> String {
    if value == 0.0 {
        return "0".into();
    }
    if value.abs() < 1e-4 || value.abs() >= 1e12 {
        return format!("{value:.1e}").replace(".0e", "e").replace('-', "−");
    }
    if step >= 1e6 {
        return number(value / 1e6, step / 1e6) + "M";
    }
    let exact = |decimals: &usize| {
        let scaled = step * 10f64.powi(*decimals as i32);
        (scaled - scaled.round()).abs() < 1e-6 * scaled.max(1e-9) && scaled.round() >= 1.0
    };
    let mut text = format!("{:.*}", (0..12).find(exact).unwrap_or(12), value.abs());
    let whole = text.find('.').unwrap_or(text.len());
    (1..whole).rev().filter(|place| (whole - place) % 3 == 0).for_each(|place| text.insert(place, ','));
    if value < 0.0 {
        text.insert(0, '−');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(axis: Axis, count: usize) -> Vec<String> {
        axis.ticks(count).into_iter().map(|t| t.1).collect()
    }

    #[test]
    fn readable_numbers() {
        assert_eq!(number(3.0 * 0.1, 0.1), "0.3");
        assert_eq!(number(1234567.0, 1.0), "1,234,567");
        assert_eq!(number(-0.25, 0.25), "−0.25");
        assert_eq!(number(2.5e6, 5e5), "2,500,000");
        assert_eq!(number(3e6, 1e6), "3M");
        assert_eq!(number(5e200, 5e200), "5e200");
        assert_eq!(number(2e-5, 1e-5), "2e−5");
    }

    #[test]
    fn ticks_are_round() {
        let axis = Axis::linear((0.0, 1.0), (0.0, 1.0));
        assert_eq!(labels(axis, 5), ["0", "0.2", "0.4", "0.6", "0.8", "1.0"]);
        let (lo, hi) = log_range(0.06, 0.9);
        assert!((lo - 0.05).abs() < 1e-12 && (hi - 1.0).abs() < 1e-12);
        let axis = Axis { log: true, ..Axis::linear((lo, hi), (0.0, 1.0)) };
        assert_eq!(labels(axis, 6), ["0.05", "0.1", "0.2", "0.5", "1"]);
    }

    #[test]
    fn ranges_are_never_empty() {
        for value in [0.0, 1.0, -3.0, 1e-9, 1e9] {
            let (lo, hi) = round_range(value, value);
            assert!(lo <= value && value <= hi && lo < hi, "{value}: {lo} {hi}");
        }
        let (lo, hi) = log_range(1.0, 1.0);
        assert!(lo < 0.9 && hi >= 1.0);
    }
}
