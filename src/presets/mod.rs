//! Presets: the network, learning rule and settings usually used to train each task, as published where
//! possible. `src/tasks/mod.rs` says how to add a task.

mod brought;
mod episodes;
mod lives;
mod meanings;
mod resolve;
mod settings;
mod standard;
mod tasks;

pub use crate::worlds::{LifeInfo, LIVES};
pub use lives::find_life;
pub(crate) use lives::RULE_OF_A_LIFE;
pub(crate) use meanings::{commented, commented_life};
pub(crate) use resolve::optional_parameters;
pub use resolve::resolve_config;
pub use tasks::TASKS;

use crate::config::Config;
use crate::error::{Error, Result};
use crate::keys::{with_defaults, Key};
use crate::papers::Paper;
use crate::rules::{find_rule, RuleInfo};
use crate::tasks::{file, Problem};
use toml::Table;

/// A task with a name in configurations.
#[non_exhaustive]
pub struct TaskInfo {
    /// The name.
    pub name: &'static str,
    /// A one-line description.
    pub summary: &'static str,
    /// The papers on which it is based.
    pub papers: &'static [&'static Paper],
    /// The learning rule with which it is usually trained.
    pub rule: &'static str,
    /// The learning rates of `w_rec` that were chosen for this task, each with its rule.
    rates: &'static [(&'static str, f64)],
    /// The task whose rates apply to rules that are not in `rates`; `None`: the first of `rates` applies to them.
    rates_like: Option<&'static str>,
    /// Applies the differences from the standard configuration of the rule.
    preset: fn(&mut Config),
    /// Builds the task from the parameters in a `task` table; can add values to the table that only the task can determine.
    pub(crate) build: fn(&mut Table) -> Result<Problem>,
    /// Its parameters, with their meanings and ranges.
    pub(crate) keys: fn() -> Vec<Key>,
}

/// A learning rate of `w_rec`.
pub(crate) struct Rate {
    pub(crate) eta: f64,
    /// The rule and the task for which it was chosen, if not for these.
    pub(crate) borrowed: Option<(&'static str, &'static str)>,
}

/// The name of the task whose trials are read from a file.
pub const FILE_TASK: &str = "file";

static FILE_INFO: TaskInfo = TaskInfo {
    name: FILE_TASK,
    summary: "trials of your own, read from a safetensors file: train --task-file FILE.safetensors",
    papers: &[],
    rule: "delta-x",
    rates: &[("delta-x", 0.1), ("node-perturbation", 0.001), ("eh", 0.01)],
    rates_like: None,
    preset: settings::file,
    build: file::build,
    keys: Key::of::<file::Parameters>,
};

/// Every task that has a name in configurations.
pub fn all_tasks() -> impl Iterator<Item = &'static TaskInfo> {
    TASKS.iter().chain([&FILE_INFO])
}

/// The task called `name`.
///
/// # Errors
/// [`Error::Unknown`] if there is none; it suggests the most similar name.
pub fn find_task(name: &str) -> Result<&'static TaskInfo> {
    all_tasks().find(|t| t.name == name).ok_or_else(|| Error::unknown("task", name, all_tasks().map(|t| t.name)))
}

impl TaskInfo {
    /// The task's configuration with its usual rule.
    ///
    /// # Errors
    /// [`Error::Unknown`] if there is no such rule.
    pub fn config(&self) -> Result<Config> {
        Ok(self.defaults(find_rule(self.rule)?))
    }

    /// The parameters, keys of the table `task`, each with its default and its meaning.
    ///
    /// # Errors
    /// [`Error::Unknown`] if its usual rule does not exist.
    pub fn parameters(&self) -> Result<Vec<(String, toml::Value, String)>> {
        Ok(with_defaults((self.keys)(), &self.config()?.task))
    }

    /// The learning rate of `w_rec` with a rule.
    pub(crate) fn rate(&self, rule: &str) -> Rate {
        let chosen = |task: &TaskInfo| task.rates.iter().find(|(known, _)| *known == rule).copied();
        if let Some((_, eta)) = chosen(self) {
            return Rate { eta, borrowed: None };
        }
        let task = all_tasks().find(|task| Some(task.name) == self.rates_like).unwrap_or(self);
        let Some((rule, eta)) = chosen(task).or(task.rates.first().copied()) else {
            return Rate { eta: 0.0, borrowed: None };
        };
        Rate { eta, borrowed: Some((rule, task.name)) }
    }

    /// The task's configuration with a given rule. Where task and rule disagree, the rule takes precedence. Neurons are perturbed if
    /// the rule learns from perturbations.
    pub fn defaults(&self, rule: &RuleInfo) -> Config {
        let mut config = standard::config(rule);
        config.rule.eta = self.rate(rule.name).eta;
        (self.preset)(&mut config);
        if !rule.explores {
            config.perturbation.probability = 0.0;
        }
        config.task.insert("name".into(), self.name.into());
        rule.adapt(&mut config);
        config
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::RULES;

    #[test]
    fn neurons_are_perturbed_exactly_where_the_rule_explores() {
        for (task, rule) in all_tasks().flat_map(|task| RULES.iter().map(move |rule| (task, rule))) {
            assert_eq!(task.defaults(rule).perturbs(), rule.explores, "{} with {}", task.name, rule.name);
        }
    }
}
