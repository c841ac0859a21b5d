//! Backpropagation through time, beside the rules: the exact gradient by candle's autograd (docs/model.md,
//! "Backpropagation beside the rules").
//!
//! A trial first runs without a graph, and the state is kept every few steps. Then, from the last piece to the first, each
//! piece runs again with a graph, and the gradient of the piece after it is put in at its end. The result is that of one graph
//! over the whole trial, with memory that grows with the square root of its length (Chen et al. 2016), and with recursion no
//! deeper than a piece is long.

mod backward;
mod loss;
mod plan;
mod workers;

use super::memory::{Part, Sizes};
use super::reference::TrialTensors;
use super::{Engine, Ensemble, Episode, Gradients, Record, TrialBatch};
use crate::config::{Config, InputWeights, Loss, Output, Parameters};
use crate::error::{Error, Result};
use crate::model::Weights;
use crate::presets::Setup;
use crate::rules::{RewardBaseline, Source};
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
/// for connections that do not exist. Nothing else of `config.bptt` is read, and the rule is not.
///
/// # Errors
/// Where the task judges what comes of the outputs but gives no [`Task::judged_gradient`].
pub fn gradient(setup: &Setup, weights: &Weights, batch: &TrialBatch, loss: Loss) -> Result<(Tensor, Vec<f64>)> {
    let baseline = RewardBaseline::new(&setup.config.modulator, batch.networks, setup.task.n_types());
    let ensemble = Ensemble { setup, shape: setup.shape(), weights, baseline: &baseline, fast_weights: None };
    let workers = Workers::new(plan::piece_steps(setup.task.steps()))?;
    let (episode, losses) = backpropagate(&ensemble, batch, loss, &["w_rec"], &workers)?;
    let means =
        losses.chunks(batch.trials_each).map(|of_network| of_network.iter().sum::<f64>() / batch.trials_each as f64);
    let gradient = episode.gradients.and_then(|mut gradients| gradients.remove("w_rec"));
    Ok((gradient.ok_or_else(|| Error::Bug("there is no gradient of w_rec".into()))?, means.collect()))
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

/// Whether a setup's weights are moved by the gradient of a loss.
pub(super) fn wanted(setup: &Setup) -> bool {
    matches!(setup.rule.source(), Source::Gradient)
}

/// What backpropagation needs of a device's memory beside weights.
pub(super) fn memory(setup: &Setup, sizes: &Sizes) -> Vec<Part> {
    vec![
        Part::new("backpropagation", plan::memory(&setup.config, sizes)),
        Part::new("fast weights", sizes.fast_weights(&setup.config.fast_weights, 1.0)),
        Part::new("trials", sizes.drawn(sizes.t) + sizes.vectors(8.0)),
    ]
}

/// Backpropagation through time: runs trials, and finds the gradient of each network's mean loss over them.
pub(super) struct Gradient {
    workers: Workers,
}

impl Gradient {
    /// For the trials of a setup.
    pub fn new(setup: &Setup) -> Result<Self> {
        Ok(Gradient { workers: Workers::new(plan::piece_steps(setup.task.steps()))? })
    }
}

impl Engine for Gradient {
    fn name(&self) -> &'static str {
        "gradient"
    }

    fn refuses(&self, setup: &Setup, _device: &Device) -> Option<String> {
        (!wanted(setup)).then(|| format!("the rule `{}` needs no gradient", setup.rule.name()))
    }

    fn memory(&self, setup: &Setup, sizes: &Sizes) -> Vec<Part> {
        memory(setup, sizes)
    }

    fn run(&mut self, ensemble: &Ensemble, batch: &TrialBatch, _learn: bool, _record: Record) -> Result<Episode> {
        let config = &ensemble.setup.config;
        let (episode, _) = backpropagate(ensemble, batch, config.bptt.loss, &learning(config), &self.workers)?;
        Ok(episode)
    }
}

/// Runs a batch, shard by shard, and adds the shards' gradients up in their order. Returns the losses `[S, B]` as well.
fn backpropagate(
    ensemble: &Ensemble,
    batch: &TrialBatch,
    loss: Loss,
    wanted: &[&'static str],
    workers: &Workers,
) -> Result<(Episode, Vec<f64>)> {
    let (config, weights) = (&ensemble.setup.config, ensemble.weights);
    let (t, b) = (ensemble.shape.steps, batch.trials_each);
    let pieces = plan::pieces(t, config.bptt.steps, plan::piece_steps(t));
    let shards = plan::shards(config, t, batch.networks, b, weights.w_rec.device());
    let inputs = TrialTensors::new(ensemble, batch)?;
    let done = workers.run(shards.len(), |i| {
        let Shard { networks, trials } = shards[i].clone();
        backward::run(&Job {
            setup: ensemble.setup,
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
) -> Result<(Episode, Vec<f64>)> {
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
    let cat = |of: &dyn Fn(&Done) -> Option<Tensor>, networks: usize| -> candle_core::Result<Tensor> {
        let rows = rows.iter().map(|row| Tensor::cat(&row.iter().filter_map(of).collect::<Vec<_>>(), networks + 1));
        Tensor::cat(&rows.collect::<candle_core::Result<Vec<_>>>()?, networks)
    };
    let first = &done[0].end;
    let named = |name: &'static str, _: &Tensor| {
        let of = |done: &Done| {
            let fast_weights = done.end.fast_weights.iter().flat_map(|h| h.each());
            done.end.state.each().chain(fast_weights).find(|(other, _)| *other == name).map(|(_, t)| t.clone())
        };
        cat(&of, 0)
    };
    let mut gradients = Gradients::new();
    for (k, name) in wanted.iter().enumerate() {
        let sum = |row: &&[Done]| -> candle_core::Result<Tensor> {
            row[1..].iter().try_fold(row[0].gradients[k].clone(), |sum, done| sum + &done.gradients[k])
        };
        let sums = rows.iter().map(sum).collect::<candle_core::Result<Vec<_>>>()?;
        gradients.insert(name, masked(ensemble, name, Tensor::cat(&sums, 0)?)?);
    }
    let mut losses = vec![0.0; batch.networks * batch.trials_each];
    for (shard, done) in shards.iter().zip(&done) {
        let mut of_shard = done.losses.iter();
        for s in shard.networks.clone() {
            let places = s * batch.trials_each + shard.trials.start..s * batch.trials_each + shard.trials.end;
            losses[places].iter_mut().zip(&mut of_shard).for_each(|(place, loss)| *place = *loss);
        }
    }
    let episode = Episode {
        outputs: cat(&|done| Some(done.outputs.clone()), 0)?,
        state: first.state.map(named)?,
        fast_weights: first.fast_weights.as_ref().map(|h| h.map(named)).transpose()?,
        eligibility: None,
        gradients: Some(gradients),
        readout_change: None,
        rates: None,
        activations: None,
    };
    Ok((episode, losses))
}

/// The gradient without what stands for connections that do not exist.
fn masked(ensemble: &Ensemble, name: &str, gradient: Tensor) -> Result<Tensor> {
    let network = &ensemble.setup.config.network;
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
