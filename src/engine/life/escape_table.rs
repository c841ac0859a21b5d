//! The plastic synapses of neurons with escape noise, for rules that change every synapse in every step: matrices, 0 where there
//! is no synapse, updated in one pass.

use super::whole_table::{deliver_rows, SMALLEST};
use super::{double, single, PlasticState};
use crate::model::Synapses;
use crate::rules::{EscapeRate, Filter};
use pulp::{Arch, Simd, WithSimd};

/// The synapses, by pre-, then by postsynaptic neuron.
pub(super) struct EscapeTable {
    to: usize,
    /// Where the synapses of [`Synapses`] are here.
    place: Vec<u32>,
    /// 1 where there is a synapse.
    mask: Vec<f32>,
    weight: Vec<f32>,
    /// As in [`crate::rules::SynapseRule::variables`].
    variables: [Vec<f32>; 4],
    bounds: (f32, f32),
    /// Whether a neuron's own spikes end the effect of earlier input.
    resets: bool,
    /// P⁻ of each postsynaptic neuron.
    post: Vec<f32>,
    /// The factors of a step for each postsynaptic neuron: for the traces of its synapses, for the arriving input, and the fraction of
    /// the former that the neuron's own spike leaves.
    factors: [Vec<f32>; 3],
}

impl EscapeTable {
    pub fn new(
        synapses: &Synapses,
        plastic: &PlasticState,
        (from, to): (usize, usize),
        bounds: (f64, f64),
        resets: bool,
    ) -> Self {
        let place: Vec<u32> =
            synapses.pre.iter().zip(&synapses.post).map(|(pre, post)| pre * to as u32 + post).collect();
        let matrix = |values: &mut dyn Iterator<Item = f64>| {
            let mut matrix = vec![0.0; from * to];
            place.iter().zip(values).for_each(|(k, value)| matrix[*k as usize] = value as f32);
            matrix
        };
        let variable = |v: usize| matrix(&mut plastic.synaptic.get(v).into_iter().flatten().copied());
        EscapeTable {
            to,
            mask: matrix(&mut std::iter::repeat(1.0)),
            weight: matrix(&mut synapses.weight.iter().copied()),
            variables: std::array::from_fn(variable),
            resets,
            bounds: (bounds.0 as f32, bounds.1 as f32),
            post: single(&plastic.post),
            factors: std::array::from_fn(|_| vec![0.0; to]),
            place,
        }
    }

    /// Adds the weights of the synapses of neurons that fired to the input.
    pub fn deliver(&self, fired: &[u32], input: &mut [f32]) {
        deliver_rows(&self.weight, fired, input);
    }

    /// Applies the rule after a step in which `x` arrived and the neurons fired `f` with a `probability`; `gate` is the third factor
    /// times the learning rate.
    pub fn apply(&mut self, rule: &EscapeRate, gate: f64, x: &[f32], (f, probability): (&[f32], &[f32])) {
        let (a_minus, decay) = rule.depression.map_or((0.0, 0.0), |(a, decay)| (a as f32, decay as f32));
        let [held, arrived, kept] = &mut self.factors;
        for i in 0..self.to {
            held[i] = if rule.centred { f[i] - probability[i] } else { f[i] };
            let q = self.post[i] * decay;
            arrived[i] = a_minus * q;
            kept[i] = if self.resets { 1.0 - f[i] } else { 1.0 };
            self.post[i] = q * (1.0 - f[i]) + f[i];
        }
        if rule.depression.is_none() {
            self.post.fill(0.0);
        }
        Arch::new().dispatch(Apply { table: self, rule, gate: gate as f32, x });
    }

    /// The weights in the order of [`Synapses`].
    pub fn weights(&self) -> Vec<f64> {
        self.in_order(&self.weight)
    }

    /// The data kept for each synapse, and P⁻.
    pub fn kept(&self) -> (Vec<Vec<f64>>, Vec<f64>) {
        let variables = self.variables.iter().map(|values| self.in_order(values)).collect();
        (variables, double(&self.post))
    }

    fn in_order(&self, values: &[f32]) -> Vec<f64> {
        self.place.iter().map(|k| f64::from(values[*k as usize])).collect()
    }
}

struct Apply<'a> {
    table: &'a mut EscapeTable,
    rule: &'a EscapeRate,
    gate: f32,
    x: &'a [f32],
}

/// The decays of both exponentials and the factor of their difference; a missing exponential never receives input.
fn constants(filter: &Filter) -> (f32, f32, f32, f32) {
    let fed = if filter.fast.is_some() { 1.0 } else { 0.0 };
    (filter.slow as f32, filter.fast.unwrap_or(0.0) as f32, fed, filter.scale as f32)
}

impl WithSimd for Apply<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _simd: S) {
        let Apply { table, rule, gate, x } = self;
        let (slow, fast, fed, scale) = constants(&rule.response);
        let (z_slow, z_fast, z_fed, z_scale) = constants(&rule.eligibility);
        let (to, (low, high), change) = (table.to, table.bounds, gate * z_scale);
        let [a, b, z, y] = &mut table.variables;
        let [held, arrived, kept] = &table.factors;
        let (held, arrived, kept) = (&held[..to], &arrived[..to], &kept[..to]);
        let flushed = |v: f32| if v.abs() < SMALLEST { 0.0 } else { v };
        for (j, x) in x.iter().enumerate() {
            let row = j * to..(j + 1) * to;
            let (a, b, z, y) = (&mut a[row.clone()], &mut b[row.clone()], &mut z[row.clone()], &mut y[row.clone()]);
            let (w, mask) = (&mut table.weight[row.clone()], &table.mask[row]);
            for i in 0..to {
                let new = x * mask[i];
                let (p, q) = (a[i] * slow + new, b[i] * fast + fed * new);
                let zeta = (p - q) * scale * held[i] + new * arrived[i];
                let (u, v) = (z[i] * z_slow + zeta, y[i] * z_fast + z_fed * zeta);
                w[i] = (w[i] + (u - v) * change).clamp(low, high) * mask[i];
                (a[i], b[i]) = (flushed(p * kept[i]), flushed(q * kept[i]));
                (z[i], y[i]) = (flushed(u), flushed(v));
            }
        }
    }
}
