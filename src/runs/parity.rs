//! Holds what a device computes against the CPU's plain operations: one update of the same networks on the same trials.

use crate::config::Kernels;
use crate::error::{ensure, Result};
use crate::presets::Setup;
use crate::rules::Source;
use crate::training::Trainer;
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
pub fn compare_engines(setup: &Setup, device: &Device) -> Result<Vec<Comparison>> {
    ensure!(
        !matches!(setup.rule.source(), Source::Gradient),
        Usage,
        "rule.name is `bptt`, of which there is one implementation: there is nothing to compare"
    );
    let expected = change(setup, Kernels::Reference, &Device::Cpu)?;
    let largest = largest(expected.iter().copied());
    ensure!(
        largest > 0.0,
        Usage,
        "the update changes no weight (rule.name, or a warm-up): there is nothing to compare"
    );
    [Kernels::Fused, Kernels::Stepwise, Kernels::Reference]
        .into_iter()
        .map(|kernels| {
            let found = change(setup, kernels, device)?;
            let worst = self::largest(found.iter().zip(&expected).map(|(f, e)| f - e));
            let repeats = change(setup, kernels, device)? == found;
            let (relative, largest, worst) = (worst / largest, largest / MAGNIFY, worst / MAGNIFY);
            Ok(Comparison { kernels, largest, worst, relative, repeats })
        })
        .collect()
}

/// Makes Δw_rec so large that what w_rec was before takes nothing from its digits; all of Δw_rec is proportional to it.
const MAGNIFY: f64 = 1e6;

/// Δw_rec of the first update, magnified and without its bound, so that no difference is cut off.
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

/// The largest absolute value; not a number where one of them is not.
fn largest(values: impl Iterator<Item = f64>) -> f64 {
    values.fold(0.0, |most: f64, value| if value.abs() > most || value.is_nan() { value.abs() } else { most })
}
