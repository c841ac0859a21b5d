//! Lays a configuration file and `key=value` settings over a task's defaults, and refuses what it does not know.

use crate::config::{Config, RuleName};
use crate::task;
use crate::untrusted::shown;
use anyhow::{anyhow, bail, Context, Result};
use serde::Deserialize;
use toml::{Table, Value};

/// Keys that a complete configuration may lack, so the defaults do not show them.
const OPTIONAL: [&str; 2] = ["train.trials", "train.updates"];

/// One `key=value` setting and where it came from (for messages).
#[derive(Clone, Debug)]
pub struct Setting {
    /// Dotted key, e.g. `trace.eta`.
    pub key: String,
    /// Its value.
    pub value: Value,
    /// What the user wrote it in, e.g. `--set` or `run.toml`.
    pub origin: String,
}

impl Setting {
    /// Reads `key=value`. The value is TOML; anything that is not TOML is taken as a string, so quotes can be left out.
    pub fn parse(text: &str) -> Result<Self> {
        let (key, value) = text.split_once('=').with_context(|| format!("--set {text}: expected key=value"))?;
        let (key, value) = (key.trim(), value.trim());
        let value = format!("v = {value}")
            .parse::<Table>()
            .ok()
            .filter(|table| table.len() == 1)
            .and_then(|mut table| table.remove("v"))
            .unwrap_or_else(|| Value::String(value.to_string()));
        Ok(Setting { key: key.to_string(), value, origin: "--set".to_string() })
    }

    /// A setting that came from a flag.
    pub fn flag(flag: &str, key: &str, value: impl Into<Value>) -> Self {
        Setting { key: key.to_string(), value: value.into(), origin: flag.to_string() }
    }

    /// All the settings of a TOML text.
    pub fn from_toml(text: &str, origin: &str) -> Result<Vec<Self>> {
        let table: Table = text.parse().map_err(|error| not_toml(origin, text, &error))?;
        let mut settings = Vec::new();
        flatten(String::new(), &table, origin, &mut settings);
        Ok(settings)
    }
}

/// One line on the first thing that is not TOML: what, and where.
fn not_toml(origin: &str, text: &str, error: &toml::de::Error) -> anyhow::Error {
    let what = error.message().lines().next().unwrap_or_default().trim();
    let before = error.span().and_then(|span| text.get(..span.start)).unwrap_or_default();
    let line = before.matches('\n').count() + 1;
    anyhow!("{origin} is not TOML: line {line}: {what}")
}

fn flatten(prefix: String, table: &Table, origin: &str, settings: &mut Vec<Setting>) {
    for (key, value) in table {
        let key = if prefix.is_empty() { key.clone() } else { format!("{prefix}.{key}") };
        match value {
            Value::Table(inner) => flatten(key, inner, origin, settings),
            value => settings.push(Setting { key, value: value.clone(), origin: origin.to_string() }),
        }
    }
}

/// The configuration of `task` with `settings` laid over its defaults, later ones over earlier ones.
///
/// The defaults depend on the rule, so `rule.name` is looked for first. `task` may be `None` where a setting gives
/// `task.name`.
///
/// # Errors
/// An unknown task, rule or key (with the nearest known one), a value of the wrong type, or one out of range.
pub fn resolve(task: Option<&str>, settings: &[Setting]) -> Result<Config> {
    let last = |key: &str| settings.iter().rev().find(|s| s.key == key);
    let named = last("task.name").map(|s| text(s)).transpose()?;
    let name = match (task, named) {
        (Some(task), Some(named)) if task != named => {
            bail!("the command names task `{task}`, but task.name is `{named}`")
        }
        (Some(name), _) | (None, Some(name)) => name,
        (None, None) => bail!("no task is named"),
    };
    let info = task::find(name)?;
    let rule = match last("rule.name") {
        Some(setting) => parse_rule(text(setting)?)?,
        None => info.rule,
    };
    let mut table = Table::try_from(info.defaults(rule)).context("writing the defaults")?;
    for setting in settings {
        apply(&mut table, setting)?;
    }
    let mut config: Config = serde_path_to_error::deserialize(Value::Table(table))
        .map_err(|error| anyhow!("{}: {}", error.path(), error.inner().message().trim()))?;
    let task = config.complete()?;
    config.validate(&*task)?;
    Ok(config)
}

fn text(setting: &Setting) -> Result<&str> {
    setting.value.as_str().with_context(|| {
        format!(
            "{}: {} is {} ({}); expected a name",
            setting.origin,
            setting.key,
            shown(&setting.value.to_string()),
            setting.value.type_str()
        )
    })
}

/// Reads a rule's name.
pub fn parse_rule(name: &str) -> Result<RuleName> {
    RuleName::deserialize(Value::String(name.to_string()))
        .map_err(|_| unknown("rule", name, RuleName::ALL.iter().map(|(rule, _)| rule.as_str())))
}

fn apply(table: &mut Table, setting: &Setting) -> Result<()> {
    let Setting { key, value, origin } = setting;
    let known = known_keys(table);
    if !known.iter().any(|k| k == key) {
        return Err(unknown("key", key, known.iter().map(String::as_str)).context(origin.clone()));
    }
    let (group, name) = key.split_once('.').with_context(|| format!("{origin}: `{key}` has no table"))?;
    let group =
        table.get_mut(group).and_then(Value::as_table_mut).with_context(|| format!("{origin}: no table `{group}`"))?;
    // Either limit takes the other's place.
    match key.as_str() {
        "train.trials" => drop(group.remove("updates")),
        "train.updates" => drop(group.remove("trials")),
        _ => {}
    }
    let value = match (group.get(name), value) {
        (Some(Value::Float(_)), Value::Integer(n)) => Value::Float(*n as f64),
        // A range of networks is text, a count a number.
        (_, value) if key == "train.networks" => value.clone(),
        (Some(default), value) if default.type_str() != value.type_str() => {
            bail!(
                "{origin}: {key} is {} ({}); expected {}, such as {default}",
                shown(&value.to_string()),
                value.type_str(),
                article(default.type_str())
            )
        }
        (_, value) => value.clone(),
    };
    group.insert(name.to_string(), value);
    Ok(())
}

fn article(kind: &str) -> String {
    let vowel = kind.starts_with(['a', 'e', 'i', 'o', 'u']);
    format!("{} {kind}", if vowel { "an" } else { "a" })
}

fn known_keys(table: &Table) -> Vec<String> {
    let mut keys: Vec<String> = table
        .iter()
        .filter_map(|(group, value)| Some((group, value.as_table()?)))
        .flat_map(|(group, inner)| inner.keys().map(move |key| format!("{group}.{key}")))
        .collect();
    keys.extend(OPTIONAL.map(String::from));
    keys.sort();
    keys.dedup();
    keys
}

/// "unknown KIND `found`", with the nearest known name where one is near, else with all of them.
pub fn unknown<'a>(kind: &str, found: &str, known: impl Iterator<Item = &'a str>) -> anyhow::Error {
    let known: Vec<&str> = known.collect();
    // No known name is nearly as long as some that files hold.
    let near_enough = found.len() <= 200;
    let found = &shown(found);
    let nearest = known
        .iter()
        .filter(|_| near_enough)
        .map(|&name| (strsim::jaro_winkler(found, name), name))
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .filter(|(similarity, _)| *similarity > 0.75);
    match nearest {
        Some((_, name)) => anyhow!("unknown {kind} `{found}`; did you mean `{name}`?"),
        None => anyhow!("unknown {kind} `{found}`; known are: {}", known.join(", ")),
    }
}
