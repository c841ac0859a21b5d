//! Reads the tensors of a user's safetensors file as plain lists, whatever number format they are in.

use crate::untrusted::{shown, tensors};
use anyhow::{bail, ensure, Context, Result};
use safetensors::tensor::TensorView;
use safetensors::{Dtype, SafeTensors};

/// A file's tensors.
pub(super) struct Tensors<'a> {
    file: SafeTensors<'a>,
}

impl<'a> Tensors<'a> {
    /// Refuses what is no safetensors file and tensors that are not among `known`.
    pub fn parse(bytes: &'a [u8], known: &[&str]) -> Result<Self> {
        let (file, _) = tensors(bytes).context("not a whole safetensors file")?;
        for name in file.names() {
            ensure!(known.contains(&name), "tensor `{}` is not known; known are: {}", shown(name), known.join(", "));
        }
        Ok(Tensors { file })
    }

    /// A tensor of D dimensions, none of them 0, that has to be there; `shape` describes it.
    pub fn numbers<const D: usize>(&self, name: &str, shape: &str) -> Result<(Vec<f32>, [usize; D])> {
        let Ok(view) = self.file.tensor(name) else { bail!("tensor `{name}` is missing; expected {shape}") };
        match <[usize; D]>::try_from(view.shape()) {
            Ok(dims) if !dims.contains(&0) => Ok((finite(name, &view)?, dims)),
            _ => bail!("tensor `{name}` is {:?}; expected {shape}, none of them 0", view.shape()),
        }
    }

    /// A tensor of just this shape, where it is there.
    pub fn optional_numbers(&self, name: &str, shape: &[usize]) -> Result<Option<Vec<f32>>> {
        self.shaped(name, shape)?.map(|view| finite(name, &view)).transpose()
    }

    /// The same for integers from 0.
    pub fn optional_integers(&self, name: &str, shape: &[usize]) -> Result<Option<Vec<usize>>> {
        let Some(view) = self.shaped(name, shape)? else { return Ok(None) };
        let values: Vec<i64> = match view.dtype() {
            Dtype::I64 => view.data().chunks_exact(8).map(|b| i64::from_le_bytes(array(b))).collect(),
            Dtype::I32 => view.data().chunks_exact(4).map(|b| i64::from(i32::from_le_bytes(array(b)))).collect(),
            Dtype::U8 => view.data().iter().map(|b| i64::from(*b)).collect(),
            other => bail!("tensor `{name}` is {other:?}; expected integers (int64, int32 or uint8)"),
        };
        let index = |value: i64| {
            usize::try_from(value)
                .map_err(|_| anyhow::anyhow!("tensor `{name}` holds {value}; expected integers from 0"))
        };
        values.into_iter().map(index).collect::<Result<_>>().map(Some)
    }

    fn shaped(&self, name: &str, shape: &[usize]) -> Result<Option<TensorView<'_>>> {
        let Ok(view) = self.file.tensor(name) else { return Ok(None) };
        ensure!(view.shape() == shape, "tensor `{name}` is {:?}; expected {shape:?}", view.shape());
        Ok(Some(view))
    }
}

fn finite(name: &str, view: &TensorView) -> Result<Vec<f32>> {
    let data = view.data();
    let values: Vec<f32> = match view.dtype() {
        Dtype::F32 => data.chunks_exact(4).map(|b| f32::from_le_bytes(array(b))).collect(),
        Dtype::F64 => data.chunks_exact(8).map(|b| f64::from_le_bytes(array(b)) as f32).collect(),
        Dtype::BOOL | Dtype::U8 => data.iter().map(|b| f32::from(*b)).collect(),
        Dtype::I32 => data.chunks_exact(4).map(|b| i32::from_le_bytes(array(b)) as f32).collect(),
        Dtype::I64 => data.chunks_exact(8).map(|b| i64::from_le_bytes(array(b)) as f32).collect(),
        other => bail!("tensor `{name}` is {other:?}; expected float32, float64, bool or integers"),
    };
    ensure!(values.iter().all(|v| v.is_finite()), "tensor `{name}` holds values that are not finite numbers");
    Ok(values)
}

/// A chunk as an array of its own length.
fn array<const L: usize>(chunk: &[u8]) -> [u8; L] {
    let mut array = [0; L];
    array.copy_from_slice(chunk);
    array
}
