//! The activity of networks after a simulation, with frozen weights.

use crate::engine::LifeRecord;
use crate::error::{ensure, Error, Result};
use crate::setup::LifeSetup;
use crate::training::{LifeCheckpoint, Lives};
use candle_core::Device;

/// The activity of one network, step by step, the first step first.
#[non_exhaustive]
pub struct LifeActivity {
    /// Δt in ms.
    pub dt_ms: f64,
    /// For each step, the output of each neuron: a rate, or 1 for a spike; empty if outputs were not asked for.
    pub outputs: Vec<Vec<f64>>,
    /// The membrane potential of each watched neuron in each step, in mV.
    pub membranes: Vec<Vec<f64>>,
    /// The trajectory of a body: [`WorldState::trail`](crate::WorldState::trail).
    pub trail: Vec<Vec<[f64; 3]>>,
}

/// Simulates one network of a checkpoint, counted from 0, for another `ms` or a little longer, up to the end of a block. Its weights
/// are frozen, whether or not its simulation had ended; the checkpoint stays as it is. Keeps its outputs if `outputs` is set, and the
/// membrane potentials of the neurons `watched`, counted from the first of the network ([`watched_neurons`]).
///
/// # Errors
/// [`Error::Usage`] if there is no such network; [`Error::Memory`] if the activity does not fit; [`Error::Tensors`] if the device
/// fails.
pub fn simulate_life(
    checkpoint: &LifeCheckpoint,
    network: usize,
    ms: f64,
    outputs: bool,
    watched: &[usize],
) -> Result<LifeActivity> {
    let count = checkpoint.states.len();
    ensure!(network < count, Usage, "network {network} does not exist; expected 0 to {}", count - 1);
    let mut then = continued(checkpoint, ms / 1000.0, false);
    then.states = vec![then.states.swap_remove(network)];
    let life = &mut then.setup.config.life;
    let (index, dt_ms) = (life.networks.start + network as u64, life.dt_ms);
    life.networks = (index..index + 1).into();
    let blocks = (life.frozen_seconds / then.setup.block_seconds()).round();
    let steps = if outputs { (blocks as usize) * then.setup.world.steps() } else { 0 };
    let record = LifeRecord { steps, membranes: watched.to_vec(), signals: false };
    let mut lives = Lives::resume_recording(&then, &record, &Device::Cpu)?;
    lives.live(blocks as u64)?;
    let mut state = lives.checkpoint()?.states.swap_remove(0);
    state.outputs.truncate(steps);
    state.outputs.reverse();
    Ok(LifeActivity { dt_ms, outputs: state.outputs, membranes: state.membranes, trail: state.trail })
}

/// The checkpoint with a configuration in which its lives go on for another `seconds`, rounded up to whole blocks, whether or not they
/// had ended; weights are frozen unless they `learn`.
pub(super) fn continued(checkpoint: &LifeCheckpoint, seconds: f64, learn: bool) -> LifeCheckpoint {
    let mut then = checkpoint.clone();
    let block = then.setup.block_seconds();
    let (age, span) = (then.block as f64 * block, (seconds / block).ceil().max(1.0) * block);
    let life = &mut then.setup.config.life;
    (life.seconds, life.frozen_seconds) = if learn { (age + span, 0.0) } else { (age, span) };
    then
}

/// The neurons POPULATION.NEURON of `names`; if there are none, the first of each population with a membrane.
///
/// # Errors
/// [`Error::Setting`] if there is no such neuron, or if it has no membrane.
pub fn watched_neurons(setup: &LifeSetup, names: &[String]) -> Result<Vec<usize>> {
    let populations = setup.circuit.populations.iter().zip(&setup.models);
    let with_membrane = populations.filter(|(_, model)| model.membrane(&model.start()).is_some());
    let all: Vec<_> = with_membrane.map(|(population, _)| population).collect();
    if names.is_empty() {
        return Ok(all.iter().map(|(_, places)| places.start).collect());
    }
    let place = |name: &String| {
        let (population, neuron) = name.rsplit_once('.')?;
        let (_, places) = all.iter().find(|(known, _)| known == population)?;
        places.clone().nth(neuron.parse().ok()?)
    };
    let known = || {
        let ranges = all.iter().map(|(name, places)| format!("{name}.0 to {name}.{}", places.len() - 1));
        ranges.collect::<Vec<_>>().join(", ")
    };
    names.iter().map(|name| place(name).ok_or_else(|| Error::setting("watch", name, known()))).collect()
}
