//! The fused engine of lives on the CPU: event-driven where there are spikes, with one life at a time on each thread.
//!
//! Its results equal those of `reference.rs` up to rounding. Synapses and their rules are in `projection.rs`.

use super::projection::{Past, Projection};
use super::shuffle::shuffled;
use super::synapse_table::{Rates, MOST_RATES};
use super::{begin, double, draws, single, watched, world_of, Drawn, LifeEngine, LifeRecord, LifeState};
use crate::error::Result;
use crate::model::Synapses;
use crate::setup::LifeSetup;
use crate::worlds::{LifeRow, View, Wiring, WorldState};
use rand::RngExt;
use rayon::prelude::*;
use std::collections::VecDeque;

/// All lives.
pub(super) struct Events {
    setup: LifeSetup,
    bodies: Vec<Body>,
}

impl Events {
    pub fn new(setup: &LifeSetup, states: Vec<LifeState>, record: &LifeRecord) -> Result<Self> {
        let networks = setup.config.life.networks.range();
        let bodies = networks.zip(states).map(|(network, state)| Body::new(setup, network, state, record));
        Ok(Events { bodies: bodies.collect::<Result<_>>()?, setup: setup.clone() })
    }
}

impl LifeEngine for Events {
    fn run(&mut self, first: u64, blocks: u64) -> Result<Vec<Vec<LifeRow>>> {
        let setup = &self.setup;
        let live = |body: &mut Body| {
            body.signals.iter_mut().for_each(Vec::clear);
            (first..first + blocks).map(|block| body.block(setup, block)).collect()
        };
        self.bodies.par_iter_mut().with_max_len(1).map(live).collect()
    }

    fn is_over(&self) -> bool {
        self.bodies.iter().all(|body| body.world.is_over())
    }

    fn states(&self) -> Result<Vec<LifeState>> {
        Ok(self.bodies.iter().map(Body::state).collect())
    }
}

/// One network in its world.
struct Body {
    network: u64,
    world: Box<dyn WorldState>,
    neurons: Vec<Vec<Vec<f32>>>,
    /// The outputs of all neurons at recent steps, newest first, and a spare buffer for the next step.
    outputs: VecDeque<Vec<f32>>,
    /// For each recent step, newest first, the neurons of each population that fired, counted from the population's first
    /// neuron; and spare lists for the next step.
    fired: VecDeque<Vec<Vec<u32>>>,
    projections: Vec<Projection>,
    reward: f64,
    /// The modulators held back by `life.shuffle_seconds`.
    shuffled: Vec<f64>,
    /// The population of each watched neuron, its index there, and its membrane potentials so far.
    watched: Vec<((usize, usize), Vec<f64>)>,
    /// The signals of each step so far, if they are recorded.
    signals: Option<Vec<Vec<f64>>>,
    /// The number of spikes of each neuron in this block.
    counts: Vec<u32>,
    input: Vec<f32>,
    /// The input that outlasts a neuron's own spikes, for populations that also receive input that a spike clears.
    lasting: Vec<f32>,
    uniform: Vec<f32>,
    /// The rates of the population whose synapses are being delivered.
    rates: Box<Rates>,
}

impl Body {
    fn new(setup: &LifeSetup, network: u64, mut state: LifeState, record: &LifeRecord) -> Result<Self> {
        let world = world_of(setup, network, &mut state)?;
        let LifeState { neurons, outputs, synapses, plastic, reward, shuffled, .. } = state;
        let projections = synapses.into_iter().zip(&plastic).enumerate();
        let projections = projections.map(|(k, (synapses, plastic))| Projection::new(setup, k, synapses, plastic));
        let projections = projections.collect();
        let mut outputs: VecDeque<Vec<f32>> = outputs.iter().map(|r| single(r)).collect();
        let fired = outputs.iter().map(|r| {
            let of = |p: usize| fired_in(&r[setup.circuit.populations[p].1.clone()], setup.models[p].spikes());
            (0..setup.models.len()).map(of).collect()
        });
        let mut fired: VecDeque<Vec<Vec<u32>>> = fired.collect();
        fired.push_back(vec![Vec::new(); setup.models.len()]);
        let n = setup.circuit.neurons();
        outputs.push_back(vec![0.0; n]);
        Ok(Body {
            network,
            world,
            neurons: neurons.iter().map(|population| population.iter().map(|v| single(v)).collect()).collect(),
            outputs,
            fired,
            projections,
            reward,
            shuffled,
            watched: watched(setup, record).into_iter().map(|place| (place, Vec::new())).collect(),
            signals: record.signals.then(Vec::new),
            counts: vec![0; n],
            input: vec![0.0; n],
            lasting: vec![0.0; n],
            uniform: vec![0.0; n],
            rates: Box::new([0.0; MOST_RATES + 1]),
        })
    }

    /// Everything on which the next block depends. It is taken between blocks, when all synapses are up to date.
    fn state(&self) -> LifeState {
        let of = |projection: &Projection| {
            let synapses = Synapses { weight: projection.weights(), ..projection.synapses.clone() };
            (synapses, projection.kept())
        };
        let (synapses, plastic) = self.projections.iter().map(of).unzip();
        let newest = self.outputs.iter().take(self.outputs.len() - 1);
        LifeState {
            neurons: self.neurons.iter().map(|population| population.iter().map(|v| double(v)).collect()).collect(),
            outputs: newest.map(|r| double(r)).collect(),
            synapses,
            plastic,
            reward: self.reward,
            shuffled: self.shuffled.clone(),
            world: self.world.state(),
            membranes: self.watched.iter().map(|(_, membrane)| membrane.clone()).collect(),
            trail: self.world.trail().unwrap_or_default().to_vec(),
            signals: self.signals.clone().unwrap_or_default(),
        }
    }

    fn block(&mut self, setup: &LifeSetup, index: u64) -> Result<LifeRow> {
        let steps = setup.world.steps();
        let (mut block, mut drawn) = begin(setup, self.network, index);
        let frozen = block.frozen;
        self.world.begin(&mut block);
        self.counts.fill(0);
        let lived = !self.world.is_over();
        for step in (0..steps).filter(|_| lived) {
            self.step(setup, index * steps as u64 + step as u64, step, frozen, &mut drawn);
        }
        if !frozen && lived {
            self.projections.iter_mut().for_each(|projection| projection.end_block(steps));
        }
        let seconds = setup.block_seconds();
        let mut weights: Vec<Vec<f64>> = self.projections.iter().map(Projection::weights).collect();
        let wiring = setup.circuit.projections.iter().zip(&self.projections).zip(&mut weights);
        let wiring: Vec<Wiring> = wiring
            .map(|(((name, _, _), p), weight)| Wiring { name, pre: &p.synapses.pre, post: &p.synapses.post, weight })
            .collect();
        let view = View { spikes: &self.counts, seconds, wiring: &wiring };
        let figures = self.world.end(&view)?;
        Ok(LifeRow { lived, ..LifeRow::new(self.network, (index + 1) as f64 * seconds, frozen, figures) })
    }

    fn step(&mut self, setup: &LifeSetup, now: u64, step: usize, frozen: bool, drawn: &mut Drawn) {
        self.input.fill(0.0);
        if setup.split.contains(&true) {
            self.lasting.fill(0.0);
        }
        self.world.stimulate(step, &mut self.input);
        let mut past = Past { outputs: &self.outputs, fired: &self.fired, reward: self.reward, now, step, frozen };
        for (k, projection) in self.projections.iter_mut().enumerate() {
            let input = if setup.lasting(k) { &mut self.lasting } else { &mut self.input };
            projection.deliver(&past, input, &mut self.rates);
        }
        self.advance(setup, frozen, drawn);
        self.reward = self.world.observe(step, &self.outputs[0]);
        if !self.world.is_over() {
            self.reward = shuffled(self.reward, &mut self.shuffled, &mut drawn.modulator);
        }
        if !frozen {
            past = Past { outputs: &self.outputs, fired: &self.fired, reward: self.reward, now, step, frozen };
            for projection in &mut self.projections {
                let neurons = &self.neurons;
                let probability = |p: usize| Some(&neurons[p][setup.models[p].probability()?][..]);
                projection.learn(&past, &mut self.rates, probability, || drawn.modulator.random::<bool>());
            }
        }
        if let Some(signals) = &mut self.signals {
            let levels = self.projections.iter().filter_map(Projection::level);
            signals.push(std::iter::once(self.reward).chain(levels).chain(self.world.signals()).collect());
        }
    }

    /// Updates the neurons of all populations.
    fn advance(&mut self, setup: &LifeSetup, frozen: bool, drawn: &mut Drawn) {
        let mut r = self.outputs.pop_back().unwrap_or_default();
        let mut fired = self.fired.pop_back().unwrap_or_default();
        for (p, model) in setup.models.iter().enumerate() {
            let places = setup.circuit.populations[p].1.clone();
            let uniform = match draws(setup, p, frozen) {
                true => &mut self.uniform[places.clone()],
                false => &mut [],
            };
            drawn.noise.fill(uniform);
            let lasting = if setup.split[p] { &self.lasting[places.clone()] } else { &[] };
            let input = &self.input[places.clone()];
            if let Some(fused) = model.fused() {
                fused.advance(&mut self.neurons[p], input, lasting, uniform, &mut r[places.clone()]);
            }
            fired[p].clear();
            if model.spikes() {
                list_fired(&r[places.clone()], &mut fired[p]);
                let counts = &mut self.counts[places];
                fired[p].iter().for_each(|k| counts[*k as usize] += 1);
            }
        }
        for ((p, neuron), membrane) in &mut self.watched {
            let variables: Vec<f64> = self.neurons[*p].iter().map(|values| f64::from(values[*neuron])).collect();
            membrane.extend(setup.models[*p].membrane(&variables));
        }
        self.outputs.push_front(r);
        self.fired.push_front(fired);
    }
}

fn fired_in(r: &[f32], spikes: bool) -> Vec<u32> {
    let mut fired = Vec::new();
    if spikes {
        list_fired(r, &mut fired);
    }
    fired
}

/// Adds the index of every neuron that fired, once for each of its spikes.
fn list_fired(r: &[f32], fired: &mut Vec<u32>) {
    for (chunk, first) in r.chunks(16).zip((0..).step_by(16)) {
        if chunk.iter().fold(0, |any, r| any | r.to_bits()) != 0 {
            let often = |(r, k): (&f32, u32)| std::iter::repeat_n(k, *r as usize);
            fired.extend(chunk.iter().zip(first..).flat_map(often));
        }
    }
}
