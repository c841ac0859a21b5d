//! Learning rules of lives: they change the weights of a projection at every step.
//!
//! `pair_stdp.rs` has the rules for spikes, which are one equation with different parameters; `exploratory.rs` the one
//! for rates.

mod exploratory;
mod pair_stdp;

pub use exploratory::Exploratory;
pub use pair_stdp::{PairRule, Simultaneous, Third};

use crate::error::{At, Error, Result};
use serde::de::DeserializeOwned;
use serde::Serialize;
use toml::{Table, Value};

/// A learning rule for the synapses of a projection, with its parameters in steps.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub enum SynapseRule {
    /// Spike-timing-dependent plasticity between pairs of spikes.
    Pair(PairRule),
    /// Exploratory Hebb, for rates.
    Exploratory(Exploratory),
}

/// A learning rule that a projection can name.
pub struct SynapseRuleInfo {
    /// The name.
    pub name: &'static str,
    /// A one-line description with the source.
    pub summary: &'static str,
    /// Whether it is for populations that spike; if not, it is for rates.
    pub spikes: bool,
    parameters: fn() -> Table,
    build: fn(Table, f64) -> Result<SynapseRule>,
}

/// All learning rules that a projection can name.
pub static SYNAPSE_RULES: &[SynapseRuleInfo] =
    &[pair_stdp::STDP, pair_stdp::MSTDP, pair_stdp::MSTDPET, pair_stdp::DA_STDP, exploratory::INFO];

impl SynapseRuleInfo {
    /// The rule called `name`.
    ///
    /// # Errors
    /// [`Error::Unknown`] if there is none.
    pub fn find(name: &str) -> Result<&'static Self> {
        let known = || SYNAPSE_RULES.iter().map(|rule| rule.name);
        SYNAPSE_RULES.iter().find(|rule| rule.name == name).ok_or_else(|| Error::unknown("rule", name, known()))
    }

    /// Its table in a configuration: the name and all parameters with their defaults.
    pub fn table(&self) -> Table {
        let mut table = (self.parameters)();
        table.insert("name".into(), self.name.into());
        table
    }
}

impl SynapseRule {
    /// Whether each synapse has an eligibility, or a change of its weight that is held back.
    pub(crate) fn keeps_eligibility(&self) -> bool {
        match self {
            SynapseRule::Pair(rule) => rule.eligibility.is_some(),
            SynapseRule::Exploratory(rule) => rule.hold > 1,
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

fn parameters<P: DeserializeOwned>(table: Table) -> Result<P> {
    table.try_into().map_err(|error: toml::de::Error| Error::Usage(error.message().trim().to_string()))
}

fn table(parameters: &impl Serialize) -> Table {
    // Flat structs of numbers can always be written as TOML.
    Table::try_from(parameters).unwrap_or_default()
}
