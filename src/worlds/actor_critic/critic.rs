//! The value that critic neurons predict, and how it changes (Frémaux et al. 2013, eqs 12 to 16).

use documented::DocumentedFields;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// V = ν ρ̄ + V₀, with ρ̄ the mean rate of the neurons: their spikes, filtered by
/// κ(t) = (e^(−t/τ_κ) − e^(−t/υ_κ)) / (τ_κ − υ_κ).
#[derive(Clone, Debug, PartialEq, DocumentedFields, JsonSchema, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Critic {
    /// Whether networks learn from the prediction error; if not, they learn from the reward itself.
    pub predicts: bool,
    /// ν, the value of a spike rate of 1 Hz, in units of reward and seconds.
    pub gain_s: f64,
    /// V₀, the value when all critic neurons are silent.
    pub offset: f64,
    /// υ_κ, the rise time of the kernel that turns spikes into a rate.
    #[schemars(extend("exclusiveMinimum" = 0))]
    pub rise_ms: f64,
    /// τ_κ, the decay time of that kernel.
    #[schemars(extend("exclusiveMinimum" = 0))]
    pub decay_ms: f64,
    /// τ_r: reward this far in the future counts 1/e.
    #[schemars(extend("exclusiveMinimum" = 0))]
    pub horizon_s: f64,
}

/// The multiplier of learning rates at a mean reward of `mean` per second: eq. 37, max(10/(1 + 1.5 e^(r̄/7)), 1.25), divided by
/// its smallest value.
pub(super) fn rate_at(mean: f64) -> f64 {
    (8.0 / (1.0 + 1.5 * libm::exp(mean / 7.0))).max(1.0)
}

/// Traces of the spikes of all critic neurons, and the value at the end of the last trial.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Prediction {
    slow: f64,
    fast: f64,
    last: f64,
}

impl Prediction {
    /// A step with this many spikes.
    pub fn step(&mut self, [slow, fast]: [f64; 2], spikes: f64) {
        self.slow = self.slow * slow + spikes;
        self.fast = self.fast * fast + spikes;
        self.last *= slow;
    }

    /// Ends a trial: from now on the value decays to 0 with τ_κ, whatever the neurons do. If the trial only ran out of
    /// time, more reward could still have come, so its value is dropped without an error.
    pub fn end(&mut self, critic: &Critic, neurons: usize, by_time: bool) {
        self.last = if by_time { 0.0 } else { self.value(critic, neurons, false).0 };
    }

    /// V, and its change per ms.
    pub fn value(&self, critic: &Critic, neurons: usize, pausing: bool) -> (f64, f64) {
        let Critic { rise_ms, decay_ms, .. } = critic;
        if pausing {
            return (self.last, -self.last / decay_ms);
        }
        let per_spike = 1000.0 * critic.gain_s / neurons as f64 / (decay_ms - rise_ms);
        let (value, slope) = (self.slow - self.fast, self.fast / rise_ms - self.slow / decay_ms);
        (value * per_spike + critic.offset, slope * per_spike)
    }
}
