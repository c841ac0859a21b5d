//! Evidence accumulation: cues appear on the left and on the right; after a delay, report which side had more (Morcos &
//! Harvey 2016, doi 10.1038/nn.4403; Pinto et al. 2018, doi 10.3389/fnbeh.2018.00036). Times follow Bellec et al.
//! (2020, doi 10.1038/s41467-020-17236-y): 7 cues of 100 ms, one every 150 ms, a delay of about a second, and a
//! decision period of 150 ms, announced by an input of its own.

use super::*;

/// The parameters; times in steps (of 5 ms by default).
#[derive(Clone, Debug, PartialEq, DocumentedFields, JsonSchema, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EvidenceAccumulation {
    /// The number of cues; odd, so that one side has more.
    pub cues: usize,
    /// Duration of a cue.
    pub cue_steps: usize,
    /// Time from the onset of a cue to the onset of the next.
    pub cue_spacing: usize,
    /// Probability that a cue is on the trial's likelier side.
    #[schemars(range(min = 0, max = 1))]
    pub cue_probability: f64,
    /// Time from the end of the last cue's spacing to the decision period.
    pub delay_steps: usize,
    /// Duration of the decision period at the end of the trial, in which the output is scored.
    #[schemars(range(min = 1))]
    pub decision_steps: usize,
    /// Target if there were more cues on the right; if there were more on the left it is −`target`.
    #[schemars(extend("exclusiveMinimum" = 0))]
    pub target: f64,
    /// A trial with an error below this is correct.
    #[schemars(extend("exclusiveMinimum" = 0))]
    pub correct_below: f64,
}

impl Default for EvidenceAccumulation {
    fn default() -> Self {
        EvidenceAccumulation {
            cues: 7,
            cue_steps: 20,
            cue_spacing: 30,
            cue_probability: 0.7,
            delay_steps: 210,
            decision_steps: 30,
            target: 0.98,
            correct_below: 1.0,
        }
    }
}

impl EvidenceAccumulation {
    /// The first step of the decision period.
    fn decision(&self) -> usize {
        self.cues.saturating_mul(self.cue_spacing).saturating_add(self.delay_steps)
    }
}

impl Task for EvidenceAccumulation {
    fn name(&self) -> &str {
        "evidence-accumulation"
    }

    /// Refuses cues that could balance or overlap.
    fn check(&self) -> Result<()> {
        expect(self.cues % 2 == 1, "task.cues", self.cues, "an odd number, so that one side has more")?;
        within("task.cue_steps", self.cue_steps, "task.cue_spacing", self.cue_spacing)?;
        check_ranges("task", self)
    }

    fn steps(&self) -> usize {
        self.decision().saturating_add(self.decision_steps)
    }

    fn inputs(&self) -> Vec<String> {
        ["left", "right", "decide"].map(String::from).to_vec()
    }

    fn trial_types(&self) -> Vec<String> {
        (0..=self.cues).map(|right| format!("{right} of {} right", self.cues)).collect()
    }

    fn n_types(&self) -> usize {
        self.cues.saturating_add(1)
    }

    /// The sides take turns at being the likelier one. The trial type is the number of cues on the right: the smaller
    /// the majority, the harder the trial.
    fn trial(&self, index: u64, rng: &mut Stream) -> Trial {
        let likely = (index % 2) as usize;
        let cue = |_| if rng.random::<f64>() < self.cue_probability { likely } else { 1 - likely };
        let sides: Vec<usize> = (0..self.cues).map(cue).collect();
        let right = sides.iter().sum();
        let mut inputs = vec![0.0; self.steps() * 3];
        for (cue, side) in sides.iter().enumerate() {
            for step in cue * self.cue_spacing..cue * self.cue_spacing + self.cue_steps {
                inputs[step * 3 + side] = 1.0;
            }
        }
        for step in self.decision()..self.steps() {
            inputs[step * 3 + 2] = 1.0;
        }
        let more_right = 2 * right > self.cues;
        let target = if more_right { self.target } else { -self.target } as f32;
        Trial::with_response(right, inputs, &[target], self.steps(), self.decision_steps)
            .labelled([f32::from(more_right), 2.0 * right as f32 - self.cues as f32])
    }

    fn labels(&self) -> Vec<Label> {
        vec![Label::classes("side with more cues"), Label::graded("cues right − cues left")]
    }

    fn chance(&self) -> Option<(f64, String)> {
        blind_guess([-self.target, self.target])
    }

    fn correct_below(&self) -> f64 {
        self.correct_below
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_target_is_the_side_with_more_cues() {
        let task = EvidenceAccumulation::default();
        let mut likely = 0;
        for index in 0..300 {
            let trial = draw(&task, index);
            let shown = |channel: usize| trial.inputs.iter().skip(channel).step_by(3).sum::<f32>() as usize;
            assert_eq!((shown(0) + shown(1), shown(2)), (7 * 20, 30));
            assert_eq!(trial.trial_type, shown(1) / 20);
            assert_eq!(trial.targets[449] > 0.0, shown(1) > shown(0));
            assert_eq!(trial.scored.iter().filter(|scored| **scored).count(), 30);
            likely += usize::from((trial.trial_type > 3) == (index % 2 == 1));
        }
        // P(at least 4 of 7) = 0.874 at 0.7 each.
        assert!((240..285).contains(&likely), "{likely} of 300");
    }
}
