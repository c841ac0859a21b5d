//! What the settings of a sweep are configurations of: the training of a task, or lives.

use crate::config::{Config, LifeConfig, NetworkRange, Setting};
use crate::error::{bail, ensure, Error, Result};
use crate::presets::{commented, commented_life, LifeSetup, Setup};
use toml::{Table, Value};

/// The configuration of a setting.
#[derive(Clone)]
pub(super) enum Subject {
    /// Networks are trained.
    Task(Box<Config>),
    /// Networks live.
    Life(Box<LifeConfig>),
}

impl Subject {
    /// The configuration of a task, or of a life, with `settings`, of which later ones win, and `networks`.
    ///
    /// # Errors
    /// As [`Setup::resolve`] and [`LifeSetup::resolve`]; [`Error::Usage`] if settings give networks too.
    pub fn resolve(
        task: Option<&str>,
        life: Option<&str>,
        mut settings: Vec<Setting>,
        networks: NetworkRange,
    ) -> Result<Self> {
        ensure!(task.is_none() || life.is_none(), Usage, "name a task or a life, not both");
        let key = if life.is_some() { "life.networks" } else { "train.networks" };
        if let Some(setting) = settings.iter().find(|setting| setting.key == key) {
            bail!(Usage, "{}: {key}: `networks`, at the top of the plan, gives them", setting.origin);
        }
        settings.push(Setting::flag("networks", key, networks.to_string()));
        if life.is_none() {
            let mut config = Setup::resolve(task, &settings)?.config;
            if let Some(init) = &mut config.train.init {
                *init = absolute(init);
            }
            if let Some(Value::String(path)) = config.task.get_mut("path") {
                *path = absolute(path);
            }
            return Ok(Subject::Task(config.into()));
        }
        // Lives have a rule for each projection; that of all is chosen as by `live --rule`.
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
    /// [`Error::Usage`] if it is none.
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

    /// The same with other networks.
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

/// A path that means the same in every working folder.
fn absolute(path: &str) -> String {
    std::path::absolute(path).ok().and_then(|path| path.to_str().map(String::from)).unwrap_or_else(|| path.into())
}
