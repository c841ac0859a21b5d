//! Neuron models of populations: spiking neurons, rate neurons and sources of spikes, with their parameters.
//!
//! A model has one equation in two forms: `step` on tensors, and `advance` on slices, the same arithmetic for the fused
//! engine. A spike is a 1 in the output r, so whatever reads rates reads spikes.
//!
//! To add a model, write a file with a type that implements [`PopulationModel`] and a [`ModelInfo`] that describes it, and
//! add that to [`MODELS`]. Lives with it run on plain operations until it has the form for the fused engine.

mod izhikevich;
mod lif;
mod rate;
mod source;
mod srm0;

// Every model's file begins with `use super::*`, which brings these in.
use crate::error::{ensure, At, Error, Result};
use crate::keys::{parameters, with_defaults, Key};
use crate::papers::Paper;
use crate::ranges::expect;
use candle_core::Tensor;
use documented::DocumentedFields;
use pulp::{Arch, Simd, WithSimd};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use toml::{Table, Value};

/// How a model uses the random number that each of its neurons can have in a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Draws {
    /// Not at all.
    None,
    /// As noise, which can be switched off.
    Noise,
    /// To decide whether there is a spike.
    Spikes,
}

/// The most spikes per step of a neuron whose spikes are given by its world. Each of them is delivered by itself.
pub(crate) const MOST_SPIKES: u32 = 32;

/// A neuron model. All tensors and slices hold one number for each neuron of the population; tensors also for each of
/// several networks, `[S, size]`.
pub trait PopulationModel: Send + Sync {
    /// Its name: the value of `neurons.model`.
    fn name(&self) -> &str;
    /// The names of its state variables.
    fn variables(&self) -> Vec<&str>;
    /// The value of each variable at birth.
    fn start(&self) -> Vec<f64>;
    /// Whether the output consists of spikes, 0 or 1.
    fn spikes(&self) -> bool;
    /// The most spikes of a neuron in a step.
    fn most_spikes(&self) -> u32 {
        1
    }
    /// How it uses a number from U[0, 1) in each step.
    fn draws(&self) -> Draws {
        Draws::None
    }
    /// The place among its variables of the probability with which each neuron could spike in the last step, if it is
    /// known.
    fn probability(&self) -> Option<usize> {
        None
    }
    /// Whether own spikes end the effect of earlier input, if that can be chosen, also for each projection.
    fn own_spike_resets(&self) -> Option<bool> {
        None
    }
    /// The membrane potential of a neuron with these variables, in mV; `None`: it has none.
    fn membrane(&self, _variables: &[f64]) -> Option<f64> {
        None
    }
    /// The variables and the output after a step of Δt in which `input` arrived. `lasting` is input that outlasts own
    /// spikes, given if projections differ in this. `uniform` is given if the model draws.
    ///
    /// # Errors
    /// If an operation on tensors fails.
    fn step(
        &self,
        state: &[Tensor],
        input: &Tensor,
        lasting: Option<&Tensor>,
        uniform: Option<&Tensor>,
    ) -> candle_core::Result<(Vec<Tensor>, Tensor)>;
    /// The same for the fused engine; `None`: lives with it run on plain operations.
    fn fused(&self) -> Option<&dyn FusedPopulation> {
        None
    }
}

/// The form of a neuron model that the fused engine runs.
pub trait FusedPopulation {
    /// As [`PopulationModel::step`], on slices and in place; arguments that are not given are empty.
    fn advance(&self, state: &mut [Vec<f32>], input: &[f32], lasting: &[f32], uniform: &[f32], r: &mut [f32]);
}

/// A neuron model that a population can name.
pub(crate) struct ModelInfo {
    /// The name.
    pub name: &'static str,
    /// A one-line description.
    pub summary: &'static str,
    /// The papers that it rests on.
    pub papers: &'static [&'static Paper],
    /// The parameters with their defaults.
    pub defaults: fn() -> Table,
    /// The parameters with their meanings and ranges.
    pub keys: fn() -> Vec<Key>,
    /// Builds the model from its parameters, for steps of this many ms; the flag is that of [`build_population`].
    build: fn(Table, f64, bool) -> Result<Arc<dyn PopulationModel>>,
}

impl ModelInfo {
    /// Its parameters, keys of `population.NAME.neurons`, each with its default and its meaning.
    pub fn parameters(&self) -> Vec<(String, Value, String)> {
        with_defaults((self.keys)(), &(self.defaults)())
    }
}

/// The models.
static MODELS: &[ModelInfo] =
    &[source::INPUT, source::POISSON, lif::INFO, srm0::INFO, izhikevich::INFO, rate::RATE, rate::LINEAR];

/// The models.
pub(crate) fn population_models() -> &'static [ModelInfo] {
    MODELS
}

fn defaults<P: Serialize + Default>() -> Table {
    // Flat structs of numbers can always be written as TOML.
    Table::try_from(P::default()).unwrap_or_default()
}

/// The model that a table `neurons` describes, for steps of `dt_ms`. `split`: whether some of its input outlasts its spikes
/// and some does not.
///
/// # Errors
/// [`Error::Unknown`] for an unknown model, [`Error::Usage`] or [`Error::Setting`] for parameters that are not its own
/// or out of range.
pub(crate) fn build_population(table: &Table, dt_ms: f64, split: bool) -> Result<Arc<dyn PopulationModel>> {
    let mut own = table.clone();
    let Some(Value::String(name)) = own.remove("model") else {
        return Err(Error::Usage("neurons.model is missing".into()));
    };
    let info = MODELS.iter().find(|model| model.name == name);
    let unknown = || Error::unknown("neurons.model", &name, MODELS.iter().map(|model| model.name));
    (info.ok_or_else(unknown).at("neurons")?.build)(own, dt_ms, split).at("neurons")
}

/// 1 where `condition` holds, else 0, in the element type of `like`.
fn indicator(condition: Tensor, like: &Tensor) -> candle_core::Result<Tensor> {
    condition.to_dtype(like.dtype())
}

/// `a` where `mask` is 1, `b` where it is 0.
fn choose(mask: &Tensor, a: f64, b: &Tensor) -> candle_core::Result<Tensor> {
    mask.affine(a, 0.0)? + (b * mask.affine(-1.0, 1.0)?)?
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::{DType, Device};

    /// Numbers that look random, in [0, 1).
    fn pseudo(k: usize) -> f64 {
        (k as f64 * 0.754_877_666_246_692_8).fract()
    }

    fn model(name: &str) -> Arc<dyn PopulationModel> {
        let mut table = (MODELS.iter().find(|known| known.name == name).unwrap().defaults)();
        table.insert("model".into(), name.into());
        build_population(&table, 1.0, false).unwrap()
    }

    /// Input and random number of a neuron in a step.
    fn drawn(name: &str, k: usize) -> (f64, f64) {
        let strength = match name {
            "izhikevich" => 20.0,
            "poisson" => 200.0,
            "lif" => 4.0,
            "srm0" => 6.0,
            _ => 1.0,
        };
        (strength * pseudo(k), pseudo(7 * k + 3))
    }

    /// A thousand steps of one neuron in plain f64 loops; the outputs.
    fn plain(name: &str) -> Vec<f64> {
        let (mut a, mut b, mut c) = match name {
            "izhikevich" => (-65.0, -13.0, 0.0),
            "lif" => (-70.0, 0.0, 0.0),
            _ => (0.0, 0.0, 0.0),
        };
        let step = |k: usize| {
            let (input, u) = drawn(name, k);
            match name {
                "lif" => {
                    a = -70.0 + (a + 70.0) * (-1.0f64 / 20.0).exp() + input;
                    let spike = a > -54.0;
                    a = if spike { -70.0 } else { a };
                    f64::from(u8::from(spike))
                }
                "izhikevich" => {
                    let total = input + 13.0 * (u - 0.5);
                    for _ in 0..2 {
                        a += 0.5 * (0.04 * a * a + 5.0 * a + 140.0 - b + total);
                    }
                    b += 0.02 * (0.2 * a - b);
                    let spike = a >= 30.0;
                    (a, b) = if spike { (-65.0, b + 8.0) } else { (a, b) };
                    f64::from(u8::from(spike))
                }
                "srm0" => {
                    (a, b) = (a * (-1.0f64 / 20.0).exp() + input, b * (-1.0f64 / 5.0).exp() + input);
                    c *= (-1.0f64 / 20.0).exp();
                    let potential = 20.0 / 15.0 * (a - b) + c;
                    let p = 1.0 - (-0.06 * ((potential - 16.0) / 2.0).exp()).exp();
                    let spike = u < p;
                    (a, b, c) = if spike { (0.0, 0.0, -5.0) } else { (a, b, c) };
                    f64::from(u8::from(spike))
                }
                "rate" => {
                    a += (input - a) / 50.0;
                    a.tanh() + 0.1 * (u - 0.5)
                }
                "linear" => input + (u - 0.5),
                "poisson" => f64::from(u8::from(u < 0.001 * input)),
                _ => input,
            }
        };
        (0..1000).map(step).collect()
    }

    #[test]
    fn every_model_matches_plain_loops_in_both_forms() {
        for name in MODELS.iter().map(|model| model.name) {
            let (model, expected) = (model(name), plain(name));
            let start = model.start();
            let mut tensors: Vec<Tensor> =
                start.iter().map(|v| Tensor::from_slice(&[*v], (1, 1), &Device::Cpu).unwrap()).collect();
            let mut slices: Vec<Vec<f32>> = start.iter().map(|v| vec![*v as f32]).collect();
            let mut sum = 0.0;
            for (k, expected) in expected.iter().enumerate() {
                let (input, u) = drawn(name, k);
                let tensor = |v: f64| Tensor::from_slice(&[v], (1, 1), &Device::Cpu).unwrap();
                let uniform = (model.draws() != Draws::None).then(|| tensor(u));
                let (state, r) = model.step(&tensors, &tensor(input), None, uniform.as_ref()).unwrap();
                tensors = state;
                let r: f64 = r.to_dtype(DType::F64).unwrap().flatten_all().unwrap().to_vec1().unwrap()[0];
                assert!((r - expected).abs() < 1e-12, "{name}, step {k}: {r} {expected}");
                let mut fast = [0.0f32];
                let uniform = [u as f32];
                let uniform = if model.draws() == Draws::None { &[][..] } else { &uniform };
                model.fused().unwrap().advance(&mut slices, &[input as f32], &[], uniform, &mut fast);
                // Rounding in single precision moves spikes of this model after some hundred steps.
                let comparable = name != "izhikevich" || k < 300;
                assert!(
                    !comparable || (f64::from(fast[0]) - expected).abs() < 1e-5,
                    "{name}, step {k}: {} {expected}",
                    fast[0]
                );
                sum += r;
            }
            assert!(sum > 5.0 && (!model.spikes() || name == "input" || sum < 500.0), "{name}: {sum}");
        }
    }

    #[test]
    fn unknown_models_and_parameters_are_refused() {
        let refused = |text: &str| build_population(&text.parse().unwrap(), 1.0, false).err().unwrap().to_string();
        assert!(refused("model = 'liff'").contains("did you mean `lif`"));
        assert!(refused("model = 'lif'\ntau = 1.0").contains("unknown field `tau`"));
        assert!(refused("model = 'lif'\ntau_ms = -1.0").contains("tau_ms is -1"));
        assert!(refused("model = 'poisson'\nrate = 1.0").contains("has no parameters"));
        assert!(build_population(&"model = 'izhikevich'".parse().unwrap(), 0.5, false).is_err());
    }
}
