//! The network: weights, state, and one step of its dynamics. It knows nothing of tasks or learning.
//!
//! Shapes: S networks, B trials, N neurons; `w_rec[s, post, pre]`. The drive of a neuron is
//! w_in u + w_rec r + b + α H r + ξ; see [`Cell::step`] for what it moves.

use crate::config::{Dynamics, NetworkConfig, Networks, Output};
use crate::random::{gaussian, stream, symmetric_uniform, uniform, Phase, Purpose};
use candle_core::{DType, Device, Result, Tensor};
use rand::RngExt;

/// The weights of S networks. What a network does not have is `None`.
#[derive(Clone, Debug)]
pub struct Weights {
    /// `[S, N, n_in]`.
    pub w_in: Tensor,
    /// `[S, N, N]`, (post, pre).
    pub w_rec: Tensor,
    /// `[S, N]`.
    pub b_rec: Option<Tensor>,
    /// `[S, n_out, N]`.
    pub w_out: Option<Tensor>,
    /// `[S, n_out]`.
    pub b_out: Option<Tensor>,
    /// `[S, N, N]` of 0 and 1 (u8): which recurrent connections exist; `None`: all.
    pub connectivity: Option<Tensor>,
}

impl Weights {
    /// The number of outputs.
    pub fn n_out(&self, config: &NetworkConfig) -> Result<usize> {
        match &self.w_out {
            Some(w_out) => w_out.dim(1),
            None => Ok(config.output_neurons.len()),
        }
    }

    /// Draws the initial weights of each network from its own streams.
    pub fn draw(
        config: &NetworkConfig,
        n_in: usize,
        n_out: usize,
        seed: u64,
        networks: Networks,
        dtype: DType,
        device: &Device,
    ) -> Result<Self> {
        let (s, n) = (networks.count(), config.neurons);
        let rng = |network, purpose| stream(seed, network, 0, Phase::Train, purpose);
        let each = |draw: &dyn Fn(u64) -> Vec<f32>| networks.range().flat_map(draw).collect::<Vec<f32>>();
        let tensor = |values: Vec<f32>, shape: &[usize]| Tensor::from_vec(values, shape, device)?.to_dtype(dtype);

        let w_in = each(&|network| {
            let mut w = uniform(&mut rng(network, Purpose::InputWeights), n * n_in, config.input_scale);
            if config.output == Output::Neurons && !config.input_to_output_neurons {
                for &neuron in &config.output_neurons {
                    w[neuron * n_in..(neuron + 1) * n_in].fill(0.0);
                }
            }
            w
        });
        let sparse = config.connectivity < 1.0;
        let mask: Vec<u8> = if sparse {
            networks
                .range()
                .flat_map(|network| {
                    let mut rng = rng(network, Purpose::Connectivity);
                    (0..n * n).map(move |_| u8::from(rng.random::<f64>() < config.connectivity)).collect::<Vec<_>>()
                })
                .collect()
        } else {
            Vec::new()
        };
        let sd = config.gain / (config.connectivity * n as f64).sqrt();
        let mut w_rec = each(&|network| gaussian(&mut rng(network, Purpose::RecurrentWeights), n * n, sd));
        for (w, exists) in w_rec.iter_mut().zip(&mask) {
            *w *= f32::from(*exists);
        }
        let bias = |network| uniform(&mut rng(network, Purpose::Bias), n, config.bias_scale);
        let readout = config.output == Output::Readout;
        let sd_out = config.readout_scale / (n as f64).sqrt();
        let w_out = |network| gaussian(&mut rng(network, Purpose::ReadoutWeights), n_out * n, sd_out);

        Ok(Weights {
            w_in: tensor(w_in, &[s, n, n_in])?,
            w_rec: tensor(w_rec, &[s, n, n])?,
            b_rec: (config.bias_scale > 0.0).then(|| tensor(each(&bias), &[s, n])).transpose()?,
            w_out: readout.then(|| tensor(each(&w_out), &[s, n_out, n])).transpose()?,
            b_out: readout.then(|| Tensor::zeros((s, n_out), dtype, device)).transpose()?,
            connectivity: sparse.then(|| Tensor::from_vec(mask, (s, n, n), device)).transpose()?,
        })
    }
}

/// What a network carries from one step to the next, the Hebbian trace apart.
#[derive(Clone, Debug)]
pub struct State {
    /// Activation x, `[S, B, N]`.
    pub x: Tensor,
    /// Firing rate r = tanh(x), `[S, B, N]`.
    pub r: Tensor,
}

/// The weights made ready for steps: transposed once, so that every product reads contiguous memory.
#[derive(Clone, Debug)]
pub struct Cell {
    w_in_t: Tensor,
    w_rec_t: Tensor,
    b_rec: Option<Tensor>,
    output: CellOutput,
    leak: Option<f64>,
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
            output,
            leak: (config.dynamics == Dynamics::Leaky).then(|| config.dt_ms / config.tau_ms),
            clamp,
        })
    }

    /// The state at the start of a trial, from x(0) `[S, B, N]`: bias neurons clamped, r = tanh(x).
    pub fn start(&self, x0: &Tensor) -> Result<State> {
        let x = self.clamped(x0.clone())?;
        Ok(State { r: x.tanh()?, x })
    }

    /// One step. `input` is u(t) `[S, B, n_in]`; `plastic` is α H r and `perturbation` is ξ, both `[S, B, N]`.
    ///
    /// With drive d = w_in u + w_rec r + b + α H r + ξ: `discrete` x = d; `leaky` x ← x + (dt/τ)(d − x). Then bias neurons
    /// are clamped and r = tanh(x). (Sompolinsky et al. 1988; Miconi 2017.)
    pub fn step(
        &self,
        state: &State,
        input: &Tensor,
        plastic: Option<&Tensor>,
        perturbation: Option<&Tensor>,
    ) -> Result<State> {
        let mut drive = (state.r.matmul(&self.w_rec_t)? + input.matmul(&self.w_in_t)?)?;
        if let Some(b_rec) = &self.b_rec {
            drive = drive.broadcast_add(b_rec)?;
        }
        for term in [plastic, perturbation].into_iter().flatten() {
            drive = (drive + term)?;
        }
        let x = match self.leak {
            Some(leak) => (&state.x + ((drive - &state.x)? * leak)?)?,
            None => drive,
        };
        let x = self.clamped(x)?;
        Ok(State { r: x.tanh()?, x })
    }

    /// The output `[S, B, n_out]` for rates `[S, B, N]`.
    pub fn output(&self, r: &Tensor) -> Result<Tensor> {
        match &self.output {
            CellOutput::Neurons(neurons) => r.contiguous()?.index_select(neurons, 2),
            CellOutput::Readout { w_out_t, b_out } => r.matmul(w_out_t)?.broadcast_add(b_out),
        }
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
