//! The fused engine of lives on the CPU: event-driven where there are spikes, one life at a time on each thread.
//!
//! It computes what `reference.rs` computes, within rounding. A synapse is touched when its pre- or postsynaptic neuron
//! fires; what happened to it in the meantime is a sum over past third factors (see [`Pending`]).

use super::escape_table::EscapeTable;
use super::spike_pairs::{deliver, Pairs};
use super::synapse_table::{Pending, RateTable, Rates, SpikeTable, Traces, MOST_RATES};
use super::whole_table::{WholePairs, WholeTable};
use super::{begin, draws, watched, world_of, Drawn, LifeEngine, LifeState, PlasticState};
use crate::error::Result;
use crate::model::Synapses;
use crate::presets::LifeSetup;
use crate::rules::{EscapeRate, Exploratory, PairRule, SynapseRule};
use crate::worlds::{LifeRow, View, Wiring, World};
use rand::RngExt;
use rayon::prelude::*;
use std::collections::VecDeque;

/// All lives.
pub(super) struct Events {
    setup: LifeSetup,
    bodies: Vec<Body>,
}

impl Events {
    pub fn new(setup: &LifeSetup, states: Vec<LifeState>) -> Result<Self> {
        let networks = setup.config.life.networks.range();
        let bodies = networks.zip(states).map(|(network, state)| Body::new(setup, network, state));
        Ok(Events { bodies: bodies.collect::<Result<_>>()?, setup: setup.clone() })
    }
}

impl LifeEngine for Events {
    fn run(&mut self, first: u64, blocks: u64) -> Result<Vec<Vec<LifeRow>>> {
        let setup = &self.setup;
        let live = |body: &mut Body| (first..first + blocks).map(|block| body.block(setup, block)).collect();
        Ok(self.bodies.par_iter_mut().with_max_len(1).map(live).collect())
    }

    fn states(&self) -> Result<Vec<LifeState>> {
        Ok(self.bodies.iter().map(Body::state).collect())
    }
}

/// One network in its world.
struct Body {
    network: u64,
    world: Box<dyn World>,
    neurons: Vec<Vec<Vec<f32>>>,
    /// The outputs of all neurons, the newest first, and a spare one for the next step.
    outputs: VecDeque<Vec<f32>>,
    /// The neurons of each population that fired, counted from its first; by step, the newest first.
    fired: VecDeque<Vec<Vec<u32>>>,
    projections: Vec<Projection>,
    reward: f64,
    /// The population and place of each watched neuron, and its membrane potentials so far.
    watched: Vec<((usize, usize), Vec<f64>)>,
    /// Spikes of each neuron in this block.
    counts: Vec<u32>,
    input: Vec<f32>,
    uniform: Vec<f32>,
    /// The rates of the population whose synapses are being delivered.
    rates: Box<Rates>,
}

struct Projection {
    synapses: Synapses,
    table: Table,
    rule: Rule,
}

/// The synapses of a projection, with what its spikes leave behind.
#[allow(clippy::large_enum_variant)] // A life has a handful of them.
enum Table {
    Fixed(SpikeTable),
    Sparse { table: SpikeTable, pending: Pending, pre: Traces, post: Traces },
    Whole(WholeTable),
    Escape(EscapeTable),
    Rates(RateTable),
}

/// The rule of a projection with its state.
enum Rule {
    Fixed,
    Pair { rule: PairRule, dopamine: f64 },
    Escape { rule: EscapeRate, level: f64 },
    Exploratory { rule: Exploratory, bounds: (f32, f32), post: Vec<f32>, mean_reward: f64 },
}

fn single(values: &[f64]) -> Vec<f32> {
    values.iter().map(|v| *v as f32).collect()
}

fn double(values: &[f32]) -> Vec<f64> {
    values.iter().map(|v| f64::from(*v)).collect()
}

impl Body {
    fn new(setup: &LifeSetup, network: u64, mut state: LifeState) -> Result<Self> {
        let world = world_of(setup, network, &mut state)?;
        let LifeState { neurons, outputs, synapses, plastic, reward, .. } = state;
        let projections = synapses.into_iter().zip(plastic).enumerate().map(|(k, (synapses, plastic))| {
            let (from, to) = setup.circuit.ends(k);
            let limits = &setup.config.projections[k];
            let bounds = (limits.w_min, limits.w_max);
            let level = plastic.level.first().copied().unwrap_or_default();
            let rule = match setup.rules[k] {
                None => Rule::Fixed,
                Some(SynapseRule::Pair(rule)) => Rule::Pair { rule, dopamine: level },
                Some(SynapseRule::EscapeRate(rule)) => Rule::Escape { rule, level },
                Some(SynapseRule::Exploratory(rule)) => Rule::Exploratory {
                    rule,
                    bounds: (bounds.0 as f32, bounds.1 as f32),
                    post: single(&plastic.post),
                    mean_reward: level,
                },
            };
            let sizes = (from.len(), to.len());
            let eligibility = plastic.synaptic.first().map_or(&[][..], |z| z);
            let spikes = |plastic_weights| SpikeTable::new(&synapses, eligibility, sizes, plastic_weights);
            let table = match &rule {
                _ if !setup.models[setup.circuit.projections[k].1].spikes() => {
                    Table::Rates(RateTable::new(&synapses, eligibility, to.len()))
                }
                Rule::Pair { rule, .. } => match WholeTable::new(&synapses, &plastic, sizes, bounds) {
                    Some(whole) => Table::Whole(whole),
                    None => Table::Sparse {
                        table: spikes(true),
                        pending: Pending::new(rule, bounds),
                        pre: Traces::new(&plastic.pre, rule.pre_decay, rule.accumulates),
                        post: Traces::new(&plastic.post, rule.post_decay, rule.accumulates),
                    },
                },
                Rule::Escape { .. } => Table::Escape(EscapeTable::new(&synapses, &plastic, sizes, bounds)),
                Rule::Fixed | Rule::Exploratory { .. } => Table::Fixed(spikes(false)),
            };
            Projection { synapses, table, rule }
        });
        let projections = projections.collect();
        let mut outputs: VecDeque<Vec<f32>> = outputs.iter().map(|r| single(r)).collect();
        let fired = outputs.iter().map(|r| {
            let of = |p: usize| fired_in(&r[setup.circuit.populations[p].1.clone()], setup.models[p].spikes());
            (0..setup.models.len()).map(of).collect()
        });
        let fired = fired.collect();
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
            watched: watched(setup).into_iter().map(|place| (place, Vec::new())).collect(),
            counts: vec![0; n],
            input: vec![0.0; n],
            uniform: vec![0.0; n],
            rates: Box::new([0.0; MOST_RATES + 1]),
        })
    }

    /// Everything that the next block needs. Between blocks, all synapses are up to date.
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
            world: self.world.state(),
            membranes: self.watched.iter().map(|(_, membrane)| membrane.clone()).collect(),
        }
    }

    fn block(&mut self, setup: &LifeSetup, index: u64) -> LifeRow {
        let steps = self.world.steps();
        let (mut block, mut drawn) = begin(setup, self.network, index, steps);
        let frozen = block.frozen;
        self.world.begin(&mut block);
        self.counts.fill(0);
        for step in 0..steps {
            self.step(setup, index * steps as u64 + step as u64, step, frozen, &mut drawn);
        }
        for projection in &mut self.projections {
            match &mut projection.table {
                Table::Sparse { table, pending, pre, post } => {
                    pending.catch_up(table);
                    pre.end_block(steps as u32);
                    post.end_block(steps as u32);
                }
                Table::Whole(table) => table.end_block(),
                Table::Fixed(_) | Table::Escape(_) | Table::Rates(_) => (),
            }
        }
        let seconds = steps as f64 * setup.config.life.dt_ms / 1000.0;
        let mut weights: Vec<Vec<f64>> = self.projections.iter().map(Projection::weights).collect();
        let wiring = setup.circuit.projections.iter().zip(&self.projections).zip(&mut weights);
        let wiring: Vec<Wiring> = wiring
            .map(|(((name, _, _), p), weight)| Wiring { name, pre: &p.synapses.pre, post: &p.synapses.post, weight })
            .collect();
        let view = View { spikes: &self.counts, seconds, wiring: &wiring };
        LifeRow::new(self.network, (index + 1) as f64 * seconds, frozen, self.world.end(&view))
    }

    fn step(&mut self, setup: &LifeSetup, now: u64, step: usize, frozen: bool, drawn: &mut Drawn) {
        self.input.fill(0.0);
        self.world.stimulate(step, &mut self.input);
        for (k, projection) in self.projections.iter_mut().enumerate() {
            let (_, from, to) = setup.circuit.projections[k];
            let (pre, post) = setup.circuit.ends(k);
            let arriving = setup.delays[k] - 1;
            let input = &mut self.input[post.clone()];
            let r = &self.outputs[0];
            let (fired_pre, fired_post) = (&self.fired[0][from][..], &self.fired[0][to][..]);
            let third = match &mut projection.rule {
                Rule::Pair { rule, dopamine } if !frozen => {
                    let due = (now + 1).is_multiple_of(rule.period);
                    Some((&*rule, rule.gate(dopamine, self.reward), due))
                }
                _ => None,
            };
            match (&mut projection.table, third) {
                (Table::Whole(table), third) => {
                    table.deliver(&self.fired[arriving][from], input);
                    if let Some((rule, gate, due)) = third {
                        let (pre, post) = ((&r[pre], fired_pre), (&r[post], fired_post));
                        table.apply(&WholePairs { rule, gate, due, pre, post });
                    }
                }
                (Table::Sparse { table, pending, pre: p, post: q }, Some((rule, gate, due))) => {
                    let late = arriving > 0;
                    if late {
                        deliver(table, Some(pending), &self.fired[arriving][from], input);
                    }
                    let pairs = Pairs { rule, gate: gate as f32, step: step as u32 + 1, pre: &r[pre], post: &r[post] };
                    pairs.apply(table, pending, (p, q), (fired_pre, fired_post), (!late).then_some(input));
                    if rule.eligibility.is_some() && due {
                        pending.end_period(gate, table);
                    }
                }
                (Table::Sparse { table, .. } | Table::Fixed(table), _) => {
                    deliver(table, None, &self.fired[arriving][from], input)
                }
                (Table::Escape(table), _) => table.deliver(&self.fired[arriving][from], input),
                (Table::Rates(table), _) => {
                    let r = &self.outputs[arriving][pre];
                    self.rates[..r.len()].copy_from_slice(r);
                    table.deliver(&self.rates, input);
                }
            }
        }
        self.advance(setup, frozen, drawn);
        self.reward = self.world.observe(step, &self.outputs[0]);
        if frozen {
            return;
        }
        for (k, projection) in self.projections.iter_mut().enumerate() {
            let (pre, post) = setup.circuit.ends(k);
            let (x, f) = (&self.outputs[setup.delays[k]][pre], &self.outputs[0][post]);
            match (&mut projection.table, &mut projection.rule) {
                (Table::Rates(table), rule @ Rule::Exploratory { .. }) => {
                    self.rates[..x.len()].copy_from_slice(x);
                    let coin = || drawn.coin.random::<bool>();
                    explore(table, rule, (&self.rates, f), self.reward, now, coin);
                }
                (Table::Escape(table), Rule::Escape { rule, level }) => {
                    let (_, _, to) = setup.circuit.projections[k];
                    let Some(probability) = setup.models[to].probability() else { continue };
                    let gate = rule.rate * rule.third.of(level, self.reward);
                    table.apply(rule, gate, x, (f, &self.neurons[to][probability]));
                }
                _ => (),
            }
        }
    }

    /// Moves the neurons of all populations.
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
            model.advance(&mut self.neurons[p], &self.input[places.clone()], uniform, &mut r[places.clone()]);
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

impl Projection {
    /// The weights, in the order of the synapses.
    fn weights(&self) -> Vec<f64> {
        match &self.table {
            Table::Sparse { table, .. } | Table::Fixed(table) => {
                table.synapses.iter().map(|s| f64::from(s.weight)).collect()
            }
            Table::Whole(table) => double(table.weights()),
            Table::Escape(table) => table.weights(),
            Table::Rates(table) => table.in_order(&table.weight),
        }
    }

    /// What the rule keeps.
    fn kept(&self) -> PlasticState {
        if let (Table::Escape(table), Rule::Escape { level, .. }) = (&self.table, &self.rule) {
            let (synaptic, post) = table.kept();
            return PlasticState { synaptic, pre: Vec::new(), post, level: vec![*level] };
        }
        let [eligibility, pre, post] = match (&self.table, &self.rule) {
            (Table::Sparse { table, pre, post, .. }, Rule::Pair { rule, .. }) => {
                let traced =
                    rule.eligibility.map(|_| table.synapses.iter().map(|s| f64::from(s.eligibility)).collect());
                [traced.unwrap_or_default(), pre.values(), post.values()]
            }
            (Table::Whole(table), _) => table.kept().map(double),
            (Table::Rates(table), Rule::Exploratory { post, .. }) => {
                let held = if table.held.is_empty() { Vec::new() } else { table.in_order(&table.held) };
                [held, Vec::new(), double(post)]
            }
            _ => return PlasticState::default(),
        };
        let level = match &self.rule {
            Rule::Pair { dopamine: level, .. } | Rule::Exploratory { mean_reward: level, .. } => vec![*level],
            Rule::Fixed | Rule::Escape { .. } => Vec::new(),
        };
        let synaptic = if eligibility.is_empty() { Vec::new() } else { vec![eligibility] };
        PlasticState { synaptic, pre, post, level }
    }
}

fn fired_in(r: &[f32], spikes: bool) -> Vec<u32> {
    let mut fired = Vec::new();
    if spikes {
        list_fired(r, &mut fired);
    }
    fired
}

/// Adds the indices of the neurons that fired.
fn list_fired(r: &[f32], fired: &mut Vec<u32>) {
    for (chunk, first) in r.chunks(16).zip((0..).step_by(16)) {
        if chunk.iter().fold(0, |any, r| any | r.to_bits()) != 0 {
            fired.extend(chunk.iter().zip(first..).filter(|(r, _)| **r > 0.0).map(|(_, k)| k));
        }
    }
}

/// Moves the weights of a projection between rates by the reward of this step.
fn explore(
    table: &mut RateTable,
    rule: &mut Rule,
    (pre, post): (&Rates, &[f32]),
    reward: f64,
    now: u64,
    coin: impl FnOnce() -> bool,
) {
    let Rule::Exploratory { rule, bounds, post: means, mean_reward } = rule else { return };
    let better = if rule.coin { coin() } else { reward > *mean_reward };
    if better {
        let eta = rule.eta_at(now) as f32;
        let scale: Vec<f32> = post.iter().zip(&*means).map(|(r, mean)| eta * (r - mean)).collect();
        table.add(&scale, pre);
        if table.held.is_empty() {
            table.weight.iter_mut().for_each(|w| *w = w.clamp(bounds.0, bounds.1));
        }
    }
    if !table.held.is_empty() && (now + 1).is_multiple_of(rule.hold) {
        for (w, held) in table.weight.iter_mut().zip(&mut table.held) {
            *w = (*w + std::mem::take(held)).clamp(bounds.0, bounds.1);
        }
    }
    let decay = rule.rate_decay as f32;
    for (mean, r) in means.iter_mut().zip(post) {
        *mean = decay * *mean + (1.0 - decay) * r;
    }
    *mean_reward = rule.reward_decay * *mean_reward + (1.0 - rule.reward_decay) * reward;
}
