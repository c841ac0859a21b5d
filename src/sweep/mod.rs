//! Sweeps: a set of settings times a range of networks, divided into jobs that any batch system, or this machine, can run in any order.
//!
//! Networks never interact, so jobs share nothing but a folder: `plan.tsv` has a row for each job, `settings/K.toml` the
//! complete configuration of setting K, `jobs/J` the run of job J, and [`Sweep::collect`] merges them into one run for each setting,
//! `runs/K`, and one table, `results.csv`.

mod collect;
mod draws;
#[cfg(feature = "report")]
mod figures;
mod job;
mod paired;
mod plan;
mod scores;
mod script;
mod seal;
mod subject;
mod table;

pub use collect::{Collected, SettingResult};
pub use job::{JobNews, JobState};
pub use paired::Comparison;
pub use plan::SweepPlan;
pub use script::BatchSystem;

use crate::config::NetworkRange;
use crate::error::{bail, ensure, At, Error, Result};
use crate::reader::{read_text, sha256};
use std::path::{Path, PathBuf};
use subject::{contradiction, Subject};
use table::RESTORE;

/// The name of the plan in a sweep's folder: a row for each job, its columns separated by tabs.
pub const PLAN_FILE: &str = "plan.tsv";
/// The name of the table in a sweep's folder.
pub const RESULTS_FILE: &str = "results.csv";
/// The name of the description in a sweep's folder.
const SWEEP_FILE: &str = "sweep.toml";
/// The name of the list of settings that were left out of the plan, in a sweep's folder.
pub const LEFT_OUT_FILE: &str = "left_out.txt";
/// The files that [`Sweep::draw`] writes.
const PICTURES: [&str; 5] =
    ["learning_curves.png", "learning_curves.svg", "settings.png", "settings.svg", crate::storage::REPORT_FILE];
/// The largest description, and the largest file of a setting, in bytes.
const LARGEST_TOML: u64 = 1 << 24;

/// A planned sweep in its folder.
#[derive(Clone, Debug)]
pub struct Sweep {
    folder: PathBuf,
    keys: Vec<String>,
    jobs: Vec<Job>,
    /// The SHA-256 of the plan.
    sha256: String,
}

/// Some networks of one setting, which one job trains or simulates.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
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
        job.ok_or_else(|| Error::Usage(format!("there is no job {number}; expected 1 to {}", self.jobs.len())))
    }

    /// The jobs of each setting, in order.
    pub fn settings(&self) -> impl Iterator<Item = &[Job]> {
        self.jobs.chunk_by(|a, b| a.setting == b.setting)
    }

    /// The folder of a job's run.
    pub fn job_folder(&self, job: &Job) -> PathBuf {
        self.folder.join("jobs").join(job.number.to_string())
    }

    /// The folder of a setting's run, which [`collect`](Sweep::collect) merges from the runs of its jobs.
    pub fn run_folder(&self, setting: usize) -> PathBuf {
        self.folder.join("runs").join(setting.to_string())
    }

    /// The configuration of a job's setting, with the job's own networks.
    ///
    /// # Errors
    /// [`Error::Io`] if its file cannot be read, [`Error::Content`] if the file or the setting's rows of the plan were changed since
    /// the plan was made.
    fn subject(&self, job: &Job) -> Result<Subject> {
        let path = self.settings_file(job.setting);
        let text = read_text(&path, LARGEST_TOML)?;
        ensure!(
            sha256(text.as_bytes()) == job.sha256,
            Content,
            "{}: it has changed since the plan was made: its SHA-256 is {}, expected {}; {RESTORE}",
            path.display(),
            sha256(text.as_bytes()),
            job.sha256
        );
        let subject = Subject::from_toml(&text).at_path(&path)?;
        self.check_rows(job.setting, &subject).at_path(&self.folder.join(PLAN_FILE))?;
        Ok(subject.with_networks(job.networks))
    }

    /// Refuses a plan in which a setting's rows contradict its configuration.
    fn check_rows(&self, setting: usize, subject: &Subject) -> Result<()> {
        let first = self.jobs.partition_point(|job| job.setting < setting);
        let last = self.jobs.partition_point(|job| job.setting <= setting) - 1;
        let networks = self.jobs[first].networks.start..self.jobs[last].networks.end;
        let file = self.settings_file(setting);
        ensure!(
            networks == subject.networks().range(),
            Content,
            "the jobs of setting {setting} have networks {networks:?}; expected {:?}, as in {}; {RESTORE}",
            subject.networks().range(),
            file.display()
        );
        let settings = subject.settings()?;
        for (key, value) in self.keys.iter().zip(&self.jobs[first].values).filter(|(_, value)| !value.is_empty()) {
            if let Some(found) = contradiction(&settings, key, value) {
                bail!(Content, "{key} of setting {setting} is {value}, but {found} in {}; {RESTORE}", file.display());
            }
        }
        Ok(())
    }

    fn settings_file(&self, setting: usize) -> PathBuf {
        self.folder.join("settings").join(format!("{setting}.toml"))
    }
}

/// Numbers of jobs in ascending order as ranges, `1-3,7`, as batch systems accept them.
pub fn job_numbers(numbers: &[usize]) -> String {
    let ranges = numbers.chunk_by(|a, b| a + 1 == *b).map(|range| match range {
        [alone] => alone.to_string(),
        range => format!("{}-{}", range[0], range[range.len() - 1]),
    });
    ranges.collect::<Vec<_>>().join(",")
}
