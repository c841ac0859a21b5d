//! Distal reward in a network that fires spontaneously (Izhikevich 2007, figure 1).

use super::*;
use crate::papers::IZHIKEVICH_2007;
use rand::RngExt;

pub(super) const LIFE: LifeInfo = LifeInfo {
    name: "distal-reward",
    summary: "one synapse grows because reward arrives seconds after it is active (Izhikevich 2007, figure 1)",
    papers: &[IZHIKEVICH_2007],
    rules: &["da-stdp"],
    measure: ("fraction_above", false),
    preset: include_str!("distal-reward.toml"),
    keys: Key::of::<DistalReward>,
    build: |table, places| parameters::<DistalReward>(table)?.build(places),
};

/// Reward comes seconds after two neurons with a synapse between them fire one after the other.
#[derive(Clone, Debug, PartialEq, DocumentedFields, JsonSchema, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct DistalReward {
    /// The postsynaptic neuron must fire less than this after the presynaptic one.
    #[schemars(extend("exclusiveMinimum" = 0))]
    pub within_ms: f64,
    /// The shortest time until the reward.
    #[schemars(extend("exclusiveMinimum" = 0))]
    pub delay_ms: f64,
    /// The longest random addition to that time.
    #[schemars(range(min = 0))]
    pub jitter_ms: f64,
    /// Above 0: used instead of `jitter_ms`, so that rewards carry no information about their cause: a control.
    #[schemars(range(min = 0))]
    pub shuffled_ms: f64,
    /// The dopamine that a reward releases.
    pub reward: f64,
    /// The weight that counts as learnt: the bound.
    pub learnt_at: f64,
}

impl Default for DistalReward {
    fn default() -> Self {
        DistalReward {
            within_ms: 20.0,
            delay_ms: 1000.0,
            jitter_ms: 2000.0,
            shuffled_ms: 0.0,
            reward: 0.5,
            learnt_at: 4.0,
        }
    }
}

impl DistalReward {
    /// The world.
    fn build(self, places: &Places) -> Result<Arc<dyn World>> {
        let excitatory = places.of("excitatory", |n| n > 1, "at least 2")?;
        let inhibitory = places.of("inhibitory", |_| true, "")?;
        let (jitter, shuffled) =
            (places.jitter("jitter_ms", self.jitter_ms)?, places.jitter("shuffled_ms", self.shuffled_ms)?);
        Ok(Arc::new(DistalWorld {
            steps: places.steps("block", 1000.0)?,
            within: places.steps("within_ms", self.within_ms)? as u64,
            delay: places.steps("delay_ms", self.delay_ms)? as u64,
            jitter: if self.shuffled_ms > 0.0 { shuffled } else { jitter },
            own: self,
            excitatory,
            inhibitory,
        }))
    }
}

#[derive(Clone)]
struct DistalWorld {
    own: DistalReward,
    steps: usize,
    within: u64,
    delay: u64,
    jitter: u64,
    excitatory: Range<usize>,
    inhibitory: Range<usize>,
}

struct DistalState {
    world: DistalWorld,
    /// The chosen synapse's place in its projection, and its postsynaptic neuron. The presynaptic one is the first.
    chosen: Option<(usize, usize)>,
    rng: Stream,
    /// Counted in this block.
    coincidences: u32,
    rewards: u32,
    life: Life,
}

/// The state that outlives a block.
#[derive(Default, Serialize, Deserialize)]
struct Life {
    now: u64,
    /// The last spike of the presynaptic neuron.
    pre_at: Option<u64>,
    /// Pending rewards.
    coming: Vec<u64>,
}

impl World for DistalWorld {
    fn name(&self) -> &str {
        "distal-reward"
    }

    fn steps(&self) -> usize {
        self.steps
    }

    fn figures(&self) -> Vec<&str> {
        vec![
            "chosen_weight",
            "mean_weight",
            "fraction_above_chosen",
            "coincidences",
            "rewards",
            "excitatory_hz",
            "inhibitory_hz",
        ]
    }

    fn start(&self, _: u64, _: u64) -> Box<dyn WorldState> {
        Box::new(DistalState {
            world: self.clone(),
            chosen: None,
            rng: stream(0, 0, 0, Phase::Train, Purpose::World),
            coincidences: 0,
            rewards: 0,
            life: Life::default(),
        })
    }

    fn curves(&self, rows: &[LifeRow]) -> Vec<Curve> {
        vec![
            Curve::of("weight", "chosen synapse", rows, 0),
            Curve::of("weight", "mean of all", rows, 1),
            Curve::of("rewards per second", "rewards", rows, 4),
            Curve::of("rate (Hz)", "excitatory", rows, 5),
            Curve::of("rate (Hz)", "inhibitory", rows, 6),
        ]
    }

    fn verdict(&self, rows: &[LifeRow]) -> Verdict {
        let column = |k: usize| rows.iter().map(move |row| row.figures[k]);
        let reached = rows.iter().find(|row| row.figures[0] >= 0.999 * self.own.learnt_at).map(|row| row.seconds);
        let last = rows.last().map_or(f64::NAN, |row| row.figures[0]);
        let figures = vec![
            ("reached_bound_s", reached.unwrap_or(f64::NAN)),
            ("chosen_weight", last),
            ("largest_weight_of_it", column(0).fold(0.0, f64::max)),
            ("mean_weight", rows.last().map_or(f64::NAN, |row| row.figures[1])),
            ("fraction_above", rows.last().map_or(f64::NAN, |row| row.figures[2])),
            ("rewards", column(4).sum()),
            ("excitatory_hz", mean(column(5))),
        ];
        Verdict::new((!rows.is_empty()).then_some(reached.is_some()), figures)
    }
}

impl WorldState for DistalState {
    fn settle(&mut self, wiring: &mut [Wiring], newborn: bool) {
        let Some(synapses) = wiring.iter_mut().find(|w| w.name == PLASTIC) else { return };
        let first = synapses.pre.iter().position(|pre| *pre == 0);
        self.chosen = first.map(|k| (k, self.world.excitatory.start + synapses.post[k] as usize));
        if let (Some(k), true) = (first, newborn) {
            synapses.weight[k] = 0.0;
        }
    }

    fn begin(&mut self, block: &mut Block) {
        self.rng = block.rng.clone();
        (self.coincidences, self.rewards) = (0, 0);
    }

    fn stimulate(&mut self, _: usize, _: &mut [f32]) {}

    fn observe(&mut self, _: usize, r: &[f32]) -> f64 {
        let life = &mut self.life;
        let now = life.now;
        life.now += 1;
        if let Some((_, post)) = self.chosen {
            if r[self.world.excitatory.start] > 0.0 {
                life.pre_at = Some(now);
            }
            if r[post] > 0.0 && life.pre_at.is_some_and(|at| at < now && now - at < self.world.within) {
                self.coincidences += 1;
                let wait = 1 + (self.world.jitter as f64 * self.rng.random::<f64>()) as u64;
                life.coming.push(now + self.world.delay + wait);
            }
        }
        let due = due(&mut life.coming, now);
        self.rewards += due;
        f64::from(due) * self.world.own.reward
    }

    fn end(&mut self, view: &View) -> Result<Vec<f64>> {
        let weights = view.wiring.iter().find(|w| w.name == PLASTIC).map_or(&[][..], |w| &*w.weight);
        let chosen = self.chosen.map_or(f64::NAN, |(k, _)| weights[k]);
        Ok(vec![
            chosen,
            mean(weights.iter().copied()),
            mean(weights.iter().map(|w| f64::from(u8::from(*w > chosen)))),
            f64::from(self.coincidences),
            f64::from(self.rewards),
            view.rate(&self.world.excitatory),
            view.rate(&self.world.inhibitory),
        ])
    }

    fn state(&self) -> Value {
        state(&self.life)
    }

    fn restore(&mut self, from: &Value) -> Result<()> {
        let life: Life = restored(from)?;
        within("now", life.now, 0..=MOST_STEPS)?;
        within("pre_at", life.pre_at.unwrap_or(0), 0..=life.now)?;
        let latest = life.now + self.world.delay + self.world.jitter + 1;
        life.coming.iter().try_for_each(|at| within("coming", *at, life.now..=latest))?;
        self.life = life;
        Ok(())
    }
}
