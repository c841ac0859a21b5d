//! How the work is divided: trials into pieces of steps, and a batch into shards. The division affects results only
//! through the order of sums, and depends only on sizes, never on the number of threads.

use crate::config::{Config, Stage};
use crate::engine::memory::{float, matrices, Sizes};
use candle_core::Device;
use std::ops::Range;

/// Trials of a network that run side by side in one shard on the CPU: enough for an efficient product, but few enough
/// to occupy two threads with a single network.
const TRIALS_ON_CPU: usize = 32;
/// A shard has fewer trials where its graph would take more bytes than this.
const GRAPH_BYTES: u64 = 2 << 30;
/// The number of vectors `[N]` that one step leaves in the graph of one trial, including gradients of constants.
const VECTORS: f64 = 24.0;
/// The number of matrices `[N, N]` likewise, if there are fast weights.
const MATRICES: f64 = 12.0;

/// Consecutive steps of a trial whose graph exists at the same time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Piece {
    pub steps: Range<usize>,
    /// Whether the gradient continues into the previous piece.
    pub reaches_back: bool,
}

/// The length of the pieces of a trial of `steps` steps. At √T/3 steps, the states between pieces take about as much
/// memory as the graph of one piece; slightly longer pieces need fewer sums.
pub(super) fn piece_steps(steps: usize) -> usize {
    ((steps as f64 / 4.0).sqrt().ceil() as usize).max(1)
}

/// Cuts a trial into pieces of at most `length` steps, in order. The gradient stops at every multiple of `truncated`
/// (if 0, only at the start of the trial).
pub(super) fn pieces(steps: usize, truncated: usize, length: usize) -> Vec<Piece> {
    let window = if truncated == 0 { steps } else { truncated };
    let mut pieces = Vec::new();
    for start in (0..steps).step_by(window.max(1)) {
        let end = steps.min(start.saturating_add(window));
        for from in (start..end).step_by(length) {
            pieces.push(Piece { steps: from..end.min(from + length), reaches_back: from > start });
        }
    }
    pieces
}

/// Some networks and trials of a batch, numbered within the batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Shard {
    pub networks: Range<usize>,
    /// Which trials of each network.
    pub trials: Range<usize>,
}

/// The most networks, and the most trials of each, that a shard has.
fn shard_size(config: &Config, steps: usize, networks: usize, batch: usize, device: &Device) -> (usize, usize) {
    let (networks, batch) = if device.is_cpu() { (1, batch.min(TRIALS_ON_CPU)) } else { (networks, batch) };
    let fit = GRAPH_BYTES as f64 / (networks as f64 * graph_bytes(config, steps));
    (networks, batch.min(fit.max(1.0) as usize))
}

/// Cuts `networks` networks of `batch` trials into shards, those of the first networks first.
pub(super) fn shards(config: &Config, steps: usize, networks: usize, batch: usize, device: &Device) -> Vec<Shard> {
    let (width, height) = shard_size(config, steps, networks, batch, device);
    let cut = |whole: usize, part: usize| (0..whole).step_by(part).map(move |from| from..whole.min(from + part));
    cut(networks, width)
        .flat_map(|networks| cut(batch, height).map(move |trials| Shard { networks: networks.clone(), trials }))
        .collect()
}

/// The bytes of the graph of one piece of one trial. In f64, as in [`memory`], so that absurdly large sizes do not
/// overflow.
fn graph_bytes(config: &Config, steps: usize) -> f64 {
    let n = config.network.neurons as f64;
    let matrices = if config.fast_weights.stage == Stage::None { 0.0 } else { MATRICES };
    piece_steps(steps) as f64 * (VECTORS * n + matrices * n * n) * float(config)
}

/// How many pieces a trial is cut into.
fn count_pieces(steps: usize, truncated: usize) -> f64 {
    let (length, window) = (piece_steps(steps), if truncated == 0 { steps } else { truncated.min(steps) }.max(1));
    (steps / window) as f64 * window.div_ceil(length) as f64 + (steps % window).div_ceil(length) as f64
}

/// The peak bytes of backpropagation, not counting the trials themselves: for each running shard, the graph of a piece
/// and the states between pieces; for each network, the gradient and the optimiser's state.
pub(super) fn memory(config: &Config, sizes: &Sizes) -> f64 {
    let &Sizes { device, networks, batch, n, .. } = sizes;
    let t = sizes.shape.steps;
    let (width, height) = shard_size(config, t, networks, batch, device);
    let shards = networks.div_ceil(width).saturating_mul(batch.div_ceil(height));
    let at_once = if device.is_cpu() { shards.min(rayon::current_num_threads()) } else { 1 };
    let state = 2.0 * n + matrices(config.fast_weights.stage) * n * n;
    let between = count_pieces(t, config.bptt.steps) * state * float(config);
    let trials = at_once as f64 * width as f64 * height as f64;
    // Both moments, before and after the update; the gradients of a shard, and their sum.
    trials * (graph_bytes(config, t) + between) + 8.0 * networks as f64 * n * n * float(config)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spans(pieces: &[Piece]) -> Vec<(usize, usize, bool)> {
        pieces.iter().map(|p| (p.steps.start, p.steps.end, p.reaches_back)).collect()
    }

    #[test]
    fn pieces_cover_the_trial_and_the_gradient_stops_where_it_is_cut() {
        assert_eq!(spans(&pieces(7, 0, 3)), [(0, 3, false), (3, 6, true), (6, 7, true)]);
        assert_eq!(
            spans(&pieces(10, 4, 3)),
            [(0, 3, false), (3, 4, true), (4, 7, false), (7, 8, true), (8, 10, false)]
        );
        for truncated in [7, 8, usize::MAX] {
            assert_eq!(pieces(7, truncated, 3), pieces(7, 0, 3));
        }
        for (steps, truncated) in [(1, 0), (7, 0), (10, 4), (1000, 0), (1000, 64), (1000, 2000)] {
            let cut = pieces(steps, truncated, piece_steps(steps)).len();
            assert_eq!(count_pieces(steps, truncated), cut as f64, "{steps} {truncated}");
        }
        assert_eq!(piece_steps(1), 1);
        assert_eq!(piece_steps(1000), 16);
    }

    #[test]
    fn shards_cover_the_batch_once_and_fit() {
        let mut config = crate::presets::find_task("dnms").unwrap().config().unwrap();
        let count = |config: &Config, networks, batch| {
            let shards = shards(config, 1000, networks, batch, &Device::Cpu);
            let mut seen = vec![0; networks * batch];
            for shard in &shards {
                for s in shard.networks.clone() {
                    shard.trials.clone().for_each(|b| seen[s * batch + b] += 1);
                }
            }
            assert!(seen.iter().all(|times| *times == 1));
            shards.len()
        };
        assert_eq!(count(&config, 3, 64), 6);
        assert_eq!(count(&config, 2, 33), 4);
        assert_eq!(count(&config, 1, 1), 1);
        config.fast_weights.stage = Stage::Decay;
        config.network.neurons = 1000;
        // 16 steps of 12 matrices of 4 MB: two trials fit into 2 GiB.
        assert_eq!(count(&config, 1, 5), 3);
    }
}
