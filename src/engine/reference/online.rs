//! The reward of each step, for what is given credit step by step.

use super::TrialTensors;
use crate::presets::Setup;
use crate::tasks::ErrorMeasure;
use candle_core::{Result, Tensor};

/// R − R̄ online: the reward of a step is the negative of its error; R̄ is a running mean within the trial.
pub(super) struct Reward<'a> {
    inputs: &'a TrialTensors<'a>,
    decay: f64,
    binary: bool,
}

impl<'a> Reward<'a> {
    /// `None` where nothing reads the reward online.
    pub fn new(setup: &Setup, inputs: &'a TrialTensors) -> Option<Self> {
        let modulator = &setup.config.modulator;
        let reward = Reward { inputs, decay: modulator.reward_decay, binary: modulator.binary };
        setup.reads_reward_online().then_some(reward)
    }

    /// R̄ at the start of the trials, `[S, B]`.
    pub fn start(&self) -> Result<Tensor> {
        self.inputs.scoring.expected_error.neg()
    }

    /// R − R̄ for `output` `[S, B, n_out]` and the R̄ that is `mean`, as `[S, B]`, or whether it is above 0, where that is asked
    /// for; 0 where the step is not scored. Returns the R̄ of the next step beside it.
    pub fn change(&self, step: usize, output: &Tensor, mean: &Tensor) -> Result<(Tensor, Tensor)> {
        let scoring = &self.inputs.scoring;
        let difference = (output - scoring.targets.get(step)?)?;
        let error = match scoring.measure {
            ErrorMeasure::Absolute => difference.abs()?,
            ErrorMeasure::Squared => difference.sqr()?,
        };
        let reward = error.mean(2)?.neg()?;
        let change = ((reward - mean)? * scoring.scored.get(step)?)?;
        let mean = (mean + (&change * (1.0 - self.decay))?)?;
        if self.binary {
            return Ok((change.gt(0.0)?.to_dtype(change.dtype())?, mean));
        }
        Ok((change, mean))
    }
}
