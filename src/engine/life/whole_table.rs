//! The plastic synapses of a projection that connects every spiking neuron with every other one: a matrix, in which
//! spikes change whole rows and columns. Where reward is rare, passes over the whole matrix are rare too.

use super::{single, PlasticState};
use crate::model::Synapses;
use crate::rules::{PairRule, Simultaneous};
use pulp::{Arch, Simd, WithSimd};

/// The synapses, by pre-, then by postsynaptic neuron, and the traces of all neurons.
pub(super) struct WholeTable {
    to: usize,
    weight: Vec<f32>,
    /// The eligibilities divided by `scale`; only `scale` decays. Empty if the rule has no eligibility.
    eligibility: Vec<f32>,
    scale: f64,
    bounds: (f32, f32),
    pre: Vec<f32>,
    post: Vec<f32>,
}

/// Stored eligibilities are multiplied by their scale before it falls below this, so that they keep their digits.
const SMALLEST_SCALE: f64 = 1e-6;

/// Smaller traces and eligibilities count as 0: arithmetic with numbers too small to be normal is slow.
pub(super) const SMALLEST: f32 = 1e-18;

/// The spikes of one step of a projection.
pub(super) struct WholePairs<'a> {
    pub rule: &'a PairRule,
    /// The third factor.
    pub gate: f64,
    /// Whether a period of the rule ends with this step.
    pub due: bool,
    /// The outputs of the previous step, in which a spike is 1, and the neurons that fired.
    pub pre: (&'a [f32], &'a [u32]),
    pub post: (&'a [f32], &'a [u32]),
}

impl WholeTable {
    /// The table of synapses in ascending order, if they connect all of `from` neurons to all of `to`.
    pub fn new(
        synapses: &Synapses,
        plastic: &PlasticState,
        (from, to): (usize, usize),
        bounds: (f64, f64),
    ) -> Option<Self> {
        (synapses.pre.len() == from * to).then(|| WholeTable {
            to,
            weight: single(&synapses.weight),
            eligibility: plastic.synaptic.first().map_or_else(Vec::new, |z| single(z)),
            scale: 1.0,
            bounds: (bounds.0 as f32, bounds.1 as f32),
            pre: single(&plastic.pre),
            post: single(&plastic.post),
        })
    }

    /// Adds the weights of the synapses of neurons that fired to the input.
    pub fn deliver(&self, fired: &[u32], input: &mut [f32]) {
        deliver_rows(&self.weight, fired, input);
    }

    /// Updates the traces, applies all pairs of spikes, and at the end of a period changes the weights by the eligibilities.
    pub fn apply(&mut self, pairs: &WholePairs) {
        Arch::new().dispatch(Apply { table: self, pairs });
    }

    /// Ends a block: brings all eligibilities up to date.
    pub fn end_block(&mut self) {
        let scale = std::mem::replace(&mut self.scale, 1.0) as f32;
        for z in &mut self.eligibility {
            *z *= scale;
            *z = if z.abs() < SMALLEST { 0.0 } else { *z };
        }
    }

    pub fn weights(&self) -> &[f32] {
        &self.weight
    }

    /// Eligibilities and the traces of pre- and of postsynaptic neurons, between blocks.
    pub fn kept(&self) -> [&[f32]; 3] {
        [&self.eligibility, &self.pre, &self.post]
    }
}

/// Adds those rows of a weight matrix to the input whose neurons fired.
pub(super) fn deliver_rows(weight: &[f32], fired: &[u32], input: &mut [f32]) {
    for pre in fired {
        let row = &weight[*pre as usize * input.len()..][..input.len()];
        input.iter_mut().zip(row).for_each(|(input, w)| *input += w);
    }
}

struct Apply<'a> {
    table: &'a mut WholeTable,
    pairs: &'a WholePairs<'a>,
}

impl WithSimd for Apply<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _simd: S) {
        let WholeTable { to, weight, eligibility, scale, bounds: (low, high), pre: p, post: q } = self.table;
        let WholePairs { rule, gate, due, pre: (f_pre, fired_pre), post: (f_post, fired_post) } = *self.pairs;
        let (to, low, high) = (*to, *low, *high);
        let moved = |traces: &mut [f32], decay: f64, f: &[f32]| {
            // A spike adds 1 to its trace, or sets it to 1.
            let kept = if rule.accumulates { 0.0 } else { 1.0 };
            for (trace, f) in traces.iter_mut().zip(f) {
                let new = *trace * (decay as f32 * (1.0 - kept * f)) + f;
                *trace = if new < SMALLEST { 0.0 } else { new };
            }
        };
        moved(q, rule.post_decay, f_post);
        let both = rule.simultaneous == Simultaneous::Both;
        if both {
            moved(p, rule.pre_decay, f_pre);
        }
        match rule.eligibility {
            Some((_, factor)) => {
                let factor = (factor / *scale) as f32;
                let (plus, minus) = (factor * rule.a_plus as f32, factor * rule.a_minus as f32);
                for pre in fired_pre {
                    let row = &mut eligibility[*pre as usize * to..][..to];
                    row.iter_mut().zip(&*q).for_each(|(z, q)| *z += minus * q);
                }
                for post in fired_post {
                    let column = eligibility[*post as usize..].iter_mut().step_by(to);
                    column.zip(&*p).for_each(|(z, p)| *z += plus * p);
                }
            }
            None if gate != 0.0 => {
                let (plus, minus) = (gate as f32 * rule.a_plus as f32, gate as f32 * rule.a_minus as f32);
                for pre in fired_pre {
                    let row = &mut weight[*pre as usize * to..][..to];
                    let p = plus * p[*pre as usize];
                    for ((w, q), f) in row.iter_mut().zip(&*q).zip(f_post) {
                        *w = (*w + (minus * q + p * f)).clamp(low, high);
                    }
                }
                for post in fired_post {
                    let column = weight[*post as usize..].iter_mut().step_by(to);
                    for ((w, p), f) in column.zip(&*p).zip(f_pre) {
                        *w = (*w + plus * p * (1.0 - f)).clamp(low, high);
                    }
                }
            }
            None => (),
        }
        if !both {
            moved(p, rule.pre_decay, f_pre);
        }
        if let (Some((decay, _)), true) = (rule.eligibility, due) {
            if gate != 0.0 {
                let gate = (gate * *scale) as f32;
                for (w, z) in weight.iter_mut().zip(&*eligibility) {
                    *w = (*w + gate * z).clamp(low, high);
                }
            }
            *scale *= decay;
            if *scale < SMALLEST_SCALE {
                self.table.end_block();
            }
        }
    }
}
