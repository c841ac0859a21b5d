//! The reward of each step of one trial, and the readout's learning. The references are in `engine::reference` and
//! `rules::readout`.

use super::rows::AddRows;
use crate::config::{Output, ReadoutRule};
use crate::setup::Setup;
use crate::tasks::ErrorMeasure;
use pulp::Arch;

/// How the reward of each step is found, and how the readout learns from it.
pub(super) struct OnlinePlan {
    /// Whether anything reads the reward of each step.
    pub needed: bool,
    /// Whether the reward of a step is 1 or 0.
    binary: bool,
    measure: ErrorMeasure,
    reward_decay: f32,
    rule: ReadoutRule,
    variance: f32,
    mean_decay: f32,
    arch: Arch,
}

impl OnlinePlan {
    pub fn new(setup: &Setup, measure: ErrorMeasure, learn: bool) -> Self {
        let config = &setup.config;
        let learns = config.network.output == Output::Readout && learn;
        let rule = if learns { config.readout.rule } else { ReadoutRule::None };
        OnlinePlan {
            needed: setup.reads_reward_online(),
            binary: config.modulator.binary,
            measure,
            reward_decay: config.modulator.reward_decay as f32,
            rule,
            variance: (config.readout.perturbation * config.readout.perturbation) as f32,
            mean_decay: config.readout.mean_decay as f32,
            arch: Arch::new(),
        }
    }

    /// Whether the readout learns.
    pub fn learns(&self) -> bool {
        self.rule != ReadoutRule::None
    }

    /// Whether it learns from the error of each output.
    pub fn reads_error(&self) -> bool {
        self.rule == ReadoutRule::Delta
    }
}

/// The running means of one trial.
pub(super) struct Online {
    reward_mean: f32,
    output_mean: Vec<f32>,
}

impl Online {
    pub fn new(expected_error: f32) -> Self {
        Online { reward_mean: -expected_error, output_mean: Vec::new() }
    }

    /// R − R̄ of a scored step; then updates R̄.
    pub fn reward_change(&mut self, plan: &OnlinePlan, output: &[f32], target: &[f32]) -> f32 {
        let errors = output.iter().zip(target).map(|(z, y)| match plan.measure {
            ErrorMeasure::Absolute => (z - y).abs(),
            ErrorMeasure::Squared => (z - y) * (z - y),
            // Not of trials that run here.
            ErrorMeasure::Return => 0.0,
        });
        let change = -errors.sum::<f32>() / output.len() as f32 - self.reward_mean;
        self.reward_mean += change * (1.0 - plan.reward_decay);
        match plan.binary {
            true => f32::from(u8::from(change > 0.0)),
            false => change,
        }
    }

    /// Adds what a step's `errors` `[n_out]`, target − output, contribute to the changes of w_out `[n_out, width]` and b_out `[n_out]`.
    pub fn learn_errors(plan: &OnlinePlan, errors: &[f32], r: &[f32], (w_out, b_out): (&mut [f32], &mut [f32])) {
        for (k, error) in errors.iter().enumerate().filter(|(_, error)| **error != 0.0) {
            plan.arch.dispatch(AddRows(&mut w_out[k * r.len()..(k + 1) * r.len()], r, &[*error]));
            b_out[k] += error;
        }
    }

    /// Adds the contribution of a step to the changes of w_out `[n_out, width]` and b_out `[n_out]`.
    pub fn learn(
        &mut self,
        plan: &OnlinePlan,
        output: &[f32],
        noise: &[f32],
        change: f32,
        r: &[f32],
        (w_out, b_out): (&mut [f32], &mut [f32]),
    ) {
        if self.output_mean.is_empty() {
            self.output_mean.extend_from_slice(output);
        }
        for (k, z) in output.iter().enumerate() {
            let post = match plan.rule {
                ReadoutRule::NodePerturbation => noise[k] / plan.variance,
                ReadoutRule::Eh => z - self.output_mean[k],
                // `delta` learns from errors, and `none` does not learn.
                ReadoutRule::Delta | ReadoutRule::None => 0.0,
            };
            let mean = &mut self.output_mean[k];
            *mean = *mean * plan.mean_decay + z * (1.0 - plan.mean_decay);
            let gated = post * change;
            if gated != 0.0 {
                plan.arch.dispatch(AddRows(&mut w_out[k * r.len()..(k + 1) * r.len()], r, &[gated]));
                b_out[k] += gated;
            }
        }
    }
}
