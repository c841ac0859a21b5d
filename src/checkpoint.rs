//! Checkpoints: one safetensors file that holds everything the next update reads.
//!
//! Written to a temporary file beside the target, synced, and renamed over it, so a reader finds the old file or the new
//! one, never a part. Read strictly: every tensor must have the name, type and shape that the configuration calls for. The
//! one metadata key, `hebbian_rnn`, holds JSON: format version, program version, configuration, seed, counters and checksum.
//!
//! Formats: 1 had no checksum.

use crate::bptt::{self, Moments};
use crate::checksum::checksum;
use crate::config::{Config, Output, RuleName, Stage};
use crate::criterion::{Criterion, WINDOW};
use crate::divergence::Frozen;
pub use crate::files::write_atomically;
use crate::files::{previous, write_keeping};
use crate::network::{State, Weights};
use crate::task::{self, Task};
use crate::trace::TraceState;
use crate::untrusted::{self, shown};
use anyhow::{bail, ensure, Context, Result};
use candle_core::{DType, Device, Tensor};
use safetensors::tensor::{Metadata, TensorView};
use safetensors::{Dtype, SafeTensors, View};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};

/// The only metadata key.
pub const METADATA_KEY: &str = "hebbian_rnn";
/// The version of the format this program writes, and the newest it reads; it reads all older ones.
pub const FORMAT: u32 = 2;
/// The name of the newest checkpoint in a run's folder.
pub const FILE_NAME: &str = "checkpoint.safetensors";

/// Whether a checkpoint is the one that was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Integrity {
    /// Its checksum fits.
    Whole,
    /// Its checksum does not fit: values were damaged, or edited by hand.
    Changed,
    /// It has no checksum (format 1).
    Unknown,
}

/// Everything the next update reads.
#[derive(Clone, Debug)]
pub struct Checkpoint {
    /// The version of the program that wrote it.
    pub program: String,
    /// The version of the format it was written in.
    pub format: u32,
    /// Whether it is the one that was written.
    pub integrity: Integrity,
    /// The run's configuration.
    pub config: Config,
    /// The weights.
    pub weights: Weights,
    /// x and r after the last trial.
    pub state: State,
    /// H (and e of the retroactive form), where it outlives a trial.
    pub trace: Option<TraceState>,
    /// The optimiser's state, by the names of its tensors; empty unless the rule is `bptt`.
    pub moments: Moments,
    /// Ē, `[S, types]`.
    pub expected_error: Vec<f64>,
    /// Each network's criterion.
    pub criterion: Vec<Criterion>,
    /// Which networks are frozen, since when and why.
    pub frozen: Vec<Option<Frozen>>,
    /// Updates made.
    pub updates: u64,
}

#[derive(Serialize, Deserialize)]
struct Header {
    format: u32,
    program: String,
    seed: u64,
    updates: u64,
    trials: u64,
    criterion_trials: Vec<Option<u64>>,
    /// Left out where no network is frozen.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    frozen: Vec<Option<Frozen>>,
    config: Config,
    /// Empty where there is none, and while it is computed.
    #[serde(default)]
    sha256: String,
}

/// A tensor a checkpoint holds: its type and shape.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Expected {
    /// The element type.
    pub dtype: DType,
    /// The shape.
    pub shape: Vec<usize>,
}

/// Every tensor of a run's checkpoint, by name.
pub fn layout(config: &Config, task: &dyn Task) -> BTreeMap<&'static str, Expected> {
    let (s, b, n) = (config.train.networks.count(), config.train.batch, config.network.neurons);
    let (n_in, n_out, types) = (task.inputs().len(), task.n_out(), task.trial_types().len());
    let float: DType = config.train.dtype.into();
    let mut tensors = BTreeMap::new();
    let mut add = |name, dtype, shape: &[usize]| {
        tensors.insert(name, Expected { dtype, shape: shape.to_vec() });
    };
    add("w_in", float, &[s, n, n_in]);
    add("w_rec", float, &[s, n, n]);
    if config.network.bias_scale > 0.0 {
        add("b_rec", float, &[s, n]);
    }
    if config.network.connectivity < 1.0 {
        add("connectivity", DType::U8, &[s, n, n]);
    }
    if config.network.output == Output::Readout {
        add("w_out", float, &[s, n_out, n]);
        add("b_out", float, &[s, n_out]);
    }
    if config.network.feedback_scale > 0.0 {
        add("w_fb", float, &[s, n, n_out]);
    }
    if config.network.error_feedback_scale > 0.0 {
        add("error_feedback", float, &[s, n, n_out]);
    }
    add("x", float, &[s, b, n]);
    add("r", float, &[s, b, n]);
    if config.trace.stage != Stage::None && config.trace.persistent {
        add("hebbian_trace", float, &[s, b, n, n]);
        if config.trace.stage == Stage::Retroactive {
            add("eligibility", float, &[s, b, n, n]);
        }
    }
    if config.rule.name == RuleName::Bptt {
        for name in bptt::learning(config) {
            let weight = tensors[name].clone();
            tensors.extend(bptt::moment_names(name).into_iter().flatten().map(|moment| (moment, weight.clone())));
        }
    }
    let mut add = |name, dtype, shape: &[usize]| {
        tensors.insert(name, Expected { dtype, shape: shape.to_vec() });
    };
    add("expected_error", DType::F64, &[s, types]);
    add("recent_correct", DType::U8, &[s, WINDOW]);
    tensors
}

/// Outcomes not yet seen, in `recent_correct`.
const NOT_YET: u8 = 2;

impl Checkpoint {
    /// The tensors by name, in the host's memory.
    fn tensors(&self) -> Result<BTreeMap<&'static str, Tensor>> {
        let cpu = Device::Cpu;
        let s = self.config.train.networks.count();
        let Weights { w_in, w_rec, b_rec, w_out, b_out, w_fb, error_feedback, connectivity } = &self.weights;
        let recent: Vec<u8> = self
            .criterion
            .iter()
            .flat_map(|c| {
                let seen: Vec<u8> = c.recent().map(u8::from).collect();
                std::iter::repeat_n(NOT_YET, WINDOW - seen.len()).chain(seen)
            })
            .collect();
        let types = self.expected_error.len() / s;
        let mut tensors = BTreeMap::from([
            ("w_in", w_in.clone()),
            ("w_rec", w_rec.clone()),
            ("x", self.state.x.clone()),
            ("r", self.state.r.clone()),
            ("expected_error", Tensor::from_vec(self.expected_error.clone(), (s, types), &cpu)?),
            ("recent_correct", Tensor::from_vec(recent, (s, WINDOW), &cpu)?),
        ]);
        let optional = [
            ("b_rec", b_rec),
            ("w_out", w_out),
            ("b_out", b_out),
            ("w_fb", w_fb),
            ("error_feedback", error_feedback),
            ("connectivity", connectivity),
        ];
        tensors.extend(optional.into_iter().filter_map(|(name, tensor)| Some((name, tensor.clone()?))));
        tensors.extend(self.moments.clone());
        if let Some(TraceState { h, eligibility }) = &self.trace {
            tensors.insert("hebbian_trace", h.clone());
            tensors.extend(eligibility.clone().map(|e| ("eligibility", e)));
        }
        tensors.into_iter().map(|(name, tensor)| Ok((name, tensor.to_device(&cpu)?))).collect()
    }

    /// The file's bytes.
    pub fn to_bytes(&self) -> Result<Vec<u8>> {
        let mut header = Header {
            format: FORMAT,
            program: self.program.clone(),
            seed: self.config.train.seed,
            updates: self.updates,
            trials: self.trials(),
            criterion_trials: self.criterion.iter().map(Criterion::reached_at).collect(),
            frozen: if self.frozen.iter().any(Option::is_some) { self.frozen.clone() } else { Vec::new() },
            config: self.config.clone(),
            sha256: String::new(),
        };
        let tensors = self.tensors()?;
        let stored = tensors.iter().map(|(name, t)| (*name, View::dtype(t), t.dims(), View::data(t)));
        header.sha256 = checksum(&serde_json::to_string(&header)?, stored);
        let metadata = HashMap::from([(METADATA_KEY.to_string(), serde_json::to_string(&header)?)]);
        Ok(safetensors::serialize(tensors.iter().map(|(name, tensor)| (*name, tensor)), Some(metadata))?)
    }

    /// Trials of each network.
    pub fn trials(&self) -> u64 {
        self.updates * self.config.train.batch as u64
    }

    /// Writes the checkpoint to `path`, whole or not at all, and not before it is safe on the disk.
    pub fn write(&self, path: &Path) -> Result<()> {
        self.write_keeping(path, 0)
    }

    /// The same, keeping the last `keep` files that were there before as `checkpoint.1.safetensors`, `checkpoint.2.safetensors`,
    /// …, the newest first.
    pub fn write_keeping(&self, path: &Path, keep: u64) -> Result<()> {
        let bytes = self.to_bytes().with_context(|| format!("preparing {}", path.display()))?;
        write_keeping(path, &bytes, keep)
    }

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

impl std::fmt::Display for Expected {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {:?}", self.dtype.as_str(), self.shape)
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
