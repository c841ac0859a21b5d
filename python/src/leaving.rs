//! Python's shutdown, during which no other thread is allowed to run Python code.

use hebbian_rnn::{Error, Result};
use pyo3::prelude::*;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

/// The number of our threads inside Python, and whether Python is shutting down.
static STATE: Mutex<(usize, bool)> = Mutex::new((0, false));
static CHANGED: Condvar = Condvar::new();

fn state() -> MutexGuard<'static, (usize, bool)> {
    STATE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Python does not shut down while this exists.
pub struct Inside;

/// Enters, unless Python is shutting down.
pub fn enter() -> Result<Inside> {
    let mut state = state();
    if state.1 {
        return Err(Error::Own("Python is shutting down".into()));
    }
    state.0 += 1;
    Ok(Inside)
}

impl Drop for Inside {
    fn drop(&mut self) {
        state().0 -= 1;
        CHANGED.notify_all();
    }
}

/// Admits no more threads, and waits until all have left.
#[pyfunction]
pub fn leave(py: Python<'_>) {
    py.detach(|| {
        let mut state = state();
        state.1 = true;
        while state.0 > 0 {
            state = CHANGED.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    });
}
