//! `metrics.csv`: one row for each update and network, appended as training goes.

use crate::error::{bail, ensure, At, Doing, Error, Result};
use crate::files;
use crate::training::{NetworkReport, UpdateReport};
use std::fs::{self, File};
use std::io::{self, ErrorKind, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

/// The name of the file in a run's folder.
pub const METRICS_FILE: &str = "metrics.csv";

/// The open file. It holds whole rows only: rows that could not be written wait in memory.
pub struct Metrics {
    path: PathBuf,
    file: File,
    /// Bytes in the file, all of them of whole rows.
    written: u64,
    /// The text of rows that are not in the file yet.
    waiting: Vec<u8>,
}

impl Metrics {
    /// Starts a new file.
    ///
    /// # Errors
    /// Where it cannot be made; names it.
    pub fn create(path: &Path) -> Result<Self> {
        let file =
            File::options().read(true).write(true).create(true).truncate(true).open(path).doing("creating", path)?;
        Ok(Metrics { path: path.to_path_buf(), file, written: 0, waiting: Vec::new() })
    }

    /// Opens the file of an earlier run and drops the rows after `updates`: the checkpoint does not know of them.
    ///
    /// A file that is not there is started anew.
    ///
    /// # Errors
    /// Where rows up to `updates` cannot be read or are missing: a checkpoint is never written before its rows, so somebody
    /// or something changed the file since.
    pub fn reopen(path: &Path, updates: u64) -> Result<Self> {
        let text = match fs::read(path) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Self::create(path),
            text => text.doing("reading", path)?,
        };
        let rows = rows_until(&text, updates)
            .at(format!("{}: put it back as it was, or move it away to go on without its rows", path.display()))?;
        let kept = written(&rows, true)?;
        files::write_if_changed(path, &kept)?;
        Ok(Metrics { path: path.to_path_buf(), file: open(path)?, written: kept.len() as u64, waiting: Vec::new() })
    }

    /// Appends an update's rows.
    ///
    /// # Errors
    /// Where they could not be written. They are not lost: every later call tries again.
    pub fn append(&mut self, report: &UpdateReport) -> Result<()> {
        let first = self.written == 0 && self.waiting.is_empty();
        self.waiting.extend(written(&report.networks, first)?);
        self.write_waiting().doing("writing", &self.path)
    }

    /// Returns once everything appended is safe on the disk.
    ///
    /// # Errors
    /// As [`Metrics::append`].
    pub fn sync(&mut self) -> Result<()> {
        let synced = self.write_waiting().and_then(|()| self.file.sync_all());
        synced.doing("writing", &self.path)
    }

    fn write_waiting(&mut self) -> io::Result<()> {
        self.file.seek(SeekFrom::Start(self.written))?;
        if let Err(error) = self.file.write_all(&self.waiting) {
            // Of a row that is there in part, nothing may stay.
            let _ = self.file.set_len(self.written);
            return Err(error);
        }
        self.written += self.waiting.len() as u64;
        self.waiting.clear();
        Ok(())
    }

    /// Whether the open file still has its name, rather than being removed or replaced.
    pub(crate) fn is_in_place(&self) -> bool {
        files::is_at(&self.file, &self.path)
    }

    /// Writes the rows to where they should be, after the file was removed.
    pub(crate) fn restore(&mut self) -> Result<()> {
        let mut rows = vec![0; self.written as usize];
        self.file
            .seek(SeekFrom::Start(0))
            .and_then(|_| self.file.read_exact(&mut rows))
            .doing("reading what was in", &self.path)?;
        files::write_atomically(&self.path, &rows)?;
        self.file = open(&self.path)?;
        Ok(())
    }
}

fn open(path: &Path) -> Result<File> {
    File::options().read(true).write(true).open(path).doing("opening", path)
}

/// All rows of a file, but for a last line that a crash cut short.
///
/// # Errors
/// Names the file, and the line that is no row.
pub fn read_metrics(path: &Path) -> Result<Vec<NetworkReport>> {
    let text = fs::read(path).doing("reading", path)?;
    let mut reader = csv::Reader::from_reader(whole_lines(&text));
    let rows = reader.deserialize().collect::<std::result::Result<_, csv::Error>>();
    rows.map_err(|error| Error::Content(error.to_string())).at(format!("reading {}", path.display()))
}

/// Rows as they stand in the file, with a line of column names where that is asked for.
fn written(rows: &[NetworkReport], header: bool) -> Result<Vec<u8>> {
    let bug = |error: String| Error::Bug(format!("writing metrics: {error}"));
    let mut csv = csv::WriterBuilder::new().has_headers(header).from_writer(Vec::new());
    rows.iter().try_for_each(|row| csv.serialize(row)).map_err(|error| bug(error.to_string()))?;
    csv.into_inner().map_err(|error| bug(error.to_string()))
}

fn whole_lines(text: &[u8]) -> &[u8] {
    &text[..text.iter().rposition(|byte| *byte == b'\n').map_or(0, |last| last + 1)]
}

/// The rows of the first `updates` updates, all from the first one on; what comes after them does not matter.
fn rows_until(text: &[u8], updates: u64) -> Result<Vec<NetworkReport>> {
    let mut reader = csv::ReaderBuilder::new().flexible(true).from_reader(whole_lines(text));
    let mut rows: Vec<NetworkReport> = Vec::new();
    for (i, row) in reader.deserialize().enumerate() {
        let newest = rows.last().map_or(0, |row| row.update);
        match row {
            Ok(NetworkReport { update, .. }) if update > updates => break,
            Ok(row) => {
                // The first rows may be missing: the file was once moved away.
                let follows = rows.is_empty() || (newest..=newest + 1).contains(&row.update);
                ensure!(
                    follows,
                    Content,
                    "line {} is of update {}, the one before of update {newest}",
                    i + 2,
                    row.update
                );
                rows.push(row);
            }
            Err(_) if newest == updates => break,
            Err(error) => {
                bail!(Content, "line {} is no row, but the checkpoint is of update {updates}: {error}", i + 2)
            }
        }
    }
    let newest = rows.last().map_or(updates, |row| row.update);
    ensure!(newest == updates, Content, "it ends at update {newest}, but the checkpoint is of update {updates}");
    Ok(rows)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(update: u64) -> UpdateReport {
        let row = |network| NetworkReport {
            update,
            trials: 8 * update,
            network,
            error: 1.0 / update as f64,
            fraction_correct: 0.5,
            recent_correct: 0.25,
            mean_abs_dw: 1e-5,
            fraction_clipped: 0.0,
            criterion_trials: (update > 2).then_some(16),
            saturated: Some(0.0),
            dead: Some(0.125),
            frozen: None,
        };
        UpdateReport { update, trials: 8 * update, networks: vec![row(0), row(1)] }
    }

    fn file_of(path: &Path, updates: u64) -> Vec<u8> {
        let mut metrics = Metrics::create(path).unwrap();
        (1..=updates).for_each(|update| metrics.append(&report(update)).unwrap());
        metrics.sync().unwrap();
        fs::read(path).unwrap()
    }

    #[test]
    fn rows_after_the_checkpoint_are_dropped_whatever_they_look_like() {
        let dir = tempfile::TempDir::new().unwrap();
        let path = dir.path().join(METRICS_FILE);
        let whole = file_of(&path, 5);
        let three = file_of(&path, 3);
        let tails: [&[u8]; 4] = [b"", b"4,32,0,0.25", b"4,32,0,0.25\n", &[0; 50]];
        for tail in tails {
            fs::write(&path, [&three[..], tail].concat()).unwrap();
            assert_eq!(read_metrics(&path).is_ok(), !tail.ends_with(b"\n"), "a last line without an end is left out");
            let mut metrics = Metrics::reopen(&path, 3).unwrap();
            (4..=5).for_each(|update| metrics.append(&report(update)).unwrap());
            assert!(fs::read(&path).unwrap() == whole, "{tail:?}");
        }
        // From the beginning again: the header is written once.
        let mut metrics = Metrics::reopen(&path, 0).unwrap();
        (1..=5).for_each(|update| metrics.append(&report(update)).unwrap());
        assert!(fs::read(&path).unwrap() == whole);
    }

    #[test]
    fn missing_rows_are_refused_and_a_missing_file_is_not() {
        let dir = tempfile::TempDir::new().unwrap();
        let path = dir.path().join(METRICS_FILE);
        let text = String::from_utf8(file_of(&path, 4)).unwrap();
        let refused = |text: String| {
            fs::write(&path, text).unwrap();
            format!("{:#}", Metrics::reopen(&path, 4).err().unwrap())
        };
        let lines: Vec<&str> = text.lines().collect();
        assert!(refused(lines[..7].join("\n") + "\n").contains("ends at update 3, but the checkpoint is of update 4"));
        assert!(refused(text.replacen("2,16,0", "2,,0", 1)).contains("line 4 is no row"));
        let gap = refused([&lines[..3], &lines[5..]].concat().join("\n") + "\n");
        assert!(
            gap.contains("metrics.csv: put it back")
                && gap.contains("line 4 is of update 3, the one before of update 1"),
            "{gap}"
        );
        // Moved away: its rows begin where training goes on, now and when that is resumed.
        fs::remove_file(&path).unwrap();
        Metrics::reopen(&path, 4).unwrap().append(&report(5)).unwrap();
        Metrics::reopen(&path, 5).unwrap();
        Metrics::reopen(&path, 4).unwrap().append(&report(5)).unwrap();
        assert_eq!(read_metrics(&path).unwrap(), report(5).networks);
    }

    #[cfg(unix)]
    #[test]
    fn a_removed_file_comes_back_with_its_rows() {
        let dir = tempfile::TempDir::new().unwrap();
        let path = dir.path().join(METRICS_FILE);
        let whole = file_of(&path, 3);
        let mut metrics = Metrics::create(&path).unwrap();
        (1..=2).for_each(|update| metrics.append(&report(update)).unwrap());
        assert!(metrics.is_in_place());
        fs::remove_file(&path).unwrap();
        assert!(!metrics.is_in_place());
        metrics.restore().unwrap();
        metrics.append(&report(3)).unwrap();
        assert!(metrics.is_in_place() && fs::read(&path).unwrap() == whole);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn rows_wait_while_nothing_can_be_written() {
        let dir = tempfile::TempDir::new().unwrap();
        let path = dir.path().join(METRICS_FILE);
        let whole = file_of(&path, 3);
        let mut metrics = Metrics::create(&path).unwrap();
        metrics.append(&report(1)).unwrap();
        // A disk that is full from one moment to the next.
        let on_disk = std::mem::replace(&mut metrics.file, open(Path::new("/dev/full")).unwrap());
        let error = format!("{:#}", metrics.append(&report(2)).unwrap_err());
        assert!(error.contains("metrics.csv: No space left"), "{error}");
        metrics.sync().unwrap_err();
        metrics.file = on_disk;
        metrics.append(&report(3)).unwrap();
        assert!(fs::read(&path).unwrap() == whole);
    }
}
