//! Reads a run's checkpoint, even if its task file has moved.

use crate::console::warn;
use crate::output::usage;
use anyhow::{ensure, Context, Result};
use candle_core::Device;
use hebbian_rnn::storage::{read_life_rows, Persistent, METRICS_FILE};
use hebbian_rnn::tasks::FileTask;
use hebbian_rnn::training::CHECKPOINT_FILE;
use hebbian_rnn::worlds::LifeRow;
use hebbian_rnn::{Checkpoint, Integrity, LifeCheckpoint, Lives, Own, Setup, Trainer};
use std::path::Path;

/// The task files that can replace the one on which the networks were trained.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Trials {
    /// A file with the same hash.
    Same,
    /// Any file whose sizes fit.
    Any,
}

/// The checkpoint of `run`; `task_file` replaces the file that it names.
pub fn checkpoint(run: &Path, task_file: Option<&Path>, trials: Trials, device: &Device) -> Result<Checkpoint> {
    let Some(file) = task_file else { return Ok(Checkpoint::read(run, device)?) };
    let own = Own { task: Some(FileTask::read(file)?.into()), ..Own::default() };
    let mut checkpoint = Checkpoint::read_with(run, own, device)?;
    let mut config = checkpoint.setup.config().clone();
    ensure!(
        config.task.contains_key("path"),
        "--task-file: the task of these networks does not read a file; leave it out"
    );
    config.task.insert("path".into(), file.display().to_string().into());
    if trials == Trials::Any {
        config.task.insert("sha256".into(), "".into());
    }
    checkpoint.setup = Setup::new(config)?;
    Ok(checkpoint)
}

/// The checkpoint of networks that are only to be run; warns if it was changed since it was written.
pub fn to_run(run: &Path, task_file: Option<&Path>, device: &Device) -> Result<Checkpoint> {
    let checkpoint = checkpoint(run, task_file, Trials::Any, device)?;
    if let Some(change) = change::<Trainer>(run, &checkpoint) {
        warn(format_args!("warning: {change}"));
    }
    Ok(checkpoint)
}

/// Silences neurons.
pub fn silence(checkpoint: &mut Checkpoint, names: &[String]) -> Result<()> {
    let mut neurons = Vec::new();
    for name in names {
        neurons.extend(usage(checkpoint.neurons(name).context("--silence"))?);
    }
    usage(checkpoint.silence(&neurons))
}

/// A message if the checkpoint read from `run` was changed since it was written.
pub fn change<P: Persistent>(run: &Path, checkpoint: &P::Checkpoint) -> Option<String> {
    if P::integrity(checkpoint) != Integrity::Changed {
        return None;
    }
    let path = if run.is_dir() { run.join(CHECKPOINT_FILE) } else { run.to_path_buf() };
    let before = P::whole_previous(checkpoint, &path).map_or(String::new(), |(previous, moment)| {
        format!("; the checkpoint before it is intact: {} ({moment})", previous.display())
    });
    Some(format!("{}: its checksum does not match: it was damaged, or edited by hand{before}", path.display()))
}

/// The checkpoint of the lives in a folder, and the rows of their metrics.
pub fn life(folder: &Path) -> Result<(LifeCheckpoint, Vec<LifeRow>)> {
    let checkpoint = LifeCheckpoint::read(folder)?;
    if let Some(change) = change::<Lives>(folder, &checkpoint) {
        warn(format_args!("warning: {change}"));
    }
    Ok((checkpoint, read_life_rows(&folder.join(METRICS_FILE))?))
}

/// Refuses a path that is not a folder.
pub fn ensure_folder(run: &Path) -> Result<()> {
    ensure!(run.is_dir(), "{} is not a run's folder", run.display());
    Ok(())
}
