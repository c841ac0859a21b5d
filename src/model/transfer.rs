//! Transfer functions φ: the firing rate for an activation.

use super::tanh;
use crate::config::{NetworkConfig, Response};
use candle_core::{Result, Tensor};

/// φ, with its parameters.
#[derive(Clone, Copy, Debug)]
pub enum Transfer {
    /// tanh(x).
    Tanh,
    /// x + offset within [0, max] (Mastrogiuseppe & Ostojic 2017).
    Rectified {
        /// The rate at x = 0.
        offset: f64,
        /// The largest rate.
        max: f64,
    },
}

impl Transfer {
    /// That of the configuration.
    pub fn new(config: &NetworkConfig) -> Self {
        match config.response {
            Response::Tanh => Transfer::Tanh,
            Response::RectifiedLinear => {
                Transfer::Rectified { offset: config.response_offset, max: config.response_max }
            }
        }
    }

    /// φ(x), elementwise.
    ///
    /// # Errors
    /// Where the device fails.
    pub fn of(self, x: &Tensor) -> Result<Tensor> {
        match self {
            Transfer::Tanh => x.tanh(),
            Transfer::Rectified { offset, max } => (x + offset)?.clamp(0.0, max),
        }
    }

    /// The same by the vectorised tanh of the fused kernels, where the tensor allows it: many times as fast as candle's on the
    /// CPU.
    pub(crate) fn fast(self, x: &Tensor) -> Result<Tensor> {
        match self {
            Transfer::Tanh => tanh::of(x),
            rectified => rectified.of(x),
        }
    }

    /// φ(x) of one number in single precision, as the fused kernels compute it.
    pub(crate) fn single(self, x: f32) -> f32 {
        match self {
            Transfer::Tanh => tanh::tanh(x),
            Transfer::Rectified { offset, max } => (x + offset as f32).clamp(0.0, max as f32),
        }
    }

    /// φ'(x), elementwise: 1 − tanh²(x); 1 strictly within the range of the rectified function, else 0.
    ///
    /// # Errors
    /// Where the device fails.
    pub fn slope(self, x: &Tensor) -> Result<Tensor> {
        match self {
            Transfer::Tanh => x.tanh()?.sqr()?.affine(-1.0, 1.0),
            Transfer::Rectified { offset, max } => {
                let inside = (x.gt(-offset)? * x.lt(max - offset)?)?;
                inside.to_dtype(x.dtype())
            }
        }
    }
}
