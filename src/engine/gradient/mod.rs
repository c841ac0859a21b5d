//! Backpropagation through time: the exact gradient, as a benchmark for the learning rules (docs/model.md,
//! "Backpropagation beside the rules"). The fused CPU engine computes it where it can (`cpu/adjoint.rs`). Everywhere else, candle's
//! autograd computes it here; the fused version is tested against this one.
//!
//! A trial first runs without a graph, saving the state every few steps. Then, from the last piece to the first, each
//! piece runs again with a graph, and the gradient from the following piece enters at its end. The result equals that
//! of one graph over the whole trial, but memory grows only with the square root of the trial's length (Chen et al.
//! 2016), and the depth of recursion is limited by the length of a piece.

mod backward;
mod plan;
mod reinforce;
mod workers;

use super::memory::{Part, Sizes};
use super::reference::TrialTensors;

use super::{adjoint, forward, Concern, Engine, Ensemble, Episode, Gradients, Record, Refusal, TrialBatch};
use crate::config::{Config, InputWeights, Loss, Output, Parameters};
use crate::error::{Error, Result};
use crate::model::Weights;
use crate::rules::RewardBaseline;
use crate::setup::Setup;
use crate::tasks::Episodes;
use backward::{Done, Job};
use candle_core::{Device, Tensor};
use plan::Shard;
use workers::Workers;

/// The gradient of each network's mean loss over the trials of `batch` with respect to its `w_rec`, `[S, N, N]` (post,
/// pre), and the mean losses, `[S]`.
///
/// The loss of a trial is the mean over scored steps and outputs of (output − target)², or, with [`Loss::Task`], of the
/// task's own measure. The perturbations and noise of the batch are constants. Fast weights start at zero and are
/// differentiated through. The gradient reaches back through the whole trial, or as far as `config.bptt.steps` allows;
/// it is 0 for connections that do not exist. No other key of `config.bptt` is read, and neither is the rule.
///
/// # Errors
/// [`Error::Usage`] if what the task scores is derived from the outputs and it has no
/// [`judged_gradient`](crate::Task::judged_gradient).
pub fn gradient(setup: &Setup, weights: &Weights, batch: &TrialBatch, loss: Loss) -> Result<(Tensor, Vec<f64>)> {
    let baseline = RewardBaseline::new(&setup.config, batch.networks, setup.task.n_types());
    let ensemble =
        Ensemble { setup, shape: setup.shape(), weights, baseline: &baseline, trials: 0, fast_weights: None };
    let (episode, losses) = Gradient::new(setup)?.backpropagate(&ensemble, batch, loss, &["w_rec"])?;
    let mean = |losses: &Vec<f64>| losses.iter().sum::<f64>() / batch.trials_each as f64;
    let gradient = episode.gradients.and_then(|mut gradients| gradients.remove("w_rec"));
    let gradient = gradient.ok_or_else(|| Error::Bug("there is no gradient of w_rec".into()))?;
    Ok((gradient, losses.to_vec2()?.iter().map(mean).collect()))
}

/// The names of the weights that learn.
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

/// The parts of the device memory that backpropagation needs besides the weights.
pub(super) fn memory(setup: &Setup, sizes: &Sizes) -> Vec<Part> {
    if adjoint::refuses(setup, sizes.device).is_none() {
        return adjoint::memory(sizes);
    }
    vec![
        Part::new("backpropagation", plan::memory(&setup.config, sizes)),
        Part::new("fast weights", sizes.fast_weights(&setup.config.fast_weights, 1.0)),
        Part::new("trials", sizes.drawn(sizes.t) + sizes.vectors(8.0)),
    ]
}

/// The engine that runs trials and computes the gradient of each network's mean loss over them.
pub(super) struct Gradient(Workers);

impl Gradient {
    /// For the trials of a setup.
    pub fn new(setup: &Setup) -> Result<Self> {
        Ok(Gradient(Workers::new(plan::piece_steps(setup.task.steps()))?))
    }

    /// Runs a batch, shard by shard, and sums the gradients with respect to the `wanted` weights in the order of the
    /// shards. Also returns the losses `[S, B]`. The fused adjoint is used where it can, otherwise candle's graph.
    fn backpropagate(
        &self,
        ensemble: &Ensemble,
        batch: &TrialBatch,
        loss: Loss,
        wanted: &[&'static str],
    ) -> Result<(Episode, Tensor)> {
        let (config, weights) = (&ensemble.setup.config, ensemble.weights);
        let (t, b) = (ensemble.shape.steps, batch.trials_each);
        let device = weights.w_rec.device();
        if ensemble.fast_weights.is_none() && adjoint::refuses(ensemble.setup, device).is_none() {
            let (mut episode, losses) = adjoint::backpropagate(ensemble, batch, loss, wanted)?;
            for (name, gradient) in episode.gradients.iter_mut().flatten() {
                *gradient = masked(ensemble, name, gradient.clone())?;
            }
            return Ok((episode, losses));
        }
        let pieces = plan::pieces(t, config.bptt.steps, plan::piece_steps(t));
        let shards = plan::shards(config, t, batch.networks, b, device);
        let done = self.0.run(shards.len(), |i| {
            let Shard { networks, trials } = shards[i].clone();
            let drawn = batch.part(&networks, &trials, &batch.drawn);
            backward::run(&Job {
                setup: ensemble.setup,
                weights: weights.map(|_, weight| weight.narrow(0, networks.start, networks.len())?.contiguous())?,
                wanted,
                inputs: TrialTensors::new(ensemble, batch, networks, trials)?,
                trials: drawn.into_iter().map(|drawn| &drawn.trial).collect(),
                pieces: &pieces,
                loss,
                share: 1.0 / b as f64,
            })
        })?;
        // Shards of the same networks are adjacent.
        let of_the_first = shards.iter().filter(|shard| shard.networks == shards[0].networks).count();
        join(ensemble, wanted, &done.chunks(of_the_first).collect::<Vec<_>>())
    }
}

impl Gradient {
    /// Runs the episodes of a batch and finds the gradient of their returns.
    fn reinforce(&self, ensemble: &Ensemble, episodes: &Episodes, batch: &TrialBatch) -> Result<Episode> {
        let (setup, device) = (ensemble.setup, ensemble.weights.w_rec.device());
        let record = Record { episodes: true, ..Record::default() };
        let unfolded = forward(setup, device).run(ensemble, batch, false, record)?;
        let trajectories = unfolded.trajectories.unwrap_or_default();
        let (trials, shape) = reinforce::replayed(ensemble, episodes, batch, &trajectories);
        let fast_weights = ensemble.fast_weights.clone();
        let ensemble = Ensemble { shape, fast_weights, ..*ensemble };
        let (backward, _) = self.backpropagate(&ensemble, &trials, Loss::Squared, &learning(&setup.config))?;
        Ok(Episode {
            gradients: backward.gradients,
            trajectories: Some(trajectories),
            ..Episode::new(unfolded.outputs, unfolded.state)
        })
    }
}

impl Engine for Gradient {
    fn refuses(&self, setup: &Setup, _device: &Device) -> Option<Refusal> {
        let reason = || format!("the rule `{}` needs no gradient", setup.rule.name());
        (!setup.follows_gradient()).then(|| Refusal::new(Concern::Setup, reason()))
    }

    fn memory(&self, setup: &Setup, sizes: &Sizes) -> Vec<Part> {
        memory(setup, sizes)
    }

    fn run(&mut self, ensemble: &Ensemble, batch: &TrialBatch, _learn: bool, _record: Record) -> Result<Episode> {
        let config = &ensemble.setup.config;
        if let Some(episodes) = batch.episodes(&ensemble.setup.task) {
            return self.reinforce(ensemble, episodes, batch);
        }
        Ok(self.backpropagate(ensemble, batch, config.bptt.loss, &learning(config))?.0)
    }
}

/// Joins the results of shards. The shards of a row have the same networks but different trials.
fn join(ensemble: &Ensemble, wanted: &[&'static str], rows: &[&[Done]]) -> Result<(Episode, Tensor)> {
    let cat = |find: &dyn Fn(&Done) -> Option<Tensor>| -> candle_core::Result<Tensor> {
        let rows = rows.iter().map(|row| Tensor::cat(&row.iter().filter_map(find).collect::<Vec<_>>(), 1));
        Tensor::cat(&rows.collect::<candle_core::Result<Vec<_>>>()?, 0)
    };
    let named = |name: &'static str, _: &Tensor| {
        cat(&|done| {
            let fast_weights = done.end.fast_weights.iter().flat_map(|h| h.each());
            done.end.state.each().chain(fast_weights).find(|(other, _)| *other == name).map(|(_, t)| t.clone())
        })
    };
    let mut gradients = Gradients::new();
    for (k, name) in wanted.iter().enumerate() {
        let sum = |row: &&[Done]| -> candle_core::Result<Tensor> {
            row[1..].iter().try_fold(row[0].gradients[k].clone(), |sum, done| sum + &done.gradients[k])
        };
        let sums = rows.iter().map(sum).collect::<candle_core::Result<Vec<_>>>()?;
        gradients.insert(name, masked(ensemble, name, Tensor::cat(&sums, 0)?)?);
    }
    let end = &rows[0][0].end;
    let episode = Episode {
        fast_weights: end.fast_weights.as_ref().map(|h| h.map(named)).transpose()?,
        gradients: Some(gradients),
        ..Episode::new(cat(&|done| Some(done.outputs.clone()))?, end.state.map(named)?)
    };
    Ok((episode, cat(&|done| Some(done.losses.clone()))?))
}

/// The gradient, set to 0 for connections that do not exist.
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
