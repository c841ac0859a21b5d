//! Engines of lives. Weights change at every step, so a life cannot be cut into trials that run side by side; instead, many lives
//! run side by side.
//!
//! Either engine makes a step s as follows:
//!
//! 1. the world stimulates; spikes and rates of step s − delay arrive, multiplied by the present weights;
//! 2. pairs of spikes up to step s − 1 change the eligibility or, with the reward of step s − 1, the weights;
//! 3. at the end of a period the eligibility changes the weights, gated by reward or dopamine, and decays;
//! 4. the neurons are updated; the world sees their outputs and gives the reward, which `life.shuffle_seconds` can exchange for an
//!    earlier one;
//! 5. rules for rates change the weights by this reward.
//!
//! `reference.rs` does this with plain candle operations for all lives at once. `events.rs` runs on the CPU, one life after
//! another on each thread; it touches only the synapses that a spike reaches or, in an all-to-all matrix, their rows and columns.

mod escape_events;
mod escape_table;
mod events;
mod projection;
mod reference;
mod shuffle;
mod spike_pairs;
mod synapse_table;
mod whole_table;

use super::memory::{refuse, Part};
use crate::config::{Connect, Kernels, Precision};
use crate::device::memory_of;
use crate::error::Result;
use crate::model::Synapses;
use crate::random::{stream, Noise, Phase, Purpose, Stream};
use crate::rules::FusedSynapseRule;
use crate::setup::LifeSetup;
use crate::worlds::{Block, LifeRow, Wiring, WorldState};
use candle_core::Device;
use serde_json::Value;
use synapse_table::MOST_RATES;

/// Everything about one life between two blocks.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct LifeState {
    /// The state variables of each population: `[variable][neuron]`.
    pub neurons: Vec<Vec<Vec<f64>>>,
    /// The outputs of all neurons in the last steps, the newest first: as many as the longest delay, or as
    /// [`LifeRecord::steps`].
    pub outputs: Vec<Vec<f64>>,
    /// The synapses of each projection.
    pub synapses: Vec<Synapses>,
    /// The data that each projection's rule keeps; empty if its weights are fixed.
    pub plastic: Vec<PlasticState>,
    /// The reward that acts in the next step.
    pub reward: f64,
    /// The modulators held back by `life.shuffle_seconds`; empty without it.
    pub shuffled: Vec<f64>,
    /// The data that the world keeps.
    pub world: Value,
    /// The membrane potential of each neuron in [`LifeRecord::membranes`], in each step since the lives were started or resumed. Not
    /// part of a checkpoint.
    pub membranes: Vec<Vec<f64>>,
    /// The trajectory of a body, [`WorldState::trail`](crate::WorldState::trail): not part of a checkpoint.
    pub trail: Vec<Vec<[f64; 3]>>,
    /// If [`LifeRecord::signals`] is set, for each step of the blocks that were run last: the modulator that acts on the weights,
    /// the level that each plastic projection's rule keeps (dopamine, or a mean or expected reward), and the world's
    /// [`signals`](WorldState::signals). Not part of a checkpoint.
    pub signals: Vec<Vec<f64>>,
}

/// Data of lives to record, in addition to the state on which their future depends.
#[derive(Clone, Debug, Default)]
pub struct LifeRecord {
    /// The number of most recent steps whose outputs are kept in [`LifeState::outputs`].
    pub steps: usize,
    /// The neurons whose membrane potentials are kept in [`LifeState::membranes`], counted from the first of the network.
    pub membranes: Vec<usize>,
    /// Whether [`LifeState::signals`] are kept.
    pub signals: bool,
}

/// The data that a rule keeps for a projection.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct PlasticState {
    /// The variables that the rule keeps for each synapse, `[variable][synapse]`, such as its eligibility, or a change of its weight
    /// that is held back.
    pub synaptic: Vec<Vec<f64>>,
    /// The trace P⁺ of each presynaptic neuron.
    pub pre: Vec<f64>,
    /// The trace P⁻ of each postsynaptic neuron, or the mean of its rate.
    pub post: Vec<f64>,
    /// Dopamine, or the mean or expected reward.
    pub level: Vec<f64>,
}

/// An engine, which simulates lives.
pub trait LifeEngine: Send {
    /// Simulates `blocks` blocks, starting with block number `first`. Returns the rows of each network.
    ///
    /// # Errors
    /// If an operation on tensors fails.
    fn run(&mut self, first: u64, blocks: u64) -> Result<Vec<Vec<LifeRow>>>;
    /// Whether nothing more will happen in the worlds of all networks.
    fn is_over(&self) -> bool;
    /// The state of each network.
    ///
    /// # Errors
    /// If a device's memory cannot be read.
    fn states(&self) -> Result<Vec<LifeState>>;
}

/// Refuses lives that do not fit into the memory of their device.
///
/// # Errors
/// [`Error::Memory`](crate::Error::Memory), with the size of each part and the free memory.
pub(crate) fn check_memory(setup: &LifeSetup, record: &LifeRecord, device: &Device) -> Result<()> {
    let Some(free) = memory_of(device) else { return Ok(()) };
    let networks = setup.config.life.networks.count() as f64;
    let fused = runs_fused(setup, device);
    let pairs = |k: usize| {
        let (from, to) = setup.circuit.ends(k);
        from.len() as f64 * to.len() as f64
    };
    let synapses = |k: usize| match setup.config.projections[k].connect {
        Connect::Density(p) => p * pairs(k),
        Connect::InDegree(n) => n as f64 * setup.circuit.ends(k).1.len() as f64,
        Connect::OutDegree(n) => n as f64 * setup.circuit.ends(k).0.len() as f64,
    };
    // A synapse has two ends, a weight and an eligibility, in the state, while it is drawn, and in the engine. A pair of neurons has an
    // element in each matrix of the plain engine, and in the matrices that a step computes from these.
    let all = 0..setup.rules.len();
    let wiring: f64 = all.clone().map(|k| 80.0 * synapses(k)).sum();
    let escape = |k: &usize| matches!(setup.fused_rule(*k), Some(FusedSynapseRule::EscapeRate(_)));
    let matrices: f64 = all.filter(|k| !fused || escape(k)).map(|k| 64.0 * pairs(k)).sum();
    let neurons = setup.circuit.neurons() as f64 * (64.0 + 16.0 * setup.longest().max(record.steps) as f64);
    let world = setup.world.memory() + 16.0 * setup.shuffle_steps() as f64;
    let parts = [
        Part::new("synapses", networks * wiring),
        Part::new("matrices", networks * matrices),
        Part::new("neurons", networks * neurons),
        Part::new("the world", networks * world),
    ];
    refuse(&parts, free, "the life", || "use fewer networks, neurons or synapses".to_string())
}

/// A network at birth.
///
/// # Errors
/// [`crate::Error::Usage`] if it has too many synapses.
pub(crate) fn newborn(setup: &LifeSetup, network: u64) -> Result<LifeState> {
    let projections = setup.config.projections.len();
    let mut synapses =
        (0..projections).map(|k| Synapses::draw(&setup.config, k, network)).collect::<Result<Vec<_>>>()?;
    let mut world = setup.world.start(setup.config.life.seed, network);
    world.settle(&mut wiring(setup, &mut synapses), true);
    let plastic = setup.rules.iter().enumerate().map(|(k, rule)| {
        let (from, to) = setup.circuit.ends(k);
        let Some(rule) = rule else { return PlasticState::default() };
        let traces = rule.traces();
        let zeros = |kept: bool, n: usize| vec![0.0; if kept { n } else { 0 }];
        PlasticState {
            synaptic: vec![vec![0.0; synapses[k].pre.len()]; rule.variables().len()],
            pre: zeros(traces.0, from.len()),
            post: zeros(traces.1, to.len()),
            level: vec![0.0],
        }
    });
    let plastic = plastic.collect();
    let sizes = setup.config.populations.iter().map(|population| population.size);
    let neurons = setup.models.iter().zip(sizes).map(|(model, n)| model.start().iter().map(|v| vec![*v; n]).collect());
    Ok(LifeState {
        neurons: neurons.collect(),
        outputs: vec![vec![0.0; setup.circuit.neurons()]; setup.longest()],
        synapses,
        plastic,
        reward: 0.0,
        shuffled: vec![0.0; setup.shuffle_steps()],
        world: world.state(),
        membranes: Vec::new(),
        trail: Vec::new(),
        signals: Vec::new(),
    })
}

/// The population of each neuron whose membrane potential is recorded, and its place in that population.
fn watched(setup: &LifeSetup, record: &LifeRecord) -> Vec<(usize, usize)> {
    record.membranes.iter().filter_map(|neuron| setup.circuit.place(*neuron)).collect()
}

fn single(values: &[f64]) -> Vec<f32> {
    values.iter().map(|v| *v as f32).collect()
}

fn double(values: &[f32]) -> Vec<f64> {
    values.iter().map(|v| f64::from(*v)).collect()
}

/// The synapses as a world sees them.
fn wiring<'a>(setup: &'a LifeSetup, synapses: &'a mut [Synapses]) -> Vec<Wiring<'a>> {
    let names = setup.circuit.projections.iter().map(|(name, _, _)| name);
    let of =
        |(name, s): (&'a String, &'a mut Synapses)| Wiring { name, pre: &s.pre, post: &s.post, weight: &mut s.weight };
    names.zip(synapses).map(of).collect()
}

/// The world of a network, as it was when its `state` was taken.
fn world_of(setup: &LifeSetup, network: u64, state: &mut LifeState) -> Result<Box<dyn WorldState>> {
    let mut world = setup.world.start(setup.config.life.seed, network);
    world.settle(&mut wiring(setup, &mut state.synapses), false);
    if !state.world.is_null() {
        world.restore(&state.world)?;
    }
    Ok(world)
}

/// The engine for networks in these states.
///
/// # Errors
/// [`crate::Error::Content`] if a world's state belongs to another world; [`crate::Error::Tensors`] if the device fails.
pub(crate) fn start_lives(
    setup: &LifeSetup,
    mut states: Vec<LifeState>,
    record: &LifeRecord,
    device: &Device,
) -> Result<Box<dyn LifeEngine>> {
    let silent = vec![0.0; setup.circuit.neurons()];
    for state in &mut states {
        state.outputs.resize(setup.longest().max(record.steps), silent.clone());
    }
    Ok(if runs_fused(setup, device) {
        Box::new(events::Events::new(setup, states, record)?)
    } else {
        Box::new(reference::Reference::new(setup, states, record, device)?)
    })
}

/// Whether lives run event by event.
fn runs_fused(setup: &LifeSetup, device: &Device) -> bool {
    let life = &setup.config.life;
    let projecting = setup.circuit.projections.iter().map(|(_, from, _)| *from);
    let fits = |from: usize| setup.models[from].spikes() || setup.config.populations[from].size <= MOST_RATES;
    let rules_fit = setup.rules.iter().flatten().all(|rule| rule.fused().is_some());
    life.kernels != Kernels::Reference
        && rules_fit
        && setup.models.iter().all(|model| model.fused().is_some())
        && life.dtype == Precision::F32
        && device.is_cpu()
        && projecting.into_iter().all(fits)
}

/// The random numbers of one network in one block.
struct Drawn {
    noise: Noise,
    /// For what replaces a modulator in a control.
    modulator: Stream,
}

/// The block and random numbers of a network.
fn begin(setup: &LifeSetup, network: u64, index: u64) -> (Block, Drawn) {
    let drawn = |purpose| stream(setup.config.life.seed, network, index, Phase::Train, purpose);
    let (living, _) = setup.blocks();
    let block = Block::new(index, index >= living, drawn(Purpose::World));
    (block, Drawn { noise: Noise::new(&mut drawn(Purpose::LifeNoise)), modulator: drawn(Purpose::Modulator) })
}

/// Whether the neurons of population `p` draw random numbers in a block.
fn draws(setup: &LifeSetup, p: usize, frozen: bool) -> bool {
    use crate::model::Draws;
    match setup.models[p].draws() {
        Draws::None => false,
        Draws::Noise => !frozen || setup.config.life.frozen_noise,
        Draws::Spikes => true,
    }
}
