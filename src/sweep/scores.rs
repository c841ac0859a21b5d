//! The results of a job's networks: the table `scores.csv`, which a job writes once its networks are tested.

use super::subject::Subject;
use super::{Job, Sweep};
use crate::error::{At, Error, Result};
use crate::files::write_atomically;
use crate::presets::find_life;
use crate::reader::read_text;
use crate::runs::Score;
use crate::setup::LifeSetup;
use crate::storage::to_csv;
use crate::training::{verdicts, Checkpoint};
use crate::worlds::LifeRow;
use csv::StringRecord;
use documented::DocumentedFields;
use serde::{Deserialize, Serialize};
use std::path::Path;

/// The name of a job's table, which has a row for each network.
pub(super) const SCORES_FILE: &str = "scores.csv";
/// The largest table, in bytes.
const LARGEST: u64 = 1 << 28;
/// The columns of a life's row before the figures of its verdict.
const OF_A_LIFE: [&str; 2] = ["network", "learnt"];

/// The results of a trained network: a row of a job's `scores.csv` and, after the columns of its setting, of a sweep's
/// `results.csv`.
#[derive(Clone, Debug, PartialEq, DocumentedFields, Serialize, Deserialize)]
struct Row {
    /// The network's index.
    network: u64,
    /// Updates made.
    updates: u64,
    /// Trials of the network.
    trials: u64,
    /// Trials to criterion, if it was reached.
    criterion_trials: Option<u64>,
    /// Mean error on fresh trials. All figures below except the last are measured on the same trials.
    error: f64,
    /// Fraction correct.
    fraction_correct: f64,
    /// Mean return, in an environment.
    mean_return: Option<f64>,
    /// Its standard error.
    standard_error: Option<f64>,
    /// Mean number of steps of the environment.
    mean_steps: Option<f64>,
    /// The update in which it diverged.
    #[serde(alias = "frozen")]
    diverged_at: Option<u64>,
}

/// The figures by which a sweep compares networks, and the network's row.
pub(super) struct Outcome {
    /// The cells of its row.
    pub cells: StringRecord,
    /// Whether it reached the criterion, or learnt.
    pub reached: bool,
    /// Trials to criterion.
    pub criterion_trials: Option<f64>,
    /// The measured value; `None` if the network diverged or it could not be measured.
    pub measured: Option<f64>,
    /// Whether it diverged.
    pub diverged: bool,
    /// Updates made.
    pub updates: u64,
}

/// The table of a finished job.
pub(super) struct Scores {
    /// Its header.
    pub columns: StringRecord,
    /// Its rows.
    pub outcomes: Vec<Outcome>,
    /// The name of the measured quantity.
    pub measure: &'static str,
    /// Whether larger values are better.
    pub more_is_better: bool,
    /// Whether its networks are lives.
    pub lives: bool,
}

/// Writes the table of trained networks.
pub(super) fn write_scores(folder: &Path, checkpoint: &Checkpoint, scores: &[Score]) -> Result<()> {
    let row = |score: &Score| Row {
        network: score.network,
        updates: checkpoint.updates,
        trials: checkpoint.trials(),
        criterion_trials: score.criterion_trials,
        error: score.error,
        fraction_correct: score.fraction_correct,
        mean_return: score.returns.map(|returns| returns.mean_return),
        standard_error: score.returns.map(|returns| returns.standard_error),
        mean_steps: score.returns.map(|returns| returns.mean_steps),
        diverged_at: score.frozen.map(|frozen| frozen.update),
    };
    write_atomically(&folder.join(SCORES_FILE), &to_csv(&scores.iter().map(row).collect::<Vec<_>>(), true)?)
}

/// Writes the table of lives, from their rows.
pub(super) fn write_verdicts(folder: &Path, setup: &LifeSetup, rows: &[LifeRow]) -> Result<()> {
    let verdicts = verdicts(setup, rows)?;
    let figures = verdicts.iter().take(1).flat_map(|(_, verdict)| verdict.figures.iter().map(|(name, _)| &name[..]));
    let mut table: Vec<Vec<String>> = vec![OF_A_LIFE.into_iter().chain(figures).map(String::from).collect()];
    for (network, verdict) in &verdicts {
        let learnt = verdict.learnt.map_or(String::new(), |learnt| u8::from(learnt).to_string());
        let figures = verdict.figures.iter().map(|(_, v)| if v.is_nan() { String::new() } else { v.to_string() });
        table.push([network.to_string(), learnt].into_iter().chain(figures).collect());
    }
    write_atomically(&folder.join(SCORES_FILE), &to_csv(&table, false)?)
}

impl Sweep {
    /// The results of a finished job's networks; `subject` is that of its setting.
    pub(super) fn scores(&self, job: &Job, subject: &Subject) -> Result<Scores> {
        let path = self.job_folder(job).join(SCORES_FILE);
        let text = read_text(&path, LARGEST)?;
        let damaged = |error: csv::Error| Error::Content(error.to_string());
        let mut csv = csv::Reader::from_reader(text.as_bytes());
        let columns = csv.headers().map_err(damaged).at_path(&path)?.clone();
        let records = csv.into_records().collect::<Result<Vec<_>, _>>().map_err(damaged).at_path(&path)?;
        match subject {
            Subject::Task(_) => Self::trained(columns, records).map_err(damaged).at_path(&path),
            Subject::Life(config) => {
                let (measure, more_is_better) = find_life(config.world_name()?)?.measure;
                let place = |name: &str| {
                    let found = columns.iter().position(|column| column == name);
                    found.ok_or_else(|| Error::Content(format!("it has no column `{name}`"))).at_path(&path)
                };
                let (learnt, measured) = (place("learnt")?, place(measure)?);
                let outcomes = records.into_iter().map(|cells| Outcome {
                    reached: &cells[learnt] == "1",
                    criterion_trials: None,
                    measured: cells[measured].parse().ok(),
                    diverged: false,
                    updates: 0,
                    cells,
                });
                Ok(Scores { outcomes: outcomes.collect(), columns, measure, more_is_better, lives: true })
            }
        }
    }

    fn trained(columns: StringRecord, records: Vec<StringRecord>) -> Result<Scores, csv::Error> {
        let of = |cells: StringRecord| -> Result<(Row, StringRecord), csv::Error> {
            Ok((cells.deserialize(Some(&columns))?, cells))
        };
        let rows = records.into_iter().map(of).collect::<Result<Vec<_>, _>>()?;
        let returns = rows.iter().any(|(row, _)| row.mean_return.is_some());
        let outcome = |(row, cells): (Row, StringRecord)| Outcome {
            reached: row.criterion_trials.is_some(),
            criterion_trials: row.criterion_trials.map(|trials| trials as f64),
            measured: row.diverged_at.is_none().then_some(row.mean_return.unwrap_or(row.error)),
            diverged: row.diverged_at.is_some(),
            updates: row.updates,
            cells,
        };
        let outcomes = rows.into_iter().map(outcome).collect();
        // The column's name in earlier versions.
        let columns = columns.iter().map(|name| if name == "frozen" { "diverged_at" } else { name }).collect();
        let measure = if returns { "return" } else { "error" };
        Ok(Scores { columns, outcomes, measure, more_is_better: returns, lives: false })
    }
}
