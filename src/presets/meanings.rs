//! The meaning of each configuration key, from the code's own documentation; its choices, unit and range, from the checks
//! that refuse other values.

use super::notices::reader;
use super::{find_life, find_task, resolve_config};
use crate::config::{
    BpttConfig, Config, FastWeightsConfig, LifeConfig, LifeSettings, NetworkConfig, PerturbationConfig,
    PopulationConfig, ProjectionConfig, ReadoutConfig, RewardConfig, RuleConfig, Setting, TrainConfig,
};
use crate::error::Result;
use crate::model::population_models;
use crate::rules::{find_rule, SynapseRuleInfo};
use crate::text::{fields, prefixed};
use std::collections::BTreeMap;
use std::fmt::Write;
use toml::Value;

/// The tables of a configuration that all tasks share.
pub(crate) const TABLES: [&str; 8] =
    ["network", "perturbation", "rule", "readout", "modulator", "trace", "bptt", "train"];

/// The keys of each of the [`TABLES`], with their documentation.
fn documented() -> [Vec<(&'static str, String)>; TABLES.len()] {
    [
        fields::<NetworkConfig>(),
        fields::<PerturbationConfig>(),
        fields::<RuleConfig>(),
        fields::<ReadoutConfig>(),
        fields::<RewardConfig>(),
        fields::<FastWeightsConfig>(),
        fields::<BpttConfig>(),
        fields::<TrainConfig>(),
    ]
}

/// Every key that all tasks share, with its documentation.
fn plain_keys() -> impl Iterator<Item = (String, String)> {
    let of_table = |(table, keys)| prefixed(&format!("{table}."), keys);
    // The parameters of individual rules are explained with the rules.
    TABLES.into_iter().zip(documented()).flat_map(of_table).filter(|(key, _)| key != "rule.own")
}

/// The tables of a life's configuration that all lives share.
pub(crate) const LIFE_TABLES: [&str; 3] = ["life", "population.NAME", "projection.FROM-TO"];

/// Every key that all lives share, with its meaning. Keys contain NAME and FROM-TO instead of the populations' names.
pub(crate) fn life_keys() -> Vec<(String, String)> {
    let tables = [fields::<LifeSettings>(), fields::<PopulationConfig>(), fields::<ProjectionConfig>()];
    let of_table = |(table, keys)| prefixed(&format!("{table}."), keys);
    let names = ["population.NAME.name", "projection.FROM-TO.from", "projection.FROM-TO.to"];
    LIFE_TABLES.into_iter().zip(tables).flat_map(of_table).filter(|(key, _)| !names.contains(&&key[..])).collect()
}

/// Every key that all tasks share, with its meaning, choices, unit and range.
pub(crate) fn keys() -> Vec<(String, String)> {
    let named = |(key, meaning): (String, String)| {
        let meaning = with_values(&key, meaning);
        (key, meaning)
    };
    plain_keys().map(named).collect()
}

/// The meaning of a key, followed by its possible values.
fn with_values(key: &str, mut meaning: String) -> String {
    let mut add = |text: String| meaning = format!("{meaning} {text}.");
    if key.ends_with("_ms") {
        add("In ms".into());
    }
    match Values::of(key) {
        Values::Choices(names) => add(format!("One of: {}", names.join(", "))),
        Values::Range(range) => add(format!("Range: {range}")),
        Values::Unknown => {}
    }
    if let Some(reader) = reader(key) {
        add(format!("Read only with {reader}"));
    }
    meaning
}

/// The possible values of a key.
enum Values {
    Choices(Vec<String>),
    Range(String),
    Unknown,
}

impl Values {
    /// From the errors about wrong values, which say what was expected.
    fn of(key: &str) -> Self {
        // Some keys are checked only if something uses them.
        let readers = [
            ("", "network.output", Value::from("readout")),
            ("bptt.", "rule.name", "bptt".into()),
            ("network.dale_", "network.dale", true.into()),
            ("network.excitatory", "network.dale", true.into()),
            ("network.response_", "network.response", "rectified-linear".into()),
        ];
        let base = readers.into_iter().filter(|(keys, ..)| key.starts_with(keys));
        let base: Vec<Setting> = base.map(|(_, reader, value)| Setting::flag("", reader, value)).collect();
        let refusal = |wrong: Value| {
            let settings = [&base[..], &[Setting::flag("", key, wrong)]].concat();
            let checked = resolve_config(Some("dnms"), &settings).and_then(|config| config.check());
            checked.err().map(|error| error.to_string()).filter(|text| text.contains(key))
        };
        let expected = |text: String| Some(text.split_once("; expected ")?.1.to_string());
        if let Some((_, offered)) =
            refusal("?".into()).as_ref().and_then(|text| text.split_once("unknown variant `?`, expected "))
        {
            return Values::Choices(offered.split('`').skip(1).step_by(2).map(String::from).collect());
        }
        let wrong = [Value::Float(-1.0), Value::Float(-1e31), Value::Integer(0)];
        let mut ranges = wrong.into_iter().filter_map(|value| refusal(value).and_then(expected));
        // Not where only the type is wrong, or any number will do.
        let tells =
            |text: &String| !["such as", "a boolean", "a name", "from -1e30"].iter().any(|none| text.contains(none));
        ranges.find(tells).map_or(Values::Unknown, |text| Values::Range(in_short(&text)))
    }
}

/// "a finite number above 0, at most 1e30" without the parts that apply to every number.
fn in_short(expected: &str) -> String {
    let text = expected.replace("a finite number ", "").replace("a number ", "");
    text.replace(", at most 1e30", "").replace(" to 1e30", "")
}

/// A configuration as TOML, each key below its meaning; at the top, the settings that its rule changes.
///
/// # Errors
/// [`Error::Bug`](crate::Error::Bug) if a value cannot be written as TOML.
pub(crate) fn commented(config: &Config) -> Result<String> {
    let mut meanings: BTreeMap<String, String> = plain_keys().collect();
    if let Ok(task) = config.task_name().and_then(find_task) {
        meanings.extend(task.parameters()?.into_iter().map(|(key, _, meaning)| (format!("task.{key}"), meaning)));
    }
    if let Ok(rule) = find_rule(&config.rule.name) {
        meanings.extend(rule.parameters().into_iter().map(|(key, _, meaning)| (format!("rule.{key}"), meaning)));
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
///
/// # Errors
/// [`Error::Bug`](crate::Error::Bug) if a value cannot be written as TOML.
pub(crate) fn commented_life(config: &LifeConfig) -> Result<String> {
    let mut meanings: BTreeMap<String, String> = prefixed("life.", fields::<LifeSettings>()).into_iter().collect();
    for (k, population) in config.populations.iter().enumerate() {
        meanings.extend(prefixed(&format!("population.{k}."), fields::<PopulationConfig>()));
        let model = population.neurons.get("model").and_then(Value::as_str);
        for model in population_models().iter().filter(|known| Some(known.name) == model) {
            meanings.extend(prefixed(&format!("population.{k}.neurons."), (model.meanings)()));
        }
    }
    for (k, projection) in config.projections.iter().enumerate() {
        meanings.extend(prefixed(&format!("projection.{k}."), fields::<ProjectionConfig>()));
        if let Some(Ok(rule)) = projection.rule_name().map(SynapseRuleInfo::find) {
            meanings.extend(prefixed(&format!("projection.{k}.rule."), (rule.meanings)()));
        }
    }
    if let Ok(life) = config.world_name().and_then(find_life) {
        meanings.extend((life.meanings)().into_iter().map(|(key, meaning)| (format!("world.{key}"), meaning)));
    }
    let text = String::from("# The complete configuration of a life; `hebbian-rnn live --config` repeats it.\n\n");
    Ok(text + &with_meanings(&config.to_toml()?, &meanings))
}

/// TOML with each key and table below its meaning. The tables of a list are identified by their number, as in `population.0.size`,
/// or without it.
fn with_meanings(toml: &str, meanings: &BTreeMap<String, String>) -> String {
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

    #[test]
    fn ranges_are_those_that_are_checked() {
        let keys: BTreeMap<String, String> = keys().into_iter().collect();
        for (key, values) in [
            ("network.tau_ms", "In ms. Range: above 0."),
            ("network.connectivity", "Range: above 0 and at most 1."),
            ("network.output", "One of: neurons, readout."),
            (
                "perturbation.probability",
                "Range: from 0 to 1. Read only with a rule that learns from perturbations, such as `delta-x`.",
            ),
            ("train.batch", "Range: at least 1."),
        ] {
            assert!(keys[key].ends_with(values), "{key}: {}", keys[key]);
        }
    }
}
