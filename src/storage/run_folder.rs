//! The folder of a training run: `config.toml`, `metrics.csv`, the checkpoints and the pictures.

use super::folder::{claim, Folder};
use super::{Lock, Metrics};
use crate::config::Config;
use crate::error::{At, Result};
use crate::presets::commented;
use crate::training::{Checkpoint, NetworkReport, Observer, Trainer, UpdateReport};
use std::io::Write;
use std::path::Path;

/// The name of the configuration in a run's folder.
pub const CONFIG_FILE: &str = "config.toml";
/// The name of the report page in a run's folder.
pub const REPORT_FILE: &str = "report.html";
/// The name of the learning curve in a run's folder, without its extension.
pub const LEARNING_CURVE: &str = "learning_curve";
/// The name of the picture of sample trials in a run's folder, without its extension.
pub const SAMPLE_TRIALS: &str = "sample_trials";

/// An observer that keeps a run's files up to date while it trains.
pub struct RunFolder {
    folder: Folder,
    checkpoint_every: u64,
    keep: u64,
    /// The update of the newest checkpoint.
    saved_at: Option<u64>,
    warn: Box<dyn FnMut(&str) + Send>,
}

impl RunFolder {
    /// Makes the folder of a new run and writes its configuration, before any training. With `force`, an existing run
    /// is moved aside.
    ///
    /// # Errors
    /// [`Error::Usage`](crate::Error::Usage) if another process is using the folder or, without `force`, if it already holds a run;
    /// [`Error::Io`](crate::Error::Io) if it cannot be written.
    pub fn create(path: &Path, config: &Config, force: bool) -> Result<Self> {
        Self::reopen(claim(path, force)?, config, None)
    }

    /// Opens the folder of an earlier run and writes its configuration, whose limits may have changed. `saved_at` is
    /// the update of the newest checkpoint, from which training continues; `None` if there is no checkpoint and
    /// training starts over.
    ///
    /// # Errors
    /// [`Error::Content`](crate::Error::Content) if the metrics end before the checkpoint; [`Error::Io`](crate::Error::Io) if the
    /// folder cannot be written.
    pub fn reopen(lock: Lock, config: &Config, saved_at: Option<u64>) -> Result<Self> {
        let metrics = |path: &Path| Metrics::reopen(path, saved_at.unwrap_or(0));
        let folder = Folder::open(lock, commented(config)?, metrics, saved_at.map(moment))?;
        // Training does not stop if a log cannot be written.
        let warn = Box::new(|warning: &str| drop(writeln!(std::io::stderr(), "warning: {warning}")));
        let (checkpoint_every, keep) = (config.train.checkpoint_every, config.train.keep);
        Ok(RunFolder { folder, checkpoint_every, keep, saved_at, warn })
    }

    /// Passes warnings to `warn` instead of printing them to stderr.
    pub fn on_warning(&mut self, warn: impl FnMut(&str) + Send + 'static) {
        self.warn = Box::new(warn);
    }

    /// The update of the newest checkpoint; `None` if there is none yet.
    pub fn saved_at(&self) -> Option<u64> {
        self.saved_at
    }

    /// Fills the folder of a new run with the `rows` and `checkpoint` of training done elsewhere.
    ///
    /// # Errors
    /// [`Error::Io`](crate::Error::Io) if a file cannot be written.
    pub fn keep(&mut self, rows: &[NetworkReport], checkpoint: &Checkpoint) -> Result<()> {
        self.folder.metrics.append(rows)?;
        self.save(checkpoint)
    }

    fn save(&mut self, checkpoint: &Checkpoint) -> Result<()> {
        let bytes =
            checkpoint.to_bytes().at(format!("preparing the checkpoint of {}", self.folder.path().display()))?;
        self.folder.save(moment(checkpoint.updates), &bytes, self.keep)?;
        self.saved_at = Some(checkpoint.updates);
        Ok(())
    }

    fn pass_on_messages(&mut self) {
        self.folder.messages().iter().for_each(|message| (self.warn)(message));
    }
}

impl Observer for RunFolder {
    fn update(&mut self, trainer: &Trainer, report: &UpdateReport) -> Result<()> {
        let due = self.checkpoint_every > 0 && report.update.is_multiple_of(self.checkpoint_every);
        let mut written = self.folder.metrics.append(&report.networks);
        if due && written.is_ok() {
            let checkpoint = trainer.checkpoint()?;
            written = self.save(&checkpoint);
        }
        self.folder.note(written, due, "training continues");
        self.pass_on_messages();
        Ok(())
    }

    fn finish(&mut self, trainer: &Trainer) -> Result<()> {
        if self.saved_at == Some(trainer.updates()) {
            return Ok(());
        }
        let checkpoint = trainer.checkpoint()?;
        let lost = self.folder.lost(&moment(checkpoint.updates));
        let written = self.save(&checkpoint).at(lost);
        if written.is_ok() {
            self.folder.note_saved();
        }
        self.pass_on_messages();
        written
    }
}

/// The moment after an update, in words.
fn moment(updates: u64) -> String {
    format!("update {updates}")
}
