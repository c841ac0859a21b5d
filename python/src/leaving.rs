//! The end of Python, at which no other thread may be inside it.

use hebbian_rnn::{Error, Result};
use pyo3::prelude::*;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

/// How many threads of ours are inside Python, and whether it is ending.
static STATE: Mutex<(usize, bool)> = Mutex::new((0, false));
static CHANGED: Condvar = Condvar::new();

fn state() -> MutexGuard<'static, (usize, bool)> {
    STATE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// As long as it lives, Python does not end.
pub struct Inside;

/// Goes in, unless Python is ending.
pub fn enter() -> Result<Inside> {
    let mut state = state();
    if state.1 {
        return Err(Error::Own("Python is ending".into()));
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

/// Lets nobody in any more, and waits until all are out.
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
