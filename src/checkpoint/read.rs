//! Reading: strict, and with a word on what was found and what was expected.

use super::layout::{layout, Expected};
use super::{Checkpoint, Header, Integrity, FILE_NAME, FORMAT, METADATA_KEY, NOT_YET};
use crate::bptt::{self, Moments};
use crate::checksum::checksum;
use crate::criterion::Criterion;
use crate::files::previous;
use crate::network::{State, Weights};
use crate::task::{self, Task};
use crate::trace::TraceState;
use crate::untrusted::{self, shown};
use anyhow::{bail, ensure, Context, Result};
use candle_core::{DType, Device, Tensor};
use safetensors::tensor::{Metadata, TensorView};
use safetensors::{Dtype, SafeTensors};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

impl Checkpoint {
    /// Reads a checkpoint from a file, or the newest of a run's folder. [`Checkpoint::integrity`] says whether it was changed.
    ///
    /// # Errors
    /// Names the file and, where it is one tensor's fault, the tensor, what was found and what was expected; and the checkpoint
    /// before it, where that one can be read.
    pub fn read(path: &Path, device: &Device) -> Result<Self> {
        Self::read_for(path, None, device)
    }

    /// The same for networks that were trained on a task of your own.
    pub fn read_with_task(path: &Path, task: &dyn Task, device: &Device) -> Result<Self> {
        Self::read_for(path, Some(task), device)
    }

    fn read_for(path: &Path, task: Option<&dyn Task>, device: &Device) -> Result<Self> {
        let path = if path.is_dir() { &path.join(FILE_NAME) } else { path };
        Self::read_file(path, task, device).map_err(|error| match Self::whole_previous(path, task) {
            None => error,
            Some((previous, updates)) => error.context(format!(
                "{} cannot be read, but the checkpoint before it can: {} (update {updates})",
                path.display(),
                previous.display()
            )),
        })
    }

    fn read_file(path: &Path, task: Option<&dyn Task>, device: &Device) -> Result<Self> {
        let bytes = untrusted::read(path)?;
        Self::from_bytes(&bytes, task, device).with_context(|| path.display().to_string())
    }

    /// The newest of the checkpoints kept from before `path` was written that is whole, and its updates.
    pub fn whole_previous(path: &Path, task: Option<&dyn Task>) -> Option<(PathBuf, u64)> {
        let kept = (1..).map(|k| previous(path, k)).take_while(|path| path.exists());
        kept.filter_map(|path| Some((Self::read_file(&path, task, &Device::Cpu).ok()?, path)))
            .find(|(checkpoint, _)| checkpoint.integrity != Integrity::Changed)
            .map(|(checkpoint, path)| (path, checkpoint.updates))
    }

    /// Reads a checkpoint from a file's bytes; `task` is `None` where the configuration names one that is built in.
    pub fn from_bytes(bytes: &[u8], task: Option<&dyn Task>, device: &Device) -> Result<Self> {
        let (file, metadata) = untrusted::tensors(bytes)
            .context("not a whole safetensors file (cut short, damaged, or something else)")?;
        let (header, json) = header(&metadata)?;
        let built;
        let task = match task {
            Some(task) => task,
            None => {
                built = task::build(&header.config.task)?;
                &*built
            }
        };
        header.config.validate(task).context("the configuration in the metadata")?;
        let tensors = Tensors { file, layout: layout(&header.config, task), device };
        tensors.check_all()?;
        check_counters(&header)?;
        let integrity = match header.format {
            1 => Integrity::Unknown,
            _ if tensors.checksum(json, &header.sha256) == header.sha256 => Integrity::Whole,
            _ => Integrity::Changed,
        };

        let weights = Weights {
            w_in: tensors.finite("w_in")?,
            w_rec: tensors.finite("w_rec")?,
            b_rec: tensors.optional("b_rec")?,
            w_out: tensors.optional("w_out")?,
            b_out: tensors.optional("b_out")?,
            w_fb: tensors.optional("w_fb")?,
            error_feedback: tensors.optional("error_feedback")?,
            connectivity: tensors.of_bytes_below(2, "connectivity")?,
        };
        let trace = match tensors.optional("hebbian_trace")? {
            Some(h) => Some(TraceState { h, eligibility: tensors.optional("eligibility")? }),
            None => None,
        };
        let moments = tensors.layout.keys().filter(|name| bptt::is_moment(name));
        let moments = moments.map(|name| Ok((*name, tensors.finite(name)?))).collect::<Result<Moments>>()?;
        let recent = tensors.of_bytes_below(NOT_YET + 1, "recent_correct")?.context("tensor `recent_correct`")?;
        let recent: Vec<Vec<u8>> = recent.to_device(&Device::Cpu)?.to_vec2()?;
        ensure!(
            header.criterion_trials.len() == recent.len(),
            "the metadata's criterion_trials speaks of {} networks, the tensors of {}",
            header.criterion_trials.len(),
            recent.len()
        );
        let frozen = if header.frozen.is_empty() { vec![None; recent.len()] } else { header.frozen };
        ensure!(
            frozen.len() == recent.len(),
            "the metadata's frozen speaks of {} networks, the tensors of {}",
            frozen.len(),
            recent.len()
        );
        let criterion = recent
            .into_iter()
            .zip(header.criterion_trials)
            .map(|(recent, reached)| {
                Criterion::restore(
                    recent.into_iter().filter(|outcome| *outcome < NOT_YET).map(|outcome| outcome == 1),
                    reached,
                )
            })
            .collect();
        Ok(Checkpoint {
            program: header.program,
            format: header.format,
            integrity,
            weights,
            state: State { x: tensors.finite("x")?, r: tensors.finite("r")? },
            trace,
            moments,
            expected_error: tensors.finite("expected_error")?.flatten_all()?.to_vec1()?,
            criterion,
            frozen,
            updates: header.updates,
            config: header.config,
        })
    }
}

/// The header and its text.
fn header(metadata: &Metadata) -> Result<(Header, &str)> {
    let json = metadata
        .metadata()
        .as_ref()
        .and_then(|m| m.get(METADATA_KEY))
        .with_context(|| format!("a safetensors file of another program: it has no `{METADATA_KEY}` metadata"))?;
    let value: serde_json::Value =
        serde_json::from_str(json).with_context(|| format!("the `{METADATA_KEY}` metadata is not JSON"))?;
    match value.get("format").and_then(serde_json::Value::as_u64) {
        Some(format) if (1..=u64::from(FORMAT)).contains(&format) => {}
        Some(format) => bail!(
            "written in format {format}; this program ({}) reads formats 1 to {FORMAT}",
            env!("CARGO_PKG_VERSION")
        ),
        None => bail!("the `{METADATA_KEY}` metadata names no format"),
    }
    let header: Header = serde_json::from_value(value).with_context(|| format!("the `{METADATA_KEY}` metadata"))?;
    Ok((header, json))
}

/// Refuses counters that no run reaches, for sums of them would overflow.
fn check_counters(header: &Header) -> Result<()> {
    const MOST: u64 = 1 << 62;
    let trials = header.updates.checked_mul(header.config.train.batch as u64);
    ensure!(
        trials.is_some_and(|trials| trials <= MOST),
        "the metadata's updates is {}: with {} trials each, more than {MOST} trials",
        header.updates,
        header.config.train.batch
    );
    Ok(())
}

struct Tensors<'a> {
    file: SafeTensors<'a>,
    layout: BTreeMap<&'static str, Expected>,
    device: &'a Device,
}

impl Tensors<'_> {
    fn check_all(&self) -> Result<()> {
        let mut names: Vec<&str> = self.file.names();
        names.sort_unstable();
        if let Some(stranger) = names.iter().find(|name| !self.layout.contains_key(**name)) {
            bail!("tensor `{}` is not one that this configuration has", shown(stranger));
        }
        for (name, expected) in &self.layout {
            let Ok(found) = self.file.tensor(name) else { bail!("tensor `{name}` is missing; expected {expected}") };
            check(name, &found, expected)?;
        }
        Ok(())
    }

    fn view(&self, name: &str) -> Result<TensorView<'_>> {
        self.file.tensor(name).with_context(|| format!("tensor `{name}`"))
    }

    /// What the checksum should be, given the header's text and the checksum in it.
    fn checksum(&self, json: &str, found: &str) -> String {
        let blank = if found.is_empty() { json.to_string() } else { json.replacen(found, "", 1) };
        let views = self.layout.keys().filter_map(|name| Some((*name, self.file.tensor(name).ok()?)));
        let stored: Vec<_> = views.map(|(name, v)| (name, v.dtype(), v.shape().to_vec(), v.data())).collect();
        checksum(&blank, stored.iter().map(|(name, dtype, shape, data)| (*name, *dtype, &shape[..], (*data).into())))
    }

    fn load(&self, name: &str, device: &Device) -> Result<Tensor> {
        let view = self.view(name)?;
        let dtype = DType::try_from(view.dtype())?;
        Tensor::from_raw_buffer(view.data(), dtype, view.shape(), device).with_context(|| format!("tensor `{name}`"))
    }

    /// A tensor of small integers (u8), where the networks have it.
    fn of_bytes_below(&self, bound: u8, name: &str) -> Result<Option<Tensor>> {
        if !self.layout.contains_key(name) {
            return Ok(None);
        }
        if let Some(strange) = self.view(name)?.data().iter().find(|byte| **byte >= bound) {
            bail!("tensor `{name}` holds {strange}; expected integers from 0 to {}", bound - 1);
        }
        self.load(name, self.device).map(Some)
    }

    fn optional(&self, name: &str) -> Result<Option<Tensor>> {
        self.layout.contains_key(name).then(|| self.finite(name)).transpose()
    }

    fn finite(&self, name: &str) -> Result<Tensor> {
        ensure!(untrusted::finite(&self.view(name)?), "tensor `{name}` holds values that are not finite numbers");
        self.load(name, self.device)
    }
}

fn check(name: &str, found: &TensorView, expected: &Expected) -> Result<()> {
    let same = found.dtype() == Dtype::from(expected.dtype) && found.shape() == expected.shape;
    ensure!(
        same,
        "tensor `{name}` is {} {:?}; expected {expected}",
        format!("{:?}", found.dtype()).to_lowercase(),
        found.shape()
    );
    Ok(())
}
