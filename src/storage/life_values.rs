//! The numbers that a life's checkpoint can hold. Others are refused when it is read: engines use spikes as counts, and numbers that
//! are too large would become infinite in the first step.

use crate::config::Precision;
use crate::error::{bail, Error, Result};
use crate::reader::TensorFile;
use crate::setup::LifeSetup;
use candle_core::{DType, Device};

/// Settings are within 1e30, and what a life computes from them is not much larger.
const LARGEST: f64 = 1e32;

/// The numbers of a tensor with this shape.
pub(super) fn numbers(file: &TensorFile, name: &str, dtype: DType, shape: &[usize]) -> Result<Vec<f64>> {
    let tensor = file.floats(name, dtype, &Device::Cpu)?;
    let tensor = tensor.ok_or_else(|| Error::tensor(name, "missing", format!("{shape:?}")))?;
    match tensor.dims() == shape {
        true => Ok(tensor.to_dtype(DType::F64)?.flatten_all()?.to_vec1()?),
        false => Err(Error::tensor(name, format!("{:?}", tensor.dims()), format!("{shape:?}"))),
    }
}

/// Refuses the values of a network, or of all, in the tensor with this name.
pub(super) type Check = fn(&LifeSetup, &str, &[f64]) -> Result<()>;

/// Refuses numbers that are too large.
pub(super) fn check_numbers(_: &LifeSetup, name: &str, values: &[f64]) -> Result<()> {
    within(name, values, -LARGEST, LARGEST)
}

/// Refuses values outside the range from `low` to `high`.
fn within(name: &str, values: &[f64], low: f64, high: f64) -> Result<()> {
    match values.iter().find(|value| !(low..=high).contains(*value)) {
        None => Ok(()),
        Some(value) => {
            bail!(Content, "tensor `{name}` holds {}; expected numbers from {low:?} to {high:?}", digits(*value))
        }
    }
}

/// A number with as few digits as it needs: written in double precision, a single-precision number would show spurious digits.
fn digits(value: f64) -> String {
    let single = value as f32;
    if f64::from(single) == value {
        format!("{single:?}")
    } else {
        format!("{value:?}")
    }
}

/// Refuses outputs that a network's neurons cannot produce: those of spiking neurons must be spike counts.
pub(super) fn check_outputs(setup: &LifeSetup, name: &str, outputs: &[f64]) -> Result<()> {
    for ((population, places), model) in setup.circuit.populations.iter().zip(&setup.models) {
        let outputs = &outputs[places.clone()];
        if !model.spikes() {
            within(name, outputs, -LARGEST, LARGEST)?;
            continue;
        }
        let most = model.most_spikes();
        let count = |r: f64| (0.0..=f64::from(most)).contains(&r) && r.fract() == 0.0;
        if let Some(r) = outputs.iter().find(|r| !count(**r)) {
            let spikes =
                if most == 1 { "spikes, 0 or 1".into() } else { format!("whole numbers of spikes from 0 to {most}") };
            bail!(Content, "tensor `{name}` holds {} for population `{population}`; expected {spikes}", digits(*r));
        }
    }
    Ok(())
}

/// Refuses weights of projection `k` outside its bounds. A world may have set fixed weights to anything, and plastic ones to 0.
pub(super) fn check_weights(setup: &LifeSetup, k: usize, name: &str, weights: &[f64]) -> Result<()> {
    if setup.rules[k].is_none() {
        return check_numbers(setup, name, weights);
    }
    let projection = &setup.config.projections[k];
    // Bounds hold in the precision of the weights.
    let rounded = |bound: f64| match setup.config.life.dtype {
        Precision::F32 => f64::from(bound as f32),
        Precision::F64 => bound,
    };
    within(name, weights, rounded(projection.w_min).min(0.0), rounded(projection.w_max).max(0.0))
}
