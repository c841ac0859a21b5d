//! Runs a batch of trials from first to last step, in plain candle operations on any device.
//!
//! This is the reference: one obvious loop over steps. What the fused kernels compute is tested against it.

mod online;
mod steps;
mod tensors;

pub(super) use steps::{Progress, Steps, Taken};
pub(super) use tensors::TrialTensors;

use super::memory::{Part, Sizes};
use super::{Eligibility, Engine, Ensemble, Episode, Record, TrialBatch};
use crate::error::Result;
use crate::model::Cell;
use crate::presets::Setup;
use crate::rules::{Accumulator, Moment, ReadoutLearning, Source};
use candle_core::{Device, Tensor};

/// Steps whose factors are collected before they are multiplied into the eligibility.
const BLOCK: usize = 100;

/// The plain operations.
pub(crate) struct Reference;

impl Engine for Reference {
    fn name(&self) -> &'static str {
        "reference"
    }

    fn refuses(&self, _setup: &Setup, _device: &Device) -> Option<String> {
        None
    }

    fn memory(&self, setup: &Setup, sizes: &Sizes) -> Vec<Part> {
        let source = if sizes.learn { setup.rule.source() } else { Source::Nothing };
        let (eligibility, factors) = match source {
            // Each sum is made anew: the old one, what is added, and the new one are there at the same time. A block of
            // factors is copied before it is multiplied.
            Source::Steps(_) => (3.0 * sizes.matrix(), sizes.vectors(5.0 * sizes.t.min(BLOCK as f64))),
            Source::FastWeights => (sizes.matrix(), 0.0),
            Source::Gradient | Source::Nothing => (0.0, 0.0),
        };
        vec![
            Part::new("eligibility", eligibility),
            Part::new("factors of the eligibility", factors),
            Part::new("fast weights", sizes.fast_weights(&setup.config.fast_weights, 3.0)),
            Part::new("trials", sizes.drawn(sizes.t) + steps::memory(sizes)),
        ]
    }

    fn run(&mut self, ensemble: &Ensemble, batch: &TrialBatch, learn: bool, record: Record) -> Result<Episode> {
        let setup = ensemble.setup;
        let cell = Cell::new(&setup.config.network, &setup.neurons, ensemble.weights)?;
        Ok(run(setup, &cell, &TrialTensors::new(ensemble, batch)?, learn, record)?)
    }
}

/// Runs all steps. With `learn`, accumulates what the rules accumulate.
fn run(setup: &Setup, cell: &Cell, inputs: &TrialTensors, learn: bool, record: Record) -> candle_core::Result<Episode> {
    let (config, t) = (&setup.config, inputs.inputs.dim(0)?);
    let mut steps = Steps::from(0, setup, cell, inputs)?;
    let mut at = steps.start()?;
    let source = if learn { setup.rule.source() } else { Source::Nothing };
    let (mut rule, of_fast_weights) = match source {
        Source::Steps(rule) => (Some(rule), false),
        Source::FastWeights => (None, true),
        Source::Gradient | Source::Nothing => (None, false),
    };
    let mut eligibility = rule.as_ref().map(|_| Accumulator::new(&at.state.x, BLOCK.min(t))).transpose()?;
    let mut readout = learn.then(|| ReadoutLearning::new(config)).flatten();
    let told = learn && setup.reads_error_online();
    let mut outputs = Vec::with_capacity(t);
    let (mut rates, mut activations) = (Vec::new(), Vec::new());

    for step in 0..t {
        let Taken { next, output, readout_noise, perturbation, reward_change } = steps.take(step, &at)?;
        let difference = told.then(|| inputs.scoring.difference(step, &output)).transpose()?;
        let error = difference.as_ref().map(|difference| cell.fed_back_error(difference)).transpose()?.flatten();
        if let (Some(rule), Some(eligibility)) = (&mut rule, &mut eligibility) {
            let moment = Moment {
                x_before: &at.state.x,
                r_before: &at.state.r,
                state: &next.state,
                perturbation: perturbation.as_ref(),
                reward_change: &reward_change,
                error: error.as_ref(),
            };
            if let Some(increment) = rule(&moment)?.filter(|_| step >= config.rule.start_step) {
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
    let Progress { state, fast_weights, .. } = at;

    let eligibility = match (eligibility, &fast_weights) {
        (Some(eligibility), _) => Some(Eligibility::Tensor(eligibility.finish()?)),
        (None, Some(fast_weights)) if of_fast_weights => Some(Eligibility::Tensor(fast_weights.h.clone())),
        _ => None,
    };
    let stack = |steps: Vec<Tensor>| (!steps.is_empty()).then(|| Tensor::stack(&steps, 2)).transpose();
    Ok(Episode {
        outputs: Tensor::stack(&outputs, 2)?,
        state,
        fast_weights,
        eligibility,
        gradients: None,
        readout_change: readout.and_then(|r| r.change),
        rates: stack(rates)?,
        activations: stack(activations)?,
    })
}
