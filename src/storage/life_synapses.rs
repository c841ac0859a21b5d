//! The synapses in a life's checkpoint: for each projection, the number of synapses in each network, their neurons and saved values.

use super::life_values::{check_numbers, check_weights, numbers};
use crate::engine::LifeState;
use crate::error::{ensure, Error, Result};
use crate::model::Synapses;
use crate::reader::TensorFile;
use crate::setup::LifeSetup;

/// The values saved for each synapse of projection `k`.
pub(super) fn variables(setup: &LifeSetup, k: usize) -> Vec<&str> {
    setup.rules[k].as_ref().map_or(Vec::new(), |rule| rule.variables())
}

/// Reads the synapses of projection `k` into `states`; returns the names of their tensors.
pub(super) fn synapses(
    file: &TensorFile,
    setup: &LifeSetup,
    k: usize,
    states: &mut [LifeState],
) -> Result<Vec<String>> {
    let (from, to) = setup.circuit.ends(k);
    let (name, s) = (&setup.circuit.projections[k].0, states.len());
    let tensor_name = |quantity: &str| format!("projection.{name}.{quantity}");
    let integers = |quantity: &str, n: usize| -> Result<Vec<usize>> {
        let found = file.optional_integers(&tensor_name(quantity), &[n])?;
        found.ok_or_else(|| Error::tensor(&tensor_name(quantity), "missing", format!("[{n}]")))
    };
    let counts = integers("synapses", s)?;
    let most = from.len() as u64 * to.len() as u64;
    let fine = counts.iter().all(|n| *n as u64 <= most);
    ensure!(fine, Content, "tensor `{}` holds more synapses than the {most} pairs of neurons", tensor_name("synapses"));
    // The counts in a file can have any sum.
    let n = counts.iter().fold(0usize, |sum, n| sum.saturating_add(*n));
    let ends = |quantity: &str, limit: usize| -> Result<Vec<u32>> {
        let found = integers(quantity, n)?;
        let fine = found.iter().all(|neuron| *neuron < limit);
        ensure!(fine, Content, "tensor `{}` names neurons beyond the {limit} of the population", tensor_name(quantity));
        Ok(found.into_iter().map(|neuron| neuron as u32).collect())
    };
    let (pre, post) = (ends("pre", from.len())?, ends("post", to.len())?);
    let itself = from == to && pre.iter().zip(&post).any(|(pre, post)| pre == post);
    ensure!(
        !itself,
        Content,
        "tensors `{}` and `{}` connect a neuron to itself",
        tensor_name("pre"),
        tensor_name("post")
    );
    let reals = |quantity: &str| numbers(file, &tensor_name(quantity), setup.config.life.dtype.into(), &[n]);
    let weight = reals("weight")?;
    check_weights(setup, k, &tensor_name("weight"), &weight)?;
    let variables = if n > 0 { variables(setup, k) } else { Vec::new() };
    let mut kept = Vec::new();
    for variable in &variables {
        let values = reals(variable)?;
        check_numbers(setup, &tensor_name(variable), &values)?;
        kept.push(values);
    }
    let mut start = 0;
    for (state, count) in states.iter_mut().zip(counts) {
        let part = start..start + count;
        start = part.end;
        let pairs = || pre[part.clone()].iter().zip(&post[part.clone()]);
        ensure!(
            pairs().zip(pairs().skip(1)).all(|(a, b)| a < b),
            Content,
            "tensors `{}` and `{}` do not list pairs in ascending order",
            tensor_name("pre"),
            tensor_name("post")
        );
        state.synapses[k] = Synapses {
            pre: pre[part.clone()].to_vec(),
            post: post[part.clone()].to_vec(),
            weight: weight[part.clone()].to_vec(),
        };
        state.plastic[k].synaptic = kept.iter().map(|values| values[part.clone()].to_vec()).collect();
    }
    Ok(["synapses", "pre", "post", "weight"].iter().chain(&variables).map(|quantity| tensor_name(quantity)).collect())
}
