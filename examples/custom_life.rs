//! Question: how do I let networks live in my own world, with my own neurons and learning rule? Answer: implement `World`
//! and `WorldState`, `PopulationModel` and `SynapseRule`, and hand them to whatever builds or resumes the life.
//!
//! The world turns on one of two groups of inputs in each block; a neuron should fire for the first group, not for the
//! second. Each of its spikes is rewarded or punished at once. The rule is Δw_ij = η R f_i p_j, with R the reward, f_i a
//! spike and p_j a trace of presynaptic spikes.
//!
//! `cargo run --release --example custom_life`

use candle_core::{Device, Result, Tensor};
use hebbian_rnn::model::Draws;
use hebbian_rnn::rules::{PlasticSynapses, SynapseMoment};
use hebbian_rnn::training::verdicts;
use hebbian_rnn::worlds::{Block, LifeRow, Verdict, View};
use hebbian_rnn::{
    LifeCheckpoint, LifeConfig, LifeSetup, Lives, OwnLife, PopulationModel, SynapseRule, World, WorldState,
};
use rand::RngExt;
use std::ops::Range;
use std::sync::Arc;

/// The description of the world, which all networks share: where its neurons are.
#[derive(Clone)]
struct Groups {
    input: Range<usize>,
    output: usize,
}

impl World for Groups {
    fn name(&self) -> &str {
        "groups"
    }
    /// Steps in a block.
    fn steps(&self) -> usize {
        250
    }
    fn figures(&self) -> Vec<&str> {
        vec!["group", "rate_hz"]
    }
    fn start(&self, _seed: u64, _network: u64) -> Box<dyn WorldState> {
        Box::new(Shown { world: self.clone(), group: 0 })
    }
    fn verdict(&self, rows: &[LifeRow]) -> Verdict {
        let last = &rows[rows.len().saturating_sub(20)..];
        let rate = |group: f64| {
            let rows: Vec<_> = last.iter().filter(|row| row.figures[0] == group).collect();
            rows.iter().map(|row| row.figures[1]).sum::<f64>() / rows.len() as f64
        };
        let (first, second) = (rate(0.0), rate(1.0));
        Verdict::new(Some(first > 10.0 * second), vec![("first_hz", first), ("second_hz", second)])
    }
}

/// The world of one network.
struct Shown {
    world: Groups,
    group: usize,
}

impl WorldState for Shown {
    fn begin(&mut self, block: &mut Block) {
        self.group = block.rng.random_range(0..2);
    }
    /// Sources of population `input` spike at random with the rate that they are given.
    fn stimulate(&mut self, _step: usize, input: &mut [f32]) {
        let half = self.world.input.len() / 2;
        let first = self.world.input.start + self.group * half;
        input[first..first + half].fill(30.0);
    }
    fn observe(&mut self, _step: usize, r: &[f32]) -> f64 {
        let spike = f64::from(r[self.world.output]);
        if self.group == 0 {
            spike
        } else {
            -spike
        }
    }
    fn end(&mut self, view: &View) -> hebbian_rnn::Result<Vec<f64>> {
        let output = self.world.output..self.world.output + 1;
        Ok(vec![self.group as f64, view.rate(&output)])
    }
}

/// Neurons that leak and spike at a threshold of 1, with noise.
struct Leaky {
    decay: f64,
    noise: f64,
}

impl PopulationModel for Leaky {
    fn name(&self) -> &str {
        "leaky"
    }
    fn variables(&self) -> Vec<&str> {
        vec!["u"]
    }
    fn start(&self) -> Vec<f64> {
        vec![0.0]
    }
    fn spikes(&self) -> bool {
        true
    }
    fn draws(&self) -> Draws {
        Draws::Noise
    }
    fn step(
        &self,
        state: &[Tensor],
        input: &Tensor,
        _lasting: Option<&Tensor>,
        uniform: Option<&Tensor>,
    ) -> Result<(Vec<Tensor>, Tensor)> {
        let mut u = ((&state[0] * self.decay)? + input)?;
        if let Some(uniform) = uniform {
            u = (u + (uniform * self.noise)?)?;
        }
        let spike = u.ge(1.0)?.to_dtype(u.dtype())?;
        Ok((vec![(&u - (&u * &spike)?)?], spike))
    }
}

/// The rule and its parameters.
struct RewardedHebb {
    eta: f64,
    decay: f64,
}

impl SynapseRule for RewardedHebb {
    fn name(&self) -> &str {
        "rewarded-hebb"
    }
    /// A trace for each presynaptic neuron, none for postsynaptic ones.
    fn traces(&self) -> (bool, bool) {
        (true, false)
    }
    fn step(&self, synapses: &mut PlasticSynapses, moment: &mut SynapseMoment) -> Result<()> {
        let Some(trace) = &synapses.pre else { return Ok(()) };
        let trace = ((trace * self.decay)? + moment.arrived)?;
        let reward = (synapses.each(moment.rewards)? * self.eta)?;
        synapses.add(&PlasticSynapses::outer(moment.post, &trace)?.broadcast_mul(&reward)?)?;
        synapses.pre = Some(trace);
        Ok(())
    }
}

const NETWORK: &str = r#"
life = { networks = 2, batch = 1, seed = 1, dt_ms = 1.0, seconds = 15.0, frozen_seconds = 0.0, frozen_noise = true,
         checkpoint_every_seconds = 0.0, keep = 1, device = "cpu", dtype = "f32", kernels = "fused" }
world = { name = "groups" }
population = [
    { name = "input", size = 20, neurons = { model = "poisson" } },
    { name = "output", size = 1, neurons = { model = "leaky" } },
]

[[projection]]
from = "input"
to = "output"
connect = { density = 1.0 }
weights = { constant = 0.2 }
w_min = 0.0
w_max = 0.4
delay_ms = 1.0
rule = { name = "rewarded-hebb" }
"#;

fn main() -> hebbian_rnn::Result<()> {
    let own = OwnLife {
        world: Some(Arc::new(|places| {
            let input = places.of("input", |n| n % 2 == 0, "an even number")?;
            let output = places.of("output", |n| n == 1, "1")?.start;
            Ok(Arc::new(Groups { input, output }))
        })),
        neurons: vec![Arc::new(Leaky { decay: 0.95, noise: 0.05 })],
        rules: vec![Arc::new(RewardedHebb { eta: 0.01, decay: 0.9 })],
    };
    let setup = LifeSetup::with(LifeConfig::from_toml(NETWORK)?, own.clone())?;
    let mut lives = Lives::new(setup, &Device::Cpu)?;
    let mut rows = lives.live(30)?;

    // A checkpoint stores only names, so whatever reads it needs the world, the neurons and the rule.
    let bytes = lives.checkpoint()?.to_bytes()?;
    let mut resumed = Lives::resume(&LifeCheckpoint::from_bytes_with(&bytes, own)?, &Device::Cpu)?;

    rows.extend(lives.live(u64::MAX)?);
    for (network, verdict) in verdicts(lives.setup(), &rows)? {
        println!("network {network}: {:?}", verdict.figures);
        assert_eq!(verdict.learnt, Some(true), "did not learn");
    }
    resumed.live(u64::MAX)?;
    let (resumed, unbroken) = (resumed.checkpoint()?.to_bytes()?, lives.checkpoint()?.to_bytes()?);
    assert!(resumed == unbroken, "the resumed life differs");
    Ok(())
}
