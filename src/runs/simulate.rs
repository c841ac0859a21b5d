//! Runs a checkpoint's networks on inputs of the user's own: safetensors in, safetensors out.

use crate::config::ModulatorSource;
use crate::engine::memory::check_forward;
use crate::engine::{choose, initial_activation, Ensemble, Exact, Record, TrialBatch};
use crate::error::{ensure, At, Doing, Error, Result};
use crate::model::FastWeights;
use crate::reader::TensorFile;
use crate::rules::RewardBaseline;
use crate::tasks::{ErrorMeasure, TrialShape};
use crate::training::Checkpoint;
use candle_core::{DType, Device, Tensor};
use std::collections::BTreeMap;
use std::path::Path;

/// The inputs of a simulation.
#[derive(Clone, Debug)]
pub struct Inputs {
    /// `[T, S, B, n_in]`.
    pub inputs: Tensor,
    /// `[T, S, B]`.
    pub modulator: Option<Tensor>,
    /// x(0), `[S, B, N]`.
    pub x: Option<Tensor>,
    /// H(0), `[S, B, N, N]`.
    pub hebbian_trace: Option<Tensor>,
}

/// Reads the inputs for `checkpoint` from a safetensors file.
///
/// `inputs` is `[T, B, n_in]` (the same for every network) or `[T, S, B, n_in]`. Optional: `modulator` `[T, B]`, the m(t) of
/// the trace; `x` `[B, N]` or `[S, B, N]`, the activations at the start; `hebbian_trace` `[S, B, N, N]`, the trace at the start.
///
/// # Errors
/// Names the file and the tensor, what was found and what was expected.
pub fn read_inputs(path: &Path, checkpoint: &Checkpoint, device: &Device) -> Result<Inputs> {
    let bytes = std::fs::read(path).doing("reading", path)?;
    parse_inputs(&bytes, checkpoint, device).at_path(path)
}

/// Reads the inputs for `checkpoint` from a file's bytes.
///
/// # Errors
/// Names the tensor, what was found and what was expected.
pub fn parse_inputs(bytes: &[u8], checkpoint: &Checkpoint, device: &Device) -> Result<Inputs> {
    let file = TensorFile::parse(bytes)?;
    file.only(&["inputs", "modulator", "x", "hebbian_trace"])?;
    let config = &checkpoint.setup.config;
    let dtype: DType = config.train.dtype.into();
    let (s, n) = (config.train.networks.count(), config.network.neurons);
    let n_in = checkpoint.plastic.weights.w_in.dim(2)?;
    let expected = format!("[T, B, {n_in}] or [T, {s}, B, {n_in}]");
    let given = file.floats("inputs", dtype, device)?.ok_or_else(|| Error::tensor("inputs", "missing", &expected))?;
    // What the file's few numbers stand for may be large: see before making any of it.
    if let [t, .., b, _] = *given.dims() {
        check_size(checkpoint, t, b, Record::default())?;
    }
    let inputs = match *given.dims() {
        [t, b, k] if k == n_in && t > 0 && b > 0 => given.unsqueeze(1)?.broadcast_as((t, s, b, k))?.contiguous()?,
        [t, networks, b, k] if k == n_in && networks == s && t > 0 && b > 0 => given,
        _ => return Err(Error::tensor("inputs", format!("{:?}", given.dims()), expected)),
    };
    let (t, _, b, _) = inputs.dims4()?;
    let shaped = |name: &str, plain: &[usize], full: &[usize], place: usize| -> Result<Option<Tensor>> {
        let Some(tensor) = file.floats(name, dtype, device)? else { return Ok(None) };
        if tensor.dims() == full {
            return Ok(Some(tensor));
        }
        if tensor.dims() != plain {
            let found = format!("{:?}", tensor.dims());
            return Err(Error::tensor(name, found, format!("{plain:?} or {full:?}")));
        }
        Ok(Some(tensor.unsqueeze(place)?.broadcast_as(full)?.contiguous()?))
    };
    Ok(Inputs {
        modulator: shaped("modulator", &[t, b], &[t, s, b], 1)?,
        x: shaped("x", &[b, n], &[s, b, n], 0)?,
        hebbian_trace: shaped("hebbian_trace", &[b, n, n], &[s, b, n, n], 0)?,
        inputs,
    })
}

/// Refuses T steps of B trials that would not fit into the device's memory.
fn check_size(checkpoint: &Checkpoint, t: usize, b: usize, record: Record) -> Result<()> {
    let Checkpoint { setup, plastic, .. } = checkpoint;
    check_forward(setup, shape(checkpoint, t)?, b, record, (plastic.weights.w_rec.device(), plastic.bytes()))
}

/// The sizes of trials of T steps that nobody judges.
fn shape(checkpoint: &Checkpoint, t: usize) -> Result<TrialShape> {
    let weights = &checkpoint.plastic.weights;
    let n_out = weights.n_out(&checkpoint.setup.config.network)?;
    Ok(TrialShape { steps: t, n_in: weights.w_in.dim(2)?, n_out, measure: ErrorMeasure::Absolute })
}

/// Runs the networks. Returns `outputs` `[T, S, B, n_out]` and what `record` asks for, by name.
///
/// Activations start at `x`, else at draws from the seed's own stream; the trace at `hebbian_trace`, else at the checkpoint's
/// persistent one, else at zero. Where the trace's m(t) should come from the reward, there is none here, and m = 0.
///
/// # Errors
/// Where the inputs do not fit the networks, would not fit into memory, or the device fails.
pub fn simulate(
    checkpoint: &Checkpoint,
    inputs: Inputs,
    record: Record,
    seed: u64,
) -> Result<BTreeMap<&'static str, Tensor>> {
    let Checkpoint { setup, plastic, .. } = checkpoint;
    let (config, device) = (&setup.config, plastic.weights.w_rec.device());
    let (t, s, b, _) = inputs.inputs.dims4()?;
    check_size(checkpoint, t, b, record)?;
    if inputs.modulator.is_some() {
        ensure!(
            config.fast_weights.modulator == ModulatorSource::Task,
            Usage,
            "the inputs give a `modulator`, but trace.modulator is not `task` in this checkpoint: it would not be read"
        );
    }
    let fast_weights = fast_weights(checkpoint, inputs.hebbian_trace, b)?;
    let x0 = match inputs.x {
        Some(x) => x,
        None => {
            let drawn = initial_activation(&config.network, seed, config.train.networks, b);
            Tensor::from_vec(drawn, (s, b, config.network.neurons), device)?.to_dtype(inputs.inputs.dtype())?
        }
    };
    let shape = shape(checkpoint, t)?;
    let given = Exact { inputs: inputs.inputs, modulator: inputs.modulator, x0 };
    let batch = TrialBatch::given(config, given, shape.n_out, seed)?;
    let baseline = RewardBaseline::new(&config.modulator, s, 1);
    let ensemble = Ensemble { setup, shape, weights: &plastic.weights, baseline: &baseline, fast_weights };
    let episode = choose(setup, device, false)?.run(&ensemble, &batch, false, record)?;

    let steps_first = |tensor: Tensor| tensor.permute((2, 0, 1, 3))?.contiguous();
    let mut results = BTreeMap::from([("outputs", steps_first(episode.outputs)?)]);
    for (name, recorded) in [("rates", episode.rates), ("activations", episode.activations)] {
        results.extend(recorded.map(|tensor| steps_first(tensor).map(|tensor| (name, tensor))).transpose()?);
    }
    if record.fast_weights {
        let none = "--record trace: these networks have no Hebbian trace (trace.stage is `none`)";
        let last = episode.fast_weights.ok_or_else(|| Error::Usage(none.into()))?;
        results.insert("hebbian_trace", last.h);
    }
    Ok(results)
}

/// The fast weights that `b` trials start from: those that are `given`, else persistent ones.
fn fast_weights(checkpoint: &Checkpoint, given: Option<Tensor>, b: usize) -> Result<Option<FastWeights>> {
    if let Some(h) = given {
        let eligibility = Some(h.zeros_like()?);
        return Ok(Some(FastWeights { h, eligibility }));
    }
    if let Some(kept) = &checkpoint.plastic.fast_weights {
        let kept = kept.h.dim(1)?;
        ensure!(
            kept == b,
            Usage,
            "the inputs hold {b} trials, but the checkpoint keeps a trace for each of {kept}: give {kept} trials, or a starting `hebbian_trace`"
        );
    }
    Ok(checkpoint.plastic.fast_weights.clone())
}
