//! `report.html`: one page on a run, complete in itself: no script, nothing fetched, nothing that depends on the clock.

mod command;
mod page;
mod picture;

pub use command::{command, keys, Key};

use crate::analysis::{Analysis, Findings, Options, Subject, ANALYSES};
use crate::checkpoint::{self, write_atomically, Checkpoint};
use crate::evaluate::Score;
use crate::figures;
use crate::hash::sha256;
use crate::metrics;
use crate::task::Task;
use crate::training::NetworkReport;
use anyhow::{Context, Result};
use picture::EmbeddedPicture;
use std::path::{Path, PathBuf};

/// The name of the page in a run's folder.
pub const FILE_NAME: &str = "report.html";

/// What a page is made from.
pub struct Report<'a> {
    /// The run as it stands.
    pub checkpoint: &'a Checkpoint,
    /// SHA-256 of the checkpoint's file, in hexadecimal.
    pub checkpoint_sha256: String,
    /// The task it was trained on.
    pub task: &'a dyn Task,
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

impl<'a> Report<'a> {
    /// What there is to say on the run in `folder`, whose networks had `scores` on `score_trials` fresh trials.
    ///
    /// # Errors
    /// Where the folder's metrics or checkpoint cannot be read.
    pub fn of(
        folder: &Path,
        checkpoint: &'a Checkpoint,
        task: &'a dyn Task,
        scores: &'a [Score],
        score_trials: u64,
    ) -> Result<Self> {
        let rows = metrics::read(&folder.join(metrics::FILE_NAME))?;
        let path = folder.join(checkpoint::FILE_NAME);
        let bytes = std::fs::read(&path).with_context(|| format!("reading {}", path.display()))?;
        Ok(Report {
            checkpoint,
            checkpoint_sha256: sha256(&bytes),
            task,
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
        let options = Options { trials: None, seed: self.checkpoint.config.train.seed };
        let subject = Subject { checkpoint: self.checkpoint, task: self.task, metrics: Some(&self.rows) };
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
        let config = &self.checkpoint.config;
        let curve = figures::learning_curve_of(config, self.task, &self.rows, self.log);
        let trials = figures::sample_trials_of(self.checkpoint, self.task)?;
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
        let measure = self.task.measure().label();
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
pub fn write(folder: &Path, report: &Report) -> Result<PathBuf> {
    let path = folder.join(FILE_NAME);
    let html = report.html().with_context(|| format!("preparing {}", path.display()))?;
    write_atomically(&path, html.as_bytes())?;
    Ok(path)
}
