//! A run's folder: `config.toml`, `metrics.csv`, the checkpoints and the pictures.
//!
//! The order of operations keeps it consistent: the lock is taken before anything is read or written; rows are safe on
//! disk before the checkpoint that counts them; and a failed write leaves the previous file in place. A failed write
//! does not stop training: there is one warning, and the next save tries again.

use super::{Lock, Metrics, METRICS_FILE};
use crate::config::Config;
use crate::error::{bail, At, Doing, Error, Result};
use crate::files::{previous, remove_unfinished, write_atomically};
use crate::presets::commented;
use crate::training::{Checkpoint, NetworkReport, Observer, Trainer, UpdateReport, CHECKPOINT_FILE};
use std::fs;
use std::path::Path;

/// The name of the configuration in a run's folder.
pub const CONFIG_FILE: &str = "config.toml";
/// The name of the report page in a run's folder.
pub const REPORT_FILE: &str = "report.html";
/// The name of the learning curve in a run's folder, without its extension.
pub const LEARNING_CURVE: &str = "learning_curve";
/// The name of the picture of sample trials in a run's folder, without its extension.
pub const SAMPLE_TRIALS: &str = "sample_trials";
/// How the names of the files that training writes here begin.
const OWN: [&str; 6] = [CONFIG_FILE, METRICS_FILE, "checkpoint.", REPORT_FILE, LEARNING_CURVE, SAMPLE_TRIALS];

/// An observer that keeps a run's files up to date while it trains.
pub struct RunFolder {
    lock: Lock,
    config: Config,
    metrics: Metrics,
    /// The update of the newest checkpoint.
    saved_at: Option<u64>,
    /// Whether writing has failed since everything was last saved.
    failing: bool,
    warn: Box<dyn FnMut(&str) + Send>,
}

impl RunFolder {
    /// Makes the folder of a new run and writes its configuration, before any training. With `force`, an existing run
    /// is moved aside.
    ///
    /// # Errors
    /// [`Error::Usage`] if another process is using the folder or, without `force`, if it already holds a run;
    /// [`Error::Io`] if it cannot be written.
    pub fn create(path: &Path, config: &Config, force: bool) -> Result<Self> {
        Self::reopen(claim(path, force)?, config, None)
    }

    /// Opens the folder of an earlier run and writes its configuration, whose limits may have changed. `saved_at` is
    /// the update of the newest checkpoint, from which training continues; `None` if there is no checkpoint and
    /// training starts over.
    ///
    /// # Errors
    /// [`Error::Content`] if the metrics end before the checkpoint; [`Error::Io`] if the folder cannot be written.
    pub fn reopen(lock: Lock, config: &Config, saved_at: Option<u64>) -> Result<Self> {
        let path = lock.folder();
        remove_unfinished(path, &OWN).doing("clearing", path)?;
        // Before the metrics, since a folder with only a configuration is a run that can be resumed; and even if it is the same,
        // since training need not begin where nothing can be written.
        write_config(path, config)?;
        let metrics = Metrics::reopen(&path.join(METRICS_FILE), saved_at.unwrap_or(0))?;
        let warn = Box::new(|warning: &str| eprintln!("warning: {warning}"));
        Ok(RunFolder { lock, config: config.clone(), metrics, saved_at, failing: false, warn })
    }

    /// Passes warnings to `warn` instead of printing them to stderr.
    pub fn on_warning(&mut self, warn: impl FnMut(&str) + Send + 'static) {
        self.warn = Box::new(warn);
    }

    /// The update of the newest checkpoint; `None` if there is none yet.
    pub fn saved_at(&self) -> Option<u64> {
        self.saved_at
    }

    /// Fills the folder of a new run with what was trained elsewhere: `rows` and `checkpoint`.
    ///
    /// # Errors
    /// [`Error::Io`] if a file cannot be written.
    pub fn keep(&mut self, rows: &[NetworkReport], checkpoint: &Checkpoint) -> Result<()> {
        self.metrics.append(rows)?;
        self.save(checkpoint)
    }

    fn save(&mut self, checkpoint: &Checkpoint) -> Result<()> {
        self.reclaim()?;
        // Rows first: a checkpoint must never include an update that the metrics lack.
        self.metrics.sync()?;
        checkpoint.write_keeping(&self.lock.folder().join(CHECKPOINT_FILE), self.config.train.keep)?;
        self.saved_at = Some(checkpoint.updates);
        Ok(())
    }

    /// If the folder was removed, recreates it with its configuration and all rows. If another run has taken its place,
    /// that is an error, since its files are not ours to replace.
    fn reclaim(&mut self) -> Result<()> {
        let (locked, rows) = (self.lock.is_in_place(), self.metrics.is_in_place());
        if locked && rows {
            return Ok(());
        }
        let path = self.lock.folder().to_path_buf();
        fs::create_dir_all(&path).doing("creating the folder", &path)?;
        let lock = (!locked).then(|| Lock::take(&path)).transpose()?;
        if lock.is_some() && !rows && holds_a_run(&path) {
            bail!(Usage, "{} was removed, and holds another run now", path.display());
        }
        if !rows {
            self.metrics.restore()?;
        }
        write_config(&path, &self.config)?;
        if let Some(lock) = lock {
            self.lock = lock;
        }
        (self.warn)(&format!("files of {} were removed; they are there again", path.display()));
        Ok(())
    }

    /// Warns when writing starts to fail and when it works again, but not in between.
    fn warn_of_failure(&mut self, written: Result<()>, saved: bool) {
        match written {
            Err(why) if !self.failing => {
                let kept = match self.saved_at {
                    Some(update) => format!("the state after update {update} is saved"),
                    None => "nothing is saved yet".to_string(),
                };
                (self.warn)(&format!("{why}; {kept}; training goes on, and writing is tried again"));
                self.failing = true;
            }
            Ok(()) if self.failing && saved => {
                (self.warn)(&format!("writing to {} works again: everything is saved", self.lock.folder().display()));
                self.failing = false;
            }
            _ => {}
        }
    }
}

impl Observer for RunFolder {
    fn update(&mut self, trainer: &Trainer, report: &UpdateReport) -> Result<()> {
        let every = self.config.train.checkpoint_every;
        let due = every > 0 && report.update.is_multiple_of(every);
        let mut written = self.metrics.append(&report.networks);
        if due && written.is_ok() {
            let checkpoint = trainer.checkpoint()?;
            written = self.save(&checkpoint);
        }
        self.warn_of_failure(written, due);
        Ok(())
    }

    fn finish(&mut self, trainer: &Trainer) -> Result<()> {
        let updates = trainer.updates();
        if self.saved_at == Some(updates) {
            return Ok(());
        }
        let checkpoint = trainer.checkpoint()?;
        let kept = match self.saved_at {
            Some(update) => format!("that after update {update} is, and --resume goes on from there"),
            None => "nor is any before it".to_string(),
        };
        let written = self.save(&checkpoint).at(format!("the state after update {updates} is not saved; {kept}"));
        if written.is_ok() {
            self.warn_of_failure(Ok(()), true);
        }
        written
    }
}

/// Makes and locks the folder of a new run. With `force`, an existing run is moved aside.
pub(super) fn claim(path: &Path, force: bool) -> Result<Lock> {
    let make = || fs::create_dir_all(path).doing("creating the folder", path);
    make()?;
    let mut lock = Lock::take(path)?;
    if holds_a_run(path) {
        if !force {
            let free = (2u32..).map(|k| format!("{}-{k}", path.display())).find(|free| !Path::new(free).exists());
            bail!(
                Usage,
                "{} holds a run already: go on with it (--resume), choose another folder (--out {}), or move it aside \
                 (--force)",
                path.display(),
                free.unwrap_or_default()
            );
        }
        move_aside(path)?;
        make()?;
        // Keep the old folder locked until the new one is locked.
        lock = Lock::take(path)?;
    }
    Ok(lock)
}

/// Whether a folder holds a checkpoint, even if only an earlier one.
pub fn holds_a_checkpoint(path: &Path) -> bool {
    let newest = path.join(CHECKPOINT_FILE);
    newest.exists() || previous(&newest, 1).exists()
}

/// Whether a folder holds any files of a run.
pub(super) fn holds_a_run(path: &Path) -> bool {
    holds_a_checkpoint(path) || [CONFIG_FILE, METRICS_FILE].iter().any(|name| path.join(name).exists())
}

pub(super) fn write_config(path: &Path, config: &Config) -> Result<()> {
    write_atomically(&path.join(CONFIG_FILE), commented(config)?.as_bytes())
}

/// Renames `runs/dnms` to `runs/dnms.1`, or to the first free number, so that no trained networks are lost.
pub(super) fn move_aside(path: &Path) -> Result<()> {
    let free = path.file_name().and_then(|name| {
        let name = name.to_string_lossy();
        (1u32..).map(|k| path.with_file_name(format!("{name}.{k}"))).find(|aside| !aside.exists())
    });
    let aside = free.ok_or_else(|| Error::Usage(format!("{} cannot be moved aside", path.display())))?;
    fs::rename(path, &aside).doing("moving aside", path)
}
