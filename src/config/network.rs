//! Size, dynamics, response and initial weights of a network, as keys of the table `network`.

use crate::error::Result;
use crate::ranges::{expect, not_negative, number, positive, share};
use serde::{Deserialize, Serialize};

/// The transfer function φ: the firing rate for an activation.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Response {
    /// tanh(x).
    #[default]
    Tanh,
    /// x + `response_offset`, but at least 0 and at most `response_max` (Mastrogiuseppe & Ostojic 2017).
    RectifiedLinear,
}

/// Where the network's output is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Output {
    /// The rates of `output_neurons`.
    Neurons,
    /// z = w_out r + b_out.
    Readout,
}

/// How inputs reach neurons.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum InputWeights {
    /// w_in ~ U(−input_scale, input_scale).
    #[default]
    Uniform,
    /// Input k drives neuron k alone, with weight input_scale.
    OneToOne,
}

/// The most neurons: w_rec alone would take 4 TiB for each network.
const MOST_NEURONS: usize = 1 << 20;

/// Size, dynamics and initial weights of each network.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NetworkConfig {
    /// N, the number of neurons.
    pub neurons: usize,
    /// The neuron model: `discrete`, `leaky` or `leaky-rate` (docs/model.md, "Dynamics"), or one of your own by its name.
    pub dynamics: String,
    /// τ, the neurons' time constant (not read by discrete dynamics).
    pub tau_ms: f64,
    /// dt, the length of a step (not read by discrete dynamics).
    pub dt_ms: f64,
    /// φ.
    #[serde(default)]
    pub response: Response,
    /// The rate at x = 0 (`rectified-linear` only).
    #[serde(default)]
    pub response_offset: f64,
    /// The largest rate (`rectified-linear` only).
    #[serde(default)]
    pub response_max: f64,
    /// g: w_rec ~ N(0, g² / (connectivity · N)); not read under Dale's law.
    pub gain: f64,
    /// The fraction of recurrent connections that exist; absent ones stay absent.
    pub connectivity: f64,
    /// Dale's law: all weights of a presynaptic neuron have the same sign, after every update too.
    #[serde(default)]
    pub dale: bool,
    /// Under Dale's law: the fraction of neurons that are excitatory, the first ones.
    #[serde(default)]
    pub excitatory: f64,
    /// Under Dale's law: each neuron starts with this fraction of the excitatory and of the inhibitory neurons as input.
    #[serde(default)]
    pub dale_density: f64,
    /// Under Dale's law: the initial weight of an excitatory connection.
    #[serde(default)]
    pub dale_weight: f64,
    /// Under Dale's law: how many times stronger an inhibitory connection starts.
    #[serde(default)]
    pub dale_inhibition: f64,
    /// How inputs reach neurons.
    #[serde(default)]
    pub input_weights: InputWeights,
    /// w_in ~ U(−input_scale, input_scale), or the weight of one-to-one inputs.
    pub input_scale: f64,
    /// Whether designated output neurons receive input (Miconi's do not).
    pub input_to_output_neurons: bool,
    /// b_rec ~ U(−bias_scale, bias_scale); 0: the network has no b_rec.
    pub bias_scale: f64,
    /// x(0) ~ U(−initial_activation, initial_activation), drawn for every trial.
    pub initial_activation: f64,
    /// Standard deviation of the Gaussian noise in every neuron's drive at every step, in training and evaluation alike.
    #[serde(default)]
    pub private_noise: f64,
    /// w_fb ~ U(−feedback_scale, feedback_scale) feeds the output back; 0: the network has no w_fb.
    #[serde(default)]
    pub feedback_scale: f64,
    /// The error reaches neurons through random weights ~ N(0, scale² / n_out) (rule `rflo`); 0: there are none.
    #[serde(default)]
    pub error_feedback_scale: f64,
    /// Bias neurons, as [neuron, activation] pairs: their x never moves from that value.
    pub clamped: Vec<(usize, f64)>,
    /// Where the output is read.
    pub output: Output,
    /// The designated output neurons, one per task output (`output = "neurons"` only); empty: the first ones.
    pub output_neurons: Vec<usize>,
    /// w_out ~ N(0, readout_scale² / N), b_out = 0 (`output = "readout"` only).
    pub readout_scale: f64,
}

impl Default for NetworkConfig {
    /// 200 leaky tanh neurons without options, the first of them the output.
    fn default() -> Self {
        NetworkConfig {
            neurons: 200,
            dynamics: "leaky".into(),
            tau_ms: 30.0,
            dt_ms: 1.0,
            response: Response::Tanh,
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
    /// How many neurons are excitatory under Dale's law: neurons 0 to this one, which is the first inhibitory one.
    pub fn excitatory_neurons(&self) -> usize {
        (self.excitatory * self.neurons as f64).round() as usize
    }

    /// Designates the first neurons as the `n_out` outputs of a task where the configuration names none.
    pub fn fill_output_neurons(&mut self, n_out: usize) {
        // What does not fit is refused later, without a list of it.
        if self.output == Output::Neurons && self.output_neurons.is_empty() && n_out <= self.neurons.min(MOST_NEURONS) {
            self.output_neurons = (0..n_out).collect();
        }
    }

    /// See [`super::Config::check`].
    pub(super) fn check(&self) -> Result<()> {
        expect(self.neurons >= 1, "network.neurons", self.neurons, "at least 1")?;
        expect(self.neurons <= MOST_NEURONS, "network.neurons", self.neurons, format!("at most {MOST_NEURONS}"))?;
        positive("network.tau_ms", self.tau_ms)?;
        positive("network.dt_ms", self.dt_ms)?;
        // Also where they are not read: JSON, and with it a checkpoint, knows no other numbers.
        number("network.response_offset", self.response_offset)?;
        number("network.response_max", self.response_max)?;
        number("network.excitatory", self.excitatory)?;
        number("network.dale_density", self.dale_density)?;
        number("network.dale_weight", self.dale_weight)?;
        number("network.dale_inhibition", self.dale_inhibition)?;
        if self.response == Response::RectifiedLinear {
            not_negative("network.response_offset", self.response_offset)?;
            positive("network.response_max", self.response_max)?;
        }
        share("network.connectivity", self.connectivity)?;
        if self.dale {
            share("network.excitatory", self.excitatory)?;
            share("network.dale_density", self.dale_density)?;
            not_negative("network.dale_weight", self.dale_weight)?;
            not_negative("network.dale_inhibition", self.dale_inhibition)?;
        }
        for (key, found) in [
            ("network.gain", self.gain),
            ("network.input_scale", self.input_scale),
            ("network.bias_scale", self.bias_scale),
            ("network.initial_activation", self.initial_activation),
            ("network.private_noise", self.private_noise),
            ("network.feedback_scale", self.feedback_scale),
            ("network.error_feedback_scale", self.error_feedback_scale),
            ("network.readout_scale", self.readout_scale),
        ] {
            not_negative(key, found)?;
        }
        let below = format!("neurons below {}", self.neurons);
        for &(neuron, activation) in &self.clamped {
            expect(neuron < self.neurons, "network.clamped", neuron, &below)?;
            number("network.clamped", activation)?;
        }
        for &neuron in &self.output_neurons {
            expect(neuron < self.neurons, "network.output_neurons", neuron, &below)?;
        }
        Ok(())
    }
}
