//! Reads checkpoints strictly: every tensor must have the name, type and shape that the configuration requires. Errors
//! say what was found and what was expected.

use super::{judges_by_errors, layout, Header, NOT_YET, RECENT_ERROR};
use crate::error::{bail, ensure, At, Error, Result};
use crate::reader::{finite, has_negative, TensorFile};
use crate::setup::{Own, Setup};
use crate::storage::envelope::{open, read_newest};
use crate::text::shown;
use crate::training::{Checkpoint, Criterion, Plastic, StageProgress, Trainer, WINDOW};
use candle_core::{DType, Device, Tensor};
use safetensors::Dtype;
use std::collections::BTreeMap;
use std::path::Path;

impl Checkpoint {
    /// Reads a checkpoint from a file, or the newest one of a run's folder. [`Checkpoint::integrity`] says whether it
    /// has changed since it was written.
    ///
    /// # Errors
    /// [`Error::Io`] if the file cannot be read, [`Error::Content`] or [`Error::Tensor`] if it is not a checkpoint or
    /// is damaged, and the errors of [`Setup::new`] for its configuration. The message names an earlier checkpoint that
    /// can be read, if there is one.
    pub fn read(path: &Path, device: &Device) -> Result<Self> {
        Self::read_with(path, Own::default(), device)
    }

    /// As [`Checkpoint::read`], for networks with your own task, rule or neuron model.
    ///
    /// # Errors
    /// As [`Checkpoint::read`].
    pub fn read_with(path: &Path, own: Own, device: &Device) -> Result<Self> {
        read_newest::<Trainer>(path, |bytes| Self::from_bytes_with(bytes, own.clone(), device))
    }

    /// Reads a checkpoint from the contents of its file.
    ///
    /// # Errors
    /// As [`Checkpoint::read`], except [`Error::Io`].
    pub fn from_bytes(bytes: &[u8], device: &Device) -> Result<Self> {
        Self::from_bytes_with(bytes, Own::default(), device)
    }

    /// As [`Checkpoint::from_bytes`], for networks with your own task, rule or neuron model.
    ///
    /// # Errors
    /// As [`Checkpoint::from_bytes`].
    pub fn from_bytes_with(bytes: &[u8], own: Own, device: &Device) -> Result<Self> {
        let (file, header, integrity) = open::<Header>(bytes)?;
        let setup = Setup::with(header.config.clone(), own).at("the configuration in the metadata")?;
        let mut tensors = Tensors { file: &file, layout: layout(&setup), device };
        // Earlier versions did not save the errors of episodes, and counted them as 0 after a resume.
        let errors_unknown =
            setup.config.curriculum.is_empty() && judges_by_errors(&setup) && file.get(RECENT_ERROR).is_none();
        if errors_unknown {
            tensors.layout.remove(RECENT_ERROR);
        }
        tensors.check()?;
        let networks = setup.config.train.networks.count();
        let frozen = if header.frozen.is_empty() { vec![None; networks] } else { header.frozen.clone() };
        let curriculum = &setup.config.curriculum;
        let stages = if curriculum.is_empty() && header.stages.is_empty() {
            vec![StageProgress::default(); networks]
        } else {
            header.stages.clone()
        };
        check_counters(&header, [frozen.len(), stages.len()], networks)?;
        let trials = header.updates * header.config.train.batch as u64;
        if let Some(strange) = stages.iter().find(|s| s.stage > curriculum.len() || s.since > trials) {
            bail!(
                Content,
                "the metadata's stages has stage {} since trial {}; expected at most {} and {trials}",
                strange.stage,
                strange.since,
                curriculum.len()
            );
        }
        let late = header.criterion_trials.iter().flatten().find(|reached| **reached > trials);
        if let Some(late) = late {
            bail!(Content, "the metadata's criterion_trials has {late}; expected at most {trials}, the trials so far");
        }
        if let Some(late) = frozen.iter().flatten().find(|frozen| frozen.update > header.updates + 1) {
            let (found, next) = (late.update, header.updates + 1);
            bail!(Content, "the metadata's frozen has update {found}; expected at most {next}, the next one");
        }
        let recent = tensors.bytes_below(NOT_YET + 1, "recent_correct")?;
        let errors = if tensors.layout.contains_key(RECENT_ERROR) {
            tensors.raw(RECENT_ERROR)?.flatten_all()?.to_vec1()?
        } else {
            // An environment does not count as solved while an error is unknown; nothing else reads the errors.
            vec![if errors_unknown { f64::NAN } else { 0.0 }; recent.len()]
        };
        let recent: Vec<(u8, f64)> = recent.into_iter().zip(errors).collect();
        let criterion = |(recent, reached): (&[(u8, f64)], Option<u64>)| {
            let seen = recent.iter().filter(|(outcome, _)| *outcome < NOT_YET);
            Criterion::restore(seen.map(|(outcome, error)| (*outcome == 1, *error)), reached)
        };
        let criterion: Vec<Criterion> =
            recent.chunks_exact(WINDOW).zip(header.criterion_trials).map(criterion).collect();
        let reached = criterion.iter().any(|criterion| criterion.reached_at().is_some());
        if tensors.layout.contains_key("connectivity") {
            tensors.bytes_below(2, "connectivity")?;
        }
        let plastic = Plastic::layout(&setup).into_keys().map(|name| Ok((name, tensors.load(name)?)));
        Ok(Checkpoint {
            program: header.program,
            format: header.format,
            integrity,
            plastic: Plastic::of(&setup, plastic.collect::<Result<_>>()?)?,
            expected_error: tensors.load("expected_error")?.flatten_all()?.to_vec1()?,
            criterion,
            stages,
            frozen,
            updates: header.updates,
            criterion_in_doubt: header.criterion_in_doubt || errors_unknown && reached,
            setup,
        })
    }
}

/// Refuses lists that do not have one entry per network, and counts beyond any real run, since their sums would
/// overflow.
fn check_counters(header: &Header, [frozen, stages]: [usize; 2], networks: usize) -> Result<()> {
    const MOST: u64 = 1 << 62;
    let (updates, batch) = (header.updates, header.config.train.batch);
    let trials = updates.checked_mul(batch as u64);
    ensure!(
        trials.is_some_and(|trials| trials <= MOST),
        Content,
        "the metadata's updates is {updates}: with {batch} trials each, more than {MOST} trials"
    );
    let lists = [("criterion_trials", header.criterion_trials.len()), ("frozen", frozen), ("stages", stages)];
    for (name, length) in lists {
        ensure!(length == networks, Content, "the metadata's {name} has {length} entries for {networks} networks");
    }
    Ok(())
}

/// The tensors of a file, and the layout that the configuration in its header requires.
struct Tensors<'a> {
    file: &'a TensorFile<'a>,
    layout: BTreeMap<&'static str, (DType, Vec<usize>)>,
    device: &'a Device,
}

impl Tensors<'_> {
    /// Refuses names, types and shapes other than those of the layout.
    fn check(&self) -> Result<()> {
        if let Some(stranger) = self.file.names().into_iter().find(|name| !self.layout.contains_key(name)) {
            bail!(Content, "unexpected tensor `{}`: networks with this configuration do not have it", shown(stranger));
        }
        for (name, (dtype, shape)) in &self.layout {
            let expected = format!("{} {shape:?}", dtype.as_str());
            let found = self.file.required(name, &expected)?;
            if found.dtype() != Dtype::from(*dtype) || found.shape() != shape {
                let dtype = format!("{:?}", found.dtype()).to_lowercase();
                return Err(Error::tensor(name, format!("{dtype} {:?}", found.shape()), expected));
            }
        }
        Ok(())
    }

    /// Loads a tensor onto the device. Floating-point values must be finite.
    fn load(&self, name: &str) -> Result<Tensor> {
        let view = self.file.required(name, "one of this configuration")?;
        finite(name, &view)?;
        // The next update takes its square root.
        let negative = name.starts_with("adam_v_") && has_negative(&view);
        ensure!(!negative, Content, "tensor `{name}` holds negative numbers; expected mean squares");
        self.raw(name)
    }

    /// Loads a tensor onto the device, without checking its values.
    fn raw(&self, name: &str) -> Result<Tensor> {
        let view = self.file.required(name, "one of this configuration")?;
        let dtype = DType::try_from(view.dtype())?;
        Tensor::from_raw_buffer(view.data(), dtype, view.shape(), self.device).at(format!("tensor `{name}`"))
    }

    /// The values of a tensor of small integers (u8), all of which must be below `bound`.
    fn bytes_below(&self, bound: u8, name: &str) -> Result<Vec<u8>> {
        let view = self.file.required(name, "integers")?;
        if let Some(strange) = view.data().iter().find(|byte| **byte >= bound) {
            bail!(Content, "tensor `{name}` holds {strange}; expected integers from 0 to {}", bound - 1);
        }
        Ok(view.data().to_vec())
    }
}
