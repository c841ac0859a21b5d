//! The effect of one step's spikes on the synapses of a projection.

use super::synapse_table::{Pending, SpikeTable, Synapse, Traces};
use crate::rules::{PairRule, Simultaneous};

/// Adds the weights of the synapses of neurons that fired to the input.
pub(super) fn deliver(table: &mut SpikeTable, pending: Option<&Pending>, fired: &[u32], input: &mut [f32]) {
    for pre in fired {
        let places = table.of(*pre);
        for synapse in &mut table.synapses[places] {
            if let Some(pending) = pending {
                pending.touch(synapse);
            }
            input[synapse.post as usize] += synapse.weight;
        }
    }
}

/// Spike pairs of one step of a projection.
pub(super) struct Pairs<'a> {
    pub rule: &'a PairRule,
    /// The third factor, for rules without eligibility.
    pub gate: f32,
    /// The step in the block, from 1.
    pub step: u32,
    /// The outputs of the previous step, in which a spike is 1.
    pub pre: &'a [f32],
    pub post: &'a [f32],
}

impl Pairs<'_> {
    /// Updates the traces and applies all pairs to the synapses; with `input`, also delivers the presynaptic spikes, using the weights
    /// from before these pairs.
    pub fn apply(
        &self,
        table: &mut SpikeTable,
        pending: &Pending,
        (p, q): (&mut Traces, &mut Traces),
        (fired_pre, fired_post): (&[u32], &[u32]),
        mut input: Option<&mut [f32]>,
    ) {
        let (rule, step) = (self.rule, self.step);
        let (a_plus, a_minus) = (rule.a_plus as f32, rule.a_minus as f32);
        q.spike(fired_post, step);
        let both = rule.simultaneous == Simultaneous::Both;
        if both {
            p.spike(fired_pre, step);
        }
        // The step whose presynaptic traces count.
        let seen = if both { step } else { step - 1 };
        let scale = rule.eligibility.map(|(_, scale)| scale as f32);
        let change = |synapse: &mut Synapse, zeta: f32| match scale {
            Some(scale) => synapse.eligibility += zeta * scale,
            None => synapse.weight = pending.bounded(synapse.weight + self.gate * zeta),
        };
        // Pairs of this step's presynaptic spikes, including those with this step's postsynaptic spikes.
        for pre in fired_pre {
            let trace = p.at(*pre, seen);
            let places = table.of(*pre);
            for synapse in &mut table.synapses[places] {
                pending.touch(synapse);
                let post = synapse.post;
                if let Some(input) = &mut input {
                    input[post as usize] += synapse.weight;
                }
                let zeta = a_minus * q.at(post, step) + a_plus * trace * self.post[post as usize];
                change(synapse, zeta);
            }
        }
        // Pairs of this step's postsynaptic spikes with earlier presynaptic ones.
        for post in fired_post {
            for place in table.onto(*post) {
                let (k, pre) = table.onto[place];
                let trace = p.at(pre, seen);
                if trace != 0.0 && self.pre[pre as usize] == 0.0 {
                    let synapse = &mut table.synapses[k as usize];
                    pending.touch(synapse);
                    change(synapse, a_plus * trace);
                }
            }
        }
        if !both {
            p.spike(fired_pre, step);
        }
    }
}
