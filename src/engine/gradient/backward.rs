//! The gradient of one shard: the trials run forwards without a graph, then backwards, piece by piece, with one.

use super::plan::Piece;
use crate::config::Loss;
use crate::engine::loss;
use crate::engine::reference::{Progress, Steps, TrialTensors};
use crate::error::Result;
use crate::model::{Cell, Weights};
use crate::setup::Setup;
use crate::tasks::Trial;
use candle_core::{DType, Device, Tensor, Var};
use std::ops::Range;

/// Some trials of some networks, and the gradient wanted.
pub(super) struct Job<'a> {
    pub setup: &'a Setup,
    /// The weights of these networks.
    pub weights: Weights,
    /// The weights with respect to which the gradient is wanted.
    pub wanted: &'a [&'static str],
    pub inputs: TrialTensors<'a>,
    /// The trials as the task drew them, `[S, B]`.
    pub trials: Vec<&'a Trial>,
    pub pieces: &'a [Piece],
    pub loss: Loss,
    /// The weight of each trial's loss: one over the number of trials per network.
    pub share: f64,
}

/// The results of a shard's trials, and their gradients.
pub(super) struct Done {
    /// z, `[S, B, T, n_out]`.
    pub outputs: Tensor,
    /// The state after the last step.
    pub end: Progress,
    /// The loss of each trial, `[S, B]`.
    pub losses: Tensor,
    /// The gradients of the sum of the losses times `share`, with respect to each wanted weight; zero if nothing
    /// depends on it.
    pub gradients: Vec<Tensor>,
}

/// The gradient that reaches a piece from later ones, with respect to each tensor of its final [`Progress`].
type Carried = Vec<Option<Tensor>>;

pub(super) fn run(job: &Job) -> Result<Done> {
    let cell = |weights: &Weights| Cell::new(&job.setup.config.network, &job.setup.neurons, weights);
    let frozen = cell(&job.weights)?.with_fast_tanh();
    let mut starts = Vec::with_capacity(job.pieces.len());
    let mut outputs = Vec::with_capacity(job.inputs.inputs.dim(0)?);
    let mut at = Steps::from(0, job.setup, &frozen, &job.inputs)?.start()?;
    for piece in job.pieces {
        let (out, end) = walk(job, &frozen, &at, &piece.steps)?;
        starts.push(std::mem::replace(&mut at, end));
        outputs.extend(out);
    }
    let outputs = Tensor::stack(&outputs, 2)?;
    let (losses, slopes) = slopes(job, &outputs)?;

    let mut wanted = Vec::new();
    let weights = job.weights.map(|name, weight| {
        if !job.wanted.contains(&name) {
            return Ok(weight.clone());
        }
        let variable = Var::from_tensor(weight)?.into_inner();
        wanted.push((name, variable.clone(), weight.zeros_like()?));
        Ok(variable)
    })?;
    let cell = cell(&weights)?.with_fast_tanh();
    let mut carried = None;
    for (piece, start) in job.pieces.iter().zip(&starts).rev() {
        let variables = start.map(|tensor| Ok(Var::from_tensor(tensor)?.into_inner()))?;
        let Some(sum) = linear(job, &cell, &variables, piece, &slopes, carried.take())? else { continue };
        // The gradients that candle returns are part of a graph; unless detached, they would be differentiated again.
        let gradients = sum.backward()?;
        for (_, variable, total) in &mut wanted {
            if let Some(gradient) = gradients.get(variable) {
                *total = (&*total + gradient.detach())?;
            }
        }
        if piece.reaches_back {
            carried = Some(variables.each().map(|start| gradients.get(start).map(Tensor::detach)).collect());
        }
    }
    let total = |name: &&'static str| wanted.iter().find(|(wanted, _, _)| wanted == name).map(|(.., sum)| sum.clone());
    Ok(Done { outputs, end: at, losses, gradients: job.wanted.iter().filter_map(total).collect() })
}

/// Runs the steps of a piece and returns their outputs and the state after them.
fn walk(job: &Job, cell: &Cell, start: &Progress, range: &Range<usize>) -> Result<(Vec<Tensor>, Progress)> {
    let mut steps = Steps::from(range.start, job.setup, cell, &job.inputs)?;
    let (mut at, mut outputs) = (start.clone(), Vec::with_capacity(range.len()));
    for step in range.clone() {
        let taken = steps.take(step, &at)?;
        outputs.push(taken.output);
        at = taken.next;
    }
    Ok((outputs, at))
}

/// A scalar with the same gradient as the loss: the outputs times the loss's slopes, plus the last state times the
/// gradient carried to it. `None` if the loss depends on nothing after the piece's start.
fn linear(
    job: &Job,
    cell: &Cell,
    start: &Progress,
    piece: &Piece,
    slopes: &Slopes,
    carried: Option<Carried>,
) -> Result<Option<Tensor>> {
    let scored = piece.steps.clone().any(|step| slopes.scored[step]);
    if !scored && carried.is_none() {
        return Ok(None);
    }
    let (outputs, end) = walk(job, cell, start, &piece.steps)?;
    let mut parts = Vec::new();
    if scored {
        let slopes = slopes.values.narrow(0, piece.steps.start, piece.steps.len())?;
        parts.push((Tensor::stack(&outputs, 0)? * slopes)?.sum_all()?);
    }
    for (end, gradient) in end.each().zip(carried.into_iter().flatten()) {
        if let Some(gradient) = gradient {
            parts.push((end * gradient)?.sum_all()?);
        }
    }
    let mut parts = parts.into_iter();
    let Some(first) = parts.next() else { return Ok(None) };
    Ok(Some(parts.try_fold(first, |sum, part| sum + part)?))
}

/// The gradient with respect to the outputs.
struct Slopes {
    /// `[T, S, B, n_out]`.
    values: Tensor,
    /// Whether any output of a step has a nonzero slope, `[T]`.
    scored: Vec<bool>,
}

/// The loss of each trial, and the slopes, from the outputs `[S, B, T, n_out]`.
fn slopes(job: &Job, outputs: &Tensor) -> Result<(Tensor, Slopes)> {
    let (s, b, t, n_out) = outputs.dims4()?;
    let by_trial: Vec<f64> = outputs.to_device(&Device::Cpu)?.to_dtype(DType::F64)?.flatten_all()?.to_vec1()?;
    let (mut losses, mut gradients, mut scored) = (Vec::new(), Vec::with_capacity(by_trial.len()), vec![false; t]);
    for (trial, outputs) in job.trials.iter().zip(by_trial.chunks_exact(t * n_out)) {
        let (loss, gradient) = loss::trial_loss(&job.setup.task, trial, outputs, job.loss)?;
        losses.push(loss);
        for (scored, gradient) in scored.iter_mut().zip(gradient.chunks_exact(n_out)) {
            *scored |= gradient.iter().any(|slope| *slope != 0.0);
        }
        gradients.extend(gradient.into_iter().map(|slope| slope * job.share));
    }
    let values = Tensor::from_vec(gradients, (s, b, t, n_out), &Device::Cpu)?.permute((2, 0, 1, 3))?.contiguous()?;
    let losses = Tensor::from_vec(losses, (s, b), &Device::Cpu)?;
    Ok((losses, Slopes { values: values.to_dtype(outputs.dtype())?.to_device(outputs.device())?, scored }))
}
