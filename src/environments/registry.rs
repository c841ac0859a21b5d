//! The environments that configurations can name.

use super::*;
use crate::error::Error;
use serde::de::DeserializeOwned;
use std::sync::Arc;
use toml::Table;

type Build = fn(Table) -> Result<Arc<dyn Environment>>;

const NAMED: [(&str, Build); 11] = [
    ("bandit", build::<Bandit>),
    ("two-step", build::<TwoStep>),
    ("perceptual-decision", build::<PerceptualDecision>),
    ("t-maze", build::<TMaze>),
    ("open-field", build::<OpenField>),
    ("cartpole", build::<CartPole>),
    ("acrobot", build::<Acrobot>),
    ("pendulum", build::<Pendulum>),
    ("maze", build::<Maze>),
    ("acrobot-swing-up", build::<AcrobotSwingUp>),
    ("cartpole-swing-up", build::<CartPoleSwingUp>),
];

/// The environment that a table names (`name`). Its other keys are parameters; those that are missing have their defaults. Parameters
/// are not checked yet: [`Environment::check`].
///
/// # Errors
/// [`Error::Unknown`] if there is no such environment, [`Error::Usage`] if no name is given or for a parameter that does not exist or has
/// the wrong type.
pub fn from_table(table: &Table) -> Result<Arc<dyn Environment>> {
    let mut parameters = table.clone();
    let name = parameters.remove("name").ok_or_else(|| Error::Usage("the environment has no name".into()))?;
    let name = name.as_str().unwrap_or_default();
    let found = NAMED.iter().find(|(known, _)| *known == name);
    let (_, build) = found.ok_or_else(|| Error::unknown("environment", name, NAMED.iter().map(|(name, _)| *name)))?;
    build(parameters)
}

fn build<E: Environment + DeserializeOwned + 'static>(parameters: Table) -> Result<Arc<dyn Environment>> {
    let environment: Result<E, toml::de::Error> = parameters.try_into();
    let environment = environment.map_err(|error| Error::Usage(format!("environment: {}", error.message().trim())))?;
    Ok(Arc::new(environment))
}
