//! `recall`: 1000 discrete neurons that only fast weights connect, each with one bit as input, 20 times as strong as a rate.

use super::table;
use crate::config::*;
use crate::rules::RuleInfo;
use crate::tasks::Recall;

/// α is so small that α H does not sustain a pattern without input: each fades in the blank steps before the next one.
pub(super) fn preset(config: &mut Config, rule: &RuleInfo) {
    let task = Recall::default();
    config.task = table(&task);
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
    config.train.networks = Networks { start: 0, end: 1 };
    config.train.batch = 10;
    config.train.trials = Some(100);
    config.train.checkpoint_every = 0;
}
