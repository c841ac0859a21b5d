//! Runs a batch on a [`Machine`]: whole trials in one launch where that fits, else step by step.

use super::machine::{address, Kernel, Machine, Shape};
use super::memory::{kept, Memory, State};
use super::params::Params;
use super::shape::{eligibility_tile, WholeTrial};
use crate::batch::TrialBatch;
use crate::config::{Kernels, Output, RuleName, Stage};
use crate::eligibility::{Eligibility, Workspace, ELIGIBILITY};
use crate::episode::{Ensemble, Episode, Record};
use crate::network;
use candle_core::{bail, Result, Tensor};

/// Under which name the workspace keeps the history.
const HISTORY: &str = "history";

/// Runs all trials of a batch; with `learn`, accumulates the eligibility. The twin is [`crate::episode::run`].
pub(super) fn run(
    machine: &impl Machine,
    ensemble: &Ensemble,
    batch: &TrialBatch,
    learn: bool,
    record: Record,
    workspace: &mut Workspace,
) -> Result<Episode> {
    let config = ensemble.config;
    let mut params = Params::new(config, ensemble.shape, batch.networks, batch.trials_each, learn);
    let mut memory = Memory::new(ensemble.weights.w_rec.device());
    let state = memory.fill(&mut params, ensemble, batch, record)?;
    let learns = if learn { config.rule.name } else { RuleName::None };
    let eligibility = if matches!(learns, RuleName::None | RuleName::HebbianTrace) {
        None
    } else {
        Some(start_eligibility(&mut params, machine, &mut memory, &state, workspace)?)
    };

    let recorded = record.rates || record.activations;
    let plain = config.trace.stage == Stage::None
        && config.network.output == Output::Neurons
        && params.online == 0
        && !recorded;
    let whole = WholeTrial::fitting(machine, batch.networks, batch.trials_each, config.network.neurons);
    match whole.filter(|_| plain && config.train.kernels == Kernels::Fused) {
        Some(form) => whole_trials(machine, form, params)?,
        None => step_by_step(machine, params, ensemble, &state)?,
    }
    let keep_trace = config.trace.persistent || record.trace || learns == RuleName::HebbianTrace;
    let kept = keep_trace.then(|| kept(&config.trace, params.steps as usize));
    finish((batch.networks, batch.trials_each), learns, kept, state, eligibility)
}

/// Makes room for the eligibility `[S, B, N, N]` and, where it is a product, for a block of its factors.
fn start_eligibility(
    params: &mut Params,
    machine: &impl Machine,
    memory: &mut Memory,
    state: &State,
    workspace: &mut Workspace,
) -> Result<Tensor> {
    let (s, b, n) = state.x.dims3()?;
    let eligibility = workspace.take_tensor(ELIGIBILITY, &[s, b, n, n], state.x.device())?;
    params.eligibility = memory.keep(eligibility.clone())?;
    // The first product overwrites what the workspace held before; without any, and for sums of rows, it must be zero.
    if !params.has_factors() || params.start_step >= params.steps {
        eligibility.zero_set()?;
    }
    if params.has_factors() {
        params.block = history_steps(machine.history_bytes(), s * b, n, params.steps as usize) as u32;
        let history = workspace.take_tensor(HISTORY, &[2, s, b, params.block as usize, n], state.x.device())?;
        params.post = memory.keep(history.clone())?;
        params.pre = params.post + (history.elem_count() / 2 * size_of::<f32>()) as u64;
        workspace.keep_tensor(HISTORY, history);
    }
    Ok(eligibility)
}

/// How many steps of both factors of `trials` trials fit into `bytes`; at least one, and no more than there are.
pub(super) fn history_steps(bytes: usize, trials: usize, neurons: usize, steps: usize) -> usize {
    (bytes / (2 * trials * neurons * size_of::<f32>())).clamp(1, steps)
}

/// As many steps in each launch as the history holds.
fn whole_trials(machine: &impl Machine, form: WholeTrial, mut params: Params) -> Result<()> {
    params.groups = form.groups as u32;
    let at_a_time = if params.has_factors() { params.block } else { params.steps };
    let mut folded = false;
    for first in (0..params.steps).step_by(at_a_time as usize) {
        params.first_step = first;
        params.count = at_a_time.min(params.steps - first);
        machine.launch(form.kernel, form.shape, &params)?;
        let learnt = (first + params.count).saturating_sub(params.start_step.max(first));
        fold(machine, params, learnt, &mut folded)?;
    }
    Ok(())
}

/// One product and one launch for each step.
fn step_by_step(machine: &impl Machine, mut params: Params, ensemble: &Ensemble, state: &State) -> Result<()> {
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
    let w_rec_t = ensemble.weights.w_rec.transpose(1, 2)?.contiguous()?;
    let mut folded = false;
    for step in 0..params.steps {
        params.first_step = step;
        params.trace_kept = kept(&ensemble.config.trace, step as usize);
        let recurrent = state.r.matmul(&w_rec_t)?;
        params.recurrent = address(&recurrent)?;
        machine.launch(Kernel::Step, shape, &params)?;
        if params.has_factors() && step >= params.start_step {
            params.slot += 1;
            if params.slot == params.block || step + 1 == params.steps {
                fold(machine, params, params.slot, &mut folded)?;
                params.slot = 0;
            }
        }
    }
    if state.trace.is_some() {
        machine.launch(Kernel::FinishTrace, shape, &params)?;
    }
    Ok(())
}

/// e (+)= Σ post preᵀ over the `count` steps that the history holds.
fn fold(machine: &impl Machine, mut params: Params, count: u32, folded: &mut bool) -> Result<()> {
    if count == 0 || !params.has_factors() {
        return Ok(());
    }
    let (tile, shape) = eligibility_tile(params.neurons as usize, (params.networks * params.trials_each) as usize);
    (params.tile, params.count, params.add) = (tile as u32, count, u32::from(*folded));
    *folded = true;
    machine.launch(Kernel::Eligibility, shape, &params)
}

/// Hands the results over in the layout of an [`Episode`]; the trace only with `kept`, what is left of the H it began with.
fn finish(
    (s, b): (usize, usize),
    learns: RuleName,
    kept: Option<f32>,
    state: State,
    eligibility: Option<Tensor>,
) -> Result<Episode> {
    let (_, t, n_out) = state.outputs.dims3()?;
    let steps_first = |of: &Tensor, width: usize| of.transpose(0, 1)?.contiguous()?.reshape((t, s, b, width));
    let n = state.x.dim(2)?;
    let trace = match (state.trace, kept) {
        (Some(trace), Some(kept)) => Some(trace.finish(kept)?),
        _ => None,
    };
    let eligibility = match &trace {
        Some(trace) if learns == RuleName::HebbianTrace => Some(trace.h.clone()),
        _ => eligibility,
    };
    Ok(Episode {
        outputs: steps_first(&state.outputs, n_out)?,
        state: network::State { x: state.x, r: state.r },
        trace,
        eligibility: eligibility.map(Eligibility::Tensor),
        readout_change: state
            .readout_change
            .map(|(w, b)| Ok::<_, candle_core::Error>((w.sum(1)?, b.sum(1)?)))
            .transpose()?,
        rates: state.rates.as_ref().map(|rates| steps_first(rates, n)).transpose()?,
        activations: state.activations.as_ref().map(|activations| steps_first(activations, n)).transpose()?,
    })
}
