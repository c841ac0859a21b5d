//! Random bits: `sequence` asks for the next one (which nothing can know), `echo` for the one of k steps ago.
//!
//! `sequence` is the toy of the PyTorch program this project grew from: 10 bits, 32 neurons, 32 trials at a time, and a
//! neuromodulator m(t) ~ U(0, 1) that drives the trace but means nothing.

use super::{ErrorMeasure, Task, Trial};
use crate::error::Result;
use crate::random::Stream;
use crate::ranges::*;
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

/// The parameters of `sequence`.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct SequenceParameters {
    /// T.
    pub steps: usize,
    /// A trial with a mean squared error below this is correct.
    pub correct_below: f64,
    /// Whether m(t) ~ U(0, 1) drives the trace; else m = 1.
    pub random_modulator: bool,
}

/// The parameters of `echo`.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct EchoParameters {
    /// T.
    pub steps: usize,
    /// A trial with a mean squared error below this is correct.
    pub correct_below: f64,
    /// How many steps ago the bit was shown.
    pub k: usize,
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
        expect(steps > unscored, "task.steps", steps, format!("at least {}, so that a step is scored", unscored + 1))?;
        positive("task.correct_below", correct_below)?;
        Ok(Bits { steps, correct_below, random_modulator, lag })
    }
}

pub(crate) fn build_sequence(table: &toml::Table) -> Result<Bits> {
    let p: SequenceParameters = super::parameters(table)?;
    Bits::new(p.steps, Lag::Next, p.correct_below, p.random_modulator)
}

pub(crate) fn build_echo(table: &toml::Table) -> Result<Bits> {
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
