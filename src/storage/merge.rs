//! Merges runs of different networks into one.

use super::folder::{claim, holds_a_run, move_aside};
use super::life_rows::rows_until;
use super::metrics_rows::whole_lines;
use super::run::write_run;
use super::{holds_a_checkpoint, Lock, CONFIG_FILE, METRICS_FILE};
use crate::error::{bail, ensure, At, Doing, Error, Result};
use crate::files::{copy, refuse_link, second_name, sync_folder_of, write_atomically, write_through};
use crate::presets::commented;
use crate::reader::ensure_regular;
use crate::training::{Checkpoint, Integrity, LifeCheckpoint, Lives, CHECKPOINT_FILE};
use crate::worlds::LifeRow;
use candle_core::Device;
use std::fs::{self, File};
use std::io::{self, BufRead, Read, Write};
use std::path::{Path, PathBuf};

/// The prefix of the folder in which a run is assembled; its final name follows.
const UNFINISHED: &str = ".merging-";

/// Writes the runs in the folders `runs` as one run in `out`, whose configuration, metrics and checkpoint are those that one run of
/// all their networks would have written, to the byte. However it ends, `out` holds the whole run or nothing of it. With `force`, an
/// existing run in `out` is moved aside once the new one is whole.
///
/// # Errors
/// [`Error::Usage`] if `out` holds a run, unless `force`, or other files; as [`Checkpoint::merge`], [`Checkpoint::read`] and [`Run::create`](crate::Run::create);
/// [`Error::Content`] if a checkpoint was changed or metrics lack rows.
pub fn merge_runs(runs: &[PathBuf], out: &Path, force: bool) -> Result<Checkpoint> {
    let read = |run: &PathBuf| {
        let checkpoint = Checkpoint::read(run, &Device::Cpu)?;
        Ok((run.clone(), whole(run, checkpoint.integrity).map(|()| checkpoint)?))
    };
    let mut parts = runs.iter().map(read).collect::<Result<Vec<_>>>()?;
    parts.sort_by_key(|(_, part)| part.setup.config.train.networks.start);
    let metrics: Vec<PathBuf> = parts.iter().map(|(run, _)| run.join(METRICS_FILE)).collect();
    let merged = Checkpoint::merge(parts.into_iter().map(|(run, part)| (run.display().to_string(), part)).collect())?;
    whole_or_nothing(out, force, |folder| {
        let lock = claim(folder, false)?;
        write_atomically(&folder.join(CONFIG_FILE), commented(&merged.setup.config)?.as_bytes())?;
        merge_metrics(&metrics, merged.updates, &folder.join(METRICS_FILE))?;
        merged.write(&folder.join(CHECKPOINT_FILE))?;
        Ok(lock)
    })?;
    Ok(merged)
}

/// Writes the lives in the folders `runs` as one run in `out`, as if they had been simulated in one. Lives that are over wait for the
/// others. `out` and `force` are as in [`merge_runs`]. Returns them with their rows.
///
/// # Errors
/// [`Error::Usage`] if `out` holds a run, unless `force`, or other files; as [`LifeCheckpoint::merge`] and [`Run::create`](crate::Run::create); [`Error::Content`] if a checkpoint was changed.
pub fn merge_lives(runs: &[PathBuf], out: &Path, force: bool) -> Result<(LifeCheckpoint, Vec<LifeRow>)> {
    let read = |run: &PathBuf| {
        // Nothing else may write there meanwhile.
        let lock = Lock::take(run)?;
        ensure!(
            holds_a_checkpoint(run),
            Usage,
            "{} does not hold a checkpoint; expected a run's folder",
            run.display()
        );
        let checkpoint = LifeCheckpoint::read(run)?;
        whole(run, checkpoint.integrity)?;
        let mut rows = Vec::new();
        rows_until(&run.join(METRICS_FILE), &checkpoint.setup, checkpoint.block, |row| rows.push(row))?;
        drop(lock);
        Ok((run.display().to_string(), checkpoint, rows))
    };
    let mut parts = runs.iter().map(read).collect::<Result<Vec<_>>>()?;
    parts.sort_by_key(|(_, part, _)| part.setup.config.life.networks.start);
    let last = parts.iter().map(|(_, part, _)| part.block).max().unwrap_or(0);
    for (_, part, rows) in parts.iter_mut().filter(|(_, part, _)| part.block < last) {
        let mut lives = Lives::resume(part, &Device::Cpu)?;
        if lives.is_over() {
            rows.extend(lives.wait(last - part.block)?);
            *part = lives.checkpoint()?;
        }
    }
    let mut rows: Vec<LifeRow> = parts.iter_mut().flat_map(|(_, _, rows)| std::mem::take(rows)).collect();
    let mut merged = LifeCheckpoint::merge(parts.into_iter().map(|(name, part, _)| (name, part)).collect())?;
    // Sorted by block, then by network; each part is already in this order.
    rows.sort_by(|a, b| a.seconds.total_cmp(&b.seconds));
    whole_or_nothing(out, force, |folder| write_run::<Lives>(folder, false, &mut merged, &rows))?;
    Ok((merged, rows))
}

/// Lets `write` fill a folder beside `out` that becomes `out` once it is whole; the value `write` returns keeps it locked until then.
fn whole_or_nothing<T>(out: &Path, force: bool, write: impl FnOnce(&Path) -> Result<T>) -> Result<T> {
    let out = &if out.is_symlink() { fs::canonicalize(out).doing("reading", out)? } else { out.to_path_buf() };
    let Some(name) = out.file_name() else { bail!(Usage, "`{}`: expected the name of a folder", out.display()) };
    let mut unfinished = std::ffi::OsString::from(UNFINISHED);
    unfinished.push(name);
    let unfinished = out.with_file_name(unfinished);
    let replaced = match holds_a_run(out) {
        true if force => Some(Lock::take(out)?),
        // This refuses.
        true => Some(claim(out, false)?),
        false => None,
    };
    let empty = || fs::read_dir(out).is_ok_and(|mut entries| entries.next().is_none());
    ensure!(
        replaced.is_some() || !out.exists() || empty(),
        Usage,
        "{} is not empty and does not hold a run; choose another folder (--out DIR)",
        out.display()
    );
    clear(&unfinished)?;
    let written = write(&unfinished).and_then(|written| {
        match replaced {
            Some(_) => move_aside(out)?,
            None if out.exists() => fs::remove_dir(out).doing("replacing", out)?,
            None => {}
        }
        fs::rename(&unfinished, out).doing("renaming", &unfinished)?;
        sync_folder_of(out).map(|()| written)
    });
    if written.is_err() {
        let _ = clear(&unfinished);
    }
    written
}

/// Removes what a killed or failed merge left behind, unless another process is writing it.
fn clear(unfinished: &Path) -> Result<()> {
    refuse_link(unfinished)?;
    if unfinished.exists() {
        let _lock = Lock::take(unfinished)?;
        fs::remove_dir_all(unfinished).doing("clearing", unfinished)?;
    }
    Ok(())
}

/// Refuses a run whose checkpoint was changed.
fn whole(run: &Path, integrity: Integrity) -> Result<()> {
    ensure!(
        integrity != Integrity::Changed,
        Content,
        "{}: the checksum of its checkpoint does not match: it was damaged, or edited by hand",
        run.display()
    );
    Ok(())
}

/// Makes a copy of a run. Files that are only ever replaced as a whole are shared with the original.
///
/// # Errors
/// [`Error::Io`] if a file is missing or cannot be written.
pub(crate) fn copy_run(run: &Path, out: &Path) -> Result<()> {
    whole_or_nothing(out, false, |folder| {
        fs::create_dir_all(folder).doing("creating the folder", folder)?;
        for name in [CONFIG_FILE, CHECKPOINT_FILE] {
            second_name(&run.join(name), &folder.join(name)).doing("copying", &run.join(name))?;
        }
        // This file grows in place.
        copy(&run.join(METRICS_FILE), &folder.join(METRICS_FILE)).doing("copying", &run.join(METRICS_FILE))
    })
}

/// Merges the metrics of parts of a run, up to update `updates`: the rows of each update are together, in the order of the parts.
///
/// # Errors
/// [`Error::Io`] if a file cannot be read or written; [`Error::Content`] if a part lacks updates or has other columns.
fn merge_metrics(parts: &[PathBuf], updates: u64, out: &Path) -> Result<()> {
    let mut parts: Vec<Lines> = parts.iter().map(|path| Lines::open(path)).collect::<Result<_>>()?;
    let header = parts.first().map_or(String::new(), |part| part.line.clone());
    write_through(out, |file| {
        let mut file = io::BufWriter::new(file);
        let mut write = |line: &str| file.write_all(line.as_bytes()).doing("writing", out);
        write(&header)?;
        for part in &mut parts {
            ensure!(
                part.line == header,
                Content,
                "{}: its columns differ from those of the other parts; restore the file",
                part.path.display()
            );
            part.advance()?;
        }
        let mut newest = None;
        while let Some(update) = parts.iter().filter_map(|part| part.update).min().filter(|update| *update <= updates) {
            for part in &mut parts {
                let there = part.update == Some(update);
                ensure!(
                    there,
                    Content,
                    "{}: rows for update {update} are missing; restore the file",
                    part.path.display()
                );
                while part.update == Some(update) {
                    write(&part.line)?;
                    part.advance()?;
                }
            }
            newest = Some(update);
        }
        let newest = newest.unwrap_or(updates);
        ensure!(
            newest == updates,
            Content,
            "{}: it ends at update {newest} of {updates}; restore the file",
            parts[0].path.display()
        );
        file.flush().doing("writing", out)
    })
}

/// The lines of a metrics file, one at a time.
struct Lines {
    path: PathBuf,
    file: io::BufReader<io::Take<File>>,
    line: String,
    /// The update of the line; `None` for the header and after the end.
    update: Option<u64>,
}

impl Lines {
    /// The header.
    fn open(path: &Path) -> Result<Self> {
        ensure_regular(path)?;
        let file = File::open(path).doing("reading", path)?;
        let whole = whole_lines(&file).doing("reading", path)?;
        let file = io::BufReader::new(file.take(whole));
        let mut lines = Lines { path: path.to_path_buf(), file, line: String::new(), update: None };
        lines.read()?;
        Ok(lines)
    }

    fn read(&mut self) -> Result<()> {
        self.line.clear();
        self.file.read_line(&mut self.line).doing("reading", &self.path).map(drop)
    }

    fn advance(&mut self) -> Result<()> {
        self.read()?;
        let number = self.line.split(',').next().unwrap_or_default();
        self.update = match self.line.is_empty() {
            true => None,
            false => Some(
                number
                    .parse()
                    .map_err(|_| Error::Content(format!("`{number}` is not a valid update number")))
                    .at_path(&self.path)?,
            ),
        };
        Ok(())
    }
}
