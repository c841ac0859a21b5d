//! `pattern-generation`: 50 neurons of τ = 10 steps whose rate leaks, a readout told its error (Murray 2019).

use super::standard;
use crate::config::*;
use crate::rules::RuleInfo;
use crate::tasks::{table, PatternGeneration};

/// Every trial is the same, so there is no use in running more than one at a time, unless the rule explores.
pub(super) fn config(rule: &RuleInfo) -> Config {
    let told = rule.name == "rflo";
    let mut config = standard::config(rule, table("pattern-generation", &PatternGeneration::default()));
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
    config.train.batch = if told { 1 } else { 16 };
    config.train.trials = Some(10_000);
    config
}
