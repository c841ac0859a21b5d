//! `metrics.csv`: one row for each update and network, appended as training goes.

use crate::trainer::{NetworkReport, UpdateReport};
use anyhow::{Context, Result};
use std::fs::File;
use std::path::{Path, PathBuf};

/// The name of the file in a run's folder.
pub const FILE_NAME: &str = "metrics.csv";

/// The open file.
pub struct Metrics {
    path: PathBuf,
    writer: csv::Writer<File>,
}

impl Metrics {
    /// Starts a new file.
    pub fn create(path: &Path) -> Result<Self> {
        let file = File::create(path).with_context(|| format!("creating {}", path.display()))?;
        Ok(Metrics { path: path.to_path_buf(), writer: csv::Writer::from_writer(file) })
    }

    /// Opens the file of an earlier run and drops the rows after `updates`: the checkpoint does not know of them.
    pub fn reopen(path: &Path, updates: u64) -> Result<Self> {
        let rows: Vec<NetworkReport> = read_whole_rows(path)?.into_iter().filter(|row| row.update <= updates).collect();
        let mut bytes = csv::Writer::from_writer(Vec::new());
        for row in &rows {
            bytes.serialize(row)?;
        }
        crate::checkpoint::write_atomically(path, &bytes.into_inner()?)?;
        let file = File::options().append(true).open(path).with_context(|| format!("opening {}", path.display()))?;
        let writer = csv::WriterBuilder::new().has_headers(rows.is_empty()).from_writer(file);
        Ok(Metrics { path: path.to_path_buf(), writer })
    }

    /// Appends an update's rows.
    pub fn append(&mut self, report: &UpdateReport) -> Result<()> {
        for network in &report.networks {
            self.writer.serialize(network).with_context(|| format!("writing {}", self.path.display()))?;
        }
        self.writer.flush().with_context(|| format!("writing {}", self.path.display()))
    }

    /// Returns once everything appended is safe on the disk.
    pub fn sync(&mut self) -> Result<()> {
        self.writer
            .flush()
            .and_then(|()| self.writer.get_ref().sync_all())
            .with_context(|| format!("writing {}", self.path.display()))
    }
}

/// All rows of a file.
pub fn read(path: &Path) -> Result<Vec<NetworkReport>> {
    let mut reader = csv::Reader::from_path(path).with_context(|| format!("reading {}", path.display()))?;
    reader.deserialize().collect::<Result<_, _>>().with_context(|| format!("reading {}", path.display()))
}

/// All rows but a last one that a crash cut short.
fn read_whole_rows(path: &Path) -> Result<Vec<NetworkReport>> {
    let mut reader = csv::ReaderBuilder::new()
        .flexible(true)
        .from_path(path)
        .with_context(|| format!("reading {}", path.display()))?;
    Ok(reader.deserialize().map_while(Result::ok).collect())
}
