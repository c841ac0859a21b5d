//! `sequence` and `echo`: a discrete network of 32 neurons with a readout, and the fast weights of the PyTorch program from
//! which this project grew.

use super::table;
use crate::config::*;
use crate::rules::RuleInfo;
use crate::tasks::bits::{Echo, Sequence};

pub(super) fn sequence(config: &mut Config, rule: &RuleInfo) {
    common(config, rule, 1.0);
    config.task = table(&Sequence { steps: 10, correct_below: 0.1, random_modulator: true });
}

pub(super) fn echo(config: &mut Config, rule: &RuleInfo) {
    common(config, rule, 0.1);
    config.task = table(&Echo { steps: 10, correct_below: 0.1, k: 1 });
}

fn common(config: &mut Config, rule: &RuleInfo, alpha: f64) {
    config.network = NetworkConfig {
        neurons: 32,
        dynamics: "discrete".into(),
        tau_ms: 1.0,
        gain: 0.6,
        bias_scale: 0.2,
        initial_activation: 0.0,
        output: Output::Readout,
        readout_scale: 2.0,
        ..NetworkConfig::default()
    };
    config.fast_weights = FastWeightsConfig {
        stage: Stage::Modulated,
        association: Association::PrePost,
        modulator: ModulatorSource::Task,
        alpha,
        eta: 0.1,
        ..FastWeightsConfig::default()
    };
    config.perturbation.amplitude = 0.5;
    if rule.name == "node-perturbation" {
        config.perturbation.probability = 0.05;
    }
    (config.rule.eta, config.rule.max_dw) = (0.01, 1e-3);
    config.readout =
        ReadoutConfig { rule: ReadoutRule::NodePerturbation, eta: 0.02, perturbation: 0.05, mean_decay: 0.8 };
    config.train.batch = 32;
    config.train.updates = Some(2000);
}
