//! Credit given step by step: the reward of each step, and what a readout learns from it.

use crate::config::{Config, Output, ReadoutRule};
use crate::episode::{EpisodeInputs, Scoring};
use crate::task::ErrorMeasure;
use candle_core::{Result, Tensor};

/// R − R̄ online: the reward of a step is the negative of its error; R̄ is a running mean within the trial.
pub(crate) struct Reward<'a> {
    scoring: &'a Scoring,
    decay: f64,
    binary: bool,
}

impl<'a> Reward<'a> {
    /// `None` where nothing in the configuration reads the reward online, or nothing is scored.
    pub fn new(config: &Config, inputs: &'a EpisodeInputs) -> Result<Option<Self>> {
        let Some(scoring) = inputs.scoring.as_ref().filter(|_| config.reads_reward_online()) else { return Ok(None) };
        Ok(Some(Reward { scoring, decay: config.modulator.reward_decay, binary: config.modulator.binary }))
    }

    /// R̄ at the start of the trials, `[S, B]`.
    pub fn start(&self) -> Result<Tensor> {
        self.scoring.expected_error.neg()
    }

    /// R − R̄ for `output` `[S, B, n_out]` and the R̄ that is `mean`, as `[S, B]`, or whether it is above 0, where that is asked
    /// for; 0 where the step is not scored. Returns the R̄ of the next step beside it.
    pub fn change(&self, step: usize, output: &Tensor, mean: &Tensor) -> Result<(Tensor, Tensor)> {
        let difference = (output - self.scoring.targets.get(step)?)?;
        let error = match self.scoring.measure {
            ErrorMeasure::Absolute => difference.abs()?,
            ErrorMeasure::Squared => difference.sqr()?,
        };
        let reward = error.mean(2)?.neg()?;
        let change = ((reward - mean)? * self.scoring.scored.get(step)?)?;
        let mean = (mean + (&change * (1.0 - self.decay))?)?;
        if self.binary {
            return Ok((change.gt(0.0)?.to_dtype(change.dtype())?, mean));
        }
        Ok((change, mean))
    }
}

/// Sums the readout's change over steps and trials.
pub(crate) struct ReadoutLearning {
    rule: ReadoutRule,
    variance: f64,
    mean_decay: f64,
    output_mean: Option<Tensor>,
    /// Summed changes of w_out `[S, n_out, N]` and b_out `[S, n_out]`.
    pub change: Option<(Tensor, Tensor)>,
}

impl ReadoutLearning {
    /// `None` where there is no readout that learns.
    pub fn new(config: &Config) -> Option<Self> {
        let learns = config.network.output == Output::Readout && config.readout.rule != ReadoutRule::None;
        learns.then(|| ReadoutLearning {
            rule: config.readout.rule,
            variance: config.readout.perturbation * config.readout.perturbation,
            mean_decay: config.readout.mean_decay,
            output_mean: None,
            change: None,
        })
    }

    /// Adds a step: `r` `[S, B, N]`; `output`, its `noise` and its `difference` from the target `[S, B, n_out]`;
    /// `reward_change` `[S, B]`.
    pub fn accumulate(
        &mut self,
        r: &Tensor,
        output: &Tensor,
        noise: Option<&Tensor>,
        reward_change: &Tensor,
        difference: Option<&Tensor>,
    ) -> Result<()> {
        let gate = |post: &Tensor| post.broadcast_mul(&reward_change.unsqueeze(2)?);
        let gated = match (self.rule, noise, difference) {
            (ReadoutRule::NodePerturbation, Some(noise), _) => gate(&(noise / self.variance)?)?,
            (ReadoutRule::Delta, _, Some(difference)) => difference.clone(),
            (ReadoutRule::Eh, _, _) => {
                let mean = self.output_mean.take().unwrap_or_else(|| output.clone());
                let deviation = (output - &mean)?;
                self.output_mean = Some(((mean * self.mean_decay)? + (output * (1.0 - self.mean_decay))?)?);
                gate(&deviation)?
            }
            _ => return Ok(()),
        };
        let w_out = gated.transpose(1, 2)?.contiguous()?.matmul(r)?;
        let b_out = gated.sum(1)?;
        self.change = Some(match self.change.take() {
            Some((w, b)) => ((w + w_out)?, (b + b_out)?),
            None => (w_out, b_out),
        });
        Ok(())
    }
}
