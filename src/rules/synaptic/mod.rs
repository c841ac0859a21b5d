//! Learning rules of lives: they change the weights of a projection at every step.
//!
//! `pair_stdp.rs` has the rules for any spikes, which are one equation with different parameters; `escape_rate.rs` those for
//! neurons that spike with a known probability; `exploratory.rs` the one for rates.

mod escape_rate;
mod exploratory;
mod pair_stdp;

pub use escape_rate::{EscapeRate, Filter};
pub use exploratory::Exploratory;
pub use pair_stdp::{PairRule, Simultaneous, Third};

use crate::error::{At, Error, Result};
use crate::keys::{with_defaults, Key};
use crate::papers::Paper;
use crate::ranges::not_negative;
use serde::de::DeserializeOwned;
use serde::Serialize;
use toml::{Table, Value};

/// A learning rule for the synapses of a projection, with its parameters in steps.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub enum SynapseRule {
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
    /// Both spike.
    Spikes,
    /// Both spike, the postsynaptic one with a known probability.
    Escape,
    /// Neither spikes.
    Rates,
}

/// A learning rule that a projection can name.
pub struct SynapseRuleInfo {
    /// The name.
    pub name: &'static str,
    /// A one-line description with the source.
    pub summary: &'static str,
    /// The papers that it rests on.
    pub papers: &'static [&'static Paper],
    /// Its equation in each step, in the symbols of docs/spiking.md.
    pub equation: &'static str,
    /// The requirements on the populations.
    pub needs: Needs,
    /// Its parameters, with their meanings and ranges.
    pub(crate) keys: fn() -> Vec<Key>,
    parameters: fn() -> Table,
    build: fn(Table, f64) -> Result<SynapseRule>,
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
    /// The rule called `name`.
    ///
    /// # Errors
    /// [`Error::Unknown`] if there is none.
    pub fn find(name: &str) -> Result<&'static Self> {
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
}

impl SynapseRule {
    /// The names of what it keeps for each synapse besides the weight: the eligibility, or the change of the weight that
    /// is held back.
    pub(crate) fn variables(&self) -> &'static [&'static str] {
        let one = match self {
            SynapseRule::Pair(rule) => rule.eligibility.is_some(),
            SynapseRule::Exploratory(rule) => rule.hold > 1,
            SynapseRule::EscapeRate(_) => return &["response", "fast_response", "eligibility", "fast_eligibility"],
        };
        if one {
            &["eligibility"]
        } else {
            &[]
        }
    }

    /// Whether it keeps a trace for each presynaptic and for each postsynaptic neuron.
    pub(crate) fn traces(&self) -> (bool, bool) {
        match self {
            SynapseRule::Pair(_) => (true, true),
            SynapseRule::Exploratory(_) | SynapseRule::EscapeRate(_) => (false, true),
        }
    }

    /// The rule that the table of a projection describes, for steps of `dt_ms`; `None` if the weights are fixed.
    ///
    /// # Errors
    /// [`Error::Unknown`] for an unknown rule, [`Error::Usage`] or [`Error::Setting`] for parameters that are not its
    /// own or out of range.
    pub(crate) fn of(table: &Table, dt_ms: f64) -> Result<Option<(Self, &'static SynapseRuleInfo)>> {
        if table.is_empty() {
            return Ok(None);
        }
        let mut own = table.clone();
        let Some(Value::String(name)) = own.remove("name") else {
            return Err(Error::Usage("rule.name is missing".into()));
        };
        let info = SynapseRuleInfo::find(&name)?;
        Ok(Some(((info.build)(own, dt_ms).at("rule")?, info)))
    }
}

/// The third factor of rules that know a time constant of the expected reward; 0: no reward is expected.
fn factor(expected_reward_ms: f64, dt_ms: f64) -> Result<Third> {
    not_negative("expected_reward_ms", expected_reward_ms)?;
    let decay = libm::exp(-dt_ms / expected_reward_ms);
    Ok(if expected_reward_ms > 0.0 { Third::PredictionError { decay } } else { Third::Reward })
}

/// A rule's parameters: the defaults, overlaid with those that are given.
fn parameters<P: DeserializeOwned>(mut defaults: Table, given: Table) -> Result<P> {
    if let Some(key) = given.keys().find(|key| !defaults.contains_key(*key)) {
        return Err(Error::unknown("parameter", key, defaults.keys().map(String::as_str)));
    }
    defaults.extend(given);
    defaults.try_into().map_err(|error: toml::de::Error| Error::Usage(error.message().trim().to_string()))
}

fn table(parameters: &impl Serialize) -> Table {
    // Flat structs of numbers can always be written as TOML.
    Table::try_from(parameters).unwrap_or_default()
}
