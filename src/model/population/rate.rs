//! Rate neurons of a life, with noise on their rates.

use super::{Draws, PopulationModel};
use crate::error::Result;
use crate::model::tanh;
use crate::ranges::{expect, not_negative, positive};
use candle_core::Tensor;
use pulp::{Arch, Simd, WithSimd};
use serde::{Deserialize, Serialize};

/// `rate`: x ← x + Δt/τ (−x + I), r = tanh(x) + U(−`noise`, `noise`) (Hoerzer et al. 2014).
///
