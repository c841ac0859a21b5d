//! Reads a run's checkpoint, with the trials of a task file from where they are now.

use anyhow::{ensure, Result};
use candle_core::Device;
use hebbian_rnn::{Checkpoint, FileTask, Integrity, Own, Setup, CHECKPOINT_FILE};
use std::path::Path;
use std::sync::Arc;

/// Whether a task file has to be the one the networks were trained on.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Trials {
    /// It has to hash to the same value.
    Same,
    /// It only has to fit.
    Any,
}

/// The checkpoint of `run`; `task_file` takes the place of the file it names.
pub fn checkpoint(run: &Path, task_file: Option<&Path>, trials: Trials, device: &Device) -> Result<Checkpoint> {
    let Some(file) = task_file else { return Ok(Checkpoint::read(run, device)?) };
    let own = Own { task: Some(Arc::new(FileTask::read(file)?)), ..Own::default() };
    let mut checkpoint = Checkpoint::read_with(run, own, device)?;
    let mut config = checkpoint.setup.config.clone();
    ensure!(config.task.contains_key("path"), "--task-file: these networks were trained on a task that reads no file");
    config.task.insert("path".into(), file.display().to_string().into());
    if trials == Trials::Any {
        config.task.insert("sha256".into(), "".into());
    }
    checkpoint.setup = Setup::new(config)?;
    Ok(checkpoint)
}

/// The same for networks that are only to be run: a file that was changed since it was written is used, with a warning.
pub fn to_run(run: &Path, task_file: Option<&Path>, device: &Device) -> Result<Checkpoint> {
    let checkpoint = checkpoint(run, task_file, Trials::Any, device)?;
    if let Some(change) = change(run, &checkpoint) {
        eprintln!("warning: {change}");
    }
    Ok(checkpoint)
}

/// What to say where `run`'s checkpoint, read from there, was changed since it was written.
pub fn change(run: &Path, checkpoint: &Checkpoint) -> Option<String> {
    if checkpoint.integrity != Integrity::Changed {
        return None;
    }
    let path = if run.is_dir() { run.join(CHECKPOINT_FILE) } else { run.to_path_buf() };
    let before = checkpoint.whole_previous(&path).map_or(String::new(), |(previous, updates)| {
        format!("; the checkpoint before it is whole: {} (update {updates})", previous.display())
    });
    Some(format!("{}: its checksum does not fit: it was damaged, or edited by hand{before}", path.display()))
}
