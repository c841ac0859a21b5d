//! A user's own world, neuron models and learning rules, for lives.

use crate::error::{ensure, Error, Result};
use crate::model::PopulationModel;
use crate::ranges::expect;
use crate::rules::SynapseRule;
use crate::worlds::{Places, World};
use std::collections::HashSet;
use std::sync::Arc;
use toml::{Table, Value};

/// Builds a world for a network with these populations.
pub type BuildWorld = dyn Fn(&Places) -> Result<Arc<dyn World>> + Send + Sync;

/// A world, neuron models and learning rules of your own. A configuration and a checkpoint contain only their names, so
/// whatever resumes a life needs them too ([`LifeCheckpoint::read_with`](crate::LifeCheckpoint::read_with)).
///
/// Lives with neurons or rules that have no fused kernel run on plain operations.
#[derive(Clone, Default)]
pub struct OwnLife {
    /// Builds a world that replaces the configured one; the configuration takes over its name.
    pub world: Option<Arc<BuildWorld>>,
    /// Neuron models, which populations name as `neurons.model`. They have no parameters in the configuration.
    pub neurons: Vec<Arc<dyn PopulationModel>>,
    /// Learning rules, which projections name as `rule.name`. They have no parameters in the configuration.
    pub rules: Vec<Arc<dyn SynapseRule>>,
}

impl OwnLife {
    /// The neuron model that a table `neurons` names, if it is one of these.
    pub(super) fn model(&self, table: &Table) -> Result<Option<Arc<dyn PopulationModel>>> {
        let name = table.get("model").and_then(Value::as_str);
        let Some(model) = self.neurons.iter().find(|own| Some(own.name()) == name) else { return Ok(None) };
        refuse_parameters("neuron model", "model", table)?;
        let (variables, values) = (model.variables(), model.start().len());
        check_names("variable", &variables, &[])?;
        ensure!(variables.len() == values, Usage, "start() has {values} values for {} variables", variables.len());
        Ok(Some(model.clone()))
    }

    /// The rule that a table `rule` names, if it is one of these.
    pub(super) fn rule(&self, table: &Table) -> Result<Option<Arc<dyn SynapseRule>>> {
        let name = table.get("name").and_then(Value::as_str);
        let Some(rule) = self.rules.iter().find(|own| Some(own.name()) == name) else { return Ok(None) };
        refuse_parameters("rule", "name", table)?;
        let others = ["synapses", "pre", "post", "weight", "trace_pre", "trace_post", "level"];
        check_names("variable", &rule.variables(), &others)?;
        Ok(Some(rule.clone()))
    }

    /// The world, if there is one.
    pub(super) fn world(&self, places: &Places) -> Result<Option<Arc<dyn World>>> {
        let Some(build) = &self.world else { return Ok(None) };
        let world = build(places)?;
        let steps = world.steps();
        expect((1..1 << 30).contains(&steps), "World::steps", steps, "1 to 2^30")?;
        check_names("figure", &world.figures(), &["network", "seconds", "weights_fixed", "frozen"])?;
        Ok(Some(world))
    }
}

/// Refuses parameters, which would have no effect.
fn refuse_parameters(kind: &str, name: &str, table: &Table) -> Result<()> {
    match table.keys().find(|key| *key != name) {
        None => Ok(()),
        Some(key) => {
            let own = table.get(name).and_then(Value::as_str).unwrap_or_default();
            Err(Error::Usage(format!("{kind} `{own}` is your own and has no parameters; found {key}")))
        }
    }
}

/// Refuses names that cannot be columns of a table or parts of tensors' names, that occur twice, or that already have another use.
fn check_names(kind: &str, names: &[&str], others: &[&str]) -> Result<()> {
    let mut seen: HashSet<&str> = others.iter().copied().collect();
    for name in names {
        let plain = !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
        ensure!(plain, Usage, "{kind} `{name}`: expected a name of letters, digits and _");
        ensure!(seen.insert(name), Usage, "{kind} `{name}`: the name is already in use");
    }
    Ok(())
}
