//! The reward baseline: the error expected of a trial, which turns its error into a reward prediction error.
//!
//! M = E − error, with E the expected error. Each trial type has its own; a shared baseline would reward easy types for
//! being easy (Frémaux et al. 2010). Within a batch, the mean error of the other trials of the same type is the better
//! expectation, since it was measured with the present weights.

use crate::config::{Baseline, Config, RewardConfig};

/// The running means Ē of the error, by network and trial type.
#[derive(Clone, Debug)]
pub struct RewardBaseline {
    pub(super) config: RewardConfig,
    /// The run's seed and the index of its first network.
    pub(super) draws: (u64, u64),
    types: usize,
    /// Ē, `[S, types]`.
    expected_error: Vec<f64>,
}

impl RewardBaseline {
    /// Ē = 0 for all networks and trial types.
    pub fn new(config: &Config, networks: usize, types: usize) -> Self {
        Self::with(&config.modulator, (config.train.seed, config.train.networks.start), networks, types)
    }

    /// As [`RewardBaseline::new`], with the run's seed and the index of its first network as `draws`.
    pub(super) fn with(config: &RewardConfig, draws: (u64, u64), networks: usize, types: usize) -> Self {
        RewardBaseline { config: config.clone(), draws, types, expected_error: vec![0.0; networks * types] }
    }

    /// Ē, `[S, types]`.
    pub fn expected_error(&self) -> &[f64] {
        &self.expected_error
    }

    /// Restores a saved Ē, `[S, types]`.
    pub fn restore(&mut self, expected_error: Vec<f64>) {
        debug_assert_eq!(expected_error.len(), self.expected_error.len());
        self.expected_error = expected_error;
    }

    /// Ē of a network and trial type.
    pub fn expectation(&self, network: usize, trial_type: usize) -> f64 {
        self.expected_error[network * self.types + trial_type]
    }

    /// Whether Ē serves as a baseline after so many trials; before, it means nothing.
    pub(crate) fn has_settled(&self, trials: u64) -> bool {
        trials >= self.config.warmup_trials
    }

    /// The factors by which the trials of a network's batch scale their eligibilities: M, or E·M with the
    /// expected-error factor.
    ///
    /// `errors` and `types` are `[B]`; `trials_before` is the number of the network's trials before this batch. The
    /// factor is 0 for a trial without a baseline, such as the only one of its type during the warm-up.
    pub fn weights(&self, network: usize, errors: &[f64], types: &[usize], trials_before: u64) -> Vec<f64> {
        let mut sums = vec![(0.0, 0usize); self.types];
        for (&error, &kind) in errors.iter().zip(types) {
            sums[kind].0 += error;
            sums[kind].1 += 1;
        }
        let settled = self.has_settled(trials_before);
        let weigh = |(&error, &kind): (&f64, &usize)| {
            let (sum, count) = sums[kind];
            let expected = match self.config.baseline {
                Baseline::LeaveOneOut if count > 1 => (sum - error) / (count - 1) as f64,
                _ if settled => self.expectation(network, kind),
                _ => return 0.0,
            };
            let m = expected - error;
            if self.config.expected_error_factor {
                expected * m
            } else {
                m
            }
        };
        errors.iter().zip(types).map(weigh).collect()
    }

    /// Updates Ē trial by trial, after it was used: Ē ← a Ē + (1 − a) error.
    pub fn observe(&mut self, network: usize, errors: &[f64], types: &[usize]) {
        let a = self.config.expected_error_decay;
        for (&error, &kind) in errors.iter().zip(types) {
            let expected = &mut self.expected_error[network * self.types + kind];
            *expected = a * *expected + (1.0 - a) * error;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(baseline: Baseline, factor: bool) -> RewardBaseline {
        let config = RewardConfig {
            baseline,
            expected_error_decay: 0.75,
            expected_error_factor: factor,
            warmup_trials: 10,
            ..RewardConfig::default()
        };
        RewardBaseline::with(&config, (1, 0), 2, 2)
    }

    #[test]
    fn leave_one_out_compares_with_the_others_of_the_type() {
        let m = with(Baseline::LeaveOneOut, false);
        let weights = m.weights(0, &[1.0, 5.0, 3.0, 2.0], &[0, 1, 0, 0], 0);
        // Type 0: the means of the other trials are 2.5, 1.5 and 2; type 1 is alone and has no baseline yet.
        assert_eq!(weights, [1.5, 0.0, -1.5, 0.0]);
    }

    #[test]
    fn no_surprise_no_modulation() {
        for baseline in [Baseline::LeaveOneOut, Baseline::ExpectedError] {
            let mut m = with(baseline, true);
            m.restore(vec![0.5, 0.25, 0.0, 0.0]);
            assert_eq!(m.weights(0, &[0.5, 0.25, 0.5], &[0, 1, 0], 10), [0.0; 3]);
        }
    }

    #[test]
    fn the_expectation_is_used_once_settled_and_moves_afterwards() {
        let mut m = with(Baseline::ExpectedError, true);
        m.observe(1, &[4.0], &[1]);
        assert_eq!(m.expected_error(), [0.0, 0.0, 0.0, 1.0]);
        assert_eq!(m.weights(1, &[3.0], &[1], 9), [0.0]);
        // E·M = 1 · (1 − 3).
        assert_eq!(m.weights(1, &[3.0], &[1], 10), [-2.0]);
        m.observe(1, &[3.0, 5.0], &[1, 1]);
        assert_eq!(m.expectation(1, 1), 0.75 * (0.75 + 0.75) + 0.25 * 5.0);
    }
}
