//! Simulated networks whose weights change at every step: lives.

use crate::errors::OrRaise;
use crate::life_worlds;
use crate::run::{apart, arrays, ensure_at, name_reason, refuse_edited};
use crate::training::Training;
use crate::values::{object, settings};
use hebbian_rnn::device::parse_devices;
use hebbian_rnn::report::{draw_life, report_life};
use hebbian_rnn::runs::{record_life, simulate_life, watched_neurons, LifeRecordOptions};
use hebbian_rnn::storage::{holds_a_life, read_life_rows, METRICS_FILE};
use hebbian_rnn::training::verdicts;
use hebbian_rnn::worlds::LifeRow;
use hebbian_rnn::{open_devices, Integrity, LifeCheckpoint, LifeSetup, Lives, OwnLife, Process, Run, StopReason};
use numpy::{PyArray1, PyArray2};
use pyo3::exceptions::PyRuntimeError;
use pyo3::prelude::*;
use pyo3::types::PyDict;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Simulated networks, with the rows of their metrics.
#[pyclass(frozen, module = "hebbian_rnn._native")]
#[derive(Clone)]
pub struct LifeRun {
    pub checkpoint: LifeCheckpoint,
    pub rows: Vec<LifeRow>,
    pub folder: Option<PathBuf>,
    pub stopped: Option<StopReason>,
}

/// Pre- and postsynaptic neurons, and weights.
type Synapses<'py> = (Bound<'py, PyArray1<u32>>, Bound<'py, PyArray1<u32>>, Bound<'py, PyArray1<f64>>);

fn array2<'py>(py: Python<'py>, rows: &[Vec<f64>]) -> PyResult<Bound<'py, PyArray2<f64>>> {
    PyArray2::from_vec2(py, rows).map_err(|error| PyRuntimeError::new_err(error.to_string()))
}

/// Δt in ms, outputs [steps, neurons] and membrane potentials [steps, watched].
type Activity<'py> = (f64, Bound<'py, PyArray2<f64>>, Bound<'py, PyArray2<f64>>);

/// Whether a run's folder or a checkpoint's file holds a simulation.
#[pyfunction]
pub fn is_life(path: PathBuf) -> bool {
    holds_a_life(&path)
}

/// Starts a simulation.
#[pyfunction]
#[pyo3(signature = (life, rule, given, out, force, world))]
pub fn start_life(
    py: Python<'_>,
    life: &str,
    rule: Option<&str>,
    given: &Bound<'_, PyDict>,
    out: Option<PathBuf>,
    force: bool,
    world: Option<&Bound<'_, PyAny>>,
) -> PyResult<Training> {
    let setup = LifeSetup::resolve_with(Some(life), rule, &settings(given)?, own_life(world)?).or_raise()?;
    let run = apart(py, || {
        let devices = open_devices(&parse_devices(&setup.config().life.device)?)?.devices;
        let lives = Lives::start(setup, &devices)?;
        match out {
            Some(out) => Run::create(&out, lives, force),
            None => Ok(Run::in_memory(lives)),
        }
    })?;
    Training::begin(run, Vec::new(), None, Vec::new())
}

/// An `OwnLife` with the user's world, if there is one.
fn own_life(world: Option<&Bound<'_, PyAny>>) -> PyResult<OwnLife> {
    world.map_or(Ok(OwnLife::default()), life_worlds::own)
}

/// The networks of a simulation's folder or of a checkpoint's file.
#[pyfunction]
#[pyo3(signature = (path, world=None))]
pub fn load_life(py: Python<'_>, path: PathBuf, world: Option<&Bound<'_, PyAny>>) -> PyResult<LifeRun> {
    let own = own_life(world)?;
    apart(py, || {
        let checkpoint = LifeCheckpoint::read_with(&path, own)?;
        let metrics = path.join(METRICS_FILE);
        let rows = if metrics.is_file() { read_life_rows(&metrics)? } else { Vec::new() };
        Ok(LifeRun { checkpoint, rows, folder: path.is_dir().then_some(path), stopped: None })
    })
}

#[pymethods]
impl LifeRun {
    /// The columns of metrics.csv.
    fn metrics<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let columns = PyDict::new(py);
        let column = |value: &dyn Fn(&LifeRow) -> f64| PyArray1::from_iter(py, self.rows.iter().map(value));
        columns.set_item("network", PyArray1::from_iter(py, self.rows.iter().map(|row| row.network as i64)))?;
        columns.set_item("seconds", column(&|row| row.seconds))?;
        columns.set_item("weights_fixed", PyArray1::from_iter(py, self.rows.iter().map(|row| row.weights_fixed)))?;
        for (k, name) in self.checkpoint.setup.world().figures().into_iter().enumerate() {
            columns.set_item(name, column(&|row| row.figures[k]))?;
        }
        Ok(columns)
    }

    /// The results of each network.
    fn verdicts<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let verdicts = verdicts(&self.checkpoint.setup, &self.rows).or_raise()?;
        let columns = PyDict::new(py);
        columns.set_item("network", PyArray1::from_iter(py, verdicts.iter().map(|(network, _)| *network as i64)))?;
        columns.set_item("learnt", verdicts.iter().map(|(_, verdict)| verdict.learnt).collect::<Vec<_>>())?;
        let names =
            verdicts.first().map(|(_, first)| first.figures.iter().map(|(name, _)| name.clone()).collect::<Vec<_>>());
        for (k, name) in names.unwrap_or_default().into_iter().enumerate() {
            columns
                .set_item(name, PyArray1::from_iter(py, verdicts.iter().map(|(_, verdict)| verdict.figures[k].1)))?;
        }
        Ok(columns)
    }

    fn config<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        object(py, &self.checkpoint.setup.config())
    }

    /// The names of populations, their sizes and neuron models.
    fn populations(&self) -> Vec<(String, usize, String)> {
        let setup = &self.checkpoint.setup;
        let populations = setup.config().populations.iter().zip(setup.models());
        populations.map(|(population, model)| (population.name.clone(), population.size, model.name().into())).collect()
    }

    /// The synapses of each projection, by its name: a triple for each network.
    fn synapses<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let projections = PyDict::new(py);
        for (k, (name, ..)) in self.checkpoint.setup.circuit().projections.iter().enumerate() {
            let networks = self.checkpoint.states.iter().map(|state| -> Synapses<'py> {
                let synapses = &state.synapses[k];
                (
                    PyArray1::from_slice(py, &synapses.pre),
                    PyArray1::from_slice(py, &synapses.post),
                    PyArray1::from_slice(py, &synapses.weight),
                )
            });
            projections.set_item(name, networks.collect::<Vec<_>>())?;
        }
        Ok(projections)
    }

    /// The outputs [steps, neurons] and membrane potentials [steps, watched] of a network in the next `seconds`.
    fn simulate<'py>(
        &self,
        py: Python<'py>,
        seconds: f64,
        network: usize,
        watch: Vec<String>,
    ) -> PyResult<Activity<'py>> {
        let activity = apart(py, || {
            let watched = if watch.is_empty() { Vec::new() } else { watched_neurons(&self.checkpoint.setup, &watch)? };
            simulate_life(&self.checkpoint, network, 1000.0 * seconds, true, &watched)
        })?;
        let steps = activity.outputs.len();
        let membranes = (0..steps).map(|step| activity.membranes.iter().map(|neuron| neuron[step]).collect());
        let membranes: Vec<Vec<f64>> = membranes.collect();
        Ok((activity.dt_ms, array2(py, &activity.outputs)?, array2(py, &membranes)?))
    }

    /// Every step of the next `seconds`: arrays by name, and the metadata.
    fn record<'py>(
        &self,
        py: Python<'py>,
        seconds: f64,
        learn: bool,
        weights: bool,
        watch: Vec<String>,
    ) -> PyResult<(Bound<'py, PyDict>, BTreeMap<String, String>)> {
        let mut options = LifeRecordOptions::default();
        (options.seconds, options.learn, options.weights, options.membranes) = (seconds, learn, weights, watch);
        let recording = apart(py, || record_life(&self.checkpoint, &options))?;
        Ok((arrays(py, recording.tensors)?, recording.metadata))
    }

    /// The indices of the networks.
    #[getter]
    fn networks(&self) -> Vec<u64> {
        self.checkpoint.setup.config().life.networks.range().collect()
    }

    /// The simulated time.
    #[getter]
    fn seconds(&self) -> f64 {
        self.checkpoint.seconds()
    }

    #[getter]
    fn folder(&self) -> Option<PathBuf> {
        self.folder.clone()
    }

    /// Why the simulation stopped.
    #[getter]
    fn stopped(&self) -> Option<&'static str> {
        self.stopped.map(name_reason)
    }

    /// Whether the checkpoint's file was changed after it was written.
    #[getter]
    fn edited(&self) -> bool {
        self.checkpoint.integrity == Integrity::Changed
    }

    /// Writes a checkpoint if the name ends in .safetensors, else a run's folder.
    fn save(&self, py: Python<'_>, path: PathBuf, force: bool) -> PyResult<()> {
        apart(py, || {
            if path.extension().is_some_and(|end| end == "safetensors") {
                return hebbian_rnn::files::write_atomically(&path, &self.checkpoint.to_bytes()?);
            }
            Run::<Lives>::write(&path, force, &mut self.checkpoint.clone(), &self.rows)
        })
    }

    /// Continues the simulation, in its folder if it has one.
    fn resume(&self, py: Python<'_>, given: &Bound<'_, PyDict>, accept_edited: bool) -> PyResult<Training> {
        let given = settings(given)?;
        let run = apart(py, || {
            let here = &self.checkpoint;
            let setup = here.setup.changed(&given)?;
            here.ensure_continues(&setup, "this run")?;
            refuse_edited(here.integrity, accept_edited)?;
            let devices = open_devices(&parse_devices(&setup.config().life.device)?)?.devices;
            let Some(path) = &self.folder else {
                let mut checkpoint = here.clone();
                checkpoint.setup = setup;
                return Ok(Run::in_memory(Lives::restore(&checkpoint, &devices)?));
            };
            let read = |path: &Path| {
                let newest = LifeCheckpoint::read_with(path, here.setup.own().clone())?;
                ensure_at(path, "block", newest.block, here.block).map(|()| newest)
            };
            Run::resume(path, read, |_| Ok((setup, devices)))
        })?;
        Training::begin::<Lives>(run, self.rows.clone(), None, Vec::new())
    }

    /// The figures over time and the circuit, as SVG.
    fn pictures(&self, py: Python<'_>, watch: Vec<String>) -> PyResult<(String, String)> {
        apart(py, || draw_life(&self.checkpoint, &self.rows, &watch))
    }

    /// Writes the pictures and the page into the folder.
    fn report(&self, py: Python<'_>, folder: PathBuf, watch: Vec<String>) -> PyResult<()> {
        apart(py, || report_life(&folder, &self.checkpoint, &self.rows, &watch))
    }

    /// The life and its size in one line.
    fn describe(&self) -> PyResult<String> {
        let setup = &self.checkpoint.setup;
        let (count, neurons) = (setup.config().life.networks.count(), setup.circuit().neurons());
        let [several, each] = if count == 1 { ["", ""] } else { ["s", " each"] };
        let (world, seconds) = (setup.config().world_name().or_raise()?, self.checkpoint.seconds());
        Ok(format!("{world}, {count} network{several} of {neurons} neurons after {seconds} simulated seconds{each}"))
    }
}
