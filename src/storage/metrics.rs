//! `metrics.csv`: one row per update and network, appended during training.

use crate::error::{bail, ensure, At, Doing, Error, Result};
use crate::files;
use crate::training::NetworkReport;
use std::fs::File;
use std::io::{self, BufRead, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

/// The name of the file in a run's folder.
pub const METRICS_FILE: &str = "metrics.csv";

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
    /// [`Error::Io`] if the file cannot be read or written; [`Error::Content`] if rows up to `updates` are missing or
    /// malformed. A checkpoint is never written before its rows, so the file must have changed since.
    pub fn reopen(path: &Path, updates: u64) -> Result<Self> {
        if !path.exists() {
            files::write_atomically(path, &[])?;
        }
        let kept = kept_until(&open(path)?, updates)
            .at(format!("{}: put it back as it was, or move it away to go on without its rows", path.display()))?;
        if !kept.as_written {
            rewrite(path, kept.rows)?;
        }
        let file = open(path)?;
        let written = if kept.as_written { kept.bytes } else { file.metadata().doing("reading", path)?.len() };
        file.set_len(written).doing("shortening", path)?;
        Ok(Metrics { path: path.to_path_buf(), file, written, waiting: Vec::new() })
    }

    /// Appends the rows of one or more updates.
    ///
    /// # Errors
    /// [`Error::Io`] if they could not be written. They are not lost; every later call tries again.
    pub fn append(&mut self, rows: &[NetworkReport]) -> Result<()> {
        let first = self.written == 0 && self.waiting.is_empty();
        self.waiting.extend(to_csv(rows, first)?);
        self.write_waiting().doing("writing", &self.path)
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
            // No part of a row may stay in the file.
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
    File::options().read(true).write(true).open(path).doing("opening", path)
}

/// The rows of a metrics file one after another, except for a last line that a crash cut short.
///
/// # Errors
/// [`Error::Io`] if the file cannot be read. Each row is an [`Error::Content`] if it is malformed; the message names its line.
pub fn metrics_rows(path: &Path) -> Result<impl Iterator<Item = Result<NetworkReport>>> {
    let file = File::open(path).doing("reading", path)?;
    let lines = whole_lines(&file).doing("reading", path)?;
    let place = format!("reading {}", path.display());
    let rows = csv::Reader::from_reader(file.take(lines)).into_deserialize();
    Ok(rows.map(move |row| row.map_err(|error: csv::Error| Error::Content(error.to_string())).at(&place)))
}

/// All rows of a metrics file.
///
/// # Errors
/// As [`metrics_rows`].
pub fn read_metrics(path: &Path) -> Result<Vec<NetworkReport>> {
    metrics_rows(path)?.collect()
}

/// The update of the last whole row, read from the end of the file; 0 if there is none.
///
/// # Errors
/// [`Error::Io`] if the file cannot be read.
pub(crate) fn newest_update(path: &Path) -> Result<u64> {
    let mut file = File::open(path).doing("reading", path)?;
    let whole = whole_lines(&file).doing("reading", path)?;
    // Longer than any row.
    let mut end = Vec::new();
    let start = whole.saturating_sub(4096);
    let read = file.seek(SeekFrom::Start(start)).and_then(|_| file.take(whole - start).read_to_end(&mut end));
    read.doing("reading", path)?;
    let row = end.trim_ascii_end().rsplit(|byte| *byte == b'\n').next().unwrap_or_default();
    let number = row.split(|byte| *byte == b',').next().unwrap_or_default();
    Ok(std::str::from_utf8(number).ok().and_then(|number| number.parse().ok()).unwrap_or(0))
}

/// Rows as text, below a line of column names if `header` is set and there are rows.
fn to_csv(rows: &[NetworkReport], header: bool) -> Result<Vec<u8>> {
    let bug = |error: String| Error::Bug(format!("writing metrics: {error}"));
    let mut csv = csv::WriterBuilder::new().has_headers(header).from_writer(Vec::new());
    rows.iter().try_for_each(|row| csv.serialize(row)).map_err(|error| bug(error.to_string()))?;
    csv.into_inner().map_err(|error| bug(error.to_string()))
}

/// The number of bytes up to the end of the last line that has one. Leaves the file at its beginning.
fn whole_lines(mut file: &File) -> io::Result<u64> {
    const BLOCK: u64 = 4096;
    let mut end = file.seek(SeekFrom::End(0))?;
    let mut block = Vec::new();
    let whole = loop {
        let start = end.saturating_sub(BLOCK);
        block.resize((end - start) as usize, 0);
        file.seek(SeekFrom::Start(start))?;
        file.read_exact(&mut block)?;
        match block.iter().rposition(|byte| *byte == b'\n') {
            Some(last) => break start + last as u64 + 1,
            None if start == 0 => break 0,
            None => end = start,
        }
    };
    file.seek(SeekFrom::Start(0))?;
    Ok(whole)
}

/// Merges the metrics of parts of a run, up to update `updates`: the rows of each update stand together, in the order of the parts.
///
/// # Errors
/// [`Error::Io`] if a file cannot be read or written; [`Error::Content`] if a part lacks updates or has other columns.
pub(super) fn merge_metrics(parts: &[PathBuf], updates: u64, out: &Path) -> Result<()> {
    let mut parts: Vec<Lines> = parts.iter().map(|path| Lines::open(path)).collect::<Result<_>>()?;
    let header = parts.first().map_or(String::new(), |part| part.line.clone());
    files::write_through(out, |file| {
        let mut file = io::BufWriter::new(file);
        let mut write = |line: &str| file.write_all(line.as_bytes()).doing("writing", out);
        write(&header)?;
        for part in &mut parts {
            ensure!(
                part.line == header,
                Content,
                "{}: its columns are not those of the other parts",
                part.path.display()
            );
            part.advance()?;
        }
        let mut newest = None;
        while let Some(update) = parts.iter().filter_map(|part| part.update).min().filter(|update| *update <= updates) {
            for part in &mut parts {
                let there = part.update == Some(update);
                ensure!(
                    there,
                    Content,
                    "{}: its rows of update {update} are missing: put it back as it was",
                    part.path.display()
                );
                while part.update == Some(update) {
                    write(&part.line)?;
                    part.advance()?;
                }
            }
            newest = Some(update);
        }
        let newest = newest.unwrap_or(updates);
        ensure!(newest == updates, Content, "{}: it ends at update {newest} of {updates}", parts[0].path.display());
        file.flush().doing("writing", out)
    })
}

/// The lines of a metrics file, one at a time.
struct Lines {
    path: PathBuf,
    file: io::BufReader<io::Take<File>>,
    line: String,
    /// The update of the line; `None` for the header and after the end.
    update: Option<u64>,
}

impl Lines {
    /// The header.
    fn open(path: &Path) -> Result<Self> {
        let file = File::open(path).doing("reading", path)?;
        let whole = whole_lines(&file).doing("reading", path)?;
        let file = io::BufReader::new(file.take(whole));
        let mut lines = Lines { path: path.to_path_buf(), file, line: String::new(), update: None };
        lines.read()?;
        Ok(lines)
    }

    fn read(&mut self) -> Result<()> {
        self.line.clear();
        self.file.read_line(&mut self.line).doing("reading", &self.path).map(drop)
    }

    fn advance(&mut self) -> Result<()> {
        self.read()?;
        let number = self.line.split(',').next().unwrap_or_default();
        self.update = match self.line.is_empty() {
            true => None,
            false => Some(
                number
                    .parse()
                    .map_err(|_| Error::Content(format!("`{number}` is no number of an update")))
                    .at_path(&self.path)?,
            ),
        };
        Ok(())
    }
}

/// What of a metrics file stays when training goes on.
struct Kept {
    rows: usize,
    bytes: u64,
    /// Whether these bytes are as this program writes them: an older one wrote fewer columns.
    as_written: bool,
}

/// The rows of the first `updates` updates. Rows of the first updates may be missing (if the file was once moved away),
/// but there must be no gap after that. Anything may follow the last of these rows.
fn kept_until(mut file: &File, updates: u64) -> Result<Kept> {
    let whole = whole_lines(file).doing("reading", Path::new(METRICS_FILE))?;
    let mut reader = csv::ReaderBuilder::new().flexible(true).from_reader(file.take(whole));
    let unread = |error: csv::Error| Error::Content(error.to_string());
    let header = reader.headers().map_err(unread)?.clone();
    let mut kept = Kept { rows: 0, bytes: 0, as_written: true };
    let mut newest = None;
    let mut record = csv::StringRecord::new();
    for line in 2.. {
        let read = reader.read_record(&mut record);
        let row = match read.and_then(|more| more.then(|| record.deserialize(Some(&header))).transpose()) {
            Ok(None) => break,
            Ok(Some(row)) => row,
            Err(_) if newest.unwrap_or(0) == updates => break,
            Err(error) => bail!(Content, "line {line} is no row, but the checkpoint is of update {updates}: {error}"),
        };
        let row: NetworkReport = row;
        let update = row.update;
        if update > updates {
            break;
        }
        let follows = newest.is_none_or(|newest| (newest..=newest + 1).contains(&update));
        ensure!(
            follows,
            Content,
            "line {line} is of update {update}, the one before of update {}",
            newest.unwrap_or(0)
        );
        if newest.is_none() {
            kept.as_written =
                to_csv(&[row], true)?.starts_with((header.iter().collect::<Vec<_>>().join(",") + "\n").as_bytes());
        }
        newest = Some(update);
        kept.rows += 1;
        kept.bytes = reader.position().byte();
        kept.as_written &= record.len() == header.len();
    }
    let newest = newest.unwrap_or(updates);
    ensure!(newest == updates, Content, "it ends at update {newest}, but the checkpoint is of update {updates}");
    let mut last = [b'\n'];
    let end = file.seek(SeekFrom::Start(kept.bytes.saturating_sub(1))).and_then(|_| file.read(&mut last));
    end.doing("reading", Path::new(METRICS_FILE))?;
    kept.as_written &= kept.rows == 0 || last == [b'\n'];
    Ok(kept)
}

/// Writes the first `rows` rows anew, with all columns.
fn rewrite(path: &Path, rows: usize) -> Result<()> {
    let old = File::open(path).doing("reading", path)?;
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
            frozen: None,
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

    fn append(metrics: &mut Metrics, mut updates: std::ops::RangeInclusive<u64>) {
        updates.try_for_each(|update| metrics.append(&report(update))).unwrap();
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
        assert!(refused(lines[..7].join("\n") + "\n").contains("ends at update 3, but the checkpoint is of update 4"));
        assert!(refused(text.replacen("2,16,0", "2,,0", 1)).contains("line 4 is no row"));
        let gap = refused([&lines[..3], &lines[5..]].concat().join("\n") + "\n");
        assert!(gap.contains("metrics.csv: put it back"), "{gap}");
        assert!(gap.contains("line 4 is of update 3, the one before of update 1"), "{gap}");
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
        let on_disk = std::mem::replace(&mut metrics.file, open(Path::new("/dev/full")).unwrap());
        let error = metrics.append(&report(2)).unwrap_err().to_string();
        assert!(error.contains("metrics.csv: No space left"), "{error}");
        metrics.sync().unwrap_err();
        metrics.file = on_disk;
        append(&mut metrics, 3..=3);
        assert_eq!(fs::read_to_string(&path).unwrap(), whole);
    }
}
