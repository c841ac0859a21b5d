//! Runs a batch on a [`Machine`]: whole trials in one launch where that fits, else step by step.

use super::drawn::Drawn;
use super::machine::{address, Kernel, Machine, Shape, Uploads};
use super::params::Params;
use super::shape::{eligibility_tile, WholeTrial};
use super::tensors::{kept, Memory, State};
use super::Workspace;
use crate::config::{Kernels, ModulatorSource, Output, Stage};
use crate::engine::{Eligibility, Ensemble, Episode, Record, TrialBatch};
use crate::model;
use crate::rules::FusedRule;
use candle_core::{bail, DType, Device, Result, Tensor};
use std::ops::Range;

/// Runs all trials of a batch; with `learn`, accumulates the eligibility. The twin is `engine::reference`.
pub(super) fn run<M: Machine>(
    machine: &M,
    ensemble: &Ensemble,
    batch: &TrialBatch,
    learn: bool,
    record: Record,
    workspace: &mut Workspace<M::Uploads>,
) -> Result<Episode> {
    let (setup, config) = (ensemble.setup, &ensemble.setup.config);
    let mut params = Params::new(setup, ensemble.shape, batch.networks, batch.trials_each, learn);
    let mut memory = Memory::new(ensemble.weights.w_rec.device());
    let state = memory.fill(&mut params, ensemble, batch, record)?;
    let learns = setup.rule.fused().filter(|_| learn).unwrap_or(FusedRule::Nothing);
    let eligibility = match learns {
        FusedRule::Nothing | FusedRule::FastWeights => None,
        FusedRule::DeltaX(_) | FusedRule::NodePerturbation | FusedRule::Eh(_) => {
            Some(start_eligibility(&mut params, machine, &mut memory, &state, workspace)?)
        }
    };

    let recorded = record.rates || record.activations;
    let plain = config.fast_weights.stage == Stage::None
        && config.network.output == Output::Neurons
        && params.online == 0
        && !recorded;
    let whole = WholeTrial::fitting(machine, batch.networks, batch.trials_each, config.network.neurons)
        .filter(|_| plain && config.train.kernels == Kernels::Fused);
    let given = config.fast_weights.stage != Stage::None && config.fast_weights.modulator == ModulatorSource::Task;
    let drawn = Drawn::new(batch, &params, given);
    match whole {
        Some(form) => by_stretches(machine, &mut params, &drawn, workspace, |params, steps| {
            whole_stretch(machine, form, params, steps)
        })?,
        None => {
            let shape = step_shape(machine, &params)?;
            let w_rec_t = ensemble.weights.w_rec.transpose(1, 2)?.contiguous()?;
            by_stretches(machine, &mut params, &drawn, workspace, |params, steps| {
                step_by_step(machine, shape, params, steps, (&w_rec_t, &state.r), |step| {
                    kept(&config.fast_weights, step)
                })
            })?;
            if state.trace.is_some() {
                machine.launch(Kernel::FinishTrace, shape, &params)?;
            }
        }
    }
    // No kernel is still to be started: what only they need is freed once they have run.
    drop(memory);
    let keep_trace = config.fast_weights.persistent || record.fast_weights || learns == FusedRule::FastWeights;
    let kept = keep_trace.then(|| kept(&config.fast_weights, params.steps as usize));
    finish((batch.networks, batch.trials_each), learns, kept, state, eligibility)
}

/// Makes room for the eligibility `[S, B, N, N]` and, where it is a product, for a block of its factors.
fn start_eligibility<M: Machine>(
    params: &mut Params,
    machine: &M,
    memory: &mut Memory,
    state: &State,
    workspace: &mut Workspace<M::Uploads>,
) -> Result<Tensor> {
    let (s, b, n) = state.x.dims3()?;
    let eligibility = taken(&mut workspace.eligibility, &[s, b, n, n], state.x.device())?;
    workspace.lent = true;
    params.eligibility = memory.keep(eligibility.clone())?;
    // The first product overwrites what the workspace held before; without any, and for sums of rows, it must be zero.
    if !params.has_factors() || params.start_step >= params.steps {
        eligibility.zero_set()?;
    }
    if params.has_factors() {
        params.block = history_steps(machine.history_bytes(), s * b, n, params.steps as usize) as u32;
        let history = taken(&mut workspace.history, &[2, s, b, params.block as usize, n], state.x.device())?;
        params.post = memory.keep(history.clone())?;
        params.pre = params.post + (history.elem_count() / 2 * size_of::<f32>()) as u64;
        workspace.history = Some(history);
    }
    Ok(eligibility)
}

/// A tensor of that shape with any values: the one that was kept, where it fits, or a new one.
fn taken(kept: &mut Option<Tensor>, shape: &[usize], device: &Device) -> Result<Tensor> {
    let fits = |kept: &Tensor| kept.dims() == shape && kept.device().same_device(device);
    kept.take().filter(fits).map_or_else(|| Tensor::zeros(shape, DType::F32, device), Ok)
}

/// How many steps of both factors of `trials` trials fit into `bytes`; at least one, and no more than there are.
pub(super) fn history_steps(bytes: usize, trials: usize, neurons: usize, steps: usize) -> usize {
    (bytes / (2 * trials * neurons * size_of::<f32>())).clamp(1, steps)
}

/// Runs the trial by stretches of steps: while the kernels of one run, the next is written and uploaded.
fn by_stretches<M: Machine>(
    machine: &M,
    params: &mut Params,
    drawn: &Drawn,
    workspace: &mut Workspace<M::Uploads>,
    mut run: impl FnMut(&mut Params, Range<usize>) -> Result<()>,
) -> Result<()> {
    let total = params.steps as usize;
    let most = if params.has_factors() { params.block as usize } else { total };
    let each = machine.upload_steps().clamp(1, most);
    let stretches: Vec<_> = (0..total).step_by(each).map(|first| first..(first + each).min(total)).collect();
    let words: Vec<usize> = stretches.iter().map(|steps| drawn.words(steps)).collect();
    let room = words.iter().copied().max().unwrap_or(0);
    let mut uploads = match kept_uploads(workspace).take().filter(|kept| kept.words() >= room) {
        Some(kept) => kept,
        // As many perturbations as these trials have, others seldom have exactly.
        None => machine.uploads(room + room / 8)?,
    };
    let fill =
        |uploads: &mut M::Uploads, k: usize| uploads.fill(k % 2, words[k], |room| drawn.write(&stretches[k], room));
    let mut address = fill(&mut uploads, 0)?;
    for (k, steps) in stretches.iter().enumerate() {
        drawn.place(steps, address, params);
        uploads.begin_reading(k % 2)?;
        run(params, steps.clone())?;
        uploads.end_reading(k % 2)?;
        if k + 1 < stretches.len() {
            address = fill(&mut uploads, k + 1)?;
        }
    }
    *kept_uploads(workspace) = Some(uploads);
    fold(machine, params)
}

fn kept_uploads<U>(workspace: &mut Workspace<U>) -> &mut Option<U> {
    workspace.uploads.get_mut().unwrap_or_else(|poisoned| poisoned.into_inner())
}

/// A stretch of steps in one launch.
fn whole_stretch(machine: &impl Machine, form: WholeTrial, params: &mut Params, steps: Range<usize>) -> Result<()> {
    let learnt = steps.end.saturating_sub(steps.start.max(params.start_step as usize)) as u32;
    make_room(machine, params, learnt)?;
    params.groups = form.groups as u32;
    (params.first_step, params.count) = (steps.start as u32, steps.len() as u32);
    machine.launch(form.kernel, form.shape, params)?;
    params.slot += learnt;
    Ok(())
}

/// The shape of a launch of one step.
fn step_shape(machine: &impl Machine, params: &Params) -> Result<Shape> {
    let n = params.neurons as usize;
    let threads = n.next_multiple_of(32).min(1024);
    let shape = Shape {
        blocks: (params.networks * params.trials_each) as usize,
        threads,
        shared_bytes: (2 * n + threads + params.n_out as usize + 1 + params.trace_length as usize) * size_of::<f32>(),
    };
    if shape.shared_bytes > machine.shared_bytes() {
        let list = match params.trace_length {
            0 => String::new(),
            length => format!(" with a list of {length} changes of the trace (trace.form)"),
        };
        bail!(
            "{n} neurons{list} are more than the fused kernels can take on this device: \
             choose train.kernels = `reference`"
        );
    }
    Ok(shape)
}

/// One product and one launch for each step of a stretch.
fn step_by_step(
    machine: &impl Machine,
    shape: Shape,
    params: &mut Params,
    steps: Range<usize>,
    (w_rec_t, r): (&Tensor, &Tensor),
    kept: impl Fn(usize) -> f32,
) -> Result<()> {
    for step in steps {
        let learns = u32::from(step >= params.start_step as usize);
        make_room(machine, params, learns)?;
        params.first_step = step as u32;
        params.trace_kept = kept(step);
        let recurrent = r.matmul(w_rec_t)?;
        params.recurrent = address(&recurrent)?;
        machine.launch(Kernel::Step, shape, params)?;
        params.slot += learns;
    }
    Ok(())
}

/// Folds the history into the eligibility where it has no room for `coming` more steps.
fn make_room(machine: &impl Machine, params: &mut Params, coming: u32) -> Result<()> {
    if params.has_factors() && params.slot + coming > params.block {
        fold(machine, params)?;
    }
    Ok(())
}

/// e (+)= Σ post preᵀ over the steps that the history holds.
fn fold(machine: &impl Machine, params: &mut Params) -> Result<()> {
    if !params.has_factors() || params.slot == 0 {
        return Ok(());
    }
    let (tile, shape) = eligibility_tile(params.neurons as usize, (params.networks * params.trials_each) as usize);
    (params.tile, params.count) = (tile as u32, params.slot);
    machine.launch(Kernel::Eligibility, shape, params)?;
    (params.slot, params.add) = (0, 1);
    Ok(())
}

/// Hands the results over in the layout of an [`Episode`]; the trace only with `kept`, what is left of the H it began with.
fn finish(
    (s, b): (usize, usize),
    learns: FusedRule,
    kept: Option<f32>,
    state: State,
    eligibility: Option<Tensor>,
) -> Result<Episode> {
    let (_, t, n_out) = state.outputs.dims3()?;
    let by_step = |of: &Tensor, width: usize| of.reshape((s, b, t, width));
    let n = state.x.dim(2)?;
    let fast_weights = match (state.trace, kept) {
        (Some(trace), Some(kept)) => Some(trace.finish(kept)?),
        _ => None,
    };
    let eligibility = match &fast_weights {
        Some(trace) if learns == FusedRule::FastWeights => Some(trace.h.clone()),
        _ => eligibility,
    };
    Ok(Episode {
        outputs: by_step(&state.outputs, n_out)?,
        state: model::State::new(state.x, state.r),
        fast_weights,
        gradients: None,
        eligibility: eligibility.map(Eligibility::Tensor),
        readout_change: state
            .readout_change
            .map(|(w, b)| Ok::<_, candle_core::Error>((w.sum(1)?, b.sum(1)?)))
            .transpose()?,
        rates: state.rates.as_ref().map(|rates| by_step(rates, n)).transpose()?,
        activations: state.activations.as_ref().map(|activations| by_step(activations, n)).transpose()?,
    })
}
