//! The state of neurons, carried from one step to the next.

use candle_core::{Result, Tensor};
use std::collections::BTreeMap;

/// The state of all neurons in a batch of trials, without fast weights. All tensors are `[S, B, N]`.
#[derive(Clone, Debug)]
pub struct State {
    /// Activation x.
    pub x: Tensor,
    /// Firing rate r.
    pub r: Tensor,
    /// Further variables of the neuron model, by the names of [`super::NeuronModel::variables`].
    pub variables: BTreeMap<&'static str, Tensor>,
}

impl State {
    /// The state of neurons without further variables.
    pub fn new(x: Tensor, r: Tensor) -> Self {
        State { x, r, variables: BTreeMap::new() }
    }

    /// All tensors with their names in a checkpoint.
    pub(crate) fn each(&self) -> impl Iterator<Item = (&'static str, &Tensor)> {
        let variables = self.variables.iter().map(|(name, tensor)| (*name, tensor));
        [("x", &self.x), ("r", &self.r)].into_iter().chain(variables)
    }

    /// Applies `change` to each tensor and its name.
    pub(crate) fn map(&self, mut change: impl FnMut(&'static str, &Tensor) -> Result<Tensor>) -> Result<Self> {
        Ok(State {
            x: change("x", &self.x)?,
            r: change("r", &self.r)?,
            variables: self.variables.iter().map(|(name, v)| Ok((*name, change(name, v)?))).collect::<Result<_>>()?,
        })
    }
}
