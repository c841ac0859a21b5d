//! What the kernels read and write, as tensors in device memory.

use super::machine::address;
use super::params::{Address, Params};
use crate::config::{Config, FastWeightsConfig, FastWeightsForm, Output, Stage};
use crate::engine::{DrawnTrial, Ensemble, Record, TrialBatch};
use crate::model::{FastWeights, Transfer};
use candle_core::{DType, Device, Result, Tensor};
use rayon::prelude::*;

/// Tensors that are kept until the last kernel has been started: memory is freed in the order of the same stream.
pub(super) struct Memory {
    device: Device,
    kept: Vec<Tensor>,
}

/// What the driver reads again when all steps are done. P = S · B.
pub(super) struct State {
    /// `[S, B, N]`.
    pub x: Tensor,
    /// `[S, B, N]`.
    pub r: Tensor,
    /// `[P, T, n_out]`.
    pub outputs: Tensor,
    /// Rates and activations of every step `[P, T, N]`, where they are recorded.
    pub rates: Option<Tensor>,
    pub activations: Option<Tensor>,
    /// The Hebbian trace.
    pub trace: Option<Trace>,
    /// Changes of w_out `[S, B, n_out, N]` and b_out `[S, B, n_out]`.
    pub readout_change: Option<(Tensor, Tensor)>,
}

/// The Hebbian traces of all trials.
pub(super) enum Trace {
    /// H, and e of the retroactive form: `[S, B, N pre, N post]`.
    Matrix(FastWeights),
    /// What was added to H.
    List {
        /// a of each change, `[S, B, L, N]`.
        post: Tensor,
        /// b of each change, `[S, B, N, L]`.
        pre: Tensor,
        /// What each change counts for, `[S, B, L]`.
        weight: Tensor,
        /// The H that the trials began with, `[S, B, N post, N pre]`; `None`: zero.
        given: Option<Tensor>,
    },
}

/// What is left, after so many changes, of the H before them, where all of it fades alike.
pub(super) fn kept(trace: &FastWeightsConfig, changes: usize) -> f32 {
    let each = match trace.stage {
        Stage::Hebb | Stage::Outer => 0.0,
        Stage::Decay | Stage::Modulated => 1.0 - trace.eta,
        Stage::None | Stage::Accumulate | Stage::Oja | Stage::Retroactive => 1.0,
    };
    each.powi(changes as i32) as f32
}

impl Trace {
    /// H after the last step, indexed [post, pre] as everywhere else; `kept` is what is left of the H that a list began with.
    pub fn finish(self, kept: f32) -> Result<FastWeights> {
        match self {
            Trace::Matrix(trace) => trace.map(|_, h| h.transpose(2, 3)?.contiguous()),
            Trace::List { post, pre, weight, given } => {
                let added = {
                    let post = post.broadcast_mul(&weight.unsqueeze(3)?)?;
                    post.transpose(2, 3)?.contiguous()?.matmul(&pre.transpose(2, 3)?.contiguous()?)?
                };
                drop((post, pre, weight));
                let h = given.map_or(Ok(added.clone()), |given| added + (given * f64::from(kept))?)?;
                Ok(FastWeights { h, eligibility: None })
            }
        }
    }
}

impl Memory {
    pub fn new(device: &Device) -> Self {
        Memory { device: device.clone(), kept: Vec::new() }
    }

    /// Keeps a tensor; its memory is then the kernels' to use.
    pub fn keep(&mut self, tensor: Tensor) -> Result<Address> {
        let address = address(&tensor)?;
        self.kept.push(tensor);
        Ok(address)
    }

    fn upload<T: candle_core::WithDType>(&mut self, mut values: Vec<T>) -> Result<Address> {
        if values.is_empty() {
            // Not every device can hold nothing.
            values.push(T::zero());
        }
        let len = values.len();
        self.keep(Tensor::from_vec(values, len, &self.device)?)
    }

    fn zeros(&mut self, shape: &[usize]) -> Result<(Tensor, Address)> {
        let tensor = Tensor::zeros(shape, DType::F32, &self.device)?;
        Ok((tensor.clone(), self.keep(tensor)?))
    }

    /// Puts the weights and the state that the trials begin with on the device, makes room for their results, and puts all
    /// addresses into `params`.
    pub fn fill(
        &mut self,
        params: &mut Params,
        ensemble: &Ensemble,
        batch: &TrialBatch,
        record: Record,
    ) -> Result<State> {
        self.weights(params, ensemble)?;
        self.state(params, ensemble, batch, record)
    }

    fn weights(&mut self, params: &mut Params, ensemble: &Ensemble) -> Result<()> {
        let (weights, network) = (ensemble.weights, &ensemble.setup.config.network);
        let mut given = |tensor: &Tensor| self.keep(tensor.contiguous()?);
        params.w_rec = given(&weights.w_rec)?;
        params.w_in = given(&weights.w_in)?;
        for (address, tensor) in [
            (&mut params.b_rec, &weights.b_rec),
            (&mut params.w_out, &weights.w_out),
            (&mut params.b_out, &weights.b_out),
        ] {
            *address = tensor.as_ref().map_or(Ok(0), &mut given)?;
        }
        let (free, held) = clamp(&ensemble.setup.config);
        params.free = self.upload(free)?;
        params.held = self.upload(held)?;
        let neurons = network.output_neurons.iter().map(|&neuron| neuron as u32).collect();
        params.output_neurons = self.upload::<u32>(if network.output == Output::Neurons { neurons } else { vec![] })?;
        Ok(())
    }

    fn state(&mut self, params: &mut Params, ensemble: &Ensemble, batch: &TrialBatch, record: Record) -> Result<State> {
        let (s, b, n) = (batch.networks, batch.trials_each, params.neurons as usize);
        let (t, n_out) = (params.steps as usize, params.n_out as usize);
        let (free, held) = clamp(&ensemble.setup.config);
        let transfer = Transfer::new(&ensemble.setup.config.network);
        let x0 = rows(batch, n, |d, row| (0..n).for_each(|i| row[i] = d.x0[i] * free[i] + held[i]));
        let r0 = rows(batch, n, |d, row| (0..n).for_each(|i| row[i] = transfer.single(d.x0[i] * free[i] + held[i])));
        let x = Tensor::from_vec(x0, (s, b, n), &self.device)?;
        let r = Tensor::from_vec(r0, (s, b, n), &self.device)?;
        params.x_mean = self.keep(x.copy()?)?;
        params.x = self.keep(x.clone())?;
        params.r = self.keep(r.clone())?;
        params.r_before = self.zeros(&[s, b, n])?.1;
        params.next_perturbation = self.upload(vec![0u32; s * b])?;
        let expected = |(i, d): (usize, &DrawnTrial)| -ensemble.baseline.expectation(i / b, d.trial.trial_type) as f32;
        params.reward_mean = self.upload(batch.drawn.iter().enumerate().map(expected).collect())?;
        params.output_mean = self.zeros(&[s * b, n_out.max(1)])?.1;
        params.trace_gate = self.zeros(&[s * b])?.1;

        let (outputs, address) = self.zeros(&[s * b, t, n_out])?;
        params.outputs = address;
        let mut recorded = |asked: bool, address: &mut Address| -> Result<Option<Tensor>> {
            let room = asked.then(|| self.zeros(&[s * b, t, n])).transpose()?;
            Ok(room.map(|(tensor, start)| {
                *address = start;
                tensor
            }))
        };
        let rates = recorded(record.rates, &mut params.rates)?;
        let activations = recorded(record.activations, &mut params.activations)?;
        let readout_change = if params.readout_rule != 0 {
            let ((w_out, w_address), (b_out, b_address)) =
                (self.zeros(&[s, b, n_out, n])?, self.zeros(&[s, b, n_out])?);
            (params.w_out_change, params.b_out_change) = (w_address, b_address);
            Some((w_out, b_out))
        } else {
            None
        };
        let trace = self.trace(params, ensemble, &[s, b, n, n])?;
        Ok(State { x, r, outputs, rates, activations, trace, readout_change })
    }

    fn trace(&mut self, params: &mut Params, ensemble: &Ensemble, shape: &[usize; 4]) -> Result<Option<Trace>> {
        let config = &ensemble.setup.config.fast_weights;
        if config.stage == Stage::None {
            return Ok(None);
        }
        let before = ensemble.fast_weights.as_ref();
        let [s, b, n, _] = *shape;
        let length = listed_changes(config, n, params.steps as usize);
        if length > 0 {
            let given = before.map(|state| state.h.clone());
            // The kernels read it as [pre, post].
            let transposed = given.as_ref().map(|h| self.keep(h.transpose(2, 3)?.contiguous()?)).transpose()?;
            params.trace = transposed.unwrap_or(0);
            params.trace_length = length as u32;
            let (post, post_address) = self.zeros(&[s, b, length, n])?;
            let (pre, pre_address) = self.zeros(&[s, b, n, length])?;
            let (weight, weight_address) = self.zeros(&[s, b, length])?;
            (params.trace_post, params.trace_pre, params.trace_weight) = (post_address, pre_address, weight_address);
            return Ok(Some(Trace::List { post, pre, weight, given }));
        }
        // A copy, for the kernels write into it.
        let mut start = |given: Option<&Tensor>| match given {
            Some(h) => {
                let h = h.transpose(2, 3)?.copy()?.contiguous()?;
                Ok((h.clone(), self.keep(h)?))
            }
            None => self.zeros(shape),
        };
        let (h, address) = start(before.map(|state| &state.h))?;
        params.trace = address;
        let eligibility = if config.stage == Stage::Retroactive {
            let (e, address) = start(before.and_then(|state| state.eligibility.as_ref()))?;
            params.trace_eligibility = address;
            Some(e)
        } else {
            None
        };
        Ok(Some(Trace::Matrix(FastWeights { h, eligibility })))
    }
}

/// How many changes the GPU kernels list in place of H, in trials of `steps` steps of a network of `neurons`; 0: they
/// write H out.
///
/// A list is read whole at each step, 2 N floats for each change, and a persistent H beside it; a matrix is read and
/// written, 2 N² floats. So where this chooses the list, it moves at most half of what the matrix would, or three
/// quarters where H is persistent.
pub(super) fn listed_changes(config: &FastWeightsConfig, neurons: usize, steps: usize) -> usize {
    let fades_alike = matches!(config.stage, Stage::Accumulate | Stage::Decay | Stage::Modulated);
    let of_one_step = config.stage.of_one_step();
    let cheap = steps <= if config.persistent { neurons / 2 } else { neurons };
    let wanted = match config.form {
        FastWeightsForm::Written => false,
        FastWeightsForm::History => true,
        FastWeightsForm::Auto => of_one_step || cheap,
    };
    // Clipping is not linear: no sum of what was added can express it.
    match wanted && config.clip == 0.0 {
        true if of_one_step => 1,
        true if fades_alike => steps,
        _ => 0,
    }
}

/// For each neuron 0 if it is clamped, else 1; and its activation, else 0.
fn clamp(config: &Config) -> (Vec<f32>, Vec<f32>) {
    let n = config.network.neurons;
    let (mut free, mut held) = (vec![1.0; n], vec![0.0; n]);
    for &(neuron, activation) in &config.network.clamped {
        (free[neuron], held[neuron]) = (0.0, activation as f32);
    }
    (free, held)
}

/// One row of `width` for each trial.
fn rows(batch: &TrialBatch, width: usize, write: impl Fn(&DrawnTrial, &mut [f32]) + Sync) -> Vec<f32> {
    let mut all = vec![0.0; batch.drawn.len() * width];
    all.par_chunks_mut(width.max(1)).zip(&batch.drawn).for_each(|(row, drawn)| write(drawn, row));
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_are_for_short_trials_of_what_fades_alike_and_is_not_clipped() {
        let mut trace = FastWeightsConfig { stage: Stage::Decay, ..FastWeightsConfig::default() };
        assert_eq!([100, 101].map(|steps| listed_changes(&trace, 100, steps)), [100, 0]);
        trace.persistent = true;
        assert_eq!([50, 51].map(|steps| listed_changes(&trace, 100, steps)), [50, 0]);
        trace.form = FastWeightsForm::History;
        assert_eq!(listed_changes(&trace, 100, 1000), 1000);
        for stage in [Stage::None, Stage::Oja, Stage::Retroactive] {
            assert_eq!(listed_changes(&FastWeightsConfig { stage, ..trace.clone() }, 100, 10), 0);
        }
        assert_eq!(listed_changes(&FastWeightsConfig { stage: Stage::Outer, ..trace.clone() }, 100, 1000), 1);
        trace.clip = 1.0;
        assert_eq!(listed_changes(&trace, 100, 10), 0, "clipping is not linear");
        assert_eq!(
            listed_changes(&FastWeightsConfig { form: FastWeightsForm::Written, clip: 0.0, ..trace }, 100, 10),
            0
        );
    }
}
