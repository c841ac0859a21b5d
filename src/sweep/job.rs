//! Runs one job: from the beginning, from where it stopped, or not at all if it is finished.

use super::scores::{write_scores, write_verdicts, SCORES_FILE};
use super::seal::SEAL_FILE;
use super::subject::Subject;
use super::{Job, Sweep};
use crate::device::{open_devices, parse_devices};
use crate::engine::check_memory;
use crate::error::{bail, ensure, Doing, Error, Result};
use crate::files::{refuse_link, refuse_links_in, remove_unfinished};
use crate::presets::{LifeSetup, Setup};
use crate::reader::ensure_regular;
use crate::runs::evaluate;
use crate::storage::{holds_a_checkpoint, holds_life_rows, newest, LifeFolder, Lock, RunFolder, METRICS_FILE};
use crate::training::{
    Checkpoint, Integrity, LifeCheckpoint, Lives, Observer, StopReason, Trainer, UpdateReport, CHECKPOINT_FILE,
};
use candle_core::Device;
use serde::Serialize;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{channel, Receiver};
use std::sync::{Mutex, PoisonError};

/// Fresh trials of each trained network at a job's end.
const TRIALS: u64 = 400;

/// The progress of a job.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
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
    /// Its networks are trained and tested, or have lived.
    Finished,
}

/// An event in a job.
pub enum JobNews<'a> {
    /// It has made an update.
    Update(&'a Trainer, &'a UpdateReport),
    /// Its lives have continued.
    Lived(&'a Lives),
    /// Writing has begun to fail, or works again.
    Warning(&'a str),
    /// It has finished.
    Finished,
    /// It has failed. The other jobs continue.
    Failed(&'a Error),
}

/// Keeps a job's folder up to date, and passes on its updates and warnings.
struct Watch<'a> {
    run: RunFolder,
    warnings: Receiver<String>,
    news: &'a dyn Fn(JobNews),
}

impl<'a> Watch<'a> {
    fn new(mut run: RunFolder, news: &'a dyn Fn(JobNews)) -> Self {
        let (sender, warnings) = channel();
        run.on_warning(move |warning| drop(sender.send(warning.to_string())));
        Watch { run, warnings, news }
    }

    fn pass_on_warnings(&self) {
        self.warnings.try_iter().for_each(|warning| (self.news)(JobNews::Warning(&warning)));
    }
}

impl Observer for Watch<'_> {
    fn update(&mut self, trainer: &Trainer, report: &UpdateReport) -> Result<()> {
        self.run.update(trainer, report)?;
        self.pass_on_warnings();
        (self.news)(JobNews::Update(trainer, report));
        Ok(())
    }

    fn finish(&mut self, trainer: &Trainer) -> Result<()> {
        let finished = self.run.finish(trainer);
        self.pass_on_warnings();
        finished
    }
}

impl Sweep {
    /// The unfinished ones among these jobs, and how many to run at once: one per thread, or one on a GPU.
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

    /// Runs jobs as [`run`](Sweep::run) does, `at_once` at a time, which share the threads of this process. Returns those that failed,
    /// in order. `news` is called with the events of each.
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

    /// Runs a job until it is finished, or until `interrupted`, and then saves it; returns whether it is finished. A started job
    /// continues, bit for bit as if it had never stopped; a finished one is left alone.
    ///
    /// # Errors
    /// [`Error::Usage`] if another process runs it, or if its folder holds a run of other settings; [`Error::Content`] if its
    /// checkpoint was changed, or if its folder or a file in it is a symbolic link; otherwise as [`Trainer::train_with`] or [`LifeFolder::live`].
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
        let news = |told: JobNews| news(job, told);
        match subject {
            Subject::Task(config) => self.train(job, lock, Setup::new(*config)?, &devices, &news, interrupted),
            Subject::Life(config) => {
                let [device] = &devices[..] else {
                    bail!(Usage, "life.device names {} devices; expected one", devices.len())
                };
                self.live(job, lock, LifeSetup::new(*config)?, device, &news, interrupted)
            }
        }
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

    /// Trains a job's networks and tests them; returns whether it is finished.
    fn train(
        &self,
        job: &Job,
        lock: Lock,
        setup: Setup,
        devices: &[Device],
        news: &dyn Fn(JobNews),
        interrupted: &dyn Fn() -> bool,
    ) -> Result<bool> {
        let folder = &self.job_folder(job);
        check_memory(&setup, devices)?;
        let (mut trainer, saved_at) = begin(folder, setup, devices)?;
        // It keeps the folder locked.
        let mut run = Watch::new(RunFolder::reopen(lock, trainer.config(), saved_at)?, news);
        if trainer.finished().is_none() || saved_at != Some(trainer.updates()) {
            let reason = trainer.train_with(&mut [&mut run], interrupted)?;
            if reason == StopReason::Interrupted {
                return Ok(false);
            }
        }
        let checkpoint = trainer.checkpoint()?;
        drop(trainer);
        let scores = evaluate(&checkpoint, TRIALS, checkpoint.setup.config.train.seed)?;
        write_scores(folder, &checkpoint, &scores)?;
        self.seal(job).map(|()| true)
    }

    /// Simulates a job's lives; returns whether they are over.
    fn live(
        &self,
        job: &Job,
        lock: Lock,
        setup: LifeSetup,
        device: &Device,
        news: &dyn Fn(JobNews),
        interrupted: &dyn Fn() -> bool,
    ) -> Result<bool> {
        let folder = &self.job_folder(job);
        let (mut lives, saved_at) = if holds_a_checkpoint(folder) {
            let checkpoint = LifeCheckpoint::read(folder)?;
            let difference = checkpoint.setup.config.difference(&setup.config, &[])?;
            same_plan(&folder.join(CHECKPOINT_FILE), checkpoint.integrity, difference)?;
            (Lives::resume(&checkpoint, device)?, Some(checkpoint.block))
        } else {
            (Lives::new(setup, device)?, None)
        };
        // It keeps the folder locked.
        let mut run = LifeFolder::reopen(lock, lives.setup(), saved_at)?;
        let mut report = |lives: &Lives, warning: Option<&str>| match warning {
            None => news(JobNews::Lived(lives)),
            Some(warning) => news(JobNews::Warning(warning)),
        };
        if !run.live(&mut lives, &mut report, interrupted)? {
            return Ok(false);
        }
        write_verdicts(folder, lives.setup(), &run.rows()?)?;
        self.seal(job).map(|()| true)
    }
}

/// Refuses a checkpoint that was changed, or whose configuration differs from that of the plan.
fn same_plan(file: &Path, integrity: Integrity, difference: Option<(String, String, String)>) -> Result<()> {
    ensure!(
        integrity != Integrity::Changed,
        Content,
        "{}: its checksum does not match: it was damaged, or edited by hand; remove the folder to run this job again",
        file.display()
    );
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

/// The trainer of a job, and the update of its newest checkpoint, from which it continues.
fn begin(folder: &Path, setup: Setup, devices: &[Device]) -> Result<(Trainer, Option<u64>)> {
    if !holds_a_checkpoint(folder) {
        return Ok((Trainer::new(setup, devices)?, None));
    }
    let checkpoint = Checkpoint::read(folder, &Device::Cpu)?;
    let difference = checkpoint.setup.config.difference(&setup.config, &["train.init", "train.init_sha256"])?;
    same_plan(&folder.join(CHECKPOINT_FILE), checkpoint.integrity, difference)?;
    let updates = checkpoint.updates;
    Ok((Trainer::resume(&Checkpoint { setup, ..checkpoint }, devices)?, Some(updates)))
}
