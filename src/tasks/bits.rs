//! Random bits: `sequence` asks for the next bit, which cannot be known, `echo` for the bit k steps back.
//!
//! `sequence` is the toy task of the PyTorch program from which this project grew: 10 bits, 32 neurons, 32 trials at a
//! time, and a modulator m(t) ~ U(0, 1) that drives the fast weights but carries no information.

use super::*;

/// Which bit is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Lag {
    /// The next bit; the last step is not scored.
    Next,
    /// The bit k steps back; the first k steps are not scored.
    Back(usize),
}

/// Fair random bits: one input channel, one output, target 0 or 1.
#[derive(Clone, Debug, PartialEq)]
pub struct Bits {
    /// T, the number of steps.
    pub steps: usize,
    /// A trial with a mean squared error below this is correct.
    pub correct_below: f64,
    /// Whether the modulator of the fast weights is m(t) ~ U(0, 1); else m = 1.
    pub random_modulator: bool,
    /// Which bit is asked for.
    pub lag: Lag,
}

/// The parameters of `sequence`; see [`Bits`].
#[derive(DocumentedFields, JsonSchema, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Sequence {
    /// T, the number of steps.
    pub steps: usize,
    /// A trial with a mean squared error below this is correct.
    pub correct_below: f64,
    /// Whether the modulator of the fast weights is m(t) ~ U(0, 1); else m = 1.
    pub random_modulator: bool,
}

/// The parameters of `echo`; see [`Bits`] and [`Lag::Back`].
#[derive(DocumentedFields, JsonSchema, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Echo {
    /// T, the number of steps.
    pub steps: usize,
    /// A trial with a mean squared error below this is correct.
    pub correct_below: f64,
    /// How many steps back the bit is that is asked for.
    pub k: usize,
}

impl From<Sequence> for Bits {
    fn from(Sequence { steps, correct_below, random_modulator }: Sequence) -> Self {
        Bits { steps, correct_below, random_modulator, lag: Lag::Next }
    }
}

impl From<Echo> for Bits {
    fn from(Echo { steps, correct_below, k }: Echo) -> Self {
        Bits { steps, correct_below, random_modulator: false, lag: Lag::Back(k) }
    }
}

impl Task for Bits {
    fn name(&self) -> &str {
        match self.lag {
            Lag::Next => "sequence",
            Lag::Back(_) => "echo",
        }
    }

    /// Refuses trials in which no step would be scored.
    fn check(&self) -> Result<()> {
        let unscored = match self.lag {
            Lag::Next => 1,
            Lag::Back(k) => k,
        };
        let expected = format!("at least {}, so that a step is scored", unscored.saturating_add(1));
        expect(self.steps > unscored, "task.steps", self.steps, expected)?;
        positive("task.correct_below", self.correct_below)
    }

    fn steps(&self) -> usize {
        self.steps
    }

    fn inputs(&self) -> Vec<String> {
        vec!["bit".into()]
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
            targets: (0..self.steps).map(|step| source(step).map_or(0.0, |s| bits[s])).collect(),
            scored: (0..self.steps).map(|step| source(step).is_some()).collect(),
            modulator: self.random_modulator.then(|| (0..self.steps).map(|_| rng.random::<f32>()).collect()),
            inputs: bits,
            ..Trial::default()
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
            Lag::Next => "a fair coin cannot be predicted: always answering 0.5 is the best one can do",
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

    fn draw(lag: Lag) -> Trial {
        let task = Bits { steps: 12, correct_below: 0.1, random_modulator: true, lag };
        task.check().unwrap();
        super::super::draw(&task, 0)
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
