//! `reach`: the network of hebbRNN's example (Michaels & Scherberger 2016).

use super::standard::x_mean_decay;
use super::{dnms, table};
use crate::config::Config;
use crate::rules::RuleInfo;
use crate::tasks::Reach;

/// τ = 20 ms, no running mean of x, a cost of large outputs, and updates that are not scaled by the expected error.
pub(super) fn preset(config: &mut Config, rule: &RuleInfo) {
    dnms::short(config, rule);
    config.network.neurons = 150;
    config.network.tau_ms = 20.0;
    config.network.gain = 1.1;
    config.network.initial_activation = 0.0;
    config.network.input_to_output_neurons = true;
    config.network.clamped = vec![(2, 1.0), (3, -1.0), (4, 0.5), (5, -0.5)];
    config.network.output_neurons = vec![0, 1];
    // hebbRNN perturbs x itself by up to 0.5, three times a second.
    config.perturbation.amplitude = 10.0;
    config.perturbation.start_step = 0;
    if rule.name == "delta-x" {
        config.rule.eta = 0.5;
    }
    // hebbRNN's bound is 1e-4 for one trial at a time; with 64 at a time that is too low (docs/results.md).
    config.rule.max_dw = 3e-4;
    config.rule.own = x_mean_decay(0.0);
    config.rule.start_step = 0;
    config.modulator.expected_error_decay = 0.33;
    config.modulator.expected_error_factor = false;
    let step_by_step = ["eh", "rflo"].contains(&rule.name);
    config.modulator.energy_cost = if step_by_step { 0.0 } else { 0.7 };
    config.task = table(&Reach::default());
    config.train.trials = Some(6400);
}
