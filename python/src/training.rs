//! Training in the background: watched, paused, inspected and stopped from Python, whose thread it never waits for.

use crate::errors::{exception, OrRaise};
use crate::run::Run;
use crate::tasks::OwnTask;
use hebbian_rnn::{Error, NetworkReport, Observer, RunFolder, StopReason, Trainer, UpdateReport};
use pyo3::exceptions::PyRuntimeError;
use pyo3::prelude::*;
use std::path::PathBuf;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// How often a waiting thread looks at signals and reports progress.
const TICK: Duration = Duration::from_millis(100);

/// The progress of training.
#[pyclass(frozen, get_all, module = "hebbian_rnn")]
#[derive(Clone, Default)]
pub struct Progress {
    /// Updates so far.
    updates: u64,
    /// Updates at which it stops; `None` if no number is set.
    limit: Option<u64>,
    /// Trials of each network so far.
    trials: u64,
    /// The measured quantity: "error" or, in a world, "return".
    measured: &'static str,
    /// Its mean over networks in the newest update.
    mean: f64,
    /// Fraction correct among the last 100 trials, mean over networks.
    correct: f64,
    /// Trials per second of this training, over all networks.
    trials_per_second: f64,
    /// Seconds since training began.
    seconds: f64,
    /// Warnings so far, for example that a file could not be written.
    warnings: Vec<String>,
}

/// The state of training, shared by two threads.
#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    aborted: bool,
    paused: bool,
    asked: bool,
    looked: Option<Result<Run, Error>>,
    progress: Progress,
    ended: Option<Ended>,
}

/// The outcome of training: the trained networks, unless the device no longer returns them, and the error, if there was one.
struct Ended {
    trained: Result<Run, Error>,
    failed: Option<Error>,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn change(&self, change: impl FnOnce(&mut State)) {
        change(&mut self.lock());
        self.changed.notify_all();
    }
}

/// Follows training on its own thread.
struct Follower {
    shared: Arc<Shared>,
    rows: Vec<NetworkReport>,
    folder: Option<PathBuf>,
    started: Instant,
    first: u64,
}

impl Follower {
    fn trained(&self, trainer: &Trainer, stopped: Option<StopReason>) -> Result<Run, Error> {
        let (checkpoint, rows) = (trainer.checkpoint()?, self.rows.clone());
        Ok(Run { checkpoint, rows, folder: self.folder.clone(), stopped })
    }
}

impl Observer for Follower {
    fn update(&mut self, trainer: &Trainer, report: &UpdateReport) -> hebbian_rnn::Result<()> {
        self.rows.extend(report.networks.iter().cloned());
        let mut state = self.shared.lock();
        let seconds = self.started.elapsed().as_secs_f64();
        let batch = trainer.config().train.batch as u64;
        let trials = (report.update - self.first) * batch * report.networks.len() as u64;
        state.progress.updates = report.update;
        state.progress.trials = report.trials;
        state.progress.mean = report.mean(NetworkReport::measured).unwrap_or(f64::NAN);
        state.progress.correct = report.mean(|row| row.recent_correct).unwrap_or(f64::NAN);
        state.progress.trials_per_second = trials as f64 / seconds.max(1e-9);
        state.progress.seconds = seconds;
        loop {
            if std::mem::take(&mut state.asked) {
                state.looked = Some(self.trained(trainer, None));
                self.shared.changed.notify_all();
            }
            if !state.paused || state.aborted {
                return Ok(());
            }
            state = self.shared.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }
}

/// Training in the background. Dropping it stops it, as `abort` does.
#[pyclass(frozen, module = "hebbian_rnn", weakref)]
pub struct Training {
    shared: Arc<Shared>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl Training {
    /// Lets `trainer` train; `before` are the rows of an earlier run that it continues.
    pub fn begin(
        trainer: Trainer,
        folder: Option<(RunFolder, PathBuf)>,
        before: Vec<NetworkReport>,
        own: Option<&OwnTask>,
        warnings: Vec<String>,
    ) -> PyResult<Self> {
        let shared = Arc::new(Shared::default());
        let limit = trainer.config().train.max_updates();
        shared.change(|state| {
            state.progress.measured = trainer.setup().task.measure().word();
            state.progress.warnings = warnings;
            state.progress.limit = (limit < u64::MAX).then_some(limit);
            (state.progress.updates, state.progress.trials) = (trainer.updates(), trainer.trials());
        });
        // Handing work to threads from outside costs two switches each time, so training has its own threads; another one
        // beside it, or one that is paused, then blocks nothing.
        let threads = rayon::ThreadPoolBuilder::new().build();
        let threads = threads
            .map_err(|error| PyRuntimeError::new_err(format!("the training threads could not be started: {error}")))?;
        let worker = shared.clone();
        let rest = own.map(|own| own.rest());
        let work = move || {
            threads.install(|| train(trainer, folder, before, worker));
            if let Some(rest) = rest {
                rest();
            }
        };
        let thread = std::thread::Builder::new().name("hebbian-rnn training".into()).spawn(work)?;
        Ok(Training { shared, thread: Mutex::new(Some(thread)) })
    }

    /// Waits at most one tick for a change of the state, then checks for signals.
    fn tick(&self, py: Python<'_>, until: impl Fn(&State) -> bool + Sync) -> PyResult<bool> {
        let reached = py.detach(|| {
            let state = self.shared.lock();
            let waited = self.shared.changed.wait_timeout_while(state, TICK, |state| !until(state));
            until(&waited.unwrap_or_else(PoisonError::into_inner).0)
        });
        py.check_signals()?;
        Ok(reached)
    }

    fn join(&self, py: Python<'_>) {
        py.detach(|| {
            let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
            // The panic was reported when it happened.
            thread.map(JoinHandle::join)
        });
    }
}

#[pymethods]
impl Training {
    /// Waits until the training ends, at most `timeout` seconds. Returns whether it has ended.
    #[pyo3(signature = (timeout=None, on_progress=None))]
    fn wait(&self, py: Python<'_>, timeout: Option<f64>, on_progress: Option<&Bound<'_, PyAny>>) -> PyResult<bool> {
        let end = timeout.map(|seconds| Instant::now() + Duration::from_secs_f64(seconds.clamp(0.0, 1e9)));
        loop {
            let ended = self.tick(py, |state| state.ended.is_some())?;
            if let Some(on_progress) = on_progress {
                on_progress.call1((self.progress(),))?;
            }
            if ended || end.is_some_and(|end| Instant::now() >= end) {
                return Ok(ended);
            }
        }
    }

    /// Its progress.
    #[getter]
    fn progress(&self) -> Progress {
        self.shared.lock().progress.clone()
    }

    /// Whether it has ended.
    #[getter]
    fn ended(&self) -> bool {
        self.shared.lock().ended.is_some()
    }

    /// Stops after the update in progress until `proceed`.
    fn pause(&self) {
        self.shared.change(|state| state.paused = true);
    }

    /// Continues after `pause`.
    fn proceed(&self) {
        self.shared.change(|state| state.paused = false);
    }

    /// Stops after the update in progress, keeping everything, and waits for that.
    fn abort(&self, py: Python<'_>) {
        self.shared.change(|state| state.aborted = true);
        self.join(py);
    }

    /// The networks after the update in progress. Training continues.
    fn inspect(&self, py: Python<'_>) -> PyResult<Run> {
        self.shared.change(|state| (state.asked, state.looked) = (true, None));
        while !self.tick(py, |state| state.looked.is_some() || state.ended.is_some())? {}
        let looked = self.shared.lock().looked.take();
        match looked {
            Some(trained) => trained.or_raise(),
            None => self.run(py),
        }
    }

    /// Its outcome.
    fn run(&self, py: Python<'_>) -> PyResult<Run> {
        self.join(py);
        let state = self.shared.lock();
        match state.ended.as_ref().map(|ended| &ended.trained) {
            Some(Ok(run)) => Ok(run.clone()),
            Some(Err(error)) => Err(PyRuntimeError::new_err(error.to_string())),
            None => Err(PyRuntimeError::new_err("training ended because of a bug; its message is above")),
        }
    }

    /// The exception that ended it, if any. The first call takes it away.
    fn failure(&self) -> Option<PyErr> {
        self.shared.lock().ended.as_mut()?.failed.take().map(exception)
    }
}

impl Drop for Training {
    fn drop(&mut self) {
        self.shared.change(|state| state.aborted = true);
    }
}

/// Trains until training ends for any reason.
fn train(mut trainer: Trainer, folder: Option<(RunFolder, PathBuf)>, before: Vec<NetworkReport>, shared: Arc<Shared>) {
    let (mut folder, path) = folder.unzip();
    let warned = shared.clone();
    if let Some(folder) = &mut folder {
        folder.on_warning(move |warning| warned.change(|state| state.progress.warnings.push(warning.into())));
    }
    let first = trainer.updates();
    let mut follower = Follower { shared: shared.clone(), rows: before, folder: path, started: Instant::now(), first };
    let outcome = {
        let mut observers: Vec<&mut dyn Observer> = Vec::new();
        observers.extend(folder.as_mut().map(|folder| folder as &mut dyn Observer));
        observers.push(&mut follower);
        trainer.train_with(&mut observers, &|| shared.lock().aborted)
    };
    let (stopped, failed) = match outcome {
        Ok(reason) => (Some(reason), None),
        Err(error) => (None, Some(error)),
    };
    // The folder is unlocked before the end is announced.
    drop(folder);
    let trained = follower.trained(&trainer, stopped);
    shared.change(|state| state.ended = Some(Ended { trained, failed }));
}
