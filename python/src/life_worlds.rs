//! Worlds of lives that are written in Python.

use crate::leaving::enter;
use hebbian_rnn::worlds::{Block, Curve, LifeRow, Places, Verdict, View};
use hebbian_rnn::{Error, OwnLife, World, WorldState};
use numpy::{PyArray1, PyArrayMethods};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PySlice};
use rand::Rng;
use std::ops::Range;
use std::sync::Arc;

/// A world behind `hebbian_rnn/_lives.py`'s `LifeWorld`.
struct PythonWorld {
    world: Arc<Py<PyAny>>,
    name: String,
    steps: usize,
    figures: Vec<String>,
    populations: Vec<(String, Range<usize>)>,
}

/// An `OwnLife` with a Python object as its world.
pub fn own(world: &Bound<'_, PyAny>) -> PyResult<OwnLife> {
    let name: String = world.getattr("name")?.extract()?;
    let steps: usize = world.getattr("steps")?.extract()?;
    let figures: Vec<String> = world.getattr("figures")?.extract()?;
    let world = Arc::new(world.clone().unbind());
    let build = move |places: &Places| {
        let (world, name, figures) = (world.clone(), name.clone(), figures.clone());
        let populations = places.populations.to_vec();
        Ok(Arc::new(PythonWorld { world, name, steps, figures, populations }) as Arc<dyn World>)
    };
    Ok(OwnLife { world: Some(Arc::new(build)), ..OwnLife::default() })
}

/// An exception as the library passes it on.
fn raised(error: PyErr) -> Error {
    Error::Own(Box::new(error))
}

impl World for PythonWorld {
    fn name(&self) -> &str {
        &self.name
    }

    fn steps(&self) -> usize {
        self.steps
    }

    fn figures(&self) -> Vec<&str> {
        self.figures.iter().map(String::as_str).collect()
    }

    fn start(&self, seed: u64, network: u64) -> Box<dyn WorldState> {
        let start = |py: Python<'_>| -> PyResult<Py<PyAny>> {
            let places = PyDict::new(py);
            for (name, place) in &self.populations {
                places.set_item(name, PySlice::new(py, place.start as isize, place.end as isize, 1))?;
            }
            Ok(self.world.bind(py).call_method1("start", (network, seed, places))?.unbind())
        };
        let started = enter().and_then(|_inside| Python::attach(start).map_err(raised));
        let (state, failed) = match started {
            Ok(state) => (Some(state), None),
            Err(error) => (None, Some(error)),
        };
        Box::new(PythonState { state, failed })
    }

    fn curves(&self, rows: &[LifeRow]) -> Vec<Curve> {
        self.figures.iter().enumerate().map(|(k, name)| Curve::of(name, name, rows, k)).collect()
    }

    /// The figures of the last block.
    fn verdict(&self, rows: &[LifeRow]) -> Verdict {
        let last = |k: usize| rows.last().map_or(f64::NAN, |row| row.figures[k]);
        Verdict::new(None, self.figures.iter().enumerate().map(|(k, name)| (&name[..], last(k))).collect())
    }
}

/// The world of one network.
struct PythonState {
    /// `None` if it could not be started.
    state: Option<Py<PyAny>>,
    /// The exception that ended it.
    failed: Option<Error>,
}

impl PythonState {
    /// Calls into Python, unless an earlier call failed; `otherwise` is the result of a call that fails.
    fn call<T>(&mut self, otherwise: T, call: impl FnOnce(&Bound<'_, PyAny>) -> PyResult<T>) -> T {
        let Some(state) = self.state.as_ref().filter(|_| self.failed.is_none()) else { return otherwise };
        match enter().and_then(|_inside| Python::attach(|py| call(state.bind(py))).map_err(raised)) {
            Ok(value) => value,
            Err(error) => {
                self.failed = Some(error);
                otherwise
            }
        }
    }
}

impl WorldState for PythonState {
    fn begin(&mut self, block: &mut Block) {
        let (index, frozen, seed) = (block.index, block.frozen, block.rng.next_u64());
        self.call((), |state| state.call_method1("begin", (index, frozen, seed)).map(drop));
    }

    fn stimulate(&mut self, step: usize, input: &mut [f32]) {
        self.call((), |state| {
            let array = PyArray1::from_slice(state.py(), input);
            state.call_method1("stimulate", (step, &array))?;
            input.copy_from_slice(array.readonly().as_slice()?);
            Ok(())
        });
    }

    fn observe(&mut self, step: usize, r: &[f32]) -> f64 {
        self.call(0.0, |state| {
            let reward = state.call_method1("observe", (step, PyArray1::from_slice(state.py(), r)))?;
            if reward.is_none() {
                return Ok(0.0);
            }
            reward.extract()
        })
    }

    fn end(&mut self, view: &View) -> hebbian_rnn::Result<Vec<f64>> {
        let figures = self.call(Vec::new(), |state| {
            let spikes = PyArray1::from_slice(state.py(), view.spikes);
            state.call_method1("end", (spikes, view.seconds))?.extract()
        });
        match self.failed.take() {
            None => Ok(figures),
            Some(error) => Err(error),
        }
    }

    fn state(&self) -> serde_json::Value {
        let Some(state) = self.state.as_ref() else { return serde_json::Value::Null };
        let text = |py: Python<'_>| -> PyResult<String> {
            let value = state.bind(py).call_method0("state")?;
            py.import("json")?.call_method1("dumps", (value,))?.extract()
        };
        // Values that JSON cannot express are refused before the simulation starts: see `_lives.py`.
        let text = enter().ok().and_then(|_inside| Python::attach(text).ok());
        text.and_then(|text| serde_json::from_str(&text).ok()).unwrap_or_default()
    }

    fn restore(&mut self, saved: &serde_json::Value) -> hebbian_rnn::Result<()> {
        let text = saved.to_string();
        self.call((), |state| {
            let value = state.py().import("json")?.call_method1("loads", (text,))?;
            state.call_method1("restore", (value,)).map(drop)
        });
        self.failed.take().map_or(Ok(()), Err)
    }
}
