//! Sizes, constants and options shared by all shards of a batch.

use super::fast_weights::FastWeightsPlan;
use super::readout::OnlinePlan;
use crate::config::{ModulatorSource, Output};
use crate::engine::eligibility::Aligned;
use crate::engine::{fused, Ensemble, Product, Record, TrialBatch};
use crate::model::{Leak, Transfer};
use crate::rules::FusedRule;
use crate::tasks::TrialShape;
use candle_core::Result;
use pulp::Arch;

/// Rows are padded with silent neurons to a multiple of this, so that products read whole vectors without copying.
const LANES: usize = 16;

/// The settings that all shards of a batch share.
pub(super) struct Plan<'a> {
    pub(super) arch: Arch,
    pub(super) fast_weights: Option<FastWeightsPlan<'a>>,
    /// The source of the fast weights' m(t).
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
    /// dt/τ of the activation; at 1, the leaky step is the discrete one.
    pub(super) leak: f32,
    /// dt/τ of the rate, where that leaks.
    pub(super) rate_leak: Option<f32>,
    /// Whether the errors of a trial are filtered backward in time at its end, before its factors are multiplied.
    pub(super) filters_back: bool,
    /// The transfer function φ.
    pub(super) transfer: Transfer,
    /// 0 for clamped neurons and padding; otherwise 1.
    pub(super) free: Aligned,
    /// x of clamped neurons, and the x that silences padding; otherwise 0.
    pub(super) held: Aligned,
    pub(super) output_neurons: Vec<usize>,
    pub(super) learns: FusedRule,
    pub(super) start_step: usize,
    /// The decay of x̄, or of what `rflo` filters.
    pub(super) decay: f32,
    /// Whether some threads would be idle and can take over the eligibility's products.
    pub(super) folds_aside: bool,
}

impl<'a> Plan<'a> {
    pub(super) fn new(ensemble: &Ensemble<'a>, batch: &TrialBatch, learn: bool, record: Record) -> Result<Self> {
        Product::requested().map_err(candle_core::Error::wrap)?;
        let (setup, config) = (ensemble.setup, &ensemble.setup.config);
        let network = &config.network;
        let (leak, rate_leak) = match setup.neurons.leak(network) {
            Some(Leak::Activation(leak)) => (leak, None),
            Some(Leak::Rate(leak)) => (1.0, Some(leak as f32)),
            None => candle_core::bail!("neurons `{}` are not for the fused kernels", setup.neurons.name()),
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
        let filters_back = learns == FusedRule::Rflo && fused::filters_back(setup);
        let wanted = record.keeps_fast_weights(config) || learns == FusedRule::FastWeights;
        Ok(Plan {
            arch: Arch::new(),
            fast_weights: FastWeightsPlan::new(config, t, ensemble.fast_weights.is_some(), wanted),
            modulator: config.fast_weights.modulator,
            online: OnlinePlan::new(setup, measure, learn),
            shard,
            block: if filters_back { t } else { block },
            n,
            width,
            t,
            n_in,
            n_out,
            leak: leak as f32,
            rate_leak,
            filters_back,
            transfer,
            free: Aligned::from_slice(0, &free),
            held: Aligned::from_slice(0, &held),
            output_neurons: match network.output {
                Output::Neurons => network.output_neurons.clone(),
                Output::Readout => Vec::new(),
            },
            learns,
            start_step: config.rule.start_step,
            decay: match learns {
                FusedRule::Rflo => 1.0 - leak as f32,
                _ => fused::mean_decay(learns).unwrap_or(0.0) as f32,
            },
            folds_aside: batch.networks * batch.trials_each.div_ceil(shard) < rayon::current_num_threads(),
        })
    }

    /// The number of floats in a padded matrix `[N, width]`.
    pub(super) fn matrix(&self) -> usize {
        self.n * self.width
    }

    /// The number of errors of outputs that a trial keeps.
    pub(super) fn errors(&self) -> usize {
        if self.learns == FusedRule::Rflo || self.online.reads_error() {
            self.t * self.n_out
        } else {
            0
        }
    }

    /// Whether gradients are filtered backward in time, rather than the errors of `rflo`.
    pub(super) fn differentiates(&self) -> bool {
        self.filters_back && self.learns == FusedRule::Nothing
    }

    /// Whether the eligibility is H at the end of a trial.
    pub(super) fn eligibility_is_h(&self) -> bool {
        self.learns == FusedRule::FastWeights
    }
}

/// The number of trials of a network that run together, and the number of steps whose factors are collected between products
/// into the eligibility.
///
/// Both depend on N and B alone, so results depend on nothing else. In small networks, few trials run together, so that
/// w_rec, the eligibility and the factors of a shard stay in a core's own cache (about 2 MB at N = 200). In large networks,
/// w_rec must be fetched from slower memory at every step, so many trials share it, and the eligibility is updated less often.
/// The number of shards is even and their sizes are similar, so that two or four threads finish together.
pub(super) fn cut(neurons: usize, trials: usize) -> (usize, usize) {
    let (most, block) = match neurons {
        0..=256 => (6, 64),
        257..=512 => (12, 128),
        _ => (32, 250),
    };
    let shards = trials.div_ceil(most).next_multiple_of(2).min(trials);
    (trials.div_ceil(shards), block)
}
