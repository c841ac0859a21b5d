//! Learning rules of lives: they change the weights of a projection at every step.
//!
//! `pair_stdp.rs` has the rules for any spiking neurons, which are one equation with different parameters; `escape_rate.rs` has the
//! rules for neurons that spike with a known probability; `exploratory.rs` has the rule for rates. `third.rs` is the third factor,
//! which several rules share.
//!
//! To add a rule, write a file with a type that implements [`SynapseRule`] and a [`SynapseRuleInfo`] that describes it, and add
//! the latter to [`SYNAPSE_RULES`]. Lives with the new rule run on plain operations until the fused kernels support it
//! ([`SynapseRule::fused`]).

mod escape_rate;
mod exploratory;
mod pair_stdp;
mod synapses;
mod third;

pub use escape_rate::{EscapeRate, Filter};
pub use exploratory::Exploratory;
pub use pair_stdp::{PairRule, Simultaneous};
pub use synapses::{PlasticSynapses, SynapseMoment};
pub use third::ThirdFactor;

// The file of every family of rules begins with `use super::*`, which brings these in.
use crate::error::{At, Error, Result};
use crate::keys::{self, with_defaults, Key};
use crate::papers::Paper;
use crate::ranges::expect;
use candle_core::Tensor;
use documented::DocumentedFields;
use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use toml::{Table, Value};

/// A learning rule for the synapses of a projection.
pub trait SynapseRule: Send + Sync {
    /// Its name: the value of `rule.name`.
    fn name(&self) -> &str;
    /// Its requirements on the populations.
    fn needs(&self) -> Needs {
        Needs::Nothing
    }
    /// The names of the variables that it keeps for each synapse besides the weight, such as an eligibility; they are 0 at birth.
    fn variables(&self) -> Vec<&str> {
        Vec::new()
    }
    /// Whether it keeps a trace for each presynaptic and for each postsynaptic neuron; traces are 0 at birth.
    fn traces(&self) -> (bool, bool) {
        (false, false)
    }
    /// Whether it reads the reward of a step.
    fn reads_reward(&self) -> bool {
        true
    }
    /// Whether it acts before the neurons are updated, on the outputs and the reward of the previous step. Otherwise it acts after
    /// they are updated, on those of the step itself.
    fn looks_back(&self) -> bool {
        false
    }
    /// Changes the weights, the variables and the traces in a step in which weights are not frozen.
    ///
    /// # Errors
    /// If an operation on tensors fails.
    fn step(&self, synapses: &mut PlasticSynapses, moment: &mut SynapseMoment) -> candle_core::Result<()>;
    /// The fused kernels' form of this rule; `None`: lives with it run on plain operations.
    fn fused(&self) -> Option<FusedSynapseRule> {
        None
    }
}

/// The rules that the fused kernels support.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub enum FusedSynapseRule {
    /// Spike-timing-dependent plasticity between pairs of spikes.
    Pair(PairRule),
    /// Rules for neurons with escape noise.
    EscapeRate(EscapeRate),
    /// Exploratory Hebb, for rates.
    Exploratory(Exploratory),
}

/// The requirements of a rule on the populations of a projection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Needs {
    /// None.
    Nothing,
    /// Both spike.
    Spikes,
    /// Both spike, the postsynaptic one with a known probability.
    Escape,
    /// Neither spikes.
    Rates,
}

/// A learning rule that a projection can name.
#[non_exhaustive]
pub struct SynapseRuleInfo {
    /// The name.
    pub name: &'static str,
    /// A one-line description with the source.
    pub summary: &'static str,
    /// The papers on which it is based.
    pub papers: &'static [&'static Paper],
    /// Its equation in each step, in the symbols of docs/spiking.md.
    pub equation: &'static str,
    /// Its parameters, with their meanings and ranges.
    pub(crate) keys: fn() -> Vec<Key>,
    parameters: fn() -> Table,
    build: fn(Table, f64) -> Result<Arc<dyn SynapseRule>>,
}

/// All learning rules that a projection can name.
pub static SYNAPSE_RULES: &[SynapseRuleInfo] = &[
    pair_stdp::STDP,
    pair_stdp::MSTDP,
    pair_stdp::MSTDPET,
    pair_stdp::DA_STDP,
    escape_rate::R_MAX,
    escape_rate::TD_LTP,
    escape_rate::TD_STDP,
    exploratory::INFO,
];

impl SynapseRuleInfo {
    /// The rule called `name`, or called so in earlier versions.
    ///
    /// # Errors
    /// [`Error::Unknown`] if there is none.
    pub fn find(name: &str) -> Result<&'static Self> {
        let name = if name == "eh" { "eh-binary" } else { name };
        let known = || SYNAPSE_RULES.iter().map(|rule| rule.name);
        SYNAPSE_RULES.iter().find(|rule| rule.name == name).ok_or_else(|| Error::unknown("rule", name, known()))
    }

    /// The rule's parameters, keys of `projection.FROM-TO.rule`, each with its default and its meaning.
    pub fn parameters(&self) -> Vec<(String, Value, String)> {
        with_defaults((self.keys)(), &(self.parameters)())
    }

    /// Its table in a configuration: the name and all parameters with their defaults.
    pub fn table(&self) -> Table {
        let mut table = (self.parameters)();
        table.insert("name".into(), self.name.into());
        table
    }

    /// The rule with the parameters in `table`, for steps of `dt_ms`.
    ///
    /// # Errors
    /// [`Error::Unknown`], [`Error::Usage`] or [`Error::Setting`] for parameters that are not its own or out of range.
    pub(crate) fn build(&self, mut table: Table, dt_ms: f64) -> Result<Arc<dyn SynapseRule>> {
        table.remove("name");
        (self.build)(table, dt_ms).at("rule")
    }
}

/// A rule's parameters: the defaults, overlaid with those that are given.
fn parameters<P: DeserializeOwned + JsonSchema + Serialize + 'static>(mut defaults: Table, given: Table) -> Result<P> {
    if let Some(key) = given.keys().find(|key| !defaults.contains_key(*key)) {
        return Err(Error::unknown("parameter", key, defaults.keys().map(String::as_str)));
    }
    defaults.extend(given);
    keys::parameters("", defaults)
}

fn table(parameters: &impl Serialize) -> Table {
    // Flat structs of numbers can always be written as TOML.
    Table::try_from(parameters).unwrap_or_default()
}
