//! Why an engine cannot run a setup.

use std::fmt;

/// Why an engine cannot run a setup on a device.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Refusal {
    /// The obstacle.
    pub concerns: Concern,
    /// The reason, as a sentence without a full stop.
    pub reason: String,
}

/// The kinds of obstacle to an engine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Concern {
    /// The device: the engine does not run on it.
    Device,
    /// `train.kernels`, which asks for another engine.
    Kernels,
    /// A setting or a part of the setup that the engine does not support.
    Setup,
}

impl Refusal {
    pub(super) fn new(concerns: Concern, reason: impl Into<String>) -> Self {
        Refusal { concerns, reason: reason.into() }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.reason)
    }
}
