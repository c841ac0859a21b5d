//! A batch of trials as tensors: all that a run of them reads beside the weights.

use crate::config::ModulatorSource;
use crate::engine::{DrawnTrial, Ensemble, Exact, Perturbation, TrialBatch};
use crate::model::FastWeights;
use crate::tasks::{ErrorMeasure, TrialShape};
use candle_core::{Result, Tensor};
use std::ops::Range;

/// A batch of trials as tensors. T steps, S networks, B trials.
pub struct TrialTensors<'a> {
    /// u, `[T, S, B, n_in]`.
    pub inputs: Tensor,
    /// x(0), `[S, B, N]`.
    pub x0: Tensor,
    /// m(t) of the fast weights, `[T, S, B]`; `None`: 1.
    pub modulator: Option<Tensor>,
    /// The fast weights at the start; `None`: zero.
    pub fast_weights: Option<FastWeights>,
    /// What is needed to judge outputs while the trial runs.
    pub scoring: Scoring,
    /// The exploratory perturbations of each trial, `[S, B]` lists ordered by step; empty: none.
    pub perturbations: Vec<&'a [Perturbation]>,
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

impl<'a> TrialTensors<'a> {
    /// Puts a batch on the networks' device, with the fast weights that it starts from.
    ///
    /// # Errors
    /// Where the device fails.
    pub fn new(ensemble: &Ensemble, batch: &'a TrialBatch) -> Result<Self> {
        let (s, b, n) = (batch.networks, batch.trials_each, ensemble.setup.config.network.neurons);
        let (dtype, device) = (ensemble.weights.w_rec.dtype(), ensemble.weights.w_rec.device());
        let TrialShape { steps: t, n_in, n_out, measure } = ensemble.shape;
        let tensor = |values: Vec<f32>, shape: &[usize]| Tensor::from_vec(values, shape, device)?.to_dtype(dtype);
        let by_step = |width: usize, of: &dyn Fn(&'a DrawnTrial) -> &'a [f32]| {
            let rows: Vec<&[f32]> = batch.drawn.iter().map(of).collect();
            tensor(steps_first(t, width, &rows), &[t, s, b, width])
        };
        let noise = |width: usize, of: fn(&DrawnTrial) -> &[f32]| {
            let there = batch.drawn.iter().any(|d| !of(d).is_empty());
            there.then(|| by_step(width, &of)).transpose()
        };
        let scored = (0..t).flat_map(|step| batch.drawn.iter().map(move |d| f32::from(u8::from(d.trial.scored[step]))));
        let expected = |(i, d): (usize, &DrawnTrial)| ensemble.baseline.expectation(i / b, d.trial.trial_type) as f32;
        let scoring = Scoring {
            targets: by_step(n_out, &|d| &d.trial.targets)?,
            scored: tensor(scored.collect(), &[t, s, b])?,
            measure,
            expected_error: tensor(batch.drawn.iter().enumerate().map(expected).collect(), &[s, b])?,
        };
        let modulated = ensemble.setup.config.fast_weights.modulator == ModulatorSource::Task
            && batch.drawn.iter().any(|d| d.trial.modulator.is_some());
        let ones = vec![1.0; t];
        let (inputs, modulator, x0) = match &batch.exact {
            Some(Exact { inputs, modulator, x0 }) => (inputs.clone(), modulator.clone(), x0.clone()),
            None => {
                let modulator = |d: &'a DrawnTrial| d.trial.modulator.as_deref();
                let rows: Vec<&[f32]> = batch.drawn.iter().map(|d| modulator(d).unwrap_or(&ones)).collect();
                (
                    by_step(n_in, &|d| &d.trial.inputs)?,
                    modulated.then(|| tensor(steps_first(t, 1, &rows), &[t, s, b])).transpose()?,
                    tensor(batch.drawn.iter().flat_map(|d| d.x0.iter().copied()).collect(), &[s, b, n])?,
                )
            }
        };
        Ok(TrialTensors {
            inputs,
            x0,
            modulator,
            fast_weights: ensemble.fast_weights.clone(),
            scoring,
            perturbations: batch.drawn.iter().map(|d| d.perturbations.as_slice()).collect(),
            readout_noise: noise(n_out, |d| &d.readout_noise)?,
            private_noise: noise(n, |d| &d.private_noise)?,
        })
    }

    /// Those of some networks' trials, counted within the batch.
    pub(crate) fn part(&self, networks: Range<usize>, trials: Range<usize>) -> Result<Self> {
        let b = self.x0.dim(1)?;
        // Networks are dimension `first`, trials the one after it.
        let cut = |tensor: &Tensor, first: usize| {
            tensor
                .narrow(first, networks.start, networks.len())?
                .narrow(first + 1, trials.start, trials.len())?
                .contiguous()
        };
        let maybe = |tensor: &Option<Tensor>, first| tensor.as_ref().map(|tensor| cut(tensor, first)).transpose();
        Ok(TrialTensors {
            inputs: cut(&self.inputs, 1)?,
            x0: cut(&self.x0, 0)?,
            modulator: maybe(&self.modulator, 1)?,
            fast_weights: self.fast_weights.as_ref().map(|h| h.map(|_, tensor| cut(tensor, 0))).transpose()?,
            scoring: Scoring {
                targets: cut(&self.scoring.targets, 1)?,
                scored: cut(&self.scoring.scored, 1)?,
                measure: self.scoring.measure,
                expected_error: cut(&self.scoring.expected_error, 0)?,
            },
            perturbations: (networks.clone())
                .flat_map(|s| &self.perturbations[s * b + trials.start..s * b + trials.end])
                .copied()
                .collect(),
            readout_noise: maybe(&self.readout_noise, 1)?,
            private_noise: maybe(&self.private_noise, 1)?,
        })
    }
}

/// From one `[T, width]` for each trial to `[T, trials, width]`.
fn steps_first(t: usize, width: usize, trials: &[&[f32]]) -> Vec<f32> {
    (0..t).flat_map(|step| trials.iter().flat_map(move |of| &of[step * width..(step + 1) * width])).copied().collect()
}
