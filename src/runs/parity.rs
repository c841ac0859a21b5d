//! Compares the implementations on a device with plain operations on the CPU, over one update of the same networks on
//! the same trials.

use crate::config::Kernels;
use crate::error::{ensure, Result};
use crate::setup::Setup;
use crate::training::Trainer;
use candle_core::{DType, Device};
use serde::Serialize;

/// The deviation of one implementation on one device.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct Comparison {
    /// The implementation.
    pub kernels: Kernels,
    /// The largest |Δw_rec| from plain operations on the CPU, without a bound.
    pub largest: f64,
    /// The largest difference from that Δw_rec over all weights.
    pub worst: f64,
    /// `worst` as a fraction of `largest`.
    pub relative: f64,
    /// Whether a second run gave the same Δw_rec to the bit.
    pub repeats: bool,
}

/// Compares each implementation on `device`.
///
/// # Errors
/// [`crate::Error::Usage`] if the rule has only one implementation, or if the update changes nothing, so that there is
/// nothing to compare; otherwise as [`Trainer::new`] and [`Trainer::update`].
pub fn compare_engines(setup: &Setup, device: &Device) -> Result<Vec<Comparison>> {
    let nothing = "there is nothing to compare";
    let single = setup.follows_gradient();
    ensure!(!single, Usage, "rule.name is `bptt`, which has only one implementation: {nothing}");
    let expected = change(setup, Kernels::Reference, &Device::Cpu)?;
    let largest = largest(expected.iter().copied());
    ensure!(largest > 0.0, Usage, "the update changes no weight (rule.name, or a warm-up): {nothing}");
    let compare = |kernels| {
        let found = change(setup, kernels, device)?;
        let worst = self::largest(found.iter().zip(&expected).map(|(f, e)| f - e));
        let repeats = change(setup, kernels, device)? == found;
        let (relative, largest, worst) = (worst / largest, largest / MAGNIFY, worst / MAGNIFY);
        Ok(Comparison { kernels, largest, worst, relative, repeats })
    };
    [Kernels::Fused, Kernels::Stepwise, Kernels::Reference].into_iter().map(compare).collect()
}

/// A factor on the learning rate, and so on Δw_rec, which makes Δw_rec large enough that adding it to w_rec loses none
/// of its digits.
const MAGNIFY: f64 = 1e6;

/// Δw_rec of the first update, magnified and without its bound, which would cut off differences.
fn change(setup: &Setup, kernels: Kernels, device: &Device) -> Result<Vec<f64>> {
    let mut setup = setup.clone();
    setup.config.train.kernels = kernels;
    setup.config.rule.eta *= MAGNIFY;
    setup.config.rule.max_dw = 0.0;
    let mut trainer = Trainer::new(setup, std::slice::from_ref(device))?;
    let values = |trainer: &Trainer| -> Result<Vec<f64>> {
        Ok(trainer.weights()?.w_rec.to_dtype(DType::F64)?.flatten_all()?.to_vec1()?)
    };
    let before = values(&trainer)?;
    trainer.update()?;
    Ok(values(&trainer)?.iter().zip(&before).map(|(after, before)| after - before).collect())
}

/// The largest absolute value; NaN if one of them is.
fn largest(values: impl Iterator<Item = f64>) -> f64 {
    values.fold(0.0, |most: f64, value| if value.abs() > most || value.is_nan() { value.abs() } else { most })
}
