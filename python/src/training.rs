//! Runs in the background, which Python can watch, pause, inspect and stop. They never wait for Python's thread.

use crate::errors::{exception, OrRaise};
use crate::lives::LifeRun;
use crate::run::Run;
use crate::tasks::OwnTask;
use hebbian_rnn::storage::Persistent;
use hebbian_rnn::worlds::LifeRow;
use hebbian_rnn::{Checkpoint, Error, LifeCheckpoint, Lives, NetworkReport, Observer, StopReason};
use hebbian_rnn::{Trainer, UpdateReport};
use pyo3::exceptions::PyRuntimeError;
use pyo3::prelude::*;
use pyo3::types::PyAny;
use std::path::PathBuf;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// How often a waiting thread looks at signals and reports progress.
const TICK: Duration = Duration::from_millis(100);

/// The progress of a run.
#[pyclass(frozen, get_all, module = "hebbian_rnn")]
#[derive(Clone, Default)]
pub struct Progress {
    /// Updates so far; of a simulation, blocks.
    updates: u64,
    /// Updates, or blocks, at which it stops; `None` if no number is set.
    limit: Option<u64>,
    /// Trials of each network so far.
    trials: u64,
    /// The measured quantity: "error" or, in an environment, "return"; of a simulation "simulated seconds".
    measured: &'static str,
    /// The measured quantity's mean over networks in the newest update.
    mean: f64,
    /// Fraction correct among the last 100 trials, mean over networks.
    correct: f64,
    /// Trials per second of this training, over all networks; of a simulation, simulated seconds per second.
    trials_per_second: f64,
    /// Seconds since it began.
    seconds: f64,
    /// All of this in a few words.
    text: String,
    /// Warnings so far, for example that a file could not be written.
    warnings: Vec<String>,
}

/// A kind of run: training, or a simulation of lives.
pub trait Kind: Persistent<Row: Clone + Send> + Send + 'static {
    /// Its networks, as Python sees them.
    type Networks: Clone + Send + 'static;

    fn object(py: Python<'_>, networks: Self::Networks) -> PyResult<Py<PyAny>>;

    fn networks(
        checkpoint: Self::Checkpoint,
        rows: Vec<Self::Row>,
        folder: Option<PathBuf>,
        stopped: Option<StopReason>,
    ) -> Self::Networks;

    /// Shows the present moment of a process that began at turn `first`, `seconds` ago.
    fn show(&self, report: Option<&Self::Report>, first: u64, seconds: f64, progress: &mut Progress);
}

impl Kind for Trainer {
    type Networks = Run;

    fn object(py: Python<'_>, networks: Run) -> PyResult<Py<PyAny>> {
        Py::new(py, networks).map(Py::into_any)
    }

    fn networks(
        checkpoint: Checkpoint,
        rows: Vec<NetworkReport>,
        folder: Option<PathBuf>,
        stopped: Option<StopReason>,
    ) -> Run {
        Run { checkpoint, rows, folder, stopped }
    }

    fn show(&self, report: Option<&UpdateReport>, first: u64, seconds: f64, progress: &mut Progress) {
        progress.measured = if self.setup().task().episodes().is_some() { "return" } else { "error" };
        (progress.updates, progress.trials) = (self.updates(), self.trials());
        let Some(report) = report else { return };
        let trials = (report.update - first) * self.config().train.batch as u64 * report.networks.len() as u64;
        progress.mean = report.mean(NetworkReport::measured).unwrap_or(f64::NAN);
        progress.correct = report.mean(|row| row.recent_correct).unwrap_or(f64::NAN);
        progress.trials_per_second = trials as f64 / seconds.max(1e-9);
        progress.text = format!(
            "{} {:.3}  correct {:.2}  {:.0} trials/s",
            progress.measured, progress.mean, progress.correct, progress.trials_per_second
        );
    }
}

impl Kind for Lives {
    type Networks = LifeRun;

    fn object(py: Python<'_>, networks: LifeRun) -> PyResult<Py<PyAny>> {
        Py::new(py, networks).map(Py::into_any)
    }

    fn networks(
        checkpoint: LifeCheckpoint,
        rows: Vec<LifeRow>,
        folder: Option<PathBuf>,
        stopped: Option<StopReason>,
    ) -> LifeRun {
        LifeRun { checkpoint, rows, folder, stopped }
    }

    fn show(&self, report: Option<&Vec<LifeRow>>, first: u64, seconds: f64, progress: &mut Progress) {
        progress.measured = "simulated seconds";
        (progress.updates, progress.mean, progress.correct) = (self.block(), self.seconds(), f64::NAN);
        let Some(report) = report else { return };
        let lived = (self.block() - first) as f64 * self.block_seconds();
        progress.trials_per_second = lived / seconds.max(1e-9);
        progress.text = hebbian_rnn::Process::in_short(self, report);
    }
}

/// The state of a run, shared by two threads.
struct Shared<K: Kind> {
    state: Mutex<State<K>>,
    changed: Condvar,
}

struct State<K: Kind> {
    aborted: bool,
    paused: bool,
    asked: bool,
    looked: Option<Result<K::Networks, Error>>,
    progress: Progress,
    ended: Option<Ended<K>>,
}

/// The outcome of a run: its networks, unless the device no longer returns them, and the error, if there was one.
struct Ended<K: Kind> {
    networks: Result<K::Networks, Error>,
    failed: Option<Error>,
}

impl<K: Kind> Shared<K> {
    fn lock(&self) -> MutexGuard<'_, State<K>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn change(&self, change: impl FnOnce(&mut State<K>)) {
        change(&mut self.lock());
        self.changed.notify_all();
    }
}

/// Follows a run on its own thread.
struct Follower<K: Kind> {
    shared: Arc<Shared<K>>,
    rows: Vec<K::Row>,
    folder: Option<PathBuf>,
    started: Instant,
    first: u64,
}

impl<K: Kind> Follower<K> {
    fn opened(&self, process: &K, stopped: Option<StopReason>) -> Result<K::Networks, Error> {
        Ok(<K as Kind>::networks(process.checkpoint()?, self.rows.clone(), self.folder.clone(), stopped))
    }
}

impl<K: Kind> Observer<K> for Follower<K> {
    fn update(&mut self, process: &K, report: &K::Report) -> hebbian_rnn::Result<()> {
        self.rows.extend_from_slice(K::rows(report));
        let mut state = self.shared.lock();
        state.progress.seconds = self.started.elapsed().as_secs_f64();
        let seconds = state.progress.seconds;
        process.show(Some(report), self.first, seconds, &mut state.progress);
        loop {
            if std::mem::take(&mut state.asked) {
                state.looked = Some(self.opened(process, None));
                self.shared.changed.notify_all();
            }
            if !state.paused || state.aborted {
                return Ok(());
            }
            state = self.shared.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn warning(&mut self, message: &str) {
        self.shared.change(|state| state.progress.warnings.push(message.into()));
    }
}

/// The requests that Python can make of a run in the background, whatever its kind.
trait Background: Send + Sync {
    /// Waits at most one tick until the run has ended or, if `inspected`, has been inspected; returns whether this has happened.
    fn tick(&self, inspected: bool) -> bool;
    fn progress(&self) -> Progress;
    fn has_ended(&self) -> bool;
    fn pause(&self, paused: bool);
    fn abort(&self);
    fn ask(&self);
    /// The networks that were asked for; `None` if it ended first.
    fn inspected(&self, py: Python<'_>) -> Option<PyResult<Py<PyAny>>>;
    /// The networks at the end.
    fn outcome(&self, py: Python<'_>) -> PyResult<Py<PyAny>>;
    fn failure(&self) -> Option<PyErr>;
}

impl<K: Kind> Background for Shared<K> {
    fn tick(&self, inspected: bool) -> bool {
        let until = |state: &State<K>| state.ended.is_some() || inspected && state.looked.is_some();
        let waited = self.changed.wait_timeout_while(self.lock(), TICK, |state| !until(state));
        until(&waited.unwrap_or_else(PoisonError::into_inner).0)
    }

    fn progress(&self) -> Progress {
        self.lock().progress.clone()
    }

    fn has_ended(&self) -> bool {
        self.lock().ended.is_some()
    }

    fn pause(&self, paused: bool) {
        self.change(|state| state.paused = paused);
    }

    fn abort(&self) {
        self.change(|state| state.aborted = true);
    }

    fn ask(&self) {
        self.change(|state| (state.asked, state.looked) = (true, None));
    }

    fn inspected(&self, py: Python<'_>) -> Option<PyResult<Py<PyAny>>> {
        let looked = self.lock().looked.take()?;
        Some(looked.or_raise().and_then(|networks| K::object(py, networks)))
    }

    fn outcome(&self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        let networks = match self.lock().ended.as_ref().map(|ended| &ended.networks) {
            Some(Ok(networks)) => networks.clone(),
            Some(Err(error)) => return Err(PyRuntimeError::new_err(error.to_string())),
            None => return Err(PyRuntimeError::new_err("the run ended because of a bug; its message is above")),
        };
        K::object(py, networks)
    }

    fn failure(&self) -> Option<PyErr> {
        self.lock().ended.as_mut()?.failed.take().map(exception)
    }
}

/// A run in the background. Dropping it stops it, as `abort` does.
#[pyclass(frozen, module = "hebbian_rnn", weakref)]
pub struct Training {
    run: Arc<dyn Background>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl Training {
    /// Lets a run proceed; `before` are the rows of an earlier one that it continues.
    pub fn begin<K: Kind>(
        run: hebbian_rnn::Run<K>,
        before: Vec<K::Row>,
        own: Option<&OwnTask>,
        warnings: Vec<String>,
    ) -> PyResult<Self> {
        let mut progress = Progress { limit: run.process().limit(), warnings, ..Progress::default() };
        run.process().show(None, 0, 0.0, &mut progress);
        let state = State { aborted: false, paused: false, asked: false, looked: None, progress, ended: None };
        let shared = Arc::new(Shared { state: Mutex::new(state), changed: Condvar::new() });
        // Handing work to threads from outside costs two context switches each time, so a run has its own threads. Then another run
        // beside it, or a paused one, does not block it either.
        let threads = rayon::ThreadPoolBuilder::new().build();
        let threads = threads
            .map_err(|error| PyRuntimeError::new_err(format!("the threads of a run could not be started: {error}")))?;
        let worker = shared.clone();
        let rest = own.map(|own| own.rest());
        let work = move || {
            threads.install(|| proceed(run, before, worker));
            if let Some(rest) = rest {
                rest();
            }
        };
        let thread = std::thread::Builder::new().name("hebbian-rnn run".into()).spawn(work)?;
        Ok(Training { run: shared, thread: Mutex::new(Some(thread)) })
    }

    fn tick(&self, py: Python<'_>, inspected: bool) -> PyResult<bool> {
        let reached = py.detach(|| self.run.tick(inspected));
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
    /// Waits until the run ends, at most `timeout` seconds. Returns whether it has ended.
    #[pyo3(signature = (timeout=None, on_progress=None))]
    fn wait(&self, py: Python<'_>, timeout: Option<f64>, on_progress: Option<&Bound<'_, PyAny>>) -> PyResult<bool> {
        let end = timeout.map(|seconds| Instant::now() + Duration::from_secs_f64(seconds.clamp(0.0, 1e9)));
        loop {
            let ended = self.tick(py, false)?;
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
        self.run.progress()
    }

    /// Whether it has ended.
    #[getter]
    fn ended(&self) -> bool {
        self.run.has_ended()
    }

    /// Stops after the update in progress until `proceed`.
    fn pause(&self) {
        self.run.pause(true);
    }

    /// Continues after `pause`.
    fn proceed(&self) {
        self.run.pause(false);
    }

    /// Stops after the update in progress, keeping everything, and waits until it has stopped.
    fn abort(&self, py: Python<'_>) {
        self.run.abort();
        self.join(py);
    }

    /// The networks after the update in progress. The run continues.
    fn inspect(&self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        self.run.ask();
        while !self.tick(py, true)? {}
        self.run.inspected(py).unwrap_or_else(|| self.run(py))
    }

    /// Its outcome.
    fn run(&self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        self.join(py);
        self.run.outcome(py)
    }

    /// The exception that ended it, if any. Only the first call returns it.
    fn failure(&self) -> Option<PyErr> {
        self.run.failure()
    }
}

impl Drop for Training {
    fn drop(&mut self) {
        self.run.abort();
    }
}

/// Proceeds until the run ends for any reason.
fn proceed<K: Kind>(mut run: hebbian_rnn::Run<K>, before: Vec<K::Row>, shared: Arc<Shared<K>>) {
    let (first, folder) = (run.process().clock(), run.path().map(Into::into));
    let mut follower = Follower { shared: shared.clone(), rows: before, folder, started: Instant::now(), first };
    let (stopped, failed) = match run.proceed(&mut [&mut follower], &|| shared.lock().aborted) {
        Ok(reason) => (Some(reason), None),
        Err(error) => (None, Some(error)),
    };
    // The folder is unlocked before the end is announced.
    let (process, lock) = run.into_parts();
    drop(lock);
    let networks = follower.opened(&process, stopped);
    shared.change(|state| state.ended = Some(Ended { networks, failed }));
}
