//! Trained networks.

use crate::errors::OrRaise;
use crate::tasks::OwnTask;
use crate::training::Training;
use crate::values::{array, columns, object, safetensors, settings};
use hebbian_rnn::analysis::{find_analysis, Options, Subject};
use hebbian_rnn::candle_core::safetensors::load_buffer;
use hebbian_rnn::candle_core::{Device, Tensor};
use hebbian_rnn::device::parse_devices;
use hebbian_rnn::engine::Record;
use hebbian_rnn::report::{LearningCurve, RunReport};
use hebbian_rnn::runs::{parse_inputs, record_trials, RecordOptions, TypeScore};
use hebbian_rnn::storage::{read_metrics, METRICS_FILE};
use hebbian_rnn::training::record_update;
use hebbian_rnn::{
    evaluate, open_devices, simulate, Checkpoint, Error, Integrity, NetworkReport, Own, Process, Run as KeptRun,
    StopReason, Trainer,
};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict, PyList};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Trained networks, with the record of their training.
#[pyclass(frozen, module = "hebbian_rnn._native")]
#[derive(Clone)]
pub struct Run {
    pub checkpoint: Checkpoint,
    pub rows: Vec<NetworkReport>,
    pub folder: Option<PathBuf>,
    pub stopped: Option<StopReason>,
}

impl Run {
    /// The networks with silenced neurons, named as on the command line.
    fn silenced(&self, names: &[String]) -> Result<Checkpoint, Error> {
        let mut checkpoint = self.checkpoint.clone();
        let mut neurons = Vec::new();
        for name in names {
            neurons.extend(checkpoint.neurons(name)?);
        }
        checkpoint.silence(&neurons)?;
        Ok(checkpoint)
    }

    fn seed(&self, seed: Option<u64>) -> u64 {
        seed.unwrap_or(self.checkpoint.setup.config().train.seed)
    }
}

/// Does long work without Python's lock, on the library's threads.
pub fn apart<T: Send>(py: Python<'_>, work: impl FnOnce() -> Result<T, Error> + Send) -> PyResult<T> {
    py.detach(|| rayon::scope(|_| work())).or_raise()
}

/// A reason to stop, as Python names it.
pub fn name_reason(reason: StopReason) -> &'static str {
    match reason {
        StopReason::Limit => "limit",
        StopReason::Criterion => "criterion",
        StopReason::Frozen => "frozen",
        _ => "interrupted",
    }
}

/// Refuses to continue from a checkpoint that was edited, unless that is accepted.
pub fn refuse_edited(integrity: Integrity, accepted: bool) -> Result<(), Error> {
    if integrity != Integrity::Changed || accepted {
        return Ok(());
    }
    let text = "the checkpoint was changed after it was written; accept_edited=True continues from it anyway";
    Err(Error::Usage(text.into()))
}

/// Refuses to continue in a folder whose run is at another moment than the run in memory.
pub fn ensure_at(path: &Path, turn: &str, found: u64, expected: u64) -> Result<(), Error> {
    if found == expected {
        return Ok(());
    }
    Err(Error::Usage(format!("{} is now at {turn} {found}, this run at {expected}: load it again", path.display())))
}

/// The networks of a run's folder or of a checkpoint's file.
#[pyfunction]
#[pyo3(signature = (path, task=None))]
pub fn load(py: Python<'_>, path: PathBuf, task: Option<&Bound<'_, OwnTask>>) -> PyResult<Run> {
    let own = Own { task: task.map(|task| task.get().task()), ..Own::default() };
    apart(py, || {
        let checkpoint = Checkpoint::read_with(&path, own, &Device::Cpu)?;
        let metrics = path.join(METRICS_FILE);
        let rows = if metrics.is_file() { read_metrics(&metrics)? } else { Vec::new() };
        let stopped = checkpoint.finished();
        Ok(Run { checkpoint, rows, folder: path.is_dir().then_some(path), stopped })
    })
}

/// Columns, the names of the trial types, what is known of each network and type, and chance.
type Scores<'py> = (Bound<'py, PyDict>, Vec<String>, Vec<Vec<[f64; 3]>>, Option<f64>);

/// The title, summary, tables and pictures of an analysis.
type Found<'py> = (&'static str, (Bound<'py, PyDict>, Bound<'py, PyDict>, Bound<'py, PyDict>));

#[pymethods]
impl Run {
    /// Every tensor of the checkpoint that learning or activity changes.
    fn tensors<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let tensors = PyDict::new(py);
        for (name, tensor) in self.checkpoint.plastic.each() {
            tensors.set_item(name, array(py, tensor)?)?;
        }
        Ok(tensors)
    }

    /// The names of the weights among the tensors.
    fn weight_names(&self) -> Vec<&'static str> {
        self.checkpoint.plastic.weights.each().map(|(name, _)| name).collect()
    }

    fn metrics<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        columns(py, &self.rows)
    }

    fn config<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        object(py, &self.checkpoint.setup.config())
    }

    #[getter]
    fn updates(&self) -> u64 {
        self.checkpoint.updates
    }

    #[getter]
    fn trials(&self) -> u64 {
        self.checkpoint.trials()
    }

    #[getter]
    fn folder(&self) -> Option<PathBuf> {
        self.folder.clone()
    }

    /// Why training stopped.
    #[getter]
    fn stopped(&self) -> Option<&'static str> {
        self.stopped.map(name_reason)
    }

    /// Whether the checkpoint's file was changed after it was written.
    #[getter]
    fn edited(&self) -> bool {
        self.checkpoint.integrity == Integrity::Changed
    }

    /// Trials to criterion of each network.
    #[getter]
    fn criterion_trials(&self) -> Vec<Option<u64>> {
        self.checkpoint.criterion.iter().map(|criterion| criterion.reached_at()).collect()
    }

    /// Scores as columns; the names of the trial types; for each network and type the number of trials, the error and the fraction
    /// correct; and chance, if it is known.
    #[pyo3(signature = (trials, seed, silence))]
    fn evaluate<'py>(
        &self,
        py: Python<'py>,
        trials: u64,
        seed: Option<u64>,
        silence: Vec<String>,
    ) -> PyResult<Scores<'py>> {
        let (scores, chance) = apart(py, || {
            let checkpoint = self.silenced(&silence)?;
            Ok((evaluate(&checkpoint, trials, self.seed(seed))?, checkpoint.setup.task().chance()))
        })?;
        let of_type = |of_type: &TypeScore| [of_type.trials as f64, of_type.error, of_type.fraction_correct];
        let types = scores.iter().map(|score| score.types.iter().map(of_type).collect()).collect();
        let names = self.checkpoint.setup.task().trial_types();
        Ok((columns(py, &scores)?, names, types, chance.map(|(error, _)| error)))
    }

    #[pyo3(signature = (inputs, record, seed, silence))]
    fn simulate<'py>(
        &self,
        py: Python<'py>,
        inputs: &Bound<'py, PyDict>,
        record: Vec<String>,
        seed: Option<u64>,
        silence: Vec<String>,
    ) -> PyResult<Bound<'py, PyDict>> {
        let bytes = safetensors(inputs)?;
        let kept = recorded(record).or_raise()?;
        let results = apart(py, || {
            let inputs = parse_inputs(&bytes, &self.checkpoint, &Device::Cpu)?;
            simulate(&self.silenced(&silence)?, inputs, kept, self.seed(seed))
        })?;
        arrays(py, results)
    }

    /// Fresh trials of the networks' own task: arrays, and the names of the trial types.
    #[pyo3(signature = (trials, types, record, seed, silence))]
    fn record<'py>(
        &self,
        py: Python<'py>,
        trials: usize,
        types: Vec<String>,
        record: Vec<String>,
        seed: Option<u64>,
        silence: Vec<String>,
    ) -> PyResult<(Bound<'py, PyDict>, Vec<String>)> {
        let record = recorded(record).or_raise()?;
        let options = RecordOptions { trials, types, record, seed: self.seed(seed) };
        let recording = apart(py, || record_trials(&self.silenced(&silence)?, &options))?;
        Ok((arrays(py, recording.tensors)?, self.checkpoint.setup.task().trial_types()))
    }

    /// The parts of the next update in training.
    fn record_update<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        arrays(py, apart(py, || record_update(&self.checkpoint))?)
    }

    /// The same networks with other values of some tensors, in memory.
    fn with_tensors(&self, given: &Bound<'_, PyDict>) -> PyResult<Self> {
        let bytes = safetensors(given)?;
        let given = load_buffer(&bytes, &Device::Cpu).or_raise()?;
        let plastic = &self.checkpoint.plastic;
        for (name, tensor) in &given {
            let Some(there) = plastic.get(name) else {
                let known: Vec<String> = plastic.each().map(|(name, _)| name.to_string()).collect();
                return Err(Error::Unknown { kind: "tensor", found: name.clone(), known }).or_raise();
            };
            if tensor.dims() != there.dims() {
                let (found, expected) = (format!("{:?}", tensor.dims()), format!("{:?}", there.dims()));
                return Err(Error::Tensor { name: name.clone(), found, expected }).or_raise();
            }
        }
        let changed = plastic.map(|name, there| match given.get(name) {
            Some(tensor) => tensor.to_dtype(there.dtype()),
            None => Ok(there.clone()),
        });
        let checkpoint = Checkpoint { plastic: changed.or_raise()?, ..self.checkpoint.clone() };
        Ok(Run { checkpoint, folder: None, ..self.clone() })
    }

    /// The checkpoint's file and the rows of the metrics, from which `from_parts` makes the run again.
    fn parts<'py>(&self, py: Python<'py>) -> PyResult<(Bound<'py, PyBytes>, String)> {
        let file = apart(py, || self.checkpoint.to_bytes())?;
        let rows = serde_json::to_string(&self.rows).map_err(|error| Error::Bug(error.to_string())).or_raise()?;
        Ok((PyBytes::new(py, &file), rows))
    }

    #[staticmethod]
    fn from_parts(py: Python<'_>, file: &[u8], rows: &str) -> PyResult<Self> {
        let rows = serde_json::from_str(rows).map_err(|error| Error::Content(error.to_string())).or_raise()?;
        let checkpoint = apart(py, || Checkpoint::from_bytes(file, &Device::Cpu))?;
        let stopped = checkpoint.finished();
        Ok(Run { checkpoint, rows, folder: None, stopped })
    }

    /// Writes a checkpoint if the name ends in .safetensors, else a run's folder.
    fn save(&self, py: Python<'_>, path: PathBuf, force: bool) -> PyResult<()> {
        apart(py, || {
            if path.extension().is_some_and(|end| end == "safetensors") {
                return self.checkpoint.write(&path);
            }
            KeptRun::<Trainer>::write(&path, force, &mut self.checkpoint.clone(), &self.rows)
        })
    }

    /// Continues training, in the run's folder if it has one.
    #[pyo3(signature = (given, accept_edited, task))]
    fn resume(
        &self,
        py: Python<'_>,
        given: &Bound<'_, PyDict>,
        accept_edited: bool,
        task: Option<&Bound<'_, OwnTask>>,
    ) -> PyResult<Training> {
        let given = settings(given)?;
        let run = apart(py, || {
            let here = &self.checkpoint;
            let setup = here.setup.changed(&given)?;
            here.setup.config().goes_on_as(setup.config(), "this run")?;
            refuse_edited(here.integrity, accept_edited)?;
            let devices = open_devices(&parse_devices(&setup.config().train.device)?)?.devices;
            let Some(path) = &self.folder else {
                let checkpoint = Checkpoint { setup, ..here.clone() };
                return Ok(KeptRun::in_memory(Trainer::restore(&checkpoint, &devices)?));
            };
            let own = Own { task: Some(setup.task().clone()), rule: Some(setup.rule().clone()), ..Own::default() };
            let read = |path: &Path| {
                let newest = Checkpoint::read_with(path, own, &Device::Cpu)?;
                ensure_at(path, "update", newest.updates, here.updates).map(|()| newest)
            };
            KeptRun::resume(path, read, |_| Ok((setup, devices)))
        })?;
        Training::begin::<Trainer>(run, self.rows.clone(), task.map(|task| task.get()), Vec::new())
    }

    /// The title, summary, tables and pictures of an analysis.
    #[pyo3(signature = (name, trials, seed))]
    fn analyse<'py>(
        &self,
        py: Python<'py>,
        name: &str,
        trials: Option<u64>,
        seed: Option<u64>,
    ) -> PyResult<Found<'py>> {
        let analysis = find_analysis(name).or_raise()?;
        let findings = apart(py, || {
            let metrics = Some(&self.rows[..]).filter(|rows| !rows.is_empty());
            let subject = Subject { checkpoint: &self.checkpoint, metrics, others: &[] };
            analysis.run(&subject, &Options { trials, seed: self.seed(seed) })
        })?;
        let (summary, tables, pictures) = (PyDict::new(py), PyDict::new(py), PyDict::new(py));
        for figure in &findings.summary {
            summary.set_item(&figure.name, (&figure.text, figure.numbers.clone()))?;
        }
        for table in &findings.tables {
            let columns = PyDict::new(py);
            for (k, name) in table.columns.iter().enumerate() {
                columns.set_item(name, PyList::new(py, table.rows.iter().map(|row| &row[k]))?)?;
            }
            tables.set_item(&table.name, columns)?;
        }
        for picture in &findings.pictures {
            pictures.set_item(&picture.name, picture.svg())?;
        }
        for (name, svg) in &findings.animations {
            pictures.set_item(name, svg)?;
        }
        Ok((analysis.title, (summary, tables, pictures)))
    }

    /// The text of `report.html`.
    fn report(&self, py: Python<'_>, analyses: bool, trials: u64) -> PyResult<String> {
        apart(py, || {
            let scores = evaluate(&self.checkpoint, trials, self.seed(None))?;
            let file = self.checkpoint.to_bytes()?;
            let mut page = RunReport::new(&self.checkpoint, &file, self.rows.clone(), (&scores, trials));
            page.analyse(analyses, &|_| {});
            page.html()
        })
    }

    /// The learning curve as SVG.
    fn learning_curve(&self, log: bool) -> String {
        LearningCurve::of(String::new(), &self.checkpoint.setup, &self.rows).svg(log)
    }

    /// The task, rule and size in one line.
    fn describe(&self) -> String {
        let config = &self.checkpoint.setup.config();
        let (task, rule) = (self.checkpoint.setup.task().name(), &config.rule.name);
        let (networks, neurons, trials) =
            (config.train.networks.count(), config.network.neurons, self.checkpoint.trials());
        let [several, each] = if networks == 1 { ["", ""] } else { ["s", " each"] };
        format!("{task} with {rule}, {networks} network{several} of {neurons} neurons after {trials} trials{each}")
    }
}

/// The quantities called by these names.
fn recorded(names: Vec<String>) -> Result<Record, Error> {
    let mut record = Record::default();
    for name in names {
        match &*name {
            "rates" => record.rates = true,
            "activations" => record.activations = true,
            "trace" => record.fast_weights = true,
            _ => {
                let known = ["rates", "activations", "trace"].map(String::from).to_vec();
                return Err(Error::Unknown { kind: "thing to record", found: name, known });
            }
        }
    }
    Ok(record)
}

/// Tensors as arrays, by name.
pub fn arrays(py: Python<'_>, tensors: BTreeMap<String, Tensor>) -> PyResult<Bound<'_, PyDict>> {
    let arrays = PyDict::new(py);
    for (name, tensor) in tensors {
        arrays.set_item(name, array(py, &tensor)?)?;
    }
    Ok(arrays)
}
