//! What may change when a run goes on.

use super::{Config, Setting};
use crate::error::{bail, Result};

/// Keys that don't decide what is learnt.
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
    /// Refuses to go on with a run of this configuration, kept in `place`, as one of another configuration, unless they differ
    /// only in when to stop, the device, and what is written.
    ///
    /// # Errors
    /// [`Error::Usage`](crate::Error::Usage), which names the first key that differs.
    pub fn goes_on_as(&self, now: &Config, place: &str) -> Result<()> {
        let flat = |config: &Config| Setting::from_toml(&config.to_toml()?, "the configuration");
        let saved = flat(self)?;
        for Setting { key, value, .. } in flat(now)? {
            let before = saved.iter().find(|s| s.key == key).map(|s| &s.value);
            if before != Some(&value) && !MAY_CHANGE.contains(&key.as_str()) {
                let before = before.map_or("not set".to_string(), ToString::to_string);
                bail!(
                    Usage,
                    "{key} is {before} in {place} and {value} now; a run that goes on may change only {}",
                    MAY_CHANGE.join(", ")
                );
            }
        }
        Ok(())
    }
}
