//! Reads a run's checkpoint, with the trials of a task file from where they are now.

use anyhow::{ensure, Result};
use candle_core::Device;
use hebbian_rnn::checkpoint::Checkpoint;
use hebbian_rnn::task::{FileTask, FILE};
use std::path::Path;

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
    let Some(file) = task_file else { return Checkpoint::read(run, device) };
    let mut checkpoint = Checkpoint::read_with_task(run, &FileTask::read(file)?, device)?;
    let name = checkpoint.config.task_name()?;
    ensure!(name == FILE, "--task-file: these networks were trained on task `{name}`, which reads no file");
    let task = &mut checkpoint.config.task;
    task.insert("path".into(), file.display().to_string().into());
    if trials == Trials::Any {
        task.insert("sha256".into(), "".into());
    }
    checkpoint.config.complete()?;
    Ok(checkpoint)
}
