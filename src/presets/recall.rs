//! `recall`: 1000 discrete neurons, each driven by one bit twenty times as strongly as by a rate, joined by the trace alone.

use super::standard;
use crate::config::*;
use crate::rules::RuleInfo;
use crate::tasks::{table, Recall};

/// Its α keeps α H below what would hold a pattern without input: patterns fade in the blank steps and do not enter the next
/// one.
pub(super) fn config(rule: &RuleInfo) -> Config {
    let task = Recall::default();
    let mut config = standard::config(rule, table("recall", &task));
    config.network = NetworkConfig {
        neurons: task.bits,
        dynamics: "discrete".into(),
        gain: 0.0,
        input_weights: InputWeights::OneToOne,
        input_scale: 20.0,
        initial_activation: 0.0,
        ..NetworkConfig::default()
    };
    config.fast_weights = FastWeightsConfig { stage: Stage::Decay, alpha: 0.005, ..FastWeightsConfig::default() };
    if rule.name == "node-perturbation" {
        config.perturbation.probability = 0.003;
    }
    config.train.networks = NetworkRange { start: 0, end: 1 };
    config.train.batch = 10;
    config.train.trials = Some(100);
    config.train.checkpoint_every = 0;
    config
}
