//! Configurations as settings give them.

use super::{all_tasks, find_task};
use crate::config::{lay_over, text, Config, Setting};
use crate::error::{bail, Result};
use crate::rules::{find_rule, optional_keys};
use toml::Value;

/// A task's default configuration overlaid with settings, as [`Setup::resolve`](crate::Setup::resolve) does, before anything is built or checked.
///
/// # Errors
/// [`Error::Unknown`](crate::Error::Unknown) for an unknown task, rule or key, [`Error::Setting`](crate::Error::Setting) for a value of
/// the wrong type.
pub fn resolve_config(task: Option<&str>, settings: &[Setting]) -> Result<Config> {
    let last = |key: &str| settings.iter().rev().find(|s| s.key == key);
    let named = last("task.name").map(text).transpose()?;
    let name = match (task, named) {
        (Some(task), Some(named)) if task != named => {
            bail!(Usage, "the command names task `{task}`, but task.name is `{named}`")
        }
        (Some(name), _) | (None, Some(name)) => name,
        (None, None) => {
            let known: Vec<&str> = all_tasks().map(|task| task.name).collect();
            bail!(Usage, "no task is named; known are: {}", known.join(", "))
        }
    };
    let info = find_task(name)?;
    let rule = find_rule(last("rule.name").map(text).transpose()?.unwrap_or(info.rule))?;
    let usual = info.defaults(rule);
    let mut config = lay_over(&usual, settings, &optional_parameters())?;
    // A fraction out of range, or without inhibition, is left to the checks.
    let (usual, network) = (usual.network, &mut config.network);
    let mixed = network.excitatory > 0.0 && network.excitatory < 1.0;
    if mixed && last("network.excitatory").is_some() {
        if last("network.dale_inhibition").is_none() {
            network.dale_inhibition = usual.balanced_inhibition(network.excitatory);
        }
        if last("network.dale_weight").is_none() {
            network.dale_weight = usual.balanced_weight(network.excitatory, network.dale_inhibition);
        }
    }
    Ok(config)
}

/// Keys outside the tables that all tasks share, which a complete configuration can lack, each with an example value.
pub(crate) fn optional_parameters() -> Vec<(String, Value)> {
    let mut parameters = optional_keys();
    parameters.push(("curriculum".into(), Value::Array(Vec::new())));
    parameters
}
