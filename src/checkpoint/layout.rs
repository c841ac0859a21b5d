//! Which tensors a run's checkpoint holds, of which type and shape.

use crate::bptt;
use crate::config::{Config, Output, RuleName, Stage};
use crate::criterion::WINDOW;
use crate::task::Task;
use candle_core::DType;
use std::collections::BTreeMap;

/// A tensor a checkpoint holds: its type and shape.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Expected {
    /// The element type.
    pub dtype: DType,
    /// The shape.
    pub shape: Vec<usize>,
}

impl std::fmt::Display for Expected {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {:?}", self.dtype.as_str(), self.shape)
    }
}

/// Every tensor of a run's checkpoint, by name.
pub fn layout(config: &Config, task: &dyn Task) -> BTreeMap<&'static str, Expected> {
    let (s, b, n) = (config.train.networks.count(), config.train.batch, config.network.neurons);
    let (n_in, n_out, types) = (task.n_in(), task.n_out(), task.n_types());
    let float: DType = config.train.dtype.into();
    let mut tensors = BTreeMap::new();
    let mut add = |name, dtype, shape: &[usize]| {
        tensors.insert(name, Expected { dtype, shape: shape.to_vec() });
    };
    add("w_in", float, &[s, n, n_in]);
    add("w_rec", float, &[s, n, n]);
    if config.network.bias_scale > 0.0 {
        add("b_rec", float, &[s, n]);
    }
    if config.network.connectivity < 1.0 {
        add("connectivity", DType::U8, &[s, n, n]);
    }
    if config.network.output == Output::Readout {
        add("w_out", float, &[s, n_out, n]);
        add("b_out", float, &[s, n_out]);
    }
    if config.network.feedback_scale > 0.0 {
        add("w_fb", float, &[s, n, n_out]);
    }
    if config.network.error_feedback_scale > 0.0 {
        add("error_feedback", float, &[s, n, n_out]);
    }
    add("x", float, &[s, b, n]);
    add("r", float, &[s, b, n]);
    if config.trace.stage != Stage::None && config.trace.persistent {
        add("hebbian_trace", float, &[s, b, n, n]);
        if config.trace.stage == Stage::Retroactive {
            add("eligibility", float, &[s, b, n, n]);
        }
    }
    add("expected_error", DType::F64, &[s, types]);
    add("recent_correct", DType::U8, &[s, WINDOW]);
    if config.rule.name == RuleName::Bptt {
        for name in bptt::learning(config) {
            let weight = tensors[name].clone();
            tensors.extend(bptt::moment_names(name).into_iter().flatten().map(|moment| (moment, weight.clone())));
        }
    }
    tensors
}
