//! The actions for which actor neurons vote in an environment. Neurons are divided into groups. Of discrete actions, each has a group,
//! and the action whose group fires most is taken; of continuous ones, each component has a group, whose neurons vote for values
//! from the lower bound to the upper one.

use crate::environments::Actions;

/// Turns the votes of groups into actions of these kinds.
#[derive(Clone)]
pub(super) struct Decoder(pub Actions);

impl Decoder {
    pub fn groups(&self) -> usize {
        match &self.0 {
            Actions::Discrete(n) => *n,
            Actions::Continuous { low, .. } => low.len(),
        }
    }

    /// The number of components of an action.
    pub fn dimensions(&self) -> usize {
        match &self.0 {
            Actions::Discrete(_) => 1,
            Actions::Continuous { low, .. } => low.len(),
        }
    }

    /// The action for which groups vote with these values: rates or, from −1 to 1, components.
    pub fn action(&self, votes: &[f64]) -> Vec<f64> {
        let votes = votes.iter().step_by(2);
        match &self.0 {
            Actions::Discrete(_) => {
                let most =
                    votes.enumerate().fold((0, f64::MIN), |most, (k, v)| if *v > most.1 { (k, *v) } else { most });
                vec![most.0 as f64]
            }
            Actions::Continuous { low, high } => {
                let bounds = low.iter().zip(high).zip(votes);
                bounds.map(|((low, high), v)| (low + (high - low) * (v + 1.0) / 2.0).clamp(*low, *high)).collect()
            }
        }
    }

    /// Whether this is one of the actions.
    pub fn is_possible(&self, action: &[f64]) -> bool {
        match &self.0 {
            Actions::Discrete(n) => action[0] < *n as f64 && is_count(action[0]),
            Actions::Continuous { low, high } => {
                action.iter().zip(low.iter().zip(high)).all(|(a, (low, high))| (low..=high).contains(&a))
            }
        }
    }
}

/// Whether this is a whole number of at least 0.
pub(super) fn is_count(number: f64) -> bool {
    number >= 0.0 && number.fract() == 0.0
}
