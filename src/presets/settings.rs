//! The settings that each task adds to the standard configuration: parameters, network, rule and length of training.

use crate::config::*;
use crate::tasks::bits::{Echo, Sequence};
use crate::tasks::{file, Dnms, EvidenceAccumulation, PatternGeneration, Reach, Recall, SelectiveIntegration, Yang19};
use serde::Serialize;

/// A task's parameters as a `task` table.
pub(super) fn table(parameters: &impl Serialize) -> toml::Table {
    // Flat structs of numbers and names can always be written as TOML.
    toml::Table::try_from(parameters).unwrap_or_default()
}

/// The network of Miconi (2017) with its published rates, but 64 trials in parallel.
pub(super) fn dnms(config: &mut Config) {
    config.task = table(&Dnms::default());
    config.network.input_to_output_neurons = false;
    config.network.clamped = vec![(1, 1.0), (10, 1.0), (11, -1.0)];
    config.network.output_neurons = vec![0];
    config.perturbation =
        PerturbationConfig { probability: 0.003, amplitude: 16.0, start_step: 4, ..PerturbationConfig::default() };
    config.rule.max_dw = 3e-4;
    config.rule.own.insert("x_mean_decay".into(), 0.05.into());
    config.rule.start_step = 3;
    config.modulator.expected_error_decay = 0.75;
    config.modulator.expected_error_factor = true;
    config.train.trials = Some(3200);
    config.train.checkpoint_every = 10;
}

pub(super) fn dnms_long_delay(config: &mut Config) {
    dnms(config);
    config.train.trials = Some(4096);
    config.task = table(&Dnms::long_delay());
}

/// Node perturbation learns this in stages of growing variability (docs/results.md). With `delta-x` the settings are the
/// published ones, which are slow.
pub(super) fn dnms_variable_delay(config: &mut Config) {
    dnms(config);
    // As many as in the published program.
    config.train.trials = Some(30_016);
    let task = Dnms::variable_delay();
    if config.rule.name == "node-perturbation" {
        config.perturbation.probability = 0.02;
        config.train.batch = 16;
        let shortest = task.steps - task.delay_jitter;
        let stage = |delay_jitter| {
            let task = [("steps", shortest + delay_jitter), ("delay_jitter", delay_jitter)];
            let task: toml::Table =
                task.map(|(key, value)| (key.to_string(), (value as i64).into())).into_iter().collect();
            CurriculumStage { until: Until::Criterion, set: [("task".to_string(), task.into())].into_iter().collect() }
        };
        config.curriculum = [0, 125, 250, 375].map(stage).to_vec();
    }
    config.task = table(&task);
}

/// Dale's law and a rectified-linear transfer function (Miconi 2017, after Mastrogiuseppe & Ostojic 2017).
pub(super) fn dnms_ei(config: &mut Config) {
    dnms(config);
    config.network.response = TransferFunction::RectifiedLinear;
    config.network.dale = true;
    config.rule.max_dw = 1e-4;
    config.train.batch = 16;
    config.train.trials = Some(6400);
    config.task = table(&Dnms::excitatory_inhibitory());
}

/// The rates are those published for this task.
pub(super) fn selective_integration(config: &mut Config) {
    dnms(config);
    config.rule.max_dw = 2e-4;
    config.perturbation.amplitude = 30.0;
    config.train.trials = Some(8000);
    config.task = table(&SelectiveIntegration::default());
}

/// τ = 100 ms at steps of 5 ms keeps dt/τ, and with it the effect of a perturbation, near those of `dnms`.
pub(super) fn evidence_accumulation(config: &mut Config) {
    dnms(config);
    config.network.tau_ms = 100.0;
    config.network.dt_ms = 5.0;
    config.perturbation.amplitude = 10.0;
    config.perturbation.probability = 0.005;
    config.train.trials = Some(8000);
    config.task = table(&EvidenceAccumulation::default());
}

/// A user's own trials. Random biases replace the bias neurons, so that any neuron can be an output.
pub(super) fn file(config: &mut Config) {
    dnms(config);
    config.network.clamped = vec![];
    config.network.bias_scale = 0.5;
    config.network.output_neurons = vec![];
    config.task = table(&file::Parameters::default());
}

/// The network of hebbRNN's example (Michaels & Scherberger 2016): no running mean of x, a cost of large outputs, and
/// updates that are not scaled by the expected error.
pub(super) fn reach(config: &mut Config) {
    dnms(config);
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
    // hebbRNN's bound is 1e-4 for one trial at a time; with 64 at a time that is too low (docs/results.md).
    config.rule.max_dw = 3e-4;
    config.rule.own.insert("x_mean_decay".into(), 0.0.into());
    config.rule.start_step = 0;
    config.modulator.expected_error_decay = 0.33;
    config.modulator.expected_error_factor = false;
    let step_by_step = ["eh", "rflo"].contains(&&*config.rule.name);
    config.modulator.energy_cost = if step_by_step { 0.0 } else { 0.7 };
    config.task = table(&Reach::default());
    config.train.trials = Some(6400);
}

/// 50 neurons with leaky rates and τ = 10 steps, and a readout (Murray 2019). All trials are the same, so running
/// several at a time helps only rules that explore.
pub(super) fn pattern_generation(config: &mut Config) {
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
    config.perturbation.probability = 0.01;
    config.readout =
        ReadoutConfig { rule: ReadoutRule::NodePerturbation, eta: 0.01, perturbation: 0.1, ..ReadoutConfig::default() };
    config.train.batch = if config.rule.name == "rflo" { 1 } else { 16 };
    config.train.trials = Some(10_000);
}

/// The size and times of Yang et al. 2019: 256 neurons with leaky rates, in steps of 20 ms. Their neurons have a softplus and private
/// noise (0.158 here: 0.05 · √(2 τ / dt)); these have tanh and, by default, no noise.
pub(super) fn yang19(config: &mut Config) {
    config.task = table(&Yang19::default());
    config.network = NetworkConfig {
        neurons: 256,
        dynamics: "leaky-rate".into(),
        tau_ms: 100.0,
        dt_ms: 20.0,
        gain: 1.0,
        bias_scale: 0.2,
        input_scale: 0.5,
        initial_activation: 0.0,
        output: Output::Readout,
        readout_scale: 0.1,
        ..NetworkConfig::default()
    };
    config.perturbation.probability = 0.01;
    config.perturbation.amplitude = 1.0;
    config.readout = match &config.rule.name[..] {
        "rflo" => ReadoutConfig { rule: ReadoutRule::Delta, eta: 0.01, ..ReadoutConfig::default() },
        _ => {
            let rule = ReadoutRule::NodePerturbation;
            ReadoutConfig { rule, eta: 0.01, perturbation: 0.1, ..ReadoutConfig::default() }
        }
    };
    config.rule.max_dw = 1e-3;
    config.train.trials = Some(100_000);
}

/// 1000 discrete neurons connected by fast weights only; each receives one bit as input, 20 times as strong as a rate.
/// α is too small for α H to sustain a pattern without input: each fades during the blank steps before the next.
pub(super) fn recall(config: &mut Config) {
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
    config.perturbation.probability = 0.003;
    config.train.networks = NetworkRange { start: 0, end: 1 };
    config.train.batch = 10;
    config.train.trials = Some(100);
    config.train.checkpoint_every = 0;
}

pub(super) fn sequence(config: &mut Config) {
    bits(config, 1.0);
    config.task = table(&Sequence { steps: 10, correct_below: 0.1, random_modulator: true });
}

pub(super) fn echo(config: &mut Config) {
    bits(config, 0.1);
    config.task = table(&Echo { steps: 10, correct_below: 0.1, k: 1 });
}

/// The discrete network and fast weights of the PyTorch program from which this project grew: 32 neurons and a readout.
fn bits(config: &mut Config, alpha: f64) {
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
    config.perturbation = PerturbationConfig { probability: 0.05, amplitude: 0.5, ..PerturbationConfig::default() };
    config.rule.max_dw = 1e-3;
    config.readout = ReadoutConfig {
        rule: ReadoutRule::NodePerturbation,
        eta: 0.02,
        perturbation: 0.05,
        ..ReadoutConfig::default()
    };
    config.train.batch = 32;
    config.train.updates = Some(2000);
}
