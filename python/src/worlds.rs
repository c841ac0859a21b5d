//! Python worlds: environments whose copies take their steps together, one call per step.

use crate::leaving::enter;
use hebbian_rnn::environments::{Actions, Copies, Outcome, Start};
use hebbian_rnn::{Environment, Error};
use numpy::{PyArray1, PyArrayMethods, PyReadonlyArray1, PyReadonlyArray2, PyReadonlyArrayDyn};
use pyo3::prelude::*;
use rand::Rng;
use std::sync::Arc;

/// An environment behind `hebbian_rnn/_worlds.py`'s `World`.
pub struct PythonWorld {
    world: Arc<Py<PyAny>>,
    name: String,
    sizes: Vec<f64>,
    actions: Actions,
    limit: usize,
    solved: f64,
    copies: Option<usize>,
}

impl PythonWorld {
    pub fn of(world: &Bound<'_, PyAny>) -> PyResult<Self> {
        let actions = world.getattr("actions")?;
        let actions = match actions.extract::<usize>() {
            Ok(number) => Actions::Discrete(number),
            Err(_) => {
                let (low, high) = actions.extract()?;
                Actions::Continuous { low, high }
            }
        };
        Ok(PythonWorld {
            name: world.getattr("name")?.extract()?,
            sizes: world.getattr("sizes")?.extract()?,
            actions,
            limit: world.getattr("limit")?.extract()?,
            solved: world.getattr("solved")?.extract()?,
            copies: world.getattr("copies")?.extract()?,
            world: Arc::new(world.clone().unbind()),
        })
    }

    pub fn is_discrete(&self) -> bool {
        matches!(self.actions, Actions::Discrete(_))
    }
}

impl Environment for PythonWorld {
    fn name(&self) -> &str {
        &self.name
    }

    fn observations(&self) -> Vec<(String, f64)> {
        self.sizes.iter().enumerate().map(|(k, size)| (format!("observation {k}"), *size)).collect()
    }

    fn actions(&self) -> Actions {
        self.actions.clone()
    }

    fn limit(&self) -> usize {
        self.limit
    }

    fn solved(&self) -> f64 {
        self.solved
    }

    fn together(&self) -> Option<usize> {
        Some(self.copies.unwrap_or(usize::MAX))
    }

    fn start(&self, episodes: Vec<Start>) -> Box<dyn Copies> {
        // Old Gymnasium environments take 31-bit seeds.
        let seeds: Vec<u32> = episodes.into_iter().map(|mut start| start.rng.next_u32() >> 1).collect();
        let mut copies = PythonCopies {
            world: self.world.clone(),
            width: self.sizes.len(),
            living: vec![true; seeds.len()],
            seen: vec![0.0; seeds.len() * self.sizes.len()],
            failed: None,
        };
        let reset = |py: Python<'_>| -> PyResult<Vec<f64>> {
            let seen = self.world.bind(py).call_method1("reset", (seeds,))?;
            Ok(seen.extract::<PyReadonlyArrayDyn<'_, f64>>()?.as_slice()?.to_vec())
        };
        let seen = enter().and_then(|_inside| Python::attach(reset).map_err(|raised| Error::Own(Box::new(raised))));
        match seen {
            Ok(seen) => copies.seen = seen,
            Err(error) => copies.failed = Some(error),
        }
        Box::new(copies)
    }
}

/// Copies of a Python world.
struct PythonCopies {
    world: Arc<Py<PyAny>>,
    width: usize,
    living: Vec<bool>,
    /// `[copies, width]`.
    seen: Vec<f64>,
    /// The reason why they could not be started.
    failed: Option<Error>,
}

/// Lets others start copies.
impl Drop for PythonCopies {
    fn drop(&mut self) {
        // While Python shuts down, no other copies are waiting to start.
        if let Ok(_inside) = enter() {
            let _ = Python::attach(|py| self.world.bind(py).call_method0("leave").map(drop));
        }
    }
}

impl PythonCopies {
    fn act(&mut self, actions: &[f64], outcomes: &mut [Outcome]) -> PyResult<()> {
        let copies = self.living.len();
        Python::attach(|py| {
            let actions = PyArray1::from_slice(py, actions).reshape([copies, actions.len() / copies])?;
            let living = PyArray1::from_slice(py, &self.living);
            let answer = self.world.bind(py).call_method1("step", (actions, living))?;
            let (seen, rewards, terminated, truncated): (
                PyReadonlyArray2<'_, f64>,
                PyReadonlyArray1<'_, f64>,
                PyReadonlyArray1<'_, bool>,
                PyReadonlyArray1<'_, bool>,
            ) = answer.extract()?;
            self.seen.copy_from_slice(seen.as_slice()?);
            let (rewards, terminated, truncated) = (rewards.as_slice()?, terminated.as_slice()?, truncated.as_slice()?);
            for (k, outcome) in outcomes.iter_mut().enumerate().filter(|(k, _)| self.living[*k]) {
                let (reward, terminated, truncated) = (rewards[k], terminated[k], truncated[k]);
                *outcome = Outcome { reward, terminated, truncated, correct: None };
            }
            Ok(())
        })
    }
}

impl Copies for PythonCopies {
    fn condition(&self, _k: usize) -> usize {
        0
    }

    fn observe(&self, k: usize, observation: &mut [f64]) {
        observation.copy_from_slice(&self.seen[k * self.width..(k + 1) * self.width]);
    }

    /// Copies take their steps together.
    fn step(&mut self, _k: usize, _action: &[f64]) -> Outcome {
        Outcome::default()
    }

    fn step_together(&mut self, some: &[usize], actions: &[f64], outcomes: &mut [Outcome]) -> hebbian_rnn::Result<()> {
        self.living.fill(false);
        some.iter().for_each(|k| self.living[*k] = true);
        if let Some(error) = self.failed.take() {
            return Err(error);
        }
        let _inside = enter()?;
        self.act(actions, outcomes).map_err(|raised| Error::Own(Box::new(raised)))
    }
}
