//! Lays configuration files and `key=value` settings over a table of defaults, and refuses what it does not know.

use crate::error::{bail, At, Error, Result};
use crate::text::shown;
use toml::{Table, Value};

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
    ///
    /// # Errors
    /// Where there is no `=`.
    pub fn parse(text: &str) -> Result<Self> {
        let Some((key, value)) = text.split_once('=') else { bail!(Usage, "--set {text}: expected key=value") };
        let (key, value) = (key.trim(), value.trim());
        let value = format!("v = {value}")
            .parse::<Table>()
            .ok()
            .filter(|table| table.len() == 1)
            .and_then(|mut table| table.remove("v"))
            .unwrap_or_else(|| Value::String(value.to_string()));
        Ok(Setting { key: key.to_string(), value, origin: "--set".to_string() })
    }

    /// A setting that came from a flag, or from wherever `flag` says.
    pub fn flag(flag: &str, key: &str, value: impl Into<Value>) -> Self {
        Setting { key: key.to_string(), value: value.into(), origin: flag.to_string() }
    }

    /// All the settings of a TOML text.
    ///
    /// # Errors
    /// Where it is not TOML; says in which line.
    pub fn from_toml(text: &str, origin: &str) -> Result<Vec<Self>> {
        let table: Table = text.parse().map_err(|error| not_toml(origin, text, &error))?;
        let mut settings = Vec::new();
        flatten(String::new(), &table, origin, &mut settings);
        Ok(settings)
    }
}

/// One line on the first thing that is not TOML: what, and where.
fn not_toml(origin: &str, text: &str, error: &toml::de::Error) -> Error {
    let what = error.message().lines().next().unwrap_or_default().trim();
    let before = error.span().and_then(|span| text.get(..span.start)).unwrap_or_default();
    let line = before.matches('\n').count() + 1;
    Error::Content(format!("{origin} is not TOML: line {line}: {what}"))
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

/// The value of a setting that has to be a name.
pub(crate) fn text(setting: &Setting) -> Result<&str> {
    let Setting { key, value, origin } = setting;
    let found = || format!("{} ({})", shown(&value.to_string()), value.type_str());
    value.as_str().ok_or_else(|| Error::setting(key, found(), "a name")).at(origin)
}

/// Lays `settings` over a table of tables of defaults, later ones over earlier ones. `optional` are keys, each with a value such
/// as it may have, that are known but not among the defaults.
///
/// # Errors
/// An unknown key, with the nearest known one, or a value of another kind than the default.
pub(crate) fn lay_over(table: &mut Table, settings: &[Setting], optional: &[(String, Value)]) -> Result<()> {
    settings.iter().try_for_each(|setting| apply(table, setting, optional))
}

fn apply(table: &mut Table, setting: &Setting, optional: &[(String, Value)]) -> Result<()> {
    let Setting { key, value, origin } = setting;
    let known = known_keys(table, optional);
    let unknown = || Error::unknown("key", key, known.iter().map(String::as_str));
    let Some((group, name)) = key.split_once('.').filter(|_| known.contains(key)) else {
        return Err(unknown()).at(origin);
    };
    let group = table.get_mut(group).and_then(Value::as_table_mut).ok_or_else(unknown).at(origin)?;
    // Either limit takes the other's place.
    match key.as_str() {
        "train.trials" => drop(group.remove("updates")),
        "train.updates" => drop(group.remove("trials")),
        _ => {}
    }
    let such_as = group.get(name).or_else(|| optional.iter().find(|(known, _)| known == key).map(|(_, value)| value));
    let value = match (such_as, value) {
        (Some(Value::Float(_)), Value::Integer(n)) => Value::Float(*n as f64),
        // A range of networks is text, a count a number.
        (_, value) if key == "train.networks" => value.clone(),
        (Some(default), value) if default.type_str() != value.type_str() => {
            let found = format!("{} ({})", shown(&value.to_string()), value.type_str());
            let expected = format!("{}, such as {default}", article(default.type_str()));
            return Err(Error::setting(key, found, expected)).at(origin);
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

fn known_keys(table: &Table, optional: &[(String, Value)]) -> Vec<String> {
    let groups = table.iter().filter_map(|(group, value)| Some((group, value.as_table()?)));
    let keys = groups.flat_map(|(group, inner)| inner.keys().map(move |key| format!("{group}.{key}")));
    let mut keys: Vec<String> = keys.chain(optional.iter().map(|(key, _)| key.clone())).collect();
    keys.sort();
    keys.dedup();
    keys
}
