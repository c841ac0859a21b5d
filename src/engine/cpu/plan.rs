//! Sizes, constants and options shared by all shards of a batch.

use super::fast_weights::FastWeightsPlan;
use super::readout::OnlinePlan;
use crate::config::{ModulatorSource, Output};
use crate::engine::eligibility::Aligned;
use crate::engine::{fused, Ensemble, Record, TrialBatch};
use crate::model::{Leak, Transfer};
use crate::rules::FusedRule;
use crate::tasks::TrialShape;
use candle_core::Result;
use pulp::Arch;

/// Rows of neurons are padded with silent ones to a multiple of this: a product then reads whole vectors without copying.
const LANES: usize = 16;

/// Shared by all shards of a batch.
pub(super) struct Plan<'a> {
    pub(super) arch: Arch,
    pub(super) fast_weights: Option<FastWeightsPlan<'a>>,
    /// The source of the m(t) of the fast weights.
    pub(super) modulator: ModulatorSource,
    pub(super) online: OnlinePlan,
    /// See [`cut`].
    pub(super) shard: usize,
    /// See [`cut`].
    pub(super) block: usize,
    pub(super) n: usize,
    /// N, padded to whole vectors.
    pub(super) width: usize,
    pub(super) t: usize,
    pub(super) n_in: usize,
    pub(super) n_out: usize,
    /// dt/τ; 1 makes the leaky step the discrete one.
    pub(super) leak: f32,
    /// φ.
    pub(super) transfer: Transfer,
    /// 0 for clamped neurons and padding, else 1.
    pub(super) free: Aligned,
    /// x of clamped neurons, and the x that silences padding; else 0.
    pub(super) held: Aligned,
    pub(super) output_neurons: Vec<usize>,
    pub(super) learns: FusedRule,
    pub(super) start_step: usize,
    /// Of x̄.
    pub(super) decay: f32,
    /// Whether threads would be idle, so that they may take the eligibility's products off a shard's.
    pub(super) folds_aside: bool,
}

impl<'a> Plan<'a> {
    pub(super) fn new(ensemble: &Ensemble<'a>, batch: &TrialBatch, learn: bool, record: Record) -> Result<Self> {
        let (setup, config) = (ensemble.setup, &ensemble.setup.config);
        let network = &config.network;
        let Some(Leak::Activation(leak)) = setup.neurons.leak(network) else {
            candle_core::bail!("neurons `{}` are not for the fused kernels", setup.neurons.name());
        };
        let TrialShape { steps: t, n_in, n_out, measure } = ensemble.shape;
        let n = network.neurons;
        let width = n.next_multiple_of(LANES);
        let transfer = Transfer::new(network);
        let (mut free, mut held) = fused::clamps(network);
        free.resize(width, 0.0);
        held.resize(width, if let Transfer::Rectified { offset, .. } = transfer { -offset as f32 } else { 0.0 });
        let (shard, block) = cut(n, batch.trials_each);
        let learns = fused::rule(setup, learn);
        let wanted = record.keeps_fast_weights(config) || learns == FusedRule::FastWeights;
        Ok(Plan {
            arch: Arch::new(),
            fast_weights: FastWeightsPlan::new(config, t, ensemble.fast_weights.is_some(), wanted),
            modulator: config.fast_weights.modulator,
            online: OnlinePlan::new(setup, measure, learn),
            shard,
            block,
            n,
            width,
            t,
            n_in,
            n_out,
            leak: leak as f32,
            transfer,
            free: Aligned::from_slice(0, &free),
            held: Aligned::from_slice(0, &held),
            output_neurons: match network.output {
                Output::Neurons => network.output_neurons.clone(),
                Output::Readout => Vec::new(),
            },
            learns,
            start_step: config.rule.start_step,
            decay: fused::mean_decay(learns).unwrap_or(0.0) as f32,
            folds_aside: batch.networks * batch.trials_each.div_ceil(shard) < rayon::current_num_threads(),
        })
    }

    /// Floats of one padded matrix `[N, width]`.
    pub(super) fn matrix(&self) -> usize {
        self.n * self.width
    }

    /// Whether the eligibility is H at the end of a trial.
    pub(super) fn eligibility_is_h(&self) -> bool {
        self.learns == FusedRule::FastWeights
    }
}

/// Trials of a network that run together, and steps of factors between two products into the eligibility.
///
/// They depend on N and B alone, so results depend on nothing else. Small networks: few trials, so that w_rec, the eligibility
/// and the factors of a shard stay in a core's own cache (about 2 MB at N = 200). Large ones: w_rec comes from farther away at
/// every step, so many trials share it, and the eligibility is visited less often. Shards are even in number and alike in
/// size, so that two threads, or four, end together.
fn cut(neurons: usize, trials: usize) -> (usize, usize) {
    let (most, block) = match neurons {
        0..=256 => (6, 64),
        257..=512 => (12, 128),
        _ => (32, 250),
    };
    let shards = trials.div_ceil(most).next_multiple_of(2).min(trials);
    (trials.div_ceil(shards), block)
}
