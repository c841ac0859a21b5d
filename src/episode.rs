//! Runs a batch of trials from first to last step, in plain candle operations on any device.
//!
//! This is the reference: one obvious loop over steps. What the fused kernels compute is tested against it.

mod inputs;
mod steps;

pub use inputs::{EpisodeInputs, Scoring, TrialShape};
pub(crate) use steps::{Progress, Steps, Taken, BLOCK as PERTURBED_STEPS};

use crate::batch::TrialBatch;
use crate::config::{Config, RuleName};
use crate::eligibility::{Eligibility, Workspace};
use crate::modulator::Modulator;
use crate::network::{Cell, State, Weights};
use crate::online::ReadoutLearning;
use crate::ops;
use crate::rule::{self, Accumulator, Moment};
use crate::trace::TraceState;
use candle_core::{Result, Tensor};

/// Steps whose factors are collected before they are multiplied into the eligibility.
const BLOCK: usize = 100;

/// What a run should keep beside the outputs.
#[derive(Clone, Copy, Debug, Default)]
pub struct Record {
    /// The Hebbian trace after the last step; a persistent one is kept without asking.
    pub trace: bool,
    /// Rates of every step.
    pub rates: bool,
    /// Activations of every step.
    pub activations: bool,
}

/// What a batch of trials left behind.
pub struct Episode {
    /// `[T, S, B, n_out]`.
    pub outputs: Tensor,
    /// The state after the last step.
    pub state: State,
    /// The Hebbian trace after the last step.
    pub trace: Option<TraceState>,
    /// Where `w_rec` learns.
    pub eligibility: Option<Eligibility>,
    /// Summed changes of `w_out` `[S, n_out, N]` and `b_out` `[S, n_out]`, before the learning rate, where they learn.
    pub readout_change: Option<(Tensor, Tensor)>,
    /// `[T, S, B, N]`, where asked for.
    pub rates: Option<Tensor>,
    /// `[T, S, B, N]`, where asked for.
    pub activations: Option<Tensor>,
}

/// S networks as they are now, and what their trials are like.
pub struct Ensemble<'a> {
    /// The run's configuration.
    pub config: &'a Config,
    /// The sizes of its trials.
    pub shape: TrialShape,
    /// The weights.
    pub weights: &'a Weights,
    /// What each network expects.
    pub modulator: &'a Modulator,
    /// The Hebbian trace at the start; `None`: zero.
    pub trace: Option<TraceState>,
}

impl Ensemble<'_> {
    /// Runs a drawn batch by the fused kernels where they can do what the configuration asks for, else by [`run`].
    pub fn run(&self, batch: &TrialBatch, learn: bool, record: Record, workspace: &mut Workspace) -> Result<Episode> {
        let Ensemble { config, weights, .. } = *self;
        let device = weights.w_rec.device();
        if let Some(run) = ops::fused(config, device) {
            return run(self, batch, learn, record, workspace);
        }
        run(config, &Cell::new(&config.network, weights)?, &self.inputs(batch)?, learn, record)
    }

    /// A drawn batch on the networks' device, with the trace that it starts from.
    pub(crate) fn inputs<'b>(&self, batch: &'b TrialBatch) -> Result<EpisodeInputs<'b>> {
        let Ensemble { config, shape, weights, modulator, .. } = *self;
        let w_rec = &weights.w_rec;
        let inputs = EpisodeInputs::new(batch, config, shape, modulator, w_rec.dtype(), w_rec.device())?;
        Ok(EpisodeInputs { trace: self.trace.clone(), ..inputs })
    }
}

/// Runs all steps. With `learn`, accumulates what the configured rules accumulate.
pub fn run(config: &Config, cell: &Cell, inputs: &EpisodeInputs, learn: bool, record: Record) -> Result<Episode> {
    let t = inputs.inputs.dim(0)?;
    let mut steps = Steps::from(0, config, cell, inputs)?;
    let mut at = steps.start()?;
    let mut rule = if learn { rule::build(config) } else { None };
    let mut eligibility = rule.as_ref().map(|_| Accumulator::new(&at.state.x, BLOCK.min(t))).transpose()?;
    if let Some(rule) = &mut rule {
        rule.begin(&at.state)?;
    }
    let mut readout = learn.then(|| ReadoutLearning::new(config)).flatten();
    let told = inputs.scoring.as_ref().filter(|_| learn && config.reads_error_online());
    let mut outputs = Vec::with_capacity(t);
    let (mut rates, mut activations) = (Vec::new(), Vec::new());

    for step in 0..t {
        let Taken { next, output, readout_noise, perturbation, reward_change } = steps.take(step, &at)?;
        let difference = told.map(|scoring| scoring.difference(step, &output)).transpose()?;
        let error = difference.as_ref().map(|difference| cell.fed_back_error(difference)).transpose()?.flatten();
        if let (Some(rule), Some(eligibility)) = (&mut rule, &mut eligibility) {
            let moment = Moment {
                r_before: &at.state.r,
                state: &next.state,
                perturbation: perturbation.as_ref(),
                reward_change: &reward_change,
                error: error.as_ref(),
            };
            if let Some(increment) = rule.increment(&moment)?.filter(|_| step >= config.rule.start_step) {
                eligibility.push(&increment)?;
            }
        }
        if let Some(readout) = &mut readout {
            readout.accumulate(&next.state.r, &output, readout_noise.as_ref(), &reward_change, difference.as_ref())?;
        }
        outputs.push(output);
        if record.rates {
            rates.push(next.state.r.clone());
        }
        if record.activations {
            activations.push(next.state.x.clone());
        }
        at = next;
    }
    let Progress { state, trace: trace_state, .. } = at;

    let eligibility = match (eligibility, &trace_state) {
        (Some(eligibility), _) => Some(Eligibility::Tensor(eligibility.finish()?)),
        (None, Some(trace)) if learn && config.rule.name == RuleName::HebbianTrace => {
            Some(Eligibility::Tensor(trace.h.clone()))
        }
        _ => None,
    };
    let stack = |steps: Vec<Tensor>| (!steps.is_empty()).then(|| Tensor::stack(&steps, 0)).transpose();
    Ok(Episode {
        outputs: Tensor::stack(&outputs, 0)?,
        state,
        trace: trace_state,
        eligibility,
        readout_change: readout.and_then(|r| r.change),
        rates: stack(rates)?,
        activations: stack(activations)?,
    })
}
