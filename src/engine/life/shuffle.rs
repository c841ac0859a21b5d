//! A control: a life's modulator shuffled in time, so that it keeps its distribution but says nothing about what the network did.

use crate::random::Stream;
use rand::RngExt;

/// Puts the modulator of a step in a random place among those `held` back, and gives the one that was there: each is used exactly
/// once, later by a geometrically distributed time, whose mean is as many steps as are held back. Without any, it is the modulator
/// itself.
pub(super) fn shuffled(modulator: f64, held: &mut [f64], random: &mut Stream) -> f64 {
    if held.is_empty() {
        return modulator;
    }
    let place = random.random_range(0..held.len());
    std::mem::replace(&mut held[place], modulator)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::{stream, Phase, Purpose};

    #[test]
    fn every_modulator_is_used_once_and_after_the_right_time() {
        let (span, steps) = (50, 20_000);
        let mut random = stream(1, 0, 0, Phase::Train, Purpose::Modulator);
        let mut held = vec![0.0; span];
        let given: Vec<f64> = (1..=steps).map(f64::from).collect();
        let used: Vec<f64> = given.iter().map(|value| shuffled(*value, &mut held, &mut random)).collect();
        let delays: Vec<f64> =
            given.iter().zip(&used).filter(|(_, u)| **u > 0.0).map(|(now, then)| now - then).collect();
        assert!(delays.iter().all(|delay| *delay >= 1.0));
        // The standard deviation of a geometric delay is about its mean.
        let (mean, n) = (delays.iter().sum::<f64>() / delays.len() as f64, delays.len() as f64);
        assert!((mean - span as f64).abs() < 5.0 * span as f64 / n.sqrt(), "{mean}");
        let mut all = [used, held].concat();
        all.sort_by(f64::total_cmp);
        let expected: Vec<f64> = std::iter::repeat_n(0.0, span).chain(given).collect();
        assert_eq!(all, expected);
    }

    #[test]
    fn without_a_span_nothing_changes_and_nothing_is_drawn() {
        let fresh = || stream(1, 0, 0, Phase::Train, Purpose::Modulator);
        let mut random = fresh();
        assert_eq!(shuffled(0.5, &mut [], &mut random), 0.5);
        assert_eq!(random.random::<u64>(), fresh().random::<u64>());
    }
}
