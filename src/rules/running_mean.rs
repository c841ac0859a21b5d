//! Running means: mean ← decay · mean + (1 − decay) · value.

use candle_core::{Result, Tensor};

/// A running mean of tensors of one shape.
pub(super) struct RunningMean {
    decay: f64,
    mean: Option<Tensor>,
}

impl RunningMean {
    /// Nothing has been seen yet.
    pub fn new(decay: f64) -> Self {
        RunningMean { decay, mean: None }
    }

    /// Starts at a value.
    pub fn begin(&mut self, value: &Tensor) {
        self.mean = Some(value.clone());
    }

    /// The deviation of a value from the mean, which moves afterwards. Without a start, the first value is the mean.
    pub fn deviation(&mut self, value: &Tensor) -> Result<Tensor> {
        let mean = self.mean.take().unwrap_or_else(|| value.clone());
        let deviation = (value - &mean)?;
        self.mean = Some(((mean * self.decay)? + (value * (1.0 - self.decay))?)?);
        Ok(deviation)
    }

    /// The mean after a value; without a start, it starts at 0.
    pub fn moved(&mut self, value: &Tensor) -> Result<Tensor> {
        let new = (value * (1.0 - self.decay))?;
        let mean = match self.mean.take() {
            Some(mean) => ((mean * self.decay)? + new)?,
            None => new,
        };
        self.mean = Some(mean.clone());
        Ok(mean)
    }
}
