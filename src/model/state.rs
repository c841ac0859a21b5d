//! What a network carries from one step to the next, by name.

use candle_core::{Result, Tensor};
use std::collections::BTreeMap;

/// The state of a batch of trials, the fast weights apart. Every tensor is `[S, B, N]`.
#[derive(Clone, Debug)]
pub struct State {
    /// Activation x.
    pub x: Tensor,
    /// Firing rate r.
    pub r: Tensor,
    /// What else a neuron model carries, by the names of [`super::NeuronModel::variables`].
    pub variables: BTreeMap<&'static str, Tensor>,
}

impl State {
    /// A state of neurons that carry nothing but x and r.
    pub fn new(x: Tensor, r: Tensor) -> Self {
        State { x, r, variables: BTreeMap::new() }
    }

    /// Each tensor, with its name in a checkpoint.
    pub fn each(&self) -> impl Iterator<Item = (&'static str, &Tensor)> {
        let variables = self.variables.iter().map(|(name, tensor)| (*name, tensor));
        [("x", &self.x), ("r", &self.r)].into_iter().chain(variables)
    }

    /// Each tensor put through `change`, which is told its name.
    ///
    /// # Errors
    /// Where `change` fails.
    pub fn map(&self, mut change: impl FnMut(&'static str, &Tensor) -> Result<Tensor>) -> Result<Self> {
        Ok(State {
            x: change("x", &self.x)?,
            r: change("r", &self.r)?,
            variables: self.variables.iter().map(|(name, v)| Ok((*name, change(name, v)?))).collect::<Result<_>>()?,
        })
    }
}
