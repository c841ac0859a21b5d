//! Delayed non-match to sample, also called sequential exclusive-or (Miconi 2017, doi 10.7554/eLife.20899).
//!
//! Two stimuli, each A or B, are shown one after the other. The output, scored in the response period at the end,
//! should be high if they differ and low if they are the same. Variants have a longer or a variable delay between the
//! stimuli, or targets for networks of excitatory and inhibitory neurons.

use super::*;

/// The parameters; times in steps (of 1 ms by default).
#[derive(Clone, Debug, PartialEq, DocumentedFields, JsonSchema, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Dnms {
    /// The name of the variant.
    #[serde(skip)]
    pub name: &'static str,
    /// T, the number of steps.
    pub steps: usize,
    /// First step of the first stimulus.
    pub first_stimulus: usize,
    /// First step of the second stimulus.
    pub second_stimulus: usize,
    /// The second stimulus comes 0 to `delay_jitter` − 1 steps late, all equally likely; 0: never late.
    #[serde(default)]
    pub delay_jitter: usize,
    /// Duration of a stimulus.
    pub stimulus_steps: usize,
    /// Duration of the response period at the end of the trial.
    pub response_steps: usize,
    /// Target if the stimuli differ.
    #[schemars(extend("exclusiveMinimum" = 0))]
    pub target: f64,
    /// Target if they are the same; by default −`target`.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub target_same: Option<f64>,
    /// A trial with an error below this is correct.
    #[schemars(extend("exclusiveMinimum" = 0))]
    pub correct_below: f64,
}

impl Default for Dnms {
    /// `dnms`.
    fn default() -> Self {
        Dnms {
            name: "dnms",
            steps: 1000,
            first_stimulus: 1,
            second_stimulus: 400,
            delay_jitter: 0,
            stimulus_steps: 200,
            response_steps: 200,
            target: 0.98,
            target_same: None,
            correct_below: 1.0,
        }
    }
}

/// The variants, with the published times and targets (Miconi 2017, the programs of its additional experiments).
impl Dnms {
    /// `dnms-long-delay`.
    pub fn long_delay() -> Self {
        let name = "dnms-long-delay";
        Dnms { name, steps: 2000, second_stimulus: 1400, stimulus_steps: 400, ..Dnms::default() }
    }

    /// `dnms-variable-delay`.
    pub fn variable_delay() -> Self {
        let name = "dnms-variable-delay";
        Dnms { name, steps: 1600, second_stimulus: 601, delay_jitter: 499, stimulus_steps: 300, ..Dnms::default() }
    }

    /// `dnms-ei`, for networks of excitatory and inhibitory neurons.
    pub fn excitatory_inhibitory() -> Self {
        Dnms { name: "dnms-ei", target: 5.98, target_same: Some(0.02), correct_below: 3.0, ..Dnms::default() }
    }
}

impl Task for Dnms {
    fn name(&self) -> &str {
        self.name
    }

    /// Refuses stimuli that overlap or run past the end.
    fn check(&self) -> Result<()> {
        // The sums saturate: a trial of that many steps is refused.
        let first_end = self.first_stimulus.saturating_add(self.stimulus_steps);
        let expected = format!("at least {first_end}, where the first stimulus ends");
        expect(first_end <= self.second_stimulus, "task.second_stimulus", self.second_stimulus, expected)?;
        let last_start = self.second_stimulus.saturating_add(self.delay_jitter.saturating_sub(1));
        let end = last_start.saturating_add(self.stimulus_steps);
        expect(end <= self.steps, "task.steps", self.steps, format!("at least {end}, where the second stimulus ends"))?;
        within("task.response_steps", self.response_steps, "task.steps", self.steps)?;
        if let Some(same) = self.target_same {
            expect(same < self.target, "task.target_same", same, format!("below task.target ({})", self.target))?;
        }
        check_ranges("task", self)
    }

    fn steps(&self) -> usize {
        self.steps
    }

    fn inputs(&self) -> Vec<String> {
        vec!["A".into(), "B".into()]
    }

    fn trial_types(&self) -> Vec<String> {
        ["AA", "AB", "BA", "BB"].map(String::from).to_vec()
    }

    /// The four types take turns, as in Miconi's program.
    fn trial(&self, index: u64, rng: &mut Stream) -> Trial {
        let trial_type = (index % 4) as usize;
        let (first, second) = (trial_type / 2, trial_type % 2);
        let later = if self.delay_jitter > 0 { rng.random_range(0..self.delay_jitter) } else { 0 };
        let mut inputs = vec![0.0; self.steps * 2];
        for step in 0..self.stimulus_steps {
            inputs[(self.first_stimulus + step) * 2 + first] = 1.0;
            inputs[(self.second_stimulus + later + step) * 2 + second] = 1.0;
        }
        let target = if first == second { self.target_same.unwrap_or(-self.target) } else { self.target } as f32;
        Trial::with_response(trial_type, inputs, &[target], self.steps, self.response_steps)
            .labelled([first, second, usize::from(first != second)].map(|class| class as f32))
    }

    fn labels(&self) -> Vec<Label> {
        ["stimulus 1", "stimulus 2", "response"].map(Label::classes).to_vec()
    }

    fn chance(&self) -> Option<(f64, String)> {
        blind_guess([self.target_same.unwrap_or(-self.target), self.target])
    }

    fn correct_below(&self) -> f64 {
        self.correct_below
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_four_types_are_those_of_the_paper() {
        for (index, (first, second, target)) in
            [(0, 0, -0.98), (0, 1, 0.98), (1, 0, 0.98), (1, 1, -0.98)].into_iter().enumerate()
        {
            let trial = draw(&Dnms::default(), index as u64);
            assert_eq!(trial.trial_type, index);
            for (step, shown) in trial.inputs.chunks_exact(2).enumerate() {
                let shows = |channel| {
                    ((1..201).contains(&step) && first == channel) || ((400..600).contains(&step) && second == channel)
                };
                assert_eq!(shown, [0, 1].map(|c| f32::from(u8::from(shows(c)))), "step {step}");
                assert_eq!(trial.scored[step], step >= 800);
            }
            assert_eq!(trial.targets, [target; 1000]);
        }
    }

    #[test]
    fn the_error_is_the_mean_absolute_difference_over_the_response() {
        let task = Dnms::default();
        // Wrong everywhere but scored only at the end: half of the response is right, half is off by 0.5.
        let outputs = [vec![-5.0; 800], vec![0.98; 100], vec![0.48; 100]].concat();
        assert!((task.error(&draw(&task, 1), &outputs) - 0.25).abs() < 1e-6);
    }

    #[test]
    fn a_variable_delay_is_drawn_within_its_bounds() {
        let task = Dnms::variable_delay();
        task.check().unwrap();
        let start = |k: u64| {
            let trial = draw(&task, 4 * k);
            (301..1600).find(|step| trial.inputs[step * 2] == 1.0).unwrap()
        };
        let starts: Vec<usize> = (0..200).map(start).collect();
        assert!(starts.iter().all(|start| (601..1100).contains(start)));
        assert!(starts.iter().min().unwrap() < &620 && starts.iter().max().unwrap() > &1080);
    }
}
