//! The wiring of a network of populations: which synapses exist, and their initial weights.

use crate::config::{Connect, InitialSynapses, LifeConfig, ProjectionConfig};
use crate::error::{ensure, Result};
use crate::random::{events, gaussian, stream, Phase, Purpose, Stream};
use rand::seq::index::sample;
use rand::RngExt;
use std::ops::Range;

/// The places of the neurons of each population and of the populations of each projection.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Circuit {
    /// The name and the places of the neurons of each population.
    pub populations: Vec<(String, Range<usize>)>,
    /// The name of each projection and its populations' places in the list.
    pub projections: Vec<(String, usize, usize)>,
}

impl Circuit {
    /// The populations and projections of a configuration that has been checked.
    pub fn new(config: &LifeConfig) -> Self {
        let mut end = 0;
        let populations = config.populations.iter().map(|p| {
            end += p.size;
            (p.name.clone(), end - p.size..end)
        });
        let populations: Vec<_> = populations.collect();
        let place = |name: &str| populations.iter().position(|(known, _)| known == name).unwrap_or_default();
        let projections = config.projections.iter().map(|p| (p.name(), place(&p.from), place(&p.to))).collect();
        Circuit { populations, projections }
    }

    /// The number of neurons.
    pub fn neurons(&self) -> usize {
        self.populations.last().map_or(0, |(_, places)| places.end)
    }

    /// The population of a neuron, and its place there; `None` if there is no such neuron.
    pub fn place(&self, neuron: usize) -> Option<(usize, usize)> {
        let p = self.populations.iter().position(|(_, places)| places.contains(&neuron))?;
        Some((p, neuron - self.populations[p].1.start))
    }

    /// The places of the neurons of both populations of projection `k`.
    pub fn ends(&self, k: usize) -> (Range<usize>, Range<usize>) {
        let (_, from, to) = &self.projections[k];
        (self.populations[*from].1.clone(), self.populations[*to].1.clone())
    }
}

/// The synapses of a projection of one network, ordered by presynaptic neuron, then by postsynaptic neuron. Neurons are
/// counted from the first of their population.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct Synapses {
    /// Presynaptic neurons.
    pub pre: Vec<u32>,
    /// Postsynaptic neurons.
    pub post: Vec<u32>,
    /// Weights.
    pub weight: Vec<f64>,
}

impl Synapses {
    /// Draws the synapses of projection `k` of a network.
    ///
    /// # Errors
    /// [`Error::Usage`](crate::Error::Usage) if there are more than 2³² synapses.
    pub(crate) fn draw(config: &LifeConfig, k: usize, network: u64) -> Result<Self> {
        let projection = &config.projections[k];
        let (from, to) = (size(config, &projection.from), size(config, &projection.to));
        let seed = config.life.seed;
        let drawn = |purpose| stream(seed, network, k as u64, Phase::Train, purpose);
        let pairs = pairs(projection, from, to, &mut drawn(Purpose::Synapses));
        let few = u32::try_from(pairs.len()).is_ok();
        ensure!(few, Usage, "projection {}: {} synapses; expected fewer than 2^32", projection.name(), pairs.len());
        let weight = weights(projection, pairs.len(), &mut drawn(Purpose::SynapticWeights));
        let (pre, post) = pairs.into_iter().unzip();
        Ok(Synapses { pre, post, weight })
    }
}

fn size(config: &LifeConfig, name: &str) -> usize {
    config.populations.iter().find(|p| p.name == name).map_or(0, |p| p.size)
}

/// The connected pairs (pre, post), ascending.
fn pairs(projection: &ProjectionConfig, from: usize, to: usize, rng: &mut Stream) -> Vec<(u32, u32)> {
    let itself = projection.from == projection.to;
    // Index `other` of all but neuron `own`.
    let skip = |own: usize, other: usize| (other + usize::from(itself && other >= own)) as u32;
    let (others_from, others_to) = (from - usize::from(itself), to - usize::from(itself));
    let mut pairs: Vec<(u32, u32)> = match projection.connect {
        Connect::Density(p) => {
            let of = |pre: usize| events(rng, others_to, p).into_iter().map(move |post| (pre as u32, skip(pre, post)));
            (0..from).flat_map(of).collect()
        }
        Connect::InDegree(k) => {
            let of =
                |post: usize| sample(rng, others_from, k).into_iter().map(move |pre| (skip(post, pre), post as u32));
            (0..to).flat_map(of).collect()
        }
        Connect::OutDegree(k) => {
            let of = |pre: usize| sample(rng, others_to, k).into_iter().map(move |post| (pre as u32, skip(pre, post)));
            (0..from).flat_map(of).collect()
        }
    };
    pairs.sort_unstable();
    pairs
}

/// Initial weights, within the bounds.
fn weights(projection: &ProjectionConfig, n: usize, rng: &mut Stream) -> Vec<f64> {
    let bounded = |w: f64| w.clamp(projection.w_min, projection.w_max);
    match projection.weights {
        InitialSynapses::Constant(w) => vec![bounded(w); n],
        InitialSynapses::Uniform(low, high) => {
            (0..n).map(|_| bounded(low + (high - low) * rng.random::<f64>())).collect()
        }
        InitialSynapses::Normal(mean, sd) => {
            gaussian(rng, n, sd).into_iter().map(|z| bounded(mean + f64::from(z))).collect()
        }
    }
}
