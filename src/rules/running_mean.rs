//! Running means: mean ← decay · mean + (1 − decay) · value.

use super::parameters;
use crate::config::Config;
use candle_core::Tensor;
use documented::DocumentedFields;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A running mean of tensors of one shape.
pub(super) struct RunningMean {
    decay: f64,
    mean: Option<Tensor>,
}

impl RunningMean {
    pub fn new(decay: f64) -> Self {
        RunningMean { decay, mean: None }
    }

    /// The deviation of `value` from the mean, which starts at `initial` and is updated afterwards.
    pub fn deviation(&mut self, value: &Tensor, initial: &Tensor) -> candle_core::Result<Tensor> {
        let mean = self.mean.take().unwrap_or_else(|| initial.clone());
        let deviation = (value - &mean)?;
        self.mean = Some(((mean * self.decay)? + (value * (1.0 - self.decay))?)?);
        Ok(deviation)
    }

    /// The mean, which starts at 0, updated by `value`.
    pub fn updated(&mut self, value: &Tensor) -> candle_core::Result<Tensor> {
        let new = (value * (1.0 - self.decay))?;
        let mean = match self.mean.take() {
            Some(mean) => ((mean * self.decay)? + new)?,
            None => new,
        };
        self.mean = Some(mean.clone());
        Ok(mean)
    }
}

/// The parameter of rules that compare the activation x with its running mean x̄.
#[derive(DocumentedFields, JsonSchema, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ActivationMean {
    /// α_x of x̄ ← α_x x̄ + (1 − α_x) x.
    #[schemars(range(min = 0, max = 1))]
    x_mean_decay: f64,
}

impl Default for ActivationMean {
    fn default() -> Self {
        ActivationMean { x_mean_decay: 0.05 }
    }
}

impl ActivationMean {
    /// α_x of a configuration.
    pub fn decay(config: &Config) -> crate::error::Result<f64> {
        let ActivationMean { x_mean_decay } = parameters(config)?;
        Ok(x_mean_decay)
    }
}
