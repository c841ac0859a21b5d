//! Selective integration: report the sign of the mean of one of two noisy inputs, selected by a context cue
//! (Mante et al. 2013, doi 10.1038/nature12742, as simplified by Miconi 2017, doi 10.7554/eLife.20899).

use super::*;

/// The parameters; times in steps (of 1 ms by default).
#[derive(Clone, Debug, PartialEq, DocumentedFields, JsonSchema, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SelectiveIntegration {
    /// T, the number of steps.
    pub steps: usize,
    /// First step of the two inputs.
    pub stimulus: usize,
    /// Their duration.
    pub stimulus_steps: usize,
    /// Duration of the response period at the end of the trial.
    pub response_steps: usize,
    /// At each step a modality is `gain` · (N(0, 1) ± coherence).
    #[schemars(extend("exclusiveMinimum" = 0))]
    pub gain: f64,
    /// The mean of each modality in units of the standard deviation of its noise, also called its coherence.
    #[schemars(range(min = 0))]
    pub coherence: f64,
    /// Target for a positive mean; for a negative mean it is −`target`.
    #[schemars(extend("exclusiveMinimum" = 0))]
    pub target: f64,
    /// A trial with an error below this is correct.
    #[schemars(extend("exclusiveMinimum" = 0))]
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
    /// A trial in which `attended` (0 or 1) is the modality to report, with the given mean coherences. If that of the
    /// attended modality is 0 there is no right answer; the target is then the positive one.
    pub fn trial_with(&self, attended: usize, coherences: [f64; 2], rng: &mut Stream) -> Trial {
        let noise = gaussian(rng, 2 * self.stimulus_steps, 1.0);
        let mut inputs = vec![0.0; self.steps * 4];
        inputs.chunks_exact_mut(4).for_each(|input| input[2 + attended] = 1.0);
        let shown = inputs.chunks_exact_mut(4).skip(self.stimulus);
        for (input, noise) in shown.zip(noise.chunks_exact(2)) {
            for modality in 0..2 {
                let sample = f64::from(noise[modality]) + coherences[modality];
                input[modality] = (self.gain * sample) as f32;
            }
        }
        let positive = coherences[attended] >= 0.0;
        let target = if positive { self.target } else { -self.target } as f32;
        let trial_type = attended + if positive { 0 } else { 2 };
        let signs = coherences.map(|coherence| f32::from(coherence >= 0.0));
        Trial::with_response(trial_type, inputs, &[target], self.steps, self.response_steps).labelled([
            attended as f32,
            signs[0],
            signs[1],
        ])
    }

    /// The parameters in a configuration's `task` table; `None` if it is the table of another task.
    ///
    /// # Errors
    /// [`Error::Usage`] for an unknown key or a value of the wrong type.
    pub fn of(table: &toml::Table) -> Result<Option<Self>> {
        let named = table.get("name").and_then(|name| name.as_str()) == Some("selective-integration");
        named.then(|| super::parameters(table)).transpose()
    }
}

impl Task for SelectiveIntegration {
    fn name(&self) -> &str {
        "selective-integration"
    }

    /// Refuses inputs that run past the end.
    fn check(&self) -> Result<()> {
        let end = self.stimulus.saturating_add(self.stimulus_steps);
        expect(end <= self.steps, "task.steps", self.steps, format!("at least {end}, where the inputs end"))?;
        within("task.response_steps", self.response_steps, "task.steps", self.steps)?;
        check_ranges("task", self)
    }

    fn steps(&self) -> usize {
        self.steps
    }

    fn inputs(&self) -> Vec<String> {
        ["modality 1", "modality 2", "attend 1", "attend 2"].map(String::from).to_vec()
    }

    fn trial_types(&self) -> Vec<String> {
        ["1 positive", "2 positive", "1 negative", "2 negative"].map(String::from).to_vec()
    }

    /// The four types take turns; the sign of the modality to be ignored is drawn.
    fn trial(&self, index: u64, rng: &mut Stream) -> Trial {
        let trial_type = (index % 4) as usize;
        let (attended, sign) = (trial_type % 2, if trial_type < 2 { 1.0 } else { -1.0 });
        let ignored_sign = if rng.random::<bool>() { 1.0 } else { -1.0 };
        let mut coherences = [ignored_sign * self.coherence; 2];
        coherences[attended] = sign * self.coherence;
        self.trial_with(attended, coherences, rng)
    }

    fn labels(&self) -> Vec<Label> {
        ["context", "sign of modality 1", "sign of modality 2"].map(Label::classes).to_vec()
    }

    fn correct_below(&self) -> f64 {
        self.correct_below
    }

    fn chance(&self) -> Option<(f64, String)> {
        blind_guess([-self.target, self.target])
    }
}

/// The content of a trial, apart from its noise.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Condition {
    /// The modality to report, 0 or 1.
    pub attended: usize,
    /// The mean coherence of each modality.
    pub coherences: [f64; 2],
}

/// Trials of [`SelectiveIntegration`] that cycle through a list of conditions: with n conditions, trial k has condition
/// k mod n.
#[derive(Clone, Debug)]
pub struct Coherences {
    task: SelectiveIntegration,
    conditions: Vec<Condition>,
}

impl Coherences {
    /// Both contexts with every pair of coherences in `levels`, which are multiples of the task's own coherence.
    pub fn grid(task: SelectiveIntegration, levels: &[f64]) -> Self {
        let mut conditions = Vec::new();
        for attended in 0..2 {
            for first in levels {
                let coherences = levels.iter().map(|second| [first, second].map(|level| level * task.coherence));
                conditions.extend(coherences.map(|coherences| Condition { attended, coherences }));
            }
        }
        Coherences { task, conditions }
    }

    /// All conditions, in their order.
    pub fn conditions(&self) -> &[Condition] {
        &self.conditions
    }

    /// The condition of trial number `index`.
    pub fn condition(&self, index: u64) -> Condition {
        self.conditions[(index % self.conditions.len() as u64) as usize]
    }
}

impl Task for Coherences {
    fn name(&self) -> &str {
        self.task.name()
    }

    fn steps(&self) -> usize {
        self.task.steps()
    }

    fn inputs(&self) -> Vec<String> {
        self.task.inputs()
    }

    fn trial_types(&self) -> Vec<String> {
        self.task.trial_types()
    }

    fn labels(&self) -> Vec<Label> {
        self.task.labels()
    }

    fn trial(&self, index: u64, rng: &mut Stream) -> Trial {
        let Condition { attended, coherences } = self.condition(index);
        self.task.trial_with(attended, coherences, rng)
    }

    fn correct_below(&self) -> f64 {
        self.task.correct_below()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_attended_modality_has_the_sign_of_the_target() {
        let task = SelectiveIntegration::default();
        let mut ignored_positive = 0;
        for index in 0..200 {
            let trial = draw(&task, index);
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

    #[test]
    fn trials_show_the_coherences_of_their_condition() {
        let grid = Coherences::grid(SelectiveIntegration::default(), &[-1.0, 0.0, 1.0]);
        assert_eq!(grid.conditions().len(), 18);
        for index in 0..18 {
            let Condition { attended, coherences } = grid.condition(index);
            let trial = draw(&grid, index);
            for (modality, coherence) in coherences.into_iter().enumerate() {
                let mean = (1..501).map(|step| trial.inputs[step * 4 + modality]).sum::<f32>() / 500.0;
                // Gain 0.5; the standard error of the mean is 0.5 / √500 = 0.022.
                assert!((f64::from(mean) - 0.5 * coherence).abs() < 0.11, "{index}: {mean} for {coherence}");
            }
            assert_eq!(trial.inputs[2 + attended], 1.0);
            assert_eq!(trial.targets[0] > 0.0, coherences[attended] >= 0.0);
            assert_eq!(trial.trial_type, attended + 2 * usize::from(coherences[attended] < 0.0));
        }
    }
}
