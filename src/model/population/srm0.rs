//! Spike-response neurons with escape noise.

use super::*;
use crate::model::exp2::exp2;
use crate::papers::FREMAUX_2013;
use std::f64::consts::LOG2_E;

pub(super) const INFO: ModelInfo = ModelInfo {
    name: "srm0",
    summary: "spike response model with escape noise (Frémaux et al. 2013)",
    defaults: defaults::<Srm0>,
    papers: &[FREMAUX_2013],
    keys: Key::of::<Srm0>,
    build: |table, dt_ms, split| parameters::<Srm0>("", table)?.build(dt_ms, split),
};

/// `srm0`: u = ε₀/(τ_m − τ_s) Σ w (e^(−s/τ_m) − e^(−s/τ_s)) + χ e^(−ŝ/τ_m), with s the time since each presynaptic spike
/// and ŝ that since the neuron's own last one; a spike in Δt with probability 1 − exp(−Δt ρ₀ exp((u − θ)/Δu))
/// (Frémaux et al. 2013, eqs 18 to 20).
#[derive(Clone, Debug, PartialEq, DocumentedFields, JsonSchema, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Srm0 {
    /// τ_m, the time constant of the membrane.
    #[schemars(extend("exclusiveMinimum" = 0))]
    pub tau_ms: f64,
    /// τ_s, the time constant of synaptic input, less than τ_m.
    #[schemars(extend("exclusiveMinimum" = 0))]
    pub synapse_ms: f64,
    /// ε₀, the area of a postsynaptic potential for a weight of 1.
    pub epsilon_mv_ms: f64,
    /// χ, the effect of the neuron's own spike on its potential.
    pub after_spike_mv: f64,
    /// ρ₀, the rate at threshold.
    #[schemars(extend("exclusiveMinimum" = 0))]
    pub rate_hz: f64,
    /// θ, the threshold.
    pub threshold_mv: f64,
    /// Δu, the softness of the threshold: smaller is less random.
    #[schemars(extend("exclusiveMinimum" = 0))]
    pub softness_mv: f64,
    /// Whether the neuron's own spike ends the effect of all earlier presynaptic spikes; a projection can override
    /// this.
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
    /// Whether some of its input outlasts its spikes, and some does not.
    split: bool,
}

impl Srm0 {
    /// `split`: whether some projections differ from the others in what own spikes do to their input.
    pub fn build(self, dt_ms: f64, split: bool) -> Result<Arc<dyn PopulationModel>> {
        let expected = format!("above synapse_ms ({})", self.synapse_ms);
        expect(self.tau_ms > self.synapse_ms, "tau_ms", self.tau_ms, expected)?;
        Ok(Arc::new(Model {
            slow: libm::exp(-dt_ms / self.tau_ms),
            fast: libm::exp(-dt_ms / self.synapse_ms),
            scale: self.epsilon_mv_ms / (self.tau_ms - self.synapse_ms),
            rate: dt_ms * self.rate_hz / 1000.0,
            own: self,
            split,
        }))
    }
}

impl Model {
    /// Whether own spikes end the effect of `input`; never that of `lasting`.
    fn resets(&self) -> bool {
        self.split || self.own.own_spike_resets
    }
}

impl PopulationModel for Model {
    fn name(&self) -> &str {
        "srm0"
    }

    fn variables(&self) -> Vec<&str> {
        let mut variables = vec!["slow", "fast", "own", "probability"];
        if self.split {
            variables.extend(["lasting_slow", "lasting_fast"]);
        }
        variables
    }

    fn start(&self) -> Vec<f64> {
        vec![0.0; self.variables().len()]
    }

    fn spikes(&self) -> bool {
        true
    }

    fn probability(&self) -> Option<usize> {
        Some(3)
    }

    fn own_spike_resets(&self) -> Option<bool> {
        Some(self.own.own_spike_resets)
    }

    fn membrane(&self, variables: &[f64]) -> Option<f64> {
        let lasting = if self.split { variables[4] - variables[5] } else { 0.0 };
        Some((variables[0] - variables[1] + lasting) * self.scale + variables[2])
    }

    fn draws(&self) -> Draws {
        Draws::Spikes
    }

    fn step(
        &self,
        state: &[Tensor],
        input: &Tensor,
        lasting: Option<&Tensor>,
        uniform: Option<&Tensor>,
    ) -> candle_core::Result<(Vec<Tensor>, Tensor)> {
        let ([slow, fast, own, _, outlasting @ ..], Some(uniform)) = (state, uniform) else {
            candle_core::bail!("srm0: no random numbers")
        };
        let slow = (slow.affine(self.slow, 0.0)? + input)?;
        let fast = (fast.affine(self.fast, 0.0)? + input)?;
        let own = own.affine(self.slow, 0.0)?;
        let mut difference = (&slow - &fast)?;
        let outlasting = match (outlasting, lasting) {
            ([slow, fast], Some(input)) => {
                let (slow, fast) = ((slow.affine(self.slow, 0.0)? + input)?, (fast.affine(self.fast, 0.0)? + input)?);
                difference = (difference + (&slow - &fast)?)?;
                vec![slow, fast]
            }
            _ => Vec::new(),
        };
        let u = (difference.affine(self.scale, 0.0)? + &own)?;
        let hazard = u.affine(1.0 / self.own.softness_mv, -self.own.threshold_mv / self.own.softness_mv)?.exp()?;
        let silent = hazard.affine(-self.rate, 0.0)?.exp()?;
        // U < 1 − silent.
        let spike = indicator((uniform + &silent)?.lt(1.0)?, uniform)?;
        let probability = silent.affine(-1.0, 1.0)?;
        let own = choose(&spike, self.own.after_spike_mv, &own)?;
        let mut state = match self.resets() {
            true => vec![choose(&spike, 0.0, &slow)?, choose(&spike, 0.0, &fast)?, own, probability],
            false => vec![slow, fast, own, probability],
        };
        state.extend(outlasting);
        Ok((state, spike))
    }

    fn fused(&self) -> Option<&dyn FusedPopulation> {
        Some(self)
    }
}

impl FusedPopulation for Model {
    fn advance(&self, state: &mut [Vec<f32>], input: &[f32], lasting: &[f32], uniform: &[f32], r: &mut [f32]) {
        Arch::new().dispatch(Advance { model: self, state, input, lasting, uniform, r });
    }
}

struct Advance<'a> {
    model: &'a Model,
    state: &'a mut [Vec<f32>],
    input: &'a [f32],
    lasting: &'a [f32],
    uniform: &'a [f32],
    r: &'a mut [f32],
}

impl WithSimd for Advance<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _simd: S) {
        let Advance { model: m, state, input, lasting, uniform, r } = self;
        let [slow, fast, own, probability, outlasting @ ..] = state else { unreachable!("srm0 has four variables") };
        let (rho_slow, rho_fast, scale) = (m.slow as f32, m.fast as f32, m.scale as f32);
        // silent = e^(−λ) with λ = e^(u/Δu − θ/Δu) Δt ρ₀, in powers of 2.
        let rate = (m.rate * LOG2_E) as f32;
        let steep = (LOG2_E / m.own.softness_mv) as f32;
        let (shift, after) = ((-LOG2_E * m.own.threshold_mv / m.own.softness_mv) as f32, m.own.after_spike_mv as f32);
        let n = r.len();
        let (slow, fast, own) = (&mut slow[..n], &mut fast[..n], &mut own[..n]);
        let (probability, input, uniform) = (&mut probability[..n], &input[..n], &uniform[..n]);
        // The place of `probability` holds the lasting part of the potential until it is known.
        match outlasting {
            [slow, fast] => {
                let (slow, fast, lasting) = (&mut slow[..n], &mut fast[..n], &lasting[..n]);
                for i in 0..n {
                    slow[i] = slow[i] * rho_slow + lasting[i];
                    fast[i] = fast[i] * rho_fast + lasting[i];
                    probability[i] = slow[i] - fast[i];
                }
            }
            _ => probability.fill(0.0),
        }
        let keeps = if m.resets() { 0.0 } else { 1.0 };
        for i in 0..n {
            let (a, b) = (slow[i] * rho_slow + input[i], fast[i] * rho_fast + input[i]);
            let own_effect = own[i] * rho_slow;
            let u = (a - b + probability[i]) * scale + own_effect;
            let silent = exp2(-rate * exp2(u * steep + shift));
            probability[i] = 1.0 - silent;
            let spike = uniform[i] + silent < 1.0;
            let kept = if spike { keeps } else { 1.0 };
            r[i] = if spike { 1.0 } else { 0.0 };
            own[i] = if spike { after } else { own_effect };
            (slow[i], fast[i]) = (a * kept, b * kept);
        }
    }
}
