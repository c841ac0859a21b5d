//! The network: state, and one step of its dynamics. It knows nothing of tasks or learning.
//!
//! Shapes: S networks, B trials, N neurons; `w_rec[s, post, pre]`. The drive of a neuron is
//! w_in u + w_rec r + b + w_fb z + α H r + ξ + noise; see [`Cell::step`] for what it moves.

use crate::config::{Dynamics, NetworkConfig, Networks, Response};
use crate::ops;
use crate::random::{gaussian, stream, symmetric_uniform, Phase, Purpose};
pub use crate::weights::Weights;
use candle_core::{DType, Device, Result, Tensor};

/// What a network carries from one step to the next, the Hebbian trace apart.
#[derive(Clone, Debug)]
pub struct State {
    /// Activation x, `[S, B, N]`.
    pub x: Tensor,
    /// Firing rate r, `[S, B, N]`.
    pub r: Tensor,
}

/// φ, the firing rate for an activation.
#[derive(Clone, Copy, Debug)]
pub enum Rates {
    /// tanh(x).
    Tanh,
    /// x + offset within [0, max].
    Rectified {
        /// The rate at x = 0.
        offset: f64,
        /// The largest rate.
        max: f64,
    },
}

impl Rates {
    /// The response of the configuration.
    pub fn new(config: &NetworkConfig) -> Self {
        match config.response {
            Response::Tanh => Rates::Tanh,
            Response::RectifiedLinear => Rates::Rectified { offset: config.response_offset, max: config.response_max },
        }
    }

    /// φ(x), elementwise.
    pub fn of(self, x: &Tensor) -> Result<Tensor> {
        match self {
            Rates::Tanh => x.tanh(),
            Rates::Rectified { offset, max } => (x + offset)?.clamp(0.0, max),
        }
    }

    /// φ'(x), elementwise: 1 − tanh²(x); 1 strictly within the range of the rectified response, else 0.
    pub fn slope(self, x: &Tensor) -> Result<Tensor> {
        match self {
            Rates::Tanh => x.tanh()?.sqr()?.affine(-1.0, 1.0),
            Rates::Rectified { offset, max } => {
                let inside = (x.gt(-offset)? * x.lt(max - offset)?)?;
                inside.to_dtype(x.dtype())
            }
        }
    }
}

/// The weights made ready for steps: transposed once, so that every product reads contiguous memory.
#[derive(Clone, Debug)]
pub struct Cell {
    w_in_t: Tensor,
    w_rec_t: Tensor,
    b_rec: Option<Tensor>,
    w_fb_t: Option<Tensor>,
    error_feedback_t: Option<Tensor>,
    output: CellOutput,
    dynamics: Dynamics,
    leak: f64,
    rates: Rates,
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
    /// Prepares `weights` for the dynamics of `config`.
    pub fn new(config: &NetworkConfig, weights: &Weights) -> Result<Self> {
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
            dynamics: config.dynamics,
            leak: config.leak(),
            rates: Rates::new(config),
            fast_tanh: false,
            clamp,
        })
    }

    /// The same, with all that is added or multiplied at each step written out for B trials: candle takes tensors of one shape
    /// more quickly than those that it has to broadcast.
    pub(crate) fn for_trials(&self, trials_each: usize) -> Result<Self> {
        let (s, n, _) = self.w_rec_t.dims3()?;
        let written = |of: &Tensor, width: usize| of.broadcast_as((s, trials_each, width))?.contiguous();
        let output = match &self.output {
            CellOutput::Readout { w_out_t, b_out } => {
                CellOutput::Readout { w_out_t: w_out_t.clone(), b_out: written(b_out, w_out_t.dim(2)?)? }
            }
            neurons => neurons.clone(),
        };
        let clamp = |Clamp { free, value }: &Clamp| -> Result<Clamp> {
            Ok(Clamp { free: written(free, n)?, value: written(value, n)? })
        };
        Ok(Cell {
            b_rec: self.b_rec.as_ref().map(|b| written(b, n)).transpose()?,
            clamp: self.clamp.as_ref().map(clamp).transpose()?,
            output,
            ..self.clone()
        })
    }

    /// Takes tanh as the fused kernels do, where that can be: it is many times as fast as candle's on the CPU.
    pub(crate) fn with_fast_tanh(mut self) -> Self {
        self.fast_tanh = true;
        self
    }

    /// The state at the start of a trial, from x(0) `[S, B, N]`: bias neurons clamped, r = φ(x).
    pub fn start(&self, x0: &Tensor) -> Result<State> {
        let x = self.clamped(x0.clone())?;
        Ok(State { r: self.rate(&x)?, x })
    }

    fn rate(&self, x: &Tensor) -> Result<Tensor> {
        match self.rates {
            Rates::Tanh if self.fast_tanh => ops::tanh::of(x),
            rates => rates.of(x),
        }
    }

    /// Whether the output is fed back.
    pub fn feeds_back(&self) -> bool {
        self.w_fb_t.is_some()
    }

    /// One step. `input` is u(t) `[S, B, n_in]`; `drives` are what else drives neurons, each `[S, B, N]`.
    ///
    /// With drive d = w_in u + w_rec r + b + w_fb z + Σ drives: `discrete` x = d; `leaky` x ← x + (dt/τ)(d − x); then bias
    /// neurons are clamped and r = φ(x) (Sompolinsky et al. 1988; Miconi 2017). `leaky-rate` x = d, clamped, and
    /// r ← r + (dt/τ)(φ(x) − r) (Murray 2019). `fed_back` is z of the step before, `[S, B, n_out]`; it is read only where
    /// there is a w_fb.
    pub fn step(&self, state: &State, input: &Tensor, fed_back: Option<&Tensor>, drives: &[&Tensor]) -> Result<State> {
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
        let moved = |from: &Tensor, to: Tensor| from + ((to - from)? * self.leak)?;
        match self.dynamics {
            Dynamics::Discrete => {
                let x = self.clamped(drive)?;
                Ok(State { r: self.rate(&x)?, x })
            }
            Dynamics::Leaky => {
                let x = self.clamped(moved(&state.x, drive)?)?;
                Ok(State { r: self.rate(&x)?, x })
            }
            Dynamics::LeakyRate => {
                let x = self.clamped(drive)?;
                Ok(State { r: moved(&state.r, self.rate(&x)?)?, x })
            }
        }
    }

    /// The output `[S, B, n_out]` for rates `[S, B, N]`.
    pub fn output(&self, r: &Tensor) -> Result<Tensor> {
        match &self.output {
            CellOutput::Neurons(neurons) => r.contiguous()?.index_select(neurons, 2),
            CellOutput::Readout { w_out_t, b_out } => r.matmul(w_out_t)?.broadcast_add(b_out),
        }
    }

    /// What an error `[S, B, n_out]` brings to each neuron, `[S, B, N]`; `None` where it is not fed back.
    pub fn fed_back_error(&self, error: &Tensor) -> Result<Option<Tensor>> {
        self.error_feedback_t.as_ref().map(|weights| error.matmul(weights)).transpose()
    }

    fn clamped(&self, x: Tensor) -> Result<Tensor> {
        match &self.clamp {
            Some(Clamp { free, value }) => x.broadcast_mul(free)?.broadcast_add(value),
            None => Ok(x),
        }
    }
}

/// x(0) for trials that no task drew, `[S, B, N]`.
pub fn initial_activation(
    config: &NetworkConfig,
    seed: u64,
    networks: Networks,
    trials: usize,
    dtype: DType,
    device: &Device,
) -> Result<Tensor> {
    let draw = |network, trial| {
        let mut rng = stream(seed, network, trial, Phase::Simulate, Purpose::InitialActivation);
        (0..config.neurons).map(|_| symmetric_uniform(&mut rng) * config.initial_activation as f32).collect::<Vec<_>>()
    };
    let x0: Vec<f32> =
        networks.range().flat_map(|network| (0..trials as u64).flat_map(move |trial| draw(network, trial))).collect();
    Tensor::from_vec(x0, (networks.count(), trials, config.neurons), device)?.to_dtype(dtype)
}

/// Private noise for trials that no task drew, `[T, S, B, N]`; `None` where the configuration has none.
pub fn private_noise(
    config: &NetworkConfig,
    seed: u64,
    networks: Networks,
    (steps, trials): (usize, usize),
    dtype: DType,
    device: &Device,
) -> Result<Option<Tensor>> {
    if config.private_noise == 0.0 {
        return Ok(None);
    }
    let draw = |network, trial| {
        let mut rng = stream(seed, network, trial, Phase::Simulate, Purpose::PrivateNoise);
        gaussian(&mut rng, steps * config.neurons, config.private_noise)
    };
    let noise: Vec<f32> =
        networks.range().flat_map(|network| (0..trials as u64).flat_map(move |trial| draw(network, trial))).collect();
    let noise = Tensor::from_vec(noise, (networks.count(), trials, steps, config.neurons), device)?;
    Ok(Some(noise.permute((2, 0, 1, 3))?.contiguous()?.to_dtype(dtype)?))
}
