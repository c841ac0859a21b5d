//! What presets have in common unless they say otherwise.

use crate::config::*;
use crate::rules::RuleInfo;

/// A leaky network whose neurons are its output, without fast weights or perturbation, to be trained with `rule` on the task of
/// a table.
pub(super) fn config(rule: &RuleInfo, task: toml::Table) -> Config {
    Config {
        network: NetworkConfig::default(),
        fast_weights: FastWeightsConfig {
            stage: if rule.name == "hebbian-trace" { Stage::Decay } else { Stage::None },
            ..FastWeightsConfig::default()
        },
        perturbation: PerturbationConfig { probability: 0.0, amplitude: 1.0, start_step: 0 },
        rule: RuleConfig {
            name: rule.name.into(),
            eta: 0.0,
            max_dw: 0.0,
            clip_growth: 0.5,
            own: x_mean_decay(0.8),
            start_step: 0,
        },
        readout: ReadoutConfig { rule: ReadoutRule::None, eta: 0.0, perturbation: 0.0, mean_decay: 0.8 },
        bptt: BpttConfig::default(),
        modulator: RewardConfig::default(),
        task,
        train: TrainConfig {
            networks: NetworkRange { start: 0, end: 4 },
            batch: 64,
            seed: 1,
            trials: None,
            updates: None,
            until_criterion: false,
            checkpoint_every: 500,
            keep: 1,
            device: "auto".into(),
            dtype: Precision::F32,
            kernels: Kernels::Fused,
            strict_numbers: false,
        },
    }
}

/// The parameter of the rules that compare x with its running mean; others do not take it up.
pub(super) fn x_mean_decay(decay: f64) -> toml::Table {
    toml::Table::from_iter([("x_mean_decay".to_string(), decay.into())])
}
