//! `report.html`: one page on a run, complete in itself: no script, nothing fetched, nothing that depends on the clock.

mod command;
mod figures;
mod page;
mod picture;

pub use figures::{draw_learning_curve, draw_learning_curves, draw_sample_trials, NamedRun};

use crate::analysis::{Analysis, Findings, Options, Subject, ANALYSES};
use crate::error::{At, Doing, Result};
use crate::files::write_atomically;
use crate::reader::sha256;
use crate::runs::Score;
use crate::storage::{read_metrics, CHECKPOINT_FILE, METRICS_FILE, REPORT_FILE};
use crate::training::{Checkpoint, NetworkReport};
use picture::EmbeddedPicture;
use std::path::{Path, PathBuf};

/// What a page is made from.
pub struct RunReport<'a> {
    /// The run as it stands.
    pub checkpoint: &'a Checkpoint,
    /// SHA-256 of the checkpoint's file, in hexadecimal.
    pub checkpoint_sha256: String,
    /// The rows of its `metrics.csv`.
    pub rows: Vec<NetworkReport>,
    /// How each network did on fresh trials,
    pub scores: &'a [Score],
    /// and on how many.
    pub score_trials: u64,
    /// Whether the learning curve's error axis is logarithmic.
    pub log: bool,
    /// What analyses found, or why one could not be made.
    pub findings: Vec<(&'static Analysis, Result<Findings>)>,
}

impl<'a> RunReport<'a> {
    /// What there is to say on the run in `folder`, whose networks had `scores` on `score_trials` fresh trials.
    ///
    /// # Errors
    /// Where the folder's metrics or checkpoint cannot be read.
    pub fn of(folder: &Path, checkpoint: &'a Checkpoint, scores: &'a [Score], score_trials: u64) -> Result<Self> {
        let rows = read_metrics(&folder.join(METRICS_FILE))?;
        let path = folder.join(CHECKPOINT_FILE);
        let bytes = std::fs::read(&path).doing("reading", &path)?;
        Ok(RunReport {
            checkpoint,
            checkpoint_sha256: sha256(&bytes),
            rows,
            scores,
            score_trials,
            log: false,
            findings: Vec::new(),
        })
    }

    /// Adds what analyses find, each where it fits: all of them, or just those that run no trial and take no time.
    /// One that fails is said to have failed on the page, and takes nothing from the rest.
    /// `begin` is told which one comes next.
    pub fn analyse(&mut self, all: bool, begin: &dyn Fn(&Analysis)) {
        const CHEAP: [&str; 1] = ["learning"];
        let options = Options { trials: None, seed: self.checkpoint.setup.config.train.seed };
        let subject = Subject { checkpoint: self.checkpoint, metrics: Some(&self.rows) };
        let chosen = |analysis: &&Analysis| (all || CHEAP.contains(&analysis.name)) && analysis.fits(&subject);
        self.findings = ANALYSES
            .iter()
            .filter(chosen)
            .map(|analysis| {
                begin(analysis);
                (analysis, analysis.run(&subject, &options))
            })
            .collect();
    }

    /// The page. The same run gives the same bytes, wherever its folder is.
    ///
    /// # Errors
    /// If a picture cannot be drawn.
    pub fn html(&self) -> Result<String> {
        let curve = figures::learning_curve_of(&self.checkpoint.setup, &self.rows, self.log);
        let trials = figures::sample_trials_of(self.checkpoint)?;
        let curve = EmbeddedPicture::new(
            &curve.svg(),
            self.describe_curve(),
            "Error while training, with the exploratory perturbations. Orange marks where networks reached the criterion.",
        )?;
        let trials = EmbeddedPicture::new(
            &trials.svg(),
            format!("{}; for each the inputs, and below them the output and its target over time.", trials.title),
            "Inputs above; below, the output in colour and its target dashed. The output is judged where it is shaded.",
        )?;
        page::page(self, &curve, &trials)
    }

    /// The learning curve in words, for those who cannot see it.
    fn describe_curve(&self) -> String {
        let measure = self.checkpoint.setup.task.measure().label();
        let mean = |update: u64| {
            let errors: Vec<f64> = self.rows.iter().filter(|row| row.update == update).map(|row| row.error).collect();
            errors.iter().sum::<f64>() / errors.len() as f64
        };
        match (self.rows.first(), self.rows.last()) {
            (Some(first), Some(last)) => format!(
                "Learning curve: {measure} against trials per network, {:.3} in update {}, {:.3} in update {} (mean over networks).",
                mean(first.update), first.update, mean(last.update), last.update
            ),
            _ => "Learning curve: there has been no update.".into(),
        }
    }
}

/// Writes a report into a run's folder, whole or not at all; returns its path.
///
/// # Errors
/// If a picture cannot be drawn or the file cannot be written.
pub fn write_report(folder: &Path, report: &RunReport) -> Result<PathBuf> {
    let path = folder.join(REPORT_FILE);
    let html = report.html().at(format!("preparing {}", path.display()))?;
    write_atomically(&path, html.as_bytes())?;
    Ok(path)
}
