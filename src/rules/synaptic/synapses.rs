//! The synapses that a rule changes, and what it sees in a step, as tensors for all networks at once.

use crate::random::Stream;
use candle_core::{Device, Result, Tensor};

/// The synapses of a projection, and what its rule keeps. Tensors of neurons are `[S, n]`, those of synapses
/// `[S, post, pre]`, 0 where there is no synapse.
#[non_exhaustive]
pub struct PlasticSynapses {
    /// 1 where there is a synapse.
    pub mask: Tensor,
    /// The weights.
    pub weight: Tensor,
    /// The variables of each synapse: [`SynapseRule::variables`](crate::SynapseRule::variables).
    pub synaptic: Vec<Tensor>,
    /// The trace of each presynaptic neuron, if the rule keeps one.
    pub pre: Option<Tensor>,
    /// The trace of each postsynaptic neuron, if the rule keeps one.
    pub post: Option<Tensor>,
    /// A number for each network, such as dopamine or the expected reward; 0 at birth.
    pub level: Vec<f64>,
    /// The smallest and the largest weight.
    pub bounds: (f64, f64),
    /// Whether a postsynaptic spike ends the effect of earlier input.
    pub resets: bool,
}

/// The quantities on which a rule acts in a step.
#[non_exhaustive]
pub struct SynapseMoment<'a> {
    /// The presynaptic outputs that arrive in this step.
    pub arrived: &'a Tensor,
    /// The newest presynaptic outputs.
    pub pre: &'a Tensor,
    /// The newest postsynaptic outputs.
    pub post: &'a Tensor,
    /// The probability with which each postsynaptic neuron could spike, if it is known.
    pub probability: Option<&'a Tensor>,
    /// The newest reward of each network.
    pub rewards: &'a [f64],
    /// The step, from birth.
    pub now: u64,
    /// Random numbers of each network.
    pub random: Vec<&'a mut Stream>,
}

impl PlasticSynapses {
    /// Adds `change` to the weights, within their bounds.
    ///
    /// # Errors
    /// If its shape is not that of the weights.
    pub fn add(&mut self, change: &Tensor) -> Result<()> {
        let weight = (&self.weight + change)?.clamp(self.bounds.0, self.bounds.1)?;
        self.weight = (weight * &self.mask)?;
        Ok(())
    }

    /// A tensor `[S, 1, 1]` with a number for each network.
    ///
    /// # Errors
    /// If the device fails.
    pub fn each(&self, values: &[f64]) -> Result<Tensor> {
        let tensor = Tensor::from_slice(values, (values.len(), 1, 1), &Device::Cpu)?;
        tensor.to_dtype(self.weight.dtype())?.to_device(self.weight.device())
    }

    /// post preᵀ for each network.
    ///
    /// # Errors
    /// If the arguments are not `[S, post]` and `[S, pre]`.
    pub fn outer(post: &Tensor, pre: &Tensor) -> Result<Tensor> {
        post.unsqueeze(2)?.broadcast_mul(&pre.unsqueeze(1)?)
    }
}
