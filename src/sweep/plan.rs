//! The file that describes a sweep, and the plan made of it.

use super::draws::Distribution;
use super::subject::{shown, Subject};
use super::table::{planned, refuse_links, table};
use super::{Job, Sweep, LARGEST_TOML, LEFT_OUT_FILE, PLAN_FILE, SWEEP_FILE};
use crate::config::{NetworkRange, Setting};
use crate::error::{bail, ensure, At, Doing, Error, Result};
use crate::files::{refuse_link, remove_unfinished, write_atomically};
use crate::presets::RULE_OF_A_LIFE;
use crate::reader::{read_text, sha256};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::path::Path;
use toml::{Table, Value};

/// More settings, or jobs, than this are refused as a likely mistake.
const MOST: u64 = 1_000_000;

/// A description of settings: every combination of the values in `grid`, with each entry of `list`, with each of `draws` draws,
/// times the networks.
///
/// Keys are those of a configuration, dotted or as tables.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SweepPlan {
    /// The task; settings may name it instead, as `task.name`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub task: Option<String>,
    /// The life, instead of a task; settings may name it instead, as `world.name`. Its rule is given as `rule.name`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub life: Option<String>,
    /// The networks of each setting: a count, or a range `A..B`.
    pub networks: NetworkRange,
    /// The largest number of networks in a job; by default, all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub networks_per_job: Option<u64>,
    /// Leaves out the settings that are impossible, such as a rule that a task or life cannot have, instead of refusing the sweep.
    /// Unknown keys, names and values out of range are refused all the same.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub leave_out_impossible: bool,
    /// Values shared by all settings.
    #[serde(default)]
    pub set: Table,
    /// An array of values for each key: every combination is a setting.
    #[serde(default)]
    pub grid: Table,
    /// Explicit settings, each a table.
    #[serde(default)]
    pub list: Vec<Table>,
    /// A distribution for each key: `{ uniform = [from, to] }`, of integers if both are, `{ log_uniform = [from, to] }` or
    /// `{ choice = [value, …] }`.
    #[serde(default)]
    pub draw: Table,
    /// The number of draws from `draw`.
    #[serde(default)]
    pub draws: u64,
    /// The seed of these draws. A draw depends only on the seed, on the key and on its number.
    #[serde(default = "one")]
    pub seed: u64,
}

fn one() -> u64 {
    1
}

impl SweepPlan {
    /// A description with one setting, whose task is yet to be named.
    pub fn of(networks: NetworkRange) -> Self {
        SweepPlan {
            task: None,
            life: None,
            networks,
            networks_per_job: None,
            leave_out_impossible: false,
            set: Table::new(),
            grid: Table::new(),
            list: Vec::new(),
            draw: Table::new(),
            draws: 0,
            seed: 1,
        }
    }

    /// Reads a description from a file.
    ///
    /// # Errors
    /// [`Error::Io`] if it cannot be read, [`Error::Content`] if it is not a regular file or too large; else as
    /// [`SweepPlan::parse`].
    pub fn read(path: &Path) -> Result<Self> {
        Self::parse(&read_text(path, LARGEST_TOML)?, &path.display().to_string())
    }

    /// Reads a description; `name` is that of its file.
    ///
    /// # Errors
    /// [`Error::Usage`], with the line, if it is malformed.
    pub fn parse(text: &str, name: &str) -> Result<Self> {
        let plan = toml::from_str(text);
        plan.map_err(|error: toml::de::Error| {
            let before = error.span().and_then(|span| text.get(..span.start)).unwrap_or_default();
            let line = before.matches('\n').count() + 1;
            Error::Usage(format!("line {line}: {}", error.message().trim()))
        })
        .at(name)
    }

    /// The settings: for each, the values of the keys that differ.
    ///
    /// # Errors
    /// [`Error::Usage`] if a list is malformed, a distribution is unknown, a key or a value is given twice, or if there are more
    /// than a million settings.
    pub fn settings(&self) -> Result<Vec<Vec<Setting>>> {
        let drawn = self.distributions()?;
        ensure!(
            drawn.is_empty() == (self.draws == 0),
            Usage,
            "draws is {}, but `draw` has {} keys; give both or neither",
            self.draws,
            drawn.len()
        );
        let grid = self.grid_values()?;
        let list: Vec<Vec<Setting>> = self.list.iter().map(|table| Setting::from_table(table, "list")).collect();
        let mut seen = BTreeSet::new();
        if let Some(entry) = list.iter().find(|entry| !seen.insert(described(entry))) {
            bail!(Usage, "list has the entry {} twice; expected different entries", described(entry))
        }
        // The number of settings is checked before any is drawn or combined.
        let lengths =
            grid.iter().map(|(_, values)| values.len() as u64).chain([list.len().max(1) as u64, self.draws.max(1)]);
        let count = lengths.fold(1u64, u64::saturating_mul);
        ensure!(count <= MOST, Usage, "grid, list and draws make {count} settings; expected at most {MOST}");
        let mut settings = vec![Vec::new()];
        for (key, values) in grid {
            let values = values.into_iter().map(|value| vec![Setting::flag("grid", &key, value)]);
            settings = combined(settings, &values.collect::<Vec<_>>());
        }
        if !list.is_empty() {
            settings = combined(settings, &list);
        }
        if self.draws > 0 {
            let draw = |k: u64| {
                drawn.iter().map(|(key, from)| Setting::flag("draw", key, from.draw(self.seed, key, k))).collect()
            };
            settings = combined(settings, &(1..=self.draws).map(draw).collect::<Vec<_>>());
        }
        let common = Setting::from_table(&self.set, "set");
        for key in settings.iter().flatten().map(|setting| &setting.key) {
            let elsewhere = common.iter().any(|setting| setting.key == *key);
            ensure!(
                !elsewhere,
                Usage,
                "{key} is given in `set` but differs between settings; remove it from one of them"
            );
        }
        for setting in &settings {
            let mut keys: Vec<&str> = setting.iter().map(|setting| &setting.key[..]).collect();
            keys.sort_unstable();
            let twice = keys.windows(2).find(|pair| pair[0] == pair[1]);
            ensure!(
                twice.is_none(),
                Usage,
                "{} is given twice, in grid, list or draw; expected once",
                twice.map_or("", |pair| pair[0])
            );
        }
        Ok(settings)
    }

    /// The keys of the grid, each with its values.
    fn grid_values(&self) -> Result<Vec<(String, Vec<Value>)>> {
        let keys = Setting::from_table(&self.grid, "grid").into_iter().map(|Setting { key, value, .. }| {
            let Value::Array(values) = value else {
                bail!(Usage, "grid.{key} is {value}; expected an array of values")
            };
            ensure!(!values.is_empty(), Usage, "grid.{key} is []; expected at least one value");
            // As numbers, 1 and 1.0 are the same.
            let number = |value: &Value| value.as_float().or(value.as_integer().map(|number| number as f64));
            let meant = |value: &Value| number(value).map_or(value.to_string(), |number| format!("{:?}", number + 0.0));
            let mut seen = BTreeSet::new();
            if let Some(value) = values.iter().find(|value| !seen.insert(meant(value))) {
                bail!(Usage, "grid.{key} has the value {} twice; expected different values", shown(value))
            }
            Ok((key, values))
        });
        keys.collect()
    }

    fn distributions(&self) -> Result<Vec<(String, Distribution)>> {
        let keys = Setting::from_table(&self.draw, "draw").into_iter().map(|Setting { key, value, .. }| {
            let (key, kind) = key.rsplit_once('.').unwrap_or(("", &key));
            Ok((key.to_string(), Distribution::new(key, kind, value)?))
        });
        keys.collect()
    }

    /// The complete configuration of a setting with these `values`, with all networks.
    ///
    /// # Errors
    /// As [`Subject::resolve`].
    fn configuration(&self, values: &[Setting]) -> Result<Subject> {
        let settings = [&Setting::from_table(&self.set, "set"), values].concat();
        let subject = Subject::resolve(self.task.as_deref(), self.life.as_deref(), settings, self.networks)?;
        let cut = self.networks_per_job.is_some_and(|most| most < self.networks.count() as u64);
        let stops = matches!(&subject, Subject::Task(config) if config.train.until_criterion);
        ensure!(
            !(cut && stops),
            Usage,
            "train.until_criterion stops a job once all its networks have reached the criterion, so the results would depend on \
             networks_per_job; leave out one of them"
        );
        Ok(subject)
    }

    /// Whether the parts of a setting do not go together; otherwise a key, a name or a value that the plan gives is wrong.
    fn is_impossible(&self, values: &[Setting], why: &Error) -> bool {
        match why {
            Error::Usage(_) | Error::Unknown { kind: RULE_OF_A_LIFE, .. } => true,
            Error::Setting { key, .. } => {
                let common = Setting::from_table(&self.set, "set");
                !values.iter().chain(&common).any(|given| given.key == *key)
            }
            _ => false,
        }
    }

    /// The settings with their configurations, and those that were left out.
    ///
    /// # Errors
    /// As [`SweepPlan::settings`] and [`SweepPlan::configuration`].
    fn configurations(&self) -> Result<Configurations> {
        let (mut possible, mut left_out) = (Vec::new(), Vec::new());
        for values in self.settings()? {
            match self.configuration(&values) {
                Err(why) if self.leave_out_impossible && self.is_impossible(&values, &why) => {
                    left_out.push(format!("{}: {why}\n", described(&values)));
                }
                configuration => {
                    let subject = configuration.at(described(&values))?;
                    possible.push((values, subject));
                }
            }
        }
        ensure!(!possible.is_empty(), Usage, "no setting is possible; the first is {}", left_out[0].trim_end());
        Ok(Configurations { possible, left_out })
    }

    /// Plans the sweep in `folder`, before anything runs: checks every setting, and writes `sweep.toml`, `settings/K.toml`,
    /// `left_out.txt` if there are settings to be left out, and, last, `plan.tsv`. If the same plan is already there, nothing is written.
    ///
    /// # Errors
    /// As [`SweepPlan::settings`]; those of an invalid configuration; [`Error::Usage`] if the folder holds another plan;
    /// [`Error::Io`] if it cannot be written.
    pub fn write(&self, folder: &Path) -> Result<Sweep> {
        let Configurations { possible: settings, left_out } = self.configurations()?;
        let mut keys: Vec<&str> = Vec::new();
        for setting in settings.iter().flat_map(|(values, _)| values) {
            if !keys.contains(&&setting.key[..]) {
                keys.push(&setting.key);
            }
        }
        let most = self.networks_per_job.unwrap_or(u64::MAX);
        ensure!(most > 0, Usage, "networks_per_job is 0; expected at least 1");
        let count = (settings.len() as u64).saturating_mul((self.networks.count() as u64).div_ceil(most));
        ensure!(count <= MOST, Usage, "there are {count} jobs; expected at most {MOST}: make networks_per_job larger");
        let mut jobs = Vec::new();
        let mut files = Vec::new();
        for (k, (values, subject)) in (1..).zip(&settings) {
            let text = subject.to_toml()?;
            let value = |key: &&str| values.iter().find(|s| s.key == **key).map_or(String::new(), |s| shown(&s.value));
            let NetworkRange { start, end } = self.networks;
            let sha256 = sha256(text.as_bytes());
            let mut first = start;
            while first < end {
                let last = end.min(first.saturating_add(most));
                let (number, networks) = (jobs.len() + 1, (first..last).into());
                jobs.push(Job {
                    number,
                    setting: k,
                    networks,
                    sha256: sha256.clone(),
                    values: keys.iter().map(value).collect(),
                });
                first = last;
            }
            files.push((folder.join("settings").join(format!("{k}.toml")), text));
        }
        let keys: Vec<String> = keys.into_iter().map(String::from).collect();
        let plan = table(&keys, &jobs)?;
        let sweep = Sweep::of_table(folder, &plan).at("the plan")?;
        refuse_links(folder)?;
        if let Some(there) = planned(folder)? {
            ensure!(
                there == plan,
                Usage,
                "{} holds another plan, whose jobs may have run; choose another folder (--out DIR), or remove that one",
                folder.display()
            );
            return Ok(sweep);
        }
        let folder_of_settings = folder.join("settings");
        std::fs::create_dir_all(&folder_of_settings).doing("creating the folder", &folder_of_settings)?;
        remove_unfinished(folder, &[PLAN_FILE, SWEEP_FILE, LEFT_OUT_FILE]).doing("clearing", folder)?;
        for (path, text) in &files {
            refuse_link(path)?;
            std::fs::write(path, text).doing("writing", path)?;
        }
        let text =
            toml::to_string(self).map_err(|error| Error::Bug(format!("writing a sweep's description: {error}")))?;
        write_atomically(&folder.join(SWEEP_FILE), text.as_bytes())?;
        if !left_out.is_empty() {
            write_atomically(&folder.join(LEFT_OUT_FILE), left_out.concat().as_bytes())?;
        }
        write_atomically(&folder.join(PLAN_FILE), plan.as_bytes())?;
        Ok(sweep)
    }
}

/// The settings of a plan.
struct Configurations {
    /// The values of each setting that is possible, and its configuration.
    possible: Vec<(Vec<Setting>, Subject)>,
    /// A line for each setting that was left out, with the reason.
    left_out: Vec<String>,
}

/// Each of the settings with each of the others.
fn combined(settings: Vec<Vec<Setting>>, others: &[Vec<Setting>]) -> Vec<Vec<Setting>> {
    settings.iter().flat_map(|setting| others.iter().map(|other| [&setting[..], other].concat())).collect()
}

/// The values of a setting, in one line.
fn described(values: &[Setting]) -> String {
    match values {
        [] => "the only setting".into(),
        values => values.iter().map(|s| format!("{}={}", s.key, shown(&s.value))).collect::<Vec<_>>().join(" "),
    }
}
