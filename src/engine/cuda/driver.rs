//! Runs a batch on a [`Machine`]: whole stretches of steps in one launch if possible, otherwise step by step.

use super::drawn::Drawn;
use super::machine::{address, Kernel, Machine, Shape, Uploads};
use super::params::Params;
use super::shape::{eligibility_tile, filter_shape, step_shape, WholeTrial};
use super::tensors::{kept, Memory};
use super::Workspace;
use crate::config::{Distribution, Kernels, ModulatorSource, Output, Stage};
use crate::engine::{fused, Eligibility, Ensemble, Episode, Record, TrialBatch};
use crate::rules::FusedRule;
use candle_core::{DType, Device, Result, Tensor};
use std::ops::Range;

/// Runs all trials of a batch; with `learn`, accumulates the eligibility. Tests compare it with `engine::reference`.
pub(super) fn run<M: Machine>(
    machine: &M,
    ensemble: &Ensemble,
    batch: &TrialBatch,
    learn: bool,
    record: Record,
    workspace: &mut Workspace<M::Uploads>,
) -> Result<Episode> {
    let config = &ensemble.setup.config;
    let mut params = Params::new(ensemble.setup, ensemble.shape, batch.networks, batch.trials_each, learn);
    let mut memory = Memory::new(ensemble.weights.w_rec.device());
    let (mut episode, kernel_fast_weights) = memory.fill(&mut params, ensemble, batch, record)?;
    let rule = fused::rule(ensemble.setup, learn);
    if !matches!(rule, FusedRule::FastWeights | FusedRule::Nothing) {
        let eligibility = start_eligibility(&mut params, machine, &mut memory, &episode.state.x, workspace)?;
        episode.eligibility = Some(Eligibility::Tensor(eligibility));
    }

    let has_fast_weights = config.fast_weights.stage != Stage::None;
    let only_of_steps = params.ends != 0
        || params.w_fb != 0
        || params.rate_leak > 0.0
        || config.network.private_noise > 0.0
        || config.perturbation.distribution == Some(Distribution::Gaussian);
    let in_one_launch = config.train.kernels == Kernels::Fused
        && config.network.output == Output::Neurons
        && !(has_fast_weights || params.online != 0 || record.rates || record.activations || only_of_steps);
    let whole_trial = WholeTrial::fitting(machine.limits(), batch.networks, batch.trials_each, config.network.neurons)
        .filter(|_| in_one_launch);
    let drawn = Drawn::new(batch, &params, has_fast_weights && config.fast_weights.modulator == ModulatorSource::Task);
    match whole_trial {
        Some(form) => by_stretches(machine, &mut params, &drawn, workspace, |params, steps| {
            whole_stretch(machine, form, params, steps)
        })?,
        None => {
            let shape = step_shape(machine.limits(), &params)?;
            let w_rec_t = ensemble.weights.w_rec.transpose(1, 2)?.contiguous()?;
            by_stretches(machine, &mut params, &drawn, workspace, |params, steps| {
                for step in steps {
                    params.h_kept = kept(&config.fast_weights, step);
                    let recurrent = episode.state.r.matmul(&w_rec_t)?;
                    params.recurrent = address(&recurrent)?;
                    one_step(machine, shape, params, step)?;
                }
                Ok(())
            })?;
            if has_fast_weights {
                machine.launch(Kernel::FinishFastWeights, shape, &params)?;
            }
        }
    }
    // All kernels have been launched; the device frees the memory that only they need after they have run.
    drop(memory);
    let keep_h = config.fast_weights.persistent || record.fast_weights || rule == FusedRule::FastWeights;
    if let Some(h) = kernel_fast_weights.filter(|_| keep_h) {
        let fast_weights = h.finish(kept(&config.fast_weights, params.steps as usize))?;
        if rule == FusedRule::FastWeights {
            episode.eligibility = Some(Eligibility::Tensor(fast_weights.h.clone()));
        }
        episode.fast_weights = Some(fast_weights);
    }
    if let Some((w_out, b_out)) = &mut episode.readout_change {
        // Sum over the trials.
        (*w_out, *b_out) = (w_out.sum(1)?, b_out.sum(1)?);
    }
    Ok(episode)
}

/// Makes room for the eligibility `[S, B, N, N]` and, if it is a sum of products, for the history of its two factors.
fn start_eligibility<M: Machine>(
    params: &mut Params,
    machine: &M,
    memory: &mut Memory,
    x: &Tensor,
    workspace: &mut Workspace<M::Uploads>,
) -> Result<Tensor> {
    let (s, b, n) = x.dims3()?;
    let eligibility = reuse(&mut workspace.eligibility, &[s, b, n, n], x.device())?;
    workspace.lent = true;
    params.eligibility = memory.keep(eligibility.clone())?;
    // The first product overwrites the old contents. If no product follows, or values are only added to single rows,
    // the memory must be zeroed.
    if !params.has_factors() || params.start_step >= params.steps {
        eligibility.zero_set()?;
    }
    if params.has_factors() {
        // As many steps of both factors as fit, or all, from the first.
        let bytes_a_step = 2 * s * b * n * size_of::<f32>();
        let steps = match params.filters_back() {
            true => params.steps as usize,
            false => (machine.limits().history_bytes / bytes_a_step).clamp(1, params.steps as usize),
        };
        params.block = steps as u32;
        let history = reuse(&mut workspace.history, &[2, s, b, steps, n], x.device())?;
        params.post = memory.keep(history.clone())?;
        params.pre = params.post + (history.elem_count() / 2 * size_of::<f32>()) as u64;
        workspace.history = Some(history);
    }
    Ok(eligibility)
}

/// A tensor of the given shape with arbitrary values: `kept` if it fits, otherwise a new one.
fn reuse(kept: &mut Option<Tensor>, shape: &[usize], device: &Device) -> Result<Tensor> {
    let fits = |kept: &Tensor| kept.dims() == shape && kept.device().same_device(device);
    kept.take().filter(fits).map_or_else(|| Tensor::zeros(shape, DType::F32, device), Ok)
}

/// Runs the trials in stretches of steps: while the kernels run one stretch, the next is written and uploaded.
fn by_stretches<M: Machine>(
    machine: &M,
    params: &mut Params,
    drawn: &Drawn,
    workspace: &mut Workspace<M::Uploads>,
    mut run: impl FnMut(&mut Params, Range<usize>) -> Result<()>,
) -> Result<()> {
    let total = params.steps as usize;
    let most = if params.has_factors() { params.block as usize } else { total };
    let each = machine.limits().upload_steps.clamp(1, most);
    let stretches: Vec<_> = (0..total).step_by(each).map(|first| first..(first + each).min(total)).collect();
    let words: Vec<usize> = stretches.iter().map(|steps| drawn.words(steps)).collect();
    let room = words.iter().copied().max().unwrap_or(0);
    let mut uploads = match workspace.uploads.take().filter(|kept| kept.words() >= room) {
        Some(kept) => kept,
        // The number of perturbations varies from batch to batch: leave some spare room.
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
    workspace.uploads = Some(uploads);
    add_history(machine, params)
}

/// Runs a stretch of steps in one launch.
fn whole_stretch(machine: &impl Machine, form: WholeTrial, params: &mut Params, steps: Range<usize>) -> Result<()> {
    let learnt = steps.end.saturating_sub(steps.start.max(params.start_step as usize)) as u32;
    make_room(machine, params, learnt)?;
    params.groups = form.groups as u32;
    (params.first_step, params.count) = (steps.start as u32, steps.len() as u32);
    machine.launch(form.kernel, form.shape, params)?;
    params.slot += learnt;
    Ok(())
}

/// Launches one step, whose recurrent product is ready.
fn one_step(machine: &impl Machine, shape: Shape, params: &mut Params, step: usize) -> Result<()> {
    // Slopes are kept from the first step on.
    let start_step = if params.filters_back() { 0 } else { params.start_step };
    let learnt = u32::from(step >= start_step as usize);
    make_room(machine, params, learnt)?;
    params.first_step = step as u32;
    machine.launch(Kernel::Step, shape, &Params { start_step, ..*params })?;
    params.slot += learnt;
    Ok(())
}

/// Adds the history to the eligibility if the history has no room for `coming` more steps.
fn make_room(machine: &impl Machine, params: &mut Params, coming: u32) -> Result<()> {
    if params.slot + coming > params.block {
        add_history(machine, params)?;
    }
    Ok(())
}

/// e (+)= Σ post preᵀ over the steps in the history, which is then empty.
fn add_history(machine: &impl Machine, params: &mut Params) -> Result<()> {
    if !params.has_factors() || params.slot == 0 {
        return Ok(());
    }
    if params.filters_back() {
        machine.launch(Kernel::FilterBack, filter_shape(params), params)?;
    }
    let (tile, shape) = eligibility_tile(params.neurons as usize, (params.networks * params.trials_each) as usize);
    (params.tile, params.count) = (tile as u32, params.slot);
    machine.launch(Kernel::Eligibility, shape, params)?;
    (params.slot, params.add) = (0, 1);
    Ok(())
}
