//! The file that describes a sweep, and the plan made of it.

use super::subject::Subject;
use super::{Job, Sweep, COLUMNS, PLAN_FILE};
use crate::config::{NetworkRange, Setting};
use crate::error::{bail, ensure, At, Doing, Error, Result};
use crate::files::write_atomically;
use crate::random::{stream, Phase, Purpose};
use crate::reader::sha256;
use rand::RngExt;
use serde::{Deserialize, Serialize};
use std::path::Path;
use toml::{Table, Value};

/// The name of the description in a sweep's folder.
const SWEEP_FILE: &str = "sweep.toml";
/// More settings than this are taken for a mistake.
const MOST: usize = 1_000_000;

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
    /// The life, in the place of a task. Its rule is given as `rule.name`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub life: Option<String>,
    /// The networks of each setting: a count, or a range `A..B`.
    pub networks: NetworkRange,
    /// At most this many of them in one job; by default, all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub networks_per_job: Option<u64>,
    /// What all settings have in common.
    #[serde(default)]
    pub set: Table,
    /// For each key an array of values: every combination is a setting.
    #[serde(default)]
    pub grid: Table,
    /// Settings written out, each a table.
    #[serde(default)]
    pub list: Vec<Table>,
    /// For each key a distribution: `{ uniform = [from, to] }`, of integers if both are, `{ log_uniform = [from, to] }` or
    /// `{ choice = [value, …] }`.
    #[serde(default)]
    pub draw: Table,
    /// How many times `draw` is drawn from.
    #[serde(default)]
    pub draws: u64,
    /// The seed of these draws, which depend on it, on the key and on the number of the draw alone.
    #[serde(default = "one")]
    pub seed: u64,
}

fn one() -> u64 {
    1
}

impl SweepPlan {
    /// One setting, of a task yet to be named.
    pub fn of(networks: NetworkRange) -> Self {
        SweepPlan {
            task: None,
            life: None,
            networks,
            networks_per_job: None,
            set: Table::new(),
            grid: Table::new(),
            list: Vec::new(),
            draw: Table::new(),
            draws: 0,
            seed: 1,
        }
    }

    /// Reads a description; `name` is that of its file.
    ///
    /// # Errors
    /// [`Error::Usage`], with the line, if it is none.
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
    /// [`Error::Usage`] if a list of values is none, a distribution is unknown, or a key is given twice.
    pub fn settings(&self) -> Result<Vec<Vec<Setting>>> {
        let mut settings = vec![Vec::new()];
        for Setting { key, value, .. } in Setting::from_table(&self.grid, "grid") {
            let Value::Array(values) = value else {
                bail!(Usage, "grid.{key} is {value}; expected an array of values")
            };
            settings = combined(settings, values.into_iter().map(|value| vec![Setting::flag("grid", &key, value)]))?;
        }
        if !self.list.is_empty() {
            settings = combined(settings, self.list.iter().map(|table| Setting::from_table(table, "list")))?;
        }
        let drawn = self.distributions()?;
        ensure!(
            drawn.is_empty() == (self.draws == 0),
            Usage,
            "draws is {}, and `draw` has {} keys: give both or neither",
            self.draws,
            drawn.len()
        );
        if self.draws > 0 {
            let draw = |k: u64| {
                drawn.iter().map(|(key, from)| Setting::flag("draw", key, from.draw(self.seed, key, k))).collect()
            };
            settings = combined(settings, (1..=self.draws).map(draw))?;
        }
        let common = Setting::from_table(&self.set, "set");
        for key in settings.iter().flatten().map(|setting| &setting.key) {
            let elsewhere = common.iter().any(|setting| setting.key == *key);
            ensure!(!elsewhere, Usage, "{key} stands in `set` and differs between settings");
        }
        for setting in &settings {
            let mut keys: Vec<&str> = setting.iter().map(|setting| &setting.key[..]).collect();
            keys.sort_unstable();
            let twice = keys.windows(2).find(|pair| pair[0] == pair[1]);
            ensure!(
                twice.is_none(),
                Usage,
                "{} is given twice, in grid, list or draw",
                twice.map_or("", |pair| pair[0])
            );
        }
        Ok(settings)
    }

    fn distributions(&self) -> Result<Vec<(String, Distribution)>> {
        let keys = Setting::from_table(&self.draw, "draw").into_iter().map(|Setting { key, value, .. }| {
            let (key, kind) = key.rsplit_once('.').unwrap_or(("", &key));
            Ok((key.to_string(), Distribution::new(key, kind, value)?))
        });
        keys.collect()
    }

    /// The complete configuration of each setting, with all networks.
    ///
    /// # Errors
    /// As [`Subject::resolve`], with the values of the setting that fails.
    fn configurations(&self, settings: &[Vec<Setting>]) -> Result<Vec<Subject>> {
        let common = Setting::from_table(&self.set, "set");
        let cut = self.networks_per_job.is_some_and(|most| most < self.networks.count() as u64);
        let configuration = |values: &Vec<Setting>| -> Result<Subject> {
            let settings = [&common[..], values].concat();
            let subject = Subject::resolve(self.task.as_deref(), self.life.as_deref(), settings, self.networks)?;
            let stops = matches!(&subject, Subject::Task(config) if config.train.until_criterion);
            ensure!(
                !(cut && stops),
                Usage,
                "train.until_criterion stops a job once all its networks have reached the criterion, so what is learnt would depend on \
                 networks_per_job: leave out one of them"
            );
            Ok(subject)
        };
        settings.iter().map(|values| configuration(values).at(described(values))).collect()
    }

    /// Plans the sweep in `folder`, before anything runs: checks every setting, and writes `sweep.toml`, `settings/K.toml` and, last,
    /// `plan.tsv`. If the very same plan is there, nothing is written.
    ///
    /// # Errors
    /// As [`SweepPlan::settings`]; those of a configuration that does not hold; [`Error::Usage`] if the folder holds another plan;
    /// [`Error::Io`] if it cannot be written.
    pub fn write(&self, folder: &Path) -> Result<Sweep> {
        let settings = self.settings()?;
        let mut keys: Vec<&str> = Vec::new();
        for setting in settings.iter().flatten() {
            if !keys.contains(&&setting.key[..]) {
                keys.push(&setting.key);
            }
        }
        let most = self.networks_per_job.unwrap_or(u64::MAX);
        ensure!(most > 0, Usage, "networks_per_job is 0; expected at least 1");
        let mut jobs = Vec::new();
        let mut files = Vec::new();
        for (k, (values, subject)) in (1..).zip(settings.iter().zip(self.configurations(&settings)?)) {
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
        let sweep = Sweep { folder: folder.to_path_buf(), keys, jobs };
        let (path, plan) = (folder.join(PLAN_FILE), sweep.to_tsv()?);
        if let Ok(there) = std::fs::read_to_string(&path) {
            ensure!(
                there == plan,
                Usage,
                "{} holds another plan, whose jobs may have run: choose another folder (--out DIR), or remove that one",
                folder.display()
            );
            return Ok(sweep);
        }
        let settings = folder.join("settings");
        std::fs::create_dir_all(&settings).doing("creating the folder", &settings)?;
        for (path, text) in &files {
            std::fs::write(path, text).doing("writing", path)?;
        }
        let text =
            toml::to_string(self).map_err(|error| Error::Bug(format!("writing a sweep's description: {error}")))?;
        write_atomically(&folder.join(SWEEP_FILE), text.as_bytes())?;
        write_atomically(&path, plan.as_bytes())?;
        Ok(sweep)
    }
}

impl Sweep {
    fn to_tsv(&self) -> Result<String> {
        let bug = |error: String| Error::Bug(format!("writing a plan: {error}"));
        let mut csv = csv::WriterBuilder::new().delimiter(b'\t').from_writer(Vec::new());
        let header = COLUMNS.into_iter().chain(self.keys.iter().map(String::as_str));
        csv.write_record(header).map_err(|error| bug(error.to_string()))?;
        for job in &self.jobs {
            let NetworkRange { start, end } = job.networks;
            let fixed =
                [job.number.to_string(), job.setting.to_string(), format!("{start}..{end}"), job.sha256.clone()];
            csv.write_record(fixed.iter().chain(&job.values)).map_err(|error| bug(error.to_string()))?;
        }
        let bytes = csv.into_inner().map_err(|error| bug(error.to_string()))?;
        String::from_utf8(bytes).map_err(|error| bug(error.to_string()))
    }
}

/// Each of the settings with each of the others.
fn combined(settings: Vec<Vec<Setting>>, others: impl Iterator<Item = Vec<Setting>>) -> Result<Vec<Vec<Setting>>> {
    let others: Vec<Vec<Setting>> = others.take(MOST + 1).collect();
    let count = settings.len().saturating_mul(others.len());
    ensure!(count <= MOST, Usage, "there are more than {MOST} settings");
    ensure!(count > 0, Usage, "there is no setting: an array in grid is empty");
    Ok(settings.iter().flat_map(|setting| others.iter().map(|other| [&setting[..], other].concat())).collect())
}

/// A value as a cell of a table: text without quotes.
fn shown(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        // As short as it can be.
        Value::Float(number) => format!("{number:?}"),
        other => other.to_string(),
    }
}

/// The values of a setting, in one line.
fn described(values: &[Setting]) -> String {
    match values {
        [] => "the only setting".into(),
        values => values.iter().map(|s| format!("{}={}", s.key, shown(&s.value))).collect::<Vec<_>>().join(" "),
    }
}

/// What a key is drawn from.
enum Distribution {
    Uniform(f64, f64),
    Integer(i64, i64),
    LogUniform(f64, f64),
    Choice(Vec<Value>),
}

impl Distribution {
    fn new(key: &str, kind: &str, value: Value) -> Result<Self> {
        let expected =
            "expected a table such as { uniform = [0.1, 1.0] }, { log_uniform = [1e-4, 1e-1] } or { choice = [1, 2] }";
        let Value::Array(values) = value else { bail!(Usage, "draw.{key}.{kind} is {value}; {expected}") };
        let number = |value: &Value| value.as_float().or(value.as_integer().map(|number| number as f64));
        let bounds = match &values[..] {
            [from, to] => number(from).zip(number(to)).filter(|(from, to)| from < to && (to - from).is_finite()),
            _ => None,
        };
        match (kind, bounds, &values[..]) {
            ("uniform", Some(_), [Value::Integer(from), Value::Integer(to)]) => Ok(Distribution::Integer(*from, *to)),
            ("uniform", Some((from, to)), _) => Ok(Distribution::Uniform(from, to)),
            ("log_uniform", Some((from, to)), _) if from > 0.0 => Ok(Distribution::LogUniform(from, to)),
            ("choice", _, [_, ..]) => Ok(Distribution::Choice(values)),
            ("uniform" | "log_uniform", ..) => {
                bail!(Usage, "draw.{key}.{kind} is {}; expected two numbers, the smaller first", Value::Array(values))
            }
            _ => bail!(Usage, "draw.{key} has `{kind}`; {expected}"),
        }
    }

    /// Draw `k` of a key.
    fn draw(&self, seed: u64, key: &str, k: u64) -> Value {
        let digits = sha256(key.as_bytes());
        let name = u64::from_str_radix(&digits[..16], 16).unwrap_or_default();
        let mut rng = stream(seed, name, k, Phase::Train, Purpose::Setting);
        match self {
            Distribution::Uniform(from, to) => Value::Float(from + (to - from) * rng.random::<f64>()),
            Distribution::Integer(from, to) => Value::Integer(rng.random_range(*from..=*to)),
            Distribution::LogUniform(from, to) => {
                Value::Float(libm::exp(from.ln() + (to / from).ln() * rng.random::<f64>()))
            }
            Distribution::Choice(values) => values[rng.random_range(0..values.len())].clone(),
        }
    }
}
