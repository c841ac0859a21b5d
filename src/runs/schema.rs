//! The JSON schemas of configurations, with which editors complete and check them.

use crate::config::{CurriculumStage, LIFE_TABLES, TABLES};
use crate::error::{Error, Result};
use crate::keys::{schema_of, Key};
use crate::model::population_models;
use crate::presets::{all_tasks, LIVES};
use crate::rules::{RULES, SYNAPSE_RULES};
use serde_json::{json, Map, Value};

/// The JSON schema of a run's `config.toml`.
///
/// # Errors
/// [`Error::Bug`] if it cannot be written.
pub fn config_schema() -> Result<String> {
    let mut tables: Map<String, Value> =
        TABLES.iter().map(|(name, keys)| (name.to_string(), table(keys(), &[]))).collect();
    // Configurations of earlier versions have the parameters of all rules.
    for key in RULES.iter().flat_map(|rule| (rule.keys)()) {
        tables["rule"]["properties"][&key.name] = value(&key);
    }
    tables["rule"]["properties"]["name"]["examples"] = RULES.iter().map(|rule| rule.name).collect();
    let tasks = all_tasks().map(|task| named("name", task.name, task.summary, (task.keys)()));
    tables.insert("task".into(), one_of(tasks));
    tables.insert("curriculum".into(), json!({ "type": "array", "items": schema_of::<CurriculumStage>() }));
    written("the configuration of a run", tables)
}

/// The JSON schema of a life's `config.toml`.
///
/// # Errors
/// [`Error::Bug`] if it cannot be written.
pub fn life_schema() -> Result<String> {
    let [life, population, projection] = LIFE_TABLES.map(|(_, keys)| keys());
    let mut population = table(population, &["name"]);
    let models = population_models().iter().map(|model| named("model", model.name, model.summary, (model.keys)()));
    population["properties"]["neurons"] = one_of(models);
    let mut projection = table(projection, &["from", "to"]);
    let rules = SYNAPSE_RULES.iter().map(|rule| named("name", rule.name, rule.summary, (rule.keys)()));
    let fixed = named("name", "none", "fixed weights", Vec::new());
    projection["properties"]["rule"] = one_of(rules.chain([fixed]));
    let worlds = LIVES.iter().map(|life| named("name", life.name, life.summary, (life.keys)()));
    let list = |items: Value| json!({ "type": "array", "items": items });
    let tables = [
        ("life", table(life, &[])),
        ("world", one_of(worlds)),
        ("population", list(population)),
        ("projection", list(projection)),
    ];
    written("the configuration of a life", tables.into_iter().map(|(name, table)| (name.to_string(), table)).collect())
}

/// The schema of a table with these keys, and with `names` as its values. Keys with a dot belong to tables inside it.
fn table(keys: Vec<Key>, names: &[&str]) -> Value {
    let mut table = json!({ "type": "object", "properties": {}, "additionalProperties": false });
    for name in names {
        table["properties"][name] = json!({ "type": "string" });
    }
    for key in keys {
        insert(&mut table, &key.name, value(&key));
    }
    table
}

/// Adds a key, which can be in a table inside the table.
fn insert(table: &mut Value, name: &str, value: Value) {
    match name.split_once('.') {
        None => table["properties"][name] = value,
        // The schema of a list has that of its tables already.
        Some((inner, _)) if table["properties"][inner]["type"] == "array" => {}
        Some((inner, rest)) => insert(&mut table["properties"][inner], rest, value),
    }
}

/// The schema of a key's values, with its explanation.
fn value(key: &Key) -> Value {
    let mut schema = key.schema.clone();
    if let Some(attributes) = schema.as_object_mut() {
        // The default here is for older files without the key; new configurations can get another value.
        attributes.remove("default");
        attributes.insert("description".into(), key.explanation().into());
    }
    schema
}

/// The schema of a table that selects something by name, with its parameters.
fn named(key: &str, name: &str, summary: &str, parameters: Vec<Key>) -> Value {
    let mut table = table(parameters, &[]);
    table["title"] = name.into();
    table["description"] = summary.into();
    table["properties"][key] = json!({ "const": name, "description": summary });
    table
}

/// A table that is like one of several.
fn one_of(tables: impl Iterator<Item = Value>) -> Value {
    json!({ "type": "object", "anyOf": tables.collect::<Vec<Value>>() })
}

fn written(title: &str, tables: Map<String, Value>) -> Result<String> {
    let schema = json!({
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": title,
        "type": "object",
        "properties": tables,
        "additionalProperties": false,
    });
    serde_json::to_string_pretty(&schema).map_err(|error| Error::Bug(format!("writing a schema: {error}")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::setup::LifeSetup;

    /// Whether a value is valid, as far as these schemas go.
    fn valid(schema: &Value, value: &Value) -> bool {
        let list = |name: &str| schema.get(name).and_then(Value::as_array);
        let number = |name: &str| schema.get(name).and_then(Value::as_f64);
        let is = |name: &str| match name {
            "object" => value.is_object(),
            "array" => value.is_array(),
            "string" => value.is_string(),
            "boolean" => value.is_boolean(),
            "null" => value.is_null(),
            "integer" => value.is_u64() || value.is_i64(),
            "number" => value.is_number(),
            other => panic!("type {other}"),
        };
        let in_range = value.as_f64().is_none_or(|found| {
            number("minimum").is_none_or(|bound| found >= bound)
                && number("maximum").is_none_or(|bound| found <= bound)
                && number("exclusiveMinimum").is_none_or(|bound| found > bound)
                && number("exclusiveMaximum").is_none_or(|bound| found < bound)
        });
        let of_its_type = schema.get("type").is_none() || crate::keys::types(schema).any(is);
        let one_of_its_choices = list("enum").is_none_or(|choices| choices.contains(value))
            && schema.get("const").is_none_or(|only| only == value)
            && list("anyOf").or(list("oneOf")).is_none_or(|all| all.iter().any(|one| valid(one, value)));
        let its_keys = value.as_object().into_iter().flatten().all(|(name, inner)| {
            let known = schema.get("properties").and_then(|all| all.get(name));
            let open = schema.get("additionalProperties") != Some(&Value::Bool(false));
            known.map_or(open, |schema| valid(schema, inner))
        });
        let its_items = value.as_array().into_iter().flatten().enumerate().all(|(place, inner)| {
            let items = schema.get("items");
            items.is_none_or(|items| valid(items.get(place).unwrap_or(items), inner))
        });
        in_range && of_its_type && one_of_its_choices && its_keys && its_items
    }

    #[test]
    fn every_preset_is_valid_and_what_is_wrong_is_not() {
        let schema: Value = serde_json::from_str(&config_schema().unwrap()).unwrap();
        for (task, rule) in all_tasks().flat_map(|task| RULES.iter().map(move |rule| (task, rule))) {
            let config = serde_json::to_value(task.defaults(rule)).unwrap();
            assert!(valid(&schema, &config), "{} with {}: {config:#}", task.name, rule.name);
        }
        let config = serde_json::to_value(all_tasks().next().unwrap().config().unwrap()).unwrap();
        for (table, key, value) in [
            ("network", "neurons", json!(0)),
            ("network", "tau_ms", json!(0.0)),
            ("network", "output", json!("elsewhere")),
            ("network", "gian", json!(1.0)),
            ("rule", "rms_decay", json!(1.0)),
            ("task", "name", json!("echo")),
            ("train", "networks", json!(true)),
        ] {
            let mut wrong = config.clone();
            wrong[table][key] = value;
            assert!(!valid(&schema, &wrong), "{table}.{key}");
        }
    }

    #[test]
    fn every_life_is_valid_and_what_is_wrong_is_not() {
        let schema: Value = serde_json::from_str(&life_schema().unwrap()).unwrap();
        for (life, rule) in LIVES.iter().flat_map(|life| life.rules.iter().map(move |rule| (life, rule))) {
            let setup = LifeSetup::resolve(Some(life.name), Some(rule), &[]).unwrap();
            let config = serde_json::to_value(setup.config).unwrap();
            assert!(valid(&schema, &config), "{} with {rule}: {config:#}", life.name);
            let mut wrong = config.clone();
            wrong["projection"][0]["delay_ms"] = json!(0.0);
            assert!(!valid(&schema, &wrong));
            wrong = config;
            wrong["population"][0]["neurons"]["model"] = json!("none");
            assert!(!valid(&schema, &wrong));
        }
    }
}
