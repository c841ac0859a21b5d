//! Runs of different networks become one.

use super::metrics::merge_metrics;
use super::run_folder::{claim, write_config};
use super::{CONFIG_FILE, METRICS_FILE};
use crate::error::{ensure, Doing, Result};
use crate::files::{copy, second_name};
use crate::training::{Checkpoint, Integrity, CHECKPOINT_FILE};
use candle_core::Device;
use std::path::{Path, PathBuf};

/// Writes the runs in the folders `runs` as one run in `out`, whose configuration, metrics and checkpoint are those that one run of
/// all their networks would have written, to the byte. With `force`, an existing run in `out` is moved aside.
///
/// # Errors
/// As [`Checkpoint::merge`], [`Checkpoint::read`] and [`RunFolder::create`](crate::RunFolder::create);
/// [`Error::Content`](crate::Error::Content) if a checkpoint was changed or metrics lack rows.
pub fn merge_runs(runs: &[PathBuf], out: &Path, force: bool) -> Result<Checkpoint> {
    let read = |run: &PathBuf| {
        let checkpoint = Checkpoint::read(run, &Device::Cpu)?;
        let name = run.display().to_string();
        ensure!(
            checkpoint.integrity != Integrity::Changed,
            Content,
            "{name}: the checksum of its checkpoint does not fit: it was damaged, or edited by hand"
        );
        Ok((run.clone(), checkpoint))
    };
    let mut parts = runs.iter().map(read).collect::<Result<Vec<_>>>()?;
    parts.sort_by_key(|(_, part)| part.setup.config.train.networks.start);
    let metrics: Vec<PathBuf> = parts.iter().map(|(run, _)| run.join(METRICS_FILE)).collect();
    let merged = Checkpoint::merge(parts.into_iter().map(|(run, part)| (run.display().to_string(), part)).collect())?;
    let lock = claim(out, force)?;
    write_config(out, &merged.setup.config)?;
    merge_metrics(&metrics, merged.updates, &out.join(METRICS_FILE))?;
    merged.write(&out.join(CHECKPOINT_FILE))?;
    drop(lock);
    Ok(merged)
}

/// A run that is another one's copy. What is only replaced as a whole is stored once.
///
/// # Errors
/// [`Error::Io`](crate::Error::Io) if a file is missing or cannot be written.
pub(crate) fn copy_run(run: &Path, out: &Path) -> Result<()> {
    std::fs::create_dir_all(out).doing("creating the folder", out)?;
    for name in [CONFIG_FILE, CHECKPOINT_FILE] {
        second_name(&run.join(name), &out.join(name)).doing("copying", &run.join(name))?;
    }
    // It grows in place.
    copy(&run.join(METRICS_FILE), &out.join(METRICS_FILE)).doing("copying", &run.join(METRICS_FILE))
}
