//! Fused operations. Each has a plain-candle twin that says what it computes, and tests that hold the two together.
//!
//! | fused | twin |
//! |---|---|
//! | [`tanh::tanh`] | `Tensor::tanh` |
//! | [`cpu::run`] | [`crate::episode::run`] |

pub mod cpu;
mod product;
pub(crate) use product::{product, Strides};
pub mod tanh;
