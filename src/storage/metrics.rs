//! `metrics.csv`, appended during a run: a row for each update and network, or for each block of a life and network.

use super::metrics_rows::kept_until;
use crate::error::{At, Doing, Result};
use crate::files;
use crate::held::real;
use crate::training::NetworkReport;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

/// The open file. It holds only whole rows; rows that could not be written wait in memory.
pub struct Metrics {
    path: PathBuf,
    file: File,
    /// The number of bytes in the file, all in whole rows.
    written: u64,
    /// The text of rows not yet in the file.
    waiting: Vec<u8>,
}

impl Metrics {
    /// Starts a new, empty file.
    ///
    /// # Errors
    /// As [`Metrics::reopen`].
    pub fn create(path: &Path) -> Result<Self> {
        Self::reopen(path, 0)
    }

    /// Opens the file of an earlier run and drops the rows after `updates`, which its checkpoint does not include. If
    /// the file is missing, starts a new one.
    ///
    /// # Errors
    /// [`Error::Io`](crate::Error::Io) if the file cannot be read or written; [`Error::Content`](crate::Error::Content) if rows up to `updates` are missing or
    /// malformed. A checkpoint is never written before its rows, so the file must have changed since.
    pub fn reopen(path: &Path, updates: u64) -> Result<Self> {
        if !real(path).exists() {
            files::write_atomically(path, &[])?;
        }
        let kept = kept_until(&open(path)?, updates)
            .at(format!("{}: restore the file, or move it away to continue without its rows", path.display()))?;
        if !kept.as_written {
            rewrite(path, kept.rows)?;
        }
        let rewritten = || open(path)?.metadata().map(|file| file.len()).doing("reading", path);
        Self::shortened(path, if kept.as_written { kept.bytes } else { rewritten()? })
    }

    /// Whether it has neither rows nor a header.
    pub fn is_empty(&self) -> bool {
        self.written == 0 && self.waiting.is_empty()
    }

    /// Appends whole rows as text.
    ///
    /// # Errors
    /// [`Error::Io`](crate::Error::Io) if they could not be written. They are not lost; every later call tries again.
    pub fn append(&mut self, rows: &[u8]) -> Result<()> {
        self.waiting.extend(rows);
        self.write_waiting().doing("writing", &self.path)
    }

    /// A file whose first `whole` bytes are kept; they hold only whole rows.
    ///
    /// # Errors
    /// [`Error::Io`](crate::Error::Io) if it cannot be written.
    pub fn shortened(path: &Path, whole: u64) -> Result<Self> {
        let file = open(path)?;
        file.set_len(whole).doing("shortening", path)?;
        Ok(Metrics { path: path.to_path_buf(), file, written: whole, waiting: Vec::new() })
    }

    /// Returns once all appended rows are safe on disk.
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
            // No part of a row must stay in the file.
            let _ = self.file.set_len(self.written);
            return Err(error);
        }
        self.written += self.waiting.len() as u64;
        self.waiting.clear();
        Ok(())
    }

    /// Whether the file is still in its place, rather than removed or replaced.
    pub(super) fn is_in_place(&self) -> bool {
        files::is_at(&self.file, &self.path)
    }

    /// Writes all rows to a new file after the old one was removed.
    pub(super) fn restore(&mut self) -> Result<()> {
        self.file.seek(SeekFrom::Start(0)).doing("reading what was in", &self.path)?;
        let mut rows = (&self.file).take(self.written);
        files::write_through(&self.path, |new| io::copy(&mut rows, new).map(drop).doing("writing", &self.path))?;
        self.file = open(&self.path)?;
        Ok(())
    }
}

fn open(path: &Path) -> Result<File> {
    files::open_own(path, File::options().read(true).write(true))
}

/// Writes the first `rows` rows anew, with all columns.
fn rewrite(path: &Path, rows: usize) -> Result<()> {
    let old = File::open(real(path)).doing("reading", path)?;
    let mut reader = csv::ReaderBuilder::new().flexible(true).from_reader(&old);
    files::write_through(path, |new| {
        let mut csv = csv::Writer::from_writer(io::BufWriter::new(new));
        let mut rows = reader.deserialize::<NetworkReport>().take(rows);
        let written = rows.try_for_each(|row| csv.serialize(row?)).map_err(io::Error::from);
        written.and_then(|()| csv.flush()).doing("writing", path)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::storage::{read_metrics, to_csv, METRICS_FILE};
    use std::fs;

    fn report(update: u64) -> [NetworkReport; 2] {
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
            diverged_at: None,
            stage: None,
            mean_return: None,
            world_steps: None,
        };
        [row(0), row(1)]
    }

    /// An empty folder, the path for a metrics file in it, and the text of that file after `updates` updates.
    fn file_of(updates: u64) -> (tempfile::TempDir, PathBuf, String) {
        let dir = tempfile::TempDir::new().unwrap();
        let path = dir.path().join(METRICS_FILE);
        let mut metrics = Metrics::create(&path).unwrap();
        append(&mut metrics, 1..=updates);
        metrics.sync().unwrap();
        let text = fs::read_to_string(&path).unwrap();
        fs::remove_file(&path).unwrap();
        (dir, path, text)
    }

    fn csv(update: u64, first: bool) -> Vec<u8> {
        to_csv(&report(update), first).unwrap()
    }

    fn append(metrics: &mut Metrics, mut updates: std::ops::RangeInclusive<u64>) {
        updates.try_for_each(|update| metrics.append(&csv(update, metrics.is_empty()))).unwrap();
    }

    #[test]
    fn rows_after_the_checkpoint_are_dropped_whatever_they_look_like() {
        let (_dir, path, whole) = file_of(5);
        let (_other, _, three) = file_of(3);
        let tails: [&[u8]; 4] = [b"", b"4,32,0,0.25", b"4,32,0,0.25\n", &[0; 50]];
        for tail in tails {
            fs::write(&path, [three.as_bytes(), tail].concat()).unwrap();
            assert_eq!(read_metrics(&path).is_ok(), !tail.ends_with(b"\n"), "an unterminated last line is left out");
            append(&mut Metrics::reopen(&path, 3).unwrap(), 4..=5);
            assert_eq!(fs::read_to_string(&path).unwrap(), whole, "{tail:?}");
        }
        // Restarting from the beginning writes the header only once.
        append(&mut Metrics::reopen(&path, 0).unwrap(), 1..=5);
        assert_eq!(fs::read_to_string(&path).unwrap(), whole);
    }

    #[test]
    fn missing_rows_are_refused_and_a_missing_file_is_not() {
        let (_dir, path, text) = file_of(4);
        let refused = |text: String| {
            fs::write(&path, text).unwrap();
            Metrics::reopen(&path, 4).err().unwrap().to_string()
        };
        let lines: Vec<&str> = text.lines().collect();
        assert!(refused(lines[..7].join("\n") + "\n").contains("ends at update 3, but the checkpoint is at update 4"));
        assert!(refused(text.replacen("2,16,0", "2,,0", 1)).contains("line 4 is not a valid row"));
        let gap = refused([&lines[..3], &lines[5..]].concat().join("\n") + "\n");
        assert!(gap.contains("metrics.csv: restore the file"), "{gap}");
        assert!(gap.contains("line 4 is for update 3, the line before for update 1"), "{gap}");
        // If the file was moved away, its rows begin where training continues, now and at the next resume.
        fs::remove_file(&path).unwrap();
        append(&mut Metrics::reopen(&path, 4).unwrap(), 5..=5);
        Metrics::reopen(&path, 5).unwrap();
        append(&mut Metrics::reopen(&path, 4).unwrap(), 5..=5);
        assert_eq!(read_metrics(&path).unwrap(), report(5));
    }

    #[cfg(unix)]
    #[test]
    fn a_removed_file_comes_back_with_its_rows() {
        let (_dir, path, whole) = file_of(3);
        let mut metrics = Metrics::create(&path).unwrap();
        append(&mut metrics, 1..=2);
        assert!(metrics.is_in_place());
        fs::remove_file(&path).unwrap();
        assert!(!metrics.is_in_place());
        metrics.restore().unwrap();
        append(&mut metrics, 3..=3);
        assert!(metrics.is_in_place());
        assert_eq!(fs::read_to_string(&path).unwrap(), whole);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn rows_wait_while_nothing_can_be_written() {
        let (_dir, path, whole) = file_of(3);
        let mut metrics = Metrics::create(&path).unwrap();
        append(&mut metrics, 1..=1);
        // The disk suddenly becomes full.
        let on_disk = std::mem::replace(&mut metrics.file, File::options().write(true).open("/dev/full").unwrap());
        let error = metrics.append(&csv(2, false)).unwrap_err().to_string();
        assert!(error.contains("metrics.csv: No space left"), "{error}");
        metrics.sync().unwrap_err();
        metrics.file = on_disk;
        append(&mut metrics, 3..=3);
        assert_eq!(fs::read_to_string(&path).unwrap(), whole);
    }
}
