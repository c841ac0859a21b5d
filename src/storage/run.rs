//! A run: a process, and the folder in which it is saved.

use super::folder::{claim, Folder};
use super::{holds_a_checkpoint, Lock, Metrics, CONFIG_FILE};
use crate::config::NetworkRange;
use crate::error::{ensure, At, Doing, Error, Result};
use crate::training::{Integrity, Observer, Process, StopReason};
use candle_core::Device;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

/// How a process is written to files and read from them.
pub trait Persistent: Process {
    /// Its configuration.
    type Config;
    /// A row of `metrics.csv`.
    type Row;
    /// The subcommand that continues it.
    const COMMAND: &'static str;
    /// Says, in messages about a failed write, that the work goes on, such as `training continues`.
    const CONTINUES: &'static str;
    /// The column of `metrics.csv` that numbers the turns.
    const CLOCK: usize;

    /// The configuration in a setup.
    fn config(setup: &Self::Setup) -> &Self::Config;

    /// The configuration as the text of `config.toml`.
    ///
    /// # Errors
    /// [`Error::Bug`] if a value cannot be written as TOML.
    fn write_config(config: &Self::Config) -> Result<String>;

    /// The configuration in `config.toml`.
    ///
    /// # Errors
    /// [`Error::Usage`] if a key is missing, unknown or of the wrong type.
    fn read_config(text: &str) -> Result<Self::Config>;

    /// The number of earlier checkpoints to keep besides the newest.
    fn keep(setup: &Self::Setup) -> u64;

    /// The rows of a report.
    fn rows(report: &Self::Report) -> &[Self::Row];

    /// Rows as CSV; `first`: they are the first ones in the file.
    ///
    /// # Errors
    /// [`Error::Bug`] if a value cannot be written as CSV.
    fn write_rows(rows: &[Self::Row], first: bool) -> Result<Vec<u8>>;

    /// Opens `metrics.csv` to append rows to those of the first `turns` turns; removes any later ones. `None`: there is no checkpoint.
    ///
    /// # Errors
    /// [`Error::Io`] if the file cannot be read or written; [`Error::Content`] if it lacks rows that a checkpoint counts.
    fn open_metrics(path: &Path, setup: &Self::Setup, turns: Option<u64>) -> Result<Metrics>;

    /// The setup of a checkpoint.
    fn setup_of(checkpoint: &mut Self::Checkpoint) -> &mut Self::Setup;

    /// The contents of a checkpoint's file.
    ///
    /// # Errors
    /// [`Error::Tensors`] if a device's memory cannot be read, or there is no memory for it.
    fn write_checkpoint(checkpoint: &Self::Checkpoint) -> Result<Vec<u8>>;

    /// Reads the newest checkpoint of a run, in host memory.
    ///
    /// # Errors
    /// As [`Checkpoint::read`](crate::Checkpoint::read).
    fn read(run: &Path) -> Result<Self::Checkpoint>;

    /// The newest undamaged checkpoint among the earlier ones kept for `path`, which holds this one, and its moment.
    fn whole_previous(checkpoint: &Self::Checkpoint, path: &Path) -> Option<(PathBuf, String)>;

    /// Whether a checkpoint has changed since it was written.
    fn integrity(checkpoint: &Self::Checkpoint) -> Integrity;

    /// The version of the program that wrote a checkpoint.
    fn program(checkpoint: &Self::Checkpoint) -> &str;

    /// The indices of its networks.
    fn networks(checkpoint: &Self::Checkpoint) -> NetworkRange;

    /// The number of turns so far, and the value in column [`Persistent::CLOCK`] of `metrics.csv` for the last one.
    fn turns(checkpoint: &Self::Checkpoint) -> (u64, f64);

    /// The moment at which it was taken, in words such as `update 7`.
    fn moment_of(checkpoint: &Self::Checkpoint) -> String;

    /// The first key in which two parts of a run differ although parts must agree in it, with both values.
    ///
    /// # Errors
    /// [`Error::Bug`] if a value cannot be written as TOML.
    fn difference_of_parts(
        one: &Self::Checkpoint,
        other: &Self::Checkpoint,
    ) -> Result<Option<(String, String, String)>>;

    /// Lets a finished part wait until the others have made `turns`; returns the rows for this time.
    ///
    /// # Errors
    /// As [`Process::advance`].
    fn wait(_checkpoint: &mut Self::Checkpoint, _turns: u64) -> Result<Vec<Self::Row>> {
        Ok(Vec::new())
    }

    /// The networks of all parts, which are `networks`, as if they had been in one run.
    ///
    /// # Errors
    /// [`Error::Tensors`] if there is no memory for them.
    fn join(parts: Vec<Self::Checkpoint>, networks: NetworkRange) -> Result<Self::Checkpoint>;
}

/// The state that an interrupted run has left in its folder.
pub enum Saved<P: Persistent> {
    /// Its newest checkpoint.
    Checkpoint(P::Checkpoint),
    /// Only its configuration: it ended before its first checkpoint.
    Config(P::Config),
}

impl<P: Persistent> Saved<P> {
    /// Its configuration.
    pub fn config(&mut self) -> &P::Config {
        match self {
            Saved::Checkpoint(checkpoint) => P::config(P::setup_of(checkpoint)),
            Saved::Config(config) => config,
        }
    }
}

/// A process, with the folder in which it is saved, if it has one.
///
/// ```
/// # use hebbian_rnn::{candle_core::Device, Checkpoint, Process, Run, Saved, StopReason, Trainer};
/// # let dir = tempfile::TempDir::new()?;
/// # let folder = &dir.path().join("run");
/// let trainer = Trainer::builder("echo").updates(2).build()?;
/// let mut run = Run::create(folder, trainer, false)?;
/// assert_eq!(run.proceed(&mut [], &|| false)?, StopReason::Limit);
/// drop(run);
///
/// // Resumes the run in this folder, with another limit.
/// let read = |path: &std::path::Path| Checkpoint::read(path, &Device::Cpu);
/// let mut run = Run::<Trainer>::resume(folder, read, |saved| {
///     let mut config = saved.config().clone();
///     config.train.updates = Some(5);
///     Ok::<_, hebbian_rnn::Error>((hebbian_rnn::Setup::new(config)?, vec![Device::Cpu]))
/// })?;
/// run.proceed(&mut [], &|| false)?;
/// assert_eq!(run.process().updates(), 5);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Run<P: Persistent> {
    process: P,
    folder: Option<Folder>,
    /// The turn of the newest checkpoint.
    saved_at: Option<u64>,
}

impl<P: Persistent> Run<P> {
    /// A run without a folder.
    pub fn in_memory(process: P) -> Self {
        Run { process, folder: None, saved_at: None }
    }

    /// A new run in a folder, whose configuration is written before the first turn. With `force`, an existing run is moved aside.
    ///
    /// # Errors
    /// [`Error::Usage`] if another process is using the folder or, without `force`, if it already holds a run; [`Error::Io`] if it
    /// cannot be written.
    pub fn create(path: &Path, process: P, force: bool) -> Result<Self> {
        Self::begin(claim(path, force)?, process)
    }

    /// Continues the run in a folder, or starts it again if it ended before its first checkpoint. `read` reads the checkpoint;
    /// `change` returns the setup, in which limits can differ from the saved ones, and the devices.
    ///
    /// # Errors
    /// [`Error::Usage`] if another process is using the folder, or if it does not hold a run; [`Error::Io`] if it cannot be written;
    /// [`Error::Content`] if the metrics lack rows that the checkpoint counts; otherwise those of `read`, `change` and
    /// [`Process::restore`].
    pub fn resume<E: From<Error>>(
        path: &Path,
        read: impl FnOnce(&Path) -> Result<P::Checkpoint, E>,
        change: impl FnOnce(&mut Saved<P>) -> Result<(P::Setup, Vec<Device>), E>,
    ) -> Result<Self, E> {
        Self::resume_locked(Lock::take(path)?, read, change)
    }

    /// As [`Run::resume`], in a locked folder.
    pub(crate) fn resume_locked<E: From<Error>>(
        lock: Lock,
        read: impl FnOnce(&Path) -> Result<P::Checkpoint, E>,
        change: impl FnOnce(&mut Saved<P>) -> Result<(P::Setup, Vec<Device>), E>,
    ) -> Result<Self, E> {
        let path = lock.folder();
        let mut saved = if holds_a_checkpoint(path) {
            Saved::Checkpoint(read(path)?)
        } else {
            Saved::Config(saved_config::<P>(path)?)
        };
        let (setup, devices) = change(&mut saved)?;
        match saved {
            Saved::Checkpoint(mut checkpoint) => {
                *P::setup_of(&mut checkpoint) = setup;
                let process = P::restore(&checkpoint, &devices)?;
                let turns = process.clock();
                Ok(Self::open(lock, process, Some(turns))?)
            }
            Saved::Config(_) => Ok(Self::begin(lock, P::start(setup, &devices)?)?),
        }
    }

    /// A run that starts from its beginning in a locked folder.
    pub(crate) fn begin(lock: Lock, process: P) -> Result<Self> {
        Self::open(lock, process, None)
    }

    fn open(lock: Lock, process: P, saved_at: Option<u64>) -> Result<Self> {
        let setup = process.setup();
        let metrics = |path: &Path| P::open_metrics(path, setup, saved_at);
        let moment = saved_at.map(|_| process.moment());
        let folder = Folder::open(lock, P::write_config(P::config(setup))?, metrics, moment)?;
        Ok(Run { process, folder: Some(folder), saved_at })
    }

    /// Writes a whole run, made elsewhere, into a new folder. `force` is as in [`Run::create`].
    ///
    /// # Errors
    /// As [`Run::create`].
    pub fn write(path: &Path, force: bool, checkpoint: &mut P::Checkpoint, rows: &[P::Row]) -> Result<()> {
        let bytes = P::write_checkpoint(checkpoint)?;
        let setup = P::setup_of(checkpoint);
        let metrics = |path: &Path| P::open_metrics(path, setup, None);
        let mut folder = Folder::open(claim(path, force)?, P::write_config(P::config(setup))?, metrics, None)?;
        folder.metrics.append(&P::write_rows(rows, true)?)?;
        folder.save("the last turn".into(), &bytes, P::keep(setup))
    }

    /// The process.
    pub fn process(&self) -> &P {
        &self.process
    }

    /// The process, and the lock of its folder.
    pub fn into_parts(self) -> (P, Option<Lock>) {
        (self.process, self.folder.map(Folder::into_lock))
    }

    /// The folder; `None` if it is only in memory.
    pub fn path(&self) -> Option<&Path> {
        self.folder.as_ref().map(Folder::path)
    }

    /// Whether the folder holds a checkpoint of the present moment.
    pub fn is_saved(&self) -> bool {
        self.saved_at == Some(self.process.clock())
    }

    /// Whether the folder held a checkpoint when it was opened, or holds one now.
    pub fn has_checkpoint(&self) -> bool {
        self.saved_at.is_some()
    }

    /// Proceeds as [`Process::run`] does, and keeps the folder up to date: rows after each report, checkpoints when they are due and
    /// at the end. A failed write does not stop it: observers get one warning when writing begins to fail and a message once everything
    /// is saved again. Without observers, these go to stderr.
    ///
    /// # Errors
    /// [`Error::Io`] if the final state cannot be saved; otherwise as [`Process::run`].
    pub fn proceed(
        &mut self,
        observers: &mut [&mut dyn Observer<P>],
        interrupted: &dyn Fn() -> bool,
    ) -> Result<StopReason> {
        let Run { process, folder, saved_at } = self;
        process.run(&mut [&mut Keeper { folder, saved_at, observers }], interrupted)
    }
}

/// The configuration of a run without a checkpoint.
fn saved_config<P: Persistent>(folder: &Path) -> Result<P::Config> {
    let path = folder.join(CONFIG_FILE);
    ensure!(
        path.exists(),
        Usage,
        "{} does not hold a run: it has neither a checkpoint nor a {CONFIG_FILE}",
        folder.display()
    );
    P::read_config(&fs::read_to_string(&path).doing("reading", &path)?).at_path(&path)
}

/// Keeps a folder up to date, and informs the other observers.
struct Keeper<'a, 'b, P: Persistent> {
    folder: &'a mut Option<Folder>,
    saved_at: &'a mut Option<u64>,
    observers: &'a mut [&'b mut dyn Observer<P>],
}

impl<P: Persistent> Keeper<'_, '_, P> {
    /// Saves the present moment.
    fn save(folder: &mut Folder, saved_at: &mut Option<u64>, process: &P) -> Result<()> {
        let checkpoint = process.checkpoint()?;
        let preparing = format!("preparing the checkpoint of {}", folder.path().display());
        let bytes = P::write_checkpoint(&checkpoint).at(preparing)?;
        folder.save(process.moment(), &bytes, P::keep(process.setup()))?;
        *saved_at = Some(process.clock());
        Ok(())
    }

    fn pass_on_messages(&mut self) {
        let Some(folder) = self.folder else { return };
        for message in folder.messages() {
            if self.observers.is_empty() {
                // The process does not stop if a log cannot be written.
                drop(writeln!(std::io::stderr(), "warning: {message}"));
            }
            self.observers.iter_mut().for_each(|observer| observer.warning(&message));
        }
    }
}

impl<P: Persistent> Observer<P> for Keeper<'_, '_, P> {
    fn update(&mut self, process: &P, report: &P::Report) -> Result<()> {
        if let Some(folder) = self.folder {
            let due = process.checkpoint_every().is_some_and(|every| process.clock().is_multiple_of(every));
            let mut written =
                P::write_rows(P::rows(report), folder.metrics.is_empty()).and_then(|rows| folder.metrics.append(&rows));
            if due && written.is_ok() {
                written = Self::save(folder, self.saved_at, process);
            }
            folder.note(written, due, P::CONTINUES);
        }
        self.pass_on_messages();
        self.observers.iter_mut().try_for_each(|observer| observer.update(process, report))
    }

    fn finish(&mut self, process: &P) -> Result<()> {
        let mut saved = Ok(());
        if let Some(folder) = self.folder.as_mut().filter(|_| *self.saved_at != Some(process.clock())) {
            let lost = folder.lost(&process.moment());
            saved = Self::save(folder, self.saved_at, process).at(lost);
            if saved.is_ok() {
                folder.note_saved();
            }
        }
        self.pass_on_messages();
        self.observers.iter_mut().try_for_each(|observer| observer.finish(process))?;
        saved
    }
}
