//! The envelope of a checkpoint: one safetensors file with named tensors and, as its only metadata, a header in JSON.
//!
//! The header holds the format's version, the program's version, the configuration, counters and a checksum. Envelopes are read
//! strictly, and say of a file whose it is.

use super::Persistent;
use crate::error::{bail, ensure, At, Doing, Error, Result};
use crate::files::previous;
use crate::reader::{read, TensorFile};
use crate::text::shown;
use crate::training::{Integrity, CHECKPOINT_FILE, LIFE_METADATA_KEY, METADATA_KEY};
use candle_core::Tensor;
use safetensors::View;
use serde::de::DeserializeOwned;
use serde::Serialize;
use serde_json::Value;
use sha2::{Digest, Sha256};
use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};

/// The kinds of checkpoints: the metadata key of the header, the work that it belongs to, and the command that continues this.
const KINDS: [(&str, &str, &str); 2] =
    [(METADATA_KEY, "a training run", "train"), (LIFE_METADATA_KEY, "a life", "live")];

/// The header of one kind of checkpoint.
pub(super) trait Header: Serialize + DeserializeOwned {
    /// The metadata key.
    const KEY: &'static str;
    /// The version of the format that is written, and the newest that can be read; all older ones can be read too.
    const FORMAT: u32;
    /// The newest version without a checksum.
    const WITHOUT_CHECKSUM: u32;
    /// The checksum; empty while it is being computed.
    fn checksum(&mut self) -> &mut String;
}

/// The contents of a checkpoint's file.
pub(super) fn seal<H: Header, N: AsRef<str>>(mut header: H, tensors: &BTreeMap<N, Tensor>) -> Result<Vec<u8>> {
    let json = |header: &H| {
        serde_json::to_string(header).map_err(|error| Error::Bug(format!("writing a checkpoint's metadata: {error}")))
    };
    let named = || tensors.iter().map(|(name, tensor)| (name.as_ref(), tensor));
    *header.checksum() = checksum(&json(&header)?, named());
    let metadata = HashMap::from([(H::KEY.to_string(), json(&header)?)]);
    safetensors::serialize(named(), Some(metadata)).map_err(|error| Error::Bug(format!("writing safetensors: {error}")))
}

/// The tensors and the header in a checkpoint's file, and whether these are still as they were written.
///
/// # Errors
/// [`Error::Content`] if it is not a checkpoint of this kind or is damaged, or if a newer version of the program wrote it.
pub(super) fn open<H: Header>(bytes: &[u8]) -> Result<(TensorFile<'_>, H, Integrity)> {
    let file = TensorFile::parse(bytes)?;
    let json = header_in::<H>(&file)?.to_string();
    let damaged = |error: serde_json::Error| Error::Content(error.to_string());
    let place = format!("the `{}` metadata", H::KEY);
    let value: Value = serde_json::from_str(&json).map_err(damaged).at(format!("{place} is not JSON"))?;
    let (newest, program) = (H::FORMAT, env!("CARGO_PKG_VERSION"));
    let Some(format) = value.get("format").and_then(Value::as_u64) else {
        bail!(Content, "{place} does not give a format")
    };
    let known = (1..=u64::from(newest)).contains(&format);
    ensure!(known, Content, "written in format {format}; this program ({program}) reads formats up to {newest}");
    let mut header: H = serde_json::from_value(value).map_err(damaged).at(&place)?;
    let integrity = if format <= u64::from(H::WITHOUT_CHECKSUM) {
        Integrity::Unknown
    } else if is_whole(&file, &json, header.checksum()) {
        Integrity::Whole
    } else {
        Integrity::Changed
    };
    Ok((file, header, integrity))
}

/// The header's text; refuses a file that is not a checkpoint of this kind.
fn header_in<'a, H: Header>(file: &'a TensorFile) -> Result<&'a str> {
    if let Some(json) = file.metadata_text(H::KEY) {
        return Ok(json);
    }
    let called = |wanted: &str| KINDS.iter().find(|(key, ..)| *key == wanted).map_or("", |(_, work, _)| work);
    if let Some((_, work, command)) = kind(file) {
        bail!(
            Content,
            "the checkpoint of {work}, not of {}; `{command}` continues it and `inspect` shows it",
            called(H::KEY)
        );
    }
    bail!(Content, "a safetensors file from another program: it has no `{}` metadata", H::KEY)
}

/// The kind of a checkpoint.
fn kind(file: &TensorFile) -> Option<(&'static str, &'static str, &'static str)> {
    KINDS.into_iter().find(|(key, ..)| file.metadata_text(key).is_some())
}

/// Whether a file, or the checkpoint in a folder, belongs to lives.
pub fn holds_a_life(path: &Path) -> bool {
    let Ok(bytes) = read(&file_in(path)) else { return false };
    TensorFile::parse(&bytes).is_ok_and(|file| file.metadata_text(LIFE_METADATA_KEY).is_some())
}

/// The newest checkpoint, if `path` is a folder.
fn file_in(path: &Path) -> PathBuf {
    if path.is_dir() {
        path.join(CHECKPOINT_FILE)
    } else {
        path.to_path_buf()
    }
}

/// Refuses a folder without a checkpoint that holds the folders of runs, and names some of them.
fn refuse_parent(path: &Path) -> Result<()> {
    const SHOWN: usize = 8;
    if !path.is_dir() || path.join(CHECKPOINT_FILE).exists() {
        return Ok(());
    }
    let entries = std::fs::read_dir(path).doing("reading", path)?.filter_map(|entry| Some(entry.ok()?.path()));
    let mut runs: Vec<String> = entries
        .filter(|entry| entry.join(CHECKPOINT_FILE).exists())
        .filter_map(|entry| Some(shown(entry.file_name()?.to_str()?)))
        .collect();
    runs.sort_unstable();
    let more = if runs.len() > SHOWN { ", …" } else { "" };
    ensure!(
        runs.is_empty(),
        Usage,
        "{} is not a run's folder but holds some; name one of them: {}{more}",
        path.display(),
        runs.iter().take(SHOWN).cloned().collect::<Vec<_>>().join(", ")
    );
    Ok(())
}

/// Reads a checkpoint from a file or the newest one of a run's folder, and `parse`s it.
///
/// # Errors
/// [`Error::Io`] if the file cannot be read; otherwise those of `parse`. The message names an earlier checkpoint that can be read, if
/// there is one.
pub(super) fn read_newest<P: Persistent>(
    path: &Path,
    parse: impl Fn(&[u8]) -> Result<P::Checkpoint>,
) -> Result<P::Checkpoint> {
    let (folder, path) = (path, &file_in(path));
    let newest = read(path).and_then(|bytes| parse(&bytes).at_path(path));
    newest.or_else(|error| match whole_previous::<P>(path, parse) {
        None => refuse_parent(folder).and(Err(error)),
        Some((previous, moment)) => Err(error).at(format!(
            "{} cannot be read, but the checkpoint before it can: {} ({moment})",
            path.display(),
            previous.display()
        )),
    })
}

/// The newest undamaged checkpoint among the earlier ones kept for `path`, and its moment.
pub(super) fn whole_previous<P: Persistent>(
    path: &Path,
    parse: impl Fn(&[u8]) -> Result<P::Checkpoint>,
) -> Option<(PathBuf, String)> {
    let kept = (1..).map(|k| previous(path, k)).take_while(|path| path.exists());
    kept.filter_map(|path| Some((parse(&read(&path).ok()?).ok()?, path)))
        .find(|(checkpoint, _)| P::integrity(checkpoint) != Integrity::Changed)
        .map(|(checkpoint, path)| (path, P::moment_of(&checkpoint)))
}

/// Whether a file is as it was written, according to the checksum `found` in its header's text.
fn is_whole(file: &TensorFile, json: &str, found: &str) -> bool {
    let tensors = file.names().into_iter().filter_map(|name| Some((name, file.get(name)?)));
    found.len() == 64 && checksum(&json.replacen(found, "", 1), tensors) == found
}

/// The SHA-256 of metadata and tensors, in hexadecimal digits.
///
/// It covers `metadata`, the JSON text exactly as in the file but with an empty string for the checksum itself; then,
/// for each tensor in order of name, a newline, a line such as `w_rec F32 [2, 200, 200]`, and the tensor's bytes.
fn checksum<'a>(metadata: &str, tensors: impl IntoIterator<Item = (&'a str, impl View)>) -> String {
    let mut hash = Sha256::new_with_prefix(metadata);
    for (name, tensor) in tensors {
        hash.update(format!("\n{name} {:?} {:?}\n", tensor.dtype(), tensor.shape()));
        hash.update(tensor.data());
    }
    format!("{:x}", hash.finalize())
}

#[cfg(test)]
mod tests {
    use super::*;
    use safetensors::tensor::TensorView;
    use safetensors::Dtype;

    #[test]
    fn the_checksum_is_that_of_another_program() {
        // printf '{"a":1}\nw F32 [1, 2]\nabcdefgh\nx U8 [0]\n' | sha256sum
        let w = TensorView::new(Dtype::F32, vec![1, 2], b"abcdefgh").unwrap();
        let x = TensorView::new(Dtype::U8, vec![0], b"").unwrap();
        let expected = "fb87e4c5e04990090d18313a6903e261b5be4c2a76d4d042229b6b5af167a9af";
        assert_eq!(checksum("{\"a\":1}", [("w", w), ("x", x)]), expected);
    }
}
