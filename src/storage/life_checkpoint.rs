//! The checkpoint of lives: everything on which their future depends, in one safetensors file.

use super::envelope::{self, open, read_newest};
use super::life_synapses::{synapses, variables};
use super::life_values::{check_numbers, check_outputs, numbers, Check};
use crate::config::LifeConfig;
use crate::engine::{LifeState, PlasticState};
use crate::error::{ensure, At, Result};
use crate::model::Synapses;
use crate::setup::{LifeSetup, OwnLife};
use crate::training::{LifeCheckpoint, Lives, LIFE_METADATA_KEY};
use crate::worlds::MOST_STEPS;
use candle_core::{DType, Device, Tensor};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::Path;

const FORMAT: u32 = 1;

#[derive(Serialize, Deserialize)]
struct Header {
    format: u32,
    program: String,
    block: u64,
    worlds: Vec<Value>,
    config: LifeConfig,
    sha256: String,
}

impl envelope::Header for Header {
    const KEY: &'static str = LIFE_METADATA_KEY;
    const FORMAT: u32 = FORMAT;
    const WITHOUT_CHECKSUM: u32 = 0;

    fn checksum(&mut self) -> &mut String {
        &mut self.sha256
    }
}

/// One kind of number saved for each network: its name in the file and its place in a state.
struct SavedNumbers {
    name: String,
    shape: Vec<usize>,
    dtype: DType,
    /// Whether they are possible values for a network.
    check: Check,
    of: Place,
}

/// Where numbers are in a state.
type Place = Box<dyn Fn(&mut LifeState) -> &mut Vec<f64>>;

/// The numbers of fixed shape, in the order of the file. Those of synapses, whose count differs between networks, are not included.
fn kept(setup: &LifeSetup) -> Vec<SavedNumbers> {
    let dtype = DType::from(setup.config.life.dtype);
    let mut all = Vec::new();
    for (p, (model, population)) in setup.models.iter().zip(&setup.config.populations).enumerate() {
        for (v, variable) in model.variables().iter().enumerate() {
            let name = format!("population.{}.{variable}", population.name);
            all.push(SavedNumbers {
                name,
                shape: vec![population.size],
                dtype,
                check: check_numbers,
                of: Box::new(move |s| &mut s.neurons[p][v]),
            });
        }
    }
    for d in 0..setup.longest() {
        let (name, shape) = (outputs(d), vec![setup.circuit.neurons()]);
        all.push(SavedNumbers { name, shape, dtype, check: check_outputs, of: Box::new(move |s| &mut s.outputs[d]) });
    }
    if setup.shuffle_steps() > 0 {
        let (name, shape) = ("shuffled".to_string(), vec![setup.shuffle_steps()]);
        let (check, of): (Check, Place) = (check_numbers, Box::new(|s| &mut s.shuffled));
        all.push(SavedNumbers { name, shape, dtype: DType::F64, check, of });
    }
    for (k, rule) in setup.rules.iter().enumerate() {
        let (from, to) = setup.circuit.ends(k);
        let name = &setup.circuit.projections[k].0;
        let Some(rule) = rule else { continue };
        let mut add = |what: &str, n: usize, dtype: DType, of: fn(&mut PlasticState) -> &mut Vec<f64>| {
            let of: Place = Box::new(move |s| of(&mut s.plastic[k]));
            all.push(SavedNumbers {
                name: format!("projection.{name}.{what}"),
                shape: vec![n],
                dtype,
                check: check_numbers,
                of,
            });
        };
        let (pre, post) = rule.traces();
        if pre {
            add("trace_pre", from.len(), dtype, |plastic| &mut plastic.pre);
        }
        if post {
            add("trace_post", to.len(), dtype, |plastic| &mut plastic.post);
        }
        add("level", 1, DType::F64, |plastic| &mut plastic.level);
    }
    all
}

impl LifeCheckpoint {
    /// The contents of the checkpoint's file.
    ///
    /// # Errors
    /// [`Error::Tensors`](crate::Error::Tensors) if there is no memory for it.
    pub fn to_bytes(&self) -> Result<Vec<u8>> {
        let setup = &self.setup;
        let (s, cpu) = (self.states.len(), &Device::Cpu);
        let dtype = DType::from(setup.config.life.dtype);
        let mut states = self.states.clone();
        let mut tensors = BTreeMap::new();
        for kept in kept(setup) {
            let values: Vec<f64> = states.iter_mut().flat_map(|state| (kept.of)(state).iter().copied()).collect();
            let shape = [&[s], &kept.shape[..]].concat();
            tensors.insert(kept.name, Tensor::from_vec(values, shape, cpu)?.to_dtype(kept.dtype)?);
        }
        let rewards: Vec<f64> = states.iter().map(|state| state.reward).collect();
        tensors.insert("reward".into(), Tensor::from_vec(rewards, s, cpu)?);
        for (k, (name, _, _)) in setup.circuit.projections.iter().enumerate() {
            let mut insert = |what: &str, tensor: Tensor| tensors.insert(format!("projection.{name}.{what}"), tensor);
            let numbers: Vec<i64> = states.iter().map(|state| state.synapses[k].pre.len() as i64).collect();
            insert("synapses", Tensor::from_vec(numbers, s, cpu)?);
            let ends = |of: fn(&Synapses) -> &Vec<u32>| -> Vec<u32> {
                states.iter().flat_map(|state| of(&state.synapses[k]).iter().copied()).collect()
            };
            let (pre, post) = (ends(|synapses| &synapses.pre), ends(|synapses| &synapses.post));
            let n = pre.len();
            insert("pre", Tensor::from_vec(pre, n, cpu)?);
            insert("post", Tensor::from_vec(post, n, cpu)?);
            let weights: Vec<f64> = states.iter().flat_map(|state| state.synapses[k].weight.iter().copied()).collect();
            insert("weight", Tensor::from_vec(weights, n, cpu)?.to_dtype(dtype)?);
            for (v, variable) in variables(setup, k).iter().enumerate().filter(|_| n > 0) {
                let of = |state: &LifeState| state.plastic[k].synaptic.get(v).cloned().unwrap_or_default();
                insert(
                    variable,
                    Tensor::from_vec(states.iter().flat_map(of).collect::<Vec<_>>(), n, cpu)?.to_dtype(dtype)?,
                );
            }
        }
        let header = Header {
            format: FORMAT,
            program: self.program.clone(),
            block: self.block,
            worlds: self.states.iter().map(|state| state.world.clone()).collect(),
            config: setup.config.clone(),
            sha256: String::new(),
        };
        envelope::seal(header, &tensors)
    }

    /// Reads a checkpoint from the contents of its file.
    ///
    /// # Errors
    /// [`Error::Content`](crate::Error::Content) or [`Error::Tensor`](crate::Error::Tensor) if it is not a life's checkpoint or is damaged; the errors of
    /// [`LifeSetup::new`] for its configuration.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self> {
        Self::from_bytes_with(bytes, OwnLife::default())
    }

    /// As [`LifeCheckpoint::from_bytes`], for a life with a world, neuron models or rules of your own.
    ///
    /// # Errors
    /// As [`LifeCheckpoint::from_bytes`].
    pub fn from_bytes_with(bytes: &[u8], own: OwnLife) -> Result<Self> {
        let (file, header, integrity) = open::<Header>(bytes)?;
        let setup = LifeSetup::with(header.config.clone(), own).at("the configuration in the metadata")?;
        let s = setup.config.life.networks.count();
        check_header(&header, &setup)?;
        // A file can claim any delay: lists are allocated for its steps only once the file is known to have all their tensors.
        for d in 0..setup.longest() {
            file.required(&outputs(d), format!("[{s}, {}]", setup.circuit.neurons()))?;
        }
        let mut states: Vec<LifeState> = header.worlds.into_iter().map(|world| empty(&setup, world)).collect();
        let mut known = vec!["reward".to_string()];
        for kept in kept(&setup) {
            let n: usize = kept.shape.iter().product();
            let values = numbers(&file, &kept.name, kept.dtype, &[&[s], &kept.shape[..]].concat())?;
            for (state, row) in states.iter_mut().zip(values.chunks_exact(n)) {
                (kept.check)(&setup, &kept.name, row)?;
                *(kept.of)(state) = row.to_vec();
            }
            known.push(kept.name);
        }
        let rewards = numbers(&file, "reward", DType::F64, &[s])?;
        check_numbers(&setup, "reward", &rewards)?;
        states.iter_mut().zip(rewards).for_each(|(state, reward)| state.reward = reward);
        for k in 0..setup.rules.len() {
            known.extend(synapses(&file, &setup, k, &mut states)?);
        }
        file.only(&known.iter().map(String::as_str).collect::<Vec<_>>())?;
        Ok(LifeCheckpoint { setup, program: header.program, block: header.block, states, integrity })
    }

    /// Reads a checkpoint from a file or the newest one of a run's folder.
    ///
    /// # Errors
    /// [`Error::Io`](crate::Error::Io) if the file cannot be read; else as [`LifeCheckpoint::from_bytes`].
    pub fn read(path: &Path) -> Result<Self> {
        Self::read_with(path, OwnLife::default())
    }

    /// As [`LifeCheckpoint::read`], for a life with a world, neuron models or rules of your own.
    ///
    /// # Errors
    /// As [`LifeCheckpoint::read`].
    pub fn read_with(path: &Path, own: OwnLife) -> Result<Self> {
        read_newest::<Lives>(path, |bytes| Self::from_bytes_with(bytes, own.clone()))
    }
}

/// The name of the tensor of all neurons' outputs `d` steps before the last one.
fn outputs(d: usize) -> String {
    format!("outputs.{d}")
}

/// Checks the rest of the metadata: refuses a number of blocks beyond any life, and states that are not those of
/// its world.
fn check_header(header: &Header, setup: &LifeSetup) -> Result<()> {
    let networks = setup.config.life.networks;
    let (found, expected) = (header.worlds.len(), networks.count());
    ensure!(found == expected, Content, "the metadata's worlds has {found} entries for {expected} networks");
    let steps = setup.world.steps();
    let (block, most) = (header.block, MOST_STEPS / steps as u64);
    ensure!(block <= most, Content, "the metadata's block is {block}; expected at most {most}, of {steps} steps");
    for (network, state) in networks.range().zip(&header.worlds) {
        let mut world = setup.world.start(setup.config.life.seed, network);
        world.restore(state).at(format!("the metadata's worlds: network {network}"))?;
    }
    Ok(())
}

fn empty(setup: &LifeSetup, world: Value) -> LifeState {
    LifeState {
        neurons: setup.models.iter().map(|model| vec![Vec::new(); model.variables().len()]).collect(),
        outputs: vec![Vec::new(); setup.longest()],
        synapses: vec![Synapses::default(); setup.rules.len()],
        plastic: vec![PlasticState::default(); setup.rules.len()],
        reward: 0.0,
        shuffled: Vec::new(),
        world,
        membranes: Vec::new(),
        trail: Vec::new(),
        signals: Vec::new(),
    }
}
