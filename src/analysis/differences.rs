//! The gradient by finite differences, to hold backpropagation against.

use crate::engine::TrialBatch;
use crate::bptt;
use crate::config::{Config, Loss, Networks};
use crate::episode::{self, EpisodeInputs, Record, TrialShape};
use crate::rules::RewardBaseline;
use crate::network::{Cell, Weights};
use crate::random::{stream, Phase, Purpose};
use crate::tasks::{ErrorMeasure, Task};
use crate::error::Result;
use candle_core::{DType, Tensor};
use rand::RngExt;
use std::borrow::Cow;

/// Weights that are looked at, trials for each, and by how much a weight is moved either way.
const WEIGHTS: usize = 12;
const TRIALS: usize = 4;
const STEP: f64 = 1e-6;

/// The largest difference between backpropagation and finite differences over a few weights of one network, drawn at random,
/// as a fraction of the largest of these entries. NaN where the task judges what comes of the outputs.
pub(super) fn against(config: &Config, weights: &Weights, task: &dyn Task, seed: u64) -> Result<f64> {
    let batch = super::gradient::perturbed(config, task, 0, TRIALS as u64, seed)?;
    let n = config.network.neurons;
    let mut rng = stream(seed, config.train.networks.start, 0, Phase::Simulate, Purpose::RecurrentWeights);
    let chosen: Vec<usize> = (0..WEIGHTS).map(|_| rng.random_range(0..n * n)).collect();
    let (gradient, _) = bptt::gradient(config, weights, task, &batch, Loss::Task)?;
    let gradient: Vec<f64> = gradient.flatten_all()?.to_vec1()?;
    let Some(differences) = differences(config, weights, task, &batch, &chosen)? else { return Ok(f64::NAN) };
    let largest = differences.iter().fold(0.0f64, |m, d| m.max(d.abs()));
    let off = chosen.iter().zip(&differences).map(|(&k, d)| (gradient[k] - d).abs()).fold(0.0, f64::max);
    Ok(if largest > 0.0 { off / largest } else { off })
}

/// ∂error/∂w_rec for some places of w_rec, by central differences in f64 on the same trials. Every moved weight makes a network
/// of its own, and all of them run side by side. `None` where the task judges what comes of the outputs.
pub(super) fn differences(
    config: &Config,
    weights: &Weights,
    task: &dyn Task,
    batch: &TrialBatch,
    places: &[usize],
) -> Result<Option<Vec<f64>>> {
    let n = config.network.neurons;
    let copies = 2 * places.len();
    let base: Vec<f64> = weights.w_rec.flatten_all()?.to_vec1()?;
    let mut moved = base.repeat(copies);
    for (k, place) in places.iter().enumerate() {
        moved[2 * k * n * n + place] += STEP;
        moved[(2 * k + 1) * n * n + place] -= STEP;
    }
    let repeated = |tensor: &Tensor| Tensor::cat(&vec![tensor; copies], 0);
    let mut weights = weights.map(|_, tensor| repeated(tensor))?;
    weights.w_rec = Tensor::from_vec(moved, (copies, n, n), weights.w_rec.device())?;
    let mut config = config.clone();
    config.train.networks = Networks { start: 0, end: copies as u64 };
    let trials_each = batch.trials_each;
    let drawn = (0..copies).flat_map(|_| batch.drawn.iter().cloned()).collect();
    let batch = TrialBatch { networks: copies, trials_each, drawn };
    let modulator = RewardBaseline::new(&config.modulator, copies, task.trial_types().len());
    let device = weights.w_rec.device();
    let inputs = EpisodeInputs::new(&batch, &config, TrialShape::of(task), &modulator, DType::F64, device)?;
    let cell = Cell::new(&config.network, &weights)?;
    let episode = episode::run(&config, &cell, &inputs, false, Record::default())?;
    let Some(errors) = errors(task, &batch, &episode.outputs)? else { return Ok(None) };
    let mean =
        |copy: usize| errors[copy * trials_each..(copy + 1) * trials_each].iter().sum::<f64>() / trials_each as f64;
    Ok(Some((0..places.len()).map(|k| (mean(2 * k) - mean(2 * k + 1)) / (2.0 * STEP)).collect()))
}

/// The error of each trial in f64, where the outputs `[T, S, B, n_out]` themselves are judged.
fn errors(task: &dyn Task, batch: &TrialBatch, outputs: &Tensor) -> Result<Option<Vec<f64>>> {
    let (steps, s, b, n_out) = outputs.dims4()?;
    if matches!(task.judged(&vec![0.0; steps * n_out]), Cow::Owned(_)) {
        return Ok(None);
    }
    let values: Vec<f64> = outputs.flatten_all()?.to_vec1()?;
    let error = |i: usize| {
        let trial = &batch.drawn[i].trial;
        let judged = (0..steps).filter(|step| trial.scored[*step]).flat_map(|step| (0..n_out).map(move |k| (step, k)));
        let differences =
            judged.map(|(step, k)| values[(step * s * b + i) * n_out + k] - f64::from(trial.targets[step * n_out + k]));
        let (sum, count) = differences.fold((0.0, 0.0), |(sum, count), d| match task.measure() {
            ErrorMeasure::Absolute => (sum + d.abs(), count + 1.0),
            ErrorMeasure::Squared => (sum + d * d, count + 1.0),
        });
        sum / f64::max(count, 1.0)
    };
    Ok(Some((0..s * b).map(error).collect()))
}

#[cfg(test)]
mod tests {
    use super::super::gradient::{compared, cosine, gradient, perturbed, proposed};
    use super::super::linear::mean_and_error;
    use super::*;
    use crate::config::{Precision, RuleName};
    use crate::settings::{resolve, Setting};
    use crate::task;
    use candle_core::Device;

    /// A short task, with perturbations that move x as those of `dnms` do: by up to 0.6.
    const SHORT: [&str; 14] = [
        "network.clamped=[]",
        "network.tau_ms=5",
        "task.steps=30",
        "task.first_stimulus=0",
        "task.second_stimulus=12",
        "task.stimulus_steps=6",
        "task.response_steps=6",
        "rule.start_step=0",
        "perturbation.probability=0.02",
        "perturbation.amplitude=3",
        "perturbation.start_step=0",
        "modulator.expected_error_factor=false",
        "train.networks=1",
        "train.dtype=f64",
    ];

    fn config(neurons: usize) -> Config {
        let mut settings: Vec<Setting> = SHORT.iter().map(|s| Setting::parse(s).unwrap()).collect();
        settings.push(Setting::flag("--neurons", "network.neurons", neurons as i64));
        resolve(Some("dnms"), &settings).unwrap()
    }

    fn weights(config: &Config) -> Weights {
        Weights::draw(&config.network, 2, 1, 1, config.train.networks, DType::F64, &Device::Cpu).unwrap()
    }

    #[test]
    fn backpropagation_is_what_finite_differences_say() {
        let config = config(10);
        let task = task::build(&config.task).unwrap();
        let weights = weights(&config);
        let all: Vec<usize> = (0..100).collect();
        let batch = perturbed(&config, &*task, 0, 64, 1).unwrap();
        let by_differences = differences(&config, &weights, &*task, &batch, &all).unwrap().unwrap();
        let exact: Vec<f64> =
            gradient(&config, &weights, &*task, 64, 1).unwrap().flatten_all().unwrap().to_vec1().unwrap();
        let largest = exact.iter().fold(0.0f64, |m, g| m.max(g.abs()));
        let off = exact.iter().zip(&by_differences).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
        assert!(largest > 0.0 && off < 1e-5 * largest, "off by {off}, largest {largest}");
        assert!(against(&config, &weights, &*task, 1).unwrap() < 1e-5);
        let downhill = Tensor::from_vec(by_differences, (1, 10, 10), &Device::Cpu).unwrap().neg().unwrap();
        let update = proposed(&compared(&config, RuleName::NodePerturbation), &weights, &*task, 4096, 1).unwrap();
        assert!(cosine(&update, &downhill).unwrap() > 0.3);
        assert!((cosine(&downhill, &downhill).unwrap() - 1.0).abs() < 1e-12);
    }

    #[test]
    fn updates_point_down_the_gradient_by_more_than_five_standard_errors() {
        let mut cosines = [Vec::new(), Vec::new()];
        for network in 0..10 {
            let mut config = config(30);
            config.train.networks = Networks { start: network, end: network + 1 };
            let task = task::build(&config.task).unwrap();
            let weights = weights(&config);
            let downhill = gradient(&config, &weights, &*task, 64, 1).unwrap().neg().unwrap();
            // Single precision takes the fused kernels.
            let single = weights.map(|_, tensor| tensor.to_dtype(DType::F32)).unwrap();
            for (rule, cosines) in [RuleName::NodePerturbation, RuleName::DeltaX].into_iter().zip(&mut cosines) {
                let mut config = compared(&config, rule);
                config.train.dtype = Precision::F32;
                let update = proposed(&config, &single, &*task, 2048, 1).unwrap();
                cosines.push(cosine(&update, &downhill).unwrap());
            }
        }
        for cosines in &cosines {
            let (mean, error) = mean_and_error(cosines);
            assert!(mean > 5.0 * error.unwrap(), "{mean} ± {error:?}: {cosines:?}");
        }
    }
}
