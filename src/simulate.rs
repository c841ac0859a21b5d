//! Runs a checkpoint's networks on inputs of the user's own: safetensors in, safetensors out.

use crate::batch::{DrawnTrial, TrialBatch};
use crate::checkpoint::Checkpoint;
use crate::config::TraceModulator;
use crate::eligibility::Workspace;
use crate::episode::{self, Ensemble, EpisodeInputs, Record, TrialShape};
use crate::memory;
use crate::modulator::Modulator;
use crate::network::{initial_activation, private_noise, Cell};
use crate::ops;
use crate::task::{ErrorMeasure, Trial};
use crate::trace::TraceState;
use crate::untrusted::{shown, tensors};
use anyhow::{bail, ensure, Context, Result};
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
pub fn read_inputs(path: &Path, checkpoint: &Checkpoint, device: &Device) -> Result<Inputs> {
    let bytes = std::fs::read(path).with_context(|| format!("reading {}", path.display()))?;
    parse_inputs(&bytes, checkpoint, device).with_context(|| path.display().to_string())
}

/// Reads the inputs for `checkpoint` from a file's bytes.
///
/// # Errors
/// Names the tensor, what was found and what was expected.
pub fn parse_inputs(bytes: &[u8], checkpoint: &Checkpoint, device: &Device) -> Result<Inputs> {
    let (file, _) = tensors(bytes).context("not a whole safetensors file")?;
    const KNOWN: [&str; 4] = ["inputs", "modulator", "x", "hebbian_trace"];
    for name in file.names() {
        ensure!(KNOWN.contains(&name), "tensor `{}` is not known; known are: {}", shown(name), KNOWN.join(", "));
    }
    let dtype: DType = checkpoint.config.train.dtype.into();
    let load = |name: &str| -> Result<Option<Tensor>> {
        let Ok(view) = file.tensor(name) else { return Ok(None) };
        let stored = DType::try_from(view.dtype()).with_context(|| format!("tensor `{name}`"))?;
        let known = matches!(stored, DType::F16 | DType::BF16 | DType::F32 | DType::F64);
        ensure!(known, "tensor `{name}` is {}; expected float32 or float64", stored.as_str());
        let tensor = Tensor::from_raw_buffer(view.data(), stored, view.shape(), &Device::Cpu)?.to_dtype(dtype)?;
        // Once converted: what is finite in double precision may not be in single.
        let finite =
            tensor.elem_count() == 0 || (&tensor * 0.0)?.sum_all()?.to_dtype(DType::F64)?.to_scalar::<f64>()? == 0.0;
        ensure!(finite, "tensor `{name}` holds values that are not finite numbers");
        Ok(Some(tensor.to_device(device)?))
    };
    let config = &checkpoint.config;
    let (s, n) = (config.train.networks.count(), config.network.neurons);
    let n_in = checkpoint.weights.w_in.dim(2)?;
    let given = load("inputs")?.context("tensor `inputs` is missing; expected [T, B, n_in] or [T, S, B, n_in]")?;
    // What the file's few numbers stand for may be large: see before making any of it.
    if let [t, .., b, _] = *given.dims() {
        check_size(checkpoint, t, b, Record::default())?;
    }
    let inputs = match *given.dims() {
        [t, b, k] if k == n_in && t > 0 && b > 0 => given.unsqueeze(1)?.broadcast_as((t, s, b, k))?.contiguous()?,
        [t, networks, b, k] if k == n_in && networks == s && t > 0 && b > 0 => given,
        _ => bail!("tensor `inputs` is {:?}; expected [T, B, {n_in}] or [T, {s}, B, {n_in}]", given.dims()),
    };
    let (t, _, b, _) = inputs.dims4()?;
    let shaped = |name: &str, plain: &[usize], full: &[usize], place: usize| -> Result<Option<Tensor>> {
        let Some(tensor) = load(name)? else { return Ok(None) };
        if tensor.dims() == full {
            return Ok(Some(tensor));
        }
        ensure!(tensor.dims() == plain, "tensor `{name}` is {:?}; expected {plain:?} or {full:?}", tensor.dims());
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
    let config = &checkpoint.config;
    let (n_in, n_out) = (checkpoint.weights.w_in.dim(2)?, checkpoint.weights.n_out(&config.network)?);
    let shape = TrialShape { steps: t, n_in, n_out, measure: ErrorMeasure::Absolute };
    memory::check_forward(checkpoint, shape, b, record)
}

/// Runs the networks. Returns `outputs` `[T, S, B, n_out]` and what `record` asks for, by name.
///
/// Activations start at `x`, else at draws from the seed's own stream; the trace at `hebbian_trace`, else at the checkpoint's
/// persistent one, else at zero. Where the trace's m(t) should come from the reward, there is none here, and m = 0.
pub fn simulate(
    checkpoint: &Checkpoint,
    inputs: Inputs,
    record: Record,
    seed: u64,
    device: &Device,
) -> Result<BTreeMap<&'static str, Tensor>> {
    let config = &checkpoint.config;
    let (t, s, b, n_in) = inputs.inputs.dims4()?;
    check_size(checkpoint, t, b, record)?;
    let dtype = inputs.inputs.dtype();
    let x0 = match inputs.x {
        Some(x) => x,
        None => initial_activation(&config.network, seed, config.train.networks, b, dtype, device)?,
    };
    let trace = match (inputs.hebbian_trace, &checkpoint.trace) {
        (Some(h), _) => {
            let eligibility = Some(h.zeros_like()?);
            Some(TraceState { h, eligibility })
        }
        (None, Some(trace)) => {
            let kept = trace.h.dim(1)?;
            ensure!(
                kept == b,
                "the inputs hold {b} trials, but the checkpoint keeps a trace for each of {kept}: give {kept} trials, or a starting `hebbian_trace`"
            );
            Some(trace.clone())
        }
        (None, None) => None,
    };
    if inputs.modulator.is_some() {
        ensure!(
            config.trace.modulator == TraceModulator::Task,
            "the inputs give a `modulator`, but trace.modulator is not `task` in this checkpoint: it would not be read"
        );
    }
    let episode = if let Some(run) = ops::fused(config, device) {
        let n_out = checkpoint.weights.n_out(&config.network)?;
        let batch = as_batch(&inputs.inputs, inputs.modulator.as_ref(), &x0, n_out)?;
        let shape = TrialShape { steps: t, n_in, n_out, measure: ErrorMeasure::Absolute };
        let modulator = Modulator::new(&config.modulator, s, 1);
        let ensemble = Ensemble { config, shape, weights: &checkpoint.weights, modulator: &modulator, trace };
        run(&ensemble, &batch, false, record, &mut Workspace::default())?
    } else {
        let given = EpisodeInputs {
            inputs: inputs.inputs,
            x0,
            modulator: inputs.modulator,
            trace,
            scoring: None,
            kicks: vec![&[]; s * b],
            readout_noise: None,
            private_noise: private_noise(&config.network, seed, config.train.networks, (t, b), dtype, device)?,
        };
        episode::run(config, &Cell::new(&config.network, &checkpoint.weights)?, &given, false, record)?
    };
    let mut results = BTreeMap::from([("outputs", episode.outputs.contiguous()?)]);
    results.extend(episode.rates.map(|t| ("rates", t)));
    results.extend(episode.activations.map(|t| ("activations", t)));
    if record.trace {
        let trace =
            episode.trace.context("--record trace: these networks have no Hebbian trace (trace.stage is `none`)")?;
        results.insert("hebbian_trace", trace.h);
    }
    Ok(results)
}

/// Trials that nobody judges, for the fused kernels: inputs `[T, S, B, n_in]`, modulator `[T, S, B]`, x(0) `[S, B, N]`.
fn as_batch(inputs: &Tensor, modulator: Option<&Tensor>, x0: &Tensor, n_out: usize) -> Result<TrialBatch> {
    let (t, networks, trials_each, n_in) = inputs.dims4()?;
    let trials = networks * trials_each;
    let rows =
        |tensor: Tensor, width: usize| -> Result<Vec<Vec<f32>>> { Ok(tensor.reshape((trials, width))?.to_vec2()?) };
    let inputs = rows(inputs.permute((1, 2, 0, 3))?.contiguous()?, t * n_in)?;
    let modulator = modulator.map(|m| rows(m.permute((1, 2, 0))?.contiguous()?, t)).transpose()?;
    let x0 = rows(x0.clone(), x0.dim(2)?)?;
    let mut modulator = modulator.into_iter().flatten();
    let drawn = inputs.into_iter().zip(x0).map(|(inputs, x0)| DrawnTrial {
        trial: Trial {
            trial_type: 0,
            inputs,
            targets: vec![0.0; t * n_out],
            scored: vec![false; t],
            modulator: modulator.next(),
        },
        x0,
        kicks: Vec::new(),
        readout_noise: Vec::new(),
        private_noise: Vec::new(),
    });
    Ok(TrialBatch { networks, trials_each, drawn: drawn.collect() })
}
