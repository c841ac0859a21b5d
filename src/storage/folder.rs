//! The parts shared by the folders of training runs and lives: a lock, a configuration, appended rows and checkpoints, and
//! how they stay consistent whatever happens to the disk or the folder.
//!
//! The lock is taken before anything is read or written; rows are safe on disk before the checkpoint that counts them; and a failed
//! write leaves the previous file in place. A failed write does not stop a run: there is one warning, and the next save tries again.

use super::{Lock, Metrics, METRICS_FILE};
use crate::error::{bail, Doing, Error, Result};
use crate::files::{previous, remove_unfinished, write_atomically, write_keeping};
use crate::training::CHECKPOINT_FILE;
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
/// The name of the picture in the folder of lives, without its extension.
pub const LIFE_PICTURE: &str = "life";
/// The name of the diagram of populations and projections, without its extension.
pub const CIRCUIT_PICTURE: &str = "circuit";

/// The prefixes of the names of the files that a run writes into its folder.
const OWN: [&str; 8] = [
    CONFIG_FILE,
    METRICS_FILE,
    "checkpoint.",
    REPORT_FILE,
    LEARNING_CURVE,
    SAMPLE_TRIALS,
    LIFE_PICTURE,
    CIRCUIT_PICTURE,
];

/// A folder in which a run keeps its files.
pub(super) struct Folder {
    lock: Lock,
    /// The text of the configuration file.
    config: String,
    /// The rows.
    pub(super) metrics: Metrics,
    /// The moment of the newest checkpoint, such as `update 7`.
    saved: Option<String>,
    /// Whether writing has failed since everything was last saved.
    failing: bool,
    /// Messages for the user, not yet collected by [`Folder::messages`].
    messages: Vec<String>,
}

impl Folder {
    /// Clears a locked folder of unfinished files, writes the configuration, then opens the rows with `metrics`. `saved`: the moment
    /// of the newest checkpoint.
    pub(super) fn open(
        lock: Lock,
        config: String,
        metrics: impl FnOnce(&Path) -> Result<Metrics>,
        saved: Option<String>,
    ) -> Result<Self> {
        let path = lock.folder();
        remove_unfinished(path, &OWN).doing("clearing", path)?;
        // The configuration is written before the rows, since a run with only a configuration can be resumed. It is written even if it
        // has not changed, since no run should begin in a folder that cannot be written.
        write_atomically(&path.join(CONFIG_FILE), config.as_bytes())?;
        let metrics = metrics(&path.join(METRICS_FILE))?;
        Ok(Folder { lock, config, metrics, saved, failing: false, messages: Vec::new() })
    }

    pub(super) fn path(&self) -> &Path {
        self.lock.folder()
    }

    /// Its lock.
    pub(super) fn into_lock(self) -> Lock {
        self.lock
    }

    /// Messages since the last call.
    pub(super) fn messages(&mut self) -> Vec<String> {
        std::mem::take(&mut self.messages)
    }

    /// Saves all rows, then a checkpoint of `moment`, and keeps the last `keep` checkpoints before it.
    pub(super) fn save(&mut self, moment: String, checkpoint: &[u8], keep: u64) -> Result<()> {
        self.reclaim()?;
        // Rows first: a checkpoint must never count rows that the metrics lack.
        self.metrics.sync()?;
        write_keeping(&self.path().join(CHECKPOINT_FILE), checkpoint, keep)?;
        self.saved = Some(moment);
        Ok(())
    }

    /// A description of what is lost if the last save of a run, at `moment`, fails.
    pub(super) fn lost(&self, moment: &str) -> String {
        let kept = match &self.saved {
            Some(saved) => format!("that after {saved} is, and --resume continues from there"),
            None => "nor is any before it".to_string(),
        };
        format!("the state after {moment} is not saved; {kept}")
    }

    /// If the folder was removed, makes it again with its configuration and all rows. If another run's folder has taken its place, this
    /// is an error, since that run's files must not be replaced.
    fn reclaim(&mut self) -> Result<()> {
        let (locked, rows) = (self.lock.is_in_place(), self.metrics.is_in_place());
        if locked && rows {
            return Ok(());
        }
        let path = self.path().to_path_buf();
        fs::create_dir_all(&path).doing("creating the folder", &path)?;
        let lock = if locked { None } else { Some(Lock::take(&path)?) };
        if lock.is_some() && !rows && holds_a_run(&path) {
            bail!(Usage, "{} was removed and now holds another run; choose another folder", path.display());
        }
        if !rows {
            self.metrics.restore()?;
        }
        write_atomically(&path.join(CONFIG_FILE), self.config.as_bytes())?;
        if let Some(lock) = lock {
            self.lock = lock;
        }
        self.messages.push(format!("files of {} were removed; they have been restored", path.display()));
        Ok(())
    }

    /// Records the result of writing: adds a message when it starts to fail and when everything is `saved` again, but not in between.
    /// `going_on` is the part of the message that says what continues despite a failure.
    pub(super) fn note(&mut self, written: Result<()>, saved: bool, going_on: &str) {
        match written {
            Err(why) if !self.failing => {
                let kept = match &self.saved {
                    Some(moment) => format!("the state after {moment} is saved"),
                    None => "nothing is saved yet".to_string(),
                };
                self.messages.push(format!("{why}; {kept}; {going_on}, and writing will be retried"));
                self.failing = true;
            }
            Ok(()) if saved => self.note_saved(),
            _ => {}
        }
    }

    /// Records that everything is saved: adds a message if writing failed before.
    pub(super) fn note_saved(&mut self) {
        if std::mem::take(&mut self.failing) {
            self.messages.push(format!("writing to {} works again: everything is saved", self.path().display()));
        }
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
                "{} already holds a run: continue it (--resume), choose another folder (--out {}), or move it aside \
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
pub fn holds_a_run(path: &Path) -> bool {
    holds_a_checkpoint(path) || [CONFIG_FILE, METRICS_FILE].iter().any(|name| path.join(name).exists())
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
