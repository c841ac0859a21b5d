//! Holds what a device computes against the CPU's plain operations: one update of the same networks on the same trials.

use crate::config::{Config, Kernels, RuleName};
use crate::trainer::Trainer;
use anyhow::{ensure, Result};
use candle_core::{DType, Device};
use serde::Serialize;

/// How one implementation on one device did.
#[derive(Clone, Debug, Serialize)]
pub struct Comparison {
    /// Which implementation.
    pub kernels: Kernels,
    /// The largest |Δw_rec| that the CPU's plain operations make, without a bound.
    pub largest: f64,
    /// The largest difference from that Δw_rec of any weight.
    pub worst: f64,
    /// `worst` as a fraction of `largest`.
    pub relative: f64,
    /// Whether a second run made the same Δw_rec to the bit.
    pub repeats: bool,
}

/// Compares each implementation on `device`.
///
/// # Errors
/// Where the update changes nothing, so that nothing could be compared, or the run cannot be made.
pub fn compare(config: &Config, device: &Device) -> Result<Vec<Comparison>> {
    ensure!(
        config.rule.name != RuleName::Bptt,
        "rule.name is `bptt`, of which there is one implementation: there is nothing to compare"
    );
    let expected = change(config, Kernels::Reference, &Device::Cpu)?;
    let largest = largest(expected.iter().copied());
    ensure!(largest > 0.0, "the update changes no weight (rule.name, or a warm-up): there is nothing to compare");
    [Kernels::Fused, Kernels::Stepwise, Kernels::Reference]
        .into_iter()
        .map(|kernels| {
            let found = change(config, kernels, device)?;
            let worst = self::largest(found.iter().zip(&expected).map(|(f, e)| f - e));
            let repeats = change(config, kernels, device)? == found;
            let (relative, largest, worst) = (worst / largest, largest / MAGNIFY, worst / MAGNIFY);
            Ok(Comparison { kernels, largest, worst, relative, repeats })
        })
        .collect()
}

/// Makes Δw_rec so large that what w_rec was before takes nothing from its digits; all of Δw_rec is proportional to it.
const MAGNIFY: f64 = 1e6;

/// Δw_rec of the first update, magnified and without its bound, so that no difference is cut off.
fn change(config: &Config, kernels: Kernels, device: &Device) -> Result<Vec<f64>> {
    let mut config = config.clone();
    config.train.kernels = kernels;
    config.rule.eta *= MAGNIFY;
    config.rule.max_dw = 0.0;
    let mut trainer = Trainer::new(config, device)?;
    let values = |trainer: &Trainer| trainer.weights().w_rec.to_dtype(DType::F64)?.flatten_all()?.to_vec1::<f64>();
    let before = values(&trainer)?;
    trainer.update()?;
    Ok(values(&trainer)?.iter().zip(&before).map(|(after, before)| after - before).collect())
}

/// The largest absolute value; not a number where one of them is not.
fn largest(values: impl Iterator<Item = f64>) -> f64 {
    values.fold(0.0, |most: f64, value| if value.abs() > most || value.is_nan() { value.abs() } else { most })
}
