//! The native part of the Python package `hebbian_rnn`, described by `hebbian_rnn/_native.pyi`.

mod errors;
mod leaving;
mod life_worlds;
mod lives;
mod run;
mod sweeps;
mod tasks;
mod training;
mod values;
mod worlds;

use crate::errors::OrRaise;
use crate::tasks::OwnTask;
use crate::training::Training;
use hebbian_rnn::device::parse_devices;
use hebbian_rnn::engine::automatic_batch;
use hebbian_rnn::presets::{all_tasks, resolve_config, LIVES};
use hebbian_rnn::tasks::EpisodeSettings;
use hebbian_rnn::{open_devices, Own, Process, Run, Setting, Setup, Trainer, RULES};
use pyo3::prelude::*;
use pyo3::types::PyDict;
use std::path::PathBuf;

/// Starts training on a listed task, or on a user-defined one, whose settings start from those of a listed one.
#[pyfunction]
#[pyo3(signature = (task, given, out, force, automatic))]
fn start(
    py: Python<'_>,
    task: Bound<'_, PyAny>,
    given: &Bound<'_, PyDict>,
    out: Option<PathBuf>,
    force: bool,
    automatic: bool,
) -> PyResult<Training> {
    let given = values::settings(given)?;
    let own = task.cast::<OwnTask>().ok().map(|own| own.get());
    let mut setup = match own {
        Some(own) => with_own(own, &given),
        None => Setup::resolve(Some(&task.extract::<String>()?), &given),
    }
    .or_raise()?;
    let warnings = setup.unread(&given);
    let run = run::apart(py, || {
        let devices = open_devices(&parse_devices(&setup.config().train.device)?)?.devices;
        if automatic {
            let batch = automatic_batch(&setup, &devices)? as i64;
            setup = setup.changed(&[Setting::flag("batch", "train.batch", batch)])?;
        }
        let trainer = Trainer::start(setup, &devices)?;
        match out {
            Some(out) => Run::create(&out, trainer, force),
            None => Ok(Run::in_memory(trainer)),
        }
    })?;
    Training::begin(run, Vec::new(), own, warnings)
}

/// Explains a key, task, rule or column.
#[pyfunction]
fn explain(name: &str) -> PyResult<String> {
    hebbian_rnn::explain(name).or_raise()
}

/// The name, usual rule and summary of each task.
#[pyfunction]
fn task_table() -> Vec<(&'static str, &'static str, &'static str)> {
    all_tasks().map(|task| (task.name, task.rule, task.summary)).collect()
}

/// The name and summary of each learning rule of tasks.
#[pyfunction]
fn rule_table() -> Vec<(&'static str, &'static str)> {
    RULES.iter().map(|rule| (rule.name, rule.summary)).collect()
}

/// The name, rules and summary of each life.
#[pyfunction]
fn life_table() -> Vec<(&'static str, Vec<&'static str>, &'static str)> {
    LIVES.iter().map(|life| (life.name, life.rules.to_vec(), life.summary)).collect()
}

/// Writes a file, whole or not at all.
#[pyfunction]
fn write(path: PathBuf, bytes: &[u8]) -> PyResult<()> {
    hebbian_rnn::files::write_atomically(&path, bytes).or_raise()
}

/// The settings of the task on which `own` is based, with `own` instead of that task.
fn with_own(own: &OwnTask, given: &[Setting]) -> hebbian_rnn::Result<Setup> {
    let task = own.task();
    let mut config = resolve_config(Some(own.like), given)?;
    // The settings of episodes apply to any world; the rest of the table belongs to the other task.
    config.task.retain(|key, _| task.episodes().is_some() && EpisodeSettings::has(key));
    config.task.insert("name".into(), task.name().into());
    Setup::with(config, Own { task: Some(task), ..Own::default() })
}

#[pymodule]
fn _native(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add("__version__", env!("CARGO_PKG_VERSION"))?;
    module.add_class::<run::Run>()?;
    module.add_class::<training::Progress>()?;
    module.add_class::<Training>()?;
    module.add_class::<OwnTask>()?;
    module.add_class::<lives::LifeRun>()?;
    module.add_function(wrap_pyfunction!(start, module)?)?;
    module.add_function(wrap_pyfunction!(lives::start_life, module)?)?;
    module.add_function(wrap_pyfunction!(lives::load_life, module)?)?;
    module.add_function(wrap_pyfunction!(lives::is_life, module)?)?;
    module.add_function(wrap_pyfunction!(run::load, module)?)?;
    module.add_function(wrap_pyfunction!(tasks::function_task, module)?)?;
    module.add_function(wrap_pyfunction!(tasks::world_task, module)?)?;
    module.add_function(wrap_pyfunction!(sweeps::plan_sweep, module)?)?;
    module.add_function(wrap_pyfunction!(sweeps::run_jobs, module)?)?;
    module.add_function(wrap_pyfunction!(sweeps::collect_sweep, module)?)?;
    module.add_function(wrap_pyfunction!(explain, module)?)?;
    module.add_function(wrap_pyfunction!(task_table, module)?)?;
    module.add_function(wrap_pyfunction!(rule_table, module)?)?;
    module.add_function(wrap_pyfunction!(life_table, module)?)?;
    module.add_function(wrap_pyfunction!(write, module)?)?;
    module.add_function(wrap_pyfunction!(leaving::leave, module)?)?;
    Ok(())
}
