//! Selective integration: of two noisy inputs, report the sign of the one that a context cue names
//! (Mante et al. 2013, doi 10.1038/nature12742, as simplified by Miconi 2017, doi 10.7554/eLife.20899).

use super::{ErrorMeasure, Task, Trial};
use crate::error::Result;
use crate::random::{gaussian, Stream};
use crate::ranges::*;
use rand::RngExt;
use serde::{Deserialize, Serialize};

/// Times in steps (of 1 ms by default).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SelectiveIntegration {
    /// T.
    pub steps: usize,
    /// First step of the two inputs.
    pub stimulus: usize,
    /// Steps they last.
    pub stimulus_steps: usize,
    /// Steps of the response period, at the end of the trial.
    pub response_steps: usize,
    /// A modality shows `gain` · (N(0, 1) ± coherence) at each step.
    pub gain: f64,
    /// The mean of each modality, in standard deviations of its noise.
    pub coherence: f64,
    /// Target for a positive mean; for a negative one it is the negative of that.
    pub target: f64,
    /// A trial with an error below this is correct.
    pub correct_below: f64,
}

impl Default for SelectiveIntegration {
    fn default() -> Self {
        SelectiveIntegration {
            steps: 700,
            stimulus: 1,
            stimulus_steps: 500,
            response_steps: 200,
            gain: 0.5,
            coherence: 0.5,
            target: 1.0,
            correct_below: 1.0,
        }
    }
}

impl SelectiveIntegration {
    /// Refuses inputs that run past the end.
    pub fn checked(self) -> Result<Self> {
        let end = self.stimulus.saturating_add(self.stimulus_steps);
        expect(end <= self.steps, "task.steps", self.steps, format!("at least {end}, where the inputs end"))?;
        expect(
            (1..=self.steps).contains(&self.response_steps),
            "task.response_steps",
            self.response_steps,
            format!("1 to task.steps ({})", self.steps),
        )?;
        positive("task.gain", self.gain)?;
        not_negative("task.coherence", self.coherence)?;
        positive("task.target", self.target)?;
        positive("task.correct_below", self.correct_below)?;
        Ok(self)
    }

    /// The inputs `[T, 4]` of a trial in which `attended` (0 or 1) is the modality to report, with given mean coherences.
    pub fn stimulus(&self, attended: usize, coherences: [f64; 2], rng: &mut Stream) -> Vec<f32> {
        let noise = gaussian(rng, 2 * self.stimulus_steps, 1.0);
        let mut inputs = vec![0.0; self.steps * 4];
        for (step, input) in inputs.chunks_exact_mut(4).enumerate() {
            input[2 + attended] = 1.0;
            if let Some(shown) = step.checked_sub(self.stimulus).filter(|shown| *shown < self.stimulus_steps) {
                for modality in 0..2 {
                    let sample = f64::from(noise[2 * shown + modality]) + coherences[modality];
                    input[modality] = (self.gain * sample) as f32;
                }
            }
        }
        inputs
    }

    /// A trial in which `attended` (0 or 1) is the modality to report, with given mean coherences. Where that of the attended
    /// modality is 0 there is no right answer; the target is then the positive one.
    pub fn trial_with(&self, attended: usize, coherences: [f64; 2], rng: &mut Stream) -> Trial {
        let positive = coherences[attended] >= 0.0;
        let target = if positive { self.target } else { -self.target };
        let response = self.steps - self.response_steps;
        Trial {
            trial_type: attended + if positive { 0 } else { 2 },
            inputs: self.stimulus(attended, coherences, rng),
            targets: vec![target as f32; self.steps],
            scored: (0..self.steps).map(|step| step >= response).collect(),
            modulator: None,
        }
    }

    /// The task of a configuration's `task` table; `None` where that names another.
    pub fn of(table: &toml::Table) -> Result<Option<Self>> {
        let named = table.get("name").and_then(|name| name.as_str()) == Some("selective-integration");
        named.then(|| super::parameters::<Self>(table)?.checked()).transpose()
    }
}

impl Task for SelectiveIntegration {
    fn name(&self) -> &str {
        "selective-integration"
    }

    fn steps(&self) -> usize {
        self.steps
    }

    fn inputs(&self) -> Vec<String> {
        ["modality 1", "modality 2", "attend 1", "attend 2"].map(String::from).to_vec()
    }

    fn n_out(&self) -> usize {
        1
    }

    fn trial_types(&self) -> Vec<String> {
        ["1 positive", "2 positive", "1 negative", "2 negative"].map(String::from).to_vec()
    }

    /// The four types follow one another in turn; the sign of the modality that is to be ignored is drawn.
    fn trial(&self, index: u64, rng: &mut Stream) -> Trial {
        let trial_type = (index % 4) as usize;
        let (attended, sign) = (trial_type % 2, if trial_type < 2 { 1.0 } else { -1.0 });
        let ignored_sign = if rng.random::<bool>() { 1.0 } else { -1.0 };
        let mut coherences = [ignored_sign * self.coherence; 2];
        coherences[attended] = sign * self.coherence;
        self.trial_with(attended, coherences, rng)
    }

    fn measure(&self) -> ErrorMeasure {
        ErrorMeasure::Absolute
    }

    fn correct_below(&self) -> f64 {
        self.correct_below
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::{stream, Phase, Purpose};

    #[test]
    fn the_attended_modality_has_the_sign_of_the_target() {
        let task = SelectiveIntegration::default();
        let mut ignored_positive = 0;
        for index in 0..200 {
            let trial = task.trial(index, &mut stream(0, 0, index, Phase::Train, Purpose::Task));
            let mean = |channel: usize| (1..501).map(|step| trial.inputs[step * 4 + channel]).sum::<f32>() / 500.0;
            let attended = (index % 2) as usize;
            assert_eq!((mean(2), mean(3)), if attended == 0 { (1.0, 0.0) } else { (0.0, 1.0) });
            // Mean ±0.25, standard error 0.5 / √500 = 0.022.
            assert!((mean(attended) - 0.25 * trial.targets[0]).abs() < 0.12, "trial {index}");
            assert!((mean(1 - attended).abs() - 0.25).abs() < 0.12, "trial {index}");
            ignored_positive += usize::from(mean(1 - attended) > 0.0);
            assert!(trial.inputs[501 * 4..].chunks_exact(4).all(|u| u[..2] == [0.0, 0.0]));
        }
        assert!((70..130).contains(&ignored_positive), "{ignored_positive} of 200");
    }
}
