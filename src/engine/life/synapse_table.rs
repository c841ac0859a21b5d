//! The synapses of a projection, stored for whoever touches them: by presynaptic neuron if spikes arrive, with an index
//! by postsynaptic neuron; by postsynaptic neuron if rates do.

use crate::model::Synapses;
use crate::rules::PairRule;

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
    /// The first synapse of each presynaptic neuron, and the end.
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
    pub fn new(synapses: &Synapses, eligibility: &[f64], from: usize, to: usize, plastic: bool) -> Self {
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

/// What happened to all synapses of a projection since they were last brought up to date together: at the end of period
/// k the third factor was g_k, so a synapse with eligibility z at the end of period a, which no spike has touched until
/// period b, has gained z Σ_{k=a}^{b−1} g_k ρ^(k−a), and its eligibility is z ρ^(b−a).
///
/// All g_k since then have the same sign, so the weight has moved one way only, and bounding it now gives what bounding
/// it at every period would have.
pub(super) struct Pending {
    /// Σ_{k<b} g_k ρ^k for each b from 0 to now.
    sums: Vec<f64>,
    /// ρ^k and ρ^(−k) for each k.
    powers: Vec<f64>,
    inverses: Vec<f64>,
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
        let inverses = powers.iter().map(|power| 1.0 / power).collect();
        Pending { sums: vec![0.0], powers, inverses, sign: 0.0, bounds: (bounds.0 as f32, bounds.1 as f32) }
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
        let gained = (self.sums[now] - self.sums[last]) * self.inverses[last];
        synapse.weight = (synapse.weight + z * gained as f32).clamp(self.bounds.0, self.bounds.1);
        synapse.eligibility = z * self.powers[now - last] as f32;
    }

    /// The end of a period with the third factor `gate`. Synapses are brought up to date first if they must be.
    pub fn end_period(&mut self, gate: f64, table: &mut SpikeTable) {
        if gate * self.sign < 0.0 || self.now() + 1 >= self.powers.len() {
            self.catch_up(table);
        }
        if gate != 0.0 {
            self.sign = gate.signum();
        }
        self.sums.push(self.sums[self.now()] + gate * self.powers[self.now()]);
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

/// Synapses of rate neurons, by postsynaptic neuron.
pub(super) struct RateTable {
    pub first: Vec<u32>,
    pub pre: Vec<u32>,
    pub weight: Vec<f32>,
    /// Changes held back; empty if there are none.
    pub held: Vec<f32>,
    /// The place of each synapse in [`Synapses`].
    pub place: Vec<u32>,
}

impl RateTable {
    pub fn new(synapses: &Synapses, held: &[f64], to: usize) -> Self {
        let mut place: Vec<u32> = (0..synapses.post.len() as u32).collect();
        place.sort_by_key(|k| synapses.post[*k as usize]);
        let at = |k: &u32| *k as usize;
        RateTable {
            first: firsts(to, synapses.post.iter().copied()),
            pre: place.iter().map(|k| synapses.pre[at(k)]).collect(),
            weight: place.iter().map(|k| synapses.weight[at(k)] as f32).collect(),
            held: if held.is_empty() { Vec::new() } else { place.iter().map(|k| held[at(k)] as f32).collect() },
            place,
        }
    }

    /// Adds Σ w r to the input of each postsynaptic neuron.
    pub fn deliver(&self, r: &[f32], input: &mut [f32]) {
        for (post, input) in input.iter_mut().enumerate() {
            let row = self.first[post] as usize..self.first[post + 1] as usize;
            *input += dot(&self.weight[row.clone()], &self.pre[row], r);
        }
    }
}

/// Σ w_k r[pre_k], in eight partial sums.
#[inline(always)]
fn dot(weight: &[f32], pre: &[u32], r: &[f32]) -> f32 {
    let mut sums = [0.0f32; 8];
    let (weights, rest) = weight.as_chunks::<8>();
    let (pres, last) = pre.as_chunks::<8>();
    for (w, p) in weights.iter().zip(pres) {
        for l in 0..8 {
            sums[l] += w[l] * r[p[l] as usize];
        }
    }
    for (l, (w, p)) in rest.iter().zip(last).enumerate() {
        sums[l] += w * r[*p as usize];
    }
    ((sums[0] + sums[4]) + (sums[1] + sums[5])) + ((sums[2] + sums[6]) + (sums[3] + sums[7]))
}
