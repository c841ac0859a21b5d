//! Spike-response neurons with escape noise.

use super::{choose, indicator, Draws, PopulationModel};
use crate::error::Result;
use crate::ranges::{expect, number, positive};
use candle_core::Tensor;
use serde::{Deserialize, Serialize};

/// `srm0`: u = ε₀/(τ_m − τ_s) Σ w (e^(−s/τ_m) − e^(−s/τ_s)) + χ e^(−ŝ/τ_m), with s the time since each presynaptic spike
/// and ŝ that since the neuron's own last one; a spike in Δt with probability 1 − exp(−Δt ρ₀ exp((u − θ)/Δu))
/// (Frémaux et al. 2013, eqs 18 to 20).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Srm0 {
    /// τ_m, the time constant of the membrane.
    pub tau_ms: f64,
    /// τ_s, the time constant of synaptic input, less than τ_m.
    pub synapse_ms: f64,
    /// ε₀.
    pub epsilon_mv_ms: f64,
    /// χ, the effect of an own spike.
    pub after_spike_mv: f64,
    /// ρ₀, the rate at threshold.
    pub rate_hz: f64,
    /// θ.
    pub threshold_mv: f64,
    /// Δu: smaller is less random.
    pub softness_mv: f64,
    /// Whether an own spike ends the effect of all earlier presynaptic ones.
    pub own_spike_resets: bool,
}

impl Default for Srm0 {
    /// Frémaux et al. (2013).
    fn default() -> Self {
        Srm0 {
            tau_ms: 20.0,
            synapse_ms: 5.0,
            epsilon_mv_ms: 20.0,
            after_spike_mv: -5.0,
            rate_hz: 60.0,
            threshold_mv: 16.0,
            softness_mv: 2.0,
            own_spike_resets: true,
        }
    }
}

struct Model {
    slow: f64,
    fast: f64,
    scale: f64,
    own: Srm0,
    /// Δt ρ₀.
    rate: f64,
}

impl Srm0 {
    pub fn build(self, dt_ms: f64) -> Result<Box<dyn PopulationModel>> {
        positive("synapse_ms", self.synapse_ms)?;
        let expected = format!("above synapse_ms ({})", self.synapse_ms);
        expect(self.tau_ms > self.synapse_ms && self.tau_ms.is_finite(), "tau_ms", self.tau_ms, expected)?;
        number("epsilon_mv_ms", self.epsilon_mv_ms)?;
        number("after_spike_mv", self.after_spike_mv)?;
        positive("rate_hz", self.rate_hz)?;
        number("threshold_mv", self.threshold_mv)?;
        positive("softness_mv", self.softness_mv)?;
        Ok(Box::new(Model {
            slow: libm::exp(-dt_ms / self.tau_ms),
            fast: libm::exp(-dt_ms / self.synapse_ms),
            scale: self.epsilon_mv_ms / (self.tau_ms - self.synapse_ms),
            rate: dt_ms * self.rate_hz / 1000.0,
            own: self,
        }))
    }
}

impl PopulationModel for Model {
    fn name(&self) -> &'static str {
        "srm0"
    }

    fn variables(&self) -> &'static [&'static str] {
        &["slow", "fast", "own", "probability"]
    }

    fn start(&self) -> Vec<f64> {
        vec![0.0; 4]
    }

    fn spikes(&self) -> bool {
        true
    }

    fn probability(&self) -> Option<usize> {
        Some(3)
    }

    fn membrane(&self, variables: &[f64]) -> Option<f64> {
        Some((variables[0] - variables[1]) * self.scale + variables[2])
    }

    fn draws(&self) -> Draws {
        Draws::Spikes
    }

    fn step(
        &self,
        state: &[Tensor],
        input: &Tensor,
        uniform: Option<&Tensor>,
    ) -> candle_core::Result<(Vec<Tensor>, Tensor)> {
        let ([slow, fast, own, _], Some(uniform)) = (state, uniform) else {
            candle_core::bail!("srm0: no random numbers")
        };
        let slow = (slow.affine(self.slow, 0.0)? + input)?;
        let fast = (fast.affine(self.fast, 0.0)? + input)?;
        let own = own.affine(self.slow, 0.0)?;
        let u = ((&slow - &fast)?.affine(self.scale, 0.0)? + &own)?;
        let hazard = u.affine(1.0 / self.own.softness_mv, -self.own.threshold_mv / self.own.softness_mv)?.exp()?;
        let silent = hazard.affine(-self.rate, 0.0)?.exp()?;
        // U < 1 − silent.
        let spike = indicator((uniform + &silent)?.lt(1.0)?, uniform)?;
        let probability = silent.affine(-1.0, 1.0)?;
        let own = choose(&spike, self.own.after_spike_mv, &own)?;
        if !self.own.own_spike_resets {
            return Ok((vec![slow, fast, own, probability], spike));
        }
        Ok((vec![choose(&spike, 0.0, &slow)?, choose(&spike, 0.0, &fast)?, own, probability], spike))
    }

    fn advance(&self, state: &mut [Vec<f32>], input: &[f32], uniform: &[f32], r: &mut [f32]) {
        let [slow, fast, own, probability] = state else { unreachable!("srm0 has four variables") };
        let (rho_slow, rho_fast, scale) = (self.slow as f32, self.fast as f32, self.scale as f32);
        let (steep, shift) =
            (1.0 / self.own.softness_mv as f32, (-self.own.threshold_mv / self.own.softness_mv) as f32);
        for i in 0..r.len() {
            slow[i] = slow[i] * rho_slow + input[i];
            fast[i] = fast[i] * rho_fast + input[i];
            own[i] *= rho_slow;
            let u = (slow[i] - fast[i]) * scale + own[i];
            let silent = libm::expf(-self.rate as f32 * libm::expf(u * steep + shift));
            probability[i] = 1.0 - silent;
            let spike = uniform[i] + silent < 1.0;
            r[i] = if spike { 1.0 } else { 0.0 };
            if spike {
                own[i] = self.own.after_spike_mv as f32;
                if self.own.own_spike_resets {
                    (slow[i], fast[i]) = (0.0, 0.0);
                }
            }
        }
    }
}
