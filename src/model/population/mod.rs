//! Neuron models of populations: spiking neurons, rate neurons and sources of spikes, with their parameters.
//!
//! A model has one equation in two forms: `step` on tensors, and `advance` on slices, the same arithmetic for the fused
//! engine. A spike is a 1 in the output r, so whatever reads rates reads spikes.
//!
//! To add a model, write a file with a type that implements [`PopulationModel`] and add it to `build`.

mod izhikevich;
mod lif;
mod rate;
mod source;
mod srm0;

use crate::error::{At, Error, Result};
use candle_core::Tensor;
use serde::de::DeserializeOwned;
use serde::Serialize;
use toml::Table;

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

/// A neuron model. All tensors and slices hold one number for each neuron of the population; tensors also for each of
/// several networks, `[S, size]`.
pub trait PopulationModel: Send + Sync {
    /// Its name: the value of `neurons.model`.
    fn name(&self) -> &'static str;
    /// The names of its state variables.
    fn variables(&self) -> &'static [&'static str];
    /// The value of each variable at birth.
    fn start(&self) -> Vec<f64>;
    /// Whether the output consists of spikes, 0 or 1.
    fn spikes(&self) -> bool;
    /// How it uses a number from U[0, 1) in each step.
    fn draws(&self) -> Draws {
        Draws::None
    }
    /// The variables and the output after a step of Δt in which `input` arrived. `uniform` is given if the model draws.
    ///
    /// # Errors
    /// If an operation on tensors fails.
    fn step(
        &self,
        state: &[Tensor],
        input: &Tensor,
        uniform: Option<&Tensor>,
    ) -> candle_core::Result<(Vec<Tensor>, Tensor)>;
    /// The same on slices, in place; `uniform` is empty if the model does not draw.
    fn advance(&self, state: &mut [Vec<f32>], input: &[f32], uniform: &[f32], r: &mut [f32]);
}

/// The models, each with its parameters and their defaults.
pub(crate) fn population_models() -> Vec<(&'static str, Table)> {
    vec![
        ("input", Table::new()),
        ("poisson", Table::new()),
        ("lif", table(&lif::Lif::default())),
        ("srm0", table(&srm0::Srm0::default())),
        ("izhikevich", table(&izhikevich::Izhikevich::default())),
        ("rate", table(&rate::Rate::default())),
        ("linear", table(&rate::Linear::default())),
    ]
}

/// The model that a table `neurons` describes, for steps of `dt_ms`.
///
/// # Errors
/// [`Error::Unknown`] for an unknown model, [`Error::Usage`] or [`Error::Setting`] for parameters that are not its own
/// or out of range.
pub(crate) fn build_population(table: &Table, dt_ms: f64) -> Result<Box<dyn PopulationModel>> {
    let mut own = table.clone();
    let name = match own.remove("model") {
        Some(toml::Value::String(name)) => name,
        _ => return Err(Error::Usage("neurons.model is missing".into())),
    };
    let built = match &*name {
        "input" | "poisson" => source::build(&name, own, dt_ms),
        "lif" => parameters::<lif::Lif>(own)?.build(dt_ms),
        "srm0" => parameters::<srm0::Srm0>(own)?.build(dt_ms),
        "izhikevich" => parameters::<izhikevich::Izhikevich>(own)?.build(dt_ms),
        "rate" => parameters::<rate::Rate>(own)?.build(dt_ms),
        "linear" => parameters::<rate::Linear>(own)?.build(),
        _ => Err(Error::unknown("neurons.model", &name, population_models().iter().map(|(name, _)| *name))),
    };
    built.at("neurons")
}

fn parameters<P: DeserializeOwned>(table: Table) -> Result<P> {
    table.try_into().map_err(|error: toml::de::Error| Error::Usage(format!("neurons: {}", error.message().trim())))
}

fn table(parameters: &impl Serialize) -> Table {
    // Flat structs of numbers can always be written as TOML.
    Table::try_from(parameters).unwrap_or_default()
}

/// 1 where `condition` holds, else 0, in the element type of `like`.
fn indicator(condition: Tensor, like: &Tensor) -> candle_core::Result<Tensor> {
    condition.to_dtype(like.dtype())
}

/// `a` where `mask` is 1, `b` where it is 0.
fn choose(mask: &Tensor, a: f64, b: &Tensor) -> candle_core::Result<Tensor> {
    mask.affine(a, 0.0)? + (b * mask.affine(-1.0, 1.0)?)?
}
