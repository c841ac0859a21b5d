//! The plastic synapses of neurons with escape noise, touched only by spikes: a matrix of all pairs, for rules in which neither
//! spikes nor rewards alone can change a weight (all but `r-max`).
//!
//! Between two spikes at a synapse its eligibility only decays, so its weight follows a known course. With S(t) the decay of a
//! kernel's exponential since the start of an epoch and C(t) = Σ gate(s) S(s) (D for the other exponential), a weight is
//! w + p C − q D. Here p and q are the values that the eligibility's two exponentials would have had at the start of the epoch, and w
//! is the constant that makes the sum right. Bounds are applied whenever a synapse is used or its epoch ends.

use super::whole_table::SMALLEST;
use super::{double, single, PlasticState};
use crate::model::Synapses;
use crate::rules::{EscapeRate, Filter};

/// Traces of spikes that have arrived are forgotten once they have decayed to this.
const FORGOTTEN: f64 = 1e-6;
/// An epoch ends when an exponential has decayed to this.
const EPOCH: f64 = 1e-3;

/// All synapses, by pre-, then by postsynaptic neuron.
pub(super) struct EscapeEvents {
    pub rule: EscapeRate,
    /// Whether a neuron's own spikes end the effect of earlier input.
    resets: bool,
    to: usize,
    bounds: (f32, f32),
    synapses: Vec<Held>,
    /// S and, with the gates, C of both exponentials of the eligibility.
    decayed: [f64; 2],
    gated: [f64; 2],
    /// The traces left by the spikes of each presynaptic neuron that arrived in this block, in both exponentials,
    /// after the last of them.
    left: Vec<[f32; 2]>,
    /// The presynaptic neurons that can have a trace left.
    active: Vec<u32>,
    is_active: Vec<bool>,
    /// Their traces now.
    now: Vec<[f32; 2]>,
    /// The step in the block, from 1, and the step of the last spike of each presynaptic and of each postsynaptic neuron.
    step: usize,
    last_pre: Vec<usize>,
    last_post: Vec<usize>,
    /// The fraction of a trace left after k steps, in both exponentials; 0 beyond the end of the list.
    decay: Vec<[f32; 2]>,
    /// P⁻ of each postsynaptic neuron.
    post: Vec<f32>,
}

/// One synapse. Its trace is that of the presynaptic neuron's spikes in this block, minus what is left of `ended`. `ended` is the part
/// that the postsynaptic neuron's last spike ended, and decays from that spike on. If there was none, it is minus the synapse's trace
/// at the start of the block, and decays from there.
#[derive(Clone, Copy, Default)]
struct Held {
    w: f32,
    p: f32,
    q: f32,
    ended: [f32; 2],
}

impl Held {
    #[inline(always)]
    fn weight(&self, c: f32, d: f32, (low, high): (f32, f32)) -> f32 {
        (self.w + self.p * c - self.q * d).clamp(low, high)
    }
}

impl EscapeEvents {
    /// The table of synapses in ascending order, if they connect all of `from` neurons to all of `to` and the rule changes only
    /// synapses with spikes.
    pub fn new(
        rule: EscapeRate,
        synapses: &Synapses,
        plastic: &PlasticState,
        (from, to): (usize, usize),
        bounds: (f64, f64),
        resets: bool,
    ) -> Option<Self> {
        if rule.centred || synapses.pre.len() != from * to {
            return None;
        }
        let at = |v: usize, k: usize| plastic.synaptic.get(v).map_or(0.0, |values| values[k] as f32);
        let held =
            |k: usize| Held { w: synapses.weight[k] as f32, p: at(2, k), q: at(3, k), ended: [-at(0, k), -at(1, k)] };
        let mut table = EscapeEvents {
            rule,
            resets,
            to,
            bounds: (bounds.0 as f32, bounds.1 as f32),
            synapses: (0..from * to).map(held).collect(),
            decayed: [1.0; 2],
            gated: [0.0; 2],
            left: vec![[0.0; 2]; from],
            active: Vec::new(),
            is_active: vec![false; from],
            now: Vec::new(),
            step: 0,
            last_pre: vec![0; from],
            last_post: vec![0; to],
            decay: decays(&rule.response),
            post: single(&plastic.post),
        };
        table.find_active();
        Some(table)
    }

    /// Adds the weights of the synapses of neurons that fired to the input.
    pub fn deliver(&self, fired: &[u32], input: &mut [f32]) {
        let [c, d] = self.gated.map(|sum| sum as f32);
        for pre in fired {
            let row = &self.synapses[*pre as usize * self.to..][..self.to];
            input.iter_mut().zip(row).for_each(|(input, held)| *input += held.weight(c, d, self.bounds));
        }
    }

    /// Applies the rule after a step in which spikes of the neurons `arrived` came and the neurons `fired` spiked; `gate` is the third
    /// factor times the learning rate.
    pub fn apply(&mut self, gate: f64, arrived: &[u32], fired: &[u32]) {
        let EscapeRate { response, eligibility, depression, .. } = self.rule;
        self.step += 1;
        self.decayed[0] *= eligibility.slow;
        self.decayed[1] *= eligibility.fast.unwrap_or(1.0);
        for pre in arrived {
            let j = *pre as usize;
            let [slow, fast] = self.left_of(j);
            self.left[j] = [slow + 1.0, fast + if response.fast.is_some() { 1.0 } else { 0.0 }];
            self.last_pre[j] = self.step;
            if !std::mem::replace(&mut self.is_active[j], true) {
                self.active.push(*pre);
            }
        }
        if let Some((a_minus, decay)) = depression {
            self.post.iter_mut().for_each(|q| *q *= decay as f32);
            for pre in arrived {
                for i in 0..self.to {
                    let zeta = a_minus as f32 * self.post[i];
                    self.adder()(&mut self.synapses[*pre as usize * self.to + i], zeta);
                }
            }
        }
        if !fired.is_empty() {
            self.forget();
        }
        let scale = response.scale as f32;
        for post in fired {
            let i = *post as usize;
            let (add, [slow, fast]) = (self.adder(), self.decay_since(self.last_post[i]));
            for (pre, left) in self.active.iter().zip(&self.now) {
                let held = &mut self.synapses[*pre as usize * self.to + i];
                let h = (left[0] - held.ended[0] * slow) - (left[1] - held.ended[1] * fast);
                add(held, h * scale);
                if self.resets {
                    held.ended = *left;
                }
            }
            if self.resets {
                self.last_post[i] = self.step;
            }
            if depression.is_some() {
                self.post[i] = 1.0;
            }
        }
        let fed = [1.0, if eligibility.fast.is_some() { 1.0 } else { 0.0 }];
        for k in 0..2 {
            self.gated[k] += gate * eligibility.scale * fed[k] * self.decayed[k];
        }
        if self.decayed[0].min(self.decayed[1]) < EPOCH {
            self.end_epoch();
        }
    }

    /// The fraction of a trace that is left since the step `last`.
    fn decay_since(&self, last: usize) -> [f32; 2] {
        self.decay.get(self.step - last).copied().unwrap_or_default()
    }

    /// The trace left by the spikes of presynaptic neuron `j` in this block.
    fn left_of(&self, j: usize) -> [f32; 2] {
        let ([slow, fast], decay) = (self.left[j], self.decay_since(self.last_pre[j]));
        [slow * decay[0], fast * decay[1]]
    }

    /// Lists the traces of the active presynaptic neurons, and drops neurons whose trace has vanished.
    fn forget(&mut self) {
        let mut active = std::mem::take(&mut self.active);
        active.retain(|pre| {
            let j = *pre as usize;
            self.is_active[j] = self.step - self.last_pre[j] < self.decay.len();
            if !self.is_active[j] {
                self.synapses[j * self.to..][..self.to].iter_mut().for_each(|held| held.ended = [0.0; 2]);
            }
            self.is_active[j]
        });
        self.active = active;
        self.now.clear();
        for k in 0..self.active.len() {
            self.now.push(self.left_of(self.active[k] as usize));
        }
    }

    /// A function that adds to the eligibility of a synapse and brings its weight up to date.
    fn adder(&self) -> impl Fn(&mut Held, f32) + use<> {
        let ([c, d], bounds) = (self.gated.map(|sum| sum as f32), self.bounds);
        let fed = if self.rule.eligibility.fast.is_some() { 1.0 } else { 0.0 };
        let (for_p, for_q) = ((1.0 / self.decayed[0]) as f32, (fed / self.decayed[1]) as f32);
        move |held, zeta| {
            let weight = held.weight(c, d, bounds);
            held.p += zeta * for_p;
            held.q += zeta * for_q;
            held.w = weight - held.p * c + held.q * d;
        }
    }

    /// Brings all weights and eligibilities up to date.
    fn end_epoch(&mut self) {
        let ([c, d], bounds) = (self.gated.map(|sum| sum as f32), self.bounds);
        let [s, t] = self.decayed.map(|decayed| decayed as f32);
        for held in &mut self.synapses {
            held.w = held.weight(c, d, bounds);
            (held.p, held.q) = (flushed(held.p * s), flushed(held.q * t));
        }
        (self.decayed, self.gated) = ([1.0; 2], [0.0; 2]);
    }

    /// Ends a block: brings everything up to date.
    pub fn end_block(&mut self) {
        self.end_epoch();
        let since: Vec<[f32; 2]> = self.last_post.iter().map(|last| self.decay_since(*last)).collect();
        for j in 0..self.left.len() {
            let left = self.left_of(j);
            for (held, since) in self.synapses[j * self.to..][..self.to].iter_mut().zip(&since) {
                let counts = |k: usize| flushed(held.ended[k] * since[k] - left[k]);
                held.ended = [counts(0), counts(1)];
            }
        }
        self.step = 0;
        self.left.fill([0.0; 2]);
        self.last_pre.fill(0);
        self.last_post.fill(0);
        self.find_active();
    }

    fn find_active(&mut self) {
        let rows = self.synapses.chunks_exact(self.to);
        self.is_active = rows.map(|row| row.iter().any(|held| held.ended != [0.0; 2])).collect();
        self.active = (0..).zip(&self.is_active).filter(|(_, active)| **active).map(|(pre, _)| pre).collect();
    }

    /// The weights, between blocks.
    pub fn weights(&self) -> Vec<f64> {
        self.synapses.iter().map(|held| f64::from(held.w)).collect()
    }

    /// The data kept for each synapse, and P⁻, between blocks.
    pub fn kept(&self) -> (Vec<Vec<f64>>, Vec<f64>) {
        let of = |value: fn(&Held) -> f32| self.synapses.iter().map(|held| f64::from(value(held))).collect();
        let synaptic = vec![of(|held| -held.ended[0]), of(|held| -held.ended[1]), of(|held| held.p), of(|held| held.q)];
        (synaptic, double(&self.post))
    }
}

/// The decays of both exponentials after 0, 1, … steps, until the slower one has practically vanished.
fn decays(filter: &Filter) -> Vec<[f32; 2]> {
    let steps = (FORGOTTEN.ln() / libm::log(filter.slow)).clamp(1.0, 1e6) as i32;
    let power = |decay: f64, n: i32| libm::pow(decay, f64::from(n)) as f32;
    (0..=steps).map(|n| [power(filter.slow, n), filter.fast.map_or(0.0, |fast| power(fast, n))]).collect()
}

fn flushed(v: f32) -> f32 {
    if v.abs() < SMALLEST {
        0.0
    } else {
        v
    }
}
