//! The choice of the cheaper form of the fast weights.

use super::{Form, History, Matrices, Written};
use crate::config::{Config, FastWeightsConfig, FastWeightsForm, Stage};
use crate::engine::memory::matrices;

/// The form of the fast weights, the same for all trials of a batch.
#[derive(Clone, Copy)]
pub(in super::super) struct FastWeightsPlan<'a> {
    pub(super) config: &'a FastWeightsConfig,
    /// The lengths of the list if H is kept as a list of its changes; `None` if it is a matrix, changed and read at
    /// every step.
    pub(super) history: Option<Chunks>,
    /// Whether H ever exists as a matrix.
    pub(super) matrix: bool,
    /// Whether H starts at given values rather than at zero.
    pub(super) given: bool,
    /// Whether H is returned after the last step.
    pub(super) wanted: bool,
}

/// The length at which the list is folded into a matrix.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Chunks {
    /// As long as there is no matrix to read.
    pub(super) first: usize,
    /// Once there is one.
    pub(super) later: usize,
}

impl Chunks {
    /// The number of entries of the longest list.
    pub(super) fn longest(self) -> usize {
        self.first.max(self.later)
    }
}

/// Once there is a matrix, it is read at every step, so the list should be short; but each fold reads and writes the
/// whole matrix.
const LATER: usize = 32;

impl<'a> FastWeightsPlan<'a> {
    /// For trials of `steps` steps; `given` and `wanted` are as in the struct. `None` if there are no fast weights, or
    /// if they have no visible effect.
    pub(in super::super) fn new(config: &'a Config, steps: usize, given: bool, wanted: bool) -> Option<Self> {
        let (config, n) = (&config.fast_weights, config.network.neurons);
        if config.stage == Stage::None || (config.alpha == 0.0 && !wanted) {
            return None;
        }
        let history = choose(config, n, steps, given, wanted);
        let folds = history.is_none_or(|chunks| steps >= chunks.first && !config.stage.of_one_step());
        Some(FastWeightsPlan { config, history, matrix: folds || given || wanted, given, wanted })
    }

    /// The fast weights of one trial in this form, with rows of length `width`.
    pub(super) fn form(&self, width: usize, of: Matrices<&'a mut [f32]>) -> Form<'a> {
        match self.history {
            Some(chunks) => Form::History(History::new(self.config, width, chunks, self.given, of)),
            None => Form::Written(Written::new(self.config, width, self.given, of)),
        }
    }
}

/// How long the list of changes gets; `None` if a matrix is cheaper.
fn choose(config: &FastWeightsConfig, n: usize, steps: usize, given: bool, wanted: bool) -> Option<Chunks> {
    // Clipping is not linear, so no sum of changes can express it.
    if config.clip > 0.0 || config.form == FastWeightsForm::Written {
        return None;
    }
    if config.stage.of_one_step() {
        return Some(Chunks { first: LATER, later: LATER });
    }
    // The cost of all steps of a trial, in rows of N floats read from cache, fitted to measurements by
    // `cargo bench --bench trace`. With a list, each step reads the list (on average half its final length) and the
    // matrix, once there is one.
    let rows = matrices(config.stage) * n as f64;
    let entry = if config.stage == Stage::Oja { 5.0 } else { 3.8 };
    let cost = |chunks: Chunks| {
        let (first, later) = (chunks.first.min(steps) as f64, chunks.later as f64);
        let after = steps as f64 - first;
        // A fold adds each entry to N rows, in a matrix product that has a fixed cost too.
        let fold = |entries: f64, folds: f64| rows * (0.4 * entries + 27.0 * folds);
        let folded = match steps >= chunks.first {
            true => fold(steps as f64, 1.0 + after / later),
            false if wanted => fold(first, 1.0),
            false => 0.0,
        };
        let read = 1.65 * rows * if given { steps as f64 } else { after };
        first * entry * first / 2.0 + after * entry * later / 2.0 + read + folded
    };
    let fold_early = Chunks { first: if given { LATER } else { (3 * n / 4).max(LATER) }, later: LATER };
    let never_fold = Chunks { first: steps + 1, later: LATER };
    let chunks = if !given && cost(never_fold) < cost(fold_early) { never_fold } else { fold_early };
    // Each step reads the matrix, adds to it and writes it back.
    let written = 3.0 * rows * steps as f64;
    (config.form == FastWeightsForm::History || cost(chunks) < written).then_some(chunks)
}
