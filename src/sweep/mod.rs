//! Sweeps: a set of settings times a range of networks, cut into jobs that any batch system, or this machine, can run in any order.
//!
//! Networks never talk to each other, so jobs share nothing but a folder: `plan.tsv` has a row for each job, `settings/K.toml` the
//! complete configuration of setting K, `jobs/J` the run of job J, and [`Sweep::collect`] makes of them one run for each setting,
//! `runs/K`, and one table, `results.csv`.

mod collect;
#[cfg(feature = "report")]
mod figures;
mod job;
mod plan;
mod scores;
mod script;
mod subject;

pub use collect::{Collected, SettingResult};
pub use job::{JobNews, JobState};
pub use plan::SweepPlan;
pub use script::BatchSystem;

use crate::config::NetworkRange;
use crate::error::{bail, ensure, At, Doing, Error, Result};
use crate::reader::sha256;
use crate::text::printable;
use std::path::{Path, PathBuf};
use subject::Subject;

/// The name of the plan in a sweep's folder: a row for each job, its columns separated by tabs.
pub const PLAN_FILE: &str = "plan.tsv";
/// The name of the table in a sweep's folder.
pub const RESULTS_FILE: &str = "results.csv";
/// The columns of a plan before those of the keys that differ between settings.
const COLUMNS: [&str; 4] = ["job", "setting", "networks", "sha256"];

/// A planned sweep in its folder.
#[derive(Clone, Debug)]
pub struct Sweep {
    folder: PathBuf,
    keys: Vec<String>,
    jobs: Vec<Job>,
}

/// Some networks of one setting: what one job trains or lets live.
#[derive(Clone, Debug, PartialEq)]
pub struct Job {
    /// Its number, from 1.
    pub number: usize,
    /// The number of its setting, from 1.
    pub setting: usize,
    /// Its networks.
    pub networks: NetworkRange,
    /// The SHA-256 of the setting's configuration file.
    pub sha256: String,
    /// The values of [`Sweep::keys`].
    pub values: Vec<String>,
}

impl Sweep {
    /// Reads the plan in a sweep's folder.
    ///
    /// # Errors
    /// [`Error::Usage`] if there is none, [`Error::Io`] if it cannot be read, [`Error::Content`] if it is no plan.
    pub fn open(folder: &Path) -> Result<Self> {
        let path = folder.join(PLAN_FILE);
        ensure!(
            path.exists(),
            Usage,
            "{} holds no plan: hebbian-rnn sweep plan FILE.toml --out DIR makes one",
            folder.display()
        );
        let text = std::fs::read_to_string(&path).doing("reading", &path)?;
        let mut reader = csv::ReaderBuilder::new().delimiter(b'\t').from_reader(text.as_bytes());
        let damaged = |error: csv::Error| Error::Content(error.to_string());
        let header = reader.headers().map_err(damaged).at_path(&path)?.clone();
        if !header.iter().zip(COLUMNS).all(|(found, expected)| found == expected) || header.len() < COLUMNS.len() {
            bail!(Content, "{}: its columns begin otherwise than {}", path.display(), COLUMNS.join(", "));
        }
        let mut jobs = Vec::new();
        for record in reader.records() {
            let record = record.map_err(damaged).at_path(&path)?;
            let number = |k: usize| {
                let text = &record[k];
                text.parse().map_err(|_| Error::Content(format!("`{text}` is no {}", COLUMNS[k]))).at_path(&path)
            };
            let job = Job {
                number: number(0)?,
                setting: number(1)?,
                networks: record[2].parse().at_path(&path)?,
                sha256: record[3].to_string(),
                values: record.iter().skip(COLUMNS.len()).map(printable).collect(),
            };
            let expected = jobs.len() + 1;
            ensure!(
                job.number == expected,
                Content,
                "{}: job {} stands in the place of job {expected}",
                path.display(),
                job.number
            );
            jobs.push(job);
        }
        ensure!(!jobs.is_empty(), Content, "{}: it has no jobs", path.display());
        let keys = header.iter().skip(COLUMNS.len()).map(printable).collect();
        Ok(Sweep { folder: folder.to_path_buf(), keys, jobs })
    }

    /// The sweep's folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The keys that differ between settings.
    pub fn keys(&self) -> &[String] {
        &self.keys
    }

    /// All jobs, in order.
    pub fn jobs(&self) -> &[Job] {
        &self.jobs
    }

    /// The job with a number, from 1.
    ///
    /// # Errors
    /// [`Error::Usage`] if there is none.
    pub fn job(&self, number: usize) -> Result<&Job> {
        let job = number.checked_sub(1).and_then(|place| self.jobs.get(place));
        job.ok_or_else(|| {
            Error::Usage(format!("there is no job {number}: the jobs of this plan are 1 to {}", self.jobs.len()))
        })
    }

    /// The jobs of each setting, in order.
    pub fn settings(&self) -> impl Iterator<Item = &[Job]> {
        self.jobs.chunk_by(|a, b| a.setting == b.setting)
    }

    /// The folder of a job's run.
    pub fn job_folder(&self, job: &Job) -> PathBuf {
        self.folder.join("jobs").join(job.number.to_string())
    }

    /// The folder of a setting's run, which [`collect`](Sweep::collect) merges from those of its jobs.
    pub fn run_folder(&self, setting: usize) -> PathBuf {
        self.folder.join("runs").join(setting.to_string())
    }

    /// What a job trains or lets live: the configuration of its setting, with its own networks.
    ///
    /// # Errors
    /// [`Error::Io`] if its file cannot be read, [`Error::Content`] if it was changed since the plan was made.
    fn subject(&self, job: &Job) -> Result<Subject> {
        let path = self.settings_file(job.setting);
        let text = std::fs::read_to_string(&path).doing("reading", &path)?;
        ensure!(
            sha256(text.as_bytes()) == job.sha256,
            Content,
            "{}: it was changed since the plan was made: put it back, or plan a sweep of its own in another folder",
            path.display()
        );
        Ok(Subject::from_toml(&text).at_path(&path)?.with_networks(job.networks))
    }

    fn settings_file(&self, setting: usize) -> PathBuf {
        self.folder.join("settings").join(format!("{setting}.toml"))
    }
}

/// Numbers of jobs in ascending order as ranges, `1-3,7`, as batch systems take them.
pub fn job_numbers(numbers: &[usize]) -> String {
    let ranges = numbers.chunk_by(|a, b| a + 1 == *b).map(|range| match range {
        [alone] => alone.to_string(),
        range => format!("{}-{}", range[0], range[range.len() - 1]),
    });
    ranges.collect::<Vec<_>>().join(",")
}
