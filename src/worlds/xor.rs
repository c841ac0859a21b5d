//! XOR of two bits by the rate of one neuron, rewarded spike by spike (Florian 2007, sections 4.2 and 4.3).

use super::*;
use crate::papers::FLORIAN_2007;
use rand::seq::index::sample;
use rand::seq::SliceRandom;

pub(super) const RATE: LifeInfo = LifeInfo {
    name: "xor-rate",
    summary: "XOR of two bits coded by rates, learnt by spiking neurons from reward (Florian 2007, section 4.2)",
    papers: &[FLORIAN_2007],
    rules: &["mstdpet", "mstdp"],
    measure: ("apart_hz", true),
    preset: include_str!("xor-rate.toml"),
    keys: Key::of::<Xor>,
    build: |table, places| parameters::<Xor>(table)?.build(places),
};

pub(super) const TEMPORAL: LifeInfo = LifeInfo {
    name: "xor-temporal",
    summary: "XOR of two bits coded by spike trains (Florian 2007, section 4.3)",
    papers: &[FLORIAN_2007],
    rules: &["mstdpet", "mstdp"],
    measure: ("apart_hz", true),
    preset: include_str!("xor-temporal.toml"),
    keys: Key::of::<Xor>,
    build: |table, places| parameters::<Xor>(table)?.build(places),
};

/// How bits are coded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, JsonSchema, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Code {
    /// Populations `excitatory` and `inhibitory`: in each, half of the neurons belong to either bit, and fire at
    /// `rate_hz` if it is 1.
    Rate,
    /// Population `input`: two neurons, each of which plays one of two spike trains, drawn once for the network.
    Temporal,
}

/// The world's parameters.
#[derive(Clone, Debug, PartialEq, DocumentedFields, JsonSchema, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Xor {
    /// How bits are coded.
    pub code: Code,
    /// How long a pattern lasts.
    #[schemars(extend("exclusiveMinimum" = 0))]
    pub pattern_ms: f64,
    /// The rate for a 1 (rate code).
    #[schemars(range(min = 0))]
    pub rate_hz: f64,
    /// The number of spikes in each of the two trains (temporal code).
    pub spikes: usize,
    /// The reward of each output spike where the answer is 1; its negative where it is 0.
    pub reward: f64,
}

impl Xor {
    /// The published experiment.
    pub fn new(code: Code) -> Self {
        Xor { code, pattern_ms: 500.0, rate_hz: 40.0, spikes: 50, reward: 1.0 }
    }

    /// The world.
    fn build(self, places: &Places) -> Result<Arc<dyn World>> {
        let steps = places.steps("pattern_ms", self.pattern_ms)?;
        let output = places.of("output", |n| n == 1, "1")?.start;
        let even = |n: usize| n.is_multiple_of(2);
        let inputs = match self.code {
            Code::Rate => vec![
                places.of("excitatory", even, "an even number, half for each bit")?,
                places.of("inhibitory", even, "an even number, half for each bit")?,
            ],
            Code::Temporal => vec![places.of("input", |n| n == 2, "2, one for each bit")?],
        };
        expect(self.spikes <= steps, "world.spikes", self.spikes, format!("at most {steps}, one a step"))?;
        Ok(Arc::new(XorWorld { own: self, steps, output, inputs }))
    }
}

#[derive(Clone)]
struct XorWorld {
    own: Xor,
    steps: usize,
    output: usize,
    inputs: Vec<Range<usize>>,
}

struct XorState {
    world: XorWorld,
    seed: u64,
    network: u64,
    /// Whether there is a spike in each step, for a 0 and a 1 (temporal code).
    trains: [Vec<bool>; 2],
    /// The pattern of this block: bits 1 and 2.
    pattern: usize,
    /// The rate of each input neuron in this block (rate code).
    given: Vec<(usize, f32)>,
}

impl XorState {
    fn bit(&self, k: usize) -> bool {
        self.pattern >> k & 1 == 1
    }
}

impl World for XorWorld {
    fn name(&self) -> &str {
        match self.own.code {
            Code::Rate => "xor-rate",
            Code::Temporal => "xor-temporal",
        }
    }

    fn steps(&self) -> usize {
        self.steps
    }

    fn figures(&self) -> Vec<&str> {
        vec!["pattern", "rate_hz"]
    }

    fn memory(&self) -> f64 {
        // Two trains, and the lists of step indices from which their spikes are drawn.
        if self.own.code == Code::Temporal {
            2.0 * self.steps as f64 + 16.0 * self.own.spikes as f64
        } else {
            0.0
        }
    }

    fn start(&self, seed: u64, network: u64) -> Box<dyn WorldState> {
        let (trains, given) = (Default::default(), Vec::new());
        Box::new(XorState { world: self.clone(), seed, network, trains, pattern: 0, given })
    }

    fn curves(&self, rows: &[LifeRow]) -> Vec<Curve> {
        // The mean over ten epochs, in each of which every pattern is shown once.
        let of = |(name, pattern): (&'static str, f64)| {
            let mean_rate =
                |ten: &[LifeRow]| mean(ten.iter().filter(|r| r.figures[0] == pattern).map(|r| r.figures[1]));
            let points = rows.chunks(40).filter_map(|ten| Some((ten.last()?.seconds, mean_rate(ten)))).collect();
            Curve::new("output rate (Hz)", AGE, name, points)
        };
        [("00", 0.0), ("01", 2.0), ("10", 1.0), ("11", 3.0)].map(of).into()
    }

    /// A network has learnt if, over the last ten epochs, the rates for 01 and 10 are at least twice that for 11. `published` is
    /// Florian's strict criterion: both are above it.
    fn verdict(&self, rows: &[LifeRow]) -> Verdict {
        let last = &rows[rows.len().saturating_sub(40)..];
        let rate = |pattern: f64| mean(last.iter().filter(|row| row.figures[0] == pattern).map(|row| row.figures[1]));
        let [r00, r01, r10, r11] = [0.0, 2.0, 1.0, 3.0].map(rate);
        let least = r01.min(r10);
        // Many untrained networks meet the published criterion.
        let learnt = (rows.len() >= 40).then_some(least > 0.0 && least >= 2.0 * r11);
        let published = f64::from(u8::from(r11 < least));
        let rates = [("00_hz", r00), ("01_hz", r01), ("10_hz", r10), ("11_hz", r11)];
        Verdict::new(learnt, [&rates[..], &[("apart_hz", least - r11), ("published", published)]].concat())
    }
}

impl WorldState for XorState {
    fn settle(&mut self, _: &mut [Wiring], _newborn: bool) {
        if self.world.own.code == Code::Rate {
            return;
        }
        let mut rng = stream(self.seed, self.network, u64::MAX, Phase::Train, Purpose::World);
        for train in &mut self.trains {
            *train = vec![false; self.world.steps];
            sample(&mut rng, self.world.steps, self.world.own.spikes).into_iter().for_each(|step| train[step] = true);
        }
    }

    fn begin(&mut self, block: &mut Block) {
        // Each epoch of four blocks shows the four patterns in random order.
        let mut order = [0, 1, 2, 3];
        order.shuffle(&mut stream(self.seed, self.network, block.index / 4, Phase::Train, Purpose::World));
        self.pattern = order[(block.index % 4) as usize];
        self.given.clear();
        if self.world.own.code == Code::Rate {
            for places in &self.world.inputs {
                let half = places.len() / 2;
                let of_bit = |k: usize| places.start + k * half..places.start + (k + 1) * half;
                let on = [0, 1].into_iter().filter(|k| self.pattern >> k & 1 == 1).flat_map(of_bit);
                self.given.extend(on.map(|place| (place, self.world.own.rate_hz as f32)));
            }
        }
    }

    fn stimulate(&mut self, step: usize, input: &mut [f32]) {
        if self.world.own.code == Code::Temporal {
            for (k, place) in self.world.inputs[0].clone().enumerate() {
                input[place] = f32::from(u8::from(self.trains[usize::from(self.bit(k))][step]));
            }
        }
        self.given.iter().for_each(|(place, rate)| input[*place] = *rate);
    }

    fn observe(&mut self, _: usize, r: &[f32]) -> f64 {
        let wanted = self.bit(0) != self.bit(1);
        f64::from(r[self.world.output]) * if wanted { self.world.own.reward } else { -self.world.own.reward }
    }

    fn end(&mut self, view: &View) -> Result<Vec<f64>> {
        Ok(vec![self.pattern as f64, view.rate(&(self.world.output..self.world.output + 1))])
    }
}
