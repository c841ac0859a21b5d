//! A run's folder: `config.toml`, `metrics.csv`, `checkpoint.safetensors` and the pictures.

use crate::checkpoint::{write_atomically, Checkpoint, FILE_NAME as CHECKPOINT};
use crate::config::Config;
use crate::metrics::{self, Metrics};
use crate::trainer::{Observer, Training, UpdateReport};
use anyhow::{bail, Context, Result};
use std::fs;
use std::path::{Path, PathBuf};

/// The name of the configuration in a run's folder.
pub const CONFIG: &str = "config.toml";

/// Keeps a run's files up to date while it trains.
pub struct RunFolder {
    path: PathBuf,
    metrics: Metrics,
    checkpoint_every: u64,
    saved_at: Option<u64>,
}

impl RunFolder {
    /// Makes the folder of a new run and writes its configuration, before any training.
    ///
    /// # Errors
    /// Where the folder holds a run already (unless `force`, which moves that run aside) or cannot be written.
    pub fn create(path: &Path, config: &Config, force: bool) -> Result<Self> {
        if holds_a_run(path) {
            if !force {
                bail!("{} holds a run already: go on with it (--resume), choose another folder (--out), or move it aside (--force)", path.display());
            }
            move_aside(path)?;
        }
        fs::create_dir_all(path).with_context(|| format!("creating the folder {}", path.display()))?;
        let metrics = Metrics::create(&path.join(metrics::FILE_NAME))?;
        write_atomically(&path.join(CONFIG), config.to_toml()?.as_bytes())?;
        Ok(RunFolder {
            path: path.to_path_buf(),
            metrics,
            checkpoint_every: config.train.checkpoint_every,
            saved_at: None,
        })
    }

    /// Opens the folder of an earlier run that goes on from `updates`, with its stop limits as they are now.
    pub fn reopen(path: &Path, config: &Config, updates: u64) -> Result<Self> {
        let metrics = Metrics::reopen(&path.join(metrics::FILE_NAME), updates)?;
        write_atomically(&path.join(CONFIG), config.to_toml()?.as_bytes())?;
        let saved_at = Some(updates);
        Ok(RunFolder { path: path.to_path_buf(), metrics, checkpoint_every: config.train.checkpoint_every, saved_at })
    }

    /// Where the newest checkpoint is.
    pub fn checkpoint_path(&self) -> PathBuf {
        self.path.join(CHECKPOINT)
    }

    fn save(&mut self, checkpoint: &Checkpoint) -> Result<()> {
        // Rows first: a checkpoint must never know of an update that the metrics lack.
        self.metrics.sync()?;
        checkpoint.write(&self.checkpoint_path())?;
        self.saved_at = Some(checkpoint.updates);
        Ok(())
    }
}

impl Observer for RunFolder {
    fn update(&mut self, training: &dyn Training, report: &UpdateReport) -> Result<()> {
        self.metrics.append(report)?;
        if self.checkpoint_every > 0 && report.update.is_multiple_of(self.checkpoint_every) {
            self.save(&training.checkpoint()?)?;
        }
        Ok(())
    }

    fn finish(&mut self, training: &dyn Training) -> Result<()> {
        if self.saved_at == Some(training.updates()) {
            return Ok(());
        }
        self.save(&training.checkpoint()?)
    }
}

/// Whether there is anything of a run in the folder.
fn holds_a_run(path: &Path) -> bool {
    [CONFIG, CHECKPOINT, metrics::FILE_NAME].iter().any(|name| path.join(name).exists())
}

/// Renames `runs/dnms` to `runs/dnms.1`, or the first free number: nothing trained is thrown away.
fn move_aside(path: &Path) -> Result<()> {
    let name = path
        .file_name()
        .with_context(|| format!("{} cannot be moved aside", path.display()))?
        .to_string_lossy()
        .into_owned();
    let free = (1u32..).map(|k| path.with_file_name(format!("{name}.{k}"))).find(|aside| !aside.exists());
    let aside = free.with_context(|| format!("no free name to move {} to", path.display()))?;
    fs::rename(path, &aside).with_context(|| format!("moving {} to {}", path.display(), aside.display()))
}
