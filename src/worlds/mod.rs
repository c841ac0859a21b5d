//! Worlds, in which networks live. In each step a world stimulates neurons, sees their outputs, and gives reward.
//!
//! A [`World`] is the description, which all networks share; a [`WorldState`] is the world of one network.
//!
//! Time is divided into blocks of steps, such as the presentation of a pattern or a second. At the end of a block the
//! world reports figures, which become a row of `metrics.csv`; a life can be saved and resumed between blocks.
//!
//! To add a world, write a file with types that implement [`World`] and [`WorldState`] and a [`LifeInfo`] that describes the world,
//! write the network that lives there as a TOML file beside it, and add the [`LifeInfo`] to [`LIVES`].

mod actor_critic;
mod distal_reward;
mod given;
mod pattern;
mod pavlovian;
mod places;
mod rows;
mod xor;

pub use actor_critic::ActorCritic;
pub use distal_reward::DistalReward;
pub use given::Given;
pub use pattern::Pattern;
pub use pavlovian::Pavlovian;
pub use places::Places;
pub use rows::{Curve, LifeRow, Verdict};
pub use xor::Xor;

// Every world's file begins with `use super::*`, which brings these in.
use crate::error::{bail, ensure, Error, Result};
use crate::keys::{self, Key};
use crate::papers::Paper;
use crate::random::{stream, Phase, Purpose, Stream};
use crate::ranges::expect;
use documented::DocumentedFields;
use rows::{mean, AGE};
use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::ops::{Range, RangeInclusive};
use std::sync::Arc;
use toml::Table;

/// A named life: a world, and the network that lives in it, as published.
#[non_exhaustive]
pub struct LifeInfo {
    /// The name, also of the world.
    pub name: &'static str,
    /// A one-line description with the source.
    pub summary: &'static str,
    /// The papers on which it is based.
    pub papers: &'static [&'static Paper],
    /// The rules that it supports; the first is the usual one.
    pub rules: &'static [&'static str],
    /// The figure of the verdict that ranks settings in which equally many networks learnt, and whether larger values are better.
    pub measure: (&'static str, bool),
    /// The populations, projections and the world's parameters, as TOML; a table `with` has settings for some of the rules.
    pub(crate) preset: &'static str,
    /// The world's parameters, with their meanings and ranges.
    pub(crate) keys: fn() -> Vec<Key>,
    /// Builds the world from its parameters.
    pub(crate) build: fn(Table, &Places) -> Result<Arc<dyn World>>,
}

/// Every named life.
pub static LIVES: &[LifeInfo] = &[
    xor::RATE,
    xor::TEMPORAL,
    given::LIFE,
    distal_reward::LIFE,
    pavlovian::LIFE,
    pattern::LIFE,
    actor_critic::lives::MAZE,
    actor_critic::lives::TRACK,
    actor_critic::lives::ACROBOT,
    actor_critic::lives::CARTPOLE,
    actor_critic::lives::ENVIRONMENT,
];

/// A description of a world, shared by all networks; [`WorldState`] is the world of one network.
///
/// A file can claim parameters of any size, so a description must not take more memory than its parameters. Anything larger is
/// allocated in [`WorldState::settle`].
pub trait World: Send + Sync {
    /// The name used in configurations.
    fn name(&self) -> &str;
    /// The number of steps in a block.
    fn steps(&self) -> usize;
    /// The names of the figures of a block: columns of `metrics.csv`.
    fn figures(&self) -> Vec<&str>;
    /// The names of [`WorldState::signals`].
    fn signals(&self) -> Vec<&str> {
        Vec::new()
    }
    /// The memory in bytes that [`WorldState::settle`] takes for a network.
    fn memory(&self) -> f64 {
        0.0
    }
    /// The world of a network. All random streams are made from `seed`.
    fn start(&self, seed: u64, network: u64) -> Box<dyn WorldState>;
    /// Lines that show the surroundings of a body.
    fn outline(&self) -> Vec<Vec<(f64, f64)>> {
        Vec::new()
    }
    /// The curves of a life to be drawn, from its rows of metrics.
    fn curves(&self, _rows: &[LifeRow]) -> Vec<Curve> {
        Vec::new()
    }
    /// The results of a life, from its rows of metrics.
    fn verdict(&self, _rows: &[LifeRow]) -> Verdict {
        Verdict::new(None, Vec::new())
    }
}

/// The world of one network.
pub trait WorldState: Send {
    /// Called once, when the network is born or resumed. A world can change the weights of a `newborn`.
    fn settle(&mut self, _wiring: &mut [Wiring], _newborn: bool) {}
    /// Called at the start of a block.
    fn begin(&mut self, block: &mut Block);
    /// Adds the stimuli of a step to `input`, which is 0 at first: spikes or rates of sources, currents into other neurons.
    fn stimulate(&mut self, step: usize, input: &mut [f32]);
    /// Sees the outputs r of all neurons in a step; returns the reward, which acts in the next one.
    fn observe(&mut self, step: usize, r: &[f32]) -> f64;
    /// Called at the end of a block; returns the values of [`World::figures`].
    ///
    /// # Errors
    /// Any error, including one from an earlier step of the block, ends the simulation.
    fn end(&mut self, view: &View) -> Result<Vec<f64>>;
    /// Whether nothing more will happen here: the life is over, and there are no stimuli and no reward.
    fn is_over(&self) -> bool {
        false
    }
    /// The trajectory of a body, every 10 ms of the frozen time since the world was made: a line for each trial, with
    /// x, y and the value expected there. `None`: there is no body.
    fn trail(&self) -> Option<&[Vec<[f64; 3]>]> {
        None
    }
    /// Quantities of the last step, for recordings, such as the value that a critic expects.
    fn signals(&self) -> Vec<f64> {
        Vec::new()
    }
    /// The state that outlives a block.
    fn state(&self) -> Value {
        Value::Null
    }
    /// Restores [`WorldState::state`]. The file that held it may not be trustworthy, so everything used later is checked here.
    ///
    /// # Errors
    /// [`Error::Content`] if it is not a state of this world, or holds numbers that no life can reach.
    fn restore(&mut self, state: &Value) -> Result<()> {
        ensure!(state.is_null(), Content, "the state of the world is not empty; expected null");
        Ok(())
    }
}

/// A stretch of time.
#[non_exhaustive]
pub struct Block {
    /// Its number, from 0.
    pub index: u64,
    /// Whether weights are frozen in it.
    pub frozen: bool,
    /// Its random numbers.
    pub rng: Stream,
}

impl Block {
    /// A block with its random numbers.
    pub(crate) fn new(index: u64, frozen: bool, rng: Stream) -> Self {
        Block { index, frozen, rng }
    }
}

/// The synapses of a projection.
#[non_exhaustive]
pub struct Wiring<'a> {
    /// Its name, `FROM-TO`.
    pub name: &'a str,
    /// Presynaptic neurons, counted from the first of their population.
    pub pre: &'a [u32],
    /// Postsynaptic neurons.
    pub post: &'a [u32],
    /// Weights.
    pub weight: &'a mut [f64],
}

/// The data that a world sees at the end of a block.
#[non_exhaustive]
pub struct View<'a> {
    /// The number of spikes of each neuron in the block.
    pub spikes: &'a [u32],
    /// The duration of the block.
    pub seconds: f64,
    /// All synapses.
    pub wiring: &'a [Wiring<'a>],
}

impl View<'_> {
    /// Mean rate of the neurons at `places`, in Hz.
    pub fn rate(&self, places: &Range<usize>) -> f64 {
        let spikes: u64 = self.spikes[places.clone()].iter().map(|spikes| u64::from(*spikes)).sum();
        spikes as f64 / self.seconds / places.len().max(1) as f64
    }
}

/// The largest number of steps in a life: in double precision, whole numbers are exact up to here.
pub(crate) const MOST_STEPS: u64 = 1 << 53;

/// The parameters of a world.
fn parameters<P: DeserializeOwned + JsonSchema + Serialize + 'static>(table: Table) -> Result<P> {
    keys::parameters("world", table)
}

/// A state as JSON.
fn state(of: &impl Serialize) -> Value {
    serde_json::to_value(of).unwrap_or_default()
}

/// A state from JSON.
fn restored<S: DeserializeOwned>(state: &Value) -> Result<S> {
    S::deserialize(state).map_err(|error| Error::Content(format!("the state of the world: {error}")))
}

/// Refuses a number in a state that is not in `range`.
fn within(key: &str, found: u64, range: RangeInclusive<u64>) -> Result<()> {
    let (least, most) = (range.start(), range.end());
    ensure!(range.contains(&found), Content, "the state of the world: {key} is {found}; expected {least} to {most}");
    Ok(())
}

/// The projection whose synapses the worlds with dopamine observe.
const PLASTIC: &str = "excitatory-excitatory";

/// Removes the rewards that are due now from the pending ones, and counts them.
fn due(coming: &mut Vec<u64>, now: u64) -> u32 {
    let before = coming.len();
    coming.retain(|at| *at != now);
    (before - coming.len()) as u32
}
