//! Recall: several patterns are shown, then one of them with half of its bits erased; complete it (Miconi et al. 2018,
//! arXiv 1804.02464). The patterns are new in every trial, so only the fast weights can remember them.

use super::*;

/// The parameters; times in steps.
#[derive(Clone, Debug, PartialEq, DocumentedFields, JsonSchema, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Recall {
    /// The number of bits of a pattern, half of them 1 and half −1. The network needs at least as many neurons.
    #[schemars(range(min = 1))]
    pub bits: usize,
    /// The number of patterns to remember.
    #[schemars(range(min = 1))]
    pub patterns: usize,
    /// The number of times each pattern is shown; each round has its own order.
    #[schemars(range(min = 1))]
    pub rounds: usize,
    /// How long a pattern is shown.
    #[schemars(range(min = 1))]
    pub shown_steps: usize,
    /// The time without input after each pattern.
    pub blank_steps: usize,
    /// How long the incomplete pattern is shown at the end; only the last step is scored.
    #[schemars(range(min = 1))]
    pub test_steps: usize,
    /// The fraction of its bits that are erased, that is, set to 0.
    #[schemars(range(min = 0, max = 1))]
    pub erased: f64,
    /// A trial is correct if the fraction of erased bits that are wrong is below this.
    #[schemars(extend("exclusiveMinimum" = 0))]
    pub correct_below: f64,
}

impl Default for Recall {
    fn default() -> Self {
        Recall {
            bits: 1000,
            patterns: 5,
            rounds: 2,
            shown_steps: 6,
            blank_steps: 4,
            test_steps: 6,
            erased: 0.5,
            correct_below: 0.05,
        }
    }
}

impl Recall {
    fn erased_bits(&self) -> usize {
        (self.erased * self.bits as f64).round() as usize
    }

    fn test_start(&self) -> usize {
        let pattern_steps = self.shown_steps.saturating_add(self.blank_steps);
        self.rounds.saturating_mul(self.patterns).saturating_mul(pattern_steps)
    }
}

/// Puts `items` into a random order (Fisher–Yates).
fn shuffle<T>(items: &mut [T], rng: &mut Stream) {
    for k in (1..items.len()).rev() {
        items.swap(k, rng.random_range(0..=k));
    }
}

impl Task for Recall {
    fn name(&self) -> &str {
        "recall"
    }

    /// Refuses trials in which nothing is shown, erased or scored.
    fn check(&self) -> Result<()> {
        check_ranges("task", self)?;
        let expected = format!("at least one erased bit of {}", self.bits);
        expect(self.erased_bits() >= 1, "task.erased", self.erased, expected)
    }

    fn steps(&self) -> usize {
        self.test_start().saturating_add(self.test_steps)
    }

    fn inputs(&self) -> Vec<String> {
        (0..self.bits).map(|bit| format!("bit {bit}")).collect()
    }

    fn n_in(&self) -> usize {
        self.bits
    }

    fn n_out(&self) -> usize {
        self.bits
    }

    fn trial_types(&self) -> Vec<String> {
        vec!["patterns".into()]
    }

    fn trial(&self, _index: u64, rng: &mut Stream) -> Trial {
        let bits = self.bits;
        let mut patterns: Vec<Vec<f32>> = (0..self.patterns)
            .map(|_| {
                let mut pattern: Vec<f32> = (0..bits).map(|bit| if bit < bits / 2 { -1.0 } else { 1.0 }).collect();
                shuffle(&mut pattern, rng);
                pattern
            })
            .collect();
        let target = patterns[rng.random_range(0..self.patterns)].clone();
        let mut incomplete = target.clone();
        let mut places: Vec<usize> = (0..bits).collect();
        shuffle(&mut places, rng);
        places[..self.erased_bits()].iter().for_each(|&bit| incomplete[bit] = 0.0);

        let mut inputs = Vec::with_capacity(self.steps() * bits);
        for _ in 0..self.rounds {
            shuffle(&mut patterns, rng);
            for pattern in &patterns {
                (0..self.shown_steps).for_each(|_| inputs.extend_from_slice(pattern));
                inputs.resize(inputs.len() + self.blank_steps * bits, 0.0);
            }
        }
        (0..self.test_steps).for_each(|_| inputs.extend_from_slice(&incomplete));
        Trial::with_response(0, inputs, &target, self.steps(), 1)
    }

    /// The fraction of erased bits whose sign is wrong at the last step; an output of 0 counts as half wrong.
    fn error(&self, trial: &Trial, outputs: &[f64]) -> f64 {
        let last = (self.steps() - 1) * self.bits;
        let wrong = |bit: usize| {
            let agreement = outputs[last + bit] * f64::from(trial.targets[last + bit]);
            if agreement == 0.0 {
                0.5
            } else {
                // NaN stays NaN.
                (1.0 - agreement.signum()) / 2.0
            }
        };
        let erased = (0..self.bits).filter(|bit| trial.inputs[last + bit] == 0.0);
        erased.map(wrong).sum::<f64>() / self.erased_bits() as f64
    }

    fn correct_below(&self) -> f64 {
        self.correct_below
    }

    fn chance(&self) -> Option<(f64, String)> {
        Some((0.5, "without fast weights, nothing is known about an erased bit".into()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn half_of_a_shown_pattern_is_erased_and_judged() {
        let task = Recall { bits: 20, ..Recall::default() };
        task.check().unwrap();
        let trial = draw(&task, 0);
        assert_eq!(task.steps(), 2 * 5 * 10 + 6);
        let at = |step: usize| &trial.inputs[step * 20..(step + 1) * 20];
        let target = &trial.targets[..20];
        assert_eq!(target.iter().sum::<f32>(), 0.0);
        assert_eq!((0..10).filter(|k| at(k * 10 + 5) == target).count(), 2, "shown once in each round");
        assert!(at(6).iter().all(|u| *u == 0.0));
        let erased: Vec<usize> = (0..20).filter(|bit| at(105)[*bit] == 0.0).collect();
        assert_eq!(erased.len(), 10);
        assert!((0..20).all(|bit| erased.contains(&bit) || at(105)[bit] == target[bit]));

        // Two of the ten erased bits wrong, one unknown; a bit that was shown does not count.
        let mut outputs: Vec<f64> = trial.targets.iter().map(|target| f64::from(*target)).collect();
        let last = 105 * 20;
        erased[..2].iter().for_each(|bit| outputs[last + bit] *= -1.0);
        outputs[last + erased[2]] = 0.0;
        let shown = (0..20).find(|bit| !erased.contains(bit)).unwrap();
        outputs[last + shown] *= -1.0;
        assert_eq!(task.error(&trial, &outputs), 0.25);
    }
}
