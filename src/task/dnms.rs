//! Delayed non-match to sample, also called sequential exclusive-or (Miconi 2017, doi 10.7554/eLife.20899).
//!
//! Two stimuli, each A or B, are shown one after the other. The output, judged over the response period at the end, should
//! be high where they differ and low where they are the same.

use super::{ErrorMeasure, Task, Trial};
use crate::config::*;
use crate::random::Stream;
use anyhow::{ensure, Result};
use serde::{Deserialize, Serialize};

/// Times in steps (of 1 ms by default).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Dnms {
    /// T.
    pub steps: usize,
    /// First step of the first stimulus.
    pub first_stimulus: usize,
    /// First step of the second stimulus.
    pub second_stimulus: usize,
    /// Steps a stimulus lasts.
    pub stimulus_steps: usize,
    /// Steps of the response period, at the end of the trial.
    pub response_steps: usize,
    /// Target where the stimuli differ; where they are the same it is the negative of that.
    pub target: f64,
    /// A trial with an error below this is correct.
    pub correct_below: f64,
}

impl Default for Dnms {
    fn default() -> Self {
        Dnms {
            steps: 1000,
            first_stimulus: 1,
            second_stimulus: 400,
            stimulus_steps: 200,
            response_steps: 200,
            target: 0.98,
            correct_below: 1.0,
        }
    }
}

impl Dnms {
    /// Refuses stimuli that overlap or run past the end.
    pub fn checked(self) -> Result<Self> {
        ensure!(self.steps >= 1, "task.steps is 0; expected at least 1");
        ensure!(
            self.first_stimulus + self.stimulus_steps <= self.second_stimulus,
            "task.second_stimulus is {}; expected at least {}, where the first stimulus ends",
            self.second_stimulus,
            self.first_stimulus + self.stimulus_steps
        );
        ensure!(
            self.second_stimulus + self.stimulus_steps <= self.steps,
            "task.steps is {}; expected at least {}, where the second stimulus ends",
            self.steps,
            self.second_stimulus + self.stimulus_steps
        );
        ensure!(
            (1..=self.steps).contains(&self.response_steps),
            "task.response_steps is {}; expected 1 to task.steps ({})",
            self.response_steps,
            self.steps
        );
        positive("task.target", self.target)?;
        positive("task.correct_below", self.correct_below)?;
        Ok(self)
    }
}

impl Task for Dnms {
    fn name(&self) -> &str {
        "dnms"
    }

    fn steps(&self) -> usize {
        self.steps
    }

    fn inputs(&self) -> Vec<String> {
        vec!["A".into(), "B".into()]
    }

    fn n_out(&self) -> usize {
        1
    }

    fn trial_types(&self) -> Vec<String> {
        ["AA", "AB", "BA", "BB"].map(String::from).to_vec()
    }

    /// The four types follow one another in turn, as in Miconi's program.
    fn trial(&self, index: u64, _rng: &mut Stream) -> Trial {
        let trial_type = (index % 4) as usize;
        let (first, second) = (trial_type / 2, trial_type % 2);
        let mut inputs = vec![0.0; self.steps * 2];
        for step in 0..self.stimulus_steps {
            inputs[(self.first_stimulus + step) * 2 + first] = 1.0;
            inputs[(self.second_stimulus + step) * 2 + second] = 1.0;
        }
        let target = if first == second { -self.target } else { self.target } as f32;
        let response = self.steps - self.response_steps;
        Trial {
            trial_type,
            inputs,
            targets: vec![target; self.steps],
            scored: (0..self.steps).map(|step| step >= response).collect(),
            modulator: None,
        }
    }

    fn measure(&self) -> ErrorMeasure {
        ErrorMeasure::Absolute
    }

    fn correct_below(&self) -> f64 {
        self.correct_below
    }
}

/// Miconi's published parameters, with 64 trials in parallel.
pub fn config(rule: RuleName) -> Config {
    Config {
        network: NetworkConfig {
            neurons: 200,
            dynamics: Dynamics::Leaky,
            tau_ms: 30.0,
            dt_ms: 1.0,
            gain: 1.5,
            connectivity: 1.0,
            input_scale: 1.0,
            input_to_output_neurons: false,
            bias_scale: 0.0,
            initial_activation: 0.1,
            clamped: vec![(1, 1.0), (10, 1.0), (11, -1.0)],
            output: Output::Neurons,
            output_neurons: vec![0],
            readout_scale: 1.0,
        },
        trace: TraceConfig {
            stage: if rule == RuleName::HebbianTrace { Stage::Decay } else { Stage::None },
            association: Association::PostPre,
            modulator: TraceModulator::Constant,
            alpha: 0.0,
            eta: 0.01,
            clip: 0.0,
            persistent: false,
            form: TraceForm::Auto,
        },
        perturbation: PerturbationConfig { probability: 0.003, amplitude: 16.0, start_step: 4 },
        rule: RuleConfig {
            name: rule,
            eta: match rule {
                RuleName::NodePerturbation => 0.001,
                RuleName::Eh => 0.01,
                _ => 0.1,
            },
            max_dw: 3e-4,
            clip_growth: 0.5,
            x_mean_decay: 0.05,
            start_step: 3,
        },
        readout: ReadoutConfig { rule: ReadoutRule::None, eta: 0.0, perturbation: 0.0, mean_decay: 0.8 },
        modulator: ModulatorConfig {
            baseline: Baseline::LeaveOneOut,
            expected_error_decay: 0.75,
            expected_error_factor: true,
            warmup_trials: 100,
            reward_decay: 0.8,
        },
        task: super::table("dnms", &Dnms::default()),
        train: TrainConfig {
            networks: Networks { start: 0, end: 4 },
            batch: 64,
            seed: 1,
            trials: Some(3200),
            updates: None,
            until_criterion: false,
            checkpoint_every: 10,
            device: "auto".into(),
            dtype: Precision::F32,
            kernels: Kernels::Fused,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::{stream, Phase, Purpose};

    #[test]
    fn the_four_types_are_those_of_the_paper() {
        let task = Dnms::default();
        for (index, (first, second, target)) in
            [(0, 0, -0.98), (0, 1, 0.98), (1, 0, 0.98), (1, 1, -0.98)].into_iter().enumerate()
        {
            let trial = task.trial(index as u64, &mut stream(0, 0, 0, Phase::Train, Purpose::Task));
            let on = |step: usize, channel: usize| trial.inputs[step * 2 + channel];
            assert_eq!(trial.trial_type, index);
            for step in 0..1000 {
                let shows = |channel| {
                    ((1..201).contains(&step) && first == channel) || ((400..600).contains(&step) && second == channel)
                };
                assert_eq!([on(step, 0), on(step, 1)], [0, 1].map(|c| f32::from(u8::from(shows(c)))), "step {step}");
                assert_eq!(trial.scored[step], step >= 800);
            }
            assert!(trial.targets.iter().all(|t| *t == target));
        }
    }

    #[test]
    fn the_error_is_the_mean_absolute_difference_over_the_response() {
        let task = Dnms::default();
        let trial = task.trial(1, &mut stream(0, 0, 0, Phase::Train, Purpose::Task));
        // Wrong everywhere but judged only at the end: half of the response is right, half is off by 0.5.
        let outputs: Vec<f32> = (0..1000)
            .map(|step| {
                if step < 800 {
                    -5.0
                } else if step < 900 {
                    0.98
                } else {
                    0.48
                }
            })
            .collect();
        assert!((task.error(&trial, &outputs) - 0.25).abs() < 1e-6);
    }
}
