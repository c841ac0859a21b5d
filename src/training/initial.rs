//! Initial weights taken from the networks of an earlier run or another program (`train.init`).

use super::checkpoint::{CHECKPOINT_FILE, METADATA_KEY};
use crate::config::NetworkRange;
use crate::error::{bail, ensure, At, Doing, Error, Result};
use crate::model::{signed, Weights};
use crate::reader::{read, sha256, TensorFile};
use crate::setup::Setup;
use candle_core::{DType, Device, Tensor};
use safetensors::Dtype;
use std::collections::BTreeMap;
use std::path::Path;

/// Initial weights of a run's networks, taken from a file.
pub struct InitialWeights {
    /// In host memory, the run's networks first.
    tensors: BTreeMap<&'static str, Tensor>,
    /// The names of weights that the file lacks; these are drawn.
    drawn: Vec<&'static str>,
    /// The names of weights that the file has for another number of inputs or outputs; these are drawn too.
    redrawn: Vec<&'static str>,
    /// The names of the file's weights that these networks do not have.
    unused: Vec<&'static str>,
}

impl InitialWeights {
    /// Every name that a weight can have.
    const NAMES: [&'static str; 8] =
        ["w_in", "w_rec", "b_rec", "w_out", "b_out", "w_fb", "error_feedback", "connectivity"];

    /// Reads the file that `train.init` names, if it names one, and writes its full path and hash to the configuration.
    ///
    /// Networks are found by their index if the file is a checkpoint; otherwise they are counted from 0.
    ///
    /// # Errors
    /// [`Error::Io`] if the file cannot be read; [`Error::Tensor`] if a tensor does not have the shape that the networks
    /// require, apart from the numbers of inputs and outputs; [`Error::Content`] if the file is damaged or does not have the hash in `train.init_sha256`, has no
    /// weights for these networks, or breaks Dale's law where that is kept.
    pub(super) fn read(setup: &mut Setup) -> Result<Option<Self>> {
        let Some(path) = setup.config.train.init.clone() else { return Ok(None) };
        let mut path = std::path::absolute(&path).doing("finding", Path::new(&path))?;
        if path.is_dir() {
            path.push(CHECKPOINT_FILE);
        }
        let bytes = read(&path)?;
        let (found, train) = (sha256(&bytes), &mut setup.config.train);
        if let Some(expected) = train.init_sha256.as_ref().filter(|expected| !expected.is_empty()) {
            let place = path.display();
            ensure!(
                *expected == found,
                Content,
                "{place}: its SHA-256 is {found}; expected {expected} (train.init_sha256): the file has changed since; restore it"
            );
        }
        (train.init, train.init_sha256) = (Some(path.display().to_string()), Some(found));
        Self::from_bytes(&bytes, setup).at_path(&path).map(Some)
    }

    fn from_bytes(bytes: &[u8], setup: &Setup) -> Result<Self> {
        let file = TensorFile::parse(bytes)?;
        let networks = setup.config.train.networks;
        let layout = Weights::layout(&setup.config, setup.task.n_in(), setup.task.n_out());
        let has = |name: &&&str| file.get(name).is_some();
        let (in_file, missing): (Vec<_>, Vec<_>) = layout.keys().partition(has);
        if in_file.is_empty() {
            let names: Vec<&str> = layout.keys().copied().collect();
            bail!(Content, "it has no weights for these networks; expected some of {}", names.join(", "));
        }
        if layout.contains_key("connectivity") && in_file.contains(&&"w_rec") {
            file.required("connectivity", "there with `w_rec`, since network.connectivity is below 1")?;
        }
        let noted = noted_networks(&file);
        let (mut tensors, mut redrawn) = (BTreeMap::new(), Vec::new());
        for &name in in_file {
            let (dtype, shape) = &layout[name];
            let view = file.required(name, "a weight")?;
            let count = view.shape().first().copied().unwrap_or(0) as u64;
            let all = noted.unwrap_or_else(|| NetworkRange::from(0..count));
            let expected = [&[all.count()], &shape[1..]].concat();
            let mut of_this_task = view.shape().to_vec();
            if let Some(dimension) = Weights::task_dimension(name).filter(|dimension| *dimension < of_this_task.len()) {
                of_this_task[dimension] = shape[dimension];
            }
            if of_this_task == expected && view.shape() != expected {
                redrawn.push(name);
                continue;
            }
            if view.shape() != expected {
                return Err(Error::tensor(name, format!("{:?}", view.shape()), format!("{expected:?}")));
            }
            ensure!(
                all.start <= networks.start && networks.end <= all.end,
                Content,
                "it has networks {all}, but train.networks is {networks}"
            );
            let tensor = match (*dtype, view.dtype()) {
                (DType::U8, Dtype::U8) => Some(Tensor::from_raw_buffer(view.data(), *dtype, &expected, &Device::Cpu)?),
                (DType::U8, other) => return Err(Error::tensor(name, format!("{other:?}"), "uint8")),
                (float, _) => file.floats(name, float, &Device::Cpu)?,
            };
            let tensor = tensor.ok_or_else(|| Error::tensor(name, "missing", "a weight"))?;
            tensors.insert(name, tensor.narrow(0, (networks.start - all.start) as usize, networks.count())?);
        }
        ensure!(
            !tensors.is_empty(),
            Content,
            "{} are for other numbers of inputs and outputs, and it has no other weights",
            redrawn.join(", ")
        );
        if let (true, Some(w_rec)) = (setup.config.network.dale, tensors.get("w_rec")) {
            let excess = (w_rec - signed(w_rec, setup.config.network.excitatory_neurons())?)?;
            let excess = excess.abs()?.sum_all()?.to_dtype(DType::F64)?.to_scalar::<f64>()?;
            ensure!(excess == 0.0, Content, "tensor `w_rec` has weights of the wrong sign, but network.dale is set");
        }
        let unused = Self::NAMES.into_iter().filter(|name| !layout.contains_key(name) && has(&name)).collect();
        Ok(InitialWeights { tensors, drawn: missing.into_iter().copied().collect(), redrawn, unused })
    }

    /// The weights of the networks at `places`, counted from 0, instead of those that were `drawn` for them.
    pub(super) fn replace(&self, drawn: &Weights, places: std::ops::Range<usize>) -> candle_core::Result<Weights> {
        drawn.map(|name, tensor| match self.tensors.get(name) {
            None => Ok(tensor.clone()),
            Some(given) => given.narrow(0, places.start, places.len())?.contiguous()?.to_device(tensor.device()),
        })
    }

    /// The names of the weights taken from the file.
    pub fn taken(&self) -> Vec<&'static str> {
        self.tensors.keys().copied().collect()
    }

    /// The names of the weights that the file lacks, which were drawn.
    pub fn drawn(&self) -> &[&'static str] {
        &self.drawn
    }

    /// The names of the weights that the file has for another number of inputs or outputs, which were drawn.
    pub fn redrawn(&self) -> &[&'static str] {
        &self.redrawn
    }

    /// The names of the file's weights that these networks do not have.
    pub fn unused(&self) -> &[&'static str] {
        &self.unused
    }
}

/// The indices of the networks in a checkpoint; `None` for a file from another program.
fn noted_networks(file: &TensorFile) -> Option<NetworkRange> {
    let json = file.metadata_text(METADATA_KEY)?;
    let header: serde_json::Value = serde_json::from_str(json).ok()?;
    serde_json::from_value(header["config"]["train"]["networks"].clone()).ok()
}
