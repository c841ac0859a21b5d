//! `rflo`, random feedback local online learning: e ← e + (F ε)_i p_ij, p a running mean of φ'(drive_i) r_j
//! (Murray 2019, doi 10.7554/eLife.43299).
//!
//! p is what is left of ∂r_i/∂w_ij when nothing but the neuron's own leak carries it from step to step. Where the rate leaks
//! (Murray's network), p ← (1 − λ) p + λ φ'(x_i) r_j, λ = dt/τ, a matrix. Where the activation leaks, φ' stands outside the
//! mean, φ'(x_i) p_j with p_j ← (1 − λ) p_j + λ r_j, and a step adds an outer product.

use super::{moved_mean, Factors, Increment, LearningRule, Moment};
use crate::config::{Dynamics, NetworkConfig};
use crate::network::{Rates, State};
use candle_core::{Result, Tensor, D};

/// Carries p.
pub struct Rflo {
    rate_leaks: bool,
    leak: f64,
    rates: Rates,
    mean: Option<Tensor>,
}

impl Rflo {
    /// Takes leak and response from the network.
    pub fn new(network: &NetworkConfig) -> Self {
        Rflo {
            rate_leaks: network.dynamics == Dynamics::LeakyRate,
            leak: network.leak(),
            rates: Rates::new(network),
            mean: None,
        }
    }

    /// p ← (1 − λ) p + λ `new`, from p = 0.
    fn moved(&mut self, new: &Tensor) -> Result<Tensor> {
        let mean = match &self.mean {
            Some(mean) => moved_mean(mean, new, 1.0 - self.leak)?,
            None => (new * self.leak)?,
        };
        self.mean = Some(mean.clone());
        Ok(mean)
    }
}

impl LearningRule for Rflo {
    fn begin(&mut self, _state: &State) -> Result<()> {
        self.mean = None;
        Ok(())
    }

    fn increment(&mut self, moment: &Moment) -> Result<Option<Increment>> {
        let slope = self.rates.slope(&moment.state.x)?;
        if self.rate_leaks {
            let pair = slope.unsqueeze(D::Minus1)?.matmul(&moment.r_before.unsqueeze(D::Minus2)?)?;
            let p = self.moved(&pair)?;
            let gated = |error: &Tensor| p.broadcast_mul(&error.unsqueeze(D::Minus1)?);
            Ok(moment.error.map(gated).transpose()?.map(Increment::Matrix))
        } else {
            let pre = self.moved(moment.r_before)?;
            let post = moment.error.map(|error| error * slope).transpose()?;
            Ok(post.map(|post| Increment::Outer(Factors { post, pre })))
        }
    }
}
