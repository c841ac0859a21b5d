//! The speed of training on this machine, as a fraction of the machine's matrix speed; both are measured in the same run.
//!
//! Rounds alternate between matrix products and updates, so if the machine slows down, both do.

use super::{draw_fresh, FrozenNetworks};
use crate::config::Config;
use crate::device::Processor;
use crate::engine::{check_memory, chosen_product, product, zeros, Product, Record, Strides};
use crate::error::{ensure, Error, Result};
use crate::model::Leak;
use crate::quantile::quantile;
use crate::rules::{FusedRule, Source};
use crate::setup::Setup;
use crate::training::Trainer;
use candle_core::{Device, Tensor};
use rayon::prelude::*;
use serde::Serialize;
use std::time::Instant;

/// The number of rows of the square matrices whose product measures the machine's speed.
const EDGE: usize = 768;

/// The speed of training, as medians over rounds.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct Throughput {
    /// The number of networks in parallel.
    pub networks: usize,
    /// The number of trials of each network in parallel.
    pub batch: usize,
    /// The number of neurons of each network.
    pub neurons: usize,
    /// The number of steps of a trial.
    pub steps: usize,
    /// The number of threads.
    pub threads: usize,
    /// Trials per second in whole updates: drawing, running and judging trials, and changing the weights.
    pub trials_per_second: f64,
    /// Milliseconds per trial, the inverse of `trials_per_second`.
    pub ms_per_trial: f64,
    /// Floating-point operations of one trial: the recurrent product, plus that of the eligibility if it is a product.
    pub flop_per_trial: f64,
    /// Billions of operations per second in training.
    pub gflops: f64,
    /// Billions of operations per second in products of square matrices, one on each thread.
    pub matrix_gflops: f64,
    /// `gflops` as a fraction of `matrix_gflops`.
    pub share: f64,
    /// The processor.
    pub processor: Processor,
    /// The implementation of the product of weights and rates; `None` if the fused kernels of the CPU were not used.
    pub product: Option<Product>,
    /// Why this implementation was chosen.
    pub product_reason: String,
}

/// Makes `updates` updates in each of `rounds` rounds, after one update that is not counted.
///
/// With `forward`, one batch of trials is run repeatedly without learning instead, and only the recurrent product is
/// counted.
///
/// # Errors
/// [`Error::Memory`] if the run does not fit; [`Error::Usage`] if there are no rounds; otherwise as
/// [`Trainer::update`].
pub fn measure_throughput(
    setup: &Setup,
    device: &Device,
    updates: u64,
    rounds: usize,
    forward: bool,
) -> Result<Throughput> {
    let Config { train, network, .. } = &setup.config;
    ensure!(
        setup.task.trials().is_some(),
        Usage,
        "task `{}` is an environment, whose episodes differ in length; `train` reports its steps per second",
        setup.task.name()
    );
    check_memory(setup, std::slice::from_ref(device))?;
    let mut trainer = Trainer::new(setup.clone(), std::slice::from_ref(device))?;
    let flop_per_trial = flop_per_trial(setup, forward);
    let trials = (updates * train.batch as u64) as f64 * train.networks.count() as f64;
    let checkpoint = trainer.checkpoint()?;
    let mut frozen = FrozenNetworks::new(&checkpoint)?;
    let batch = draw_fresh(setup, 0, train.batch, train.seed)?;
    let mut once = || match forward {
        true => frozen.run(&batch, Record::default()).map(drop),
        false => trainer.update().map(drop),
    };
    once()?;
    let (mut speeds, mut matrix, mut shares) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..rounds {
        let before = matrix_gflops(device)?;
        let start = Instant::now();
        for _ in 0..updates {
            once()?;
        }
        device.synchronize()?;
        let speed = trials / start.elapsed().as_secs_f64();
        let machine = (before + matrix_gflops(device)?) / 2.0;
        speeds.push(speed);
        matrix.push(machine);
        shares.push(speed * flop_per_trial * 1e-9 / machine);
    }
    let nothing = || Error::Usage("no round was measured; expected at least 1".into());
    let median = |values: &[f64]| quantile(values, 0.5).ok_or_else(nothing);
    let trials_per_second = median(&speeds)?;
    let (product, product_reason) = chosen_product(setup, device, !forward);
    Ok(Throughput {
        networks: train.networks.count(),
        batch: train.batch,
        neurons: network.neurons,
        steps: setup.task.steps(),
        threads: rayon::current_num_threads(),
        trials_per_second,
        ms_per_trial: 1e3 / trials_per_second,
        flop_per_trial,
        gflops: trials_per_second * flop_per_trial * 1e-9,
        matrix_gflops: median(&matrix)?,
        share: median(&shares)?,
        processor: Processor::detect(),
        product,
        product_reason,
    })
}

/// Floating-point operations of one trial, counting only products with N × N multiply-adds per step.
fn flop_per_trial(setup: &Setup, forward: bool) -> f64 {
    let leak = setup.neurons.leak(&setup.config.network);
    let products = match (setup.rule.source(), setup.rule.fused()) {
        _ if forward => 1.0,
        (_, Some(FusedRule::DeltaX { .. })) => 2.0,
        // If rates leak, all steps count; otherwise only scored steps do, as with `eh`.
        (_, Some(FusedRule::Rflo)) if matches!(leak, Some(Leak::Rate(_))) => 2.0,
        // The backward pass has one product for the rates and one for the weights.
        (Source::Gradient, _) => 3.0,
        // `eh` also has a product, but only over the few scored steps.
        _ => 1.0,
    };
    let n = setup.config.network.neurons;
    products * 2.0 * setup.task.steps() as f64 * (n * n) as f64
}

/// Billions of operations per second in f32 products of square matrices; on the CPU, each thread computes products of its
/// own.
fn matrix_gflops(device: &Device) -> Result<f64> {
    let measure = |products: usize, run: &mut dyn FnMut(usize) -> Result<()>| -> Result<f64> {
        run(1)?;
        device.synchronize()?;
        let start = Instant::now();
        run(products)?;
        device.synchronize()?;
        Ok(products as f64 * 2.0 * (EDGE as f64).powi(3) * 1e-9 / start.elapsed().as_secs_f64())
    };
    if !device.is_cpu() {
        let a = Tensor::ones((EDGE, EDGE), candle_core::DType::F32, device)?;
        return measure(50, &mut |products| (0..products).try_for_each(|_| Ok(a.matmul(&a).map(drop)?)));
    }
    let mut matrix = zeros(EDGE * EDGE);
    matrix.iter_mut().enumerate().for_each(|(i, a)| *a = (i % 7) as f32 * 0.1);
    let row = Strides { rows: EDGE, columns: 1 };
    let mut operands = vec![[matrix.clone(), matrix.clone(), matrix]; rayon::current_num_threads()];
    let each_thread = measure(6, &mut |products| {
        operands.par_iter_mut().for_each(|[a, b, out]| {
            for _ in 0..products {
                product((EDGE, EDGE, EDGE), (out, row), false, (a, row), (b, row));
            }
        });
        Ok(())
    })?;
    Ok(each_thread * rayon::current_num_threads() as f64)
}
