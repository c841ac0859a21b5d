//! Runs of different networks become one.

use super::metrics::merge_metrics;
use super::run_folder::{claim, write_config};
use super::METRICS_FILE;
use crate::error::{ensure, Result};
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
