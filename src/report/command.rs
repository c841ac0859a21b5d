//! A run's configuration against its task's defaults, and the command that gives the same run again.

use crate::config::{NetworkConfig, Setting};
use crate::error::Result;
use crate::presets::{find_task, Setup, FILE_TASK};
use crate::rules::find_rule;
use toml::Value;

/// A key of a configuration.
#[derive(Clone, Debug, PartialEq)]
pub struct Key {
    /// The table it is in.
    pub table: String,
    /// Its name within the table.
    pub name: String,
    /// Its value.
    pub value: Value,
    /// What it is by default, for this task and rule; `None`: not set.
    pub default: Option<Value>,
}

impl Key {
    /// Whether the value is not the default.
    pub fn changed(&self) -> bool {
        self.default.as_ref() != Some(&self.value)
    }

    /// The dotted key.
    pub fn dotted(&self) -> String {
        format!("{}.{}", self.table, self.name)
    }
}

/// Every key of a configuration, table by table in alphabetical order.
///
/// # Errors
/// Where the configuration names no task or rule that is known here.
pub(super) fn keys(setup: &Setup) -> Result<Vec<Key>> {
    let config = &setup.config;
    let mut defaults = find_task(config.task_name()?)?.defaults(find_rule(&config.rule.name)?);
    // Which neurons are the outputs depends on the task, where neurons are.
    let mut network = NetworkConfig { output: config.network.output, ..defaults.network.clone() };
    network.fill_output_neurons(setup.task.n_out());
    defaults.network.output_neurons = network.output_neurons;
    let defaults = Setting::from_toml(&defaults.to_toml()?, "the defaults")?;
    let key = |setting: Setting| {
        let default = defaults.iter().find(|default| default.key == setting.key).map(|default| default.value.clone());
        let (table, name) = setting.key.split_once('.').unwrap_or(("", &setting.key));
        Key { table: table.into(), name: name.into(), value: setting.value, default }
    };
    Ok(Setting::from_toml(&config.to_toml()?, "the configuration")?.into_iter().map(key).collect())
}

/// The arguments that give the same run again: the task, and each key that is not its default.
///
/// # Errors
/// As [`keys`].
pub(super) fn command(setup: &Setup) -> Result<Vec<String>> {
    const FLAGS: [(&str, &str); 12] = [
        ("train.networks", "--networks"),
        ("train.batch", "--batch"),
        ("train.trials", "--trials"),
        ("train.updates", "--updates"),
        ("train.seed", "--seed"),
        ("train.device", "--device"),
        ("train.dtype", "--dtype"),
        ("train.kernels", "--kernels"),
        ("train.checkpoint_every", "--checkpoint-every"),
        ("train.keep", "--keep"),
        ("network.neurons", "--neurons"),
        ("task.path", "--task-file"),
    ];
    let config = &setup.config;
    let name = config.task_name()?;
    let mut words = vec!["train".to_string()];
    if name != FILE_TASK {
        words.push(name.into());
    }
    if config.rule.name != find_task(name)?.rule {
        words.extend(["--rule".into(), config.rule.name.clone()]);
    }
    // A file is hashed where it is read.
    let told = |key: &Key| key.changed() && key.dotted() != "task.sha256";
    for key in keys(setup)?.iter().filter(|key| told(key)) {
        let dotted = key.dotted();
        match FLAGS.iter().find(|(key, _)| *key == dotted) {
            Some((_, flag)) => words.extend([flag.to_string(), bare(&key.value)]),
            None if dotted == "train.until_criterion" && key.value == Value::Boolean(true) => {
                words.push("--until-criterion".into());
            }
            None => words.extend(["--set".into(), setting(&dotted, &key.value)]),
        }
    }
    Ok(words)
}

/// A value as a flag takes it.
pub(super) fn bare(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), String::from)
}

/// `key=value`, without quotes where they are not needed.
fn setting(key: &str, value: &Value) -> String {
    let plain = format!("{key}={}", bare(value));
    let understood = Setting::parse(&plain).is_ok_and(|setting| setting.value == *value);
    if understood {
        plain
    } else {
        format!("{key}={value}")
    }
}

/// A word as a POSIX shell reads it back.
pub(super) fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./=:,+@%".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        word.to_string()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(task: &str, settings: &[&str]) -> Vec<String> {
        let settings: Vec<Setting> = settings.iter().map(|s| Setting::parse(s).unwrap()).collect();
        command(&Setup::resolve(Some(task), &settings).unwrap()).unwrap()
    }

    #[test]
    fn defaults_need_no_word() {
        for info in &crate::presets::TASKS {
            assert_eq!(of(info.name, &[]), ["train", info.name]);
        }
    }

    #[test]
    fn flags_where_there_are_some_and_set_elsewhere() {
        assert_eq!(
            of("dnms", &["train.networks=3..7", "train.updates=5", "train.until_criterion=true", "rule.name=eh"]),
            ["train", "dnms", "--rule", "eh", "--networks", "3..7", "--until-criterion", "--updates", "5"]
        );
        assert_eq!(
            of("dnms", &["network.clamped=[[1, 0.5]]", "trace.stage=oja", "rule.eta=1e-5"]),
            [
                "train",
                "dnms",
                "--set",
                "network.clamped=[[1, 0.5]]",
                "--set",
                "rule.eta=0.00001",
                "--set",
                "trace.stage=oja"
            ]
        );
    }

    #[test]
    fn a_readout_has_no_output_neurons_to_tell() {
        let words = of("echo", &["train.updates=3"]);
        assert_eq!(words, ["train", "echo", "--updates", "3"]);
        let words = of("dnms", &["network.output=readout", "readout.rule=delta"]);
        assert!(!words.iter().any(|word| word.contains("output_neurons")), "{words:?}");
    }

    #[test]
    fn settings_read_back_as_they_were() {
        for value in ["1", "true", "0.5", "plain", "a b", "\"x\"", "'", "[1]", "", "é", "a\nb"] {
            let value = Value::String(value.into());
            assert_eq!(Setting::parse(&setting("t.k", &value)).unwrap().value, value);
        }
        assert_eq!(setting("t.k", &Value::Float(0.3)), "t.k=0.3");
    }

    #[test]
    fn words_are_quoted_for_the_shell() {
        for (word, text) in [("a=1", "a=1"), ("", "''"), ("it's", r"'it'\''s'"), ("[[1, 2]]", "'[[1, 2]]'")] {
            assert_eq!(quoted(word), text);
        }
    }
}
