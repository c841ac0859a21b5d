//! The tables of configurations with all their keys, and what follows from the keys: which a configuration can lack, which can
//! change when a run is resumed, and in which the parts of a run can differ.

use super::*;
use crate::keys::Key;
use documented::DocumentedFields;

/// A table's name, and its keys.
type Table = (&'static str, fn() -> Vec<Key>);

/// The tables of a run's configuration that all tasks share.
pub(crate) const TABLES: [Table; 8] = [
    ("network", Key::of::<NetworkConfig>),
    ("perturbation", Key::of::<PerturbationConfig>),
    ("rule", Key::of::<RuleConfig>),
    ("readout", Key::of::<ReadoutConfig>),
    ("modulator", Key::of::<RewardConfig>),
    ("trace", Key::of::<FastWeightsConfig>),
    ("bptt", Key::of::<BpttConfig>),
    ("train", Key::of::<TrainConfig>),
];

/// The tables of a life's configuration that all lives share. NAME and FROM-TO stand for the populations' names.
pub(crate) const LIFE_TABLES: [Table; 3] = [
    ("life", Key::of::<LifeSettings>),
    ("population.NAME", named_by_its_table::<PopulationConfig>),
    ("projection.FROM-TO", named_by_its_table::<ProjectionConfig>),
];

/// The keys of a table whose name contains some of them.
fn named_by_its_table<T: DocumentedFields + JsonSchema + 'static>() -> Vec<Key> {
    Key::of::<T>().into_iter().filter(|key| !["name", "from", "to"].contains(&&key.name[..])).collect()
}

/// Every key of some tables, with its full name.
pub(crate) fn keys_of(tables: &[Table]) -> Vec<Key> {
    let inside = |(table, keys): &Table| keys().into_iter().map(|key| key.inside(table));
    tables.iter().flat_map(inside).collect()
}

/// The names of the keys of some tables that `chosen` chooses.
fn names(tables: &[Table], chosen: fn(&Key) -> bool) -> Vec<String> {
    keys_of(tables).into_iter().filter(chosen).map(|key| key.name).collect()
}

fn texts(names: &[String]) -> Vec<&str> {
    names.iter().map(String::as_str).collect()
}

/// The first key outside `but` whose values differ, with both.
type Difference = Option<(String, String, String)>;

impl Config {
    /// Refuses to resume a run of this configuration, stored in `place`, with another configuration unless the two
    /// differ only in when to stop, the device, and what is written.
    ///
    /// # Errors
    /// [`Error::Usage`], which names the first key that differs.
    pub fn goes_on_as(&self, now: &Config, place: &str) -> Result<()> {
        let mut may_change = names(&TABLES, Key::may_change);
        may_change.push(TASK_FILE.into());
        only_these_change(self.difference(now, &texts(&may_change))?, place, &may_change)
    }

    /// The first key in which another part of the same run differs although it cannot, with its values here and there.
    pub(crate) fn difference_of_parts(&self, other: &Config) -> Result<Difference> {
        let mut may_differ = names(&TABLES, Key::may_differ);
        may_differ.push(TASK_FILE.into());
        self.difference(other, &texts(&may_differ))
    }

    /// The first key outside `but` in which another configuration differs, with its values here and there.
    pub(crate) fn difference(&self, other: &Config, but: &[&str]) -> Result<Difference> {
        let flat = |config: &Config| Setting::from_toml(&config.to_toml()?, "the configuration");
        Ok(first_difference(&flat(self)?, &flat(other)?, but))
    }
}

/// Where the trials of a task are read from. The file may be elsewhere: its digest shows that it is the same.
const TASK_FILE: &str = "task.path";

impl LifeConfig {
    /// Refuses to continue lives of this configuration, stored in `place`, with another configuration unless the two differ only
    /// in when to stop, the device, and what is written.
    ///
    /// # Errors
    /// [`Error::Usage`], which names the first key that differs.
    pub fn goes_on_as(&self, now: &LifeConfig, place: &str) -> Result<()> {
        let may_change = names(&LIFE_TABLES, Key::may_change);
        only_these_change(self.difference(now, &texts(&may_change))?, place, &may_change)
    }

    /// The first key in which another part of the same lives differs although it cannot, with its values here and there.
    pub(crate) fn difference_of_parts(&self, other: &LifeConfig) -> Result<Difference> {
        self.difference(other, &texts(&names(&LIFE_TABLES, Key::may_differ)))
    }

    /// The first key outside `but` in which another configuration differs, with its values here and there.
    pub(crate) fn difference(&self, other: &LifeConfig, but: &[&str]) -> Result<Difference> {
        Ok(first_difference(&self.settings("")?, &other.settings("")?, but))
    }
}

fn only_these_change(difference: Difference, place: &str, may_change: &[String]) -> Result<()> {
    let Some((key, before, now)) = difference else { return Ok(()) };
    let may_change = may_change.join(", ");
    bail!(Usage, "{key} is {before} in {place} and {now} now; a resumed run can change only {may_change}")
}

fn first_difference(here: &[Setting], there: &[Setting], but: &[&str]) -> Difference {
    let value = |settings: &[Setting], key: &str| {
        settings.iter().find(|s| s.key == key).map_or("not set".to_string(), |s| s.value.to_string())
    };
    let keys = here.iter().chain(there).map(|s| &s.key).filter(|key| !but.contains(&&key[..]));
    let mut values = keys.map(|key| (key.to_string(), value(here, key), value(there, key)));
    values.find(|(_, here, there)| here != there)
}
