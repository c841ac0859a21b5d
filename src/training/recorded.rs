//! The parts of an update, so that it can be computed anew by another program.

use super::judge::judge;
use super::share::Share;
use super::Checkpoint;
use crate::config::Setting;
use crate::engine::{DrawnTrial, Eligibility, Record};
use crate::error::{bail, ensure, Result};
use candle_core::{Device, Tensor};
use std::collections::BTreeMap;

/// The next update of a checkpoint's networks, computed with plain operations; the checkpoint stays as it is.
///
/// For S networks, B trials and T steps: `inputs` `[S, B, T, n_in]`, `x0` `[S, B, N]`, the initial activations, the perturbations ξ
/// `perturbation` `[S, B, T, N]`, `activations` and `rates` `[S, B, T, N]` and `outputs` `[S, B, T, n_out]` after each step; `cost`
/// `[S, B]`, the error of each trial with its energy cost, its `type` and the `expected_error` Ē of that type; the `modulator` M
/// `[S, B]` and the `eligibility` e `[S, B, N, N]` (post, pre); `eta` and `bound`, and w_rec `[S, N, N]` before and after:
/// w_rec_after = w_rec_before + clip(η Σ_b M_b e_b, ±bound), before Dale's law and where connections exist.
///
/// # Errors
/// [`Error::Usage`](crate::Error::Usage) in an environment, for a rule whose w_rec does not change by an eligibility after each trial,
/// or if networks are in different stages of a curriculum; otherwise as training.
pub fn record_update(checkpoint: &Checkpoint) -> Result<BTreeMap<String, Tensor>> {
    let reference = checkpoint.setup.changed(&[Setting::flag("record", "train.kernels", "reference")])?;
    let name = &checkpoint.setup.config.rule.name;
    ensure!(
        checkpoint.setup.task.episodes().is_none(),
        Usage,
        "in an environment, credit is given step by step; expected a task"
    );
    ensure!(
        checkpoint.stage_groups().len() == 1,
        Usage,
        "the networks are in different stages of the curriculum; expected one stage"
    );
    let mut share = Share::resume(Checkpoint { setup: reference, ..checkpoint.clone() })?;
    let batch = share.draw_trials()?;
    let record = Record { rates: true, activations: true, ..Record::default() };
    let episode = share.run_trials(&batch, record)?;
    let Some(Eligibility::Tensor(eligibility)) = &episode.eligibility else {
        bail!(Usage, "rule `{name}` has no eligibility that a modulator multiplies after each trial");
    };
    let mut outcomes = judge(&share.current.setup.task, &batch, &episode)?;
    share.add_energy_cost(&mut outcomes, &episode.outputs)?;
    let factors = share.factors(&outcomes);
    let (after, _) = share.moved_recurrent(Eligibility::Tensor(eligibility.clone()).weighted_sum(&factors)?)?;

    let (s, b) = (batch.networks, batch.trials_each);
    let (shape, n) = (share.current.setup.shape(), share.current.setup.config.network.neurons);
    let t = shape.steps;
    let host = |tensor: &Tensor| tensor.to_device(&Device::Cpu)?.contiguous();
    let of_trials = |values: Vec<f64>| Tensor::from_vec(values, (s, b), &Device::Cpu);
    let expected = batch.types().into_iter().enumerate().map(|(i, kind)| share.baseline.expectation(i / b, kind));
    let inputs: Vec<f32> = batch.drawn.iter().flat_map(|drawn| drawn.trial.inputs.clone()).collect();
    let perturbations: Vec<f32> = batch.drawn.iter().flat_map(|drawn| perturbations(drawn, t, n)).collect();
    let x0: Vec<f32> = batch.drawn.iter().flat_map(|drawn| drawn.x0.clone()).collect();
    let types: Vec<i64> = batch.types().into_iter().map(|kind| kind as i64).collect();
    let mut parts = BTreeMap::from([
        ("inputs", Tensor::from_vec(inputs, (s, b, t, shape.n_in), &Device::Cpu)?),
        ("x0", Tensor::from_vec(x0, (s, b, n), &Device::Cpu)?),
        ("perturbation", Tensor::from_vec(perturbations, (s, b, t, n), &Device::Cpu)?),
        ("outputs", host(&episode.outputs)?),
        ("cost", of_trials(outcomes.iter().flat_map(|outcome| outcome.costs.clone()).collect())?),
        ("type", Tensor::from_vec(types, (s, b), &Device::Cpu)?),
        ("expected_error", of_trials(expected.collect())?),
        ("modulator", of_trials(factors)?),
        ("eligibility", host(eligibility)?),
        ("eta", Tensor::new(share.rate(), &Device::Cpu)?),
        ("bound", Tensor::new(share.bound(), &Device::Cpu)?),
        ("w_rec_before", host(&share.current.plastic.weights.w_rec)?),
        ("w_rec_after", host(&after)?),
    ]);
    for (name, recorded) in [("rates", &episode.rates), ("activations", &episode.activations)] {
        parts.extend(recorded.as_ref().map(|tensor| host(tensor).map(|tensor| (name, tensor))).transpose()?);
    }
    Ok(parts.into_iter().map(|(name, tensor)| (name.to_string(), tensor)).collect())
}

/// ξ of a trial, `[T, N]`.
fn perturbations(drawn: &DrawnTrial, t: usize, n: usize) -> Vec<f32> {
    let mut all = vec![0.0; t * n];
    if let Some(dense) = &drawn.dense {
        all.chunks_exact_mut(n).enumerate().for_each(|(step, neurons)| dense.at(step, neurons));
    }
    for perturbation in &drawn.perturbations {
        all[perturbation.step as usize * n + perturbation.neuron as usize] += perturbation.size;
    }
    all
}
