//! Which of the two forms of the trace costs less.

use crate::config::{Config, FastWeightsConfig, FastWeightsForm, Stage};

/// What is the same for all traces of a batch.
#[derive(Clone, Copy)]
pub(in super::super) struct TracePlan<'a> {
    pub(super) config: &'a FastWeightsConfig,
    pub(super) form: Form,
    /// Whether H ever stands as a matrix.
    pub(super) matrix: bool,
    /// Whether H does not start at zero.
    pub(super) given: bool,
}

/// The form of a trace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// A matrix, changed and read at every step.
    Written,
    /// A list of what was added.
    History(Chunks),
}

/// How long the list gets before it is folded into a matrix.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Chunks {
    /// While there is no matrix to read.
    pub(super) first: usize,
    /// Once there is.
    pub(super) later: usize,
}

impl Chunks {
    /// Entries of the longest list.
    pub(super) fn longest(self) -> usize {
        self.first.max(self.later)
    }
}

/// Once there is a matrix it is read at every step, so the list should be short; but each fold reads and writes it all.
const LATER: usize = 32;

impl<'a> TracePlan<'a> {
    /// For trials of `steps`. `given`: H does not start at zero; `wanted`: it is to be handed over after the last step.
    ///
    /// `None` where there is no trace, or nobody could see it.
    pub(in super::super) fn new(config: &'a Config, steps: usize, given: bool, wanted: bool) -> Option<Self> {
        let trace = &config.fast_weights;
        if trace.stage == Stage::None || (trace.alpha == 0.0 && !wanted) {
            return None;
        }
        let form = choose(trace, config.network.neurons, steps, given, wanted);
        let outlives = |chunks: Chunks| steps >= chunks.first && !trace.stage.of_one_step();
        let folds = match form {
            Form::Written => true,
            Form::History(chunks) => outlives(chunks),
        };
        Some(TracePlan { config: trace, form, matrix: folds || given || wanted, given })
    }
}

fn choose(config: &FastWeightsConfig, n: usize, steps: usize, given: bool, kept: bool) -> Form {
    // Clipping is not linear: no sum of what was added can express it.
    if config.clip > 0.0 || config.form == FastWeightsForm::Written {
        return Form::Written;
    }
    if config.stage.of_one_step() {
        return Form::History(Chunks { first: LATER, later: LATER });
    }
    let costs = Costs { stage: config.stage, n: n as f64, steps, given, kept };
    let fold_early = Chunks { first: if given { LATER } else { (3 * n / 4).max(LATER) }, later: LATER };
    let never_fold = Chunks { first: steps + 1, later: LATER };
    let chunks = match costs.history(never_fold) < costs.history(fold_early) {
        true if !given => never_fold,
        _ => fold_early,
    };
    if config.form == FastWeightsForm::History || costs.history(chunks) < costs.written() {
        Form::History(chunks)
    } else {
        Form::Written
    }
}

/// Costs of all steps of a trial, in rows of N floats read from the cache, fitted to what `cargo bench --bench trace` measured.
struct Costs {
    stage: Stage,
    n: f64,
    steps: usize,
    given: bool,
    kept: bool,
}

impl Costs {
    /// Matrices as large as H.
    fn matrices(&self) -> f64 {
        if self.stage == Stage::Retroactive {
            2.0
        } else {
            1.0
        }
    }

    /// Each step reads the matrix, adds to it and writes it.
    fn written(&self) -> f64 {
        3.0 * self.matrices() * self.n * self.steps as f64
    }

    /// Each step reads the list, half as long as it gets, and the matrix once there is one.
    fn history(&self, chunks: Chunks) -> f64 {
        let entry = if self.stage == Stage::Oja { 5.0 } else { 3.8 };
        let (first, later) = (chunks.first.min(self.steps) as f64, chunks.later as f64);
        let after = self.steps as f64 - first;
        // A fold adds each entry to N rows, as part of a product that is slow to begin with.
        let fold = |entries: f64, folds: f64| self.matrices() * self.n * (0.4 * entries + 27.0 * folds);
        let folded = match self.steps >= chunks.first {
            true => fold(self.steps as f64, 1.0 + after / later),
            false if self.kept => fold(first, 1.0),
            false => 0.0,
        };
        let read = 1.65 * self.matrices() * self.n * if self.given { self.steps as f64 } else { after };
        first * entry * first / 2.0 + after * entry * later / 2.0 + read + folded
    }
}
