//! The keys that can change when a run is resumed.

use super::{Config, LifeConfig, Setting};
use crate::error::{bail, Result};

/// Keys of lives that do not affect what is learnt up to a moment.
const LIFE_MAY_CHANGE: [&str; 5] =
    ["life.seconds", "life.frozen_seconds", "life.device", "life.checkpoint_every_seconds", "life.keep"];

/// Keys of training that do not affect what is learnt.
const MAY_CHANGE: [&str; 8] = [
    "train.trials",
    "train.updates",
    "train.until_criterion",
    "train.device",
    "train.checkpoint_every",
    "train.strict_numbers",
    "train.keep",
    "task.path",
];

impl Config {
    /// Refuses to resume a run of this configuration, stored in `place`, with another configuration unless the two
    /// differ only in when to stop, the device, and what is written.
    ///
    /// # Errors
    /// [`Error::Usage`](crate::Error::Usage), which names the first key that differs.
    pub fn goes_on_as(&self, now: &Config, place: &str) -> Result<()> {
        if let Some((key, before, now)) = self.difference(now, &MAY_CHANGE)? {
            bail!(
                Usage,
                "{key} is {before} in {place} and {now} now; a resumed run can change only {}",
                MAY_CHANGE.join(", ")
            );
        }
        Ok(())
    }

    /// The first key outside `but` in which another configuration differs, with its values here and there.
    pub(crate) fn difference(&self, other: &Config, but: &[&str]) -> Result<Option<(String, String, String)>> {
        let flat = |config: &Config| Setting::from_toml(&config.to_toml()?, "the configuration");
        Ok(first_difference(&flat(self)?, &flat(other)?, but))
    }
}

impl LifeConfig {
    /// As [`Config::goes_on_as`].
    ///
    /// # Errors
    /// As [`Config::goes_on_as`].
    pub fn goes_on_as(&self, now: &LifeConfig, place: &str) -> Result<()> {
        if let Some((key, before, now)) = self.difference(now, &LIFE_MAY_CHANGE)? {
            bail!(
                Usage,
                "{key} is {before} in {place} and {now} now; a resumed run can change only {}",
                LIFE_MAY_CHANGE.join(", ")
            );
        }
        Ok(())
    }
}

/// The first key outside `but` whose values differ, with both.
pub(super) fn first_difference(here: &[Setting], there: &[Setting], but: &[&str]) -> Option<(String, String, String)> {
    let value = |settings: &[Setting], key: &str| {
        settings.iter().find(|s| s.key == key).map_or("not set".to_string(), |s| s.value.to_string())
    };
    let keys = here.iter().chain(there).map(|s| s.key.as_str()).filter(|key| !but.contains(key));
    let mut values = keys.map(|key| (key.to_string(), value(here, key), value(there, key)));
    values.find(|(_, here, there)| here != there)
}
