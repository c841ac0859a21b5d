//! `pattern-generation`: 50 neurons with leaky rates and τ = 10 steps, and a readout (Murray 2019).

use super::table;
use crate::config::*;
use crate::rules::RuleInfo;
use crate::tasks::PatternGeneration;

/// All trials are the same, so several at a time are of use only to rules that explore.
pub(super) fn preset(config: &mut Config, rule: &RuleInfo) {
    config.task = table(&PatternGeneration::default());
    config.network = NetworkConfig {
        neurons: 50,
        dynamics: "leaky-rate".into(),
        tau_ms: 10.0,
        input_scale: 0.5,
        initial_activation: 0.0,
        output: Output::Readout,
        readout_scale: 0.1,
        ..NetworkConfig::default()
    };
    if rule.explores {
        config.perturbation.probability = 0.01;
    }
    config.rule.eta = 1e-3;
    config.readout =
        ReadoutConfig { rule: ReadoutRule::NodePerturbation, eta: 0.01, perturbation: 0.1, mean_decay: 0.8 };
    config.train.batch = if rule.name == "rflo" { 1 } else { 16 };
    config.train.trials = Some(10_000);
}
