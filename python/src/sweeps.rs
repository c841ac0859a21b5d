//! Sweeps over settings and networks.

use crate::errors::OrRaise;
use crate::values::{object, settings};
use hebbian_rnn::sweep::{Job, JobNews};
use hebbian_rnn::{Error, Sweep, SweepPlan};
use pyo3::exceptions::PyUserWarning;
use pyo3::prelude::*;
use pyo3::types::PyDict;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

/// Plans a sweep in a folder from a description (TOML or a dict); returns the number of jobs.
#[pyfunction]
pub fn plan_sweep(plan: &Bound<'_, PyAny>, out: PathBuf) -> PyResult<usize> {
    let plan = match plan.cast::<PyDict>() {
        Ok(table) => {
            let table: toml::Table = settings(table)?.into_iter().map(|setting| (setting.key, setting.value)).collect();
            SweepPlan::parse(&table.to_string(), "the plan")
        }
        Err(_) => SweepPlan::parse(&plan.extract::<String>()?, "the plan"),
    };
    Ok(plan.and_then(|plan| plan.write(&out)).or_raise()?.jobs().len())
}

/// Runs some or all jobs to their end; `told` is called on this thread with the number finished. Ctrl-C, or an exception in `told`,
/// saves and stops them.
#[pyfunction]
#[pyo3(signature = (folder, jobs, at_once, told))]
pub fn run_jobs(
    py: Python<'_>,
    folder: PathBuf,
    jobs: Option<Vec<usize>>,
    at_once: Option<usize>,
    told: &Bound<'_, PyAny>,
) -> PyResult<()> {
    let sweep = Sweep::open(&folder).or_raise()?;
    let jobs = jobs.unwrap_or_else(|| (1..=sweep.jobs().len()).collect());
    let jobs = jobs.iter().map(|number| sweep.job(*number)).collect::<Result<Vec<&Job>, Error>>().or_raise()?;
    let (todo, best) = sweep.unfinished(jobs).or_raise()?;
    let (stop, finished) = (AtomicBool::new(false), AtomicUsize::new(0));
    let news = |_: &Job, news: JobNews| {
        if matches!(news, JobNews::Finished) {
            finished.fetch_add(1, Ordering::SeqCst);
        }
    };
    let told = told.clone().unbind();
    let (failed, raised) = py.detach(|| {
        std::thread::scope(|scope| {
            let work = || sweep.run_all(&todo, at_once.unwrap_or(best).max(1), &news, &|| stop.load(Ordering::SeqCst));
            let working = scope.spawn(work);
            let mut raised = Ok(());
            while !working.is_finished() {
                std::thread::sleep(Duration::from_millis(20));
                if raised.is_ok() {
                    let count = finished.load(Ordering::SeqCst);
                    raised = Python::attach(|py| {
                        py.check_signals()?;
                        told.call1(py, (count, todo.len())).map(drop)
                    });
                    stop.store(raised.is_err(), Ordering::SeqCst);
                }
            }
            (working.join(), raised)
        })
    });
    raised?;
    let failed = failed.unwrap_or_else(|_| Err(Error::Bug("a job panicked".into()))).or_raise()?;
    match failed.into_iter().next() {
        Some((_, why)) => Err(crate::errors::exception(why)),
        None => told.call1(py, (todo.len(), todo.len())).map(drop),
    }
}

/// Collects a sweep, draws its pictures and writes its page; returns the keys and the settings, the best first.
#[pyfunction]
pub fn collect_sweep(py: Python<'_>, folder: PathBuf, partial: bool) -> PyResult<(Vec<String>, Bound<'_, PyAny>)> {
    let sweep = Sweep::open(&folder).or_raise()?;
    let found = crate::run::apart(py, || {
        let found = sweep.collect(partial)?;
        sweep.draw(&found)?;
        Ok(found)
    })?;
    if !found.unchecked.is_empty() {
        let warning =
            c"the jobs finished under an earlier version, so it could not be checked whether their files have changed";
        PyErr::warn(py, &py.get_type::<PyUserWarning>(), warning, 2)?;
    }
    Ok((sweep.keys().to_vec(), object(py, &found.settings)?))
}
