//! Writes tensors to files that other programs read.

use crate::error::{Doing, Error, Result};
use crate::files::{write_atomically, write_through};
use crate::reader::is_npz;
use candle_core::{Device, Tensor};
use std::collections::BTreeMap;
use std::path::Path;

/// Writes tensors and their metadata to a file: an archive of NumPy's arrays if its name ends in `.npz`, where the metadata is an
/// array of bytes, `metadata`, that hold JSON; otherwise a safetensors file. A file of this name is replaced once the new one is whole.
///
/// # Errors
/// [`Error::Io`] if it cannot be written, [`Error::Tensors`] if a tensor has a type that NumPy does not have.
pub fn write_tensors(
    path: &Path,
    tensors: &BTreeMap<String, Tensor>,
    metadata: &BTreeMap<String, String>,
) -> Result<()> {
    if !is_npz(path) {
        let metadata = (!metadata.is_empty()).then(|| metadata.clone().into_iter().collect());
        let bytes = safetensors::serialize(tensors, metadata);
        let bytes = bytes.map_err(|error| Error::Bug(format!("preparing {}: {error}", path.display())))?;
        return write_atomically(path, &bytes);
    }
    let mut arrays: Vec<(String, Tensor)> = tensors.clone().into_iter().collect();
    if !metadata.is_empty() {
        let json = serde_json::to_vec(metadata).map_err(|error| Error::Bug(format!("writing metadata: {error}")))?;
        arrays.push(("metadata".into(), Tensor::from_slice(&json, json.len(), &Device::Cpu)?));
    }
    // NumPy's format is written by name only.
    let archive = tempfile::NamedTempFile::new().doing("preparing", path)?;
    Tensor::write_npz(&arrays, archive.path())?;
    write_through(path, |file| std::io::copy(&mut archive.as_file(), file).map(drop).doing("writing", path))
}
