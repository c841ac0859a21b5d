//! Every tensor that learning or activity changes, by name. Memory, updates and checkpoints use the same names.

use super::adamw::moment_names;
use crate::config::{Config, Stage};
use crate::engine::gradient;
use crate::model::{FastWeights, State, Weights};
use crate::rules::Source;
use crate::setup::Setup;
use candle_core::{DType, Device, Result, Tensor};
use std::collections::BTreeMap;

/// The tensors of S networks that learning or activity changes. The first dimension of every tensor is S.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Plastic {
    /// The weights.
    pub weights: Weights,
    /// x, r and any further variables of the neuron model, after the last trial.
    pub state: State,
    /// The fast weights, if they outlive a trial.
    pub fast_weights: Option<FastWeights>,
    /// AdamW's moments, each with the shape of its weight; empty unless the weights learn by gradient.
    pub moments: BTreeMap<&'static str, Tensor>,
}

impl Plastic {
    /// Networks before their first trial: weights drawn from their own random streams, everything else zero.
    pub(super) fn new(setup: &Setup, device: &Device) -> Result<Self> {
        let Config { network, train, .. } = &setup.config;
        let (task, dtype) = (&setup.task, train.dtype.into());
        let weights = Weights::draw(network, task.n_in(), task.n_out(), train.seed, train.networks, dtype, device)?;
        let mut tensors: BTreeMap<_, _> = weights.each().map(|(name, tensor)| (name, tensor.clone())).collect();
        for (name, (dtype, shape)) in Plastic::layout(setup) {
            if !tensors.contains_key(name) {
                tensors.insert(name, Tensor::zeros(shape, dtype, device)?);
            }
        }
        Plastic::of(setup, tensors)
    }

    /// Makes the networks of `setup` from the tensors of [`Plastic::layout`], by name.
    pub(crate) fn of(setup: &Setup, mut tensors: BTreeMap<&'static str, Tensor>) -> Result<Self> {
        let mut optional = |name: &str| tensors.remove(name);
        let mut take = |name: &str| match optional(name) {
            Some(tensor) => Ok(tensor),
            None => candle_core::bail!("tensor `{name}` is missing"),
        };
        let variables = setup.neurons.variables().into_iter();
        let state = State {
            x: take("x")?,
            r: take("r")?,
            variables: variables.map(|name| Ok((name, take(name)?))).collect::<Result<_>>()?,
        };
        let weights = Weights {
            w_in: take("w_in")?,
            w_rec: take("w_rec")?,
            b_rec: optional("b_rec"),
            w_out: optional("w_out"),
            b_out: optional("b_out"),
            w_fb: optional("w_fb"),
            error_feedback: optional("error_feedback"),
            connectivity: optional("connectivity"),
        };
        let h = optional("hebbian_trace");
        let eligibility = optional("eligibility");
        Ok(Plastic { weights, state, fast_weights: h.map(|h| FastWeights { h, eligibility }), moments: tensors })
    }

    /// The element type and shape of every tensor that the networks of `setup` have, by name.
    pub(crate) fn layout(setup: &Setup) -> BTreeMap<&'static str, (DType, Vec<usize>)> {
        let Setup { config, task, .. } = setup;
        let (s, b, n) = (config.train.networks.count(), config.train.batch, config.network.neurons);
        let float: DType = config.train.dtype.into();
        let mut tensors = Weights::layout(config, task.n_in(), task.n_out());
        let mut add = |there: bool, name, dtype, shape: &[usize]| {
            if there {
                tensors.insert(name, (dtype, shape.to_vec()));
            }
        };
        let fast_weights = &config.fast_weights;
        let kept = fast_weights.stage != Stage::None && fast_weights.persistent;
        for name in ["x", "r"].into_iter().chain(setup.neurons.variables()) {
            add(true, name, float, &[s, b, n]);
        }
        add(kept, "hebbian_trace", float, &[s, b, n, n]);
        add(kept && fast_weights.stage == Stage::Retroactive, "eligibility", float, &[s, b, n, n]);
        if setup.follows_gradient() {
            for name in gradient::learning(config) {
                let weight = tensors[name].clone();
                tensors.extend(moment_names(name).into_iter().flatten().map(|moment| (moment, weight.clone())));
            }
        } else if config.rule.rms_decay.unwrap_or(0.0) > 0.0 {
            let recurrent = matches!(setup.rule.source(), Source::Steps(_)).then_some("w_rec");
            let readout = config.readout_learns().then_some(["w_out", "b_out"]);
            for name in recurrent.into_iter().chain(readout.into_iter().flatten()) {
                let weight = tensors[name].clone();
                tensors.extend(moment_names(name).map(|[_, v]| (v, weight)));
            }
        }
        tensors
    }

    /// Each tensor with its name.
    pub fn each(&self) -> impl Iterator<Item = (&'static str, &Tensor)> {
        let fast_weights = self.fast_weights.iter().flat_map(|h| h.each());
        let moments = self.moments.iter().map(|(name, tensor)| (*name, tensor));
        self.weights.each().chain(self.state.each()).chain(fast_weights).chain(moments)
    }

    /// The tensor called `name`, if there is one.
    pub fn get(&self, name: &str) -> Option<&Tensor> {
        self.each().find_map(|(other, tensor)| (other == name).then_some(tensor))
    }

    /// Replaces each tensor by the result of `change`, given its name and value.
    ///
    /// # Errors
    /// Any error of `change`.
    pub fn map(&self, mut change: impl FnMut(&'static str, &Tensor) -> Result<Tensor>) -> Result<Self> {
        Ok(Plastic {
            weights: self.weights.map(&mut change)?,
            state: self.state.map(&mut change)?,
            fast_weights: self.fast_weights.as_ref().map(|h| h.map(&mut change)).transpose()?,
            moments: self.moments.iter().map(|(name, m)| Ok((*name, change(name, m)?))).collect::<Result<_>>()?,
        })
    }

    /// The bytes of all tensors.
    pub(crate) fn bytes(&self) -> u64 {
        self.each().map(|(_, tensor)| (tensor.elem_count() * tensor.dtype().size_in_bytes()) as u64).sum()
    }
}
