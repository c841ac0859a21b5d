//! Configurations as TOML, each key below its meaning, from the code's own documentation.

use super::{find_life, find_task};
use crate::config::{keys_of, Config, LifeConfig, PopulationConfig, ProjectionConfig, LIFE_TABLES, TABLES};
use crate::error::Result;
use crate::keys::Key;
use crate::model::population_models;
use crate::rules::{find_rule, SynapseRuleInfo};
use std::collections::BTreeMap;
use std::fmt::Write;
use toml::Value;

/// The meaning of each key, by its full name.
#[derive(Default)]
struct Meanings(BTreeMap<String, String>);

impl Meanings {
    /// Adds keys; `table` is the name of the table that contains them, or empty.
    fn add(&mut self, table: &str, keys: Vec<Key>) {
        let before = if table.is_empty() { String::new() } else { format!("{table}.") };
        self.0.extend(keys.into_iter().map(|key| (format!("{before}{}", key.name), key.meaning)));
    }
}

/// A configuration as TOML, each key below its meaning; at the top, the settings that its rule changes.
pub(crate) fn commented(config: &Config) -> Result<String> {
    let mut meanings = Meanings::default();
    meanings.add("", keys_of(&TABLES));
    if let Ok(task) = config.task_name().and_then(find_task) {
        meanings.add("task", (task.keys)());
    }
    if let Ok(rule) = find_rule(&config.rule.name) {
        meanings.add("rule", (rule.keys)());
    }
    let brought = config.brought_by_rule()?;
    let mut text = String::from("# The complete configuration of a run; `hebbian-rnn train --config` repeats it.\n");
    if !brought.is_empty() {
        text += &format!("# Settings changed by the rule `{}`: {}.\n", config.rule.name, brought.join(", "));
    }
    text.push('\n');
    Ok(text + &with_meanings(&config.to_toml()?, &meanings))
}

/// A life's configuration as TOML, each key below its meaning.
pub(crate) fn commented_life(config: &LifeConfig) -> Result<String> {
    let mut meanings = Meanings::default();
    meanings.add("", keys_of(&LIFE_TABLES));
    for (k, population) in config.populations.iter().enumerate() {
        meanings.add(&format!("population.{k}"), Key::of::<PopulationConfig>());
        let model = population.neurons.get("model").and_then(Value::as_str);
        for model in population_models().iter().filter(|known| Some(known.name) == model) {
            meanings.add(&format!("population.{k}.neurons"), (model.keys)());
        }
    }
    for (k, projection) in config.projections.iter().enumerate() {
        meanings.add(&format!("projection.{k}"), Key::of::<ProjectionConfig>());
        if let Some(Ok(rule)) = projection.rule_name().map(SynapseRuleInfo::find) {
            meanings.add(&format!("projection.{k}.rule"), (rule.keys)());
        }
    }
    if let Ok(life) = config.world_name().and_then(find_life) {
        meanings.add("world", (life.keys)());
    }
    let environment = config.world.get("body").and_then(|body| body.get("environment")?.get("name")?.as_str());
    if let Some(Ok(task)) = environment.map(find_task) {
        meanings.add("world.body.environment", (task.keys)());
    }
    let text = String::from("# The complete configuration of a life; `hebbian-rnn live --config` repeats it.\n\n");
    Ok(text + &with_meanings(&config.to_toml()?, &meanings))
}

/// TOML with each key and table below its meaning. The tables of a list are found under their number, as in `population.0.size`,
/// or without it.
fn with_meanings(toml: &str, Meanings(meanings): &Meanings) -> String {
    let mut text = String::new();
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    let (mut table, mut numbered) = ("", String::new());
    for line in toml.lines() {
        let header = line.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
        let list = header.and_then(|rest| rest.strip_prefix('[')?.strip_suffix(']'));
        if let Some(list) = list {
            let count = counts.entry(list).and_modify(|count| *count += 1).or_default();
            (table, numbered) = (list, format!("{list}.{count}"));
        } else if let Some(name) = header {
            let of = name.split_once('.').and_then(|(list, rest)| Some(format!("{list}.{}.{rest}", counts.get(list)?)));
            (table, numbered) = (name, of.unwrap_or(name.to_string()));
        }
        let key = match header {
            Some(_) => Some(String::new()),
            None => line.split_once(" = ").map(|(key, _)| format!(".{key}")),
        };
        let of = |table: &str| meanings.get(&format!("{table}{}", key.as_ref()?));
        let meaning = of(&numbered).or_else(|| of(table));
        // Writing to a string cannot fail.
        let _ = match meaning {
            Some(meaning) => writeln!(text, "# {meaning}\n{line}"),
            None => writeln!(text, "{line}"),
        };
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Setting;
    use crate::presets::resolve_config;

    #[test]
    fn a_commented_configuration_is_the_same_configuration() {
        for (task, rule) in [("dnms", "delta-x"), ("pattern-generation", "eh"), ("dnms-variable-delay", "bptt")] {
            let config = resolve_config(Some(task), &[Setting::flag("", "rule.name", rule)]).unwrap();
            let text = commented(&config).unwrap();
            assert_eq!(Config::from_toml(&text).unwrap().to_toml().unwrap(), config.to_toml().unwrap());
            assert!(text.contains("# N, the number of neurons.\nneurons = "), "{text}");
            assert!(
                text.contains("# Settings changed by") == (task == "pattern-generation" || rule == "bptt"),
                "{text}"
            );
        }
    }
}
