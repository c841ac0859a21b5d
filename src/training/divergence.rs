//! Divergence: what shows that a network's numbers can no longer be used, and how it is kept as it was before.
//!
//! A network diverges in an update in which an error, a changed weight, an activation or a Hebbian trace is not a finite
//! number, or all of whose free neurons are stuck at a limit of their rates. It is frozen there: it stays what it was before
//! that update, and learns no more. Networks never meet, so the others are what they would be without it.

use crate::config::NetworkConfig;
use crate::model::Transfer;
use candle_core::{CpuStorage, Result, Storage, Tensor};
use serde::{Deserialize, Serialize};
use std::fmt;

/// What showed that a network diverged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Why {
    /// The error of a trial is not a finite number.
    Error,
    /// A weight or its change is not a finite number.
    Weights,
    /// An activation or a rate is not a finite number.
    Activations,
    /// The Hebbian trace that outlives the trial is not all finite numbers.
    Trace,
    /// Every free neuron ended every trial of this update and of the one before beyond 0.99 of the same limit of its rate.
    StuckRates,
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Why::Error => "the error of a trial is not a finite number",
            Why::Weights => "a weight or its change is not a finite number",
            Why::Activations => "an activation is not a finite number",
            Why::Trace => "its Hebbian trace is not all finite numbers",
            Why::StuckRates => "all its rates are stuck at their limits",
        })
    }
}

/// When and why a network was frozen. It is what it was before that update.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Frozen {
    /// The update in which it diverged, counted from 1.
    pub update: u64,
    /// What showed it.
    pub why: Why,
}

impl fmt::Display for Frozen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "diverged in update {}: {}", self.update, self.why)
    }
}

/// What there is to try where networks diverge.
pub const REMEDY: &str = "Smaller rates (rule.eta and readout.eta, or bptt.learning_rate) may help";

/// Which of the S networks of `values` `[S, …]` have finite values only.
pub(crate) fn finite_networks(values: &Tensor) -> Result<Vec<bool>> {
    let each = (values.elem_count() / values.dim(0)?).max(1);
    {
        let (storage, layout) = values.storage_and_layout();
        let place = layout.contiguous_offsets();
        // No branch for each value, so that the loop is vectorised.
        match (&*storage, place) {
            (Storage::Cpu(CpuStorage::F32(all)), Some((start, end))) => {
                let fine = |of: &[f32]| of.iter().fold(true, |fine, v| fine & v.is_finite());
                return Ok(all[start..end].chunks_exact(each).map(fine).collect());
            }
            (Storage::Cpu(CpuStorage::F64(all)), Some((start, end))) => {
                let fine = |of: &[f64]| of.iter().fold(true, |fine, v| fine & v.is_finite());
                return Ok(all[start..end].chunks_exact(each).map(fine).collect());
            }
            _ => {}
        }
    }
    // 0 for finite values, else not a number.
    let zeros = (values.contiguous()?.flatten_from(1)? * 0.0)?.sum(1)?.to_dtype(candle_core::DType::F64)?;
    Ok(zeros.to_vec1::<f64>()?.into_iter().map(|zero| zero == 0.0).collect())
}

/// `after` `[S, …]`, but the networks that are `held` as in `before`.
pub(crate) fn hold(held: &[bool], before: &Tensor, after: &Tensor) -> Result<Tensor> {
    let of = |(i, held): (usize, &bool)| if *held { before.narrow(0, i, 1) } else { after.narrow(0, i, 1) };
    Tensor::cat(&held.iter().enumerate().map(of).collect::<Result<Vec<_>>>()?, 0)
}

/// The rates at the end of trials that count as saturated and as dead.
pub(crate) struct Limits {
    neurons: usize,
    /// All but the bias neurons.
    free: Vec<usize>,
    saturated: f32,
    dead: f32,
}

/// The free neurons of one network at the end of a batch of trials.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Activity {
    /// The fraction that is saturated in every trial.
    pub saturated: f64,
    /// The fraction that is dead in every trial.
    pub dead: f64,
    /// Whether all are saturated, and each at the same limit in every trial.
    pub stuck: bool,
}

impl Limits {
    /// Saturated: a rate beyond 0.99 of the largest. Dead: a rate of 0, which for tanh is anything below 0.001.
    pub fn new(config: &NetworkConfig) -> Self {
        let (saturated, dead) = match Transfer::new(config) {
            Transfer::Tanh => (0.99, 0.001),
            Transfer::Rectified { max, .. } => (0.99 * max as f32, 0.0),
        };
        let bias = |neuron: &usize| config.clamped.iter().any(|(clamped, _)| clamped == neuron);
        let free = (0..config.neurons).filter(|neuron| !bias(neuron)).collect();
        Limits { neurons: config.neurons, free, saturated, dead }
    }

    /// Looks at the rates `[trials, N]` of one network.
    pub fn activity(&self, rates: &[f32]) -> Activity {
        // For each neuron the smallest and the largest rate, and the smallest distance from 0.
        let (first, others) = rates.split_at(self.neurons);
        let mut extremes: Vec<_> = first.iter().map(|r| (*r, *r, r.abs())).collect();
        for trial in others.chunks_exact(self.neurons) {
            for ((low, high, near), r) in extremes.iter_mut().zip(trial) {
                (*low, *high, *near) = (low.min(*r), high.max(*r), near.min(r.abs()));
            }
        }
        let of = |kind: &dyn Fn(f32, f32, f32) -> bool| {
            self.free.iter().map(|&i| extremes[i]).filter(|(low, high, near)| kind(*low, *high, *near)).count()
        };
        let all = self.free.len();
        let fraction = |count: usize| count as f64 / all.max(1) as f64;
        Activity {
            saturated: fraction(of(&|_, _, near| near > self.saturated)),
            dead: fraction(of(&|low, high, _| low.abs().max(high.abs()) <= self.dead)),
            stuck: all > 0 && of(&|low, high, _| low > self.saturated || high < -self.saturated) == all,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::TransferFunction;
    use candle_core::{DType, Device};

    fn tensor(values: &[f64], dtype: DType) -> Tensor {
        Tensor::new(values, &Device::Cpu).unwrap().reshape((2, 1, ())).unwrap().to_dtype(dtype).unwrap()
    }

    #[test]
    fn a_value_that_is_not_finite_is_found_in_its_network() {
        for dtype in [DType::F32, DType::F64] {
            let finite = |values: &[f64]| finite_networks(&tensor(values, dtype)).unwrap();
            assert_eq!(finite(&[1.0, -2.0, 0.0, 3e38]), [true, true]);
            assert_eq!(finite(&[1.0, f64::NAN, 0.0, 3.0]), [false, true]);
            assert_eq!(finite(&[1.0, 2.0, f64::NEG_INFINITY, f64::INFINITY]), [true, false]);
            // A view that is not contiguous goes the way of other devices.
            let view = tensor(&[1.0, 2.0, f64::INFINITY, 4.0], dtype).reshape((2, 2)).unwrap().t().unwrap();
            assert_eq!(finite_networks(&view).unwrap(), [false, true]);
        }
    }

    #[test]
    fn held_networks_stay_what_they_were() {
        let before = tensor(&[1.0, 2.0, 3.0, 4.0], DType::F32);
        let after = tensor(&[f64::NAN, 20.0, 30.0, 40.0], DType::F32);
        let held = hold(&[true, false], &before, &after).unwrap();
        assert_eq!(held.dims(), [2, 1, 2]);
        assert_eq!(held.flatten_all().unwrap().to_vec1::<f32>().unwrap(), [1.0, 2.0, 30.0, 40.0]);
    }

    #[test]
    fn saturated_and_dead_neurons_are_counted_among_the_free_ones() {
        let config = NetworkConfig { neurons: 5, clamped: vec![(1, 9.0)], ..NetworkConfig::default() };
        let limits = Limits::new(&config);
        // Neuron 0 is saturated at either end, 1 clamped, 2 dead, 3 saturated once, 4 alive.
        let rates = [0.995, 1.0, 0.0, 1.0, 0.5, -0.995, 1.0, 1e-4, 0.2, -0.5];
        assert_eq!(limits.activity(&rates), Activity { saturated: 0.25, dead: 0.25, stuck: false });
    }

    #[test]
    fn stuck_is_every_free_neuron_at_one_limit_in_every_trial() {
        let limits = Limits::new(&NetworkConfig { neurons: 2, ..NetworkConfig::default() });
        assert!(limits.activity(&[1.0, -1.0, 0.999, -0.992]).stuck);
        // Saturated, but telling trials apart; one neuron alive; not a number.
        for rates in [[1.0, -1.0, -1.0, -1.0], [1.0, -1.0, 1.0, -0.98], [f32::NAN, -1.0, f32::NAN, -1.0]] {
            assert!(!limits.activity(&rates).stuck, "{rates:?}");
        }
        let rectified =
            NetworkConfig { neurons: 1, response: TransferFunction::RectifiedLinear, ..NetworkConfig::default() };
        let limits = Limits::new(&rectified);
        assert!(limits.activity(&[19.9, 20.0]).stuck);
        assert_eq!(limits.activity(&[0.0, 0.0]), Activity { saturated: 0.0, dead: 1.0, stuck: false });
        assert_eq!(limits.activity(&[0.0, 1e-6]).dead, 0.0);
    }
}
