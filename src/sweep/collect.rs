//! Putting together what finished jobs have left: one run for each setting, and one table of all networks.

use super::job::Row;
use super::{job_numbers, Job, JobState, Sweep, RESULTS_FILE};
use crate::error::{ensure, Doing, Error, Result};
use crate::files::write_through;
use crate::quantile::quantile_with_missing;
use crate::storage::{copy_run, merge_runs, Lock};
use documented::DocumentedFields;
use rayon::prelude::*;
use serde::Serialize;
use std::cmp::Ordering;
use std::io::{BufWriter, Write};
use std::path::PathBuf;

/// How many runs are merged at once.
const WRITERS: usize = 8;

/// What came of a sweep.
#[derive(Clone, Debug)]
pub struct Collected {
    /// The settings whose jobs are finished, the best first: that of the most networks at criterion, then of the fewest trials to
    /// it (median), then of the smallest error or largest return on fresh trials (median).
    pub settings: Vec<SettingResult>,
    /// Settings that have no run of their own, with the reason.
    pub apart: Vec<(usize, String)>,
}

/// What came of the networks of a setting. Quartiles are lower, median and upper.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct SettingResult {
    /// Its number, from 1.
    pub setting: usize,
    /// The values of [`Sweep::keys`].
    pub values: Vec<String>,
    /// How many networks it has.
    pub networks: usize,
    /// How many of them reached the criterion.
    pub reached: usize,
    /// How many diverged.
    pub diverged: usize,
    /// Quartiles of the trials to criterion; `None` where too few networks reached it.
    pub criterion_trials: [Option<f64>; 3],
    /// Whether what is measured is the return, of a world that answers, and not the error.
    pub returns: bool,
    /// Quartiles of the error on fresh trials, or of the return; `None` where too many networks diverged.
    pub measured: [Option<f64>; 3],
}

impl Collected {
    /// What [`SettingResult::measured`] is.
    pub fn measure(&self) -> &'static str {
        let returns = self.settings.iter().filter(|result| result.returns).count();
        match returns {
            0 => "error",
            all if all == self.settings.len() => "return",
            _ => "error or return",
        }
    }
}

impl SettingResult {
    fn of(jobs: &[Job], rows: &[Row]) -> Self {
        let criterion: Vec<Option<f64>> = rows.iter().map(|row| row.criterion_trials.map(|t| t as f64)).collect();
        // A network that diverged is worse than any other.
        let returns = rows.iter().any(|row| row.mean_return.is_some());
        let sign = if returns { -1.0 } else { 1.0 };
        let worth = |row: &Row| row.frozen.is_none().then(|| sign * row.mean_return.unwrap_or(row.error));
        let measured: Vec<Option<f64>> = rows.iter().map(worth).collect();
        let mut measured = [0.25, 0.5, 0.75].map(|q| quantile_with_missing(&measured, q).map(|value| sign * value));
        if sign < 0.0 {
            measured.reverse();
        }
        SettingResult {
            setting: jobs[0].setting,
            values: jobs[0].values.clone(),
            networks: rows.len(),
            reached: criterion.iter().flatten().count(),
            diverged: rows.iter().filter(|row| row.frozen.is_some()).count(),
            criterion_trials: [0.25, 0.5, 0.75].map(|q| quantile_with_missing(&criterion, q)),
            returns,
            measured,
        }
    }

    /// Median and quartiles of the trials to criterion, in words.
    pub fn criterion_in_words(&self) -> String {
        in_words(self.criterion_trials, 0)
    }

    /// Median and quartiles of what is measured, in words.
    pub fn measured_in_words(&self) -> String {
        in_words(self.measured, 3)
    }

    fn compare(&self, other: &Self) -> Ordering {
        let trials = |result: &Self| result.criterion_trials[1].unwrap_or(f64::INFINITY);
        let measured = |result: &Self| match result.measured[1] {
            None => f64::INFINITY,
            Some(value) if result.returns => -value,
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
    /// Merges the jobs of each setting into one run, `runs/K`, and writes `results.csv`, a row for each network, whose bytes do not
    /// depend on how networks were cut into jobs. With `partial`, settings that are not finished are left out. A run that is
    /// there already is left alone.
    ///
    /// # Errors
    /// [`Error::Usage`] if jobs are not finished, unless `partial`, or if another process collects; otherwise as [`merge_runs`].
    pub fn collect(&self, partial: bool) -> Result<Collected> {
        let _lock = Lock::take(self.folder())?;
        let mut missing = Vec::new();
        for job in self.jobs() {
            if self.state(job)? != JobState::Finished {
                missing.push(job.number);
            }
        }
        ensure!(
            missing.is_empty() || partial,
            Usage,
            "not finished: job {}; run what is missing (hebbian-rnn sweep run {}), or collect the settings that are complete (--partial)",
            job_numbers(&missing),
            self.folder().display()
        );
        let runs = self.folder().join("runs");
        std::fs::create_dir_all(&runs).doing("creating the folder", &runs)?;
        let mut found = Collected { settings: Vec::new(), apart: Vec::new() };
        let mut complete = Vec::new();
        let path = self.folder().join(RESULTS_FILE);
        write_through(&path, |file| {
            let csv_error =
                |error: csv::Error| Error::Io { doing: "writing", path: path.clone(), source: error.into() };
            let mut csv = csv::WriterBuilder::new().has_headers(false).from_writer(BufWriter::new(file));
            let header = std::iter::once("setting")
                .chain(self.keys().iter().map(String::as_str))
                .chain(Row::FIELD_NAMES.iter().copied());
            csv.write_record(header).map_err(csv_error)?;
            for jobs in self.settings() {
                if jobs.iter().any(|job| missing.binary_search(&job.number).is_ok()) {
                    continue;
                }
                let mut rows = Vec::new();
                for job in jobs {
                    rows.extend(self.scores(job)?);
                }
                for row in &rows {
                    csv.serialize((jobs[0].setting, &jobs[0].values, row)).map_err(csv_error)?;
                }
                complete.push((jobs, rows.iter().all(|row| row.updates == rows[0].updates)));
                found.settings.push(SettingResult::of(jobs, &rows));
            }
            csv.flush().doing("writing", &path)?;
            csv.into_inner().map_err(|error| csv_error(error.into_error().into()))?.flush().doing("writing", &path)
        })?;
        // Most of the time goes by while files are made safe on disk, which several threads wait for at once.
        let pool = rayon::ThreadPoolBuilder::new().num_threads(WRITERS).build().map_err(std::io::Error::other);
        let pool = pool.doing("starting threads for", &runs)?;
        pool.install(|| complete.par_iter().filter(|(_, even)| *even).try_for_each(|(jobs, _)| self.merge(jobs)))?;
        let apart = complete.iter().filter(|(_, even)| !even);
        const WHY: &str = "every network of a job diverged, so it ended earlier than the others";
        found.apart = apart.map(|(jobs, _)| (jobs[0].setting, WHY.to_string())).collect();
        found.settings.sort_by(SettingResult::compare);
        Ok(found)
    }

    /// Merges the jobs of a setting.
    fn merge(&self, jobs: &[Job]) -> Result<()> {
        let run = self.run_folder(jobs[0].setting);
        if run.exists() {
            return Ok(());
        }
        let unfinished = run.with_file_name(format!(".collecting-{}", jobs[0].setting));
        if unfinished.exists() {
            std::fs::remove_dir_all(&unfinished).doing("clearing", &unfinished)?;
        }
        let parts: Vec<PathBuf> = jobs.iter().map(|job| self.job_folder(job)).collect();
        match &parts[..] {
            [alone] => copy_run(alone, &unfinished)?,
            parts => drop(merge_runs(parts, &unfinished, false)?),
        }
        std::fs::rename(&unfinished, &run).doing("renaming", &unfinished)
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
