//! Size, dynamics, transfer function and initial weights of a network: the table `network`.

use crate::error::Result;
use crate::keys::{check_ranges_read, ReadWith};
use crate::ranges::expect;
use documented::DocumentedFields;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The transfer function φ, which turns activation into firing rate: r = φ(x).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, JsonSchema, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TransferFunction {
    /// tanh(x).
    #[default]
    Tanh,
    /// x + `response_offset`, clipped to [0, `response_max`] (Mastrogiuseppe & Ostojic 2017).
    RectifiedLinear,
}

/// How the network's output is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, JsonSchema, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Output {
    /// As the rates of `output_neurons`.
    Neurons,
    /// As a linear readout, z = w_out r + b_out.
    Readout,
}

/// The input weights.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, JsonSchema, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum InputWeights {
    /// w_in ~ U(−input_scale, input_scale).
    #[default]
    Uniform,
    /// Input k drives neuron k alone, with weight input_scale.
    OneToOne,
}

/// The largest number of neurons. w_rec alone would take 4 TiB per network.
const MOST_NEURONS: usize = 1 << 20;

/// Size, dynamics and initial weights of each network.
#[derive(Clone, Debug, PartialEq, DocumentedFields, JsonSchema, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct NetworkConfig {
    /// N, the number of neurons.
    #[schemars(range(min = 1, max = MOST_NEURONS))]
    pub neurons: usize,
    /// The neuron model: `discrete`, `leaky`, `leaky-rate` or `lif-filtered` (docs/model.md, "Dynamics"), or the name of your own.
    pub dynamics: String,
    /// τ, the neurons' time constant (ignored by discrete dynamics).
    #[schemars(extend("exclusiveMinimum" = 0))]
    pub tau_ms: f64,
    /// dt, the length of a step (ignored by discrete dynamics).
    #[schemars(extend("exclusiveMinimum" = 0))]
    pub dt_ms: f64,
    /// τ_s: a spike adds 1 to its neuron's r, which decays with τ_s (`lif-filtered` only); `None`: r is the spike itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("exclusiveMinimum" = 0))]
    pub synapse_ms: Option<f64>,
    /// φ, the transfer function.
    #[serde(default)]
    pub response: TransferFunction,
    /// The rate at x = 0 (`rectified-linear` only).
    #[serde(default)]
    #[schemars(range(min = 0), extend("x-read-with" = ReadWith::RectifiedLinear))]
    pub response_offset: f64,
    /// The largest rate (`rectified-linear` only).
    #[serde(default)]
    #[schemars(extend("exclusiveMinimum" = 0, "x-read-with" = ReadWith::RectifiedLinear))]
    pub response_max: f64,
    /// g, the gain: w_rec ~ N(0, g² / (connectivity · N)). Ignored under Dale's law.
    #[schemars(range(min = 0))]
    pub gain: f64,
    /// The fraction of recurrent connections that exist. Absent ones never grow.
    #[schemars(range(max = 1), extend("exclusiveMinimum" = 0))]
    pub connectivity: f64,
    /// Dale's law: all outgoing weights of a neuron have the same sign, at all times.
    #[serde(default)]
    pub dale: bool,
    /// Under Dale's law: the fraction of excitatory neurons, which come first.
    #[serde(default)]
    #[schemars(range(max = 1), extend("exclusiveMinimum" = 0, "x-read-with" = ReadWith::Dale))]
    pub excitatory: f64,
    /// Under Dale's law: the fraction of excitatory and of inhibitory neurons that initially project to each neuron.
    #[serde(default)]
    #[schemars(range(max = 1), extend("exclusiveMinimum" = 0, "x-read-with" = ReadWith::Dale))]
    pub dale_density: f64,
    /// Under Dale's law: the initial weight of an excitatory connection. Unless it is given, it follows from `network.excitatory`, so
    /// that inputs vary as much between neurons as in the task's usual network.
    #[serde(default)]
    #[schemars(range(min = 0), extend("x-read-with" = ReadWith::Dale))]
    pub dale_weight: f64,
    /// Under Dale's law: the initial strength of inhibitory connections relative to excitatory ones. Unless it is given, it follows from
    /// `network.excitatory`, so that inhibition balances excitation as in the task's usual network.
    #[serde(default)]
    #[schemars(range(min = 0), extend("x-read-with" = ReadWith::Dale))]
    pub dale_inhibition: f64,
    /// How input weights are drawn.
    #[serde(default)]
    pub input_weights: InputWeights,
    /// Bound of the uniform input weights, or the weight of one-to-one inputs.
    #[schemars(range(min = 0))]
    pub input_scale: f64,
    /// Whether the output neurons receive input (in Miconi 2017 they do not).
    pub input_to_output_neurons: bool,
    /// b_rec ~ U(−bias_scale, bias_scale); 0: the network has no b_rec.
    #[schemars(range(min = 0))]
    pub bias_scale: f64,
    /// x(0) ~ U(−initial_activation, initial_activation), drawn anew for every trial.
    #[schemars(range(min = 0))]
    pub initial_activation: f64,
    /// Standard deviation of the private Gaussian noise in each neuron's drive, in training and evaluation alike.
    #[serde(default)]
    #[schemars(range(min = 0))]
    pub private_noise: f64,
    /// w_fb ~ U(−feedback_scale, feedback_scale) feeds the output back; 0: the network has no w_fb.
    #[serde(default)]
    #[schemars(range(min = 0))]
    pub feedback_scale: f64,
    /// Random weights F ~ N(0, scale² / n_out) project the error to the neurons (rule `rflo`); 0: the network has no F.
    #[serde(default)]
    #[schemars(range(min = 0))]
    pub error_feedback_scale: f64,
    /// Bias neurons as [neuron, activation] pairs: their x is clamped to that value.
    pub clamped: Vec<(usize, f64)>,
    /// How the output is read.
    pub output: Output,
    /// The output neurons, one per output of the task (`output = "neurons"` only); empty: the first ones.
    pub output_neurons: Vec<usize>,
    /// w_out ~ N(0, readout_scale² / N), b_out = 0 (`output = "readout"` only).
    #[schemars(range(min = 0))]
    pub readout_scale: f64,
}

impl Default for NetworkConfig {
    /// 200 leaky neurons with tanh transfer function and all options off; the first ones are the output neurons.
    fn default() -> Self {
        NetworkConfig {
            neurons: 200,
            dynamics: "leaky".into(),
            tau_ms: 30.0,
            dt_ms: 1.0,
            synapse_ms: None,
            response: TransferFunction::Tanh,
            response_offset: 2.0,
            response_max: 20.0,
            gain: 1.5,
            connectivity: 1.0,
            dale: false,
            excitatory: 0.5,
            dale_density: 0.5,
            dale_weight: 0.15,
            dale_inhibition: 1.2,
            input_weights: InputWeights::Uniform,
            input_scale: 1.0,
            input_to_output_neurons: true,
            bias_scale: 0.0,
            initial_activation: 0.1,
            private_noise: 0.0,
            feedback_scale: 0.0,
            error_feedback_scale: 0.0,
            clamped: vec![],
            output: Output::Neurons,
            output_neurons: vec![],
            readout_scale: 1.0,
        }
    }
}

impl NetworkConfig {
    /// The number of excitatory neurons under Dale's law. They come first.
    pub fn excitatory_neurons(&self) -> usize {
        (self.excitatory * self.neurons as f64).round() as usize
    }

    /// The `dale_inhibition` with which another fraction of `excitatory` neurons keeps the ratio of excitation to inhibition: each
    /// population's share of the input grows with its size.
    pub fn balanced_inhibition(&self, excitatory: f64) -> f64 {
        let odds = |fraction: f64| fraction / (1.0 - fraction);
        self.dale_inhibition * odds(excitatory) / odds(self.excitatory)
    }

    /// The `dale_weight` with which another fraction of `excitatory` neurons and another `inhibition` keep the variance of a neuron's
    /// weights, on which the gain of the network depends: that of the two populations is proportional to their size and the square of
    /// their weight.
    pub fn balanced_weight(&self, excitatory: f64, inhibition: f64) -> f64 {
        let variance = |fraction: f64, inhibition: f64| fraction + (1.0 - fraction) * inhibition * inhibition;
        let ratio = variance(self.excitatory, self.dale_inhibition) / variance(excitatory, inhibition);
        self.dale_weight * ratio.sqrt()
    }

    /// Makes the first `n_out` neurons the output neurons if the configuration names none.
    pub fn fill_output_neurons(&mut self, n_out: usize) {
        // Too many outputs are rejected later; don't allocate for them.
        if self.output == Output::Neurons && self.output_neurons.is_empty() && n_out <= self.neurons.min(MOST_NEURONS) {
            self.output_neurons = (0..n_out).collect();
        }
    }

    pub(super) fn check(&self) -> Result<()> {
        // Older files leave keys that nothing reads at 0.
        let reads = |with| match with {
            ReadWith::Dale => self.dale,
            ReadWith::RectifiedLinear => self.response == TransferFunction::RectifiedLinear,
            _ => true,
        };
        check_ranges_read("network", self, reads)?;
        let below = format!("neurons below {}, their number: clamp others, or none (network.clamped=[])", self.neurons);
        for (neuron, _) in &self.clamped {
            expect(*neuron < self.neurons, "network.clamped", neuron, &below)?;
        }
        for &neuron in &self.output_neurons {
            expect(neuron < self.neurons, "network.output_neurons", neuron, &below)?;
        }
        Ok(())
    }
}
