//! `eh`, exploratory Hebb: Δw ← Δw + (R − R̄) (x_post − x̄_post) r_pre, gated online at each scored step
//! (Legenstein et al. 2010; Hoerzer et al. 2014).

use super::{moved_mean, Factors, Increment, LearningRule, Moment};
use crate::network::State;
use candle_core::{Result, Tensor};

/// Carries x̄, which is moved after the deviation was taken.
pub struct Eh {
    decay: f64,
    x_mean: Option<Tensor>,
}

impl Eh {
    /// `decay` is that of x̄ ← decay · x̄ + (1 − decay) · x.
    pub fn new(decay: f64) -> Self {
        Eh { decay, x_mean: None }
    }
}

impl LearningRule for Eh {
    fn begin(&mut self, state: &State) -> Result<()> {
        self.x_mean = Some(state.x.clone());
        Ok(())
    }

    fn increment(&mut self, moment: &Moment) -> Result<Option<Increment>> {
        let x = &moment.state.x;
        let x_mean = self.x_mean.as_ref().unwrap_or(x);
        let post = (x - x_mean)?.broadcast_mul(&moment.reward_change.unsqueeze(2)?)?;
        self.x_mean = Some(moved_mean(x_mean, x, self.decay)?);
        Ok(Some(Increment::Outer(Factors { post, pre: moment.r_before.clone() })))
    }
}
