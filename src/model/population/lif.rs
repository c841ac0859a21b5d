//! Leaky integrate-and-fire neurons, with instantaneous or exponential synapses and an adapting threshold.

use super::*;
use crate::papers::FLORIAN_2007;

pub(super) const INFO: ModelInfo = ModelInfo {
    name: "lif",
    summary: "leaky integrate-and-fire (Florian 2007)",
    defaults: defaults::<Lif>,
    papers: &[FLORIAN_2007],
    keys: Key::of::<Lif>,
    build: |table, dt_ms, _| parameters::<Lif>("", table)?.build(dt_ms),
};

/// `lif`: u ← rest + (u − rest) e^(−Δt/τ) + I; a spike where u > θ, after which u is at `reset_mv` for the refractory
/// time (Florian 2007, eq. 4.1).
///
/// With `synapse_ms` = 0 the input I is the sum of the weights of arriving spikes, in mV. Otherwise each spike's effect
/// decays with that time constant: s ← s e^(−Δt/τ_s) + Σ w, and I = (1 − e^(−Δt/τ)) s.
///
/// With `adaptation_mv` above 0 the threshold is θ + β a, where a grows by 1 with each of the neuron's spikes and decays
/// with τ_a (Bellec et al. 2020).
#[derive(Clone, Debug, PartialEq, DocumentedFields, JsonSchema, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Lif {
    /// τ, the time constant of the membrane.
    #[schemars(extend("exclusiveMinimum" = 0))]
    pub tau_ms: f64,
    /// The potential without input.
    pub rest_mv: f64,
    /// The potential after a spike.
    pub reset_mv: f64,
    /// θ, the threshold.
    pub threshold_mv: f64,
    /// The time after a spike in which the potential stays at `reset_mv`.
    #[schemars(range(min = 0))]
    pub refractory_ms: f64,
    /// τ_s, the time constant of synaptic input; 0: it is instantaneous.
    #[schemars(range(min = 0))]
    pub synapse_ms: f64,
    /// τ_a, the time constant of adaptation.
    #[schemars(extend("exclusiveMinimum" = 0))]
    pub adaptation_ms: f64,
    /// β, by how much a spike raises the threshold.
    pub adaptation_mv: f64,
}

impl Default for Lif {
    /// Florian (2007).
    fn default() -> Self {
        Lif {
            tau_ms: 20.0,
            rest_mv: -70.0,
            reset_mv: -70.0,
            threshold_mv: -54.0,
            refractory_ms: 0.0,
            synapse_ms: 0.0,
            adaptation_ms: 200.0,
            adaptation_mv: 0.0,
        }
    }
}

/// The parameters in steps.
struct Model {
    rest: f64,
    reset: f64,
    threshold: f64,
    /// e^(−Δt/τ), e^(−Δt/τ_s), e^(−Δt/τ_a).
    leak: f64,
    synapse: f64,
    adaptation: f64,
    /// How synaptic input acts on u: as I, or as (1 − leak) s.
    gain: f64,
    refractory: f64,
    raise: f64,
}

impl Lif {
    pub fn build(self, dt_ms: f64) -> Result<Arc<dyn PopulationModel>> {
        let Lif { tau_ms, rest_mv, reset_mv, threshold_mv, refractory_ms, synapse_ms, .. } = self;
        expect(reset_mv <= threshold_mv, "reset_mv", reset_mv, format!("at most threshold_mv ({threshold_mv})"))?;
        let decay = |tau: f64| libm::exp(-dt_ms / tau);
        let instant = synapse_ms == 0.0;
        Ok(Arc::new(Model {
            rest: rest_mv,
            reset: reset_mv,
            threshold: threshold_mv,
            leak: decay(tau_ms),
            synapse: if instant { 0.0 } else { decay(synapse_ms) },
            adaptation: decay(self.adaptation_ms),
            gain: if instant { 1.0 } else { 1.0 - decay(tau_ms) },
            refractory: (refractory_ms / dt_ms).round(),
            raise: self.adaptation_mv,
        }))
    }
}

impl PopulationModel for Model {
    fn name(&self) -> &str {
        "lif"
    }

    fn variables(&self) -> Vec<&str> {
        vec!["u", "s", "refractory", "a"]
    }

    fn start(&self) -> Vec<f64> {
        vec![self.rest, 0.0, 0.0, 0.0]
    }

    fn membrane(&self, variables: &[f64]) -> Option<f64> {
        Some(variables[0])
    }

    fn spikes(&self) -> bool {
        true
    }

    fn step(
        &self,
        state: &[Tensor],
        input: &Tensor,
        _: Option<&Tensor>,
        _: Option<&Tensor>,
    ) -> candle_core::Result<(Vec<Tensor>, Tensor)> {
        let [u, s, resting, a] = state else { candle_core::bail!("lif: {} variables", state.len()) };
        let s = (s.affine(self.synapse, 0.0)? + input)?;
        let u = (u.affine(self.leak, self.rest * (1.0 - self.leak))? + s.affine(self.gain, 0.0)?)?;
        let held = indicator(resting.gt(0.0)?, &u)?;
        let above = indicator(u.gt(&a.affine(self.raise, self.threshold)?)?, &u)?;
        let spike = (above * held.affine(-1.0, 1.0)?)?;
        let u = choose(&(&held + &spike)?, self.reset, &u)?;
        let resting = choose(&spike, self.refractory, &(resting - &held)?)?;
        let a = (a.affine(self.adaptation, 0.0)? + &spike)?;
        Ok((vec![u, s, resting, a], spike))
    }

    fn fused(&self) -> Option<&dyn FusedPopulation> {
        Some(self)
    }
}

impl FusedPopulation for Model {
    fn advance(&self, state: &mut [Vec<f32>], input: &[f32], _: &[f32], _: &[f32], r: &mut [f32]) {
        let [u, s, resting, a] = state else { unreachable!("lif has four variables") };
        Arch::new().dispatch(Advance { model: self, u, s, resting, a, input, r });
    }
}

struct Advance<'a> {
    model: &'a Model,
    u: &'a mut [f32],
    s: &'a mut [f32],
    resting: &'a mut [f32],
    a: &'a mut [f32],
    input: &'a [f32],
    r: &'a mut [f32],
}

impl WithSimd for Advance<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _simd: S) {
        let Advance { model: m, u, s, resting, a, input, r } = self;
        let (leak, synapse, gain) = (m.leak as f32, m.synapse as f32, m.gain as f32);
        let drift = (m.rest * (1.0 - m.leak)) as f32;
        let (reset, threshold) = (m.reset as f32, m.threshold as f32);
        let (raise, adaptation, refractory) = (m.raise as f32, m.adaptation as f32, m.refractory as f32);
        let n = r.len();
        let (u, s, resting, a, input) = (&mut u[..n], &mut s[..n], &mut resting[..n], &mut a[..n], &input[..n]);
        for i in 0..n {
            s[i] = s[i] * synapse + input[i];
            let moved = u[i] * leak + drift + s[i] * gain;
            let held = resting[i] > 0.0;
            let spike = !held & (moved > a[i] * raise + threshold);
            u[i] = if held | spike { reset } else { moved };
            resting[i] = if spike {
                refractory
            } else if held {
                resting[i] - 1.0
            } else {
                resting[i]
            };
            r[i] = if spike { 1.0 } else { 0.0 };
            a[i] = a[i] * adaptation + r[i];
        }
    }
}
