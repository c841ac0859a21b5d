//! The gradient by finite differences, a check of backpropagation.

use crate::config::Loss;
use crate::engine::gradient::gradient;
use crate::engine::{choose, Ensemble, Record, TrialBatch};
use crate::error::Result;
use crate::model::Weights;
use crate::random::{stream, Phase, Purpose};
use crate::rules::RewardBaseline;
use crate::setup::Setup;
use crate::training::judge;
use candle_core::Tensor;
use rand::RngExt;

/// Weights that are checked, and by how much a weight is moved either way.
const WEIGHTS: usize = 12;
const STEP: f64 = 1e-6;

/// The largest difference between backpropagation and finite differences over a few weights of one network in double
/// precision, drawn at random, as a fraction of the largest of these entries. `batch` is a few of its trials.
pub(super) fn relative_error(setup: &Setup, weights: &Weights, batch: &TrialBatch, seed: u64) -> Result<f64> {
    let n = setup.config.network.neurons;
    let mut rng = stream(seed, setup.config.train.networks.start, 0, Phase::Simulate, Purpose::RecurrentWeights);
    let places: Vec<usize> = (0..WEIGHTS).map(|_| rng.random_range(0..n * n)).collect();
    let (gradient, _) = gradient(setup, weights, batch, Loss::Task)?;
    let gradient: Vec<f64> = gradient.flatten_all()?.to_vec1()?;
    let expected = differences(setup, weights, batch, &places)?;
    Ok(off_by(places.iter().map(|place| gradient[*place]), &expected))
}

/// The largest deviation from `expected`, as a fraction of its largest entry unless that is 0.
fn off_by(found: impl Iterator<Item = f64>, expected: &[f64]) -> f64 {
    let largest = expected.iter().fold(0.0f64, |largest, d| largest.max(d.abs()));
    let off = found.zip(expected).map(|(f, e)| (f - e).abs()).fold(0.0, f64::max);
    off / if largest > 0.0 { largest } else { 1.0 }
}

/// ∂error/∂w_rec at some places of w_rec, by central differences in f64 on the same trials. Every moved weight gets a
/// network of its own; all of them run side by side.
fn differences(setup: &Setup, weights: &Weights, batch: &TrialBatch, places: &[usize]) -> Result<Vec<f64>> {
    let n = setup.config.network.neurons;
    let copies = 2 * places.len();
    let mut moved = weights.w_rec.flatten_all()?.to_vec1::<f64>()?.repeat(copies);
    for (k, place) in places.iter().enumerate() {
        moved[2 * k * n * n + place] += STEP;
        moved[(2 * k + 1) * n * n + place] -= STEP;
    }
    let mut weights = weights.map(|_, tensor| Tensor::cat(&vec![tensor; copies], 0))?;
    weights.w_rec = Tensor::from_vec(moved, (copies, n, n), weights.w_rec.device())?;
    let mut setup = setup.clone();
    setup.config.train.networks = (0..copies as u64).into();
    let trials_each = batch.trials_each;
    let drawn = vec![batch.drawn.clone(); copies].concat();
    let batch = TrialBatch { networks: copies, trials_each, drawn, exact: None };
    let baseline = RewardBaseline::new(&setup.config, copies, setup.task.n_types());
    let shape = setup.shape();
    let ensemble =
        Ensemble { setup: &setup, shape, weights: &weights, baseline: &baseline, trials: 0, fast_weights: None };
    let mut engine = choose(&setup, weights.w_rec.device(), false)?;
    let episode = engine.run(&ensemble, &batch, false, Record::default())?;
    let outcomes = judge(&setup.task, &batch, &episode)?;
    let means: Vec<f64> =
        outcomes.iter().map(|outcome| outcome.errors.iter().sum::<f64>() / trials_each as f64).collect();
    Ok(means.chunks_exact(2).map(|pair| (pair[0] - pair[1]) / (2.0 * STEP)).collect())
}

#[cfg(test)]
mod tests {
    use super::super::gradient::{compared, cosine, downhill, draw_perturbed, proposed};
    use super::super::statistics::Mean;
    use super::*;
    use crate::config::{Precision, Setting};
    use candle_core::{DType, Device};

    /// A short task, with perturbations that move x as those of `dnms` do: by up to 0.6.
    const SHORT: &str = "network.clamped=[] network.tau_ms=5 task.steps=30 task.first_stimulus=0 \
        task.second_stimulus=12 task.stimulus_steps=6 task.response_steps=6 rule.start_step=0 perturbation.probability=0.02 \
        perturbation.amplitude=3 perturbation.start_step=0 modulator.expected_error_factor=false train.dtype=f64";

    fn setup(neurons: usize, network: u64) -> Setup {
        let sizes = format!(" network.neurons={neurons} train.networks={network}..{}", network + 1);
        let settings = (SHORT.to_string() + &sizes).split(' ').map(|s| Setting::parse(s).unwrap()).collect::<Vec<_>>();
        Setup::resolve(Some("dnms"), &settings).unwrap()
    }

    fn weights(setup: &Setup) -> Weights {
        let networks = setup.config.train.networks;
        Weights::draw(&setup.config.network, 2, 1, 1, networks, DType::F64, &Device::Cpu).unwrap()
    }

    #[test]
    fn backpropagation_is_what_finite_differences_say() {
        let setup = setup(10, 0);
        let weights = weights(&setup);
        let all: Vec<usize> = (0..100).collect();
        let batch = draw_perturbed(&setup, 0, 64, 1).unwrap();
        let expected = differences(&setup, &weights, &batch, &all).unwrap();
        let found = downhill(&setup, &weights, 64, 1).unwrap().neg().unwrap();
        let found: Vec<f64> = found.flatten_all().unwrap().to_vec1().unwrap();
        assert!(found.iter().any(|g| *g != 0.0) && off_by(found.into_iter(), &expected) < 1e-5, "{expected:?}");
        let few = draw_perturbed(&setup, 0, 4, 1).unwrap();
        assert!(relative_error(&setup, &weights, &few, 1).unwrap() < 1e-5);
        let downhill = Tensor::from_vec(expected, (1, 10, 10), &Device::Cpu).unwrap().neg().unwrap();
        let update = proposed(&compared(&setup, "node-perturbation").unwrap(), &weights, &[0.0; 4], 4096, 1).unwrap();
        assert!(cosine(&update, &downhill).unwrap() > 0.3);
        assert!((cosine(&downhill, &downhill).unwrap() - 1.0).abs() < 1e-12);
    }

    #[test]
    fn updates_point_down_the_gradient_by_more_than_five_standard_errors() {
        let mut cosines = [Vec::new(), Vec::new()];
        for network in 0..10 {
            let setup = setup(30, network);
            let weights = weights(&setup);
            let downhill = downhill(&setup, &weights, 64, 1).unwrap();
            // Single precision uses the fused kernels.
            let single = weights.map(|_, tensor| tensor.to_dtype(DType::F32)).unwrap();
            for (rule, cosines) in ["node-perturbation", "delta-x"].into_iter().zip(&mut cosines) {
                let mut setup = compared(&setup, rule).unwrap();
                setup.config.train.dtype = Precision::F32;
                let update = proposed(&setup, &single, &[0.0; 4], 2048, 1).unwrap();
                cosines.push(cosine(&update, &downhill).unwrap());
            }
        }
        for cosines in &cosines {
            let mean = Mean::of(cosines);
            assert!(mean.value > 5.0 * mean.error.unwrap(), "{mean}: {cosines:?}");
        }
    }
}
