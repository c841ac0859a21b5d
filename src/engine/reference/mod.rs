//! Runs a batch of trials with plain candle operations, on any device.
//!
//! A plain loop over steps: the reference against which the fused kernels are tested.

mod episodes;
mod steps;
mod tensors;

use steps::gated;
pub(super) use steps::{Progress, StepResult, Steps};
pub(super) use tensors::TrialTensors;

use super::memory::{parts, Part, Sizes};
use super::{Eligibility, Engine, Ensemble, Episode, Record, TrialBatch};
use crate::error::Result;
use crate::model::Cell;
use crate::rules::{Accumulator, Moment, ReadoutLearning, Source, StepRule};
use crate::setup::Setup;
use candle_core::Tensor;

/// The number of steps whose factors are collected before they are multiplied into the eligibility.
const BLOCK: usize = 100;

/// The engine of plain candle operations.
pub(crate) struct Reference;

impl Engine for Reference {
    fn memory(&self, setup: &Setup, sizes: &Sizes) -> Vec<Part> {
        let eligibility = match setup.rule.source() {
            _ if !sizes.learn => (0.0, 0.0),
            // Each addition allocates a new tensor, so the old sum, the summand and the new sum exist at once. A block
            // of factors is copied before it is multiplied.
            Source::Steps(_) => (3.0 * sizes.matrix(), sizes.vectors(5.0 * sizes.t.min(BLOCK as f64))),
            Source::FastWeights => (sizes.matrix(), 0.0),
            Source::Gradient | Source::Nothing => (0.0, 0.0),
        };
        let fast_weights = sizes.fast_weights(&setup.config.fast_weights, 3.0);
        parts(eligibility, fast_weights, sizes.drawn(sizes.t) + steps::memory(sizes))
    }

    fn run(&mut self, ensemble: &Ensemble, batch: &TrialBatch, learn: bool, record: Record) -> Result<Episode> {
        let setup = ensemble.setup;
        if let Some(episodes) = batch.episodes(&setup.task) {
            return episodes::run(ensemble, episodes, batch, learn, record);
        }
        let cell = Cell::new(&setup.config.network, &setup.neurons, ensemble.weights)?;
        let inputs = TrialTensors::new(ensemble, batch, 0..batch.networks, 0..batch.trials_each)?;
        Ok(run(setup, &cell, &inputs, learn, record)?)
    }
}

/// Runs all steps. With `learn`, accumulates what the rules for `w_rec` and the readout learn from.
fn run(setup: &Setup, cell: &Cell, inputs: &TrialTensors, learn: bool, record: Record) -> candle_core::Result<Episode> {
    let t = inputs.inputs.dim(0)?;
    let mut steps = Steps::from(0, setup, cell, inputs)?;
    let mut at = steps.start()?;
    let source = if learn { setup.rule.source() } else { Source::Nothing };
    let of_fast_weights = matches!(source, Source::FastWeights);
    let mut learning = match source {
        Source::Steps(rule) => {
            let eligibility = Accumulator::new(&at.state.x, BLOCK.min(t))?;
            Some(Learning { rule, start_step: setup.config.rule.start_step, eligibility })
        }
        Source::FastWeights | Source::Gradient | Source::Nothing => None,
    };
    let mut readout = learn.then(|| ReadoutLearning::new(&setup.config)).flatten();
    let told = learn && setup.reads_error_online();
    let mut outputs = Vec::with_capacity(t);
    let (mut rates, mut activations) = (Vec::new(), Vec::new());
    for step in 0..t {
        let taken = steps.take(step, &at)?;
        let difference = told.then(|| inputs.scoring.difference(step, &taken.output)).transpose()?;
        if let Some(learning) = &mut learning {
            let error = difference.as_ref().map(|difference| cell.fed_back_error(difference)).transpose()?.flatten();
            learning.step(step, &at, &taken, error.as_ref())?;
        }
        let StepResult { next, output, readout_noise, reward_change, .. } = taken;
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
    let Progress { state, fast_weights, .. } = at;
    let eligibility = match learning {
        Some(learning) => Some(learning.eligibility.finish()?),
        None => fast_weights.as_ref().filter(|_| of_fast_weights).map(|fast_weights| fast_weights.h.clone()),
    };
    let stack = |steps: Vec<Tensor>| (!steps.is_empty()).then(|| Tensor::stack(&steps, 2)).transpose();
    Ok(Episode {
        fast_weights,
        eligibility: eligibility.map(Eligibility::Tensor),
        readout_change: readout.and_then(|r| r.change),
        rates: stack(rates)?,
        activations: stack(activations)?,
        ..Episode::new(Tensor::stack(&outputs, 2)?, state)
    })
}

/// The rule of `w_rec`, and the eligibility so far.
struct Learning {
    rule: Box<StepRule>,
    start_step: usize,
    eligibility: Accumulator,
}

impl Learning {
    /// Adds a step; `error` is the output error fed back to each neuron.
    fn step(
        &mut self,
        step: usize,
        before: &Progress,
        taken: &StepResult,
        error: Option<&Tensor>,
    ) -> candle_core::Result<()> {
        let moment = Moment {
            x_before: &before.state.x,
            r_before: &before.state.r,
            state: &taken.next.state,
            perturbation: taken.perturbation.as_ref(),
            reward_change: &taken.reward_change,
            error,
        };
        match (self.rule)(&moment)?.filter(|_| step >= self.start_step) {
            Some(increment) => self.eligibility.push(&match &taken.alive {
                Some(alive) => increment.gated(|factor| gated(factor, alive))?,
                None => increment,
            }),
            None => Ok(()),
        }
    }
}
