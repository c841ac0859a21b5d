//! Pavlovian conditioning in a network that fires spontaneously (Izhikevich 2007, figure 2).

use super::*;
use crate::papers::IZHIKEVICH_2007;
use rand::seq::index::sample;
use rand::RngExt;

pub(super) const LIFE: LifeInfo = LifeInfo {
    name: "pavlovian",
    summary: "the response to one of 100 stimuli grows because reward follows it (Izhikevich 2007, figure 2)",
    papers: &[IZHIKEVICH_2007],
    rules: &["da-stdp"],
    measure: ("z", true),
    preset: include_str!("pavlovian.toml"),
    keys: Key::of::<Pavlovian>,
    build: |table, places| parameters::<Pavlovian>(table)?.build(places),
};

/// One of many stimuli is followed by reward.
#[derive(Clone, Debug, PartialEq, DocumentedFields, JsonSchema, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Pavlovian {
    /// The number of stimuli.
    #[schemars(range(min = 2))]
    pub stimuli: usize,
    /// The number of excitatory neurons that each stimulus excites.
    pub neurons: usize,
    /// The current injected into those neurons, for one step.
    pub current: f64,
    /// The shortest time from one stimulus to the next.
    #[schemars(extend("exclusiveMinimum" = 0))]
    pub gap_ms: f64,
    /// The longest random addition to that time.
    #[schemars(range(min = 0))]
    pub gap_jitter_ms: f64,
    /// The longest time from the stimulus to its reward; the shortest is 0.
    #[schemars(range(min = 0))]
    pub delay_ms: f64,
    /// The dopamine that a reward releases.
    pub reward: f64,
    /// Whether any stimulus can be followed by a reward, with the same mean number of rewards: a control.
    pub any_stimulus: bool,
    /// The response to a stimulus in the frozen time: spikes of other excitatory neurons, from this time after it …
    #[schemars(extend("exclusiveMinimum" = 0))]
    pub response_from_ms: f64,
    /// … to this time after it.
    #[schemars(extend("exclusiveMinimum" = 0))]
    pub response_to_ms: f64,
}

impl Default for Pavlovian {
    fn default() -> Self {
        Pavlovian {
            stimuli: 100,
            neurons: 50,
            current: 40.0,
            gap_ms: 100.0,
            gap_jitter_ms: 200.0,
            delay_ms: 1000.0,
            reward: 0.5,
            any_stimulus: false,
            response_from_ms: 2.0,
            response_to_ms: 15.0,
        }
    }
}

impl Pavlovian {
    /// The world.
    fn build(self, places: &Places) -> Result<Arc<dyn World>> {
        let excitatory = places.of("excitatory", |n| n >= self.neurons, "at least world.neurons")?;
        let (gap_jitter, delay) =
            (places.jitter("gap_jitter_ms", self.gap_jitter_ms)?, places.jitter("delay_ms", self.delay_ms)?);
        let gap = places.steps("gap_ms", self.gap_ms)?;
        let window = places.steps("response_from_ms", self.response_from_ms)? as u64
            ..=places.steps("response_to_ms", self.response_to_ms)? as u64;
        expect(*window.end() < gap as u64, "world.response_to_ms", self.response_to_ms, "less than world.gap_ms")?;
        Ok(Arc::new(PavlovianWorld {
            steps: places.steps("block", 1000.0)?,
            gap,
            gap_jitter,
            delay,
            window,
            per_ms: 1.0 / places.dt_ms,
            own: self,
            excitatory,
        }))
    }
}

#[derive(Clone)]
struct PavlovianWorld {
    own: Pavlovian,
    steps: usize,
    excitatory: Range<usize>,
    gap: usize,
    /// The longest times beyond `gap`, and until a reward, in steps.
    gap_jitter: u64,
    delay: u64,
    window: RangeInclusive<u64>,
    per_ms: f64,
}

struct PavlovianState {
    world: PavlovianWorld,
    seed: u64,
    network: u64,
    /// The neurons of each stimulus, ascending.
    sets: Vec<Vec<usize>>,
    rng: Stream,
    frozen: bool,
    rewards: u32,
    life: Conditioning,
}

/// The state that outlives a block.
#[derive(Default, Serialize, Deserialize)]
struct Conditioning {
    now: u64,
    /// The time of the next stimulus.
    next_at: u64,
    /// The last stimulus and its time.
    last: Option<(usize, u64)>,
    /// Pending rewards.
    coming: Vec<u64>,
    /// How often each stimulus was shown in the frozen time, and the spikes in response.
    shown: Vec<u64>,
    responses: Vec<u64>,
}

impl World for PavlovianWorld {
    fn name(&self) -> &str {
        "pavlovian"
    }

    fn steps(&self) -> usize {
        self.steps
    }

    fn figures(&self) -> Vec<&str> {
        vec!["rank", "z", "response", "other_responses", "first_set_weight", "mean_weight", "rewards", "excitatory_hz"]
    }

    fn memory(&self) -> f64 {
        self.own.stimuli as f64 * (8.0 * self.own.neurons as f64 + 40.0)
    }

    fn start(&self, seed: u64, network: u64) -> Box<dyn WorldState> {
        Box::new(PavlovianState {
            world: self.clone(),
            seed,
            network,
            sets: Vec::new(),
            rng: stream(0, 0, 0, Phase::Train, Purpose::World),
            frozen: false,
            rewards: 0,
            life: Conditioning::default(),
        })
    }

    fn curves(&self, rows: &[LifeRow]) -> Vec<Curve> {
        vec![
            Curve::of("mean weight of outgoing synapses", "of the rewarded stimulus", rows, 4),
            Curve::of("mean weight of outgoing synapses", "of all neurons", rows, 5),
            Curve::of("rate (Hz)", "excitatory", rows, 7),
        ]
    }

    fn verdict(&self, rows: &[LifeRow]) -> Verdict {
        let tested = rows.last().filter(|row| row.weights_fixed);
        let last = |k: usize| tested.map_or(f64::NAN, |row| row.figures[k]);
        let figures = vec![
            ("rank", last(0)),
            ("z", last(1)),
            ("response", last(2)),
            ("other_responses", last(3)),
            ("first_set_weight", last(4)),
            ("mean_weight", last(5)),
            ("rewards", rows.iter().map(|row| row.figures[6]).sum()),
            ("excitatory_hz", mean(rows.iter().map(|row| row.figures[7]))),
        ];
        Verdict::new(tested.map(|_| last(0) == 1.0), figures)
    }
}

impl WorldState for PavlovianState {
    fn settle(&mut self, _: &mut [Wiring], newborn: bool) {
        let mut rng = stream(self.seed, self.network, u64::MAX, Phase::Train, Purpose::World);
        let set = |_| {
            let mut set = sample(&mut rng, self.world.excitatory.len(), self.world.own.neurons).into_vec();
            set.sort_unstable();
            set
        };
        self.sets = (0..self.world.own.stimuli).map(set).collect();
        if newborn {
            let none = vec![0; self.world.own.stimuli];
            let next_at = self.world.gap as u64;
            self.life = Conditioning { next_at, shown: none.clone(), responses: none, ..Conditioning::default() };
        }
    }

    fn begin(&mut self, block: &mut Block) {
        self.rng = block.rng.clone();
        (self.frozen, self.rewards) = (block.frozen, 0);
    }

    fn stimulate(&mut self, _: usize, input: &mut [f32]) {
        let life = &mut self.life;
        if life.now != life.next_at {
            return;
        }
        let stimulus = self.rng.random_range(0..self.sets.len());
        for neuron in &self.sets[stimulus] {
            input[self.world.excitatory.start + neuron] += self.world.own.current as f32;
        }
        life.last = Some((stimulus, life.now));
        let draw = |rng: &mut Stream, ms: f64| (rng.random::<f64>() * ms * self.world.per_ms) as u64;
        life.next_at += self.world.gap as u64 + draw(&mut self.rng, self.world.own.gap_jitter_ms);
        let wait = 1 + draw(&mut self.rng, self.world.own.delay_ms);
        let rewarded = match self.world.own.any_stimulus {
            true => self.rng.random_range(0..self.sets.len()) == 0,
            false => stimulus == 0,
        };
        if rewarded && !self.frozen {
            life.coming.push(life.now + wait);
        }
        if self.frozen {
            life.shown[stimulus] += 1;
        }
    }

    fn observe(&mut self, _: usize, r: &[f32]) -> f64 {
        let life = &mut self.life;
        let now = life.now;
        life.now += 1;
        if let (Some((stimulus, at)), true) = (life.last, self.frozen) {
            if self.world.window.contains(&(now - at)) && life.shown[stimulus] > 0 {
                let excited = |places: &[f32]| places.iter().filter(|r| **r > 0.0).count();
                let all = excited(&r[self.world.excitatory.clone()]);
                let members = self.sets[stimulus].iter().filter(|k| r[self.world.excitatory.start + **k] > 0.0).count();
                life.responses[stimulus] += (all - members) as u64;
            }
        }
        let due = due(&mut life.coming, now);
        self.rewards += due;
        f64::from(due) * self.world.own.reward
    }

    fn end(&mut self, view: &View) -> Result<Vec<f64>> {
        let life = &self.life;
        let responses = life.responses.iter().zip(&life.shown);
        let responses: Vec<f64> = responses.map(|(spikes, shown)| *spikes as f64 / *shown as f64).collect();
        let others: Vec<f64> = responses[1..].iter().copied().filter(|r| r.is_finite()).collect();
        let first = responses[0];
        let m = mean(others.iter().copied());
        let sd = (others.iter().map(|r| (r - m).powi(2)).sum::<f64>() / (others.len().max(2) - 1) as f64).sqrt();
        let seen = first.is_finite() && !others.is_empty();
        let rank = if seen { 1.0 + others.iter().filter(|r| **r >= first).count() as f64 } else { f64::NAN };
        let plastic = view.wiring.iter().find(|w| w.name == PLASTIC);
        let member = |k: &u32| self.sets[0].binary_search(&(*k as usize)).is_ok();
        let of_first = plastic.into_iter().flat_map(|w| w.pre.iter().zip(&*w.weight)).filter(|(pre, _)| member(pre));
        Ok(vec![
            rank,
            (first - m) / sd,
            first,
            m,
            mean(of_first.map(|(_, w)| *w)),
            mean(plastic.into_iter().flat_map(|w| w.weight.iter().copied())),
            f64::from(self.rewards),
            view.rate(&self.world.excitatory),
        ])
    }

    fn state(&self) -> Value {
        state(&self.life)
    }

    fn restore(&mut self, from: &Value) -> Result<()> {
        let life: Conditioning = restored(from)?;
        let sizes = [life.shown.len(), life.responses.len()];
        let seen = life.last.is_none_or(|(stimulus, _)| stimulus < self.world.own.stimuli);
        ensure!(
            sizes == [self.world.own.stimuli; 2] && seen,
            Content,
            "the state of the world does not hold {} stimuli",
            self.world.own.stimuli
        );
        let now = life.now;
        within("now", now, 0..=MOST_STEPS)?;
        within("next_at", life.next_at, now..=now + self.world.gap as u64 + self.world.gap_jitter)?;
        within("last", life.last.map_or(0, |(_, at)| at), 0..=now)?;
        life.coming.iter().try_for_each(|at| within("coming", *at, now..=now + self.world.delay + 1))?;
        life.shown.iter().try_for_each(|shown| within("shown", *shown, 0..=now))?;
        life.responses.iter().try_for_each(|spikes| within("responses", *spikes, 0..=MOST_STEPS))?;
        self.life = life;
        Ok(())
    }
}
