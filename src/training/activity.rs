//! Saturated, dead and stuck neurons, judged by the rates at the end of trials.

use crate::config::NetworkConfig;
use crate::model::Transfer;
use candle_core::{DType, Result, Tensor};

/// Which rates at the end of trials count as saturated or dead.
pub(super) struct Limits {
    neurons: usize,
    /// All neurons except the clamped ones.
    free: Vec<usize>,
    saturated: f32,
    dead: f32,
}

/// The activity of one network's free neurons at the end of a batch of trials.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Activity {
    /// The fraction that are saturated in every trial.
    pub saturated: f64,
    /// The fraction that are dead in every trial.
    pub dead: f64,
    /// Whether all are saturated in every trial, each neuron always at the same limit.
    pub stuck: bool,
}

impl Limits {
    /// A neuron is saturated if its rate exceeds 0.99 of the largest in magnitude, and dead if its rate is 0 (for tanh,
    /// below 0.001 in magnitude).
    pub fn new(config: &NetworkConfig) -> Self {
        let (saturated, dead) = match Transfer::new(config) {
            Transfer::Tanh => (0.99, 0.001),
            Transfer::Rectified { max, .. } => (0.99 * max as f32, 0.0),
        };
        let clamped = |neuron: &usize| config.clamped.iter().any(|(clamped, _)| clamped == neuron);
        let free = (0..config.neurons).filter(|neuron| !clamped(neuron)).collect();
        Limits { neurons: config.neurons, free, saturated, dead }
    }

    /// The activity of each network, from the rates `[S, B, N]`.
    pub fn activity(&self, rates: &Tensor) -> Result<Vec<Activity>> {
        let networks = rates.dim(0)?;
        let rates: Vec<f32> = rates.to_dtype(DType::F32)?.flatten_all()?.to_vec1()?;
        Ok(rates.chunks_exact(rates.len() / networks).map(|rates| self.of_network(rates)).collect())
    }

    /// The activity of one network, from its rates `[B, N]`.
    fn of_network(&self, rates: &[f32]) -> Activity {
        // For each neuron, the smallest and largest rates, and the smallest distance from 0.
        let (first, others) = rates.split_at(self.neurons);
        let mut extremes: Vec<_> = first.iter().map(|r| (*r, *r, r.abs())).collect();
        for trial in others.chunks_exact(self.neurons) {
            for ((low, high, near), r) in extremes.iter_mut().zip(trial) {
                (*low, *high, *near) = (low.min(*r), high.max(*r), near.min(r.abs()));
            }
        }
        let count = |holds: &dyn Fn(f32, f32, f32) -> bool| {
            self.free.iter().map(|&i| extremes[i]).filter(|(low, high, near)| holds(*low, *high, *near)).count()
        };
        let all = self.free.len();
        let fraction = |count: usize| count as f64 / all.max(1) as f64;
        Activity {
            saturated: fraction(count(&|_, _, near| near > self.saturated)),
            dead: fraction(count(&|low, high, _| low.abs().max(high.abs()) <= self.dead)),
            stuck: all > 0 && count(&|low, high, _| low > self.saturated || high < -self.saturated) == all,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::TransferFunction;

    #[test]
    fn saturated_and_dead_neurons_are_counted_among_the_free_ones() {
        let config = NetworkConfig { neurons: 5, clamped: vec![(1, 9.0)], ..NetworkConfig::default() };
        let limits = Limits::new(&config);
        // Neuron 0 is saturated at both ends, 1 is clamped, 2 dead, 3 saturated once, and 4 alive.
        let rates = [0.995, 1.0, 0.0, 1.0, 0.5, -0.995, 1.0, 1e-4, 0.2, -0.5];
        assert_eq!(limits.of_network(&rates), Activity { saturated: 0.25, dead: 0.25, stuck: false });
    }

    #[test]
    fn stuck_is_every_free_neuron_at_one_limit_in_every_trial() {
        let limits = Limits::new(&NetworkConfig { neurons: 2, ..NetworkConfig::default() });
        assert!(limits.of_network(&[1.0, -1.0, 0.999, -0.992]).stuck);
        // Saturated, but different across trials; one neuron alive; not a number.
        for rates in [[1.0, -1.0, -1.0, -1.0], [1.0, -1.0, 1.0, -0.98], [f32::NAN, -1.0, f32::NAN, -1.0]] {
            assert!(!limits.of_network(&rates).stuck, "{rates:?}");
        }
        let rectified =
            NetworkConfig { neurons: 1, response: TransferFunction::RectifiedLinear, ..NetworkConfig::default() };
        let limits = Limits::new(&rectified);
        assert!(limits.of_network(&[19.9, 20.0]).stuck);
        assert_eq!(limits.of_network(&[0.0, 0.0]), Activity { saturated: 0.0, dead: 1.0, stuck: false });
        assert_eq!(limits.of_network(&[0.0, 1e-6]).dead, 0.0);
    }
}
