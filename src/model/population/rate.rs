//! Rate neurons of a life, with noise on their rates.

use super::*;
use crate::model::tanh;
use crate::papers::HOERZER_2014;

pub(super) const RATE: ModelInfo = ModelInfo {
    name: "rate",
    summary: "leaky rate neuron, r = tanh(x) (Hoerzer et al. 2014)",
    defaults: defaults::<Rate>,
    papers: &[HOERZER_2014],
    keys: Key::of::<Rate>,
    build: |table, dt_ms, _| parameters::<Rate>("", table)?.build(dt_ms),
};

pub(super) const LINEAR: ModelInfo = ModelInfo {
    name: "linear",
    summary: "linear readout that explores (Hoerzer et al. 2014)",
    defaults: defaults::<Linear>,
    papers: &[HOERZER_2014],
    keys: Key::of::<Linear>,
    build: |table, _, _| parameters::<Linear>("", table)?.build(),
};

/// `rate`: x ← x + Δt/τ (−x + I), r = tanh(x) + U(−`noise`, `noise`) (Hoerzer et al. 2014).
#[derive(Clone, Debug, PartialEq, DocumentedFields, JsonSchema, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Rate {
    /// τ, the time constant of x.
    #[schemars(extend("exclusiveMinimum" = 0))]
    pub tau_ms: f64,
    /// The bound of the noise.
    #[schemars(range(min = 0))]
    pub noise: f64,
}

impl Default for Rate {
    /// Hoerzer et al. (2014).
    fn default() -> Self {
        Rate { tau_ms: 50.0, noise: 0.05 }
    }
}

/// `linear`: r = I + U(−`noise`, `noise`): a readout that explores.
#[derive(Clone, Debug, PartialEq, DocumentedFields, JsonSchema, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Linear {
    /// The bound of the noise.
    #[schemars(range(min = 0))]
    pub noise: f64,
}

impl Default for Linear {
    /// Hoerzer et al. (2014).
    fn default() -> Self {
        Linear { noise: 0.5 }
    }
}

struct Model {
    name: &'static str,
    /// Δt/τ.
    leak: f64,
    noise: f64,
    saturates: bool,
}

impl Rate {
    pub fn build(self, dt_ms: f64) -> Result<Arc<dyn PopulationModel>> {
        expect(dt_ms <= self.tau_ms, "tau_ms", self.tau_ms, format!("at least life.dt_ms ({dt_ms})"))?;
        Ok(Arc::new(Model { name: "rate", leak: dt_ms / self.tau_ms, noise: self.noise, saturates: true }))
    }
}

impl Linear {
    pub fn build(self) -> Result<Arc<dyn PopulationModel>> {
        Ok(Arc::new(Model { name: "linear", leak: 1.0, noise: self.noise, saturates: false }))
    }
}

impl PopulationModel for Model {
    fn name(&self) -> &str {
        self.name
    }

    fn variables(&self) -> Vec<&str> {
        vec!["x"]
    }

    fn start(&self) -> Vec<f64> {
        vec![0.0]
    }

    fn spikes(&self) -> bool {
        false
    }

    fn draws(&self) -> Draws {
        if self.noise > 0.0 {
            Draws::Noise
        } else {
            Draws::None
        }
    }

    fn step(
        &self,
        state: &[Tensor],
        input: &Tensor,
        _: Option<&Tensor>,
        uniform: Option<&Tensor>,
    ) -> candle_core::Result<(Vec<Tensor>, Tensor)> {
        let [x] = state else { candle_core::bail!("{}: {} variables", self.name, state.len()) };
        let x = (x + (input - x)?.affine(self.leak, 0.0)?)?;
        let r = if self.saturates { tanh::elementwise(&x)? } else { x.clone() };
        let r = match uniform {
            Some(uniform) => (r + uniform.affine(2.0 * self.noise, -self.noise)?)?,
            None => r,
        };
        Ok((vec![x], r))
    }

    fn fused(&self) -> Option<&dyn FusedPopulation> {
        Some(self)
    }
}

impl FusedPopulation for Model {
    fn advance(&self, state: &mut [Vec<f32>], input: &[f32], _: &[f32], uniform: &[f32], r: &mut [f32]) {
        Arch::new().dispatch(Advance { model: self, x: &mut state[0], input, uniform, r });
    }
}

struct Advance<'a> {
    model: &'a Model,
    x: &'a mut [f32],
    input: &'a [f32],
    uniform: &'a [f32],
    r: &'a mut [f32],
}

impl WithSimd for Advance<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _simd: S) {
        let Advance { model, x, input, uniform, r } = self;
        let leak = model.leak as f32;
        let n = r.len();
        let (x, input) = (&mut x[..n], &input[..n]);
        for i in 0..n {
            x[i] += (input[i] - x[i]) * leak;
        }
        match model.saturates {
            true => {
                for i in 0..n {
                    r[i] = tanh::tanh(x[i]);
                }
            }
            false => r.copy_from_slice(x),
        }
        let (range, low) = ((2.0 * model.noise) as f32, -model.noise as f32);
        for (r, uniform) in r.iter_mut().zip(uniform) {
            *r += uniform * range + low;
        }
    }
}
