//! Reads safetensors files from untrusted sources: accepts only regular files, offsets within the file, tensors of the
//! requested shapes and types, and finite numbers.

use crate::error::{bail, ensure, At, Doing, Error, Result};
use crate::held::real;
use crate::text::{bytes as in_bytes, shown};
use candle_core::npy::NpzTensors;
use candle_core::{DType, Device, Tensor};
use safetensors::tensor::{Metadata, TensorView};
use safetensors::{Dtype, SafeTensors};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::fmt::{Debug, Display};
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::Path;

/// The bytes of a regular file. Pipes and devices, which a file's metadata may name, are refused because they could be
/// endless.
pub(crate) fn read(path: &Path) -> Result<Vec<u8>> {
    ensure_regular(path)?;
    fs::read(real(path)).doing("reading", path)
}

/// Refuses pipes, devices and folders.
pub(crate) fn ensure_regular(path: &Path) -> Result<()> {
    let regular = fs::metadata(real(path)).doing("reading", path)?.is_file();
    ensure!(regular, Content, "{}: not a regular file", path.display());
    Ok(())
}

/// The text of a regular file of at most `most` bytes.
pub(crate) fn read_text(path: &Path, most: u64) -> Result<String> {
    ensure_regular(path)?;
    let mut text = Vec::new();
    let file = File::open(real(path)).doing("reading", path)?;
    let size = file.metadata().doing("reading", path)?.len();
    ensure!(
        size <= most,
        Content,
        "{}: it has {}; expected at most {}",
        path.display(),
        in_bytes(size),
        in_bytes(most)
    );
    file.take(most).read_to_end(&mut text).doing("reading", path)?;
    String::from_utf8(text).map_err(|_| Error::Content(format!("{}: not text in UTF-8", path.display())))
}

/// The SHA-256 of a regular file, of any size, in hexadecimal digits.
pub(crate) fn sha256_of(path: &Path) -> Result<String> {
    ensure_regular(path)?;
    let mut hash = Sha256::new();
    let hashed = File::open(real(path)).and_then(|mut file| io::copy(&mut file, &mut hash));
    hashed.doing("reading", path)?;
    Ok(hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect())
}

/// The SHA-256 of a file's contents, in hexadecimal digits.
pub(crate) fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A file's `bytes` in safetensors' format; an archive of NumPy's arrays, `NAME.npz`, is converted. Arrays must be in C order.
///
/// # Errors
/// [`Error::Content`] if the archive is damaged or an array has a type that tensors do not have.
pub(crate) fn as_safetensors(path: &Path, bytes: Vec<u8>) -> Result<Vec<u8>> {
    /// The most that an archive can shrink its contents.
    const DEFLATE: u64 = 1032;
    if !is_npz(path) {
        return Ok(bytes);
    }
    let converted = || -> Result<Vec<u8>> {
        let archive = NpzTensors::new(real(path))?;
        let most = (bytes.len() as u64).saturating_mul(DEFLATE);
        let mut tensors = BTreeMap::new();
        for name in archive.names() {
            // An array's header can claim any size.
            let (shape, dtype) = archive.get_shape_and_dtype(name)?;
            let size =
                shape.dims().iter().try_fold(dtype.size_in_bytes() as u64, |size, dim| size.checked_mul(*dim as u64));
            ensure!(size.is_some_and(|size| size <= most), Content, "array `{}` is larger than the file", shown(name));
            tensors.extend(archive.get(name)?.map(|tensor| (name, tensor)));
        }
        safetensors::serialize(tensors, None).map_err(damaged)
    };
    converted().at("not an archive of NumPy arrays").at_path(path)
}

/// Whether a file is an archive of NumPy's arrays, by its name.
pub(crate) fn is_npz(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("npz"))
}

/// A parsed safetensors file.
pub(crate) struct TensorFile<'a> {
    file: SafeTensors<'a>,
    metadata: Metadata,
}

impl<'a> TensorFile<'a> {
    /// Parses a file's bytes and refuses any damage to its structure.
    pub fn parse(bytes: &'a [u8]) -> Result<Self> {
        let parsed = || -> Result<Self> {
            offsets_within(bytes)?;
            let (_, metadata) = SafeTensors::read_metadata(bytes).map_err(damaged)?;
            Ok(TensorFile { file: SafeTensors::deserialize(bytes).map_err(damaged)?, metadata })
        };
        parsed().at("not a whole safetensors file")
    }

    /// The text under a key of the metadata.
    pub fn metadata_text(&self, key: &str) -> Option<&str> {
        self.metadata.metadata().as_ref()?.get(key).map(String::as_str)
    }

    /// The names of the tensors, sorted.
    pub fn names(&self) -> Vec<&str> {
        let mut names = self.file.names();
        names.sort_unstable();
        names
    }

    /// Refuses tensors whose names are not `known`, where one that ends in `…` stands for all that begin so.
    pub fn only(&self, known: &[&str]) -> Result<()> {
        let fits =
            |name: &str, known: &str| known.strip_suffix('…').map_or(name == known, |start| name.starts_with(start));
        match self.names().into_iter().find(|name| !known.iter().any(|known| fits(name, known))) {
            Some(name) => bail!(Content, "tensor `{}` is not known; known are: {}", shown(name), known.join(", ")),
            None => Ok(()),
        }
    }

    /// The tensor called `name`, if there is one.
    pub fn get(&self, name: &str) -> Option<TensorView<'_>> {
        self.file.tensor(name).ok()
    }

    /// The tensor called `name`, which must be there; `expected` describes it in the error.
    pub fn required(&self, name: &str, expected: impl Display) -> Result<TensorView<'_>> {
        self.get(name).ok_or_else(|| Error::tensor(name, "missing", expected))
    }

    /// The values and shape of a tensor that must be there, with D dimensions, none of them 0; `shape` describes it in
    /// the error.
    pub fn numbers<const D: usize>(&self, name: &str, shape: &str) -> Result<(Vec<f32>, [usize; D])> {
        let view = self.required(name, shape)?;
        match <[usize; D]>::try_from(view.shape()) {
            Ok(dims) if !dims.contains(&0) => Ok((numbers(name, &view)?, dims)),
            _ => Err(Error::tensor(name, format!("{:?}", view.shape()), format!("{shape}, none of them 0"))),
        }
    }

    /// The values of a tensor of exactly this shape, if there is one.
    pub fn optional_numbers(&self, name: &str, shape: &[usize]) -> Result<Option<Vec<f32>>> {
        self.shaped(name, shape)?.map(|view| numbers(name, &view)).transpose()
    }

    /// The values of a tensor of exactly this shape, and whether they are stored as floating-point numbers.
    pub fn numbers_of(&self, name: &str, shape: &[usize]) -> Result<(bool, Vec<f32>)> {
        let view = self.shaped(name, shape)?.ok_or_else(|| Error::tensor(name, "missing", format!("{shape:?}")))?;
        Ok((matches!(view.dtype(), Dtype::F32 | Dtype::F64), numbers(name, &view)?))
    }

    /// As [`TensorFile::optional_numbers`], for non-negative integers.
    pub fn optional_integers(&self, name: &str, shape: &[usize]) -> Result<Option<Vec<usize>>> {
        let Some(view) = self.shaped(name, shape)? else { return Ok(None) };
        let values: Vec<i64> = match view.dtype() {
            Dtype::I64 => values(&view, i64::from_le_bytes).collect(),
            Dtype::I32 => values(&view, |b| i64::from(i32::from_le_bytes(b))).collect(),
            Dtype::U32 => values(&view, |b| i64::from(u32::from_le_bytes(b))).collect(),
            Dtype::U8 => values(&view, |[b]| i64::from(b)).collect(),
            other => return Err(wrong_type(name, other, "integers (int64, int32, uint32 or uint8)")),
        };
        let index = |value: i64| {
            let error = |_| Error::Content(format!("tensor `{name}` holds {value}; expected integers from 0"));
            usize::try_from(value).map_err(error)
        };
        values.into_iter().map(index).collect::<Result<_>>().map(Some)
    }

    /// A floating-point tensor of any shape, if there is one, converted to `dtype`; all its values must then be finite.
    pub fn floats(&self, name: &str, dtype: DType, device: &Device) -> Result<Option<Tensor>> {
        let Some(view) = self.get(name) else { return Ok(None) };
        let stored = match view.dtype() {
            Dtype::F16 => DType::F16,
            Dtype::BF16 => DType::BF16,
            Dtype::F32 => DType::F32,
            Dtype::F64 => DType::F64,
            other => return Err(wrong_type(name, other, "float32 or float64")),
        };
        let tensor = Tensor::from_raw_buffer(view.data(), stored, view.shape(), &Device::Cpu)?.to_dtype(dtype)?;
        // Checked after the conversion: a number that is finite in double precision may not be finite in single
        // precision.
        let zero = |of: &Tensor| (of * 0.0)?.sum_all()?.to_dtype(DType::F64)?.to_scalar::<f64>();
        ensure!(tensor.elem_count() == 0 || zero(&tensor)? == 0.0, Content, "{}", not_finite(name));
        Ok(Some(tensor.to_device(device)?))
    }

    /// A tensor of exactly this shape, if there is one.
    fn shaped(&self, name: &str, shape: &[usize]) -> Result<Option<TensorView<'_>>> {
        let Some(view) = self.get(name) else { return Ok(None) };
        if view.shape() == shape {
            return Ok(Some(view));
        }
        Err(Error::tensor(name, format!("{:?}", view.shape()), format!("{shape:?}")))
    }
}

/// Refuses floating-point tensors with values that are not finite numbers.
pub(crate) fn finite(name: &str, view: &TensorView) -> Result<()> {
    let finite = match view.dtype() {
        Dtype::F32 => values(view, f32::from_le_bytes).all(f32::is_finite),
        Dtype::F64 => values(view, f64::from_le_bytes).all(f64::is_finite),
        _ => true,
    };
    ensure!(finite, Content, "{}", not_finite(name));
    Ok(())
}

/// Whether a floating-point tensor holds numbers below 0.
pub(crate) fn has_negative(view: &TensorView) -> bool {
    match view.dtype() {
        Dtype::F32 => values(view, f32::from_le_bytes).any(|value| value < 0.0),
        Dtype::F64 => values(view, f64::from_le_bytes).any(|value| value < 0.0),
        _ => false,
    }
}

fn not_finite(name: &str) -> String {
    format!("tensor `{name}` holds values that are not finite numbers")
}

fn wrong_type(name: &str, found: Dtype, expected: &str) -> Error {
    Error::tensor(name, format!("{found:?}"), expected)
}

fn numbers(name: &str, view: &TensorView) -> Result<Vec<f32>> {
    let values: Vec<f32> = match view.dtype() {
        Dtype::F32 => values(view, f32::from_le_bytes).collect(),
        Dtype::F64 => values(view, |b| f64::from_le_bytes(b) as f32).collect(),
        Dtype::BOOL | Dtype::U8 => values(view, |[b]| f32::from(b)).collect(),
        Dtype::I32 => values(view, |b| i32::from_le_bytes(b) as f32).collect(),
        Dtype::I64 => values(view, |b| i64::from_le_bytes(b) as f32).collect(),
        other => return Err(wrong_type(name, other, "float32, float64, bool or integers")),
    };
    ensure!(values.iter().all(|v| v.is_finite()), Content, "{}", not_finite(name));
    Ok(values)
}

/// The values of a tensor, each `L` bytes long.
fn values<'v, const L: usize, T>(
    view: &'v TensorView,
    value: impl Fn([u8; L]) -> T + 'v,
) -> impl Iterator<Item = T> + 'v {
    view.data().as_chunks::<L>().0.iter().map(move |bytes| value(*bytes))
}

fn damaged(error: impl Debug + Display) -> Error {
    Error::Content(error.to_string())
}

/// Refuses tensors that end outside the file. safetensors 0.8 adds the end of the last tensor to the header's length
/// without a check, and the sum overflows for ends near 2^64.
fn offsets_within(bytes: &[u8]) -> Result<()> {
    let length = bytes.get(..8).and_then(|length| length.try_into().ok()).map(u64::from_le_bytes);
    let header = length.and_then(|length| bytes[8..].get(..usize::try_from(length).ok()?));
    let Some(header) = header else { bail!(Content, "its header is cut short") };
    let metadata: Metadata = serde_json::from_slice(header).map_err(damaged)?;
    let data = bytes.len() - 8 - header.len();
    for (name, info) in metadata.tensors() {
        let end = info.data_offsets.1;
        ensure!(end <= data, Content, "tensor `{}` ends at byte {end} of {data}", shown(&name));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A file whose header claims u8 tensors of these lengths, one after the other, followed by `data`.
    fn claiming(lengths: &[u64], data: &[u8]) -> Vec<u8> {
        let mut end = 0u64;
        let entry = |(i, length): (usize, &u64)| {
            let start = end;
            end += length;
            format!(r#""t{i}":{{"dtype":"U8","shape":[{length}],"data_offsets":[{start},{end}]}}"#)
        };
        let entries: Vec<String> = lengths.iter().enumerate().map(entry).collect();
        let header = format!("{{{}}}", entries.join(","));
        [&(header.len() as u64).to_le_bytes(), header.as_bytes(), data].concat()
    }

    #[test]
    fn lengths_that_overflow_are_refused() {
        assert!(TensorFile::parse(&claiming(&[2, 3], &[0; 5])).is_ok());
        assert!(TensorFile::parse(&claiming(&[2, 4], &[0; 5])).is_err());
        // Eight tensors of the greatest length the format can describe, and a last one that ends just below 2^64.
        for last in 0..8 {
            let lengths = [&[(1u64 << 61) - 1; 8][..], &[last]].concat();
            let error = TensorFile::parse(&claiming(&lengths, &[0; 5])).err().unwrap().to_string();
            assert!(error.contains("of 5"), "{error}");
        }
        for bytes in [&[][..], &[255; 7], &[255; 8], &[255; 40], &[0; 8]] {
            assert!(TensorFile::parse(bytes).is_err());
        }
    }

    #[cfg(unix)]
    #[test]
    fn devices_are_not_read() {
        let error = read(Path::new("/dev/zero")).unwrap_err().to_string();
        assert_eq!(error, "/dev/zero: not a regular file");
    }
}
