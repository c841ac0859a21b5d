//! Pattern generation: from a constant input, produce a sum of sines. The target is the one on which Murray (2019,
//! doi 10.7554/eLife.43299) tested random feedback local online learning (RFLO).

use super::*;
use crate::error::ensure;
use std::f64::consts::TAU;

/// The parameters. The target is Σ_k amplitudes_k sin(2π harmonics_k t / period), with t in steps from 1.
#[derive(Clone, Debug, PartialEq, DocumentedFields, JsonSchema, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PatternGeneration {
    /// T, the number of steps.
    #[schemars(range(min = 1))]
    pub steps: usize,
    /// The period of the first harmonic, in steps.
    #[schemars(extend("exclusiveMinimum" = 0))]
    pub period: f64,
    /// The frequencies of the sines, as multiples of the first harmonic's.
    pub harmonics: Vec<f64>,
    /// Their amplitudes.
    pub amplitudes: Vec<f64>,
    /// The constant input.
    pub input: f64,
    /// A trial with a mean squared error below this is correct.
    #[schemars(extend("exclusiveMinimum" = 0))]
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
    fn target(&self, step: usize) -> f32 {
        let phase = TAU * (step + 1) as f64 / self.period;
        self.harmonics.iter().zip(&self.amplitudes).map(|(h, a)| a * libm::sin(h * phase)).sum::<f64>() as f32
    }
}

impl Task for PatternGeneration {
    fn name(&self) -> &str {
        "pattern-generation"
    }

    /// Refuses harmonics without amplitudes.
    fn check(&self) -> Result<()> {
        check_ranges("task", self)?;
        ensure!(
            !self.harmonics.is_empty() && self.amplitudes.len() == self.harmonics.len(),
            Usage,
            "task.amplitudes has {} entries; expected one for each of the {} in task.harmonics, at least 1",
            self.amplitudes.len(),
            self.harmonics.len()
        );
        Ok(())
    }

    fn steps(&self) -> usize {
        self.steps
    }

    fn inputs(&self) -> Vec<String> {
        vec!["constant".into()]
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
            ..Trial::default()
        }
    }

    fn measure(&self) -> ErrorMeasure {
        ErrorMeasure::Squared
    }

    fn correct_below(&self) -> f64 {
        self.correct_below
    }

    /// The variance of the target; not computed for absurdly long trials.
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_target_is_the_sum_of_its_harmonics() {
        let task = PatternGeneration::default();
        let trial = draw(&task, 0);
        // A quarter, an eighth and a whole period in: sin(π/2) + 0; sin(π/4) + 0.5 + 0; 0.
        for (step, expected) in [(24, 1.0), (49, 0.0), (99, 0.0)] {
            assert!((trial.targets[step] - expected).abs() < 1e-6, "step {step}");
        }
        let (variance, _) = task.chance().unwrap();
        assert!((variance - (1.0 + 0.25 + 0.0625) / 2.0).abs() < 1e-6);
    }
}
