//! Runs one job, from the beginning or from where it stopped; a finished job is left alone.

use super::scores::{write_scores, write_verdicts, SCORES_FILE};
use super::seal::SEAL_FILE;
use super::subject::Subject;
use super::{Job, Sweep};
use crate::config::{Config, LifeConfig};
use crate::device::{open_devices, parse_devices};
use crate::error::{bail, ensure, Doing, Error, Result};
use crate::files::{refuse_link, refuse_links_in, remove_unfinished};
use crate::reader::ensure_regular;
use crate::runs::evaluate;
use crate::setup::{LifeSetup, Setup};
use crate::storage::{holds_a_checkpoint, holds_life_rows, newest, read_life_rows, METRICS_FILE};
use crate::storage::{Lock, Persistent, Run, Saved};
use crate::training::{Integrity, Lives, Observer, Process, StopReason, Trainer, CHECKPOINT_FILE};
use candle_core::Device;
use serde::Serialize;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

/// The number of fresh trials on which each trained network is tested at a job's end.
const TRIALS: u64 = 400;

/// The progress of a job.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum JobState {
    /// It has not begun.
    Waiting,
    /// It has begun, and is running or was stopped.
    Begun {
        /// Updates so far.
        updates: u64,
    },
    /// Its lives are being simulated, or were stopped.
    Living {
        /// Their age.
        seconds: f64,
    },
    /// Its table exists but is not sealed: an earlier version of the program ran it, or it was killed as it ended. If run
    /// again, its networks are only retested.
    Unconfirmed,
    /// Its networks are trained and tested, or its lives are over.
    Finished,
}

/// An event in a job.
#[non_exhaustive]
pub enum JobNews<'a> {
    /// It has proceeded: the moment and a summary of the report, in one line.
    Progress(&'a dyn Fn() -> String),
    /// Writing has begun to fail, or works again.
    Warning(&'a str),
    /// It has finished.
    Finished,
    /// It has failed. The other jobs continue.
    Failed(&'a Error),
}

/// Passes on the events in a job.
struct Watch<'a> {
    news: &'a dyn Fn(JobNews),
}

impl<P: Process> Observer<P> for Watch<'_> {
    fn update(&mut self, process: &P, report: &P::Report) -> Result<()> {
        (self.news)(JobNews::Progress(&|| format!("{}, {}", process.moment(), process.in_short(report))));
        Ok(())
    }

    fn warning(&mut self, message: &str) {
        (self.news)(JobNews::Warning(message));
    }
}

/// A process whose networks have a table of scores.
trait Scored: Persistent {
    /// The first key in which a saved configuration differs from the planned one, with both values.
    fn difference(saved: &Self::Config, planned: &Self::Config) -> Result<Option<(String, String, String)>>;
    /// Writes the table of a finished job.
    fn write_table(self, folder: &Path) -> Result<()>;
}

impl Scored for Trainer {
    fn difference(saved: &Config, planned: &Config) -> Result<Option<(String, String, String)>> {
        saved.difference(planned, &["train.init", "train.init_sha256"])
    }

    /// Tests the networks on fresh trials.
    fn write_table(self, folder: &Path) -> Result<()> {
        let checkpoint = self.checkpoint()?;
        // Frees the memory that only training needs.
        drop(self);
        let scores = evaluate(&checkpoint, TRIALS, checkpoint.setup.config.train.seed)?;
        write_scores(folder, &checkpoint, &scores)
    }
}

impl Scored for Lives {
    fn difference(saved: &LifeConfig, planned: &LifeConfig) -> Result<Option<(String, String, String)>> {
        saved.difference(planned, &[])
    }

    fn write_table(self, folder: &Path) -> Result<()> {
        write_verdicts(folder, self.setup(), &read_life_rows(&folder.join(METRICS_FILE))?)
    }
}

impl Sweep {
    /// The unfinished jobs among these, and the number to run at once: one per thread, or one on a GPU.
    ///
    /// # Errors
    /// As [`Sweep::state`] and [`open_devices`].
    pub fn unfinished<'a>(&self, jobs: impl IntoIterator<Item = &'a Job>) -> Result<(Vec<&'a Job>, usize)> {
        let mut left = Vec::new();
        for job in jobs {
            if self.state(job)? != JobState::Finished {
                left.push(job);
            }
        }
        let Some(first) = left.first() else { return Ok((left, 0)) };
        let devices = open_devices(&parse_devices(self.subject(first)?.device())?)?.devices;
        let on_cpu = devices.iter().all(Device::is_cpu);
        let at_once = if on_cpu { rayon::current_num_threads().min(left.len()) } else { 1 };
        Ok((left, at_once))
    }

    /// Runs jobs as [`run`](Sweep::run) does, `at_once` at a time; they share the threads of this process. Returns the jobs that
    /// failed, in order. `news` is called with the events of each job.
    ///
    /// # Errors
    /// [`Error::Io`] if threads cannot be started.
    pub fn run_all(
        &self,
        jobs: &[&Job],
        at_once: usize,
        news: &(dyn Fn(&Job, JobNews) + Sync),
        interrupted: &(dyn Fn() -> bool + Sync),
    ) -> Result<Vec<(usize, Error)>> {
        let (next, failed) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
        let work = || {
            while let Some(job) = jobs.get(next.fetch_add(1, Ordering::SeqCst)).filter(|_| !interrupted()) {
                match self.run(job, news, interrupted) {
                    Ok(true) => news(job, JobNews::Finished),
                    Ok(false) => return,
                    Err(why) => {
                        news(job, JobNews::Failed(&why));
                        failed.lock().unwrap_or_else(PoisonError::into_inner).push((job.number, why));
                    }
                }
            }
        };
        let threads = (rayon::current_num_threads() / at_once.max(1)).max(1);
        let pool = |_| rayon::ThreadPoolBuilder::new().num_threads(threads).build().map_err(std::io::Error::other);
        let pools =
            (0..at_once).map(pool).collect::<std::io::Result<Vec<_>>>().doing("starting threads for", self.folder())?;
        std::thread::scope(|scope| pools.iter().for_each(|pool| drop(scope.spawn(|| pool.install(work)))));
        let mut failed = failed.into_inner().unwrap_or_else(PoisonError::into_inner);
        failed.sort_by_key(|(number, _)| *number);
        Ok(failed)
    }

    /// Runs a job until it is finished or `interrupted` returns true, and saves it; returns whether it is finished. A job that has
    /// begun continues, bit for bit as if it had never stopped; a finished job is left alone.
    ///
    /// # Errors
    /// [`Error::Usage`] if another process runs it, or if its folder holds a run of other settings; [`Error::Content`] if its
    /// checkpoint was changed, or if its folder or a file in it is a symbolic link; otherwise as [`Run::resume`] and [`Run::proceed`].
    pub fn run(&self, job: &Job, news: &dyn Fn(&Job, JobNews), interrupted: &dyn Fn() -> bool) -> Result<bool> {
        if self.state(job)? == JobState::Finished {
            return Ok(true);
        }
        let folder = self.job_folder(job);
        let subject = self.subject(job)?;
        refuse_link(&self.folder().join("jobs"))?;
        refuse_links_in(&folder)?;
        std::fs::create_dir_all(&folder).doing("creating the folder", &folder)?;
        let devices = open_devices(&parse_devices(subject.device())?)?.devices;
        let lock = Lock::take(&folder)?;
        remove_unfinished(&folder, &[""]).doing("clearing", &folder)?;
        let mut watch = Watch { news: &|event| news(job, event) };
        let finished = match subject {
            Subject::Task(config) => keep::<Trainer>(lock, Setup::new(*config)?, devices, &mut watch, interrupted)?,
            Subject::Life(config) => keep::<Lives>(lock, LifeSetup::new(*config)?, devices, &mut watch, interrupted)?,
        };
        if finished {
            self.seal(job)?;
        }
        Ok(finished)
    }

    /// The progress of a job, without reading its checkpoint.
    ///
    /// # Errors
    /// [`Error::Io`] if its folder cannot be read, [`Error::Content`] if its metrics are not a regular file.
    pub fn state(&self, job: &Job) -> Result<JobState> {
        let folder = self.job_folder(job);
        if folder.join(SEAL_FILE).exists() {
            return Ok(JobState::Finished);
        }
        if folder.join(SCORES_FILE).exists() {
            return Ok(JobState::Unconfirmed);
        }
        let path = folder.join(METRICS_FILE);
        if !path.exists() {
            return Ok(JobState::Waiting);
        }
        ensure_regular(&path)?;
        Ok(match holds_life_rows(&path)? {
            false => JobState::Begun { updates: newest(&path, 0)?.unwrap_or(0) },
            true => JobState::Living { seconds: newest(&path, 1)?.unwrap_or(0.0) },
        })
    }
}

/// Runs the process of a job in its locked folder, from the beginning or from its checkpoint. Once it is finished, writes its table.
/// Returns whether it is finished.
fn keep<P: Scored>(
    lock: Lock,
    setup: P::Setup,
    devices: Vec<Device>,
    watch: &mut Watch,
    interrupted: &dyn Fn() -> bool,
) -> Result<bool> {
    let folder = &lock.folder().to_path_buf();
    let mut run = if holds_a_checkpoint(folder) {
        Run::<P>::resume_locked(lock, P::read, |saved| {
            if let Saved::Checkpoint(checkpoint) = saved {
                let file = folder.join(CHECKPOINT_FILE);
                ensure_whole(&file, P::integrity(checkpoint))?;
                ensure_planned(&file, P::difference(saved.config(), P::config(&setup))?)?;
            }
            Ok::<_, Error>((setup, devices))
        })?
    } else {
        Run::begin(lock, P::start(setup, &devices)?)?
    };
    if run.proceed(&mut [watch], interrupted)? == StopReason::Interrupted {
        return Ok(false);
    }
    // The folder stays locked.
    let (process, _lock) = run.into_parts();
    process.write_table(folder).map(|()| true)
}

/// Refuses a checkpoint that was changed.
fn ensure_whole(file: &Path, integrity: Integrity) -> Result<()> {
    ensure!(
        integrity != Integrity::Changed,
        Content,
        "{}: its checksum does not match: it was damaged, or edited by hand; remove the folder to run this job again",
        file.display()
    );
    Ok(())
}

/// Refuses a configuration with a `difference` from that of the plan.
fn ensure_planned(file: &Path, difference: Option<(String, String, String)>) -> Result<()> {
    match difference {
        None => Ok(()),
        Some((key, before, now)) => bail!(
            Usage,
            "{key} is {before} in {} and {now} in the plan, which was changed after this job ran; plan a new sweep in another \
             folder",
            file.display()
        ),
    }
}
