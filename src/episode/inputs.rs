//! A drawn batch of trials as tensors: all that a run of them reads beside the weights.

use crate::batch::{DrawnTrial, Kick, TrialBatch};
use crate::config::{Config, TraceModulator};
use crate::modulator::Modulator;
use crate::task::{ErrorMeasure, Task};
use crate::trace::TraceState;
use candle_core::{DType, Device, Result, Tensor};
use std::ops::Range;

/// A batch of trials as tensors. T steps, S networks, B trials.
pub struct EpisodeInputs<'a> {
    /// u, `[T, S, B, n_in]`.
    pub inputs: Tensor,
    /// x(0), `[S, B, N]`.
    pub x0: Tensor,
    /// m(t) of the trace, `[T, S, B]`; `None`: 1.
    pub modulator: Option<Tensor>,
    /// The trace at the start; `None`: zero.
    pub trace: Option<TraceState>,
    /// What is needed to judge outputs while the trial runs.
    pub scoring: Option<Scoring>,
    /// The exploratory perturbations of each trial, `[S, B]` lists ordered by step; empty: none.
    pub kicks: Vec<&'a [Kick]>,
    /// Noise on the readout, `[T, S, B, n_out]`.
    pub readout_noise: Option<Tensor>,
    /// The neurons' private noise, `[T, S, B, N]`.
    pub private_noise: Option<Tensor>,
}

/// Targets and what is expected.
pub struct Scoring {
    /// `[T, S, B, n_out]`.
    pub targets: Tensor,
    /// `[T, S, B]`, 1 where the output is judged, else 0.
    pub scored: Tensor,
    /// How.
    pub measure: ErrorMeasure,
    /// Ē of each trial's type, `[S, B]`: R̄ starts from its negative.
    pub expected_error: Tensor,
}

impl Scoring {
    /// target − output for `output` `[S, B, n_out]`; 0 where the step is not scored.
    pub(super) fn difference(&self, step: usize, output: &Tensor) -> Result<Tensor> {
        (self.targets.get(step)? - output)?.broadcast_mul(&self.scored.get(step)?.unsqueeze(2)?)
    }
}

/// The sizes of a trial, and how its outputs are judged.
#[derive(Clone, Copy, Debug)]
pub struct TrialShape {
    /// T.
    pub steps: usize,
    /// Number of inputs.
    pub n_in: usize,
    /// Number of outputs.
    pub n_out: usize,
    /// How outputs are compared with targets.
    pub measure: ErrorMeasure,
}

impl TrialShape {
    /// That of the trials of a task.
    pub fn of(task: &dyn Task) -> Self {
        TrialShape { steps: task.steps(), n_in: task.n_in(), n_out: task.n_out(), measure: task.measure() }
    }
}

impl<'a> EpisodeInputs<'a> {
    /// Puts a drawn batch on a device.
    pub fn new(
        batch: &'a TrialBatch,
        config: &Config,
        shape: TrialShape,
        modulator: &Modulator,
        dtype: DType,
        device: &Device,
    ) -> Result<Self> {
        let (s, b) = (batch.networks, batch.trials_each);
        let TrialShape { steps: t, n_in, n_out, measure } = shape;
        let tensor = |values: Vec<f32>, shape: &[usize]| Tensor::from_vec(values, shape, device)?.to_dtype(dtype);
        let trial = |i: usize| &batch.drawn[i].trial;
        let scored =
            (0..t).flat_map(|step| (0..s * b).map(move |i| f32::from(u8::from(trial(i).scored[step])))).collect();
        let expected = (0..s * b).map(|i| modulator.expectation(i / b, trial(i).trial_type) as f32).collect();
        let scoring = Scoring {
            targets: tensor(steps_first(t, n_out, (0..s * b).map(|i| &trial(i).targets[..])), &[t, s, b, n_out])?,
            scored: tensor(scored, &[t, s, b])?,
            measure,
            expected_error: tensor(expected, &[s, b])?,
        };
        let modulated =
            config.trace.modulator == TraceModulator::Task && batch.drawn.iter().any(|d| d.trial.modulator.is_some());
        let ones = vec![1.0; t];
        let n = config.network.neurons;
        let noise = |width: usize, of: fn(&DrawnTrial) -> &[f32]| {
            let there = batch.drawn.iter().any(|d| !of(d).is_empty());
            there.then(|| tensor(steps_first(t, width, batch.drawn.iter().map(of)), &[t, s, b, width])).transpose()
        };
        Ok(EpisodeInputs {
            inputs: tensor(steps_first(t, n_in, (0..s * b).map(|i| &trial(i).inputs[..])), &[t, s, b, n_in])?,
            x0: tensor(batch.drawn.iter().flat_map(|d| d.x0.iter().copied()).collect(), &[s, b, n])?,
            modulator: modulated
                .then(|| {
                    tensor(
                        steps_first(t, 1, (0..s * b).map(|i| trial(i).modulator.as_deref().unwrap_or(&ones))),
                        &[t, s, b],
                    )
                })
                .transpose()?,
            trace: None,
            scoring: Some(scoring),
            kicks: batch.drawn.iter().map(|d| d.kicks.as_slice()).collect(),
            readout_noise: noise(n_out, |d| &d.readout_noise)?,
            private_noise: noise(n, |d| &d.private_noise)?,
        })
    }

    /// Those of some networks' trials, counted within the batch.
    pub(crate) fn part(&self, networks: Range<usize>, trials: Range<usize>) -> Result<EpisodeInputs<'a>> {
        let b = self.x0.dim(1)?;
        // Networks are dimension `first`, trials the one after it.
        let cut = |tensor: &Tensor, first: usize| {
            tensor
                .narrow(first, networks.start, networks.len())?
                .narrow(first + 1, trials.start, trials.len())?
                .contiguous()
        };
        let maybe = |tensor: &Option<Tensor>, first| tensor.as_ref().map(|tensor| cut(tensor, first)).transpose();
        let scoring = |scoring: &Scoring| -> Result<Scoring> {
            Ok(Scoring {
                targets: cut(&scoring.targets, 1)?,
                scored: cut(&scoring.scored, 1)?,
                measure: scoring.measure,
                expected_error: cut(&scoring.expected_error, 0)?,
            })
        };
        Ok(EpisodeInputs {
            inputs: cut(&self.inputs, 1)?,
            x0: cut(&self.x0, 0)?,
            modulator: maybe(&self.modulator, 1)?,
            trace: self.trace.as_ref().map(|trace| trace.map(|tensor| cut(tensor, 0))).transpose()?,
            scoring: self.scoring.as_ref().map(scoring).transpose()?,
            kicks: (networks.clone())
                .flat_map(|s| &self.kicks[s * b + trials.start..s * b + trials.end])
                .copied()
                .collect(),
            readout_noise: maybe(&self.readout_noise, 1)?,
            private_noise: maybe(&self.private_noise, 1)?,
        })
    }
}

/// From one `[T, width]` for each trial to `[T, trials, width]`.
fn steps_first<'a>(t: usize, width: usize, trials: impl Iterator<Item = &'a [f32]> + Clone) -> Vec<f32> {
    (0..t).flat_map(|step| trials.clone().flat_map(move |of| &of[step * width..(step + 1) * width])).copied().collect()
}
