//! The properties of each key of a configuration. The meaning of a key is the documentation of the struct's field; everything
//! else is in the key's JSON schema, which `schemars` derives from the field's type and attributes.
//!
//! The attributes of a field are `range`, `exclusiveMinimum` and `exclusiveMaximum` for numbers, and
//!
//! - `x-read-with`: the settings under which the key has an effect ([`ReadWith`]); on a struct, it applies to all its keys;
//! - `x-resume`: whether a resumed run can change the key;
//! - `x-merge`: whether runs that are merged can differ in it.

use crate::error::{Error, Result};
use crate::ranges::Range;
use crate::text::{fields, in_plain_types, shown};
use documented::DocumentedFields;
use schemars::generate::SchemaSettings;
use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::any::TypeId;
use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

/// The settings under which a key has an effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum ReadWith {
    /// Any settings.
    Anything,
    /// A rule that changes w_rec through an eligibility.
    Rule,
    /// A rule whose eligibility is a sum over steps.
    StepRule,
    /// A rule that changes w_rec through an eligibility, or a readout or critic that learns.
    Rates,
    /// Backpropagation.
    Bptt,
    /// Fast weights.
    FastWeights,
    /// A readout.
    Readout,
    /// A readout that learns.
    LearningReadout,
    /// Dale's law.
    Dale,
    /// A rectified-linear transfer function.
    RectifiedLinear,
    /// Perturbed neurons.
    Perturbations,
}

impl ReadWith {
    /// A description of these settings; `None` for [`ReadWith::Anything`].
    pub(crate) fn settings(self) -> Option<&'static str> {
        Some(match self {
            ReadWith::Anything => return None,
            ReadWith::Rule | ReadWith::StepRule => "a rule such as `delta-x`",
            ReadWith::Rates => "a rule such as `delta-x`, or a readout that learns",
            ReadWith::Bptt => "rule.name `bptt`",
            ReadWith::FastWeights => "a trace.stage other than `none`",
            ReadWith::Readout => "network.output `readout`",
            ReadWith::LearningReadout => "network.output `readout` with a readout.rule other than `none`",
            ReadWith::Dale => "network.dale",
            ReadWith::RectifiedLinear => "network.response `rectified-linear`",
            ReadWith::Perturbations => "a rule that learns from perturbations, such as `delta-x`",
        })
    }
}

/// Keys of a table that depend on a selection in it, such as the keys of the selected task.
pub(crate) type OtherKeys = serde_json::Map<String, Value>;

/// A key of a configuration.
#[derive(Clone)]
pub(crate) struct Key {
    /// Its name, with or without its table.
    pub(crate) name: String,
    /// The key's meaning, in one line.
    pub(crate) meaning: String,
    /// The JSON schema of the key's values, with the attributes listed at the top of this file.
    pub(crate) schema: Value,
}

impl Key {
    /// The keys of a table, in the order of the struct's fields. Fields that hold further keys as a map are left out.
    pub(crate) fn of<T: DocumentedFields + JsonSchema + 'static>() -> Vec<Key> {
        let table = schema_of::<T>();
        let key = |(name, meaning): (&str, String)| {
            let mut schema = table["properties"].get(name)?.clone();
            if let (Some(read_with), None) = (table.get("x-read-with"), schema.get("x-read-with")) {
                schema["x-read-with"] = read_with.clone();
            }
            Some(Key { name: name.into(), meaning, schema })
        };
        fields::<T>().into_iter().filter_map(key).collect()
    }

    /// The same key with the name of its table in front.
    pub(crate) fn inside(self, table: &str) -> Key {
        Key { name: inside(table, &self.name), ..self }
    }

    /// The settings under which the key has an effect.
    pub(crate) fn read_with(&self) -> ReadWith {
        read_with(&self.schema, &Value::Null)
    }

    /// Whether an attribute is set.
    fn has(&self, attribute: &str) -> bool {
        self.schema.get(attribute) == Some(&Value::Bool(true))
    }

    /// Whether a resumed run can change the key.
    pub(crate) fn may_change(&self) -> bool {
        self.has("x-resume")
    }

    /// Whether runs that are merged can differ in the key.
    pub(crate) fn may_differ(&self) -> bool {
        self.has("x-merge")
    }

    /// Whether the key can be missing from a complete configuration.
    fn is_optional(&self) -> bool {
        types(&self.schema).any(|name| name == "null") || self.schema.get("anyOf").is_some()
    }

    /// An example of a value, if the key can be missing from a complete configuration.
    pub(crate) fn example(&self) -> Option<toml::Value> {
        let number = Range::of(&self.schema);
        self.is_optional().then(|| match (types(&self.schema).next(), number) {
            (Some("integer"), _) => 1.into(),
            (Some("boolean"), _) => false.into(),
            (_, Some(_)) => 1.0.into(),
            _ => self.choices().first().map_or("", |choice| choice).into(),
        })
    }

    /// The names that the key's value can have; empty if the value is not one of a list of names.
    pub(crate) fn choices(&self) -> Vec<&str> {
        let mut choices = Vec::new();
        let mut open = vec![&self.schema];
        while let Some(schema) = open.pop() {
            let names = schema.get("enum").and_then(Value::as_array).into_iter().flatten();
            choices.extend(names.chain(schema.get("const")).filter_map(Value::as_str));
            for list in ["anyOf", "oneOf"] {
                open.extend(schema.get(list).and_then(Value::as_array).into_iter().flatten().rev());
            }
        }
        choices
    }

    /// The key's meaning, unit and values, and the settings under which it is read.
    pub(crate) fn explanation(&self) -> String {
        let units = [("_ms", "ms"), ("_seconds", "s"), ("_s", "s"), ("_hz", "Hz"), ("_mv", "mV")];
        let unit = units.into_iter().find(|(end, _)| self.name.ends_with(end)).map(|(_, unit)| format!("In {unit}"));
        let choices = self.choices();
        let choices = (!choices.is_empty()).then(|| format!("One of: {}", choices.join(", ")));
        let range = Range::of(&self.schema).and_then(|range| range.in_short()).map(|range| format!("Range: {range}"));
        let reader = self.read_with().settings().map(|settings| format!("Read only with {settings}"));
        let parts = [unit, choices, range, reader].into_iter().flatten();
        parts.fold(self.meaning.clone(), |text, part| format!("{text} {part}."))
    }
}

/// The keys that have a default, each with its default and explanation. An optional key has the one that its schema gives.
pub(crate) fn with_defaults(keys: Vec<Key>, defaults: &toml::Table) -> Vec<(String, toml::Value, String)> {
    let explained = |key: Key| {
        let usual = || toml::Value::try_from(key.schema.get("default")?).ok();
        let default = defaults.get(&key.name).cloned().or_else(usual)?;
        Some((key.name.clone(), default, key.explanation()))
    };
    keys.into_iter().filter_map(explained).collect()
}

/// The JSON schema of a table, without references to other parts. Each schema is made only once, since every
/// configuration is checked against it.
pub(crate) fn schema_of<T: JsonSchema + 'static>() -> &'static Value {
    static KNOWN: Mutex<BTreeMap<TypeId, &Value>> = Mutex::new(BTreeMap::new());
    let make = || {
        let settings = SchemaSettings::draft07().with(|settings| settings.inline_subschemas = true);
        let schema: Value = settings.into_generator().into_root_schema_for::<T>().into();
        &*Box::leak(Box::new(schema))
    };
    KNOWN.lock().unwrap_or_else(PoisonError::into_inner).entry(TypeId::of::<T>()).or_insert_with(make)
}

/// The settings under which a key is read: its own attribute or, without one, that of its table.
fn read_with(key: &Value, table: &Value) -> ReadWith {
    let name = key.get("x-read-with").or(table.get("x-read-with")).cloned();
    name.and_then(|name| serde_json::from_value(name).ok()).unwrap_or(ReadWith::Anything)
}

/// The types of a schema's values.
pub(crate) fn types(schema: &Value) -> impl Iterator<Item = &str> {
    let names = schema.get("type");
    let list = names.and_then(Value::as_array).into_iter().flatten();
    list.chain(names).filter_map(Value::as_str)
}

/// The parameters in a table, with every number in the range of its key. In messages, `table` precedes the keys.
///
/// # Errors
/// [`Error::Usage`] for a parameter that does not exist, is missing or has the wrong type;
/// [`Error::Setting`](crate::Error::Setting) for the first number out of range.
pub(crate) fn parameters<P>(table: &str, given: toml::Table) -> Result<P>
where
    P: DeserializeOwned + JsonSchema + Serialize + 'static,
{
    let read = serde_path_to_error::deserialize(toml::Value::Table(given));
    let parameters: P = read.map_err(|error| {
        let place = inside(table, error.path().to_string().trim_matches('.'));
        let message = in_plain_types(error.inner().message());
        Error::Usage(if place.is_empty() { message } else { format!("{place}: {message}") })
    })?;
    check_ranges(table, &parameters)?;
    Ok(parameters)
}

/// The full name of a key in a table; either can be empty.
fn inside(table: &str, key: &str) -> String {
    if table.is_empty() || key.is_empty() {
        format!("{table}{key}")
    } else {
        format!("{table}.{key}")
    }
}

/// Checks that every number in a table, and in the lists and tables inside it, is in the range of its key; in messages, `table`
/// precedes the key.
///
/// # Errors
/// [`Error::Setting`](crate::Error::Setting) for the first number out of range.
pub(crate) fn check_ranges<T: JsonSchema + Serialize + 'static>(table: &str, values: &T) -> Result<()> {
    check_ranges_read(table, values, |_| true)
}

/// Like [`check_ranges`], but numbers that nothing reads only have to be finite.
pub(crate) fn check_ranges_read<T: JsonSchema + Serialize + 'static>(
    table: &str,
    values: &T,
    reads: impl Fn(ReadWith) -> bool,
) -> Result<()> {
    let values = serde_json::to_value(values).unwrap_or_default();
    check(table, schema_of::<T>(), &values, true, &reads)
}

/// Checks the numbers of a value, which can be a list or a table. `read`: whether something reads the value.
fn check(key: &str, schema: &Value, value: &Value, read: bool, reads: &dyn Fn(ReadWith) -> bool) -> Result<()> {
    if let (Some(values), Some(items)) = (value.as_array(), schema.get("items")) {
        for (place, value) in values.iter().enumerate() {
            let key = if value.is_object() { format!("{key}.{place}") } else { key.to_string() };
            check(&key, items.get(place).unwrap_or(items), value, read, reads)?;
        }
        return Ok(());
    }
    if let Some(values) = value.as_object() {
        for (name, own) in properties(schema) {
            if let Some(value) = values.get(name) {
                check(&inside(key, name), own, value, reads(read_with(own, schema)), reads)?;
            }
        }
        return Ok(());
    }
    let Some(range) = Range::of(schema) else { return Ok(()) };
    let range = if read { range } else { range.unbounded() };
    match value {
        // JSON has neither NaN nor infinity.
        Value::Null => range.check(key, "NaN or infinite", f64::NAN),
        Value::Number(number) => match number.as_f64() {
            Some(found) if number.is_f64() => range.check(key, found, found),
            found => range.check(key, shown(&number.to_string()), found.unwrap_or(f64::NAN)),
        },
        _ => Ok(()),
    }
}

/// The keys of a table with their schemas. Tables that have one of several keys list them as variants.
fn properties(schema: &Value) -> impl Iterator<Item = (&String, &Value)> {
    let variants = schema.get("oneOf").and_then(Value::as_array).into_iter().flatten();
    variants.chain([schema]).filter_map(|table| table.get("properties")?.as_object()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Serialize, Deserialize, DocumentedFields, JsonSchema)]
    #[schemars(extend("x-read-with" = ReadWith::Dale))]
    struct Values {
        /// One of two.
        #[schemars(range(min = 1, max = 5), extend("x-resume" = true, "x-read-with" = ReadWith::Anything))]
        count: usize,
        /// Below 1.
        #[schemars(range(min = 0), extend("exclusiveMaximum" = 1))]
        #[serde(skip_serializing_if = "Option::is_none")]
        decay_ms: Option<f64>,
        /// Numbers.
        list: Vec<(usize, f64)>,
    }

    #[test]
    fn a_table_knows_its_keys_and_checks_its_numbers() {
        let keys = Key::of::<Values>();
        assert_eq!(keys.iter().map(|key| &key.name[..]).collect::<Vec<_>>(), ["count", "decay_ms", "list"]);
        assert_eq!(keys.iter().map(Key::may_change).collect::<Vec<_>>(), [true, false, false]);
        assert_eq!(keys[0].explanation(), "One of two. Range: from 1 to 5.");
        let decay = "Below 1. In ms. Range: at least 0 and below 1. Read only with network.dale.";
        assert_eq!(keys[1].explanation(), decay);
        assert_eq!((keys[0].example(), keys[1].example()), (None, Some(1.0.into())));
        let refused = |count, decay, number| {
            let values = Values { count, decay_ms: decay, list: vec![(0, number)] };
            check_ranges("table", &values).err().map_or(String::new(), |error| error.to_string())
        };
        assert_eq!(refused(1, None, -1e30), "");
        assert_eq!(refused(0, None, 0.0), "table.count is 0; expected at least 1");
        assert_eq!(refused(6, None, 0.0), "table.count is 6; expected at most 5");
        assert_eq!(refused(5, Some(1.0), 0.0), "table.decay_ms is 1; expected at least 0 and below 1");
        assert_eq!(
            refused(5, Some(f64::NAN), 0.0),
            "table.decay_ms is NaN or infinite; expected at least 0 and below 1"
        );
        assert_eq!(
            refused(5, None, 1e31),
            "table.list is 10000000000000000000000000000000; expected a finite number from -1e30 to 1e30"
        );
        let unread = |decay| Values { count: 1, decay_ms: Some(decay), list: Vec::new() };
        let check = |values| check_ranges_read("", &values, |with| with != ReadWith::Dale);
        assert!(check(unread(7.0)).is_ok() && check(unread(f64::NAN)).is_err());
    }

    /// Numbers in tables, in lists of tables, and in a choice of tables.
    #[derive(Serialize, Deserialize, JsonSchema)]
    #[serde(deny_unknown_fields)]
    struct Outer {
        inner: Inner,
        list: Vec<Inner>,
        choice: Choice,
    }

    #[derive(Serialize, Deserialize, JsonSchema)]
    struct Inner {
        #[schemars(range(min = 1))]
        count: usize,
    }

    #[derive(Serialize, Deserialize, JsonSchema)]
    #[serde(rename_all = "snake_case")]
    enum Choice {
        Share(#[schemars(range(max = 1), extend("exclusiveMinimum" = 0))] f64),
        Normal(f64, #[schemars(range(min = 0))] f64),
    }

    #[test]
    fn parameters_are_read_and_checked_at_every_depth() {
        let message = |text: &str| {
            let read = parameters::<Outer>("world", text.parse().unwrap());
            read.err().map_or(String::new(), |error| error.to_string())
        };
        let with = |inner: i64, second: i64, choice: &str| {
            message(&format!(
                "inner.count = {inner}\nlist = [{{ count = 1 }}, {{ count = {second} }}]\nchoice.{choice}"
            ))
        };
        assert_eq!(with(1, 1, "share = 1.0"), "");
        assert_eq!(with(0, 1, "share = 1.0"), "world.inner.count is 0; expected at least 1");
        assert_eq!(with(1, 0, "share = 1.0"), "world.list.1.count is 0; expected at least 1");
        assert_eq!(with(1, 1, "share = 0.0"), "world.choice.share is 0; expected above 0 and at most 1");
        assert_eq!(with(1, 1, "normal = [-1.0, 0.0]"), "");
        let below = "world.choice.normal is -1; expected a finite number from 0 to 1e30";
        assert_eq!(with(1, 1, "normal = [-1.0, -1.0]"), below);
        assert!(with(1, 1, "share = true").starts_with("world.choice"), "{}", with(1, 1, "share = true"));
        let unknown = message("inner.count = 1\nlist = []\nchoice.share = 1.0\nother = 1");
        assert!(unknown.starts_with("world.other: unknown field `other`"), "{unknown}");
    }
}
