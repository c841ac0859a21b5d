//! A run's folder: `config.toml`, `metrics.csv`, the checkpoints and the pictures.
//!
//! Order is what keeps it whole: the lock is taken before anything is read or written; rows are safe on the disk before the
//! checkpoint that knows of them; and a file that cannot be written leaves the one before it. Trouble with writing does not
//! stop training: it is told once, and the next save tries again.

use super::{Lock, Metrics, CHECKPOINT_FILE, METRICS_FILE};
use crate::config::Config;
use crate::error::{bail, At, Doing, Error, Result};
use crate::files::{previous, remove_unfinished, write_if_changed};
use crate::training::{Checkpoint, Observer, Trainer, UpdateReport};
use std::fs;
use std::path::{Path, PathBuf};

/// The name of the configuration in a run's folder.
pub const CONFIG_FILE: &str = "config.toml";
/// The name of the page on a run in its folder.
pub const REPORT_FILE: &str = "report.html";
/// The pictures of a run in its folder, without their endings.
pub const LEARNING_CURVE: &str = "learning_curve";
/// The other one.
pub const SAMPLE_TRIALS: &str = "sample_trials";
/// How the names of the files begin that training writes here.
const OWN: [&str; 6] = [CONFIG_FILE, METRICS_FILE, "checkpoint.", REPORT_FILE, LEARNING_CURVE, SAMPLE_TRIALS];

/// Keeps a run's files up to date while it trains.
pub struct RunFolder {
    lock: Lock,
    config: Config,
    metrics: Metrics,
    /// The update that the newest checkpoint is of.
    saved_at: Option<u64>,
    /// Whether the last attempt to write failed.
    in_trouble: bool,
    warn: Box<dyn FnMut(&str)>,
}

impl RunFolder {
    /// Makes the folder of a new run and writes its configuration, before any training.
    ///
    /// # Errors
    /// Where another process uses the folder, where it holds a run already (unless `force`, which moves that run aside), and
    /// where it cannot be written.
    pub fn create(path: &Path, config: &Config, force: bool) -> Result<Self> {
        let make = || fs::create_dir_all(path).doing("creating the folder", path);
        make()?;
        let mut lock = Lock::take(path)?;
        if holds_a_run(path) {
            if !force {
                bail!(Usage, "{} holds a run already: go on with it (--resume), choose another folder (--out), or move it aside (--force)", path.display());
            }
            move_aside(path)?;
            make()?;
            // The old folder is let go only when the new one is ours.
            lock = Lock::take(path)?;
        }
        // Before the metrics: a folder with nothing but a configuration is a run that can be resumed.
        write_config(path, config)?;
        Self::open(lock, config, None)
    }

    /// Opens the folder of an earlier run, with its stop limits as they are now. `saved_at` is the update of its newest
    /// checkpoint, from which training goes on; `None` where there is no checkpoint yet: it starts again.
    ///
    /// # Errors
    /// Where the metrics do not reach as far as the checkpoint, and where the folder cannot be written.
    pub fn reopen(lock: Lock, config: &Config, saved_at: Option<u64>) -> Result<Self> {
        Self::open(lock, config, saved_at)
    }

    fn open(lock: Lock, config: &Config, saved_at: Option<u64>) -> Result<Self> {
        let path = lock.folder();
        remove_unfinished(path, &OWN).doing("clearing", path)?;
        let metrics = Metrics::reopen(&path.join(METRICS_FILE), saved_at.unwrap_or(0))?;
        write_config(path, config)?;
        let warn = Box::new(|warning: &str| eprintln!("warning: {warning}"));
        Ok(RunFolder { lock, config: config.clone(), metrics, saved_at, in_trouble: false, warn })
    }

    /// Gives warnings to `warn` in place of stderr.
    pub fn on_warning(&mut self, warn: impl FnMut(&str) + 'static) {
        self.warn = Box::new(warn);
    }

    /// Where the newest checkpoint is.
    pub fn checkpoint_path(&self) -> PathBuf {
        self.lock.folder().join(CHECKPOINT_FILE)
    }

    /// The update that the newest checkpoint is of; `None`: there is none yet.
    pub fn saved_at(&self) -> Option<u64> {
        self.saved_at
    }

    fn save(&mut self, checkpoint: &Checkpoint) -> Result<()> {
        self.reclaim()?;
        // Rows first: a checkpoint must never know of an update that the metrics lack.
        self.metrics.sync()?;
        checkpoint.write_keeping(&self.checkpoint_path(), self.config.train.keep)?;
        self.saved_at = Some(checkpoint.updates);
        Ok(())
    }

    /// Makes the folder again where somebody removed it, with all that this process knows.
    ///
    /// # Errors
    /// Where another run is there now: its files are not ours to replace.
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

    /// Tells of trouble when it begins and when it is over, and not in between.
    fn tell(&mut self, written: Result<()>, saved: bool) {
        match written {
            Err(why) if !self.in_trouble => {
                let kept = match self.saved_at {
                    Some(update) => format!("the state after update {update} is saved"),
                    None => "nothing is saved yet".to_string(),
                };
                (self.warn)(&format!("{why}; {kept}; training goes on, and writing is tried again"));
                self.in_trouble = true;
            }
            Ok(()) if self.in_trouble && saved => {
                (self.warn)(&format!("writing to {} works again: everything is saved", self.lock.folder().display()));
                self.in_trouble = false;
            }
            _ => {}
        }
    }
}

impl Observer for RunFolder {
    fn update(&mut self, trainer: &Trainer, report: &UpdateReport) -> Result<()> {
        let every = self.config.train.checkpoint_every;
        let due = every > 0 && report.update.is_multiple_of(every);
        let mut written = self.metrics.append(report);
        if due && written.is_ok() {
            let checkpoint = trainer.checkpoint()?;
            written = self.save(&checkpoint);
        }
        self.tell(written, due);
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
            self.tell(Ok(()), true);
        }
        written
    }
}

/// Whether there is a checkpoint in the folder, the newest or one from before it.
pub fn holds_a_checkpoint(path: &Path) -> bool {
    let newest = path.join(CHECKPOINT_FILE);
    newest.exists() || previous(&newest, 1).exists()
}

/// Whether there is anything of a run in the folder.
fn holds_a_run(path: &Path) -> bool {
    holds_a_checkpoint(path) || [CONFIG_FILE, METRICS_FILE].iter().any(|name| path.join(name).exists())
}

fn write_config(path: &Path, config: &Config) -> Result<()> {
    write_if_changed(&path.join(CONFIG_FILE), config.to_toml()?.as_bytes())
}

/// Renames `runs/dnms` to `runs/dnms.1`, or the first free number: nothing trained is thrown away.
fn move_aside(path: &Path) -> Result<()> {
    let free = path.file_name().and_then(|name| {
        let name = name.to_string_lossy();
        (1u32..).map(|k| path.with_file_name(format!("{name}.{k}"))).find(|aside| !aside.exists())
    });
    let aside = free.ok_or_else(|| Error::Usage(format!("{} cannot be moved aside", path.display())))?;
    fs::rename(path, &aside).doing("moving aside", path)
}
