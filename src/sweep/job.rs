//! Running one job: from the beginning, from where it was, or not at all if it is finished.

use super::{Job, Sweep};
use crate::device::{open_devices, parse_devices};
use crate::engine::check_memory;
use crate::error::{ensure, At, Doing, Error, Result};
use crate::files::write_atomically;
use crate::presets::Setup;
use crate::runs::{evaluate, Score};
use crate::storage::{holds_a_checkpoint, newest_update, to_csv, Lock, RunFolder, METRICS_FILE};
use crate::training::{Checkpoint, Integrity, Observer, StopReason, Trainer, UpdateReport, CHECKPOINT_FILE};
use candle_core::Device;
use documented::DocumentedFields;
use serde::{Deserialize, Serialize};
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

/// The table that ends a job: a row for each network.
const SCORES_FILE: &str = "scores.csv";
/// Fresh trials of each network in it.
const TRIALS: u64 = 400;

/// What came of a network: a row of a job's `scores.csv` and, after the columns of its setting, of a sweep's `results.csv`.
#[derive(Clone, Debug, PartialEq, DocumentedFields, Serialize, Deserialize)]
pub(super) struct Row {
    /// The network's index.
    pub network: u64,
    /// Updates made.
    pub updates: u64,
    /// Trials of the network.
    pub trials: u64,
    /// Trials to criterion, if it was reached.
    pub criterion_trials: Option<u64>,
    /// Mean error on fresh trials, as are all that follow but the last.
    pub error: f64,
    /// Fraction correct.
    pub fraction_correct: f64,
    /// In a world that answers: mean return.
    pub mean_return: Option<f64>,
    /// Its standard error.
    pub standard_error: Option<f64>,
    /// Mean steps of the world.
    pub mean_steps: Option<f64>,
    /// The update in which it diverged.
    pub frozen: Option<u64>,
}

/// How far a job is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum JobState {
    /// It has not begun.
    Waiting,
    /// It has begun, and is running or was stopped.
    Begun {
        /// Updates so far.
        updates: u64,
    },
    /// Its networks are trained and tested.
    Finished,
}

/// What happens to a job.
pub enum JobNews<'a> {
    /// It makes an update.
    Update(&'a Trainer, &'a UpdateReport),
    /// It is finished.
    Finished,
    /// It has failed. The other jobs go on.
    Failed(&'a Error),
}

/// Passes a job's updates on.
struct Messenger<'a>(&'a Job, &'a (dyn Fn(&Job, JobNews) + Sync));

impl Observer for Messenger<'_> {
    fn update(&mut self, trainer: &Trainer, report: &UpdateReport) -> Result<()> {
        (self.1)(self.0, JobNews::Update(trainer, report));
        Ok(())
    }
}

impl Sweep {
    /// Of these jobs, those that are not finished; and how many run best at once: as many as there are threads, one on a GPU.
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
        let devices = open_devices(&parse_devices(&self.config(first)?.train.device)?)?.devices;
        let on_cpu = devices.iter().all(Device::is_cpu);
        let at_once = if on_cpu { rayon::current_num_threads().min(left.len()) } else { 1 };
        Ok((left, at_once))
    }

    /// Runs jobs as [`run`](Sweep::run) does, `at_once` at a time, which share the threads of this process. Returns those that failed,
    /// in order. `news` hears from each.
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
                match self.run(job, &mut Messenger(job, news), interrupted) {
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

    /// Runs a job until it is finished, or until `interrupted`, and then saves it; returns whether it is finished. One that was
    /// begun goes on, to the bit as if it had never stopped; of one that is finished nothing is done.
    ///
    /// # Errors
    /// [`Error::Usage`] if another process runs it, or if its folder holds a run of other settings; [`Error::Content`] if its
    /// checkpoint was changed; otherwise as [`Trainer::train_with`].
    pub fn run(&self, job: &Job, observer: &mut dyn Observer, interrupted: &dyn Fn() -> bool) -> Result<bool> {
        if self.state(job)? == JobState::Finished {
            return Ok(true);
        }
        let folder = self.job_folder(job);
        let setup = self.setup(job)?;
        std::fs::create_dir_all(&folder).doing("creating the folder", &folder)?;
        let lock = Lock::take(&folder)?;
        let devices = open_devices(&parse_devices(&setup.config.train.device)?)?.devices;
        check_memory(&setup, &devices)?;
        let (mut trainer, saved_at) = begin(&folder, setup, &devices)?;
        let mut run = RunFolder::reopen(lock, trainer.config(), saved_at)?;
        if trainer.finished().is_none() || saved_at != Some(trainer.updates()) {
            let reason = trainer.train_with(&mut [&mut run, observer], interrupted)?;
            if reason == StopReason::Interrupted {
                return Ok(false);
            }
        }
        let checkpoint = trainer.checkpoint()?;
        drop(trainer);
        let scores = evaluate(&checkpoint, TRIALS, checkpoint.setup.config.train.seed)?;
        write_atomically(&folder.join(SCORES_FILE), &to_csv(&rows(&checkpoint, &scores), true)?)?;
        Ok(true)
    }

    /// How far a job is, without reading its checkpoint.
    ///
    /// # Errors
    /// [`Error::Io`] if its folder cannot be read.
    pub fn state(&self, job: &Job) -> Result<JobState> {
        let folder = self.job_folder(job);
        if folder.join(SCORES_FILE).exists() {
            return Ok(JobState::Finished);
        }
        let path = folder.join(METRICS_FILE);
        if !path.exists() {
            return Ok(JobState::Waiting);
        }
        Ok(JobState::Begun { updates: newest_update(&path)? })
    }

    /// What came of a finished job's networks.
    pub(super) fn scores(&self, job: &Job) -> Result<Vec<Row>> {
        let path = self.job_folder(job).join(SCORES_FILE);
        let text = std::fs::read(&path).doing("reading", &path)?;
        let rows = csv::Reader::from_reader(&text[..]).into_deserialize().collect::<Result<_, csv::Error>>();
        rows.map_err(|error| Error::Content(error.to_string())).at_path(&path)
    }
}

/// The trainer of a job, and the update of its newest checkpoint, from which it goes on.
fn begin(folder: &Path, setup: Setup, devices: &[Device]) -> Result<(Trainer, Option<u64>)> {
    if !holds_a_checkpoint(folder) {
        return Ok((Trainer::new(setup, devices)?, None));
    }
    let checkpoint = Checkpoint::read(folder, &Device::Cpu)?;
    let file = folder.join(CHECKPOINT_FILE);
    ensure!(
        checkpoint.integrity != Integrity::Changed,
        Content,
        "{}: its checksum does not fit: it was damaged, or edited by hand; remove the folder to run this job again",
        file.display()
    );
    if let Some((key, before, now)) =
        checkpoint.setup.config.difference(&setup.config, &["train.init", "train.init_sha256"])?
    {
        return Err(Error::Usage(format!(
            "{key} is {before} in {} and {now} in the plan, which was changed after this job ran: plan a sweep of its own in another \
             folder",
            file.display()
        )));
    }
    let updates = checkpoint.updates;
    Ok((Trainer::resume(&Checkpoint { setup, ..checkpoint }, devices)?, Some(updates)))
}

/// The rows of a job's table.
fn rows(checkpoint: &Checkpoint, scores: &[Score]) -> Vec<Row> {
    let row = |score: &Score| Row {
        network: score.network,
        updates: checkpoint.updates,
        trials: checkpoint.trials(),
        criterion_trials: score.criterion_trials,
        error: score.error,
        fraction_correct: score.fraction_correct,
        mean_return: score.returns.map(|returns| returns.mean_return),
        standard_error: score.returns.map(|returns| returns.standard_error),
        mean_steps: score.returns.map(|returns| returns.mean_steps),
        frozen: score.frozen.map(|frozen| frozen.update),
    };
    scores.iter().map(row).collect()
}
