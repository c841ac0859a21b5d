//! What every reader of a file from elsewhere needs: bytes of regular files only, safetensors whose offsets stay within the
//! file, and names that fit into one line of a message.

use anyhow::{ensure, Context, Result};
use safetensors::tensor::{Metadata, TensorView};
use safetensors::{Dtype, SafeTensors};
use std::path::Path;

/// Longer names are cut in messages.
const SHOWN: usize = 60;

/// The bytes of a regular file: a pipe or a device, which a file's metadata may name, could go on for ever.
///
/// # Errors
/// Names the file.
pub(crate) fn read(path: &Path) -> Result<Vec<u8>> {
    let regular = std::fs::metadata(path).map(|found| found.is_file());
    ensure!(regular.with_context(|| format!("reading {}", path.display()))?, "{}: not a regular file", path.display());
    std::fs::read(path).with_context(|| format!("reading {}", path.display()))
}

/// A safetensors file, and the metadata of its header.
///
/// # Errors
/// Where anything is damaged: see the cause.
pub(crate) fn tensors(bytes: &[u8]) -> Result<(SafeTensors<'_>, Metadata)> {
    offsets_within(bytes)?;
    let (_, metadata) = SafeTensors::read_metadata(bytes)?;
    Ok((SafeTensors::deserialize(bytes)?, metadata))
}

/// safetensors 0.8 adds the end of the last tensor to the header's length unchecked: ends near 2^64 overflow there.
fn offsets_within(bytes: &[u8]) -> Result<()> {
    let length = bytes.get(..8).and_then(|length| length.try_into().ok()).map(u64::from_le_bytes);
    let header = length.and_then(|length| bytes[8..].get(..usize::try_from(length).ok()?));
    let header = header.context("cut short, damaged, or something else")?;
    let metadata: Metadata = serde_json::from_slice(header)?;
    let data = bytes.len() - 8 - header.len();
    for (name, info) in metadata.tensors() {
        let end = info.data_offsets.1;
        ensure!(end <= data, "tensor `{}` ends at byte {end} of {data}", shown(&name));
    }
    Ok(())
}

/// Whether every value is a finite number; true of other types than float32 and float64.
pub(crate) fn finite(tensor: &TensorView) -> bool {
    match tensor.dtype() {
        Dtype::F32 => {
            tensor.data().chunks_exact(4).all(|b| b.try_into().is_ok_and(|b| f32::from_le_bytes(b).is_finite()))
        }
        Dtype::F64 => {
            tensor.data().chunks_exact(8).all(|b| b.try_into().is_ok_and(|b| f64::from_le_bytes(b).is_finite()))
        }
        _ => true,
    }
}

/// A name from a file, fit for one line of a message: control characters are escaped, long names cut.
pub(crate) fn shown(name: &str) -> String {
    let spelled = |c: char| if c.is_control() { c.escape_debug().collect() } else { String::from(c) };
    let mut shown: String = name.chars().take(SHOWN).map(spelled).collect();
    if name.chars().nth(SHOWN).is_some() {
        shown.push('…');
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A file of bytes (u8) tensors with these lengths, as its header claims, and `data`.
    fn claiming(lengths: &[u64], data: &[u8]) -> Vec<u8> {
        let mut start = 0u64;
        let entries: Vec<String> = lengths
            .iter()
            .enumerate()
            .map(|(i, length)| {
                let end = start + length;
                let entry = format!(r#""t{i}":{{"dtype":"U8","shape":[{length}],"data_offsets":[{start},{end}]}}"#);
                start = end;
                entry
            })
            .collect();
        let header = format!("{{{}}}", entries.join(","));
        [&(header.len() as u64).to_le_bytes(), header.as_bytes(), data].concat()
    }

    #[test]
    fn lengths_that_overflow_are_refused() {
        assert!(tensors(&claiming(&[2, 3], &[0; 5])).is_ok());
        assert!(tensors(&claiming(&[2, 4], &[0; 5])).is_err());
        // Eight times the longest tensor that the format can describe, and a last one that ends just below 2^64.
        let mut lengths = vec![(1u64 << 61) - 1; 8];
        for last in 0..8 {
            lengths.truncate(8);
            lengths.push(last);
            let error = format!("{:#}", tensors(&claiming(&lengths, &[0; 5])).map(|_| ()).unwrap_err());
            assert!(error.contains("of 5"), "{error}");
        }
        for bytes in [&[][..], &[255; 7], &[255; 8], &[255; 40], &[0; 8]] {
            assert!(tensors(bytes).is_err());
        }
    }

    #[test]
    fn names_are_shown_on_one_line() {
        assert_eq!(shown("w_rec"), "w_rec");
        assert_eq!(shown("a\nb\u{1b}[31m"), "a\\nb\\u{1b}[31m");
        assert_eq!(shown(&"ü".repeat(1000)), format!("{}…", "ü".repeat(60)));
    }

    #[cfg(unix)]
    #[test]
    fn devices_are_not_read() {
        let error = read(Path::new("/dev/zero")).unwrap_err().to_string();
        assert_eq!(error, "/dev/zero: not a regular file");
    }
}
