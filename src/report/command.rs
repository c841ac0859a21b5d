//! A run's configuration compared with its task's defaults, and the command that repeats the run.

use crate::config::{NetworkConfig, Setting};
use crate::error::Result;
use crate::presets::{find_task, FILE_TASK};
use crate::rules::find_rule;
use crate::setup::Setup;
use toml::Value;

/// A key of a configuration, its value, and the default for the run's task and rule (`None`: not set).
pub(super) struct Key {
    pub setting: Setting,
    pub default: Option<Value>,
}

impl Key {
    /// Whether the value is not the default.
    pub fn changed(&self) -> bool {
        self.default.as_ref() != Some(&self.setting.value)
    }

    /// The table, and the name within it.
    pub fn parts(&self) -> (&str, &str) {
        self.setting.key.split_once('.').unwrap_or(("", &self.setting.key))
    }
}

/// Every key of a configuration, table by table in alphabetical order.
///
/// # Errors
/// [`Error::Unknown`](crate::Error::Unknown) if the task or the rule is the user's own.
pub(super) fn keys(setup: &Setup) -> Result<Vec<Key>> {
    let config = &setup.config;
    let mut defaults = find_task(config.task_name()?)?.defaults(find_rule(&config.rule.name)?);
    // If neurons are the outputs, which ones they are by default depends on the task.
    let mut network = NetworkConfig { output: config.network.output, ..defaults.network.clone() };
    network.fill_output_neurons(setup.task.n_out());
    defaults.network.output_neurons = network.output_neurons;
    let defaults = Setting::from_toml(&defaults.to_toml()?, "the defaults")?;
    let key = |setting: Setting| {
        let default = defaults.iter().find(|default| default.key == setting.key).map(|default| default.value.clone());
        Key { setting, default }
    };
    Ok(Setting::from_toml(&config.to_toml()?, "the configuration")?.into_iter().map(key).collect())
}

/// The arguments that repeat the run: the task, and each key that is not its default.
pub(super) fn command(setup: &Setup) -> Result<Vec<String>> {
    const FLAGS: [(&str, &str); 13] = [
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
        ("train.init", "--init"),
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
    for Setting { key, value, .. } in keys(setup)?.iter().filter(|key| key.changed()).map(|key| &key.setting) {
        match FLAGS.iter().find(|(flagged, _)| flagged == key) {
            Some((_, flag)) => words.extend([flag.to_string(), bare(value)]),
            // The hash of a file follows from the file.
            None if key == "task.sha256" || key == "train.init_sha256" => {}
            None if key == "train.until_criterion" && *value == Value::Boolean(true) => {
                words.push("--until-criterion".into());
            }
            None => words.extend(["--set".into(), setting(key, value)]),
        }
    }
    Ok(words)
}

/// A value in the form that a flag takes.
pub(super) fn bare(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), String::from)
}

/// `key=value`, with quotes only if they are needed.
fn setting(key: &str, value: &Value) -> String {
    let plain = format!("{key}={}", bare(value));
    match Setting::parse(&plain) {
        Ok(setting) if setting.value == *value => plain,
        _ => format!("{key}={value}"),
    }
}

/// A word quoted for a POSIX shell, if need be.
pub(super) fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./=:,+@%".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        return word.to_string();
    }
    format!("'{}'", word.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(task: &str, settings: &[&str]) -> String {
        let settings: Vec<Setting> = settings.iter().map(|s| Setting::parse(s).unwrap()).collect();
        command(&Setup::resolve(Some(task), &settings).unwrap()).unwrap().join(" ")
    }

    #[test]
    fn defaults_need_no_word() {
        for info in crate::presets::TASKS {
            assert_eq!(words(info.name, &[]), format!("train {}", info.name));
        }
    }

    #[test]
    fn flags_where_there_are_some_and_set_elsewhere() {
        assert_eq!(
            words("dnms", &["train.networks=3..7", "train.updates=5", "train.until_criterion=true", "rule.name=eh"]),
            "train dnms --rule eh --networks 3..7 --until-criterion --updates 5"
        );
        assert_eq!(
            words("dnms", &["network.clamped=[[1, 0.5]]", "trace.stage=oja", "rule.eta=1e-5"]),
            "train dnms --set network.clamped=[[1, 0.5]] --set rule.eta=0.00001 --set trace.stage=oja"
        );
        // A readout has no output neurons.
        assert_eq!(words("echo", &["train.updates=3"]), "train echo --updates 3");
        assert!(!words("dnms", &["network.output=readout", "readout.rule=delta"]).contains("output_neurons"));
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
