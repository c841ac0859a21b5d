//! Given spike times and rewards: for single synapses, and for spike trains of your own.

use super::*;
use crate::papers::FLORIAN_2007;

pub(super) const LIFE: LifeInfo = LifeInfo {
    name: "one-synapse",
    summary: "one synapse whose neurons fire at given times (Florian 2007, figure 1); you can supply your own spikes",
    papers: &[FLORIAN_2007],
    rules: &["mstdpet", "mstdp", "stdp", "da-stdp"],
    measure: ("last_weight", true),
    preset: include_str!("one-synapse.toml"),
    keys: Given::keys,
    build: |table, places| parameters::<Given>(table)?.build(places),
};

/// The world's parameters. Times are those of the life, in ms from birth; the step at t ms is the t/Δt-th, from 0.
#[derive(Clone, Debug, PartialEq, DocumentedFields, JsonSchema, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Given {
    /// The time from one row of metrics.csv to the next.
    #[schemars(extend("exclusiveMinimum" = 0))]
    pub block_ms: f64,
    /// Spikes of neurons of populations whose model is `input`.
    pub spikes: Vec<Train>,
    /// The reward from these times on; 0 before the first.
    pub rewards: Vec<Reward>,
}

/// The spikes of a neuron.
#[derive(Clone, Debug, PartialEq, DocumentedFields, JsonSchema, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Train {
    /// Its population.
    pub population: String,
    /// Its index there, from 0.
    pub neuron: usize,
    /// When it fires.
    pub at_ms: Vec<f64>,
}

/// A reward that lasts until the next one begins.
#[derive(Clone, Debug, PartialEq, DocumentedFields, JsonSchema, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Reward {
    /// When it begins.
    pub from_ms: f64,
    /// How large it is.
    pub value: f64,
}

impl Given {
    /// The parameters.
    pub(crate) fn keys() -> Vec<Key> {
        let spikes = Key::of::<Train>().into_iter().map(|key| key.inside("spikes"));
        let rewards = Key::of::<Reward>().into_iter().map(|key| key.inside("rewards"));
        Key::of::<Given>().into_iter().chain(spikes).chain(rewards).collect()
    }

    /// The world.
    fn build(self, places: &Places) -> Result<Arc<dyn World>> {
        let block = places.steps("block_ms", self.block_ms)?;
        let end_ms = places.seconds * 1000.0;
        let step = |what: &str, ms: f64| -> Result<u64> {
            let step = (ms / places.dt_ms).round();
            if !(ms >= 0.0 && ms < end_ms) {
                bail!(Usage, "world.{what}: {ms} ms is outside the life; expected at least 0 and less than {end_ms}");
            }
            Ok(step as u64)
        };
        let mut spikes = Vec::new();
        for train in &self.spikes {
            let neurons = places.of(
                &train.population,
                |n| train.neuron < n,
                &format!("more than {} (world.spikes)", train.neuron),
            )?;
            for ms in &train.at_ms {
                spikes.push((step("spikes", *ms)?, neurons.start + train.neuron));
            }
        }
        spikes.sort_unstable();
        let rewards = self.rewards.iter().map(|reward| Ok((step("rewards", reward.from_ms)?, reward.value)));
        let mut rewards: Vec<(u64, f64)> = rewards.collect::<Result<_>>()?;
        rewards.sort_by_key(|(from, _)| *from);
        Ok(Arc::new(GivenWorld { block, spikes: spikes.into(), rewards: rewards.into() }))
    }
}

#[derive(Clone)]
struct GivenWorld {
    /// Steps in a block.
    block: usize,
    /// Steps and neurons, ascending.
    spikes: Arc<[(u64, usize)]>,
    /// First steps and values, ascending.
    rewards: Arc<[(u64, f64)]>,
}

struct GivenState {
    world: GivenWorld,
    /// The first step of this block.
    first: u64,
}

impl World for GivenWorld {
    fn name(&self) -> &str {
        "one-synapse"
    }

    fn steps(&self) -> usize {
        self.block
    }

    fn figures(&self) -> Vec<&str> {
        vec!["weight", "spikes"]
    }

    fn start(&self, _: u64, _: u64) -> Box<dyn WorldState> {
        Box::new(GivenState { world: self.clone(), first: 0 })
    }

    fn curves(&self, rows: &[LifeRow]) -> Vec<Curve> {
        vec![Curve::of("weight of the first synapse", "weight", rows, 0)]
    }

    fn verdict(&self, rows: &[LifeRow]) -> Verdict {
        let weight = |row: Option<&LifeRow>| row.map_or(f64::NAN, |row| row.figures[0]);
        Verdict::new(None, vec![("first_weight", weight(rows.first())), ("last_weight", weight(rows.last()))])
    }
}

impl WorldState for GivenState {
    fn begin(&mut self, block: &mut Block) {
        self.first = block.index * self.world.block as u64;
    }

    fn stimulate(&mut self, step: usize, input: &mut [f32]) {
        let now = self.first + step as u64;
        let from = self.world.spikes.partition_point(|(at, _)| *at < now);
        self.world.spikes[from..].iter().take_while(|(at, _)| *at == now).for_each(|(_, neuron)| input[*neuron] = 1.0);
    }

    fn observe(&mut self, step: usize, _: &[f32]) -> f64 {
        // The reward acts in the next step.
        let next = self.first + step as u64 + 1;
        let begun = self.world.rewards.partition_point(|(from, _)| *from <= next);
        begun.checked_sub(1).map_or(0.0, |last| self.world.rewards[last].1)
    }

    fn end(&mut self, view: &View) -> Result<Vec<f64>> {
        let weight = view.wiring.first().and_then(|wiring| wiring.weight.first()).copied();
        Ok(vec![weight.unwrap_or(f64::NAN), view.spikes.iter().map(|spikes| f64::from(*spikes)).sum()])
    }
}
