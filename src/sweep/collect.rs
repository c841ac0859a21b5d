//! Collects the results of finished jobs: one run for each setting, and one table of all networks.

use super::scores::{Outcome, Scores};
use super::table::refuse_links;
use super::{job_numbers, Job, JobState, Sweep, RESULTS_FILE};
use crate::error::{ensure, Doing, Error, Result};
use crate::files::{refuse_links_in, remove_unfinished, write_through};
use crate::quantile::quantile_with_missing;
use crate::storage::{copy_run, merge_runs, Lock};
use crate::training::{Lives, Trainer};
use rayon::prelude::*;
use serde::Serialize;
use std::cmp::Ordering;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

/// The number of settings that are checked or merged at once.
const WORKERS: usize = 8;

/// The results of a sweep.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Collected {
    /// The settings whose jobs are finished, the best first: by the number of networks that reached the criterion or have learnt, then
    /// by the fewest trials to criterion (median), then by the best measured value (median).
    pub settings: Vec<SettingResult>,
    /// Whether all its networks are lives, which have learnt or not, and have no number of trials to criterion.
    pub lives: bool,
    /// Settings without a merged run, with the reason.
    pub apart: Vec<(usize, String)>,
    /// Jobs run by an earlier version of the program, so that it could not be checked whether their files have changed since.
    pub unchecked: Vec<usize>,
}

/// The results of a setting's networks. Quartiles are lower, median and upper.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct SettingResult {
    /// Its number, from 1.
    pub setting: usize,
    /// The values of [`Sweep::keys`].
    pub values: Vec<String>,
    /// The number of its networks.
    pub networks: usize,
    /// The number of networks that reached the criterion, or have learnt.
    pub reached: usize,
    /// The number of networks that diverged.
    pub diverged: usize,
    /// Quartiles of the trials to criterion; `None` where too few networks reached it.
    pub criterion_trials: [Option<f64>; 3],
    /// The measured quantity: `error`; in an environment, `return`; for lives, one of the figures of their verdict.
    pub measure: &'static str,
    /// Whether larger values are better.
    pub more_is_better: bool,
    /// Quartiles of the measured quantity, for tasks on fresh trials; `None` where too many networks diverged.
    pub measured: [Option<f64>; 3],
}

impl Collected {
    /// The name of the quantity in [`SettingResult::measured`].
    pub fn measure(&self) -> &'static str {
        let first = self.settings.first().map_or("error", |result| result.measure);
        if self.settings.iter().all(|result| result.measure == first) {
            return first;
        }
        "error, return or figure"
    }
}

impl SettingResult {
    fn of(jobs: &[Job], parts: &[Scores]) -> Self {
        let outcomes = || parts.iter().flat_map(|part| &part.outcomes);
        let count = |of: fn(&Outcome) -> bool| outcomes().filter(|outcome| of(outcome)).count();
        let criterion: Vec<Option<f64>> = outcomes().map(|outcome| outcome.criterion_trials).collect();
        let (measure, more_is_better) =
            parts.first().map_or(("error", false), |part| (part.measure, part.more_is_better));
        // A network that diverged is worse than any other.
        let sign = if more_is_better { -1.0 } else { 1.0 };
        let cost: Vec<Option<f64>> = outcomes().map(|outcome| outcome.measured.map(|value| sign * value)).collect();
        let mut measured = [0.25, 0.5, 0.75].map(|q| quantile_with_missing(&cost, q).map(|value| sign * value + 0.0));
        if more_is_better {
            measured.reverse();
        }
        SettingResult {
            setting: jobs[0].setting,
            values: jobs[0].values.clone(),
            networks: cost.len(),
            reached: count(|outcome| outcome.reached),
            diverged: count(|outcome| outcome.diverged),
            criterion_trials: [0.25, 0.5, 0.75].map(|q| quantile_with_missing(&criterion, q)),
            measure,
            more_is_better,
            measured,
        }
    }

    /// The values for display: drawn numbers, which have many digits, are rounded to four.
    pub fn values_in_words(&self) -> Vec<String> {
        let short = |value: &String| match value.parse::<f64>() {
            Ok(number) if value.len() > 8 && number != 0.0 && number.is_finite() => {
                let digits = (3.0 - number.abs().log10().floor()).clamp(0.0, 8.0) as usize;
                format!("{number:.digits$}")
            }
            _ => value.clone(),
        };
        self.values.iter().map(short).collect()
    }

    /// Median and quartiles of the trials to criterion, in words.
    pub fn criterion_in_words(&self) -> String {
        in_words(self.criterion_trials, 0)
    }

    /// Median and quartiles of the measured quantity, in words.
    pub fn measured_in_words(&self) -> String {
        in_words(self.measured, 3)
    }

    fn compare(&self, other: &Self) -> Ordering {
        let trials = |result: &Self| result.criterion_trials[1].unwrap_or(f64::INFINITY);
        let measured = |result: &Self| match result.measured[1] {
            None => f64::INFINITY,
            Some(value) if result.more_is_better => -value,
            Some(value) => value,
        };
        let part = |result: &Self| result.reached as f64 / result.networks.max(1) as f64;
        let by_reached = part(other).total_cmp(&part(self));
        let by_trials = trials(self).total_cmp(&trials(other));
        by_reached
            .then(by_trials)
            .then(measured(self).total_cmp(&measured(other)))
            .then(self.setting.cmp(&other.setting))
    }
}

impl Sweep {
    /// Merges the jobs of each setting into one run, `runs/K`, and writes `results.csv`, with a row for each network. The bytes of
    /// these files do not depend on how networks were divided into jobs. With `partial`, unfinished settings are left out. A run that
    /// already exists is left alone.
    ///
    /// Before anything is written, the plan, the settings and all files of the jobs are checked for changes since each job finished.
    ///
    /// # Errors
    /// [`Error::Usage`] if jobs are not finished, unless `partial`, or if another process is collecting; [`Error::Content`] if a file
    /// was changed, or if a symbolic link is in the way of a file to be written; otherwise as [`merge_runs`].
    pub fn collect(&self, partial: bool) -> Result<Collected> {
        refuse_links(self.folder())?;
        let _lock = Lock::take(self.folder())?;
        let (missing, unchecked) = self.missing()?;
        ensure!(
            missing.is_empty() || partial,
            Usage,
            "not finished: job {}; run what is missing (hebbian-rnn sweep run {}), or collect only the complete settings (--partial)",
            job_numbers(&missing),
            self.folder().display()
        );
        // Most of the time is spent waiting for the disk, so several threads wait at once.
        let pool = rayon::ThreadPoolBuilder::new().num_threads(WORKERS).build().map_err(std::io::Error::other);
        let pool = pool.doing("starting threads for", self.folder())?;
        let complete = |jobs: &&[Job]| !jobs.iter().any(|job| missing.binary_search(&job.number).is_ok());
        let ready: Vec<&[Job]> = self.settings().filter(complete).collect();
        // The first changed file is named, whichever thread finds one first.
        let check = |check: &(dyn Fn(&[Job]) -> Result<()> + Sync)| {
            let checked: Vec<Result<()>> = pool.install(|| ready.par_iter().map(|jobs| check(jobs)).collect());
            checked.into_iter().collect::<Result<()>>()
        };
        check(&|jobs| self.subject(&jobs[0]).map(drop))?;
        check(&|jobs| self.check_jobs(jobs, unchecked.is_empty()))?;
        let runs = self.folder().join("runs");
        std::fs::create_dir_all(&runs).doing("creating the folder", &runs)?;
        refuse_links_in(&runs)?;
        self.clear(&runs)?;
        let mut found = Collected { lives: true, settings: Vec::new(), apart: Vec::new(), unchecked };
        let mut complete = Vec::new();
        let path = self.folder().join(RESULTS_FILE);
        write_through(&path, |file| {
            let csv_error =
                |error: csv::Error| Error::Io { doing: "writing", path: path.clone(), source: error.into() };
            let mut csv = csv::WriterBuilder::new().has_headers(false).from_writer(BufWriter::new(file));
            let mut columns = Vec::new();
            for jobs in &ready {
                for name in &self.scores(&jobs[0], &self.subject(&jobs[0])?)?.columns {
                    if !columns.iter().any(|column| column == name) {
                        columns.push(name.to_string());
                    }
                }
            }
            let keys = std::iter::once("setting").chain(self.keys().iter().map(String::as_str));
            csv.write_record(keys.chain(columns.iter().map(String::as_str))).map_err(csv_error)?;
            for jobs in ready {
                let subject = self.subject(&jobs[0])?;
                let parts = jobs.iter().map(|job| self.scores(job, &subject)).collect::<Result<Vec<_>>>()?;
                ensure!(
                    parts.iter().all(|part| part.columns == parts[0].columns),
                    Content,
                    "the tables of two jobs have different columns: they were written by different versions of the program"
                );
                let places: Vec<Option<usize>> =
                    columns.iter().map(|name| parts[0].columns.iter().position(|column| column == name)).collect();
                for outcome in parts.iter().flat_map(|part| &part.outcomes) {
                    let cell = |place: &Option<usize>| place.map_or("", |place| &outcome.cells[place]);
                    let setting = std::iter::once(jobs[0].setting.to_string());
                    let row = setting.chain(jobs[0].values.iter().cloned());
                    csv.write_record(row.chain(places.iter().map(|place| cell(place).to_string())))
                        .map_err(csv_error)?;
                }
                let mut updates = parts.iter().flat_map(|part| part.outcomes.iter().map(|outcome| outcome.updates));
                let first = updates.next();
                let lives = parts[0].lives;
                found.lives &= lives;
                complete.push((jobs, updates.all(|other| Some(other) == first), lives));
                found.settings.push(SettingResult::of(jobs, &parts));
            }
            csv.flush().doing("writing", &path)?;
            csv.into_inner().map_err(|error| csv_error(error.into_error().into()))?.flush().doing("writing", &path)
        })?;
        pool.install(|| {
            complete.par_iter().filter(|(_, even, _)| *even).try_for_each(|(jobs, _, lives)| self.merge(jobs, *lives))
        })?;
        let apart = complete.iter().filter(|(_, even, _)| !even);
        const WHY: &str = "every network of a job diverged, so it ended earlier than the others";
        found.apart = apart.map(|(jobs, _, _)| (jobs[0].setting, WHY.to_string())).collect();
        found.settings.sort_by(SettingResult::compare);
        Ok(found)
    }

    /// Merges the jobs of a setting.
    fn merge(&self, jobs: &[Job], lives: bool) -> Result<()> {
        let run = self.run_folder(jobs[0].setting);
        if run.exists() {
            return Ok(());
        }
        let parts: Vec<PathBuf> = jobs.iter().map(|job| self.job_folder(job)).collect();
        match &parts[..] {
            [alone] => copy_run(alone, &run),
            parts if lives => merge_runs::<Lives>(parts, &run, false).map(drop),
            parts => merge_runs::<Trainer>(parts, &run, false).map(drop),
        }
    }

    /// Removes what killed processes left behind. Folders of unfinished jobs may be in use.
    fn clear(&self, runs: &Path) -> Result<()> {
        let remove = |folder: &Path| remove_unfinished(folder, &[""]).doing("clearing", folder);
        remove(self.folder())?;
        remove(runs)?;
        for job in self.jobs() {
            if self.state(job)? == JobState::Finished {
                remove(&self.job_folder(job))?;
            }
        }
        for entry in std::fs::read_dir(runs).doing("reading", runs)? {
            let path = entry.doing("reading", runs)?.path();
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            // Earlier versions used `.collecting-K`.
            if path.is_dir() && [".merging-", ".collecting-"].iter().any(|prefix| name.starts_with(prefix)) {
                std::fs::remove_dir_all(&path).doing("clearing", &path)?;
            }
        }
        Ok(())
    }
}

/// Median and quartiles.
fn in_words([lower, median, upper]: [Option<f64>; 3], digits: usize) -> String {
    let number = |value: Option<f64>| match value {
        None => "-".to_string(),
        Some(value) if value.abs() < 1e6 => format!("{value:.digits$}"),
        Some(value) => format!("{value:.2e}"),
    };
    format!("{} ({}, {})", number(median), number(lower), number(upper))
}
