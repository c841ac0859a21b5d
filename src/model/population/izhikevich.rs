//! Neurons of Izhikevich (2003).

use super::*;
use crate::papers::IZHIKEVICH_2003;

pub(super) const INFO: ModelInfo = ModelInfo {
    name: "izhikevich",
    summary: "two-variable model of many kinds of spiking (Izhikevich 2003)",
    defaults: defaults::<Izhikevich>,
    papers: &[IZHIKEVICH_2003],
    keys: Key::of::<Izhikevich>,
    build: |table, dt_ms, _| parameters::<Izhikevich>("", table)?.build(dt_ms),
};

/// `izhikevich`: v̇ = 0.04 v² + 5 v + 140 − u + I, u̇ = a (b v − u), in ms and mV; where v ≥ 30 there is a spike, and
/// v ← c, u ← u + d (Izhikevich 2003; 2007). A step lasts 1 ms: v moves by two steps of half of it, then u by one.
///
/// I is the sum of the weights of arriving spikes and of a noise from U(−`noise`, `noise`).
#[derive(Clone, Debug, PartialEq, DocumentedFields, JsonSchema, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Izhikevich {
    /// a, the rate of the recovery u, in 1/ms.
    pub a: f64,
    /// b, how strongly u follows v.
    pub b: f64,
    /// c, the value of v after a spike, in mV.
    pub c: f64,
    /// d, by how much a spike raises u.
    pub d: f64,
    /// The bound of the noise.
    #[schemars(range(min = 0))]
    pub noise: f64,
}

impl Default for Izhikevich {
    /// A regular-spiking neuron, with the noise of Izhikevich (2007).
    fn default() -> Self {
        Izhikevich { a: 0.02, b: 0.2, c: -65.0, d: 8.0, noise: 6.5 }
    }
}

impl Izhikevich {
    pub fn build(self, dt_ms: f64) -> Result<Arc<dyn PopulationModel>> {
        expect(dt_ms == 1.0, "life.dt_ms", dt_ms, "1: this model's equations are for steps of 1 ms")?;
        Ok(Arc::new(self))
    }
}

impl PopulationModel for Izhikevich {
    fn name(&self) -> &str {
        "izhikevich"
    }

    fn variables(&self) -> Vec<&str> {
        vec!["v", "u"]
    }

    fn start(&self) -> Vec<f64> {
        vec![self.c, self.b * self.c]
    }

    fn membrane(&self, variables: &[f64]) -> Option<f64> {
        Some(variables[0])
    }

    fn spikes(&self) -> bool {
        true
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
        let [v, u] = state else { candle_core::bail!("izhikevich: {} variables", state.len()) };
        let input = match uniform {
            Some(uniform) => (input + uniform.affine(2.0 * self.noise, -self.noise)?)?,
            None => input.clone(),
        };
        let half = |v: &Tensor| -> candle_core::Result<Tensor> {
            let moved = ((v.affine(0.04, 5.0)? * v)?.affine(1.0, 140.0)? - u)?;
            v + (moved + &input)?.affine(0.5, 0.0)?
        };
        let v = half(&half(v)?)?;
        let u = (u + (v.affine(self.b, 0.0)? - u)?.affine(self.a, 0.0)?)?;
        let spike = indicator(v.ge(30.0)?, &v)?;
        let u = (u + spike.affine(self.d, 0.0)?)?;
        Ok((vec![choose(&spike, self.c, &v)?, u], spike))
    }

    fn fused(&self) -> Option<&dyn FusedPopulation> {
        Some(self)
    }
}

impl FusedPopulation for Izhikevich {
    fn advance(&self, state: &mut [Vec<f32>], input: &[f32], _: &[f32], uniform: &[f32], r: &mut [f32]) {
        let [v, u] = state else { unreachable!("izhikevich has two variables") };
        Arch::new().dispatch(Advance { model: self, v, u, input, uniform, r });
    }
}

struct Advance<'a> {
    model: &'a Izhikevich,
    v: &'a mut [f32],
    u: &'a mut [f32],
    input: &'a [f32],
    uniform: &'a [f32],
    r: &'a mut [f32],
}

impl WithSimd for Advance<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _simd: S) {
        let Advance { model, v, u, input, uniform, r } = self;
        let (a, b, c, d) = (model.a as f32, model.b as f32, model.c as f32, model.d as f32);
        let (range, low) = ((2.0 * model.noise) as f32, -model.noise as f32);
        let n = r.len();
        let noisy = !uniform.is_empty();
        let (v, u, input) = (&mut v[..n], &mut u[..n], &input[..n]);
        let uniform = if noisy { &uniform[..n] } else { input };
        for i in 0..n {
            let total = if noisy { input[i] + (uniform[i] * range + low) } else { input[i] };
            let mut x = v[i];
            x += 0.5 * ((0.04 * x + 5.0) * x + 140.0 - u[i] + total);
            x += 0.5 * ((0.04 * x + 5.0) * x + 140.0 - u[i] + total);
            let y = u[i] + a * (b * x - u[i]);
            let spike = x >= 30.0;
            v[i] = if spike { c } else { x };
            u[i] = if spike { y + d } else { y };
            r[i] = if spike { 1.0 } else { 0.0 };
        }
    }
}
