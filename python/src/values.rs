//! Python values as settings, and the library's rows and tensors as Python values.

use crate::errors::OrRaise;
use hebbian_rnn::candle_core::{DType, Device, Tensor};
use hebbian_rnn::{Error, Setting};
use numpy::{PyArray1, PyArrayMethods, PyReadonlyArrayDyn, PyUntypedArrayMethods};
use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::types::{PyBool, PyDict, PyFloat, PyInt, PyList, PyString, PyTuple};
use serde::Serialize;
use serde_json::Value as Json;
use std::collections::BTreeMap;

/// Settings by their dotted keys.
pub fn settings(given: &Bound<'_, PyDict>) -> PyResult<Vec<Setting>> {
    let one = |(key, value): (Bound<'_, PyAny>, Bound<'_, PyAny>)| {
        let key: String = key.extract()?;
        let value = toml_value(&key, &value)?;
        Ok(Setting { key, value, origin: "settings".into() })
    };
    given.iter().map(one).collect()
}

fn toml_value(key: &str, value: &Bound<'_, PyAny>) -> PyResult<toml::Value> {
    if value.is_instance_of::<PyBool>() {
        return Ok(value.extract::<bool>()?.into());
    }
    if value.is_instance_of::<PyInt>() {
        return Ok(value.extract::<i64>()?.into());
    }
    if value.is_instance_of::<PyFloat>() {
        return Ok(value.extract::<f64>()?.into());
    }
    if value.is_instance_of::<PyString>() {
        return Ok(value.extract::<String>()?.into());
    }
    if value.is_instance_of::<PyList>() || value.is_instance_of::<PyTuple>() {
        return value.try_iter()?.map(|item| toml_value(key, &item?)).collect::<PyResult<Vec<_>>>().map(Into::into);
    }
    if let Ok(table) = value.cast::<PyDict>() {
        let entry = |(name, value): (Bound<'_, PyAny>, Bound<'_, PyAny>)| {
            let name: String = name.extract()?;
            let value = toml_value(&format!("{key}.{name}"), &value)?;
            Ok((name, value))
        };
        return Ok(toml::Value::Table(table.iter().map(entry).collect::<PyResult<_>>()?));
    }
    // Scalars and arrays of numpy.
    if let Ok(plain) = value.call_method0("tolist").or_else(|_| value.call_method0("item")) {
        return toml_value(key, &plain);
    }
    let kind = value.get_type().name()?;
    Err(PyTypeError::new_err(format!("{key} is a {kind}; expected a bool, int, float, str, list or dict")))
}

/// A copy of a tensor as a numpy array.
pub fn array<'py>(py: Python<'py>, tensor: &Tensor) -> PyResult<Bound<'py, PyAny>> {
    fn of<'py, T>(py: Python<'py>, flat: &Tensor, dims: &[usize]) -> PyResult<Bound<'py, PyAny>>
    where
        T: hebbian_rnn::candle_core::WithDType + numpy::Element,
    {
        let values = flat.to_vec1::<T>().map_err(Error::from).or_raise()?;
        Ok(PyArray1::from_vec(py, values).reshape(dims)?.into_any())
    }
    let flat = tensor.to_device(&Device::Cpu).and_then(|tensor| tensor.flatten_all()).or_raise()?;
    match tensor.dtype() {
        DType::F64 => of::<f64>(py, &flat, tensor.dims()),
        DType::U8 => of::<u8>(py, &flat, tensor.dims()),
        DType::I64 => of::<i64>(py, &flat, tensor.dims()),
        DType::U32 => of::<u32>(py, &flat, tensor.dims()),
        _ => of::<f32>(py, &flat.to_dtype(DType::F32).or_raise()?, tensor.dims()),
    }
}

/// Arrays of single or double precision by name, as the contents of a safetensors file.
pub fn safetensors(arrays: &Bound<'_, PyDict>) -> PyResult<Vec<u8>> {
    let mut tensors = BTreeMap::new();
    for (name, array) in arrays {
        let name: String = name.extract()?;
        let tensor = if let Ok(single) = array.extract::<PyReadonlyArrayDyn<'_, f32>>() {
            Tensor::from_slice(single.as_slice()?, single.shape(), &Device::Cpu)
        } else {
            let double: PyReadonlyArrayDyn<'_, f64> = array.extract()?;
            Tensor::from_slice(double.as_slice()?, double.shape(), &Device::Cpu)
        };
        tensors.insert(name, tensor.or_raise()?);
    }
    let written = ::safetensors::serialize(&tensors, None);
    written.map_err(|error| Error::Bug(format!("writing arrays: {error}"))).or_raise()
}

/// A serialisable value as Python dicts, lists and numbers.
pub fn object<'py>(py: Python<'py>, value: &impl Serialize) -> PyResult<Bound<'py, PyAny>> {
    let json = serde_json::to_string(value).map_err(|error| Error::Bug(error.to_string())).or_raise()?;
    py.import("json")?.call_method1("loads", (json,))
}

/// The fields of rows as columns, each a numpy array: of integers if each row has one, else of floats, NaN where a
/// row has none. Other columns are left out.
pub fn columns<'py, R: Serialize>(py: Python<'py>, rows: &[R]) -> PyResult<Bound<'py, PyDict>> {
    let columns = PyDict::new(py);
    let Some(first) = rows.first() else { return Ok(columns) };
    // The order of the fields, which a map of `serde_json` does not keep.
    let names: Vec<String> = object(py, first)?.try_iter()?.map(|name| name?.extract()).collect::<PyResult<_>>()?;
    let bug = |error: serde_json::Error| Error::Bug(error.to_string());
    let rows = rows.iter().map(serde_json::to_value).collect::<Result<Vec<Json>, _>>().map_err(bug).or_raise()?;
    for name in &names {
        let column: Vec<&Json> = rows.iter().map(|row| &row[name]).collect();
        if let Some(whole) = column.iter().map(|value| value.as_i64()).collect::<Option<Vec<i64>>>() {
            columns.set_item(name, PyArray1::from_vec(py, whole))?;
        } else if column.iter().any(|value| value.is_number()) || column.iter().all(|value| value.is_null()) {
            let numbers: Vec<f64> = column.iter().map(|value| value.as_f64().unwrap_or(f64::NAN)).collect();
            columns.set_item(name, PyArray1::from_vec(py, numbers))?;
        }
    }
    Ok(columns)
}
