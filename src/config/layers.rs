//! Overlays configuration files and `key=value` settings on a table of defaults, and rejects unknown keys.

use super::{keys_of, Config, TABLES};
use crate::error::{bail, At, Error, Result};
use crate::text::{in_plain_types, shown};
use toml::{Table, Value};

/// A `key=value` setting and where it was given (for messages).
#[derive(Clone, Debug)]
pub struct Setting {
    /// Dotted key, such as `trace.eta`.
    pub key: String,
    /// Its value.
    pub value: Value,
    /// Where the user gave it, such as `--set` or `run.toml`.
    pub origin: String,
}

impl Setting {
    /// Parses `key=value`. A value that is not valid TOML is taken as a string, so quotes can be left out.
    ///
    /// # Errors
    /// [`Error::Usage`] if there is no `=`.
    pub fn parse(text: &str) -> Result<Self> {
        let Some((key, value)) = text.split_once('=') else { bail!(Usage, "--set {text}: expected key=value") };
        let parsed = format!("v = {}", value.trim()).parse::<Table>().ok().filter(|table| table.len() == 1);
        let value = parsed.and_then(|mut table| table.remove("v")).unwrap_or_else(|| value.trim().into());
        Ok(Setting::flag("--set", key.trim(), value))
    }

    /// A setting given by a flag, or by any other `origin`.
    pub fn flag(origin: &str, key: &str, value: impl Into<Value>) -> Self {
        Setting { key: key.to_string(), value: value.into(), origin: origin.to_string() }
    }

    /// All settings of a TOML text.
    ///
    /// # Errors
    /// [`Error::Content`], with the line, if it is not valid TOML.
    pub fn from_toml(text: &str, origin: &str) -> Result<Vec<Self>> {
        let table: Table = text.parse().map_err(|error| not_toml(origin, text, &error))?;
        Ok(Self::from_table(&table, origin))
    }

    /// All settings of a table of tables.
    pub(crate) fn from_table(table: &Table, origin: &str) -> Vec<Self> {
        let mut settings = Vec::new();
        flatten(String::new(), table, origin, &mut settings);
        settings
    }
}

/// The first syntax error of a TOML text, on one line.
fn not_toml(origin: &str, text: &str, error: &toml::de::Error) -> Error {
    let message = error.message().lines().next().unwrap_or_default().trim();
    let before = error.span().and_then(|span| text.get(..span.start)).unwrap_or_default();
    let line = before.matches('\n').count() + 1;
    Error::Content(format!("{origin} is not TOML: line {line}: {message}"))
}

fn flatten(prefix: String, table: &Table, origin: &str, settings: &mut Vec<Setting>) {
    // A name comes first, since it replaces what was named before together with its parameters.
    let (named, others): (Vec<_>, Vec<_>) = table.iter().partition(|(key, _)| ["name", "model"].contains(&&key[..]));
    for (key, value) in named.into_iter().chain(others) {
        let key = if prefix.is_empty() { key.clone() } else { format!("{prefix}.{key}") };
        match value {
            Value::Table(inner) => flatten(key, inner, origin, settings),
            value => settings.push(Setting::flag(origin, &key, value.clone())),
        }
    }
}

/// The value of a setting that must be a name.
pub(crate) fn text(setting: &Setting) -> Result<&str> {
    let Setting { key, value, origin } = setting;
    value.as_str().ok_or_else(|| Error::setting(key, with_type(value), "a name")).at(origin)
}

fn with_type(value: &Value) -> String {
    format!("{} ({})", shown(&value.to_string()), value.type_str())
}

/// `config` overlaid with `settings`; later ones win. `parameters` lists the keys that depend on the rule and that `config` can
/// lack, each with an example value.
///
/// # Errors
/// [`Error::Unknown`] for an unknown key; [`Error::Setting`] or [`Error::Usage`] for a value of the wrong type.
pub(crate) fn lay_over(config: &Config, settings: &[Setting], parameters: &[(String, Value)]) -> Result<Config> {
    let optional = keys_of(&TABLES).into_iter().filter_map(|key| Some((key.example()?, key.name)));
    let optional: Vec<(String, Value)> =
        optional.map(|(example, key)| (key, example)).chain(parameters.iter().cloned()).collect();
    let mut table = Table::try_from(config).map_err(|error| Error::Bug(format!("writing the defaults: {error}")))?;
    settings.iter().try_for_each(|setting| apply(&mut table, setting, &optional).at(&setting.origin))?;
    serde_path_to_error::deserialize(Value::Table(table))
        .map_err(|error| Error::Usage(format!("{}: {}", error.path(), in_plain_types(error.inner().message()))))
}

fn apply(table: &mut Table, Setting { key, value, .. }: &Setting, optional: &[(String, Value)]) -> Result<()> {
    let known = known_keys(table, optional);
    let unknown = || Error::unknown("key", key, known.iter().map(String::as_str));
    let (group, name) = match key.split_once('.').filter(|_| known.contains(key)) {
        Some((group, name)) => (table.get_mut(group).and_then(Value::as_table_mut).ok_or_else(unknown)?, name),
        None if known.contains(key) => (table, &key[..]),
        None => return Err(unknown()),
    };
    // Either limit replaces the other.
    match key.as_str() {
        "train.trials" => drop(group.remove("updates")),
        "train.updates" => drop(group.remove("trials")),
        _ => {}
    }
    let example = group.get(name).or_else(|| optional.iter().find(|(known, _)| known == key).map(|(_, value)| value));
    let value = match (example, value) {
        (Some(Value::Float(_)), Value::Integer(n)) => Value::Float(*n as f64),
        // A range of networks is text; a count is a number.
        (Some(example), value) if key != "train.networks" && example.type_str() != value.type_str() => {
            return Err(wrong_type(key, value, example));
        }
        (_, value) => value.clone(),
    };
    group.insert(name.to_string(), value);
    Ok(())
}

/// The error for a value whose type is not that of `example`.
pub(super) fn wrong_type(key: &str, value: &Value, example: &Value) -> Error {
    let kind = example.type_str();
    let article = if kind.starts_with(['a', 'e', 'i', 'o', 'u']) { "an" } else { "a" };
    Error::setting(key, with_type(value), format!("{article} {kind}, such as {example}"))
}

fn known_keys(table: &Table, optional: &[(String, Value)]) -> Vec<String> {
    let groups = table.iter().filter_map(|(group, value)| Some((group, value.as_table()?)));
    let keys = groups.flat_map(|(group, inner)| inner.keys().map(move |key| format!("{group}.{key}")));
    let mut keys: Vec<String> = keys.chain(optional.iter().map(|(key, _)| key.clone())).collect();
    keys.sort();
    keys.dedup();
    keys
}
