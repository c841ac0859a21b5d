//! The data that the kernels read and write, as tensors in device memory.

use super::machine::address;
use super::params::{Address, Params};
use crate::config::{FastWeightsConfig, FastWeightsForm, Output, Stage};
use crate::engine::{fused, Ensemble, Episode, Record, TrialBatch};
use crate::model::{FastWeights, State, Transfer};
use candle_core::{DType, Device, Result, Tensor, WithDType};
use rayon::prelude::*;

/// Tensors kept until the last kernel has been launched; the device frees memory in the order of the same stream.
pub(super) struct Memory {
    device: Device,
    kept: Vec<Tensor>,
}

/// The fast weights H of all trials in one of the kernels' two forms.
pub(super) enum KernelFastWeights {
    /// H, and for the retroactive stage e: `[S, B, N pre, N post]`.
    Matrix(FastWeights),
    /// The list of the changes weight · post preᵀ that were added to H.
    List {
        /// `[S, B, L, N]`.
        post: Tensor,
        /// `[S, B, N, L]`.
        pre: Tensor,
        /// `[S, B, L]`.
        weight: Tensor,
        /// H at the start, `[S, B, N post, N pre]`; `None` if zero.
        start: Option<Tensor>,
    },
}

/// The fraction of H that remains after `changes` changes, in the stages where all of H decays at the same rate.
pub(super) fn kept(fast_weights: &FastWeightsConfig, changes: usize) -> f32 {
    let each = match fast_weights.stage {
        Stage::Hebb | Stage::Outer => 0.0,
        Stage::Decay | Stage::Modulated => 1.0 - fast_weights.eta,
        Stage::None | Stage::Accumulate | Stage::Oja | Stage::Retroactive => 1.0,
    };
    each.powi(changes as i32) as f32
}

impl KernelFastWeights {
    /// H after the last step, indexed [post, pre]; `kept` is the remaining fraction of the initial H.
    pub fn finish(self, kept: f32) -> Result<FastWeights> {
        match self {
            KernelFastWeights::Matrix(transposed) => transposed.map(|_, h| h.transpose(2, 3)?.contiguous()),
            KernelFastWeights::List { post, pre, weight, start } => {
                let added = {
                    let post = post.broadcast_mul(&weight.unsqueeze(3)?)?;
                    post.transpose(2, 3)?.contiguous()?.matmul(&pre.transpose(2, 3)?.contiguous()?)?
                };
                drop((post, pre, weight));
                let h = match start {
                    Some(start) => (added + (start * f64::from(kept))?)?,
                    None => added,
                };
                Ok(FastWeights { h, eligibility: None })
            }
        }
    }
}

impl Memory {
    pub fn new(device: &Device) -> Self {
        Memory { device: device.clone(), kept: Vec::new() }
    }

    /// Keeps a tensor for the kernels to use.
    pub fn keep(&mut self, tensor: Tensor) -> Result<Address> {
        let address = address(&tensor)?;
        self.kept.push(tensor);
        Ok(address)
    }

    fn upload<T: WithDType>(&mut self, mut values: Vec<T>) -> Result<Address> {
        if values.is_empty() {
            // Not every device can allocate zero bytes.
            values.push(T::zero());
        }
        let len = values.len();
        self.keep(Tensor::from_vec(values, len, &self.device)?)
    }

    /// A tensor of zeros, whose address is put into `address`.
    fn zeros(&mut self, shape: &[usize], address: &mut Address) -> Result<Tensor> {
        let tensor = Tensor::zeros(shape, DType::F32, &self.device)?;
        *address = self.keep(tensor.clone())?;
        Ok(tensor)
    }

    /// Copies the weights and the initial state to the device, makes room for the results, and sets all their
    /// addresses. The kernels leave the results in the returned episode, except that H is in their own form and the
    /// readout's changes are per trial: `[S, B, n_out, N]` and `[S, B, n_out]`.
    pub fn fill(
        &mut self,
        params: &mut Params,
        ensemble: &Ensemble,
        batch: &TrialBatch,
        record: Record,
    ) -> Result<(Episode, Option<KernelFastWeights>)> {
        let config = &ensemble.setup.config;
        let (s, b, n) = (batch.networks, batch.trials_each, params.neurons as usize);
        let (t, n_out) = (params.steps as usize, params.n_out as usize);
        self.weights(params, ensemble)?;

        let (free, held) = fused::clamps(&config.network);
        let clamped = |x: &[f32]| (0..n).map(|i| x[i] * free[i] + held[i]).collect::<Vec<_>>();
        let x0: Vec<f32> = batch.drawn.iter().flat_map(|d| clamped(&d.x0)).collect();
        let transfer = Transfer::new(&config.network);
        let r0: Vec<f32> = x0.par_iter().map(|&x| transfer.single(x)).collect();
        let x = Tensor::from_vec(x0, (s, b, n), &self.device)?;
        let r = Tensor::from_vec(r0, (s, b, n), &self.device)?;
        // The rates that `rflo` filters instead of x̄ start at 0.
        params.x_mean = self.keep(if params.keeps_errors() { x.zeros_like()? } else { x.copy()? })?;
        params.x = self.keep(x.clone())?;
        params.r = self.keep(r.clone())?;
        params.free = self.upload(free)?;
        params.held = self.upload(held)?;
        params.next_perturbation = self.upload(vec![0u32; s * b])?;
        params.reward_mean = self.upload(ensemble.expected_errors(batch).into_iter().map(|error| -error).collect())?;
        self.zeros(&[s, b, n], &mut params.r_before)?;
        self.zeros(&[s * b, n_out.max(1)], &mut params.output_mean)?;
        self.zeros(&[s * b], &mut params.h_modulator)?;

        let early = batch.drawn.iter().any(|d| d.ends < t);
        if early {
            params.ends = self.upload(batch.drawn.iter().map(|d| d.ends as u32).collect())?;
        }
        if params.keeps_errors() {
            self.zeros(&[s, b, t, n_out], &mut params.errors)?;
        }
        let outputs = self.zeros(&[s, b, t, n_out], &mut params.outputs)?;
        let mut recorded = |asked: bool, address| asked.then(|| self.zeros(&[s, b, t, n], address)).transpose();
        let rates = recorded(record.rates, &mut params.rates)?;
        let activations = recorded(record.activations, &mut params.activations)?;
        let readout_change = match params.readout_rule {
            0 => None,
            _ => Some((
                self.zeros(&[s, b, n_out, n], &mut params.w_out_change)?,
                self.zeros(&[s, b, n_out], &mut params.b_out_change)?,
            )),
        };
        let fast_weights = self.fast_weights(params, ensemble, &[s, b, n, n], early)?;
        let (state, eligibility, gradients) = (State::new(x, r), None, None);
        let episode =
            Episode { eligibility, gradients, readout_change, rates, activations, ..Episode::new(outputs, state) };
        Ok((episode, fast_weights))
    }

    fn weights(&mut self, params: &mut Params, ensemble: &Ensemble) -> Result<()> {
        let (weights, network) = (ensemble.weights, &ensemble.setup.config.network);
        for (address, tensor) in [
            (&mut params.w_rec, Some(&weights.w_rec)),
            (&mut params.w_in, Some(&weights.w_in)),
            (&mut params.b_rec, weights.b_rec.as_ref()),
            (&mut params.w_out, weights.w_out.as_ref()),
            (&mut params.b_out, weights.b_out.as_ref()),
            (&mut params.w_fb, weights.w_fb.as_ref()),
            (&mut params.error_feedback, weights.error_feedback.as_ref()),
        ] {
            *address = tensor.map_or(Ok(0), |tensor| self.keep(tensor.contiguous()?))?;
        }
        let neurons = network.output_neurons.iter().filter(|_| network.output == Output::Neurons);
        params.output_neurons = self.upload(neurons.map(|&neuron| neuron as u32).collect())?;
        Ok(())
    }

    fn fast_weights(
        &mut self,
        params: &mut Params,
        ensemble: &Ensemble,
        shape: &[usize; 4],
        early: bool,
    ) -> Result<Option<KernelFastWeights>> {
        let config = &ensemble.setup.config.fast_weights;
        if config.stage == Stage::None {
            return Ok(None);
        }
        let before = ensemble.fast_weights.as_ref();
        let [s, b, n, _] = *shape;
        let length = listed_changes(config, n, params.steps as usize, early);
        if length > 0 {
            let start = before.map(|state| state.h.clone());
            if let Some(h) = &start {
                params.h = self.keep(h.transpose(2, 3)?.contiguous()?)?;
            }
            params.list_length = length as u32;
            return Ok(Some(KernelFastWeights::List {
                post: self.zeros(&[s, b, length, n], &mut params.change_post)?,
                pre: self.zeros(&[s, b, n, length], &mut params.change_pre)?,
                weight: self.zeros(&[s, b, length], &mut params.change_weight)?,
                start,
            }));
        }
        let mut transposed = |start: Option<&Tensor>, address: &mut Address| match start {
            Some(start) => {
                // A copy, because the kernels write into it.
                let tensor = start.transpose(2, 3)?.copy()?.contiguous()?;
                *address = self.keep(tensor.clone())?;
                Ok(tensor)
            }
            None => self.zeros(shape, address),
        };
        let h = transposed(before.map(|state| &state.h), &mut params.h)?;
        let e = before.and_then(|state| state.eligibility.as_ref());
        let eligibility = (config.stage == Stage::Retroactive).then(|| transposed(e, &mut params.h_eligibility));
        Ok(Some(KernelFastWeights::Matrix(FastWeights { h, eligibility: eligibility.transpose()? })))
    }
}

/// The length of the list that the kernels keep instead of a matrix H, for trials of `steps` steps with `neurons`
/// neurons, of which some can end `early`; 0 if they keep the matrix.
///
/// Each step reads the whole list, 2 N floats per change, and a persistent H, if there is one; the matrix is read and
/// written, 2 N² floats. So when this chooses the list, the list moves at most half as much memory as the matrix would,
/// or three quarters if H is persistent.
pub(super) fn listed_changes(config: &FastWeightsConfig, neurons: usize, steps: usize, early: bool) -> usize {
    let decays_alike = matches!(config.stage, Stage::Accumulate | Stage::Decay | Stage::Modulated);
    let of_one_step = config.stage.of_one_step();
    let cheap = steps <= if config.persistent { neurons / 2 } else { neurons };
    let wanted = match config.form {
        FastWeightsForm::Written => false,
        FastWeightsForm::History => true,
        FastWeightsForm::Auto => of_one_step || cheap,
    };
    // Clipping is not linear, so no sum of changes can express it; and what is left of an initial H is one number for all trials.
    match wanted && config.clip == 0.0 && !early {
        true if of_one_step => 1,
        true if decays_alike => steps,
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_are_for_short_trials_of_what_decays_alike_and_is_not_clipped() {
        use FastWeightsForm::{Auto, History, Written};
        for (stage, persistent, form, clip, steps, listed) in [
            (Stage::Decay, false, Auto, 0.0, 100, 100),
            (Stage::Decay, false, Auto, 0.0, 101, 0),
            (Stage::Decay, true, Auto, 0.0, 50, 50),
            (Stage::Decay, true, Auto, 0.0, 51, 0),
            (Stage::Decay, true, History, 0.0, 1000, 1000),
            (Stage::None, true, History, 0.0, 10, 0),
            (Stage::Oja, true, History, 0.0, 10, 0),
            (Stage::Retroactive, true, History, 0.0, 10, 0),
            (Stage::Outer, true, History, 0.0, 1000, 1),
            (Stage::Decay, true, History, 1.0, 10, 0),
            (Stage::Decay, true, Written, 0.0, 10, 0),
        ] {
            let config = FastWeightsConfig { stage, persistent, form, clip, ..FastWeightsConfig::default() };
            assert_eq!(listed_changes(&config, 100, steps, true), 0);
            assert_eq!(listed_changes(&config, 100, steps, false), listed, "{config:?}, {steps} steps");
        }
    }
}
