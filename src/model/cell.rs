//! One step of the dynamics of S networks.
//!
//! Shapes: S networks, B trials, N neurons; `w_rec[s, post, pre]`.

use super::{NeuronModel, State, Transfer, Weights};
use crate::config::NetworkConfig;
use candle_core::{Result, Tensor};
use std::sync::Arc;

/// S networks, ready to run steps: weights are transposed once, so that every product reads contiguous memory.
#[derive(Clone)]
pub struct Cell {
    w_in_t: Tensor,
    w_rec_t: Tensor,
    b_rec: Option<Tensor>,
    w_fb_t: Option<Tensor>,
    error_feedback_t: Option<Tensor>,
    output: CellOutput,
    neurons: Arc<dyn NeuronModel>,
    dt_over_tau: f64,
    /// e^(−dt/τ_s); 0 without τ_s.
    synapse_decay: f64,
    transfer: Transfer,
    fast_tanh: bool,
    clamp: Option<Clamp>,
}

#[derive(Clone, Debug)]
enum CellOutput {
    Neurons(Tensor),
    Readout { w_out_t: Tensor, b_out: Tensor },
}

#[derive(Clone, Debug)]
struct Clamp {
    free: Tensor,
    value: Tensor,
}

impl Cell {
    /// Prepares networks of `neurons` with `weights`.
    pub(crate) fn new(config: &NetworkConfig, neurons: &Arc<dyn NeuronModel>, weights: &Weights) -> Result<Self> {
        let (dtype, device) = (weights.w_rec.dtype(), weights.w_rec.device());
        let transposed = |w: &Tensor| w.transpose(1, 2)?.contiguous();
        let output = match (&weights.w_out, &weights.b_out) {
            (Some(w_out), Some(b_out)) => {
                CellOutput::Readout { w_out_t: transposed(w_out)?, b_out: b_out.unsqueeze(1)? }
            }
            _ => {
                let neurons: Vec<u32> = config.output_neurons.iter().map(|&n| n as u32).collect();
                CellOutput::Neurons(Tensor::new(neurons, device)?)
            }
        };
        let clamp = if config.clamped.is_empty() {
            None
        } else {
            let (mut free, mut value) = (vec![1f32; config.neurons], vec![0f32; config.neurons]);
            for &(neuron, activation) in &config.clamped {
                free[neuron] = 0.0;
                value[neuron] = activation as f32;
            }
            let tensor = |v: Vec<f32>| Tensor::from_vec(v, config.neurons, device)?.to_dtype(dtype);
            Some(Clamp { free: tensor(free)?, value: tensor(value)? })
        };
        Ok(Cell {
            w_in_t: transposed(&weights.w_in)?,
            w_rec_t: transposed(&weights.w_rec)?,
            b_rec: weights.b_rec.as_ref().map(|b| b.unsqueeze(1)).transpose()?,
            w_fb_t: weights.w_fb.as_ref().map(transposed).transpose()?,
            error_feedback_t: weights.error_feedback.as_ref().map(transposed).transpose()?,
            output,
            neurons: neurons.clone(),
            dt_over_tau: config.dt_ms / config.tau_ms,
            synapse_decay: config.synapse_ms.map_or(0.0, |tau| libm::exp(-config.dt_ms / tau)),
            transfer: Transfer::new(config),
            fast_tanh: false,
            clamp,
        })
    }

    /// The same networks with biases and clamps expanded to B trials: candle is faster on tensors of equal shape than
    /// when it has to broadcast.
    pub(crate) fn for_trials(&self, trials_each: usize) -> Result<Self> {
        let (s, n, _) = self.w_rec_t.dims3()?;
        let expanded = |tensor: &Tensor, width: usize| tensor.broadcast_as((s, trials_each, width))?.contiguous();
        let output = match &self.output {
            CellOutput::Readout { w_out_t, b_out } => {
                CellOutput::Readout { w_out_t: w_out_t.clone(), b_out: expanded(b_out, w_out_t.dim(2)?)? }
            }
            neurons => neurons.clone(),
        };
        let clamp = |Clamp { free, value }: &Clamp| -> Result<Clamp> {
            Ok(Clamp { free: expanded(free, n)?, value: expanded(value, n)? })
        };
        Ok(Cell {
            b_rec: self.b_rec.as_ref().map(|b| expanded(b, n)).transpose()?,
            clamp: self.clamp.as_ref().map(clamp).transpose()?,
            output,
            ..self.clone()
        })
    }

    /// Computes tanh as the fused kernels do where possible, which on the CPU is many times faster than candle's.
    pub(crate) fn with_fast_tanh(mut self) -> Self {
        self.fast_tanh = true;
        self
    }

    /// The state at the start of a trial, from x(0) `[S, B, N]`.
    pub(crate) fn start(&self, x0: &Tensor) -> Result<State> {
        self.neurons.start(self, self.clamped(x0.clone())?)
    }

    /// Firing rates φ(x), elementwise.
    ///
    /// # Errors
    /// If an operation on tensors fails.
    pub fn rate(&self, x: &Tensor) -> Result<Tensor> {
        if self.fast_tanh {
            self.transfer.apply_fast(x)
        } else {
            self.transfer.apply(x)
        }
    }

    /// Leaky integration: `from` + (dt/τ) (`to` − `from`).
    ///
    /// # Errors
    /// If an operation on tensors fails.
    pub fn moved(&self, from: &Tensor, to: Tensor) -> Result<Tensor> {
        from + ((to - from)? * self.dt_over_tau)?
    }

    /// Spike trains filtered by synapses: r e^(−dt/τ_s) + `spikes`.
    ///
    /// # Errors
    /// If an operation on tensors fails.
    pub fn filtered(&self, r: &Tensor, spikes: &Tensor) -> Result<Tensor> {
        (r * self.synapse_decay)? + spikes
    }

    /// `x` with bias neurons clamped to their activation.
    ///
    /// # Errors
    /// If an operation on tensors fails.
    pub fn clamped(&self, x: Tensor) -> Result<Tensor> {
        match &self.clamp {
            Some(Clamp { free, value }) => x.broadcast_mul(free)?.broadcast_add(value),
            None => Ok(x),
        }
    }

    /// Whether the networks have output feedback.
    pub(crate) fn feeds_back(&self) -> bool {
        self.w_fb_t.is_some()
    }

    /// One step. `input` is u(t) `[S, B, n_in]`; `drives` are further terms of the drive, each `[S, B, N]`; `fed_back`
    /// is the output of the step before, `[S, B, n_out]`, used only if there is a w_fb.
    pub(crate) fn step(
        &self,
        state: &State,
        input: &Tensor,
        fed_back: Option<&Tensor>,
        drives: &[&Tensor],
    ) -> Result<State> {
        let mut drive = (state.r.matmul(&self.w_rec_t)? + input.matmul(&self.w_in_t)?)?;
        if let Some(b_rec) = &self.b_rec {
            drive = drive.broadcast_add(b_rec)?;
        }
        if let (Some(w_fb_t), Some(z)) = (&self.w_fb_t, fed_back) {
            drive = (drive + z.matmul(w_fb_t)?)?;
        }
        for term in drives {
            drive = (drive + *term)?;
        }
        self.neurons.step(self, state, drive)
    }

    /// The output `[S, B, n_out]` for rates `[S, B, N]`.
    pub(crate) fn output(&self, r: &Tensor) -> Result<Tensor> {
        match &self.output {
            CellOutput::Neurons(neurons) => r.contiguous()?.index_select(neurons, 2),
            CellOutput::Readout { w_out_t, b_out } => r.matmul(w_out_t)?.broadcast_add(b_out),
        }
    }

    /// The error `[S, B, n_out]` projected to the neurons, F ε `[S, B, N]`; `None` without error feedback.
    pub(crate) fn fed_back_error(&self, error: &Tensor) -> Result<Option<Tensor>> {
        self.error_feedback_t.as_ref().map(|weights| error.matmul(weights)).transpose()
    }
}
