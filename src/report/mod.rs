//! `report.html`: a self-contained page about a run. It has no script, fetches nothing and ignores the clock.

mod citations;
mod command;
mod figures;
mod life_page;
mod lives;
mod page;

pub use citations::{bibtex, papers_of, papers_of_life};
pub(crate) use figures::learning_curves;
pub use figures::{draw_learning_curves, draw_sample_trials, LearningCurve};
pub use lives::{draw_life, report_life};
pub(crate) use page::{picture, render};

use crate::analysis::{Analysis, Findings, Options, Subject, ANALYSES};
use crate::error::{At, Result};
use crate::files::write_atomically;
use crate::reader::{read, sha256};
use crate::runs::Score;
use crate::storage::{read_metrics, METRICS_FILE, REPORT_FILE};
use crate::training::{Checkpoint, NetworkReport, CHECKPOINT_FILE};
use std::path::{Path, PathBuf};

/// The contents of a run's page.
pub struct RunReport<'a> {
    /// The run's last checkpoint.
    pub checkpoint: &'a Checkpoint,
    /// SHA-256 of the checkpoint's file, in hexadecimal.
    pub checkpoint_sha256: String,
    /// The rows of its `metrics.csv`.
    pub rows: Vec<NetworkReport>,
    /// The score of each network on fresh trials.
    pub scores: &'a [Score],
    /// The number of fresh trials of each network.
    pub score_trials: u64,
    /// Whether the learning curve's error axis is logarithmic.
    pub log: bool,
    /// The findings of each analysis, or why it failed.
    pub findings: Vec<(&'static Analysis, Result<Findings>)>,
}

impl<'a> RunReport<'a> {
    /// The report on the run in `folder`, without analyses; `scores` are those on `score_trials` fresh trials.
    ///
    /// # Errors
    /// [`Error::Io`](crate::Error::Io) if the folder's metrics or checkpoint cannot be read,
    /// [`Error::At`](crate::Error::At) if the metrics are damaged.
    pub fn of(folder: &Path, checkpoint: &'a Checkpoint, scores: &'a [Score], score_trials: u64) -> Result<Self> {
        let rows = read_metrics(&folder.join(METRICS_FILE))?;
        let path = folder.join(CHECKPOINT_FILE);
        let file = read(&path)?;
        Ok(RunReport::new(checkpoint, &file, rows, (scores, score_trials)))
    }

    /// The report on a run that need not be in a folder: `file` holds the bytes that its checkpoint's file has, or
    /// would have.
    pub fn new(
        checkpoint: &'a Checkpoint,
        file: &[u8],
        rows: Vec<NetworkReport>,
        (scores, score_trials): (&'a [Score], u64),
    ) -> Self {
        let checkpoint_sha256 = sha256(file);
        RunReport { checkpoint, checkpoint_sha256, rows, scores, score_trials, log: false, findings: Vec::new() }
    }

    /// Runs the analyses that apply: all of them, or only the quick one, which runs no trials. If one fails, the page says so and
    /// the others still run. `begin` is called before each.
    pub fn analyse(&mut self, all: bool, begin: &dyn Fn(&Analysis)) {
        let options = Options { trials: None, seed: self.checkpoint.setup.config.train.seed };
        let subject = Subject { checkpoint: self.checkpoint, metrics: Some(&self.rows), others: &[] };
        let chosen = ANALYSES.iter().filter(|analysis| (all || analysis.name == "learning") && analysis.fits(&subject));
        let run = |analysis: &'static Analysis| {
            begin(analysis);
            (analysis, analysis.run(&subject, &options))
        };
        self.findings = chosen.map(run).collect();
    }

    /// The page. The same run gives the same bytes, wherever its folder is.
    ///
    /// # Errors
    /// [`Error::Memory`](crate::Error::Memory) or [`Error::Tensors`](crate::Error::Tensors) if the sample trials cannot
    /// be run.
    pub fn html(&self) -> Result<String> {
        page::page(self)
    }
}

/// Whether the report in a run's folder belongs to its newest checkpoint.
pub fn reported(folder: &Path) -> bool {
    let text = |name: &str| read(&folder.join(name)).unwrap_or_default();
    let digest = sha256(&text(CHECKPOINT_FILE));
    text(REPORT_FILE).windows(digest.len()).any(|part| part == digest.as_bytes())
}

/// Writes a report into a run's folder, whole or not at all; returns its path.
///
/// # Errors
/// As [`RunReport::html`], and [`Error::Io`](crate::Error::Io) if the file cannot be written.
pub fn write_report(folder: &Path, report: &RunReport) -> Result<PathBuf> {
    let path = folder.join(REPORT_FILE);
    let html = report.html().at(format!("preparing {}", path.display()))?;
    write_atomically(&path, html.as_bytes())?;
    Ok(path)
}
