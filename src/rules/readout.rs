//! How the readout learns at each step, from exploratory noise and reward or from the error (docs/model.md, "The
//! readout, and the reward of a step").

use super::running_mean::RunningMean;
use crate::config::{Config, ReadoutRule};
use candle_core::{Result, Tensor};

/// Accumulates the changes of the readout over steps and trials.
pub(crate) struct ReadoutLearning {
    rule: ReadoutRule,
    variance: f64,
    output_mean: RunningMean,
    /// Summed changes of w_out `[S, n_out, N]` and b_out `[S, n_out]`.
    pub change: Option<(Tensor, Tensor)>,
}

impl ReadoutLearning {
    /// `None` if there is no readout or it does not learn.
    pub fn new(config: &Config) -> Option<Self> {
        config.readout_learns().then(|| ReadoutLearning {
            rule: config.readout.rule,
            variance: config.readout.perturbation * config.readout.perturbation,
            output_mean: RunningMean::new(config.readout.mean_decay),
            change: None,
        })
    }

    /// Adds the changes of one step. `r` is `[S, B, N]`; `output`, its exploratory `noise` and the `difference` target −
    /// output are `[S, B, n_out]`; `reward_change`, R − R̄, is `[S, B]`.
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
            (ReadoutRule::Eh, _, _) => gate(&self.output_mean.deviation(output, output)?)?,
            // There is neither noise nor a target in this step.
            (ReadoutRule::NodePerturbation | ReadoutRule::Delta | ReadoutRule::None, _, _) => return Ok(()),
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
