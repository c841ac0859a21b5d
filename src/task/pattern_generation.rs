//! Pattern generation: from nothing but a constant input, produce a sum of sines
//! (the target of Murray 2019, doi 10.7554/eLife.43299, with which random feedback local online learning was shown).

use super::{ErrorMeasure, Task, Trial};
use crate::config::*;
use crate::random::Stream;
use anyhow::{ensure, Result};
use serde::{Deserialize, Serialize};
use std::f64::consts::TAU;

/// One period of Σ amplitude_k sin(2π · harmonic_k · t / period).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PatternGeneration {
    /// T.
    pub steps: usize,
    /// Steps of a period of the first harmonic.
    pub period: f64,
    /// Which harmonics are summed.
    pub harmonics: Vec<f64>,
    /// Their amplitudes.
    pub amplitudes: Vec<f64>,
    /// The input at every step.
    pub input: f64,
    /// A trial with a mean squared error below this is correct.
    pub correct_below: f64,
}

impl Default for PatternGeneration {
    fn default() -> Self {
        PatternGeneration {
            steps: 100,
            period: 100.0,
            harmonics: vec![1.0, 2.0, 4.0],
            amplitudes: vec![1.0, 0.5, 0.25],
            input: 1.0,
            correct_below: 0.01,
        }
    }
}

impl PatternGeneration {
    /// Refuses harmonics without amplitudes.
    pub fn checked(self) -> Result<Self> {
        ensure!(self.steps >= 1, "task.steps is 0; expected at least 1");
        positive("task.period", self.period)?;
        ensure!(
            !self.harmonics.is_empty() && self.amplitudes.len() == self.harmonics.len(),
            "task.amplitudes has {} entries; expected one for each of the {} in task.harmonics, at least 1",
            self.amplitudes.len(),
            self.harmonics.len()
        );
        self.harmonics.iter().try_for_each(|harmonic| number("task.harmonics", *harmonic))?;
        self.amplitudes.iter().try_for_each(|amplitude| number("task.amplitudes", *amplitude))?;
        number("task.input", self.input)?;
        positive("task.correct_below", self.correct_below)?;
        Ok(self)
    }

    fn target(&self, step: usize) -> f32 {
        let phase = TAU * (step + 1) as f64 / self.period;
        self.harmonics.iter().zip(&self.amplitudes).map(|(h, a)| a * libm::sin(h * phase)).sum::<f64>() as f32
    }
}

impl Task for PatternGeneration {
    fn name(&self) -> &str {
        "pattern-generation"
    }

    fn steps(&self) -> usize {
        self.steps
    }

    fn inputs(&self) -> Vec<String> {
        vec!["constant".into()]
    }

    fn n_out(&self) -> usize {
        1
    }

    fn trial_types(&self) -> Vec<String> {
        vec!["pattern".into()]
    }

    fn trial(&self, _index: u64, _rng: &mut Stream) -> Trial {
        Trial {
            trial_type: 0,
            inputs: vec![self.input as f32; self.steps],
            targets: (0..self.steps).map(|step| self.target(step)).collect(),
            scored: vec![true; self.steps],
            modulator: None,
        }
    }

    fn measure(&self) -> ErrorMeasure {
        ErrorMeasure::Squared
    }

    fn correct_below(&self) -> f64 {
        self.correct_below
    }

    /// The variance of the target, which always answering its mean leaves; not worked out for trials beyond all use.
    fn chance(&self) -> Option<(f64, String)> {
        if self.steps > 1_000_000 {
            return None;
        }
        let targets: Vec<f64> = (0..self.steps).map(|step| f64::from(self.target(step))).collect();
        let mean = targets.iter().sum::<f64>() / self.steps as f64;
        let variance = targets.iter().map(|y| (y - mean) * (y - mean)).sum::<f64>() / self.steps as f64;
        Some((variance, "always answering the target's mean".into()))
    }
}

/// 50 neurons of τ = 10 steps whose rate leaks, a readout told its error (Murray 2019). Every trial is the same, so there
/// is no use in running more than one at a time, unless the rule explores.
pub(super) fn config(rule: RuleName) -> Config {
    let told = rule == RuleName::Rflo;
    let exploring = matches!(rule, RuleName::DeltaX | RuleName::NodePerturbation | RuleName::Eh);
    Config {
        network: NetworkConfig {
            neurons: 50,
            dynamics: Dynamics::LeakyRate,
            tau_ms: 10.0,
            input_scale: 0.5,
            initial_activation: 0.0,
            output: Output::Readout,
            readout_scale: 0.1,
            ..NetworkConfig::default()
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
        perturbation: PerturbationConfig {
            probability: if exploring { 0.01 } else { 0.0 },
            amplitude: 1.0,
            start_step: 0,
        },
        rule: RuleConfig { name: rule, eta: 1e-3, max_dw: 0.0, clip_growth: 0.5, x_mean_decay: 0.8, start_step: 0 },
        readout: ReadoutConfig {
            rule: if told { ReadoutRule::Delta } else { ReadoutRule::NodePerturbation },
            eta: if told { 0.03 } else { 0.01 },
            perturbation: if told { 0.0 } else { 0.1 },
            mean_decay: 0.8,
        },
        bptt: BpttConfig::default(),
        modulator: ModulatorConfig {
            baseline: Baseline::LeaveOneOut,
            expected_error_decay: 0.95,
            expected_error_factor: false,
            warmup_trials: 100,
            reward_decay: 0.8,
            binary: false,
            energy_cost: 0.0,
        },
        task: super::table("pattern-generation", &PatternGeneration::default()),
        train: TrainConfig {
            networks: Networks { start: 0, end: 4 },
            batch: if told { 1 } else { 16 },
            seed: 1,
            trials: Some(10_000),
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::{stream, Phase, Purpose};

    #[test]
    fn the_target_is_the_sum_of_its_harmonics() {
        let task = PatternGeneration::default();
        let trial = task.trial(0, &mut stream(0, 0, 0, Phase::Train, Purpose::Task));
        // A quarter, an eighth and a whole period in: sin(π/2) + 0; sin(π/4) + 0.5 + 0; 0.
        for (step, expected) in [(24, 1.0), (49, 0.0), (99, 0.0)] {
            assert!((trial.targets[step] - expected).abs() < 1e-6, "step {step}");
        }
        let (variance, _) = task.chance().unwrap();
        assert!((variance - (1.0 + 0.25 + 0.0625) / 2.0).abs() < 1e-6);
    }
}
