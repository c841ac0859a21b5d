//! Random bits: `sequence` asks for the next one (which nothing can know), `echo` for the one of k steps ago.
//!
//! `sequence` is the toy of the PyTorch program this project grew from: 10 bits, 32 neurons, 32 trials at a time, and a
//! neuromodulator m(t) ~ U(0, 1) that drives the trace but means nothing.

use super::{ErrorMeasure, Task, Trial};
use crate::config::*;
use crate::random::Stream;
use anyhow::{ensure, Result};
use rand::RngExt;
use serde::{Deserialize, Serialize};

/// Which bit is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lag {
    /// The next one.
    Next,
    /// The one of so many steps ago.
    Back(usize),
}

/// Fair bits, one channel in, one channel out, target 0 or 1.
#[derive(Clone, Debug, PartialEq)]
pub struct Bits {
    steps: usize,
    correct_below: f64,
    random_modulator: bool,
    lag: Lag,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct SequenceParameters {
    /// T.
    steps: usize,
    /// A trial with a mean squared error below this is correct.
    correct_below: f64,
    /// Whether m(t) ~ U(0, 1) drives the trace; else m = 1.
    random_modulator: bool,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct EchoParameters {
    steps: usize,
    correct_below: f64,
    /// How many steps ago the bit was shown.
    k: usize,
}

impl Bits {
    /// Trials of `steps` bits. For [`Lag::Back`], the first k steps are not scored, for [`Lag::Next`] the last.
    ///
    /// # Errors
    /// Where no step would be scored.
    pub fn new(steps: usize, lag: Lag, correct_below: f64, random_modulator: bool) -> Result<Self> {
        let unscored = match lag {
            Lag::Next => 1,
            Lag::Back(k) => k,
        };
        ensure!(
            steps > unscored,
            "task.steps is {steps}; expected at least {}, so that a step is scored",
            unscored + 1
        );
        positive("task.correct_below", correct_below)?;
        Ok(Bits { steps, correct_below, random_modulator, lag })
    }
}

pub(super) fn build(table: &toml::Table, lag: Lag) -> Result<Bits> {
    let p: SequenceParameters = super::parameters(table)?;
    Bits::new(p.steps, lag, p.correct_below, p.random_modulator)
}

pub(super) fn build_echo(table: &toml::Table) -> Result<Bits> {
    let p: EchoParameters = super::parameters(table)?;
    Bits::new(p.steps, Lag::Back(p.k), p.correct_below, false)
}

impl Task for Bits {
    fn name(&self) -> &str {
        match self.lag {
            Lag::Next => "sequence",
            Lag::Back(_) => "echo",
        }
    }

    fn steps(&self) -> usize {
        self.steps
    }

    fn inputs(&self) -> Vec<String> {
        vec!["bit".into()]
    }

    fn n_out(&self) -> usize {
        1
    }

    fn trial_types(&self) -> Vec<String> {
        vec!["bits".into()]
    }

    fn trial(&self, _index: u64, rng: &mut Stream) -> Trial {
        let bits: Vec<f32> = (0..self.steps).map(|_| f32::from(u8::from(rng.random::<bool>()))).collect();
        let source = |step: usize| match self.lag {
            Lag::Next => Some(step + 1).filter(|s| *s < self.steps),
            Lag::Back(k) => step.checked_sub(k),
        };
        Trial {
            trial_type: 0,
            targets: (0..self.steps).map(|step| source(step).map_or(0.0, |s| bits[s])).collect(),
            scored: (0..self.steps).map(|step| source(step).is_some()).collect(),
            modulator: self.random_modulator.then(|| (0..self.steps).map(|_| rng.random::<f32>()).collect()),
            inputs: bits,
        }
    }

    fn measure(&self) -> ErrorMeasure {
        ErrorMeasure::Squared
    }

    fn correct_below(&self) -> f64 {
        self.correct_below
    }

    fn chance(&self) -> Option<(f64, String)> {
        let why = match self.lag {
            Lag::Next => "a fair coin cannot be predicted: always answering 0.5 is the best there is",
            Lag::Back(_) => "always answering 0.5",
        };
        Some((0.25, why.into()))
    }

    fn printable(&self) -> bool {
        true
    }
}

/// A discrete network of 32 neurons with a readout, and the trace of the PyTorch program.
pub(super) fn config(task: &str, rule: RuleName) -> Config {
    let echo = task == "echo";
    Config {
        network: NetworkConfig {
            neurons: 32,
            dynamics: Dynamics::Discrete,
            tau_ms: 1.0,
            dt_ms: 1.0,
            gain: 0.6,
            connectivity: 1.0,
            input_scale: 1.0,
            input_to_output_neurons: true,
            bias_scale: 0.2,
            initial_activation: 0.0,
            clamped: vec![],
            output: Output::Readout,
            output_neurons: vec![],
            readout_scale: 2.0,
            ..NetworkConfig::default()
        },
        trace: TraceConfig {
            stage: Stage::Modulated,
            association: Association::PrePost,
            modulator: TraceModulator::Task,
            alpha: if echo { 0.1 } else { 1.0 },
            eta: 0.1,
            clip: 0.0,
            persistent: false,
            form: TraceForm::Auto,
        },
        perturbation: PerturbationConfig {
            probability: if rule == RuleName::NodePerturbation { 0.05 } else { 0.0 },
            amplitude: 0.5,
            start_step: 0,
        },
        rule: RuleConfig { name: rule, eta: 0.01, max_dw: 1e-3, clip_growth: 0.5, x_mean_decay: 0.8, start_step: 0 },
        readout: ReadoutConfig { rule: ReadoutRule::NodePerturbation, eta: 0.02, perturbation: 0.05, mean_decay: 0.8 },
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
        task: if echo {
            super::table(task, &EchoParameters { steps: 10, correct_below: 0.1, k: 1 })
        } else {
            super::table(task, &SequenceParameters { steps: 10, correct_below: 0.1, random_modulator: true })
        },
        train: TrainConfig {
            networks: Networks { start: 0, end: 4 },
            batch: 32,
            seed: 1,
            trials: None,
            updates: Some(2000),
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

    fn draw(lag: Lag) -> Trial {
        let task = Bits::new(12, lag, 0.1, true).unwrap();
        task.trial(0, &mut stream(3, 0, 0, Phase::Train, Purpose::Task))
    }

    #[test]
    fn sequence_asks_for_the_next_bit() {
        let trial = draw(Lag::Next);
        assert_eq!(trial.targets[..11], trial.inputs[1..]);
        assert_eq!(trial.scored, [vec![true; 11], vec![false]].concat());
        assert!(trial.modulator.unwrap().iter().all(|m| (0.0..1.0).contains(m)));
    }

    #[test]
    fn echo_asks_for_an_earlier_bit() {
        let trial = draw(Lag::Back(3));
        assert_eq!(trial.targets[3..], trial.inputs[..9]);
        assert_eq!(trial.scored, [vec![false; 3], vec![true; 9]].concat());
    }
}
