//! The rows of `metrics.csv`, read one by one: a file can be larger than memory.

use super::to_csv;
use crate::error::{bail, ensure, At, Doing, Error, Result};
use crate::held::real;
use crate::training::NetworkReport;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::Path;
use std::str::FromStr;

/// The name of the file in a run's folder.
pub const METRICS_FILE: &str = "metrics.csv";

/// The rows of a metrics file one after another, except for a last line that a crash cut short.
///
/// # Errors
/// [`Error::Io`] if the file cannot be read. Each row is an [`Error::Content`] if it is malformed; the message names its line.
pub fn metrics_rows(path: &Path) -> Result<impl Iterator<Item = Result<NetworkReport>>> {
    let file = File::open(real(path)).doing("reading", path)?;
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

/// A number of the last whole row, read from the end of the file: the one in `column`; `None` if there is none.
pub(crate) fn newest<N: FromStr>(path: &Path, column: usize) -> Result<Option<N>> {
    let mut file = File::open(path).doing("reading", path)?;
    let whole = whole_lines(&file).doing("reading", path)?;
    // Longer than any row.
    let mut end = Vec::new();
    let start = whole.saturating_sub(4096);
    let read = file.seek(SeekFrom::Start(start)).and_then(|_| file.take(whole - start).read_to_end(&mut end));
    read.doing("reading", path)?;
    let row = end.trim_ascii_end().rsplit(|byte| *byte == b'\n').next().unwrap_or_default();
    let number = row.split(|byte| *byte == b',').nth(column).unwrap_or_default();
    Ok(std::str::from_utf8(number).ok().and_then(|number| number.parse().ok()))
}

/// The number of bytes up to the end of the last line that has one. Leaves the file at its beginning.
pub(super) fn whole_lines(mut file: &File) -> io::Result<u64> {
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

/// The part of a metrics file that is kept when training continues.
pub(super) struct KeptRows {
    pub(super) rows: usize,
    pub(super) bytes: u64,
    /// Whether these bytes are as this program writes them: an older one wrote fewer columns.
    pub(super) as_written: bool,
}

/// The rows of the first `updates` updates. The earliest of them can be missing (if the file was once moved away), but there must be
/// no gap after that. Anything can follow the last of these rows.
pub(super) fn kept_until(mut file: &File, updates: u64) -> Result<KeptRows> {
    let whole = whole_lines(file).doing("reading", Path::new(METRICS_FILE))?;
    let mut reader = csv::ReaderBuilder::new().flexible(true).from_reader(file.take(whole));
    let unread = |error: csv::Error| Error::Content(error.to_string());
    let header = reader.headers().map_err(unread)?.clone();
    let mut kept = KeptRows { rows: 0, bytes: 0, as_written: true };
    let mut newest = None;
    let mut record = csv::StringRecord::new();
    for line in 2.. {
        let read = reader.read_record(&mut record);
        let row = match read.and_then(|more| more.then(|| record.deserialize(Some(&header))).transpose()) {
            Ok(None) => break,
            Ok(Some(row)) => row,
            Err(_) if newest.unwrap_or(0) == updates => break,
            Err(error) => {
                bail!(Content, "line {line} is not a valid row, but the checkpoint is at update {updates}: {error}")
            }
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
            "line {line} is for update {update}, the line before for update {}",
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
    ensure!(newest == updates, Content, "it ends at update {newest}, but the checkpoint is at update {updates}");
    let mut last = [b'\n'];
    let end = file.seek(SeekFrom::Start(kept.bytes.saturating_sub(1))).and_then(|_| file.read(&mut last));
    end.doing("reading", Path::new(METRICS_FILE))?;
    kept.as_written &= kept.rows == 0 || last == [b'\n'];
    Ok(kept)
}
