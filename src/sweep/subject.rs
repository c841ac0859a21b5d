//! The subject of a sweep's settings: training on a task, or lives.

use crate::config::{Config, LifeConfig, NetworkRange, Setting};
use crate::error::{bail, ensure, Error, Result};
use crate::presets::{commented, commented_life};
use crate::setup::{LifeSetup, Setup};
use std::path::Path;
use toml::{Table, Value};

/// The configuration of a setting.
#[derive(Clone)]
pub(super) enum Subject {
    /// Networks are trained.
    Task(Box<Config>),
    /// Lives are simulated.
    Life(Box<LifeConfig>),
}

impl Subject {
    /// The configuration of a task or life, with `settings`, of which later ones take precedence, and `networks`.
    ///
    /// # Errors
    /// As [`Setup::resolve`] and [`LifeSetup::resolve`]; [`Error::Usage`] if settings also give networks.
    pub fn resolve(
        task: Option<&str>,
        life: Option<&str>,
        mut settings: Vec<Setting>,
        networks: NetworkRange,
    ) -> Result<Self> {
        ensure!(task.is_none() || life.is_none(), Usage, "name a task or a life, not both");
        let lives = life.is_some() || settings.iter().any(|setting| setting.key == "world.name");
        let key = if lives { "life.networks" } else { "train.networks" };
        if let Some(setting) = settings.iter().find(|setting| setting.key == key) {
            bail!(
                Usage,
                "{}: {key}: networks are given by `networks` at the top of the plan; remove this key",
                setting.origin
            );
        }
        settings.push(Setting::flag("networks", key, networks.to_string()));
        if !lives {
            let mut config = Setup::resolve(task, &settings)?.config;
            if let Some(init) = &mut config.train.init {
                *init = absolute(init);
            }
            if let Some(Value::String(path)) = config.task.get_mut("path") {
                *path = absolute(path);
            }
            return Ok(Subject::Task(config.into()));
        }
        // Lives have a rule for each projection; `rule.name` chooses one for all of them, as `live --rule` does.
        let (rules, settings): (Vec<Setting>, Vec<Setting>) =
            settings.into_iter().partition(|setting| setting.key == "rule.name");
        let rule = match rules.last() {
            None => None,
            Some(Setting { value: Value::String(name), .. }) => Some(&name[..]),
            Some(setting) => bail!(Usage, "{}: rule.name is {}; expected a name", setting.origin, setting.value),
        };
        Ok(Subject::Life(LifeSetup::resolve(life, rule, &settings)?.config.into()))
    }

    /// The configuration in a settings file.
    ///
    /// # Errors
    /// [`Error::Usage`] if it is malformed.
    pub fn from_toml(text: &str) -> Result<Self> {
        let table: Table = text.parse().map_err(|error: toml::de::Error| Error::Usage(error.message().to_string()))?;
        Ok(match table.contains_key("life") {
            true => Subject::Life(LifeConfig::from_toml(text)?.into()),
            false => Subject::Task(Config::from_toml(text)?.into()),
        })
    }

    /// The settings file.
    ///
    /// # Errors
    /// [`Error::Bug`] if a value cannot be written as TOML.
    pub fn to_toml(&self) -> Result<String> {
        match self {
            Subject::Task(config) => commented(config),
            Subject::Life(config) => commented_life(config),
        }
    }

    /// Its networks.
    pub fn networks(&self) -> NetworkRange {
        match self {
            Subject::Task(config) => config.train.networks,
            Subject::Life(config) => config.life.networks,
        }
    }

    /// Every key with its value.
    ///
    /// # Errors
    /// [`Error::Bug`] if a value cannot be written as TOML.
    pub fn settings(&self) -> Result<Vec<Setting>> {
        match self {
            Subject::Task(config) => Setting::from_toml(&config.to_toml()?, "the configuration"),
            Subject::Life(config) => config.settings("the configuration"),
        }
    }

    /// The same configuration with other networks.
    pub fn with_networks(mut self, networks: NetworkRange) -> Self {
        match &mut self {
            Subject::Task(config) => config.train.networks = networks,
            Subject::Life(config) => config.life.networks = networks,
        }
        self
    }

    /// The name of its task or life.
    ///
    /// # Errors
    /// [`Error::Usage`] if it has none.
    #[cfg(feature = "report")]
    pub fn name(&self) -> Result<&str> {
        match self {
            Subject::Task(config) => config.task_name(),
            Subject::Life(config) => config.world_name(),
        }
    }

    /// The devices that it names.
    pub fn device(&self) -> &str {
        match self {
            Subject::Task(config) => &config.train.device,
            Subject::Life(config) => &config.life.device,
        }
    }
}

/// A value as a cell of a table: text without quotes.
pub(super) fn shown(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        // The shortest form.
        Value::Float(number) => format!("{number:?}"),
        other => other.to_string(),
    }
}

/// The value of `key` among the `settings` of a configuration, if it differs from `cell`, its text in the plan.
pub(super) fn contradiction(settings: &[Setting], key: &str, cell: &str) -> Option<String> {
    let Some(Setting { value, .. }) = settings.iter().find(|setting| setting.key == key) else {
        return missing(settings, key, cell);
    };
    let same = match value {
        Value::Float(number) => cell.parse() == Ok(*number),
        // Files are named by their absolute paths.
        Value::String(text) => text == cell || Path::new(text).ends_with(cell.trim_start_matches("./")),
        // The tables in the configuration have been completed, and an empty list can stand for all of them.
        Value::Array(entries) => cell == "[]" || entries.iter().any(Value::is_table) || shown(value) == cell,
        _ => shown(value) == cell,
    };
    (!same).then(|| shown(value))
}

/// As [`contradiction`], for a key that is missing from the configuration: some are written only in another form, or not at all.
fn missing(settings: &[Setting], key: &str, cell: &str) -> Option<String> {
    // Either limit replaces the other; and `[]` and `none` leave nothing behind.
    let elsewhere = ["train.trials", "train.updates", "population", "projection"];
    if elsewhere.contains(&key) || ["[]", "none"].contains(&cell) {
        return None;
    }
    let rules = settings.iter().filter(|setting| key == "rule.name" && setting.key.ends_with(".rule.name"));
    let rules: Vec<String> = rules.map(|setting| shown(&setting.value)).collect();
    if rules.iter().any(|rule| rule == cell) {
        return None;
    }
    Some(if rules.is_empty() { "not set".into() } else { rules.join(", ") })
}

/// A path that means the same in every working folder.
fn absolute(path: &str) -> String {
    std::path::absolute(path).ok().and_then(|path| path.to_str().map(String::from)).unwrap_or_else(|| path.into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::presets::{LIVES, TASKS};
    use crate::rules::RULES;

    /// Asserts that the file of a setting agrees with the row of a plan that gave one of `given`; returns how many could be given.
    fn agree(task: Option<&str>, life: Option<&str>, rule: &str, given: &[Setting]) -> usize {
        let networks: NetworkRange = "1..3".parse().unwrap();
        let mut count = 0;
        for setting in given.iter().filter(|setting| !setting.key.ends_with(".networks")) {
            let settings = vec![Setting::flag("set", "rule.name", rule), setting.clone()];
            // Not every key goes with every rule.
            let Ok(subject) = Subject::resolve(task, life, settings, networks) else { continue };
            let read = Subject::from_toml(&subject.to_toml().unwrap()).unwrap();
            let (key, cell) = (&setting.key, shown(&setting.value));
            assert_eq!(
                contradiction(&read.settings().unwrap(), key, &cell),
                None,
                "{task:?} {life:?} {rule}: {key}={cell}"
            );
            assert_eq!(contradiction(&read.settings().unwrap(), "rule.name", rule), None, "{task:?} {life:?} {rule}");
            count += 1;
        }
        count
    }

    #[test]
    fn settings_agree_with_the_rows_that_gave_them() {
        let whole = |settings: Vec<Setting>| {
            // Integers can stand for numbers.
            let integer = |s: &Setting| Setting::flag("set", &s.key, s.value.as_float().map_or(1, |v| v.ceil() as i64));
            settings.iter().map(integer).chain(settings.iter().cloned()).collect::<Vec<_>>()
        };
        for task in TASKS.iter().filter(|task| task.name != crate::presets::FILE_TASK) {
            for rule in RULES {
                let settings = Subject::Task(task.defaults(rule).into()).settings().unwrap();
                agree(Some(task.name), None, rule.name, &whole(settings));
            }
        }
        for life in LIVES {
            for rule in life.rules.iter().copied().chain(["none"]) {
                let settings = life.config(Some(rule)).unwrap().settings("").unwrap();
                assert!(agree(None, Some(life.name), rule, &whole(settings)) > 10, "{}", life.name);
            }
        }
    }

    #[test]
    fn values_of_another_setting_are_noticed() {
        let settings =
            [("rule.eta", Value::Float(0.1)), ("train.batch", 4.into()), ("task.path", "/data/a.txt".into())];
        let settings = settings.map(|(key, value)| Setting::flag("set", key, value));
        for (key, cell, expected) in [
            ("rule.eta", "1e-1", None),
            ("rule.eta", "0.10000000000000002", Some("0.1")),
            ("rule.eta", "", Some("0.1")),
            ("train.batch", "4", None),
            ("train.batch", "04", Some("4")),
            ("task.path", "./a.txt", None),
            ("task.path", "b/a.txt", Some("/data/a.txt")),
            ("rule.etb", "0.1", Some("not set")),
            ("train.trials", "5", None),
        ] {
            assert_eq!(contradiction(&settings, key, cell).as_deref(), expected, "{key}={cell}");
        }
        let rule = |name: &str| Setting::flag("set", "projection.a-b.rule.name", name);
        assert_eq!(contradiction(&[rule("mstdp")], "rule.name", "mstdp"), None);
        assert_eq!(contradiction(&[rule("mstdp")], "rule.name", "td-ltp").as_deref(), Some("mstdp"));
        assert_eq!(contradiction(&[], "rule.name", "none"), None);
    }
}
