//! The action for which actor neurons vote (Frémaux et al. 2013, eqs 29 to 32).

use crate::error::{ensure, Result};
use documented::DocumentedFields;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// a = (1/Z) Σ_k ρ_k a_k, with ρ_k the spikes of neuron k, filtered by γ(t) = (e^(−t/τ_γ) − e^(−t/υ_γ)) / (τ_γ − υ_γ), and Z
/// the number of neurons or the sum of their rates.
#[derive(Clone, Debug, PartialEq, DocumentedFields, JsonSchema, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Actor {
    /// υ_γ, the rise time of the kernel that turns spikes into an action.
    #[schemars(extend("exclusiveMinimum" = 0))]
    pub rise_ms: f64,
    /// τ_γ, the decay time of that kernel.
    #[schemars(extend("exclusiveMinimum" = 0))]
    pub decay_ms: f64,
    /// w₋: the summed inhibitory weights onto a neuron from all neurons.
    pub inhibition: f64,
    /// w₊: the summed excitatory weights onto a neuron from similar neurons.
    pub excitation: f64,
}

impl Actor {
    /// w_kk' between two of `n` neurons with this lateral `coupling`; `sum` is the summed coupling of neuron k with all others.
    pub(super) fn lateral(&self, coupling: f64, sum: f64, n: usize) -> f64 {
        self.inhibition / n as f64 + if sum > 0.0 { self.excitation * coupling / sum } else { 0.0 }
    }
}

/// Traces of both components of the votes and of the spikes, for each group of neurons.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Voting {
    slow: Vec<f64>,
    fast: Vec<f64>,
}

impl Voting {
    /// No votes of any group yet.
    pub fn new(groups: usize) -> Self {
        Voting { slow: vec![0.0; 3 * groups], fast: vec![0.0; 3 * groups] }
    }

    /// Refuses traces of another number of groups.
    pub fn check(&self, groups: usize) -> Result<()> {
        let fits = self.slow.len() == 3 * groups && self.fast.len() == 3 * groups;
        ensure!(fits, Content, "the state of the world: voting does not hold {} numbers twice", 3 * groups);
        Ok(())
    }

    /// A step in which neurons fired `r`; `votes` are those of the neurons of each group.
    pub fn step(&mut self, [slow, fast]: [f64; 2], r: &[f32], votes: &[[f64; 2]]) {
        let groups = r.chunks_exact(votes.len().max(1));
        for ((r, slows), fasts) in groups.zip(self.slow.chunks_exact_mut(3)).zip(self.fast.chunks_exact_mut(3)) {
            let mut sum = [0.0; 3];
            for (_, [x, y]) in r.iter().zip(votes).filter(|(r, _)| **r > 0.0) {
                sum = [sum[0] + x, sum[1] + y, sum[2] + 1.0];
            }
            for k in 0..3 {
                slows[k] = slows[k] * slow + sum[k];
                fasts[k] = fasts[k] * fast + sum[k];
            }
        }
    }

    /// The action, two numbers for each group of `n` neurons.
    pub fn action(&self, actor: &Actor, n: usize, weighs: bool) -> Vec<f64> {
        let groups = self.slow.chunks_exact(3).zip(self.fast.chunks_exact(3));
        let of_group = |(slow, fast): (&[f64], &[f64])| {
            let [x, y, all] = [0, 1, 2].map(|k| 1000.0 * (slow[k] - fast[k]) / (actor.decay_ms - actor.rise_ms));
            let z = if weighs { all } else { n as f64 };
            // Without any spikes there is no vote.
            [x, y].map(|votes| if z > 1e-9 { votes / z } else { 0.0 })
        };
        groups.flat_map(of_group).collect()
    }
}
