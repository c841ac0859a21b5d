//! `delta-x`: e ← e + (r_pre(t−1) δx_post(t))³ with δx = x − x̄ (Miconi 2017, doi 10.7554/eLife.20899).

use super::{moved_mean, Factors, Increment, LearningRule, Moment};
use crate::network::State;
use candle_core::{Result, Tensor};

/// Carries x̄, which is moved after δx was taken.
pub struct DeltaX {
    decay: f64,
    x_mean: Option<Tensor>,
}

impl DeltaX {
    /// `decay` is α_x of x̄ ← α_x x̄ + (1 − α_x) x.
    pub fn new(decay: f64) -> Self {
        DeltaX { decay, x_mean: None }
    }
}

impl LearningRule for DeltaX {
    fn begin(&mut self, state: &State) -> Result<()> {
        self.x_mean = Some(state.x.clone());
        Ok(())
    }

    fn increment(&mut self, moment: &Moment) -> Result<Option<Increment>> {
        let x = &moment.state.x;
        let x_mean = self.x_mean.as_ref().unwrap_or(x);
        let factors = Factors { post: (x - x_mean)?, pre: moment.r_before.clone() };
        self.x_mean = Some(moved_mean(x_mean, x, self.decay)?);
        Ok(Some(Increment::CubedOuter(factors)))
    }
}
