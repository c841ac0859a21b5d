//! The library's errors as the exceptions of `hebbian_rnn/errors.py`.

use hebbian_rnn::Error;
use pyo3::prelude::*;
use pyo3::types::PyDict;

/// The exception for an error. One raised by a Python function is passed on unchanged.
pub fn exception(error: Error) -> PyErr {
    let text = error.to_string();
    Python::attach(|py| match raised(py, &error) {
        Some(raised) => raised,
        None => make(py, error.root(), text).unwrap_or_else(|failed| failed),
    })
}

/// The exception that a Python function raised, if that is the cause.
fn raised(py: Python<'_>, error: &Error) -> Option<PyErr> {
    match error.root() {
        Error::Own(cause) => cause.downcast_ref::<PyErr>().map(|raised| raised.clone_ref(py)),
        _ => None,
    }
}

fn make(py: Python<'_>, root: &Error, text: String) -> PyResult<PyErr> {
    let fields = PyDict::new(py);
    let class = match root {
        Error::Setting { key, found, expected } => {
            fields.set_item("key", key)?;
            fields.set_item("found", found)?;
            fields.set_item("expected", expected)?;
            "SettingError"
        }
        Error::Unknown { kind, found, known } => {
            fields.set_item("kind", kind)?;
            fields.set_item("found", found)?;
            fields.set_item("known", known)?;
            "UnknownNameError"
        }
        Error::Tensor { name, found, expected } => {
            fields.set_item("name", name)?;
            fields.set_item("found", found)?;
            fields.set_item("expected", expected)?;
            "TensorError"
        }
        Error::Diverged { network, update, .. } => {
            fields.set_item("network", network)?;
            fields.set_item("update", update)?;
            "DivergedError"
        }
        Error::Io { path, source, .. } => {
            fields.set_item("filename", path.display().to_string())?;
            fields.set_item("errno", source.raw_os_error())?;
            "FileError"
        }
        Error::Usage(_) => "UsageError",
        Error::Content(_) => "ContentError",
        Error::Device(_) => "DeviceError",
        Error::Memory(_) => "ShortageError",
        _ => "InternalError",
    };
    let exception = py.import("hebbian_rnn.errors")?.getattr(class)?.call1((text,))?;
    for (name, value) in fields {
        exception.setattr(name.cast::<pyo3::types::PyString>()?, value)?;
    }
    Ok(PyErr::from_value(exception))
}

/// Turns the library's results into Python's.
pub trait OrRaise<T> {
    /// The value, or an exception.
    fn or_raise(self) -> PyResult<T>;
}

impl<T, E: Into<Error>> OrRaise<T> for Result<T, E> {
    fn or_raise(self) -> PyResult<T> {
        self.map_err(|error| exception(error.into()))
    }
}
