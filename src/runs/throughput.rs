//! How fast this machine trains, and what share of its matrix speed that is, both measured in the same run.
//!
//! Rounds alternate between matrix products and updates, so a machine that slows down slows both.

use super::{draw_fresh, FrozenNetworks};
use crate::config::Config;
use crate::engine::{check_memory, product, zeros, Record, Strides};
use crate::error::{Error, Result};
use crate::presets::Setup;
use crate::quantile::quantile;
use crate::rules::{FusedRule, Source};
use crate::training::Trainer;
use candle_core::{Device, Tensor};
use rayon::prelude::*;
use serde::Serialize;
use std::time::Instant;

/// Edge of the square matrices.
const EDGE: usize = 768;

/// What was measured. Medians over rounds.
#[derive(Clone, Debug, Serialize)]
pub struct Throughput {
    /// Networks in parallel.
    pub networks: usize,
    /// Trials of each network in parallel.
    pub batch: usize,
    /// Neurons of each network.
    pub neurons: usize,
    /// Steps of a trial.
    pub steps: usize,
    /// Threads.
    pub threads: usize,
    /// Whole updates: drawing, running, judging, changing weights.
    pub trials_per_second: f64,
    /// The inverse.
    pub ms_per_trial: f64,
    /// Floating-point operations of one trial: the recurrent product, and that of the eligibility where it is one.
    pub flop_per_trial: f64,
    /// Operations per second of the training.
    pub gflops: f64,
    /// Operations per second of square matrix products, one on each thread.
    pub matrix_gflops: f64,
    /// The training's share of that.
    pub share: f64,
}

/// Trains `updates` updates in each of `rounds` rounds, after one update that is not counted.
///
/// With `forward`, one drawn batch of trials is run again and again without learning instead, and only the recurrent product is
/// counted.
///
/// # Errors
/// Where that would not fit into memory, or the device fails.
pub fn measure_throughput(
    setup: &Setup,
    device: &Device,
    updates: u64,
    rounds: usize,
    forward: bool,
) -> Result<Throughput> {
    let Config { train, network, .. } = &setup.config;
    check_memory(setup, std::slice::from_ref(device))?;
    let (neurons, steps) = (network.neurons, setup.task.steps());
    let mut trainer = Trainer::new(setup.clone(), std::slice::from_ref(device))?;
    let products = match (setup.rule.source(), setup.rule.fused()) {
        _ if forward => 1.0,
        (_, Some(FusedRule::DeltaX(_))) => 2.0,
        // Forwards twice; backwards to the rates and to the weights.
        (Source::Gradient, _) => 4.0,
        // `eh` has a product too, but over the few scored steps only.
        _ => 1.0,
    };
    let flop_per_trial = products * 2.0 * steps as f64 * (neurons * neurons) as f64;
    let trials = (updates * train.batch as u64) as f64 * train.networks.count() as f64;
    let checkpoint = trainer.checkpoint()?;
    let mut frozen = FrozenNetworks::new(&checkpoint)?;
    let batch = draw_fresh(setup, 0, train.batch, train.seed)?;
    let mut once = || -> Result<()> {
        if forward {
            frozen.run(&batch, Record::default())?;
        } else {
            trainer.update()?;
        }
        Ok(())
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
    Ok(Throughput {
        networks: train.networks.count(),
        batch: train.batch,
        neurons,
        steps,
        threads: rayon::current_num_threads(),
        trials_per_second,
        ms_per_trial: 1e3 / trials_per_second,
        flop_per_trial,
        gflops: trials_per_second * flop_per_trial * 1e-9,
        matrix_gflops: median(&matrix)?,
        share: median(&shares)?,
    })
}

/// Billions of operations per second in f32 products of square matrices: on the CPU one product on each thread.
fn matrix_gflops(device: &Device) -> Result<f64> {
    let flop = 2.0 * (EDGE as f64).powi(3);
    if !device.is_cpu() {
        let a = Tensor::ones((EDGE, EDGE), candle_core::DType::F32, device)?;
        let repeat = 50;
        a.matmul(&a)?;
        device.synchronize()?;
        let start = Instant::now();
        for _ in 0..repeat {
            a.matmul(&a)?;
        }
        device.synchronize()?;
        return Ok(repeat as f64 * flop * 1e-9 / start.elapsed().as_secs_f64());
    }
    let threads = rayon::current_num_threads();
    let row = Strides { rows: EDGE, columns: 1 };
    let mut operands: Vec<_> = (0..threads)
        .map(|_| {
            let mut a = zeros(EDGE * EDGE);
            a.iter_mut().enumerate().for_each(|(i, a)| *a = (i % 7) as f32 * 0.1);
            (a.clone(), a, zeros(EDGE * EDGE))
        })
        .collect();
    let repeat = 6;
    let mut run = |repeat: usize| {
        operands.par_iter_mut().for_each(|(a, b, out)| {
            for _ in 0..repeat {
                product((EDGE, EDGE, EDGE), (out, row), false, (a, row), (b, row));
            }
        });
    };
    run(1);
    let start = Instant::now();
    run(repeat);
    Ok((threads * repeat) as f64 * flop * 1e-9 / start.elapsed().as_secs_f64())
}
