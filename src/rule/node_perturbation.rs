//! `node-perturbation`: e ← e + ξ_post(t) r_pre(t−1), which is nothing where nothing was perturbed (Fiete & Seung 2006).

use super::{Factors, Increment, LearningRule, Moment};
use crate::network::State;
use candle_core::Result;

/// Carries nothing.
pub struct NodePerturbation;

impl LearningRule for NodePerturbation {
    fn begin(&mut self, _state: &State) -> Result<()> {
        Ok(())
    }

    fn increment(&mut self, moment: &Moment) -> Result<Option<Increment>> {
        Ok(moment.perturbation.map(|xi| Increment::Outer(Factors { post: xi.clone(), pre: moment.r_before.clone() })))
    }
}
