//! Backpropagation through time, beside the rules: the exact gradient by candle's autograd (docs/model.md,
//! "Backpropagation beside the rules").
//!
//! A trial first runs without a graph, and the state is kept every few steps. Then, from the last piece to the first, each
//! piece runs again with a graph, and the gradient of the piece after it is put in at its end. The result is that of one graph
//! over the whole trial, with memory that grows with the square root of its length (Chen et al. 2016), and with recursion no
//! deeper than a piece is long.

mod adamw;
mod backward;
pub(crate) mod loss;
mod plan;
mod workers;

pub use adamw::Moments;
pub(crate) use adamw::{is_moment, moment_names};
pub(crate) use plan::memory;

use crate::batch::TrialBatch;
use crate::config::{Config, InputWeights, Loss, Output, Parameters};
use crate::episode::{Ensemble, Episode, TrialShape};
use crate::modulator::Modulator;
use crate::network::{State, Weights};
use crate::task::Task;
use crate::trace::TraceState;
use adamw::{Gradients, Stepped};
use anyhow::{Context, Result};
use backward::{Done, Job};
use candle_core::{Device, Tensor};
use plan::Shard;
use workers::Workers;

/// The gradient of each network's mean loss over the trials of `batch` with respect to its `w_rec`: `[S, N, N]`, (post, pre),
/// and the mean losses, `[S]`.
///
/// The loss of a trial is the mean over scored steps and outputs of (output − target)², or, with [`Loss::Task`], of the task's
/// own measure. Perturbations and noise that the batch holds are constants. A Hebbian trace starts at zero and is
/// differentiated through. The gradient reaches back through the whole trial, or as far as `config.bptt.steps` says; it is 0
/// for connections that do not exist. Nothing else of `config.bptt` is read, and `config.rule` is not.
///
/// # Errors
/// Where the task judges what comes of the outputs but gives no [`Task::judged_gradient`].
pub fn gradient(
    config: &Config,
    weights: &Weights,
    task: &dyn Task,
    batch: &TrialBatch,
    loss: Loss,
) -> Result<(Tensor, Vec<f64>)> {
    let modulator = Modulator::new(&config.modulator, batch.networks, task.n_types());
    let ensemble = Ensemble { config, shape: TrialShape::of(task), weights, modulator: &modulator, trace: None };
    let workers = Workers::new(plan::piece_steps(task.steps()))?;
    let Backpropagated { mut gradients, losses, .. } =
        backpropagate(&ensemble, task, batch, loss, &["w_rec"], &workers)?;
    let means =
        losses.chunks(batch.trials_each).map(|of_network| of_network.iter().sum::<f64>() / batch.trials_each as f64);
    Ok((gradients.remove("w_rec").context("no gradient of w_rec")?, means.collect()))
}

/// Names of the weights that learn.
pub(crate) fn learning(config: &Config) -> Vec<&'static str> {
    let network = &config.network;
    let all = config.bptt.parameters == Parameters::All;
    let readout = network.output == Output::Readout;
    [
        ("w_rec", true),
        ("w_out", readout),
        ("b_out", readout),
        ("w_in", all),
        ("b_rec", all && network.bias_scale > 0.0),
        ("w_fb", all && network.feedback_scale > 0.0),
    ]
    .into_iter()
    .filter_map(|(name, learns)| learns.then_some(name))
    .collect()
}

/// Networks that learn by backpropagation: the state of their optimiser.
pub(crate) struct Learner {
    workers: Workers,
    moments: Moments,
}

impl Learner {
    /// Starts with the `moments` of a checkpoint; those that are not there are 0.
    pub fn new(config: &Config, weights: &Weights, task: &dyn Task, mut moments: Moments) -> Result<Self> {
        let learning = learning(config);
        for (name, weight) in weights.each().filter(|(name, _)| learning.contains(name)) {
            for moment in moment_names(name).into_iter().flatten() {
                if !moments.contains_key(moment) {
                    moments.insert(moment, weight.zeros_like()?);
                }
            }
        }
        Ok(Learner { workers: Workers::new(plan::piece_steps(task.steps()))?, moments })
    }

    /// The moments of the weights that learn.
    pub fn moments(&self) -> &Moments {
        &self.moments
    }

    /// Runs a batch and works out update number `done` + 1. Nothing has changed yet when this returns.
    pub fn update(
        &self,
        ensemble: &Ensemble,
        task: &dyn Task,
        batch: &TrialBatch,
        done: u64,
    ) -> Result<(Episode, Stepped)> {
        let (config, weights) = (ensemble.config, ensemble.weights);
        let wanted = learning(config);
        let Backpropagated { episode, gradients, .. } =
            backpropagate(ensemble, task, batch, config.bptt.loss, &wanted, &self.workers)?;
        Ok((episode, adamw::step(config, done, weights, &self.moments, &gradients)?))
    }

    /// Takes over the moments that an update worked out.
    pub fn accept(&mut self, moments: Moments) {
        self.moments = moments;
    }
}

struct Backpropagated {
    episode: Episode,
    gradients: Gradients,
    /// `[S, B]`.
    losses: Vec<f64>,
}

/// Runs a batch, shard by shard, and adds the shards' gradients up in their order.
fn backpropagate(
    ensemble: &Ensemble,
    task: &dyn Task,
    batch: &TrialBatch,
    loss: Loss,
    wanted: &[&'static str],
    workers: &Workers,
) -> Result<Backpropagated> {
    let (config, weights) = (ensemble.config, ensemble.weights);
    let (t, b) = (ensemble.shape.steps, batch.trials_each);
    let pieces = plan::pieces(t, config.bptt.steps, plan::piece_steps(t));
    let shards = plan::shards(config, t, batch.networks, b, weights.w_rec.device());
    let inputs = ensemble.inputs(batch)?;
    let done = workers.run(shards.len(), |i| {
        let Shard { networks, trials } = shards[i].clone();
        backward::run(&Job {
            config,
            task,
            weights: weights.map(|_, weight| weight.narrow(0, networks.start, networks.len())?.contiguous())?,
            wanted,
            inputs: inputs.part(networks.clone(), trials.clone())?,
            trials: networks
                .flat_map(|s| &batch.drawn[s * b + trials.start..s * b + trials.end])
                .map(|drawn| &drawn.trial)
                .collect(),
            pieces: &pieces,
            loss,
            share: 1.0 / b as f64,
        })
    })?;
    join(ensemble, batch, wanted, &shards, done)
}

/// Puts shards together again.
fn join(
    ensemble: &Ensemble,
    batch: &TrialBatch,
    wanted: &[&'static str],
    shards: &[Shard],
    done: Vec<Done>,
) -> Result<Backpropagated> {
    // Shards with the same networks stand side by side: first their trials are joined, then the networks.
    let rows: Vec<&[Done]> = {
        let mut rest = &done[..];
        shards
            .chunk_by(|a, b| a.networks == b.networks)
            .map(|row| {
                let (row, others) = rest.split_at(row.len());
                rest = others;
                row
            })
            .collect()
    };
    let cat = |of: &dyn Fn(&Done) -> Tensor, networks: usize| -> Result<Tensor> {
        let rows = rows.iter().map(|row| Tensor::cat(&row.iter().map(of).collect::<Vec<_>>(), networks + 1));
        Ok(Tensor::cat(&rows.collect::<candle_core::Result<Vec<_>>>()?, networks)?)
    };
    let maybe = |of: &dyn Fn(&Done) -> Option<Tensor>| -> Result<Option<Tensor>> {
        if done.iter().any(|done| of(done).is_none()) {
            return Ok(None);
        }
        cat(&|done| of(done).unwrap_or_else(|| done.outputs.clone()), 0).map(Some)
    };
    let mut gradients = Gradients::new();
    for (k, name) in wanted.iter().enumerate() {
        let sum = |row: &&[Done]| -> candle_core::Result<Tensor> {
            row[1..].iter().try_fold(row[0].gradients[k].clone(), |sum, done| sum + &done.gradients[k])
        };
        let sums = rows.iter().map(sum).collect::<candle_core::Result<Vec<_>>>()?;
        gradients.insert(name, masked(ensemble, name, Tensor::cat(&sums, 0)?)?);
    }
    let trace = match maybe(&|done| done.end.trace.as_ref().map(|trace| trace.h.clone()))? {
        Some(h) => {
            let eligibility = maybe(&|done| done.end.trace.as_ref().and_then(|trace| trace.eligibility.clone()))?;
            Some(TraceState { h, eligibility })
        }
        None => None,
    };
    let mut losses = vec![0.0; batch.networks * batch.trials_each];
    for (shard, done) in shards.iter().zip(&done) {
        let mut of_shard = done.losses.iter();
        for s in shard.networks.clone() {
            let places = s * batch.trials_each + shard.trials.start..s * batch.trials_each + shard.trials.end;
            losses[places].iter_mut().zip(&mut of_shard).for_each(|(place, loss)| *place = *loss);
        }
    }
    let episode = Episode {
        outputs: cat(&|done| done.outputs.clone(), 1)?,
        state: State { x: cat(&|done| done.end.state.x.clone(), 0)?, r: cat(&|done| done.end.state.r.clone(), 0)? },
        trace,
        eligibility: None,
        readout_change: None,
        rates: None,
        activations: None,
    };
    Ok(Backpropagated { episode, gradients, losses })
}

/// The gradient without what stands for connections that do not exist.
fn masked(ensemble: &Ensemble, name: &str, gradient: Tensor) -> Result<Tensor> {
    let network = &ensemble.config.network;
    if let ("w_rec", Some(exists)) = (name, &ensemble.weights.connectivity) {
        return Ok((&gradient * exists.to_dtype(gradient.dtype())?)?);
    }
    if name != "w_in" {
        return Ok(gradient);
    }
    let (_, n, n_in) = gradient.dims3()?;
    let silent = network.output == Output::Neurons && !network.input_to_output_neurons;
    let exists = |neuron: usize, input: usize| {
        !(silent && network.output_neurons.contains(&neuron))
            && (network.input_weights != InputWeights::OneToOne || neuron == input)
    };
    let mask: Vec<f32> = (0..n * n_in).map(|k| f32::from(u8::from(exists(k / n_in, k % n_in)))).collect();
    let mask = Tensor::from_vec(mask, (n, n_in), &Device::Cpu)?.to_dtype(gradient.dtype())?;
    Ok(gradient.broadcast_mul(&mask.to_device(gradient.device())?)?)
}
