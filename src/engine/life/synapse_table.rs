//! The synapses of a projection, in the order in which they are used: by presynaptic neuron, with an index by postsynaptic neuron, if
//! spikes arrive; by postsynaptic neuron if rates arrive.

use crate::model::Synapses;
use crate::rules::PairRule;
use pulp::{Arch, Simd, WithSimd};

/// A synapse onto `post`. Its weight and eligibility are those at the end of period `last`.
#[derive(Clone, Copy)]
pub(super) struct Synapse {
    pub weight: f32,
    pub eligibility: f32,
    pub last: u32,
    pub post: u32,
}

/// Synapses of spiking neurons.
pub(super) struct SpikeTable {
    /// The place of the first synapse of each presynaptic neuron, then the number of synapses.
    pub first: Vec<u32>,
    pub synapses: Vec<Synapse>,
    /// The first entry in `onto` of each postsynaptic neuron, and the end; empty if weights are fixed.
    pub first_onto: Vec<u32>,
    /// A synapse's place and its presynaptic neuron.
    pub onto: Vec<(u32, u32)>,
}

/// The first place of each of `n` neurons in an ascending list, and its end.
fn firsts(n: usize, neurons: impl Iterator<Item = u32>) -> Vec<u32> {
    let mut first = vec![0; n + 1];
    neurons.for_each(|neuron| first[neuron as usize + 1] += 1);
    for k in 0..n {
        first[k + 1] += first[k];
    }
    first
}

impl SpikeTable {
    pub fn new(synapses: &Synapses, eligibility: &[f64], (from, to): (usize, usize), plastic: bool) -> Self {
        let each = synapses.post.iter().zip(&synapses.weight).enumerate().map(|(k, (post, weight))| Synapse {
            weight: *weight as f32,
            eligibility: eligibility.get(k).map_or(0.0, |z| *z as f32),
            last: 0,
            post: *post,
        });
        let (mut first_onto, mut onto) = (Vec::new(), Vec::new());
        if plastic {
            first_onto = firsts(to, synapses.post.iter().copied());
            let mut next = first_onto.clone();
            onto = vec![(0, 0); synapses.post.len()];
            for (k, (pre, post)) in synapses.pre.iter().zip(&synapses.post).enumerate() {
                onto[next[*post as usize] as usize] = (k as u32, *pre);
                next[*post as usize] += 1;
            }
        }
        SpikeTable { first: firsts(from, synapses.pre.iter().copied()), synapses: each.collect(), first_onto, onto }
    }

    /// The places of the synapses of presynaptic neuron `pre`.
    #[inline(always)]
    pub fn of(&self, pre: u32) -> std::ops::Range<usize> {
        self.first[pre as usize] as usize..self.first[pre as usize + 1] as usize
    }

    /// The places in `onto` of the synapses onto `post`.
    #[inline(always)]
    pub fn onto(&self, post: u32) -> std::ops::Range<usize> {
        self.first_onto[post as usize] as usize..self.first_onto[post as usize + 1] as usize
    }
}

/// The third factors since all synapses of a projection were last brought up to date together. At the end of period k the third
/// factor was g_k. If a synapse had eligibility z at the end of period a, and no spike has touched it until period b, its weight has
/// gained z Σ_{k=a}^{b−1} g_k ρ^(k−a), and its eligibility is z ρ^(b−a).
///
/// All g_k since then have the same sign, so the weight has moved in one direction only: bounding it now gives the same weight as
/// bounding it at every period.
pub(super) struct Pending {
    /// For each b from 0 to now: Σ_{k<b} g_k ρ^k and ρ^(−b).
    sums: Vec<(f64, f64)>,
    /// ρ^k for each k, in both precisions.
    powers: Vec<f64>,
    decays: Vec<f32>,
    /// The sign of the g_k so far; 0 if all are 0.
    sign: f64,
    bounds: (f32, f32),
}

/// Sums over more periods would lose digits: ρ^(−k) stays below this.
const LARGEST_INVERSE: f64 = 1e6;

impl Pending {
    pub fn new(rule: &PairRule, bounds: (f64, f64)) -> Self {
        let rho = rule.eligibility.map_or(0.0, |(decay, _)| decay);
        let most = if rho > 0.0 { (LARGEST_INVERSE.ln() / -rho.ln()).clamp(1.0, 100_000.0) as usize } else { 1 };
        let powers: Vec<f64> = (0..=most).map(|k| libm::pow(rho, k as f64)).collect();
        let decays = powers.iter().map(|power| *power as f32).collect();
        let bounds = (bounds.0 as f32, bounds.1 as f32);
        Pending { sums: vec![(0.0, 1.0)], powers, decays, sign: 0.0, bounds }
    }

    /// The number of periods since then.
    #[inline(always)]
    pub fn now(&self) -> usize {
        self.sums.len() - 1
    }

    /// Brings a synapse up to date.
    #[inline(always)]
    pub fn touch(&self, synapse: &mut Synapse) {
        let (now, last) = (self.now(), synapse.last as usize);
        if last == now {
            return;
        }
        synapse.last = now as u32;
        let z = synapse.eligibility;
        if z == 0.0 {
            return;
        }
        let (before, inverse) = self.sums[last];
        let gained = (self.sums[now].0 - before) * inverse;
        synapse.weight = (synapse.weight + z * gained as f32).clamp(self.bounds.0, self.bounds.1);
        synapse.eligibility = z * self.decays[now - last];
    }

    /// Ends a period with the third factor `gate`. Synapses are brought up to date first if necessary.
    pub fn end_period(&mut self, gate: f64, table: &mut SpikeTable) {
        if gate * self.sign < 0.0 || self.now() + 1 >= self.powers.len() {
            self.catch_up(table);
        }
        if gate != 0.0 {
            self.sign = gate.signum();
        }
        let power = self.powers[self.now()];
        self.sums.push((self.sums[self.now()].0 + gate * power, 1.0 / self.powers[self.now() + 1]));
    }

    /// Brings all synapses up to date together.
    pub fn catch_up(&mut self, table: &mut SpikeTable) {
        for synapse in &mut table.synapses {
            self.touch(synapse);
            synapse.last = 0;
        }
        self.sums.truncate(1);
        self.sign = 0.0;
    }

    /// A weight after an immediate change.
    #[inline(always)]
    pub fn bounded(&self, weight: f32) -> f32 {
        weight.clamp(self.bounds.0, self.bounds.1)
    }
}

/// Traces of the spikes of neurons, which decay by ρ in each step. Only a neuron's own spikes touch its trace; between
/// them its value follows from its age.
pub(super) struct Traces {
    /// The value after the neuron's last spike, and the step of that spike in the block, from 1; 0: before the block.
    last: Vec<(f32, u32)>,
    /// ρ^k; below a billionth of a billionth it counts as 0.
    powers: Vec<f32>,
    /// Whether a spike adds 1 to the trace, or sets it to 1.
    accumulates: bool,
}

impl Traces {
    pub fn new(values: &[f64], decay: f64, accumulates: bool) -> Self {
        let powers = (0..).map(|k| libm::pow(decay, f64::from(k))).take_while(|power| *power > 1e-18).take(1 << 20);
        let last = values.iter().map(|value| (*value as f32, 0)).collect();
        Traces { last, powers: powers.map(|power| power as f32).collect(), accumulates }
    }

    /// The trace of a neuron in a step.
    #[inline(always)]
    pub fn at(&self, neuron: u32, step: u32) -> f32 {
        let (value, at) = self.last[neuron as usize];
        value * self.powers.get((step - at) as usize).copied().unwrap_or(0.0)
    }

    /// The neurons `fired` in a step.
    pub fn spike(&mut self, fired: &[u32], step: u32) {
        for neuron in fired {
            let before = if self.accumulates { self.at(*neuron, step) } else { 0.0 };
            self.last[*neuron as usize] = (before + 1.0, step);
        }
    }

    /// Ends a block of `steps` steps.
    pub fn end_block(&mut self, steps: u32) {
        for neuron in 0..self.last.len() {
            self.last[neuron] = (self.at(neuron as u32, steps), 0);
        }
    }

    /// The traces of all neurons, between blocks.
    pub fn values(&self) -> Vec<f64> {
        self.last.iter().map(|(value, _)| f64::from(*value)).collect()
    }
}

/// Synapses of rate neurons. Postsynaptic neurons with about as many synapses form a group, whose k-th synapses lie side
/// by side: one pass adds them all. Shorter rows are filled up with weights of 0 from a silent neuron.
pub(super) struct RateTable {
    groups: Vec<Group>,
    /// Presynaptic neurons.
    pre: Vec<u16>,
    pub weight: Vec<f32>,
    /// Changes held back; empty if there are none.
    pub held: Vec<f32>,
    /// Where the synapses of [`Synapses`] are here.
    place: Vec<u32>,
}

/// Postsynaptic neurons whose synapses lie side by side.
struct Group {
    posts: Vec<u32>,
    /// Their synapses, by k, then by neuron.
    synapses: std::ops::Range<usize>,
}

/// The most neurons in a group.
const LANES: usize = 32;

/// The largest number of rate neurons that can project: one less than a 16-bit index can address.
pub(super) const MOST_RATES: usize = u16::MAX as usize;

/// The rates of a population, with room for any 16-bit index, so that indices need no check. The last rate is always 0.
pub(super) type Rates = [f32; MOST_RATES + 1];

impl RateTable {
    pub fn new(synapses: &Synapses, held: &[f64], to: usize) -> Self {
        let mut rows: Vec<Vec<u32>> = vec![Vec::new(); to];
        synapses.post.iter().zip(0..).for_each(|(post, k)| rows[*post as usize].push(k));
        let mut order: Vec<u32> = (0..to as u32).collect();
        order.sort_by_key(|post| rows[*post as usize].len());
        let mut table = RateTable {
            groups: Vec::new(),
            pre: Vec::new(),
            weight: Vec::new(),
            held: Vec::new(),
            place: vec![0; synapses.post.len()],
        };
        for posts in order.chunks(LANES) {
            let longest = posts.iter().map(|post| rows[*post as usize].len()).max().unwrap_or(0);
            let start = table.pre.len();
            for k in 0..longest {
                for post in posts {
                    let synapse = rows[*post as usize].get(k).map(|synapse| *synapse as usize);
                    if let Some(synapse) = synapse {
                        table.place[synapse] = table.pre.len() as u32;
                    }
                    table.pre.push(synapse.map_or(u16::MAX, |synapse| synapses.pre[synapse] as u16));
                    table.weight.push(synapse.map_or(0.0, |synapse| synapses.weight[synapse] as f32));
                    if !held.is_empty() {
                        table.held.push(synapse.map_or(0.0, |synapse| held[synapse] as f32));
                    }
                }
            }
            table.groups.push(Group { posts: posts.to_vec(), synapses: start..table.pre.len() });
        }
        table
    }

    /// `values` of this table in the order of [`Synapses`].
    pub fn in_order(&self, values: &[f32]) -> Vec<f64> {
        self.place.iter().map(|k| f64::from(values[*k as usize])).collect()
    }

    /// Adds Σ w r to the input of each postsynaptic neuron.
    pub fn deliver(&self, r: &Rates, input: &mut [f32]) {
        Arch::new().dispatch(Deliver { table: self, r, input });
    }

    /// Adds s_i r_j to the weights, or to the changes held back; `scale` is s of each postsynaptic neuron.
    pub fn add(&mut self, scale: &[f32], r: &Rates) {
        let to = if self.held.is_empty() { &mut self.weight } else { &mut self.held };
        Arch::new().dispatch(Add { groups: &self.groups, pre: &self.pre, to, scale, r });
    }
}

struct Deliver<'a> {
    table: &'a RateTable,
    r: &'a Rates,
    input: &'a mut [f32],
}

impl WithSimd for Deliver<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _simd: S) {
        let Deliver { table, r, input } = self;
        for Group { posts, synapses } in &table.groups {
            let n = posts.len();
            let mut sums = [0.0f32; LANES];
            let rows = table.weight[synapses.clone()].chunks_exact(n).zip(table.pre[synapses.clone()].chunks_exact(n));
            for (weights, pres) in rows {
                for ((sum, w), pre) in sums[..n].iter_mut().zip(weights).zip(pres) {
                    *sum += w * r[*pre as usize];
                }
            }
            for (post, sum) in posts.iter().zip(sums) {
                input[*post as usize] += sum;
            }
        }
    }
}

struct Add<'a> {
    groups: &'a [Group],
    pre: &'a [u16],
    to: &'a mut [f32],
    scale: &'a [f32],
    r: &'a Rates,
}

impl WithSimd for Add<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _simd: S) {
        let Add { groups, pre, to, scale, r } = self;
        for Group { posts, synapses } in groups {
            let n = posts.len();
            let mut scales = [0.0f32; LANES];
            scales.iter_mut().zip(posts).for_each(|(s, post)| *s = scale[*post as usize]);
            let rows = to[synapses.clone()].chunks_exact_mut(n).zip(pre[synapses.clone()].chunks_exact(n));
            for (to, pres) in rows {
                for ((to, s), pre) in to.iter_mut().zip(&scales[..n]).zip(pres) {
                    *to += s * r[*pre as usize];
                }
            }
        }
    }
}
