//! Quantiles.

/// The `q`-quantile (0 to 1) of the finite `values`, with linear interpolation between order statistics (position
/// `q·(n − 1)`); `None` if there are none.
pub fn quantile(values: &[f64], q: f64) -> Option<f64> {
    let finite: Vec<Option<f64>> = values.iter().filter(|v| v.is_finite()).map(|v| Some(*v)).collect();
    quantile_with_missing(&finite, q)
}

/// Like [`quantile`], for values of which some are missing because they exceed all others, such as the trials to a
/// criterion that was not reached. `None` if the quantile falls among the missing.
pub fn quantile_with_missing(values: &[Option<f64>], q: f64) -> Option<f64> {
    let mut known: Vec<f64> = values.iter().flatten().copied().collect();
    known.sort_by(f64::total_cmp);
    let position = q.clamp(0.0, 1.0) * values.len().checked_sub(1)? as f64;
    let (below, above) = (*known.get(position.floor() as usize)?, *known.get(position.ceil() as usize)?);
    Some(below + position.fract() * (above - below))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn missing_values_lie_beyond_all_others() {
        let values = [Some(3.0), None, Some(1.0), Some(2.0), None];
        assert_eq!(quantile_with_missing(&values, 0.5), Some(3.0));
        assert_eq!(quantile_with_missing(&values, 0.25), Some(2.0));
        assert_eq!(quantile_with_missing(&values, 0.75), None);
        assert_eq!(quantile_with_missing(&values[..4], 0.5), Some(2.5));
        assert_eq!(quantile_with_missing(&[], 0.5), None);
    }

    #[test]
    fn quantile_by_hand() {
        let values = [4.0, 1.0, 3.0, 2.0];
        assert_eq!(quantile(&values, 0.0), Some(1.0));
        assert_eq!(quantile(&values, 0.25), Some(1.75));
        assert_eq!(quantile(&values, 0.5), Some(2.5));
        assert_eq!(quantile(&values, 0.75), Some(3.25));
        assert_eq!(quantile(&values, 1.0), Some(4.0));
        assert_eq!(quantile(&[10.0, 20.0, 40.0], 0.75), Some(30.0));
        assert_eq!(quantile(&[7.0], 0.25), Some(7.0));
        assert_eq!(quantile(&[f64::NAN, 2.0, f64::INFINITY], 0.5), Some(2.0));
        assert_eq!(quantile(&[], 0.5), None);
    }
}
