//! Which of the two forms of the trace costs less.

use crate::config::{Config, RuleName, Stage, TraceConfig, TraceForm};

/// What is the same for all traces of a batch.
#[derive(Clone, Copy)]
pub(in super::super) struct TracePlan<'a> {
    pub(super) config: &'a TraceConfig,
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

/// Once there is a matrix it is read at every step, so the list should be short; but each fold reads and writes it all.
const LATER: usize = 32;

impl<'a> TracePlan<'a> {
    /// For trials of `steps`. `given`: H does not start at zero; `wanted`: it is to be handed over after the last step.
    ///
    /// `None` where there is no trace, or nobody could see it.
    pub(in super::super) fn new(config: &'a Config, steps: usize, given: bool, wanted: bool) -> Option<Self> {
        let trace = &config.trace;
        let kept = wanted || config.rule.name == RuleName::HebbianTrace;
        if trace.stage == Stage::None || (trace.alpha == 0.0 && !kept) {
            return None;
        }
        let form = choose(trace, config.network.neurons, steps, given, kept);
        let outlives = |chunks: Chunks| steps >= chunks.first && !of_one_step(trace.stage);
        let folds = match form {
            Form::Written => true,
            Form::History(chunks) => outlives(chunks),
        };
        Some(TracePlan { config: trace, form, matrix: folds || given || kept, given })
    }
}

/// Whether H holds nothing but the change of the last step.
fn of_one_step(stage: Stage) -> bool {
    matches!(stage, Stage::Hebb | Stage::Outer)
}

/// Costs are in rows of N floats read or written, as measured by `cargo bench --bench trace`.
fn choose(config: &TraceConfig, n: usize, steps: usize, given: bool, kept: bool) -> Form {
    let chunks = Chunks { first: if given { LATER } else { first_chunk(config.stage, n) }, later: LATER };
    // Clipping is not linear: no sum of what was added can express it.
    if config.clip > 0.0 || config.form == TraceForm::Written {
        return Form::Written;
    }
    if config.form == TraceForm::History || of_one_step(config.stage) {
        return Form::History(chunks);
    }
    let matrices = if config.stage == Stage::Retroactive { 2.0 } else { 1.0 };
    let row = if config.stage == Stage::Oja { 3.0 } else { 2.0 };
    let (n, t, first) = (n as f64, steps as f64, chunks.first as f64);
    // Each step reads the matrix, adds to it and writes it.
    let written = 3.0 * matrices * n * t;
    // Each step reads the list, half as long as it gets; a fold costs half a row for each neuron and entry, and once the
    // matrix is there each step reads it.
    let listed = t.min(first);
    let later = matrices * n * (1.0 + 2.0 / LATER as f64) + row * LATER as f64 / 2.0;
    let folded = if kept || steps >= chunks.first { matrices * n / 2.0 * t } else { 0.0 };
    let history = row * listed / 2.0 * listed + later * (t - listed) + folded;
    if history < written {
        Form::History(chunks)
    } else {
        Form::Written
    }
}

/// Until the list costs as much to read as a matrix that is read at every step and now and then folded into.
fn first_chunk(stage: Stage, n: usize) -> usize {
    match stage {
        Stage::Oja => n / 2,
        _ => 3 * n / 4,
    }
    .max(LATER)
}
