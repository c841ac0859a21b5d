//! The weights of S networks: which there are, and how they are drawn.

use crate::config::{InputWeights, NetworkConfig, Networks, Output};
use crate::random::{gaussian, stream, uniform, Phase, Purpose, Stream};
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
    /// `[S, N, n_out]`: the output fed back.
    pub w_fb: Option<Tensor>,
    /// `[S, N, n_out]`: the random weights that bring the error to the neurons.
    pub error_feedback: Option<Tensor>,
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

    /// Each tensor, with its name in a checkpoint.
    pub(crate) fn each(&self) -> impl Iterator<Item = (&'static str, &Tensor)> {
        let optional = [
            ("b_rec", &self.b_rec),
            ("w_out", &self.w_out),
            ("b_out", &self.b_out),
            ("w_fb", &self.w_fb),
            ("error_feedback", &self.error_feedback),
            ("connectivity", &self.connectivity),
        ];
        let there = optional.into_iter().filter_map(|(name, tensor)| Some((name, tensor.as_ref()?)));
        [("w_in", &self.w_in), ("w_rec", &self.w_rec)].into_iter().chain(there)
    }

    /// Each tensor, called by its name in a checkpoint, put through `change`.
    pub(crate) fn map(&self, mut change: impl FnMut(&'static str, &Tensor) -> Result<Tensor>) -> Result<Self> {
        let mut maybe = |name, tensor: &Option<Tensor>| tensor.as_ref().map(|tensor| change(name, tensor)).transpose();
        Ok(Weights {
            b_rec: maybe("b_rec", &self.b_rec)?,
            w_out: maybe("w_out", &self.w_out)?,
            b_out: maybe("b_out", &self.b_out)?,
            w_fb: maybe("w_fb", &self.w_fb)?,
            error_feedback: maybe("error_feedback", &self.error_feedback)?,
            connectivity: maybe("connectivity", &self.connectivity)?,
            w_in: change("w_in", &self.w_in)?,
            w_rec: change("w_rec", &self.w_rec)?,
        })
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
        let optional = |there: bool, draw: &dyn Fn(u64) -> Vec<f32>, shape: &[usize]| {
            there.then(|| tensor(each(draw), shape)).transpose()
        };

        let w_in = each(&|network| input_weights(config, n_in, &mut rng(network, Purpose::InputWeights)));
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
        let mut w_rec = each(&|network| recurrent_weights(config, &mut rng(network, Purpose::RecurrentWeights)));
        for (w, exists) in w_rec.iter_mut().zip(&mask) {
            *w *= f32::from(*exists);
        }
        let readout = config.output == Output::Readout;
        let sd_out = config.readout_scale / (n as f64).sqrt();
        let sd_error = config.error_feedback_scale / (n_out as f64).sqrt();
        let bias = |network| uniform(&mut rng(network, Purpose::Bias), n, config.bias_scale);
        let w_out = |network| gaussian(&mut rng(network, Purpose::ReadoutWeights), n_out * n, sd_out);
        let w_fb = |network| uniform(&mut rng(network, Purpose::FeedbackWeights), n * n_out, config.feedback_scale);
        let error = |network| gaussian(&mut rng(network, Purpose::ErrorFeedback), n * n_out, sd_error);

        Ok(Weights {
            w_in: tensor(w_in, &[s, n, n_in])?,
            w_rec: tensor(w_rec, &[s, n, n])?,
            b_rec: optional(config.bias_scale > 0.0, &bias, &[s, n])?,
            w_out: optional(readout, &w_out, &[s, n_out, n])?,
            b_out: readout.then(|| Tensor::zeros((s, n_out), dtype, device)).transpose()?,
            w_fb: optional(config.feedback_scale > 0.0, &w_fb, &[s, n, n_out])?,
            error_feedback: optional(config.error_feedback_scale > 0.0, &error, &[s, n, n_out])?,
            connectivity: sparse.then(|| Tensor::from_vec(mask, (s, n, n), device)).transpose()?,
        })
    }
}

/// `[N, n_in]` of one network.
fn input_weights(config: &NetworkConfig, n_in: usize, rng: &mut Stream) -> Vec<f32> {
    let n = config.neurons;
    let mut w = match config.input_weights {
        InputWeights::Uniform => uniform(rng, n * n_in, config.input_scale),
        InputWeights::OneToOne => {
            let mut w = vec![0.0; n * n_in];
            (0..n_in).for_each(|k| w[k * n_in + k] = config.input_scale as f32);
            w
        }
    };
    if config.output == Output::Neurons && !config.input_to_output_neurons {
        for &neuron in &config.output_neurons {
            w[neuron * n_in..(neuron + 1) * n_in].fill(0.0);
        }
    }
    w
}

/// `[N, N]` (post, pre) of one network: N(0, g²/(c N)), or, under Dale's law, equal weights from part of each population.
fn recurrent_weights(config: &NetworkConfig, rng: &mut Stream) -> Vec<f32> {
    let n = config.neurons;
    if !config.dale {
        return gaussian(rng, n * n, config.gain / (config.connectivity * n as f64).sqrt());
    }
    let excitatory = config.excitatory_neurons();
    let mut w = vec![0.0; n * n];
    for row in w.chunks_exact_mut(n) {
        let (excitatory, inhibitory) = row.split_at_mut(excitatory);
        connect(excitatory, config.dale_density, config.dale_weight, rng);
        connect(inhibitory, config.dale_density, -config.dale_inhibition * config.dale_weight, rng);
    }
    w
}

/// Gives the same weight to a fixed number of the connections, chosen at random (the first steps of a Fisher–Yates shuffle).
fn connect(connections: &mut [f32], density: f64, weight: f64, rng: &mut Stream) {
    let mut places: Vec<usize> = (0..connections.len()).collect();
    for k in 0..(density * connections.len() as f64).round() as usize {
        places.swap(k, rng.random_range(k..connections.len()));
        connections[places[k]] = weight as f32;
    }
}
