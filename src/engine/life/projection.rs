//! The synapses of one projection of one network in the fused engine, stored in the table that suits them and their rule.

use super::escape_events::EscapeEvents;
use super::escape_table::EscapeTable;
use super::spike_pairs::{deliver, Pairs};
use super::synapse_table::{Pending, RateTable, Rates, SpikeTable, Traces};
use super::whole_table::{WholePairs, WholeTable};
use super::{double, single, PlasticState};
use crate::model::Synapses;
use crate::rules::{EscapeRate, Exploratory, FusedSynapseRule, PairRule};
use crate::setup::LifeSetup;
use std::collections::VecDeque;
use std::ops::Range;

/// A projection.
pub(super) struct Projection {
    /// Its synapses, with the weights that they had when the engine was started.
    pub synapses: Synapses,
    kind: Kind,
    /// The pre- and the postsynaptic population, and the places of their neurons.
    populations: (usize, usize),
    pre: Range<usize>,
    post: Range<usize>,
    /// The delay in steps.
    delay: usize,
}

/// A table of synapses, with its rule and the data that the rule keeps.
#[allow(clippy::large_enum_variant)] // A life has a handful of them.
enum Kind {
    Fixed(SpikeTable),
    Sparse { table: SpikeTable, rule: PairRule, level: f64, pending: Pending, pre: Traces, post: Traces },
    Whole { table: WholeTable, rule: PairRule, level: f64 },
    Escape { table: EscapeTable, rule: EscapeRate, level: f64 },
    EscapeEvents { table: EscapeEvents, level: f64 },
    Rates { table: RateTable, explorer: Option<Explorer> },
}

/// The rule for rates, with its bounds and means.
struct Explorer {
    rule: Exploratory,
    bounds: (f32, f32),
    post: Vec<f32>,
    mean_reward: f64,
}

/// The activity of a network up to a moment of a step.
pub(super) struct Past<'a> {
    /// The outputs of all neurons, the newest first.
    pub outputs: &'a VecDeque<Vec<f32>>,
    /// The neurons of each population that fired, by step, the newest first.
    pub fired: &'a VecDeque<Vec<Vec<u32>>>,
    /// The newest reward.
    pub reward: f64,
    /// The step since birth, and the step in the block, both from 0.
    pub now: u64,
    pub step: usize,
    pub frozen: bool,
}

impl Projection {
    /// Projection `k` of a network with these synapses.
    pub fn new(setup: &LifeSetup, k: usize, synapses: Synapses, plastic: &PlasticState) -> Self {
        let (_, from, to) = setup.circuit.projections[k];
        let (pre, post) = setup.circuit.ends(k);
        let sizes = (pre.len(), post.len());
        let bounds = (setup.config.projections[k].w_min, setup.config.projections[k].w_max);
        let level = plastic.level.first().copied().unwrap_or_default();
        let eligibility = plastic.synaptic.first().map_or(&[][..], |z| z);
        let spikes = |plastic| SpikeTable::new(&synapses, eligibility, sizes, plastic);
        let explorer = |rule| Explorer {
            rule,
            bounds: (bounds.0 as f32, bounds.1 as f32),
            post: single(&plastic.post),
            mean_reward: level,
        };
        let kind = match setup.fused_rule(k) {
            None if setup.models[from].spikes() => Kind::Fixed(spikes(false)),
            None => Kind::Rates { table: RateTable::new(&synapses, eligibility, sizes.1), explorer: None },
            Some(FusedSynapseRule::Exploratory(rule)) => {
                Kind::Rates { table: RateTable::new(&synapses, eligibility, sizes.1), explorer: Some(explorer(rule)) }
            }
            Some(FusedSynapseRule::EscapeRate(rule)) => {
                let resets = setup.resets[k];
                match EscapeEvents::new(rule, &synapses, plastic, sizes, bounds, resets) {
                    Some(table) => Kind::EscapeEvents { table, level },
                    None => {
                        let table = EscapeTable::new(&synapses, plastic, sizes, bounds, resets);
                        Kind::Escape { table, rule, level }
                    }
                }
            }
            Some(FusedSynapseRule::Pair(rule)) => match WholeTable::new(&synapses, plastic, sizes, bounds) {
                Some(table) => Kind::Whole { table, rule, level },
                None => Kind::Sparse {
                    table: spikes(true),
                    pending: Pending::new(&rule, bounds),
                    pre: Traces::new(&plastic.pre, rule.pre_decay, rule.accumulates),
                    post: Traces::new(&plastic.post, rule.post_decay, rule.accumulates),
                    rule,
                    level,
                },
            },
        };
        Projection { kind, populations: (from, to), pre, post, delay: setup.delays[k], synapses }
    }

    /// Adds the arriving spikes or rates to the `input` of all neurons, and applies the pairs of spikes up to the previous step.
    pub fn deliver(&mut self, past: &Past, input: &mut [f32], rates: &mut Rates) {
        let (from, to) = self.populations;
        let input = &mut input[self.post.clone()];
        let arriving = &past.fired[self.delay - 1][from];
        let fired = (&past.fired[0][from][..], &past.fired[0][to][..]);
        let (pre, post) = (&past.outputs[0][self.pre.clone()], &past.outputs[0][self.post.clone()]);
        let due = |rule: &PairRule| (past.now + 1).is_multiple_of(rule.period);
        match &mut self.kind {
            Kind::Fixed(table) => deliver(table, None, arriving, input),
            Kind::Sparse { table, .. } if past.frozen => deliver(table, None, arriving, input),
            Kind::Sparse { table, rule, level, pending, pre: p, post: q } => {
                let gate = rule.gate(level, past.reward);
                let late = self.delay > 1;
                if late {
                    deliver(table, Some(pending), arriving, input);
                }
                let pairs = Pairs { rule, gate: gate as f32, step: past.step as u32 + 1, pre, post };
                pairs.apply(table, pending, (p, q), fired, (!late).then_some(input));
                if rule.eligibility.is_some() && due(rule) {
                    pending.end_period(gate, table);
                }
            }
            Kind::Whole { table, rule, level } => {
                table.deliver(arriving, input);
                if !past.frozen {
                    let gate = rule.gate(level, past.reward);
                    table.apply(&WholePairs { rule, gate, due: due(rule), pre: (pre, fired.0), post: (post, fired.1) });
                }
            }
            Kind::Escape { table, .. } => table.deliver(arriving, input),
            Kind::EscapeEvents { table, .. } => table.deliver(arriving, input),
            Kind::Rates { table, .. } => {
                let r = &past.outputs[self.delay - 1][self.pre.clone()];
                rates[..r.len()].copy_from_slice(r);
                table.deliver(rates, input);
            }
        }
    }

    /// Applies the rules that use the reward of this step, after the neurons have been updated. `probability` gives each neuron's
    /// probability of spiking in a population, if it is known; `coin` tosses a coin.
    pub fn learn<'a>(
        &mut self,
        past: &Past,
        rates: &mut Rates,
        probability: impl FnOnce(usize) -> Option<&'a [f32]>,
        coin: impl FnOnce() -> bool,
    ) {
        match &mut self.kind {
            Kind::Escape { table, rule, level } => {
                let Some(probability) = probability(self.populations.1) else { return };
                let gate = rule.rate * rule.third.of(level, past.reward);
                let (x, f) = (&past.outputs[self.delay][self.pre.clone()], &past.outputs[0][self.post.clone()]);
                table.apply(rule, gate, x, (f, probability));
            }
            Kind::EscapeEvents { table, level } => {
                let gate = table.rule.rate * table.rule.third.of(level, past.reward);
                let (from, to) = self.populations;
                table.apply(gate, &past.fired[self.delay][from], &past.fired[0][to]);
            }
            Kind::Rates { table, explorer: Some(explorer) } => {
                let x = &past.outputs[self.delay][self.pre.clone()];
                rates[..x.len()].copy_from_slice(x);
                explorer.learn(table, (rates, &past.outputs[0][self.post.clone()]), past, coin);
            }
            _ => (),
        }
    }

    /// Ends a block of `steps` steps: all synapses are brought up to date.
    pub fn end_block(&mut self, steps: usize) {
        match &mut self.kind {
            Kind::Sparse { table, pending, pre, post, .. } => {
                pending.catch_up(table);
                pre.end_block(steps as u32);
                post.end_block(steps as u32);
            }
            Kind::Whole { table, .. } => table.end_block(),
            Kind::EscapeEvents { table, .. } => table.end_block(),
            Kind::Fixed(_) | Kind::Escape { .. } | Kind::Rates { .. } => (),
        }
    }

    /// The weights, in the order of the synapses.
    pub fn weights(&self) -> Vec<f64> {
        match &self.kind {
            Kind::Fixed(table) | Kind::Sparse { table, .. } => {
                table.synapses.iter().map(|s| f64::from(s.weight)).collect()
            }
            Kind::Whole { table, .. } => double(table.weights()),
            Kind::Escape { table, .. } => table.weights(),
            Kind::EscapeEvents { table, .. } => table.weights(),
            Kind::Rates { table, .. } => table.in_order(&table.weight),
        }
    }

    /// The level that the rule keeps: dopamine, or a mean or expected reward; `None` if the weights are fixed.
    pub fn level(&self) -> Option<f64> {
        match &self.kind {
            Kind::Fixed(_) | Kind::Rates { explorer: None, .. } => None,
            Kind::Sparse { level, .. }
            | Kind::Whole { level, .. }
            | Kind::Escape { level, .. }
            | Kind::EscapeEvents { level, .. }
            | Kind::Rates { explorer: Some(Explorer { mean_reward: level, .. }), .. } => Some(*level),
        }
    }

    /// The data that the rule keeps, between blocks.
    pub fn kept(&self) -> PlasticState {
        let traced = |has: bool, values: Vec<f64>| if has { vec![values] } else { Vec::new() };
        match &self.kind {
            Kind::Fixed(_) | Kind::Rates { explorer: None, .. } => PlasticState::default(),
            Kind::Sparse { table, rule, level, pre, post, .. } => {
                let eligibility = table.synapses.iter().map(|s| f64::from(s.eligibility)).collect();
                let synaptic = traced(rule.eligibility.is_some(), eligibility);
                PlasticState { synaptic, pre: pre.values(), post: post.values(), level: vec![*level] }
            }
            Kind::Whole { table, rule, level } => {
                let [eligibility, pre, post] = table.kept().map(double);
                let synaptic = traced(rule.eligibility.is_some(), eligibility);
                PlasticState { synaptic, pre, post, level: vec![*level] }
            }
            Kind::Escape { table, level, .. } => {
                let (synaptic, post) = table.kept();
                PlasticState { synaptic, pre: Vec::new(), post, level: vec![*level] }
            }
            Kind::EscapeEvents { table, level, .. } => {
                let (synaptic, post) = table.kept();
                PlasticState { synaptic, pre: Vec::new(), post, level: vec![*level] }
            }
            Kind::Rates { table, explorer: Some(Explorer { post, mean_reward, .. }) } => {
                let held = if table.held.is_empty() { Vec::new() } else { vec![table.in_order(&table.held)] };
                PlasticState { synaptic: held, pre: Vec::new(), post: double(post), level: vec![*mean_reward] }
            }
        }
    }
}

impl Explorer {
    /// Changes the weights by the reward of this step.
    fn learn(
        &mut self,
        table: &mut RateTable,
        (pre, post): (&Rates, &[f32]),
        past: &Past,
        coin: impl FnOnce() -> bool,
    ) {
        let Explorer { rule, bounds, post: means, mean_reward } = self;
        let better = if rule.coin { coin() } else { past.reward > *mean_reward };
        if better {
            let eta = rule.eta_at(past.now) as f32;
            let scale: Vec<f32> = post.iter().zip(&*means).map(|(r, mean)| eta * (r - mean)).collect();
            table.add(&scale, pre);
            if table.held.is_empty() {
                table.weight.iter_mut().for_each(|w| *w = w.clamp(bounds.0, bounds.1));
            }
        }
        if !table.held.is_empty() && (past.now + 1).is_multiple_of(rule.hold) {
            for (w, held) in table.weight.iter_mut().zip(&mut table.held) {
                *w = (*w + std::mem::take(held)).clamp(bounds.0, bounds.1);
            }
        }
        let decay = rule.rate_decay as f32;
        for (mean, r) in means.iter_mut().zip(post) {
            *mean = decay * *mean + (1.0 - decay) * r;
        }
        *mean_reward = rule.reward_decay * *mean_reward + (1.0 - rule.reward_decay) * past.reward;
    }
}
