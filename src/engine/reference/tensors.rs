//! A batch of trials as tensors.

use crate::config::{ModulatorSource, RewardConfig};
use crate::engine::{DensePerturbation, DrawnTrial, Ensemble, Exact, Perturbation, TrialBatch};
use crate::model::FastWeights;
use crate::tasks::{ErrorMeasure, TrialShape};
use candle_core::{Result, Tensor};
use std::ops::Range;

/// Everything that a run of trials reads besides the weights: T steps, S networks, B trials.
#[non_exhaustive]
pub struct TrialTensors<'a> {
    /// The inputs u, `[T, S, B, n_in]`.
    pub inputs: Tensor,
    /// The initial activations x(0), `[S, B, N]`.
    pub x0: Tensor,
    /// The modulator m(t) of the fast weights, `[T, S, B]`; `None` means 1.
    pub modulator: Option<Tensor>,
    /// The fast weights at the start; `None` if zero.
    pub fast_weights: Option<FastWeights>,
    /// 1 until a trial ends, then 0, `[T, S, B]`; `None` if no trial ends early.
    pub alive: Option<Tensor>,
    /// The data from which the error of each step is computed.
    pub scoring: Scoring,
    /// The perturbations of each trial, `[S, B]` lists ordered by step.
    pub perturbations: Vec<&'a [Perturbation]>,
    /// Gaussian perturbations of each trial, `[S, B]`; empty if there are none.
    pub dense: Vec<DensePerturbation>,
    /// Noise on the readout, `[T, S, B, n_out]`.
    pub readout_noise: Option<Tensor>,
    /// The neurons' private noise, `[T, S, B, N]`.
    pub private_noise: Option<Tensor>,
}

/// The targets and the expected error.
#[non_exhaustive]
pub struct Scoring {
    /// The targets, `[T, S, B, n_out]`.
    pub targets: Tensor,
    /// 1 where the output is scored, otherwise 0; `[T, S, B]`.
    pub scored: Tensor,
    /// How outputs are compared with targets.
    pub measure: ErrorMeasure,
    /// Ē of each trial's type, `[S, B]`; R̄ starts at its negative.
    pub expected_error: Tensor,
}

impl Scoring {
    /// target − output for `output` `[S, B, n_out]`; 0 if the step is not scored.
    pub(super) fn difference(&self, step: usize, output: &Tensor) -> Result<Tensor> {
        (self.targets.get(step)? - output)?.broadcast_mul(&self.scored.get(step)?.unsqueeze(2)?)
    }

    /// R − R̄ at a step, `[S, B]`, and R̄ after it, for `output` `[S, B, n_out]` and R̄ before it. The reward R is the
    /// negative of the step's error; R̄ is a running mean within the trial. If the step is not scored, the difference
    /// is 0 and R̄ stays the same. A binary modulator is 1 if R > R̄, otherwise 0.
    pub(super) fn reward_change(
        &self,
        modulator: &RewardConfig,
        step: usize,
        output: &Tensor,
        mean: &Tensor,
    ) -> Result<(Tensor, Tensor)> {
        let difference = (output - self.targets.get(step)?)?;
        let error = match self.measure {
            ErrorMeasure::Absolute => difference.abs()?,
            ErrorMeasure::Squared => difference.sqr()?,
            // Not of trials that run here.
            ErrorMeasure::Return => difference.zeros_like()?,
        };
        let reward = error.mean(2)?.neg()?;
        let change = ((reward - mean)? * self.scored.get(step)?)?;
        let mean = (mean + (&change * (1.0 - modulator.reward_decay))?)?;
        if modulator.binary {
            return Ok((change.gt(0.0)?.to_dtype(change.dtype())?, mean));
        }
        Ok((change, mean))
    }
}

impl<'a> TrialTensors<'a> {
    /// Copies some trials of some networks of a batch to the networks' device, with the fast weights they start from.
    ///
    /// # Errors
    /// If the device fails.
    pub fn new(
        ensemble: &Ensemble,
        batch: &'a TrialBatch,
        networks: Range<usize>,
        trials: Range<usize>,
    ) -> Result<Self> {
        let (s, b, n) = (networks.len(), trials.len(), ensemble.setup.config.network.neurons);
        let (dtype, device) = (ensemble.weights.w_rec.dtype(), ensemble.weights.w_rec.device());
        let TrialShape { steps: t, n_in, n_out, measure } = ensemble.shape;
        let drawn = batch.part(&networks, &trials, &batch.drawn);
        // The part of a whole-batch tensor that belongs to these networks (dimension `first`) and trials (the next
        // dimension).
        let part = |tensor: &Tensor, first: usize| {
            let networks = tensor.narrow(first, networks.start, s)?;
            networks.narrow(first + 1, trials.start, b)?.contiguous()
        };
        let tensor = |values: Vec<f32>, shape: &[usize]| Tensor::from_vec(values, shape, device)?.to_dtype(dtype);
        let by_step = |width: usize, list: &dyn Fn(&'a DrawnTrial) -> &'a [f32]| {
            let rows: Vec<&[f32]> = drawn.iter().map(|d| list(d)).collect();
            tensor(steps_first(t, width, &rows), &[t, s, b, width])
        };
        let noise = |width: usize, list: fn(&DrawnTrial) -> &[f32]| {
            drawn.iter().any(|d| !list(d).is_empty()).then(|| by_step(width, &list)).transpose()
        };
        let scored = (0..t).flat_map(|step| drawn.iter().map(move |d| f32::from(u8::from(d.trial.scored[step]))));
        let alive = (0..t).flat_map(|step| drawn.iter().map(move |d| f32::from(u8::from(step < d.ends))));
        let early = drawn.iter().any(|d| d.ends < t);
        let expected = ensemble.expected_errors(batch);
        let expected = batch.part(&networks, &trials, &expected).into_iter().copied();
        let scoring = Scoring {
            targets: by_step(n_out, &|d| &d.trial.targets)?,
            scored: tensor(scored.collect(), &[t, s, b])?,
            measure,
            expected_error: tensor(expected.collect(), &[s, b])?,
        };
        let (inputs, modulator, x0) = match &batch.exact {
            Some(Exact { inputs, modulator, x0 }) => {
                (part(inputs, 1)?, modulator.as_ref().map(|m| part(m, 1)).transpose()?, part(x0, 0)?)
            }
            None => (
                by_step(n_in, &|d| &d.trial.inputs)?,
                modulator(ensemble, &drawn).map(|m| tensor(m, &[t, s, b])).transpose()?,
                tensor(drawn.iter().flat_map(|d| d.x0.iter().copied()).collect(), &[s, b, n])?,
            ),
        };
        Ok(TrialTensors {
            alive: early.then(|| tensor(alive.collect(), &[t, s, b])).transpose()?,
            inputs,
            x0,
            modulator,
            fast_weights: ensemble.fast_weights.as_ref().map(|h| h.map(|_, h| part(h, 0))).transpose()?,
            scoring,
            perturbations: drawn.iter().map(|d| d.perturbations.as_slice()).collect(),
            dense: drawn.iter().filter_map(|d| d.dense).collect(),
            readout_noise: noise(n_out, |d| &d.readout_noise)?,
            private_noise: noise(n, |d| &d.private_noise)?,
        })
    }
}

/// The task's m(t), `[T, trials]`; `None` if the fast weights do not read it or no trial has one.
fn modulator(ensemble: &Ensemble, drawn: &[&DrawnTrial]) -> Option<Vec<f32>> {
    let read = ensemble.setup.config.fast_weights.modulator == ModulatorSource::Task
        && drawn.iter().any(|d| d.trial.modulator.is_some());
    let ones = vec![1.0; ensemble.shape.steps];
    let rows = || drawn.iter().map(|d| d.trial.modulator.as_deref().unwrap_or(&ones)).collect::<Vec<_>>();
    read.then(|| steps_first(ones.len(), 1, &rows()))
}

/// Rearranges one `[T, width]` per trial into `[T, trials, width]`.
fn steps_first(t: usize, width: usize, trials: &[&[f32]]) -> Vec<f32> {
    (0..t).flat_map(|step| trials.iter().flat_map(move |of| &of[step * width..(step + 1) * width])).copied().collect()
}
