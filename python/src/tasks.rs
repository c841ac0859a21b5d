//! Tasks made from Python functions, with trials drawn in advance.

use crate::errors::OrRaise;
use crate::leaving::enter;
use crate::worlds::PythonWorld;
use hebbian_rnn::random::{Phase, Stream};
use hebbian_rnn::tasks::{ErrorMeasure, Label, Problem, TrialNumbers};
use hebbian_rnn::{Episodes, Error, Task, Trial};
use numpy::{PyReadonlyArray1, PyReadonlyArray2, PyReadonlyArray3, PyUntypedArrayMethods};
use pyo3::prelude::*;
use pyo3::types::PyDict;
use rand::Rng;
use std::collections::HashMap;
use std::sync::mpsc::{channel, Receiver, Sender};
use std::sync::{Arc, Mutex, PoisonError};

/// A user-defined task or world.
#[pyclass(frozen, module = "hebbian_rnn._native")]
pub struct OwnTask {
    task: Problem,
    /// The listed task whose settings it starts from.
    pub like: &'static str,
    ahead: Option<Arc<Ahead>>,
}

impl OwnTask {
    pub fn task(&self) -> Problem {
        self.task.clone()
    }

    /// Forgets trials drawn in advance.
    pub fn rest(&self) -> impl FnOnce() + Send + 'static {
        let ahead = self.ahead.clone();
        move || {
            if let Some(ahead) = ahead {
                ahead.waiting.lock().unwrap_or_else(PoisonError::into_inner).clear();
            }
        }
    }
}

/// The names of inputs, outputs (none: numbers) and types, and the labels, each with whether it is graded.
type About = (Vec<String>, Vec<String>, Vec<String>, Vec<(String, bool)>);

/// A task whose trials are drawn by `draw(seed, trials, first)`. `sizes` are T and n_out.
#[pyfunction]
pub fn function_task(
    name: String,
    draw: Py<PyAny>,
    about: About,
    sizes: (usize, usize),
    lengths_vary: bool,
    measure: &str,
    correct_below: f64,
) -> PyResult<OwnTask> {
    let (inputs, outputs, types, labels) = about;
    let known = [("absolute", ErrorMeasure::Absolute), ("squared", ErrorMeasure::Squared)];
    let found = known.iter().find(|(name, _)| *name == measure).map(|(_, measure)| *measure);
    let unknown = || Error::Unknown {
        kind: "error measure",
        found: measure.into(),
        known: known.iter().map(|(name, _)| name.to_string()).collect(),
    };
    let measure = found.ok_or_else(unknown).or_raise()?;
    if correct_below.is_nan() || correct_below <= 0.0 {
        let (key, found, expected) = ("correct_below".into(), correct_below.to_string(), "a positive number".into());
        return Err(Error::Setting { key, found, expected }).or_raise();
    }
    let label = |(name, graded)| Label { name, graded };
    let labels: Vec<Label> = labels.into_iter().map(label).collect();
    let (n_in, (steps, n_out)) = (inputs.len(), sizes);
    let drawing = Arc::new(Drawing { name, draw, n_in, steps, n_out, lengths_vary, labels });
    let ahead = Arc::new(Ahead::begin(drawing.clone())?);
    let task = FunctionTask { drawing, inputs, outputs, types, measure, correct_below, ahead: ahead.clone() };
    Ok(OwnTask { task: task.into(), like: "file", ahead: Some(ahead) })
}

/// Episodes in a Python world.
#[pyfunction]
pub fn world_task(world: &Bound<'_, PyAny>) -> PyResult<OwnTask> {
    let world = PythonWorld::of(world)?;
    let like = if world.is_discrete() { "cartpole" } else { "pendulum" };
    Ok(OwnTask { task: Episodes::new(world).into(), like, ahead: None })
}

/// A Python function that draws trials, and the sizes of what it draws.
struct Drawing {
    name: String,
    draw: Py<PyAny>,
    steps: usize,
    n_in: usize,
    n_out: usize,
    lengths_vary: bool,
    labels: Vec<Label>,
}

impl Drawing {
    /// A number of trials, starting with trial `first`.
    fn trials(&self, mut rng: Stream, first: u64, count: usize) -> hebbian_rnn::Result<Vec<Trial>> {
        let seed: Vec<u64> = (0..4).map(|_| rng.next_u64()).collect();
        let _inside = enter()?;
        let drawn = Python::attach(|py| -> PyResult<_> {
            let drawn = self.draw.bind(py).call1((seed, count, first))?;
            self.read(drawn.cast::<PyDict>()?, count)
        });
        drawn.map_err(|raised| Error::Own(Box::new(raised)))?
    }

    fn read(&self, drawn: &Bound<'_, PyDict>, count: usize) -> PyResult<hebbian_rnn::Result<Vec<Trial>>> {
        let get = |name: &str| drawn.get_item(name);
        let missing = || pyo3::exceptions::PyKeyError::new_err("inputs and targets");
        let inputs: PyReadonlyArray3<'_, f32> = get("inputs")?.ok_or_else(missing)?.extract()?;
        let targets: PyReadonlyArray3<'_, f32> = get("targets")?.ok_or_else(missing)?.extract()?;
        let mask: Option<PyReadonlyArray2<'_, bool>> = get("mask")?.map(|array| array.extract()).transpose()?;
        let modulator: Option<PyReadonlyArray2<'_, f32>> =
            get("modulator")?.map(|array| array.extract()).transpose()?;
        let types: Option<PyReadonlyArray1<'_, i64>> = get("type")?.map(|array| array.extract()).transpose()?;
        let lengths: Option<PyReadonlyArray1<'_, i64>> = get("steps")?.map(|array| array.extract()).transpose()?;
        let mut labels: Vec<Vec<f64>> = Vec::new();
        for Label { name, .. } in &self.labels {
            let Some(label) = get(&format!("label.{name}"))? else {
                let text =
                    format!("task `{}` did not return label.{name}; expected it, as in the first draw", self.name);
                return Ok(Err(Error::Content(text)));
            };
            labels.push(label.call_method1("astype", ("float64",))?.call_method0("tolist")?.extract()?);
        }
        let (t, n_in, n_out) = (self.steps, self.n_in, self.n_out);
        for (what, found, expected) in
            [("inputs", inputs.shape(), [count, t, n_in]), ("targets", targets.shape(), [count, t, n_out])]
        {
            if found != expected {
                let name = &self.name;
                let text = format!(
                    "task `{name}` returned {what} of shape {found:?}; expected {expected:?}, as in the first draw"
                );
                return Ok(Err(Error::Content(text)));
            }
        }
        let (inputs, targets) = (inputs.as_slice()?, targets.as_slice()?);
        let mask = mask.as_ref().map(|mask| mask.as_slice()).transpose()?;
        let modulator = modulator.as_ref().map(|modulator| modulator.as_slice()).transpose()?;
        let types = types.as_ref().map(|types| types.as_slice()).transpose()?;
        let lengths = lengths.as_ref().map(|lengths| lengths.as_slice()).transpose()?;
        let trial = |k: usize| {
            // Python has checked them.
            let steps = lengths.map_or(t, |lengths| lengths[k] as usize);
            Trial {
                trial_type: types.map_or(0, |types| types[k] as usize),
                inputs: inputs[k * t * n_in..][..steps * n_in].to_vec(),
                targets: targets[k * t * n_out..][..steps * n_out].to_vec(),
                scored: mask.map_or_else(|| vec![true; steps], |mask| mask[k * t..][..steps].to_vec()),
                modulator: modulator.map(|modulator| modulator[k * t..][..steps].to_vec()),
                labels: labels.iter().map(|label| label[k] as f32).collect(),
            }
        };
        Ok(Ok((0..count).map(trial).collect()))
    }
}

type Drawn = hebbian_rnn::Result<Vec<Trial>>;

/// Draws a network's next trials while the present ones run, on its own thread.
struct Ahead {
    orders: Mutex<Sender<(TrialNumbers, Sender<Drawn>)>>,
    waiting: Mutex<HashMap<TrialNumbers, Receiver<Drawn>>>,
}

impl Ahead {
    fn begin(drawing: Arc<Drawing>) -> PyResult<Self> {
        let (orders, received) = channel::<(TrialNumbers, Sender<Drawn>)>();
        let work = move || {
            for (numbers, answer) in received {
                // The receiver can be gone by now.
                let _ = answer.send(drawing.trials(numbers.stream(), numbers.first, numbers.count));
            }
        };
        std::thread::Builder::new().name("hebbian-rnn trials".into()).spawn(work)?;
        Ok(Ahead { orders: Mutex::new(orders), waiting: Mutex::default() })
    }

    fn order(&self, numbers: TrialNumbers) -> Receiver<Drawn> {
        let (answer, receiver) = channel();
        // If the thread is gone, so is `answer`, and receiving fails.
        let _ = self.orders.lock().unwrap_or_else(PoisonError::into_inner).send((numbers, answer));
        receiver
    }

    fn trials(&self, numbers: TrialNumbers) -> Drawn {
        let lock = || self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        let ordered = lock().remove(&numbers);
        let receiver = ordered.unwrap_or_else(|| self.order(numbers));
        let drawn = receiver.recv().map_err(|_| Error::Bug("the thread that draws trials is gone".into()))??;
        if numbers.phase == Phase::Train {
            let next = TrialNumbers { first: numbers.first + numbers.count as u64, ..numbers };
            lock().entry(next).or_insert_with(|| self.order(next));
        }
        Ok(drawn)
    }
}

/// A task whose trials a Python function draws.
struct FunctionTask {
    drawing: Arc<Drawing>,
    inputs: Vec<String>,
    outputs: Vec<String>,
    types: Vec<String>,
    measure: ErrorMeasure,
    correct_below: f64,
    ahead: Arc<Ahead>,
}

impl Task for FunctionTask {
    fn name(&self) -> &str {
        &self.drawing.name
    }

    fn steps(&self) -> usize {
        self.drawing.steps
    }

    fn inputs(&self) -> Vec<String> {
        self.inputs.clone()
    }

    fn lengths_vary(&self) -> bool {
        self.drawing.lengths_vary
    }

    fn n_out(&self) -> usize {
        self.drawing.n_out
    }

    fn outputs(&self) -> Vec<String> {
        match self.outputs.is_empty() {
            true => (1..=self.drawing.n_out).map(|k| format!("output {k}")).collect(),
            false => self.outputs.clone(),
        }
    }

    fn labels(&self) -> Vec<Label> {
        self.drawing.labels.clone()
    }

    fn trial_types(&self) -> Vec<String> {
        self.types.clone()
    }

    /// Analyses draw single trials. One that can't be drawn is empty, which they refuse.
    fn trial(&self, index: u64, rng: &mut Stream) -> Trial {
        let drawn = self.drawing.trials(rng.clone(), index, 1).ok().and_then(|mut trials| trials.pop());
        drawn.unwrap_or_default()
    }

    fn trials(&self, numbers: TrialNumbers) -> Option<hebbian_rnn::Result<Vec<Trial>>> {
        Some(self.ahead.trials(numbers))
    }

    fn measure(&self) -> ErrorMeasure {
        self.measure
    }

    fn correct_below(&self) -> f64 {
        self.correct_below
    }
}
