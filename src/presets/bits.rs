//! `sequence` and `echo`: a discrete network of 32 neurons with a readout, and the trace of the PyTorch program that this
//! project grew from.

use super::standard;
use crate::config::*;
use crate::rules::RuleInfo;
use crate::tasks::bits::{EchoParameters, SequenceParameters};
use crate::tasks::table;

/// `sequence`.
pub(super) fn sequence(rule: &RuleInfo) -> Config {
    let task = SequenceParameters { steps: 10, correct_below: 0.1, random_modulator: true };
    config(rule, table("sequence", &task), 1.0)
}

/// `echo`.
pub(super) fn echo(rule: &RuleInfo) -> Config {
    config(rule, table("echo", &EchoParameters { steps: 10, correct_below: 0.1, k: 1 }), 0.1)
}

fn config(rule: &RuleInfo, task: toml::Table, alpha: f64) -> Config {
    let mut config = standard::config(rule, task);
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
    config
}
