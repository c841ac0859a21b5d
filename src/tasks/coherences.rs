//! Selective integration at chosen coherences, for psychometric curves and condition averages.

use super::{SelectiveIntegration, Task, Trial};
use crate::random::Stream;

/// What a trial shows, but for its noise.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Condition {
    /// The modality to report, 0 or 1.
    pub attended: usize,
    /// The mean coherence of each modality.
    pub coherences: [f64; 2],
}

/// Trials of [`SelectiveIntegration`] that go through a list of conditions in turn: of n conditions, trial k has number
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
    use super::super::draw;
    use super::*;

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
