//! The settings that each environment adds to the standard configuration. Networks learn by node perturbation: every neuron is
//! perturbed at every step, each episode is compared with the others of its batch, and each weight's change is bounded.

use super::settings::table;
use crate::config::*;
use crate::environments::*;
use crate::tasks::Episodes;
use serde::Serialize;

/// A network of 64 neurons without leak, which makes one step for each step of the environment. Its readout is small, so that it
/// begins without preferences.
fn environment(config: &mut Config, environment: impl Environment + Serialize + 'static) {
    config.task = table(&environment);
    config.task.extend(table(&Episodes::new(environment).settings));
    config.network = NetworkConfig {
        neurons: 64,
        dynamics: "discrete".into(),
        gain: 0.8,
        bias_scale: 0.5,
        initial_activation: 0.0,
        output: Output::Readout,
        readout_scale: 0.01,
        ..NetworkConfig::default()
    };
    config.perturbation = PerturbationConfig {
        probability: 1.0,
        amplitude: 0.2,
        distribution: Some(Distribution::Gaussian),
        ..PerturbationConfig::default()
    };
    // The rates are so high that at first most changes are at the bound. Rules that learn from x − x̄ also respond to the effect of
    // the input, and need smaller steps.
    let from_mean = ["delta-x", "eh"].contains(&&*config.rule.name);
    config.rule.max_dw = if from_mean { 3e-4 } else { 3e-3 };
    (config.rule.clip_growth, config.rule.fall_trials) = (0.0, Some(0.0));
    config.readout = ReadoutConfig {
        rule: ReadoutRule::NodePerturbation,
        eta: 0.0625,
        perturbation: 1.0,
        max_dw: Some(0.01),
        forget: Some(0.0),
        ..ReadoutConfig::default()
    };
    config.modulator.normalise = Some(true);
    config.train.batch = 16;
    config.train.checkpoint_every = 50;
}

/// Sets a key of the table `task` that all environments share.
fn set(config: &mut Config, key: &str, value: impl Into<toml::Value>) {
    config.task.insert(key.into(), value.into());
}

pub(super) fn cartpole(config: &mut Config) {
    environment(config, CartPole::default());
    config.train.trials = Some(4000);
}

pub(super) fn acrobot(config: &mut Config) {
    environment(config, Acrobot::default());
    config.rule.fall_trials = Some(2000.0);
    config.train.trials = Some(3200);
}

pub(super) fn pendulum(config: &mut Config) {
    environment(config, Pendulum::default());
    by_running_size(config);
    config.train.trials = Some(32_000);
}

/// Batches differ in how much can be learnt from them: if all episodes start upright, they are alike. So modulators are not
/// normalised within a batch; instead, changes are normalised over many batches.
fn by_running_size(config: &mut Config) {
    set(config, "discount", 0.97);
    set(config, "same_start", true);
    set(config, "hold", 3);
    config.network.input_scale = 2.0;
    config.perturbation.amplitude = 0.1;
    config.modulator.normalise = Some(false);
    config.rule.rms_decay = Some(0.99);
    (config.rule.max_dw, config.rule.fall_trials) = (0.0, Some(8000.0));
    config.readout.perturbation = 0.5;
    (config.readout.eta, config.readout.max_dw) = (0.02, Some(0.0));
}

/// Each neuron is driven by a place cell, and the readout gives a direction. Noise is held for some steps, so that an
/// untrained agent moves at all. Without forgetting, no network finds the goal again after it has moved.
pub(super) fn open_field(config: &mut Config) {
    environment(config, OpenField::default());
    set(config, "acting", "population-vector");
    set(config, "hold", 8);
    config.network.neurons = 121;
    config.network.input_weights = InputWeights::OneToOne;
    (config.network.gain, config.network.bias_scale) = (0.0, 0.0);
    config.readout.forget = Some(0.1);
    config.train.trials = Some(4000);
}

/// Only the readout learns: there is nothing to remember. One pull at a time, compared with a running mean.
pub(super) fn bandit(config: &mut Config) {
    environment(config, Bandit::default());
    one_by_one(config, 0.015);
    config.train.trials = Some(1000);
}

/// As `bandit`, but the right choice changes, so networks must learn fast and forget.
pub(super) fn two_step(config: &mut Config) {
    environment(config, TwoStep::default());
    one_by_one(config, 0.1);
    config.readout.forget = Some(0.05);
    config.train.trials = Some(1000);
}

/// One trial at a time, compared with a running mean; changes of the readout have no bound.
fn one_by_one(config: &mut Config, eta: f64) {
    (config.readout.eta, config.readout.max_dw) = (eta, Some(0.0));
    config.modulator.normalise = Some(false);
    config.modulator.expected_error_decay = 0.97;
    config.modulator.warmup_trials = 0;
    config.train.batch = 1;
}

pub(super) fn perceptual_decision(config: &mut Config) {
    environment(config, PerceptualDecision::default());
    leaky(config, 5.0);
    config.train.trials = Some(4000);
}

/// Neurons leak, so that an untrained network has some memory for learning to begin with.
pub(super) fn t_maze(config: &mut Config) {
    environment(config, TMaze::default());
    leaky(config, 4.0);
    config.perturbation.amplitude = 0.5;
    config.train.trials = Some(32_000);
}

/// Neurons with a time constant of some steps.
fn leaky(config: &mut Config, steps: f64) {
    config.network.dynamics = "leaky".into();
    (config.network.tau_ms, config.network.dt_ms) = (steps, 1.0);
}

/// Noise is held for some steps, so that an untrained agent moves at all, and discounting makes short paths worth more.
pub(super) fn maze(config: &mut Config) {
    environment(config, Maze::default());
    set(config, "hold", 8);
    set(config, "discount", 0.98);
    config.network.input_scale = 2.0;
    config.train.trials = Some(8000);
}

pub(super) fn acrobot_swing_up(config: &mut Config) {
    environment(config, AcrobotSwingUp::default());
    set(config, "hold", 3);
    config.train.trials = Some(4000);
}

/// As `pendulum`.
pub(super) fn cartpole_swing_up(config: &mut Config) {
    environment(config, CartPoleSwingUp::default());
    by_running_size(config);
    config.train.trials = Some(8000);
}
