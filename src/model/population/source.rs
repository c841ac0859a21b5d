//! Populations whose spikes come from the world.

use super::*;

pub(super) const INPUT: ModelInfo = ModelInfo {
    name: "input",
    summary: "spikes or rates given by the world",
    defaults: Table::new,
    papers: &[],
    keys: Vec::new,
    build: |table, dt_ms, _| build("input", table, dt_ms),
};

pub(super) const POISSON: ModelInfo = ModelInfo {
    name: "poisson",
    summary: "random spikes at rates set by the world",
    defaults: Table::new,
    papers: &[],
    keys: Vec::new,
    build: |table, dt_ms, _| build("poisson", table, dt_ms),
};

/// `input`: r is what the world gives, such as spikes (0, 1, or several in a step) at given times. `poisson`: the world gives rates in Hz,
/// and a neuron spikes in Δt with probability rate · Δt.
struct Source {
    /// Δt in seconds for Poisson spikes, else `None`.
    dt_s: Option<f64>,
}

fn build(name: &str, parameters: Table, dt_ms: f64) -> Result<Arc<dyn PopulationModel>> {
    let given: Vec<&str> = parameters.keys().map(String::as_str).collect();
    ensure!(given.is_empty(), Usage, "model `{name}` has no parameters; found {}", given.join(", "));
    Ok(Arc::new(Source { dt_s: (name == "poisson").then_some(dt_ms / 1000.0) }))
}

impl PopulationModel for Source {
    fn name(&self) -> &str {
        if self.dt_s.is_some() {
            "poisson"
        } else {
            "input"
        }
    }

    fn variables(&self) -> Vec<&str> {
        vec![]
    }

    fn start(&self) -> Vec<f64> {
        Vec::new()
    }

    fn spikes(&self) -> bool {
        true
    }

    fn most_spikes(&self) -> u32 {
        if self.dt_s.is_some() {
            1
        } else {
            MOST_SPIKES
        }
    }

    fn draws(&self) -> Draws {
        if self.dt_s.is_some() {
            Draws::Spikes
        } else {
            Draws::None
        }
    }

    fn step(
        &self,
        _: &[Tensor],
        input: &Tensor,
        _: Option<&Tensor>,
        uniform: Option<&Tensor>,
    ) -> candle_core::Result<(Vec<Tensor>, Tensor)> {
        let r = match (self.dt_s, uniform) {
            (Some(dt_s), Some(uniform)) => indicator(uniform.lt(&input.affine(dt_s, 0.0)?)?, input)?,
            _ => input.clone(),
        };
        Ok((Vec::new(), r))
    }

    fn fused(&self) -> Option<&dyn FusedPopulation> {
        Some(self)
    }
}

impl FusedPopulation for Source {
    fn advance(&self, _: &mut [Vec<f32>], input: &[f32], _: &[f32], uniform: &[f32], r: &mut [f32]) {
        match self.dt_s {
            None => r.copy_from_slice(input),
            Some(dt_s) => {
                for i in 0..r.len() {
                    r[i] = if uniform[i] < input[i] * dt_s as f32 { 1.0 } else { 0.0 };
                }
            }
        }
    }
}
