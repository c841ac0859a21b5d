//! The settings that a rule brings along.

use super::find_task;
use crate::config::{Config, Setting};
use crate::error::Result;
use crate::rules::find_rule;

impl Config {
    /// Settings outside the rule's own tables that differ between this rule and the task's usual one, as far as
    /// the user has not changed them: each key with its value and the usual one.
    ///
    /// # Errors
    /// [`Error::Bug`](crate::Error::Bug) if settings cannot be written as TOML.
    pub fn brought_by_rule(&self) -> Result<Vec<String>> {
        let named = self.task_name().and_then(find_task).ok();
        let rule = find_rule(&self.rule.name).ok();
        let (Some(task), Some(rule)) = (named, rule) else { return Ok(Vec::new()) };
        let flat = |config: &Config| Setting::from_toml(&config.to_toml()?, "settings");
        let (usual, brought, now) = (flat(&task.config()?)?, flat(&task.defaults(rule))?, flat(self)?);
        let value =
            |of: &[Setting], key: &str| of.iter().find(|setting| setting.key == key).map(|s| s.value.to_string());
        let elsewhere = brought.iter().filter(|setting| !["rule", "bptt"].contains(&table(&setting.key)));
        let changed = elsewhere.filter_map(|Setting { key, .. }| {
            let (before, by_rule) = (value(&usual, key), value(&brought, key));
            let differs = before != by_rule && value(&now, key) == by_rule;
            let before = before.unwrap_or("not set".into());
            differs.then(|| format!("{key} = {} (usually {before})", by_rule.unwrap_or_default()))
        });
        Ok(changed.collect())
    }
}

/// The table of a key.
fn table(key: &str) -> &str {
    key.split('.').next().unwrap_or(key)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::presets::resolve_config;

    fn config(settings: &[&str]) -> Config {
        let settings: Vec<Setting> = settings.iter().map(|setting| Setting::parse(setting).unwrap()).collect();
        resolve_config(Some("dnms"), &settings).unwrap()
    }

    #[test]
    fn what_a_rule_brings_is_told_unless_it_was_changed() {
        assert!(config(&[]).brought_by_rule().unwrap().is_empty());
        let brought = config(&["rule.name=rflo"]).brought_by_rule().unwrap();
        assert!(brought.contains(&"network.output = \"readout\" (usually \"neurons\")".to_string()), "{brought:?}");
        let count = brought.len();
        let fewer = config(&["rule.name=rflo", "readout.rule=none"]).brought_by_rule().unwrap();
        assert_eq!(fewer.len(), count - 1, "{fewer:?}");
    }
}
