//! Running means: mean ← decay · mean + (1 − decay) · value.

use candle_core::Tensor;

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
