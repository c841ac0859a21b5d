//! The Hebbian traces of a shard's trials, each in one of two forms that are equal up to rounding:
//!
//! - [`written`]: H as a matrix, changed and read in one pass a step;
//! - [`history`]: H as the list of what was added, read by two thin products a step, and now and then folded into a matrix.
//!
//! Matrices are held transposed, `[pre, post]`: a pass then runs along whole vectors of postsynaptic neurons. The twin of
//! both is [`crate::model::FastWeightPlasticity`].

mod form;
mod history;
mod written;

pub(super) use form::TracePlan;

use self::form::Form;
use self::history::{History, Scratch};
use self::written::Written;
use super::Plan;
use crate::config::{FastWeightsConfig, Stage};
use crate::engine::eligibility::{zeros, Aligned};

/// The traces of a shard's trials.
pub(super) struct Traces<'a> {
    config: &'a FastWeightsConfig,
    arch: pulp::Arch,
    n: usize,
    width: usize,
    each: Vec<Trace<'a>>,
    /// H of each trial, `[trials, N pre, width post]`; empty where the caller holds it, or where it is never written out.
    own: Aligned,
    /// e of the retroactive form, likewise; empty for other stages.
    eligibility: Aligned,
    r_before: Aligned,
    scratch: Scratch,
}

enum Trace<'a> {
    Written(Written<'a>),
    History(History<'a>),
}

/// H (and e) of one trial where they are matrices; else empty.
struct Matrices<'m> {
    h: &'m mut [f32],
    e: &'m mut [f32],
}

/// H and e of trials before and after a batch, `[trials, N post, N pre]`; each may be absent.
#[derive(Default)]
pub(super) struct Kept<H> {
    pub(super) h: H,
    pub(super) e: H,
}

impl<'a> Traces<'a> {
    /// The traces of `trials` trials. `lent` is where H is to be, where the caller wants it; it may hold anything.
    pub(super) fn new(plan: &Plan<'a>, trials: usize, before: Kept<Option<&[f32]>>, lent: &mut [f32]) -> Option<Self> {
        let TracePlan { config, form, matrix, given } = plan.trace?;
        let (n, width) = (plan.n, plan.width);
        let floats = if matrix { trials * n * width } else { 0 };
        let own = if lent.is_empty() { floats } else { 0 };
        let retroactive = if config.stage == Stage::Retroactive { floats } else { 0 };
        let each = (0..trials).map(|_| match form {
            Form::Written => Trace::Written(Written::new(config, n, width, given)),
            Form::History(chunks) => Trace::History(History::new(config, n, width, chunks, given)),
        });
        let mut traces = Traces {
            config,
            arch: plan.arch,
            n,
            width,
            each: each.collect(),
            own: zeros(own),
            eligibility: zeros(retroactive),
            r_before: zeros(width),
            scratch: Scratch::new(if let Form::History(chunks) = form { chunks.longest() } else { 0 }, width),
        };
        lent.fill(0.0);
        if let Some(h) = before.h {
            transpose_in(if lent.is_empty() { &mut traces.own } else { lent }, h, n, width);
        }
        if let Some(e) = before.e {
            transpose_in(&mut traces.eligibility, e, n, width);
        }
        Some(traces)
    }

    /// Adds α H r to the drive of trial `b`, and remembers r for [`Traces::changed`].
    pub(super) fn read(&mut self, b: usize, lent: &mut [f32], r: &[f32], drive: &mut [f32]) {
        self.r_before.copy_from_slice(r);
        let arch = self.arch;
        let (trace, of, scratch) = self.parts(b, lent);
        match trace {
            Trace::Written(trace) => trace.pass(arch, of, r, drive),
            Trace::History(trace) => trace.read(arch, scratch, of, r, drive),
        }
    }

    /// The change after the step that led to rates `after` under neuromodulator `m`.
    pub(super) fn changed(&mut self, b: usize, lent: &mut [f32], after: &[f32], m: f32) {
        let (arch, association) = (self.arch, self.config.association);
        let before = std::mem::replace(&mut self.r_before, Aligned::new(0));
        let (post, pre) = association.pair(&before[..], after);
        let (trace, of, _) = self.parts(b, lent);
        match trace {
            Trace::Written(trace) => trace.plan(post, pre, m),
            Trace::History(trace) => trace.push(arch, of, post, pre, m),
        }
        self.r_before = before;
    }

    /// Writes out H (and e) after the last step, where somebody wants it: into `lent`, and into `after`.
    pub(super) fn finish(&mut self, lent: &mut [f32], after: Kept<&mut [f32]>) {
        if lent.is_empty() && after.h.is_empty() {
            return;
        }
        let arch = self.arch;
        for b in 0..self.each.len() {
            let (trace, of, _) = self.parts(b, lent);
            match trace {
                Trace::Written(trace) => trace.finish(arch, of),
                Trace::History(trace) => trace.fold(arch, of),
            }
        }
        transpose_out(after.h, if lent.is_empty() { &self.own } else { lent }, self.n, self.width);
        transpose_out(after.e, &self.eligibility, self.n, self.width);
    }

    fn parts<'m>(&'m mut self, b: usize, lent: &'m mut [f32]) -> (&'m mut Trace<'a>, Matrices<'m>, &'m mut Scratch) {
        let size = self.n * self.width;
        let part = |all: &'m mut [f32]| if all.is_empty() { all } else { &mut all[b * size..(b + 1) * size] };
        let h: &mut [f32] = if lent.is_empty() { &mut self.own } else { lent };
        (&mut self.each[b], Matrices { h: part(h), e: part(&mut self.eligibility) }, &mut self.scratch)
    }
}

/// From `[trials, N post, N pre]` to `[trials, N pre, width post]`.
fn transpose_in(to: &mut [f32], from: &[f32], n: usize, width: usize) {
    for (to, from) in to.chunks_exact_mut(n * width).zip(from.chunks_exact(n * n)) {
        (0..n * n).for_each(|k| to[(k % n) * width + k / n] = from[k]);
    }
}

/// And back.
fn transpose_out(to: &mut [f32], from: &[f32], n: usize, width: usize) {
    for (to, from) in to.chunks_exact_mut(n * n).zip(from.chunks_exact(n * width)) {
        (0..n * n).for_each(|k| to[k] = from[(k % n) * width + k / n]);
    }
}

#[cfg(test)]
mod tests {
    use super::form::Chunks;
    use super::*;
    use crate::presets::find_task;
    use pulp::Arch;

    const N: usize = 10;
    const WIDTH: usize = 16;

    /// Rates of a step: silent beyond N.
    fn rates(step: usize, phase: f32) -> Vec<f32> {
        (0..WIDTH).map(|i| if i < N { (step as f32 * 0.9 + i as f32 * 1.7 + phase).sin() } else { 0.0 }).collect()
    }

    /// What is read at each step, then H and e at the end; e is empty where the stage has none.
    fn run(trace: &mut Trace, stage: Stage, given: f32) -> [Vec<f32>; 3] {
        let arch = Arch::new();
        let matrix = |scale: f32| -> Vec<f32> {
            let entry = |k: usize| if k % WIDTH < N { scale * (k as f32 * 0.37).cos() } else { 0.0 };
            (0..N * WIDTH).map(entry).collect()
        };
        let (mut h, mut e) = (matrix(given), if stage == Stage::Retroactive { matrix(-given) } else { Vec::new() });
        let (mut drives, mut scratch) = (Vec::new(), Scratch::new(50, WIDTH));
        for step in 0..40 {
            let (before, after, mut drive) = (rates(step, 0.0), rates(step, 0.5), vec![0.0; WIDTH]);
            let m = if step % 5 == 0 { 0.0 } else { (step as f32 * 0.8).sin() };
            let of = Matrices { h: &mut h, e: &mut e };
            match trace {
                Trace::Written(trace) => {
                    trace.pass(arch, of, &before, &mut drive);
                    trace.plan(&after, &before, m);
                }
                Trace::History(trace) => {
                    trace.read(arch, &mut scratch, of, &before, &mut drive);
                    trace.push(arch, Matrices { h: &mut h, e: &mut e }, &after, &before, m);
                }
            }
            drives.extend(drive);
        }
        let of = Matrices { h: &mut h, e: &mut e };
        match trace {
            Trace::Written(trace) => trace.finish(arch, of),
            Trace::History(trace) => trace.fold(arch, of),
        }
        [drives, h, e]
    }

    #[test]
    fn both_forms_are_equal_for_every_stage_chunk_rate_and_start() {
        let mut config = find_task("sequence").unwrap().config().unwrap().fast_weights;
        config.alpha = 0.7;
        let matrix_stages = [Stage::Hebb, Stage::Outer, Stage::Accumulate, Stage::Decay, Stage::Modulated, Stage::Oja];
        for stage in matrix_stages.into_iter().chain([Stage::Retroactive]) {
            for (eta, given) in [(0.0, 0.4), (0.1, 0.0), (0.1, 0.4), (1.0, 0.4)] {
                (config.stage, config.eta) = (stage, eta);
                let started = given != 0.0;
                let written = run(&mut Trace::Written(Written::new(&config, N, WIDTH, started)), stage, given);
                for (first, later) in [(1, 1), (2, 3), (7, 4), (39, 1), (40, 8), (50, 50)] {
                    let chunks = Chunks { first, later };
                    let history = History::new(&config, N, WIDTH, chunks, started);
                    let history = run(&mut Trace::History(history), stage, given);
                    for (what, (found, expected)) in ["drive", "H", "e"].iter().zip(history.iter().zip(&written)) {
                        let worst = found.iter().zip(expected).map(|(f, e)| (f - e).abs()).fold(0.0, f32::max);
                        let largest = expected.iter().fold(1.0, |m: f32, v| m.max(v.abs()));
                        assert_eq!(found.len(), expected.len());
                        assert!(worst <= 3e-6 * largest, "{stage:?} {chunks:?} eta {eta}: {what} is off by {worst}");
                    }
                }
            }
        }
    }
}
