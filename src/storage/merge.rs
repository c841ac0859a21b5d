//! Merges runs of different networks into one.

use super::folder::{claim, holds_a_run, move_aside};
use super::metrics_rows::whole_lines;
use super::{holds_a_checkpoint, Lock, Persistent, CONFIG_FILE, METRICS_FILE};
use crate::error::{bail, ensure, At, Doing, Error, Result};
use crate::files::{copy, refuse_link, second_name, sync_folder_of, write_atomically, write_through};
use crate::reader::ensure_regular;
use crate::training::{Integrity, CHECKPOINT_FILE};
use std::fs::{self, File};
use std::io::{self, BufRead, Read, Write};
use std::path::{Path, PathBuf};

/// The prefix of the folder in which a run is assembled; its final name follows.
const UNFINISHED: &str = ".merging-";

/// Writes the runs in the folders `runs` as one run in `out`. Its configuration, metrics and checkpoint are byte for byte those that
/// one run of all these networks would have written. Even after a failure, `out` holds either the whole run or nothing of it. With
/// `force`, an existing run in `out` is moved aside once the new one is complete.
///
/// # Errors
/// [`Error::Usage`] if `out` holds a run, unless `force`, or other files; also if networks are missing between the parts or in two of
/// them, or if the parts differ in settings, in age or in the version of the program. [`Error::Content`] if a checkpoint was changed or
/// metrics lack rows; otherwise as [`Checkpoint::read`](crate::Checkpoint::read) and [`Run::create`](crate::Run::create).
pub fn merge_runs<P: Persistent>(runs: &[PathBuf], out: &Path, force: bool) -> Result<P::Checkpoint> {
    let read = |run: &PathBuf| {
        ensure!(
            holds_a_checkpoint(run),
            Usage,
            "{} does not hold a checkpoint; expected a run's folder",
            run.display()
        );
        // A run that is still writing is not merged.
        let _lock = Lock::take(run)?;
        let checkpoint = P::read(run)?;
        whole(run, P::integrity(&checkpoint))?;
        Ok((run.display().to_string(), checkpoint))
    };
    let mut parts = runs.iter().map(read).collect::<Result<Vec<_>>>()?;
    parts.sort_by_key(|(_, part)| P::networks(part).start);
    let last = parts.iter().map(|(_, part)| P::turns(part).0).max().unwrap_or(0);
    let mut metrics = Vec::new();
    for (run, part) in &mut parts {
        let (turns, newest) = P::turns(part);
        let networks = P::networks(part).count();
        let after = if turns < last { P::write_rows(&P::wait(part, last)?, false)? } else { Vec::new() };
        metrics.push(Lines::open(&Path::new(run).join(METRICS_FILE), networks, P::CLOCK, newest, after)?);
    }
    follow::<P>(&parts)?;
    let networks = |place: Option<&(String, P::Checkpoint)>| place.map(|(_, part)| P::networks(part));
    let Some((first, last)) = networks(parts.first()).zip(networks(parts.last())) else {
        bail!(Usage, "there is no run to merge; expected at least one")
    };
    let parts = parts.into_iter().map(|(_, part)| part).collect();
    let mut merged = P::join(parts, (first.start..last.end).into())?;
    let newest = P::turns(&merged).1;
    whole_or_nothing(out, force, |folder| {
        let lock = claim(folder, false)?;
        let config = P::write_config(P::config(P::setup_of(&mut merged)))?;
        write_atomically(&folder.join(CONFIG_FILE), config.as_bytes())?;
        merge_metrics(metrics, newest, &folder.join(METRICS_FILE))?;
        write_atomically(&folder.join(CHECKPOINT_FILE), &P::write_checkpoint(&merged)?)?;
        Ok(lock)
    })?;
    Ok(merged)
}

/// Refuses parts that do not follow one another, each with its name, or that do not belong to the same run.
fn follow<P: Persistent>(parts: &[(String, P::Checkpoint)]) -> Result<()> {
    for pair in parts.windows(2) {
        let [(a, before), (b, next)] = pair else { continue };
        let (end, start) = (P::networks(before).end, P::networks(next).start);
        ensure!(
            end <= start,
            Usage,
            "networks {start} to {} are both in {a} and in {b}",
            end.min(P::networks(next).end) - 1
        );
        ensure!(end == start, Usage, "networks {end} to {} are missing between {a} and {b}", start - 1);
        let (was, is) = (P::program(before), P::program(next));
        ensure!(
            was == is,
            Usage,
            "{a} was written by version {was} and {b} by version {is}; rerun one of them with the other's version"
        );
        if let Some((key, here, there)) = P::difference_of_parts(before, next)? {
            bail!(Usage, "{key} is {here} in {a} and {there} in {b}: these folders do not belong to the same run");
        }
        let newer = P::turns(before).0 > P::turns(next).0;
        let [(behind, since), (ahead, until)] = if newer { [(b, next), (a, before)] } else { [(a, before), (b, next)] };
        ensure!(
            P::turns(before).0 == P::turns(next).0,
            Usage,
            "{behind} is at {} and {ahead} at {}; continue it first (hebbian-rnn {} --resume --out {behind})",
            P::moment_of(since),
            P::moment_of(until),
            P::COMMAND
        );
    }
    Ok(())
}

/// Lets `write` fill a folder beside `out`, which is renamed to `out` once it is complete. The value that `write` returns keeps the
/// folder locked until then.
fn whole_or_nothing<T>(out: &Path, force: bool, write: impl FnOnce(&Path) -> Result<T>) -> Result<T> {
    let out = &if out.is_symlink() { fs::canonicalize(out).doing("reading", out)? } else { out.to_path_buf() };
    let Some(name) = out.file_name() else { bail!(Usage, "`{}`: expected the name of a folder", out.display()) };
    let mut unfinished = std::ffi::OsString::from(UNFINISHED);
    unfinished.push(name);
    let unfinished = out.with_file_name(unfinished);
    let replaced = match holds_a_run(out) {
        true if force => Some(Lock::take(out)?),
        // Refuses, since the folder holds a run.
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

/// Merges the metrics of parts of a run, up to turn `newest`: the rows of each turn are together, in the order of the parts.
///
/// # Errors
/// [`Error::Io`] if a file cannot be read or written; [`Error::Content`] if a part lacks turns or has other columns.
fn merge_metrics(mut parts: Vec<Lines>, newest: f64, out: &Path) -> Result<()> {
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
        let mut last = None;
        while let Some(turn) = parts.iter().filter_map(|part| part.turn).min_by(f64::total_cmp) {
            if turn > newest {
                break;
            }
            for part in &mut parts {
                let (mut rows, unit) = (0, part.unit());
                while part.turn == Some(turn) {
                    write(&part.line)?;
                    part.advance()?;
                    rows += 1;
                }
                ensure!(
                    rows == part.networks,
                    Content,
                    "{}: rows for {unit} {turn} are missing; restore the file",
                    part.path.display()
                );
            }
            last = Some(turn);
        }
        let last = last.unwrap_or(newest);
        ensure!(
            last == newest,
            Content,
            "{}: it ends at {} {last} of {newest}; restore the file",
            parts[0].path.display(),
            parts[0].unit()
        );
        file.flush().doing("writing", out)
    })
}

/// The lines of a metrics file, one at a time.
struct Lines {
    path: PathBuf,
    file: Box<dyn BufRead>,
    line: String,
    /// The number of rows for each turn.
    networks: usize,
    /// The column that numbers the turns.
    clock: usize,
    /// The value in this column of the last row that is counted.
    newest: f64,
    /// Rows that replace any after that one.
    after: Vec<u8>,
    /// The turn of the line; `None` for the header and after the end.
    turn: Option<f64>,
}

impl Lines {
    /// Opens a file at its header. The rows `after` follow those up to turn `newest`.
    fn open(path: &Path, networks: usize, clock: usize, newest: f64, after: Vec<u8>) -> Result<Self> {
        ensure_regular(path)?;
        let file = File::open(path).doing("reading", path)?;
        let whole = whole_lines(&file).doing("reading", path)?;
        let file = Box::new(io::BufReader::new(file.take(whole)));
        let path = path.to_path_buf();
        let mut lines = Lines { path, file, line: String::new(), networks, clock, newest, after, turn: None };
        lines.read()?;
        // The column's name in earlier versions.
        let now = if clock == 0 { "diverged_at" } else { "weights_fixed" };
        let names = lines.line.trim_end().split(',').map(|name| if name == "frozen" { now } else { name });
        lines.line = names.collect::<Vec<_>>().join(",") + "\n";
        Ok(lines)
    }

    /// The name of a turn.
    fn unit(&self) -> &'static str {
        if self.clock == 0 {
            "update"
        } else {
            "second"
        }
    }

    fn read(&mut self) -> Result<()> {
        self.line.clear();
        self.file.read_line(&mut self.line).doing("reading", &self.path).map(drop)
    }

    fn advance(&mut self) -> Result<()> {
        self.read()?;
        let number = self.line.split(',').nth(self.clock).unwrap_or_default();
        let invalid = || Error::Content(format!("`{number}` is not a valid {} number", self.unit()));
        let turn: Option<f64> =
            if self.line.is_empty() { None } else { Some(number.parse().map_err(|_| invalid()).at_path(&self.path)?) };
        if !self.after.is_empty() && turn.is_none_or(|turn| turn > self.newest) {
            // Later rows in the file are not counted.
            self.file = Box::new(io::Cursor::new(std::mem::take(&mut self.after)));
            return self.advance();
        }
        self.turn = turn;
        Ok(())
    }
}
