//! The network that learns delayed non-match to sample (Miconi 2017), and the tasks that it learns with other rates.

use super::standard::{self, x_mean_decay};
use crate::config::*;
use crate::rules::RuleInfo;
use crate::tasks::file::Parameters;
use crate::tasks::{table, EvidenceAccumulation, SelectiveIntegration, Variant};

/// `dnms` with its published rates, and 64 trials in parallel.
pub(super) fn short(rule: &RuleInfo) -> Config {
    let mut config = standard::config(rule, table("dnms", &Variant::Short.defaults()));
    config.network.input_to_output_neurons = false;
    config.network.clamped = vec![(1, 1.0), (10, 1.0), (11, -1.0)];
    config.network.output_neurons = vec![0];
    config.perturbation = PerturbationConfig { probability: 0.003, amplitude: 16.0, start_step: 4 };
    config.rule.eta = match rule.name {
        "node-perturbation" => 0.001,
        "eh" => 0.01,
        _ => 0.1,
    };
    config.rule.max_dw = 3e-4;
    config.rule.own = x_mean_decay(0.05);
    config.rule.start_step = 3;
    config.modulator.expected_error_decay = 0.75;
    config.modulator.expected_error_factor = true;
    config.train.trials = Some(3200);
    config.train.checkpoint_every = 10;
    config
}

/// `dnms-long-delay`.
pub(super) fn long_delay(rule: &RuleInfo) -> Config {
    let mut config = short(rule);
    if rule.name == "delta-x" {
        config.rule.eta = 0.03;
    }
    config.train.trials = Some(4096);
    config.task = table("dnms-long-delay", &Variant::LongDelay.defaults());
    config
}

/// `dnms-variable-delay`.
pub(super) fn variable_delay(rule: &RuleInfo) -> Config {
    let mut config = short(rule);
    if rule.name == "delta-x" {
        config.rule.eta = 0.003;
    }
    // As many as the published program runs for; most networks need more than 10,000 (docs/results.md).
    config.train.trials = Some(30_016);
    config.task = table("dnms-variable-delay", &Variant::VariableDelay.defaults());
    config
}

/// `dnms-ei`: Dale's law and a rectified-linear response (Miconi 2017, after Mastrogiuseppe & Ostojic 2017).
pub(super) fn excitatory_inhibitory(rule: &RuleInfo) -> Config {
    let mut config = short(rule);
    config.network.response = TransferFunction::RectifiedLinear;
    config.network.dale = true;
    if rule.name == "delta-x" {
        // Ten times what was published for one trial at a time, with which few networks learn (docs/results.md).
        config.rule.eta = 3e-4;
    }
    config.rule.max_dw = 1e-4;
    config.train.batch = 16;
    config.train.trials = Some(6400);
    config.task = table("dnms-ei", &Variant::ExcitatoryInhibitory.defaults());
    config
}

/// `selective-integration`, with the rates published for this task.
pub(super) fn selective_integration(rule: &RuleInfo) -> Config {
    let mut config = short(rule);
    if rule.name == "delta-x" {
        config.rule.eta = 0.01;
    }
    config.rule.max_dw = 2e-4;
    config.perturbation.amplitude = 30.0;
    config.train.trials = Some(8000);
    config.task = table("selective-integration", &SelectiveIntegration::default());
    config
}

/// `evidence-accumulation`: neurons of τ = 100 ms at steps of 5 ms, so that dt/τ and with it the size of a perturbation's effect
/// stay near what they are there.
pub(super) fn evidence_accumulation(rule: &RuleInfo) -> Config {
    let mut config = short(rule);
    config.network.tau_ms = 100.0;
    config.network.dt_ms = 5.0;
    config.perturbation.amplitude = 10.0;
    config.perturbation.probability = 0.005;
    match rule.name {
        "delta-x" => config.rule.eta = 0.03,
        "node-perturbation" => config.rule.eta = 5e-4,
        _ => {}
    }
    config.train.trials = Some(8000);
    config.task = table("evidence-accumulation", &EvidenceAccumulation::default());
    config
}

/// Trials of one's own, with random biases in place of bias neurons, so that any neuron can be an output.
pub(super) fn file(rule: &RuleInfo) -> Config {
    let mut config = short(rule);
    config.network.clamped = vec![];
    config.network.bias_scale = 0.5;
    config.network.output_neurons = vec![];
    config.task = table(super::FILE_TASK, &Parameters::default());
    config
}
