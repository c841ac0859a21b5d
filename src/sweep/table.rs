//! The plan as a table, `plan.tsv`: written, read back and checked.

use super::{Job, Sweep, PLAN_FILE, SWEEP_FILE};
use crate::config::NetworkRange;
use crate::error::{ensure, At, Error, Result};
use crate::files::refuse_link;
use crate::reader::{read_text, sha256};
use crate::text::is_hidden;
use std::collections::BTreeSet;
use std::path::Path;

/// The columns of a plan before those of the keys that differ between settings.
const COLUMNS: [&str; 4] = ["job", "setting", "networks", "sha256"];
/// The largest plan, in bytes: a million jobs of 268 bytes.
const LARGEST: u64 = 1 << 28;
/// The remedy for a plan that was changed.
pub(super) const RESTORE: &str = "restore the file, or plan the sweep in another folder";

impl Sweep {
    /// Reads the plan in a sweep's folder.
    ///
    /// # Errors
    /// [`Error::Usage`] if there is none, [`Error::Io`] if it cannot be read, [`Error::Content`] if it is not a plan, if networks of a
    /// setting are missing or are in two of its jobs, or if a symbolic link is in the way of the sweep's files.
    pub fn open(folder: &Path) -> Result<Self> {
        refuse_links(folder)?;
        let path = folder.join(PLAN_FILE);
        ensure!(
            path.exists(),
            Usage,
            "{} does not hold a plan; make one with hebbian-rnn sweep plan FILE.toml --out DIR",
            folder.display()
        );
        Self::of_table(folder, &read_text(&path, LARGEST)?).at_path(&path)
    }

    /// Parses a plan from the table `text`.
    ///
    /// # Errors
    /// [`Error::Content`] if it is not a plan.
    pub(super) fn of_table(folder: &Path, text: &str) -> Result<Self> {
        ensure!(text.len() as u64 <= LARGEST, Content, "the plan has {} bytes; expected at most {LARGEST}", text.len());
        let mut reader = csv::ReaderBuilder::new().delimiter(b'\t').from_reader(text.as_bytes());
        let damaged = |error: csv::Error| Error::Content(format!("{error}; {RESTORE}"));
        let header: Vec<String> = reader.headers().map_err(damaged)?.iter().map(String::from).collect();
        let (columns, keys) = header.split_at(header.len().min(COLUMNS.len()));
        ensure!(
            columns == COLUMNS,
            Content,
            "unexpected columns: expected {} first, found {}; {RESTORE}",
            COLUMNS.join(", "),
            escaped(&columns.join(", "))
        );
        let mut seen = BTreeSet::new();
        for key in keys {
            ensure!(
                is_key(key),
                Content,
                "column {} is not a key; expected one such as rule.eta; {RESTORE}",
                escaped(key)
            );
            ensure!(seen.insert(key), Content, "there are two columns `{key}`; {RESTORE}");
        }
        let mut jobs: Vec<Job> = Vec::new();
        for (record, line) in reader.records().zip(2..) {
            let job = job(&record.map_err(damaged)?).and_then(|job| follows(jobs.last(), &job).map(|()| job));
            jobs.push(job.map_err(|why| Error::Content(format!("line {line}: {why}; {RESTORE}")))?);
        }
        ensure!(!jobs.is_empty(), Content, "it has no jobs; {RESTORE}");
        Ok(Sweep { folder: folder.to_path_buf(), keys: keys.to_vec(), jobs, sha256: sha256(text.as_bytes()) })
    }
}

/// The table of jobs, whose `keys` differ between settings.
pub(super) fn table(keys: &[String], jobs: &[Job]) -> Result<String> {
    let bug = |error: String| Error::Bug(format!("writing a plan: {error}"));
    let mut csv = csv::WriterBuilder::new().delimiter(b'\t').from_writer(Vec::new());
    let header = COLUMNS.into_iter().chain(keys.iter().map(String::as_str));
    csv.write_record(header).map_err(|error| bug(error.to_string()))?;
    for job in jobs {
        let NetworkRange { start, end } = job.networks;
        let fixed = [job.number.to_string(), job.setting.to_string(), format!("{start}..{end}"), job.sha256.clone()];
        csv.write_record(fixed.iter().chain(&job.values)).map_err(|error| bug(error.to_string()))?;
    }
    let bytes = csv.into_inner().map_err(|error| bug(error.to_string()))?;
    String::from_utf8(bytes).map_err(|error| bug(error.to_string()))
}

/// The plan in a folder as text; `None` if there is none.
pub(super) fn planned(folder: &Path) -> Result<Option<String>> {
    let path = folder.join(PLAN_FILE);
    if path.exists() {
        return read_text(&path, LARGEST).map(Some);
    }
    Ok(None)
}

/// Refuses symbolic links where a sweep writes.
pub(super) fn refuse_links(folder: &Path) -> Result<()> {
    let tables = [PLAN_FILE, SWEEP_FILE, super::LEFT_OUT_FILE, super::RESULTS_FILE];
    let folders = ["settings", "jobs", "runs", "logs"];
    tables.iter().chain(&folders).chain(&super::PICTURES).try_for_each(|name| refuse_link(&folder.join(name)))
}

/// The job that a row describes, or the reason why the row is invalid.
fn job(row: &csv::StringRecord) -> Result<Job, String> {
    let number = |column: usize| {
        let wrong = |_| format!("`{}` is {}; expected a number from 1", COLUMNS[column], escaped(&row[column]));
        row[column].parse().map_err(wrong)
    };
    let networks = row[2].parse().map_err(|_| format!("`networks` is {}; expected a range A..B", escaped(&row[2])))?;
    let digits = row[3].len() == 64 && row[3].bytes().all(|c| c.is_ascii_hexdigit());
    if !digits {
        return Err(format!("`sha256` is {}; expected 64 hexadecimal digits", escaped(&row[3])));
    }
    let values: Vec<String> = row.iter().skip(COLUMNS.len()).map(String::from).collect();
    if let Some(value) = values.iter().find(|value| value.chars().any(is_hidden)) {
        return Err(format!("the value {} holds a control character; expected printable text", escaped(value)));
    }
    Ok(Job { number: number(0)?, setting: number(1)?, networks, sha256: row[3].to_string(), values })
}

/// Refuses a job that cannot follow `last`: jobs and settings are numbered in order, and the networks of a setting follow
/// each other.
fn follows(last: Option<&Job>, job: &Job) -> Result<(), String> {
    let (number, setting) = last.map_or((0, 0), |last| (last.number, last.setting));
    if job.number != number + 1 {
        return Err(format!("job {}; expected job {}", job.number, number + 1));
    }
    let Some(last) = last.filter(|_| job.setting == setting) else {
        return match job.setting == setting + 1 {
            true => Ok(()),
            false => Err(format!("setting {}; expected setting {}", job.setting, setting + 1)),
        };
    };
    if job.networks.start != last.networks.end {
        let (start, end) = (job.networks.start, last.networks.end);
        return Err(format!(
            "the networks of job {} begin at {start}; expected {end}, where job {number} ends",
            job.number
        ));
    }
    if (&job.sha256, &job.values) != (&last.sha256, &last.values) {
        return Err(format!("job {} and job {number} have different values for the same setting", job.number));
    }
    Ok(())
}

/// Whether a text is a dotted key, as in configurations.
fn is_key(text: &str) -> bool {
    let usable = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    text.split('.').all(|part| !part.is_empty() && part.chars().all(usable))
}

/// A text from a file in quotes, with everything escaped that is not plain, and truncated if it is long.
fn escaped(text: &str) -> String {
    const MOST: usize = 60;
    format!("{:?}", text.chars().take(MOST).collect::<String>())
}
