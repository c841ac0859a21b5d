//! The standard configuration, which presets change.

use crate::config::*;
use crate::rules::RuleInfo;

/// A network of leaky neurons, the first of which are its outputs, without perturbations, and without fast weights
/// unless the rule learns from them. It still lacks a task, a learning rate, and a number of trials.
pub(super) fn config(rule: &RuleInfo) -> Config {
    Config {
        network: NetworkConfig::default(),
        fast_weights: FastWeightsConfig {
            stage: if rule.name == "hebbian-trace" { Stage::Decay } else { Stage::None },
            ..FastWeightsConfig::default()
        },
        perturbation: PerturbationConfig::default(),
        rule: RuleConfig {
            name: rule.name.into(),
            eta: 0.0,
            max_dw: 0.0,
            clip_growth: 0.5,
            fall_trials: None,
            rms_decay: None,
            // For rules that compare x with its running mean; the others drop it.
            own: toml::Table::from_iter([("x_mean_decay".into(), 0.8.into())]),
            start_step: 0,
        },
        readout: ReadoutConfig::default(),
        bptt: BpttConfig::default(),
        modulator: RewardConfig::default(),
        task: toml::Table::new(),
        train: TrainConfig {
            networks: NetworkRange { start: 0, end: 4 },
            batch: 64,
            seed: 1,
            init: None,
            init_sha256: None,
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
        curriculum: Vec::new(),
    }
}
