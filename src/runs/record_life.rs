//! Records what happens in lives, step by step.

use super::record::Recording;
use super::simulate_life::{continued, watched_neurons};
use crate::device::memory_of;
use crate::engine::{LifeRecord, LifeState};
use crate::error::{ensure, Result};
use crate::text::bytes;
use crate::training::{LifeCheckpoint, Lives};
use candle_core::{Device, Tensor, WithDType};
use std::collections::BTreeMap;

/// The quantities to record from lives, and the time for which to record them.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct LifeRecordOptions {
    /// The simulated time in seconds, rounded up to whole blocks.
    pub seconds: f64,
    /// Whether weights change meanwhile, as they would have if the lives had gone on; otherwise they are frozen.
    pub learn: bool,
    /// Whether the weights of plastic projections are recorded at the start and after every block.
    pub weights: bool,
    /// Neurons whose membrane potentials are recorded, as POPULATION.NEURON.
    pub membranes: Vec<String>,
}

/// Continues the lives of a checkpoint in memory and records every step; the checkpoint stays as it is. Recording changes nothing in
/// what happens.
///
/// For S networks and T steps, the recording has `modulator` `[S, T]`, what acts on the weights after each step (a reward or a
/// prediction error); `level.PROJECTION` `[S, T]`, what its rule keeps (dopamine, or a mean or expected reward); each of the world's
/// signals `[S, T]`, such as `value` and `reward`, NaN once a life is over; and, if asked for, `membranes` `[S, T, watched]` in mV.
/// Network K has `K.spikes.POPULATION` `[n, 2]`, the step and the neuron of every spike, or `K.rates.POPULATION` `[T, neurons]`; and, if
/// asked for, `K.weights.PROJECTION` `[blocks + 1, synapses]`, whose ends are `K.pre.PROJECTION` and `K.post.PROJECTION`.
///
/// The metadata has `life`, `dt_ms`, `networks`, `start_seconds`, `block_seconds` (between two records of weights), `learn`, and
/// `membranes`, the names of the watched neurons.
///
/// # Errors
/// [`Error::Setting`](crate::Error::Setting) if a neuron to be watched does not exist, [`Error::Usage`](crate::Error::Usage) for a time
/// that is not positive or a recording that would not fit into memory; any error of the world.
pub fn record_life(checkpoint: &LifeCheckpoint, options: &LifeRecordOptions) -> Result<Recording> {
    ensure!(
        options.seconds > 0.0 && options.seconds.is_finite(),
        Usage,
        "{} s are to be recorded; expected more than 0",
        options.seconds
    );
    let then = continued(checkpoint, options.seconds, options.learn);
    let setup = then.setup.clone();
    let (circuit, steps) = (&setup.circuit, setup.world.steps());
    let blocks = (options.seconds / setup.block_seconds()).ceil() as u64;
    let watched = if options.membranes.is_empty() { Vec::new() } else { watched_neurons(&setup, &options.membranes)? };
    let record = LifeRecord { steps, membranes: watched.clone(), signals: true };

    let plastic: Vec<usize> = (0..setup.rules.len()).filter(|k| setup.rules[*k].is_some()).collect();
    let mut names = vec!["modulator".to_string()];
    names.extend(plastic.iter().map(|k| format!("level.{}", circuit.projections[*k].0)));
    names.extend(setup.world.signals().into_iter().map(String::from));
    let continuous: usize = setup
        .models
        .iter()
        .zip(&circuit.populations)
        .filter(|(model, _)| !model.spikes())
        .map(|(_, p)| p.1.len())
        .sum();
    let each_step = 8.0 * (names.len() + watched.len()) as f64 + 4.0 * continuous as f64;
    let needed = each_step * (blocks * steps as u64) as f64 * then.states.len() as f64;
    let free = memory_of(&Device::Cpu).map_or(f64::INFINITY, |free| free as f64);
    ensure!(
        needed < free / 2.0,
        Usage,
        "the recording needs {} of {} free memory; record less time, or fewer networks",
        bytes(needed as u64),
        bytes(free as u64)
    );

    let mut lives = Lives::resume_recording(&then, &record, &Device::Cpu)?;
    let mut networks: Vec<Network> = then.states.iter().map(|_| Network::new(setup.models.len())).collect();
    let keep_weights = |networks: &mut [Network], states: &[LifeState]| {
        for (network, state) in networks.iter_mut().zip(states).filter(|_| options.weights) {
            network.weights.push(plastic.iter().map(|k| single(&state.synapses[*k].weight)).collect());
        }
    };
    keep_weights(&mut networks, &then.states);
    let mut last = then.states.clone();
    for _ in 0..blocks {
        let before = lives.block();
        lives.live(1)?;
        if lives.block() == before {
            break;
        }
        last = lives.checkpoint()?.states;
        for (network, state) in networks.iter_mut().zip(&last) {
            let lived = state.signals.len();
            for outputs in state.outputs[..lived.min(steps)].iter().rev() {
                for ((places, model), activity) in
                    circuit.populations.iter().zip(&setup.models).zip(&mut network.activity)
                {
                    let outputs = &outputs[places.1.clone()];
                    if model.spikes() {
                        let step = network.signals.len() as i64 + activity.steps;
                        let fired = outputs.iter().enumerate().filter(|(_, r)| **r > 0.0);
                        activity.spikes.extend(
                            fired.flat_map(|(neuron, r)| {
                                std::iter::repeat_n([step, neuron as i64], *r as usize).flatten()
                            }),
                        );
                        activity.steps += 1;
                    } else {
                        activity.rates.extend(single(outputs));
                    }
                }
            }
            network.activity.iter_mut().for_each(|activity| activity.steps = 0);
            network.signals.extend(state.signals.iter().cloned());
        }
        keep_weights(&mut networks, &last);
    }

    let mut tensors = Tensors { found: BTreeMap::new() };
    let longest = networks.iter().map(|network| network.signals.len()).max().unwrap_or(0);
    for (k, name) in names.iter().enumerate() {
        let column = |network: &Network| -> Vec<f64> {
            let mut column: Vec<f64> = network.signals.iter().map(|signals| signals[k]).collect();
            column.resize(longest, f64::NAN);
            column
        };
        tensors.push(name.clone(), networks.iter().flat_map(column).collect(), &[networks.len(), longest])?;
    }
    if !watched.is_empty() {
        let of = |state: &LifeState| -> Vec<f64> {
            let at = |step: usize| {
                state.membranes.iter().map(move |membrane| membrane.get(step).copied().unwrap_or(f64::NAN))
            };
            (0..longest).flat_map(at).collect()
        };
        let values = last.iter().flat_map(of).collect();
        tensors.push("membranes".into(), values, &[networks.len(), longest, watched.len()])?;
    }
    for (index, (network, state)) in setup.config.life.networks.range().zip(networks.into_iter().zip(&then.states)) {
        let lived = network.signals.len();
        for (((name, places), model), activity) in circuit.populations.iter().zip(&setup.models).zip(network.activity) {
            if model.spikes() {
                let count = activity.spikes.len() / 2;
                tensors.push(format!("{index}.spikes.{name}"), activity.spikes, &[count, 2])?;
            } else {
                tensors.push(format!("{index}.rates.{name}"), activity.rates, &[lived, places.len()])?;
            }
        }
        for (place, k) in plastic.iter().enumerate().filter(|_| options.weights) {
            let (name, synapses) = (&circuit.projections[*k].0, &state.synapses[*k]);
            let count = synapses.pre.len();
            let weights = network.weights.iter().flat_map(|weights| weights[place].clone()).collect();
            tensors.push(format!("{index}.weights.{name}"), weights, &[network.weights.len(), count])?;
            tensors.push(format!("{index}.pre.{name}"), synapses.pre.clone(), &[count])?;
            tensors.push(format!("{index}.post.{name}"), synapses.post.clone(), &[count])?;
        }
    }
    let life = &setup.config.life;
    let metadata = [
        ("life", setup.config.world_name()?.to_string()),
        ("dt_ms", life.dt_ms.to_string()),
        ("networks", format!("{:?}", life.networks.range())),
        ("start_seconds", (then.block as f64 * setup.block_seconds()).to_string()),
        ("block_seconds", setup.block_seconds().to_string()),
        ("learn", options.learn.to_string()),
        ("membranes", options.membranes.join(",")),
    ];
    let metadata = metadata.into_iter().map(|(key, value)| (key.to_string(), value)).collect();
    Ok(Recording { tensors: tensors.found, metadata })
}

/// The recording of a network so far.
struct Network {
    /// Of each population.
    activity: Vec<Activity>,
    signals: Vec<Vec<f64>>,
    /// The weights of each plastic projection, at the start and after each block.
    weights: Vec<Vec<Vec<f32>>>,
}

/// The recording of a population so far.
#[derive(Clone, Default)]
struct Activity {
    /// The step and neuron of each spike.
    spikes: Vec<i64>,
    /// The rates of all neurons, step by step.
    rates: Vec<f32>,
    /// The steps of the present block so far.
    steps: i64,
}

impl Network {
    fn new(populations: usize) -> Self {
        Network { activity: vec![Activity::default(); populations], signals: Vec::new(), weights: Vec::new() }
    }
}

/// The tensors of a recording.
struct Tensors {
    found: BTreeMap<String, Tensor>,
}

impl Tensors {
    fn push<T: WithDType>(&mut self, name: String, values: Vec<T>, dims: &[usize]) -> Result<()> {
        self.found.insert(name, Tensor::from_vec(values, dims, &Device::Cpu)?);
        Ok(())
    }
}

fn single(values: &[f64]) -> Vec<f32> {
    values.iter().map(|value| *value as f32).collect()
}
