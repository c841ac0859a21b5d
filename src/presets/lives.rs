//! The configurations of named lives.

use crate::config::{LifeConfig, Setting};
use crate::error::{Error, Result};
use crate::keys::Key;
use crate::rules::SynapseRuleInfo;
use crate::worlds::{LifeInfo, LIVES};
use toml::{Table, Value};

/// The kind of name, in [`Error::Unknown`], of a rule that a life cannot have.
pub(crate) const RULE_OF_A_LIFE: &str = "rule for this life";

const STANDARD: &str = r#"
[life]
networks = 4
batch = 1
seed = 1
dt_ms = 1.0
seconds = 400.0
frozen_seconds = 0.0
frozen_noise = true
checkpoint_every_seconds = 100.0
keep = 1
device = "auto"
dtype = "f32"
kernels = "fused"
"#;

/// The life called `name`.
///
/// # Errors
/// [`Error::Unknown`] if there is none; it suggests the most similar name.
pub fn find_life(name: &str) -> Result<&'static LifeInfo> {
    LIVES
        .iter()
        .find(|life| life.name == name)
        .ok_or_else(|| Error::unknown("life", name, LIVES.iter().map(|l| l.name)))
}

impl LifeInfo {
    /// The world's parameters, keys of the table `world`, each with its default and its meaning.
    ///
    /// # Errors
    /// [`Error::Unknown`] if its usual rule does not exist.
    pub fn parameters(&self) -> Result<Vec<(String, Value, String)>> {
        let world = self.config(None)?.world;
        let defaults: Vec<Setting> = Setting::from_table(&world, "");
        let explained = |key: Key| {
            let default = defaults.iter().find(|setting| setting.key == key.name)?.value.clone();
            Some((key.name.clone(), default, key.explanation()))
        };
        Ok((self.keys)().into_iter().filter_map(explained).collect())
    }

    /// Its configuration with one of its rules; `None`: its usual rule.
    ///
    /// # Errors
    /// [`Error::Unknown`] if it does not support this rule.
    pub fn config(&self, rule: Option<&str>) -> Result<LifeConfig> {
        let rule = rule.unwrap_or(self.rules[0]);
        // Its present name.
        let rule = SynapseRuleInfo::find(rule).map_or(rule, |info| info.name);
        // Without plasticity, the network is that of the usual rule.
        let plastic = if rule == "none" { self.rules[0] } else { rule };
        if !self.rules.contains(&plastic) {
            return Err(Error::unknown(RULE_OF_A_LIFE, rule, self.rules.iter().copied().chain(["none"])));
        }
        let info = SynapseRuleInfo::find(plastic)?;
        let mut table: Table = format!("{STANDARD}{}", self.preset)
            .parse()
            .map_err(|error: toml::de::Error| Error::Bug(format!("the preset {}: {}", self.name, error.message())))?;
        if let Some(Value::Table(own)) = table.remove("lifetime") {
            if let Some(Value::Table(life)) = table.get_mut("life") {
                life.extend(own);
            }
        }
        if let Some(Value::Table(world)) = table.get_mut("world") {
            world.insert("name".into(), self.name.into());
        }
        for projection in table.get_mut("projection").and_then(Value::as_array_mut).into_iter().flatten() {
            let Some(projection) = projection.as_table_mut() else { continue };
            if projection.remove("plastic").is_some_and(|plastic| plastic.as_bool() == Some(true)) {
                projection.insert("rule".into(), Value::Table(info.table()));
            }
        }
        let with = table.remove("with").and_then(|mut with| with.get_mut(plastic).map(|own| own.clone()));
        let mut config: LifeConfig = table
            .try_into()
            .map_err(|e: toml::de::Error| Error::Bug(format!("the preset {}: {}", self.name, e.message())))?;
        if let Some(Value::Table(own)) = with {
            config = config.with(&Setting::from_table(&own, self.name))?;
        }
        if rule == "none" {
            config.projections.iter_mut().for_each(|projection| projection.rule = Table::new());
        }
        Ok(config)
    }
}
