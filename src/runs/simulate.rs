//! Runs a checkpoint's networks on the user's inputs from a safetensors file.

use super::record::RECORDED;
use crate::config::ModulatorSource;
use crate::engine::memory::check_forward;
use crate::engine::{choose, initial_activation, Ensemble, Exact, Record, TrialBatch};
use crate::error::{bail, ensure, At, Error, Result};
use crate::model::FastWeights;
use crate::reader::{as_safetensors, read, TensorFile};
use crate::rules::RewardBaseline;
use crate::tasks::{ErrorMeasure, TrialShape};
use crate::text::shown;
use crate::training::Checkpoint;
use candle_core::{DType, Device, Tensor};
use std::collections::BTreeMap;
use std::path::Path;

/// The inputs of a simulation.
#[derive(Clone, Debug)]
pub struct Inputs {
    /// The inputs u, `[S, B, T, n_in]`.
    pub inputs: Tensor,
    /// The modulator m(t) of the fast weights, `[S, B, T]`.
    pub modulator: Option<Tensor>,
    /// The initial activations x(0), `[S, B, N]`.
    pub x: Option<Tensor>,
    /// The initial fast weights H(0), `[S, B, N, N]`.
    pub hebbian_trace: Option<Tensor>,
}

/// Reads the inputs for `checkpoint` from a safetensors file, or from an archive of NumPy's arrays with these names, `.npz`.
///
/// `inputs` is `[S, B, T, n_in]`. Optional are `modulator` `[S, B, T]`, the m(t) of the fast weights; `x` `[S, B, N]`,
/// the initial activations; and `hebbian_trace` `[S, B, N, N]`, the initial fast weights. Each can omit S; it is then
/// the same for every network. A task file works too: its targets, mask and types are ignored. Old files had time as the
/// first dimension; such a file has `order` = `time-first` in its metadata. Of a [`Recording`](super::Recording), everything else is
/// ignored.
///
/// # Errors
/// [`Error::Io`] if the file cannot be read; otherwise as [`parse_inputs`], with the file's path.
pub fn read_inputs(path: &Path, checkpoint: &Checkpoint, device: &Device) -> Result<Inputs> {
    let bytes = as_safetensors(path, read(path)?)?;
    parse_inputs(&bytes, checkpoint, device).at_path(path)
}

/// Reads the inputs for `checkpoint` from the bytes of a safetensors file.
///
/// # Errors
/// [`Error::Content`] if the bytes are not a safetensors file or hold an unknown tensor; [`Error::Tensor`] if a tensor
/// is missing or does not fit the networks; [`Error::Memory`] if the trials would not fit into memory.
pub fn parse_inputs(bytes: &[u8], checkpoint: &Checkpoint, device: &Device) -> Result<Inputs> {
    let file = TensorFile::parse(bytes)?;
    let used = ["inputs", "modulator", "x", "hebbian_trace"];
    file.only(&[&used[..], &["targets", "mask", "type", "steps", "label.…"], &RECORDED].concat())?;
    let time_first = match file.metadata_text("order") {
        None | Some("trials-first") => false,
        Some("time-first") => true,
        Some(other) => {
            bail!(Content, "the metadata's `order` is {}; expected trials-first or time-first", shown(other))
        }
    };
    let config = &checkpoint.setup.config;
    let dtype: DType = config.train.dtype.into();
    let (s, n) = (config.train.networks.count(), config.network.neurons);
    let n_in = checkpoint.plastic.weights.w_in.dim(2)?;
    let expected = match time_first {
        false => format!("[B, T, {n_in}] or [{s}, B, T, {n_in}]"),
        true => format!("[T, B, {n_in}] or [T, {s}, B, {n_in}]"),
    };
    let given = file.floats("inputs", dtype, device)?.ok_or_else(|| Error::tensor("inputs", "missing", &expected))?;
    // Time moves behind the trials.
    let in_order = |tensor: Tensor| match (time_first, tensor.rank()) {
        (true, 3) => tensor.permute((1, 0, 2)),
        (true, 4) => tensor.permute((1, 2, 0, 3)),
        _ => Ok(tensor),
    };
    let given_dims = format!("{:?}", given.dims());
    let given = in_order(given)?;
    // A small file can describe large tensors, so check their sizes before making them.
    if let [.., b, t, _] = *given.dims() {
        fitting_shape(checkpoint, t, b, Record::default())?;
    }
    let inputs = match *given.dims() {
        [b, t, k] if k == n_in && t > 0 && b > 0 => given.unsqueeze(0)?.broadcast_as((s, b, t, k))?.contiguous()?,
        [networks, b, t, k] if k == n_in && networks == s && t > 0 && b > 0 => given.contiguous()?,
        _ => return Err(Error::tensor("inputs", given_dims, expected)),
    };
    let (_, b, t, _) = inputs.dims4()?;
    // A tensor of shape `full`; the file can omit the dimension of networks, whose index is `networks`.
    let shaped = |name: &str, full: &[usize], networks: usize| -> Result<Option<Tensor>> {
        let Some(tensor) = file.floats(name, dtype, device)? else { return Ok(None) };
        let plain = [&full[..networks], &full[networks + 1..]].concat();
        if tensor.dims() == full {
            return Ok(Some(tensor));
        }
        if tensor.dims() != plain {
            return Err(Error::tensor(name, format!("{:?}", tensor.dims()), format!("{plain:?} or {full:?}")));
        }
        Ok(Some(tensor.unsqueeze(networks)?.broadcast_as(full)?.contiguous()?))
    };
    let modulator = match time_first {
        false => shaped("modulator", &[s, b, t], 0)?,
        true => shaped("modulator", &[t, s, b], 1)?.map(|m| m.permute((1, 2, 0))?.contiguous()).transpose()?,
    };
    Ok(Inputs {
        modulator,
        x: shaped("x", &[s, b, n], 0)?,
        hebbian_trace: shaped("hebbian_trace", &[s, b, n, n], 0)?,
        inputs,
    })
}

/// The shape of unscored trials of T steps. Refuses B trials per network if they would not fit into the device's
/// memory.
fn fitting_shape(checkpoint: &Checkpoint, t: usize, b: usize, record: Record) -> Result<TrialShape> {
    let Checkpoint { setup, plastic, .. } = checkpoint;
    let weights = &plastic.weights;
    let (n_in, n_out) = (weights.w_in.dim(2)?, weights.n_out(&setup.config.network)?);
    let shape = TrialShape { steps: t, n_in, n_out, measure: ErrorMeasure::Absolute };
    check_forward(setup, shape, b, record, (weights.w_rec.device(), plastic.bytes()))?;
    Ok(shape)
}

/// Runs the networks. Returns `outputs` `[S, B, T, n_out]` and the tensors that `record` asks for, by name.
///
/// Activations start at `x` or, if there is none, are drawn from the seed's own stream. Fast weights start at
/// `hebbian_trace`, or else at the checkpoint's persistent ones, or else at zero. There is no reward here; if m(t)
/// derives from it, m = 0.
///
/// # Errors
/// [`Error::Usage`] if the inputs or `record` ask for fast weights that the networks do not have; [`Error::Memory`] if
/// the trials would not fit into memory; [`Error::Tensors`] if tensors do not have the shapes given in [`Inputs`] or
/// the device fails.
pub fn simulate(
    checkpoint: &Checkpoint,
    inputs: Inputs,
    record: Record,
    seed: u64,
) -> Result<BTreeMap<String, Tensor>> {
    let Checkpoint { setup, plastic, .. } = checkpoint;
    let (config, device) = (&setup.config, plastic.weights.w_rec.device());
    let (s, b, t, _) = inputs.inputs.dims4()?;
    let shape = fitting_shape(checkpoint, t, b, record)?;
    if inputs.modulator.is_some() {
        ensure!(
            config.fast_weights.modulator == ModulatorSource::Task,
            Usage,
            "the inputs have a `modulator`, but trace.modulator is not `task` in this checkpoint: leave it out"
        );
    }
    let fast_weights = initial_fast_weights(checkpoint, inputs.hebbian_trace, b)?;
    let x0 = match inputs.x {
        Some(x) => x,
        None => {
            let drawn = initial_activation(&config.network, seed, config.train.networks, b);
            Tensor::from_vec(drawn, (s, b, config.network.neurons), device)?.to_dtype(inputs.inputs.dtype())?
        }
    };
    let modulator = inputs.modulator.map(|m| m.permute((2, 0, 1))?.contiguous()).transpose()?;
    let given = Exact { inputs: inputs.inputs.permute((2, 0, 1, 3))?.contiguous()?, modulator, x0 };
    let batch = TrialBatch::given(config, given, shape.n_out, seed)?;
    let baseline = RewardBaseline::new(config, s, 1);
    let ensemble = Ensemble { setup, shape, weights: &plastic.weights, baseline: &baseline, trials: 0, fast_weights };
    let episode = choose(setup, device, false)?.run(&ensemble, &batch, false, record)?;

    let mut results = BTreeMap::from([("outputs".to_string(), episode.outputs.contiguous()?)]);
    for (name, recorded) in [("rates", episode.rates), ("activations", episode.activations)] {
        results
            .extend(recorded.map(|tensor| tensor.contiguous().map(|tensor| (name.to_string(), tensor))).transpose()?);
    }
    if record.fast_weights {
        let none = "--record trace: these networks have no Hebbian trace (trace.stage is `none`)";
        let last = episode.fast_weights.ok_or_else(|| Error::Usage(none.into()))?;
        results.insert("hebbian_trace".into(), last.h);
    }
    Ok(results)
}

/// The fast weights with which `b` trials start: those `given` or, without any, the checkpoint's persistent ones.
fn initial_fast_weights(checkpoint: &Checkpoint, given: Option<Tensor>, b: usize) -> Result<Option<FastWeights>> {
    if let Some(h) = given {
        let eligibility = Some(h.zeros_like()?);
        return Ok(Some(FastWeights { h, eligibility }));
    }
    if let Some(kept) = &checkpoint.plastic.fast_weights {
        let kept = kept.h.dim(1)?;
        let remedy = format!("give {kept} trials, or a starting `hebbian_trace`");
        ensure!(
            kept == b,
            Usage,
            "the inputs have {b} trials, but the checkpoint has a trace for each of {kept}: {remedy}"
        );
    }
    Ok(checkpoint.plastic.fast_weights.clone())
}
