//! The keys of a life's configuration: populations and projections are addressed by name, as in `population.hidden.size`
//! and `projection.input-hidden.delay_ms`.

use super::layers::wrong_type;
use super::{LifeConfig, ProjectionConfig, Setting};
use crate::error::{ensure, At, Error, Result};
use toml::{Table, Value};

impl LifeConfig {
    /// The configuration overlaid with `settings`; later ones win.
    ///
    /// # Errors
    /// [`Error::Unknown`] for an unknown key; [`Error::Setting`] or [`Error::Usage`] for a value of the wrong type.
    pub fn with(&self, settings: &[Setting]) -> Result<Self> {
        let mut table = named(self)?;
        let mut swapped = Vec::new();
        for setting in settings {
            apply(&mut table, setting, &mut swapped).at(&setting.origin)?;
        }
        for kind in ["population", "projection"] {
            let Some(Value::Table(by_name)) = table.remove(kind) else { continue };
            let mut list: Vec<(String, Value)> = by_name.into_iter().collect();
            // In the order in which they were given.
            let given = settings.iter().rev().find(|setting| setting.key == kind);
            let given = given.and_then(|setting| setting.value.as_array()).map(|list| names_in(kind, list));
            let order = given.unwrap_or_else(|| match kind {
                "population" => self.populations.iter().map(|population| population.name.clone()).collect(),
                _ => self.projections.iter().map(ProjectionConfig::name).collect(),
            });
            list.sort_by_key(|(name, _)| order.iter().position(|known| known == name));
            let list = list.into_iter().map(|(name, mut value)| {
                let names = match name.split_once('-').filter(|_| kind == "projection") {
                    Some((from, to)) => vec![("from", from), ("to", to)],
                    None => vec![("name", &name[..])],
                };
                if let Some(table) = value.as_table_mut() {
                    table.extend(names.into_iter().map(|(key, part)| (key.to_string(), part.into())));
                }
                value
            });
            table.insert(kind.into(), Value::Array(list.collect()));
        }
        serde_path_to_error::deserialize(Value::Table(table))
            .map_err(|error| Error::Usage(format!("{}: {}", error.path(), error.inner().message().trim())))
    }

    /// Every key with its value.
    ///
    /// # Errors
    /// [`Error::Bug`] if a value cannot be written as TOML.
    pub fn settings(&self, origin: &str) -> Result<Vec<Setting>> {
        Ok(Setting::from_table(&named(self)?, origin))
    }
}

/// The configuration as a table in which populations and projections are tables by name.
fn named(config: &LifeConfig) -> Result<Table> {
    let mut table = Table::try_from(config).map_err(|error| Error::Bug(format!("writing the defaults: {error}")))?;
    for kind in ["population", "projection"] {
        let Some(Value::Array(list)) = table.remove(kind) else { continue };
        table.insert(kind.into(), Value::Table(by_name(kind, list)));
    }
    Ok(table)
}

/// A list of populations or projections as tables by name.
fn by_name(kind: &str, list: Vec<Value>) -> Table {
    let names = names_in(kind, &list);
    let named = names.into_iter().zip(list).filter_map(|(name, value)| {
        let Value::Table(mut value) = value else { return None };
        ["name", "from", "to"].iter().for_each(|key| drop(value.remove(*key)));
        Some((name, Value::Table(value)))
    });
    named.collect()
}

/// The names of a list of populations or projections; empty where one is missing.
fn names_in(kind: &str, list: &[Value]) -> Vec<String> {
    let part = |value: &Value, key: &str| value.get(key).and_then(Value::as_str).unwrap_or_default().to_string();
    let name = |value: &Value| match kind {
        "population" => part(value, "name"),
        _ => format!("{}-{}", part(value, "from"), part(value, "to")),
    };
    list.iter().map(name).collect()
}

/// The table that names the environment of a life, in a life that has one.
const ENVIRONMENT: [&str; 3] = ["world", "body", "environment"];

/// Groups of keys of which a complete configuration gives only one.
const CHOICES: [(&str, &[&str]); 2] =
    [("connect", &["density", "in_degree", "out_degree"]), ("weights", &["constant", "uniform", "normal"])];

/// Applies a setting to a table. `swapped` lists the rules and neuron models that replaced others; their parameters, and those of an
/// environment, are checked when they are built.
fn apply(table: &mut Table, setting: &Setting, swapped: &mut Vec<String>) -> Result<()> {
    let Setting { key, value, .. } = setting;
    if let (Value::Array(list), "population" | "projection") = (value, &key[..]) {
        // A complete list, such as that of a configuration file, which later settings change.
        let names = names_in(key, list);
        let twice = names.iter().enumerate().find(|(k, name)| names[..*k].contains(name));
        ensure!(twice.is_none(), Usage, "there are two {key}s called `{}`", twice.map_or("", |(_, name)| name));
        table.insert(key.clone(), Value::Table(by_name(key, list.clone())));
        return Ok(());
    }
    let known: Vec<String> = Setting::from_table(table, "").into_iter().map(|s| s.key).collect();
    let unknown = || Error::unknown("key", key, known.iter().map(String::as_str));
    let mut parts: Vec<&str> = key.split('.').collect();
    let last = parts.pop().unwrap_or_default();
    let swaps = match (&parts[..], last) {
        (["projection", _, "rule"], "name") | (["population", _, "neurons"], "model") => value.as_str(),
        (table, "name")
            if *table == ENVIRONMENT && known.iter().any(|key| key.starts_with("world.body.environment")) =>
        {
            value.as_str()
        }
        _ => None,
    };
    if let Some(name) = swaps {
        // A projection gets another rule, a population another neuron model, or a life another environment, with its own defaults.
        let owners = table.get_mut(parts[0]).and_then(|all| all.get_mut(parts[1])).and_then(Value::as_table_mut);
        let own = owners.ok_or_else(unknown)?.entry(parts[2]).or_insert_with(|| Value::Table(Table::new()));
        if own.get(last).and_then(Value::as_str) != Some(name) {
            *own = Value::Table(Table::from_iter([(last.to_string(), name.into())]));
            swapped.push(parts.join("."));
        }
        return Ok(());
    }
    let mut group = table;
    for part in &parts {
        group = group.get_mut(*part).and_then(Value::as_table_mut).ok_or_else(unknown)?;
    }
    if let Some((_, names)) =
        CHOICES.iter().find(|(choice, names)| parts.last() == Some(choice) && names.contains(&last))
    {
        names.iter().for_each(|name| drop(group.remove(*name)));
        let whole = ["density", "constant"].contains(&last);
        let value =
            if whole { value.as_integer().map_or(value.clone(), |n| Value::Float(n as f64)) } else { value.clone() };
        group.insert(last.into(), value);
        return Ok(());
    }
    let is_optional = match (&parts[..], last, value) {
        (["projection", _], "own_spike_resets", Value::Boolean(_)) => true,
        (["life"], "shuffle_seconds", Value::Float(_) | Value::Integer(_)) => true,
        (["world", "body"], "success_return", Value::Float(_) | Value::Integer(_)) => group.contains_key("environment"),
        _ => parts[..] == ENVIRONMENT,
    };
    if is_optional {
        group.insert(last.into(), value.clone());
        return Ok(());
    }
    if swapped.contains(&parts.join(".")) {
        group.insert(last.into(), value.as_integer().map_or(value.clone(), |n| Value::Float(n as f64)));
        return Ok(());
    }
    let example = group.get(last).ok_or_else(unknown)?;
    let value = match (example, value) {
        (Value::Float(_), Value::Integer(n)) => Value::Float(*n as f64),
        (example, value) if key != "life.networks" && example.type_str() != value.type_str() => {
            return Err(wrong_type(key, value, example));
        }
        (_, value) => value.clone(),
    };
    group.insert(last.into(), value);
    Ok(())
}
