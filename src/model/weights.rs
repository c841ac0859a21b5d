//! The weights of S networks, their initial values, and Dale's law.

use crate::config::{Config, InputWeights, NetworkConfig, NetworkRange, Output};
use crate::random::{gaussian, stream, uniform, Phase, Purpose, Stream};
use candle_core::{DType, Device, Result, Tensor};
use rand::RngExt;
use std::collections::BTreeMap;

/// The weights of S networks. Those that the networks lack are `None`.
#[derive(Clone, Debug)]
pub struct Weights {
    /// Input weights, `[S, N, n_in]`.
    pub w_in: Tensor,
    /// Recurrent weights, `[S, N, N]` (post, pre).
    pub w_rec: Tensor,
    /// Biases, `[S, N]`.
    pub b_rec: Option<Tensor>,
    /// Readout weights, `[S, n_out, N]`.
    pub w_out: Option<Tensor>,
    /// Readout biases, `[S, n_out]`.
    pub b_out: Option<Tensor>,
    /// Output feedback weights, `[S, N, n_out]`.
    pub w_fb: Option<Tensor>,
    /// F: random weights that project the error to the neurons, `[S, N, n_out]`.
    pub error_feedback: Option<Tensor>,
    /// 1 for each recurrent connection that exists, else 0 (u8), `[S, N, N]`; `None`: all exist.
    pub connectivity: Option<Tensor>,
}

impl Weights {
    /// The number of outputs.
    ///
    /// # Errors
    /// If `w_out` does not have three dimensions.
    pub fn n_out(&self, config: &NetworkConfig) -> Result<usize> {
        match &self.w_out {
            Some(w_out) => w_out.dim(1),
            None => Ok(config.output_neurons.len()),
        }
    }

    /// All tensors with their names in a checkpoint.
    pub fn each(&self) -> impl Iterator<Item = (&'static str, &Tensor)> {
        let optional = [
            ("b_rec", &self.b_rec),
            ("w_out", &self.w_out),
            ("b_out", &self.b_out),
            ("w_fb", &self.w_fb),
            ("error_feedback", &self.error_feedback),
            ("connectivity", &self.connectivity),
        ];
        let present = optional.into_iter().filter_map(|(name, tensor)| Some((name, tensor.as_ref()?)));
        [("w_in", &self.w_in), ("w_rec", &self.w_rec)].into_iter().chain(present)
    }

    /// Applies `change` to each tensor and its name.
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

    /// The element type and shape of every weight that the networks of `config` have, by name.
    pub(crate) fn layout(config: &Config, n_in: usize, n_out: usize) -> BTreeMap<&'static str, (DType, Vec<usize>)> {
        let Config { network, train, .. } = config;
        let (s, n, float) = (train.networks.count(), network.neurons, DType::from(train.dtype));
        let readout = network.output == Output::Readout;
        let all = [
            (true, "w_in", float, vec![s, n, n_in]),
            (true, "w_rec", float, vec![s, n, n]),
            (network.bias_scale > 0.0, "b_rec", float, vec![s, n]),
            (network.connectivity < 1.0, "connectivity", DType::U8, vec![s, n, n]),
            (readout, "w_out", float, vec![s, n_out, n]),
            (readout, "b_out", float, vec![s, n_out]),
            (network.feedback_scale > 0.0, "w_fb", float, vec![s, n, n_out]),
            (network.error_feedback_scale > 0.0, "error_feedback", float, vec![s, n, n_out]),
        ];
        all.into_iter().filter(|weight| weight.0).map(|(_, name, dtype, shape)| (name, (dtype, shape))).collect()
    }

    /// The dimension of a weight that is n_in or n_out.
    pub(crate) fn task_dimension(name: &str) -> Option<usize> {
        match name {
            "w_in" | "w_fb" | "error_feedback" => Some(2),
            "w_out" | "b_out" => Some(1),
            _ => None,
        }
    }

    /// Draws the initial weights of each network from its own random streams.
    ///
    /// # Errors
    /// If an operation on tensors fails.
    pub fn draw(
        config: &NetworkConfig,
        n_in: usize,
        n_out: usize,
        seed: u64,
        networks: NetworkRange,
        dtype: DType,
        device: &Device,
    ) -> Result<Self> {
        let (s, n) = (networks.count(), config.neurons);
        let drawn = |purpose, shape: &[usize], draw: &dyn Fn(&mut Stream) -> Vec<f32>| {
            let of_network = |network| draw(&mut stream(seed, network, 0, Phase::Train, purpose));
            Tensor::from_vec(networks.range().flat_map(of_network).collect::<Vec<f32>>(), shape, device)
        };
        let drawn_if = |present: bool, purpose, shape: &[usize], draw: &dyn Fn(&mut Stream) -> Vec<f32>| {
            present.then(|| drawn(purpose, shape, draw)?.to_dtype(dtype)).transpose()
        };
        let readout = config.output == Output::Readout;
        let sd_out = config.readout_scale / (n as f64).sqrt();
        let sd_error = config.error_feedback_scale / (n_out as f64).sqrt();

        let mut w_rec =
            drawn(Purpose::RecurrentWeights, &[s, n, n], &|rng| recurrent_weights(config, rng))?.to_dtype(dtype)?;
        let exists = |rng: &mut Stream| f32::from(u8::from(rng.random::<f64>() < config.connectivity));
        let connectivity = drawn_if(config.connectivity < 1.0, Purpose::Connectivity, &[s, n, n], &|rng| {
            (0..n * n).map(|_| exists(rng)).collect()
        })?;
        if let Some(connectivity) = &connectivity {
            w_rec = (w_rec * connectivity)?;
        }
        Ok(Weights {
            w_in: drawn(Purpose::InputWeights, &[s, n, n_in], &|rng| input_weights(config, n_in, rng))?
                .to_dtype(dtype)?,
            w_rec,
            b_rec: drawn_if(config.bias_scale > 0.0, Purpose::Bias, &[s, n], &|rng| {
                uniform(rng, n, config.bias_scale)
            })?,
            w_out: drawn_if(readout, Purpose::ReadoutWeights, &[s, n_out, n], &|rng| gaussian(rng, n_out * n, sd_out))?,
            b_out: readout.then(|| Tensor::zeros((s, n_out), dtype, device)).transpose()?,
            w_fb: drawn_if(config.feedback_scale > 0.0, Purpose::FeedbackWeights, &[s, n, n_out], &|rng| {
                uniform(rng, n * n_out, config.feedback_scale)
            })?,
            error_feedback: drawn_if(
                config.error_feedback_scale > 0.0,
                Purpose::ErrorFeedback,
                &[s, n, n_out],
                &|rng| gaussian(rng, n * n_out, sd_error),
            )?,
            connectivity: connectivity.map(|connectivity| connectivity.to_dtype(DType::U8)).transpose()?,
        })
    }
}

/// w_in of one network, `[N, n_in]`.
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

/// w_rec of one network, `[N, N]` (post, pre): N(0, g²/(c N)), or equal weights per population under Dale's law.
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

/// Sets a fixed number of connections, chosen at random (the first steps of a Fisher–Yates shuffle), to `weight`.
fn connect(connections: &mut [f32], density: f64, weight: f64, rng: &mut Stream) {
    let mut places: Vec<usize> = (0..connections.len()).collect();
    for k in 0..(density * connections.len() as f64).round() as usize {
        places.swap(k, rng.random_range(k..connections.len()));
        connections[places[k]] = weight as f32;
    }
}

/// Enforces Dale's law on `w_rec` `[S, N, N]` (post, pre): negative weights of the first `excitatory` presynaptic
/// neurons and positive ones of the others become 0 (Miconi 2017).
pub(crate) fn signed(w_rec: &Tensor, excitatory: usize) -> Result<Tensor> {
    let n = w_rec.dim(2)?;
    let from_excitatory = w_rec.narrow(2, 0, excitatory)?.contiguous()?.relu()?;
    let from_inhibitory = w_rec.narrow(2, excitatory, n - excitatory)?.neg()?.contiguous()?.relu()?.neg()?;
    Tensor::cat(&[from_excitatory, from_inhibitory], 2)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weights_of_the_wrong_sign_become_zero() {
        let w = Tensor::new(&[[[1f64, -2.0, 3.0], [-4.0, 5.0, -6.0], [0.0, 0.5, -0.5]]], &Device::Cpu).unwrap();
        let signed = signed(&w, 2).unwrap().to_vec3::<f64>().unwrap();
        assert_eq!(signed, [[[1.0, 0.0, 0.0], [0.0, 5.0, -6.0], [0.0, 0.5, -0.5]]]);
    }
}
