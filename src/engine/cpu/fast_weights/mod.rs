//! The fast weights of a shard's trials, each in one of two forms that agree up to rounding:
//!
//! - [`written`]: H as a matrix, changed and read in one pass per step;
//! - [`history`]: H as the list of its changes, read by two thin products per step, and sometimes folded into a matrix.
//!
//! Matrices are stored transposed, `[pre, post]`, so that a pass runs along whole vectors of postsynaptic neurons. The
//! reference for both is [`crate::model::FastWeightPlasticity`].

mod form;
mod history;
mod written;

pub(super) use form::FastWeightsPlan;

use self::history::{History, Scratch};
use self::written::Written;
use super::shard::Trial;
use super::Plan;
use crate::config::{Association, Stage};
use crate::engine::eligibility::{zeros, Aligned};
use pulp::Arch;

/// H of one trial, and e for the retroactive stage.
#[derive(Default)]
pub(super) struct Matrices<M> {
    pub(super) h: M,
    pub(super) e: M,
}

/// The fast weights of a shard's trials.
pub(super) struct FastWeights<'a> {
    arch: Arch,
    association: Association,
    wanted: bool,
    each: Vec<Form<'a>>,
    r_before: Aligned,
    scratch: Scratch,
}

/// The fast weights of one trial.
enum Form<'a> {
    Written(Written<'a>),
    History(History<'a>),
}

/// Memory for H and e of `trials` trials, each `[trials, N pre, width post]`; empty if they never exist as matrices.
pub(super) fn matrices(plan: &Plan, trials: usize) -> Matrices<Aligned> {
    let floats = plan.fast_weights.filter(|fast_weights| fast_weights.matrix).map_or(0, |_| trials * plan.matrix());
    let retroactive = plan.fast_weights.is_some_and(|fast_weights| fast_weights.config.stage == Stage::Retroactive);
    // With the rule `hebbian-trace`, H is the eligibility and lives in its memory.
    Matrices {
        h: zeros(if plan.eligibility_is_h() { 0 } else { floats }),
        e: zeros(if retroactive { floats } else { 0 }),
    }
}

impl<'a> FastWeights<'a> {
    /// The fast weights of `trials`, in the memory that [`matrices`] made for them; `None` if there are none.
    pub(super) fn new<'t: 'a>(
        plan: &Plan<'a>,
        trials: &mut [Trial<'t>],
        memory: &'a mut Matrices<Aligned>,
    ) -> Option<Self> {
        let fast_weights = plan.fast_weights?;
        let (mut own, mut e) = (&mut memory.h[..], &mut memory.e[..]);
        let form = |trial: &mut Trial<'t>| {
            let h = match plan.eligibility_is_h() {
                true => std::mem::take(&mut trial.eligibility),
                false => own.split_off_mut(..plan.matrix()).unwrap_or_default(),
            };
            h.fill(0.0);
            let mut of = Matrices { h, e: e.split_off_mut(..plan.matrix()).unwrap_or_default() };
            for (matrix, before) in [(&mut of.h, trial.before.h), (&mut of.e, trial.before.e)] {
                if let Some(before) = before.filter(|_| !matrix.is_empty()) {
                    transpose(plan.n, plan.width, |padded, dense| matrix[padded] = before[dense]);
                }
            }
            fast_weights.form(plan.width, of)
        };
        Some(FastWeights {
            arch: plan.arch,
            association: fast_weights.config.association,
            wanted: fast_weights.wanted,
            each: trials.iter_mut().map(form).collect(),
            r_before: zeros(plan.width),
            scratch: Scratch::new(fast_weights.history.map_or(0, |chunks| chunks.longest()), plan.width),
        })
    }

    /// Adds α H r to the drive of trial `b`, and remembers r for [`FastWeights::change`].
    pub(super) fn read(&mut self, b: usize, r: &[f32], drive: &mut [f32]) {
        self.r_before.copy_from_slice(r);
        self.each[b].read(self.arch, &mut self.scratch, r, drive);
    }

    /// Changes H of trial `b` after a step that led to the firing rates `after`, under the neuromodulator `m`.
    pub(super) fn change(&mut self, b: usize, after: &[f32], m: f32) {
        let (post, pre) = self.association.pair(&self.r_before[..], after);
        self.each[b].change(self.arch, post, pre, m);
    }

    /// Brings H (and e) up to date after the last step and copies them to the trial's results.
    pub(super) fn finish(&mut self, plan: &Plan, trials: &mut [Trial]) {
        if !self.wanted {
            return;
        }
        for (form, trial) in self.each.iter_mut().zip(trials) {
            let Matrices { h, e } = form.finish(self.arch);
            for (matrix, after) in [(h, &mut trial.after.h), (e, &mut trial.after.e)] {
                if !after.is_empty() {
                    transpose(plan.n, plan.width, |padded, dense| after[dense] = matrix[padded]);
                }
            }
        }
    }
}

impl<'a> Form<'a> {
    fn read(&mut self, arch: Arch, scratch: &mut Scratch, r: &[f32], drive: &mut [f32]) {
        match self {
            Form::Written(written) => written.pass(arch, r, drive),
            Form::History(history) => history.read(arch, scratch, r, drive),
        }
    }

    fn change(&mut self, arch: Arch, post: &[f32], pre: &[f32], m: f32) {
        match self {
            Form::Written(written) => written.plan(post, pre, m),
            Form::History(history) => history.push(arch, post, pre, m),
        }
    }

    fn finish(&mut self, arch: Arch) -> &Matrices<&'a mut [f32]> {
        match self {
            Form::Written(written) => written.finish(arch),
            Form::History(history) => history.fold(arch),
        }
    }
}

/// Calls `copy` for each element of a matrix with its index in `[N pre, width post]` and in `[N post, N pre]`.
fn transpose(n: usize, width: usize, mut copy: impl FnMut(usize, usize)) {
    (0..n * n).for_each(|k| copy((k % n) * width + k / n, k));
}

#[cfg(test)]
mod tests {
    use super::form::Chunks;
    use super::*;
    use crate::config::FastWeightsConfig;
    use crate::presets::find_task;

    const N: usize = 10;
    const WIDTH: usize = 16;

    /// The rates of a step; padding beyond N is silent.
    fn rates(step: usize, phase: f32) -> Vec<f32> {
        (0..WIDTH).map(|i| if i < N { (step as f32 * 0.9 + i as f32 * 1.7 + phase).sin() } else { 0.0 }).collect()
    }

    /// The drive from H at each step, then H and e at the end; e is empty if the stage has none.
    fn run(config: &FastWeightsConfig, history: Option<Chunks>, start: f32) -> [Vec<f32>; 3] {
        let (arch, mut drives, mut scratch) = (Arch::new(), Vec::new(), Scratch::new(50, WIDTH));
        let matrix = |scale: f32| -> Vec<f32> {
            let entry = |k: usize| if k % WIDTH < N { scale * (k as f32 * 0.37).cos() } else { 0.0 };
            (0..N * WIDTH).map(entry).collect()
        };
        let (mut h, mut e) = (matrix(start), matrix(-start));
        e.truncate(if config.stage == Stage::Retroactive { N * WIDTH } else { 0 });
        let plan = FastWeightsPlan { config, history, matrix: true, given: start != 0.0, wanted: true };
        let mut form = plan.form(WIDTH, Matrices { h: &mut h, e: &mut e });
        for step in 0..40 {
            let (before, after, mut drive) = (rates(step, 0.0), rates(step, 0.5), vec![0.0; WIDTH]);
            let m = if step % 5 == 0 { 0.0 } else { (step as f32 * 0.8).sin() };
            form.read(arch, &mut scratch, &before, &mut drive);
            form.change(arch, &after, &before, m);
            drives.extend(drive);
        }
        form.finish(arch);
        [drives, h, e]
    }

    #[test]
    fn both_forms_are_equal_for_every_stage_chunk_rate_and_start() {
        let mut config = find_task("sequence").unwrap().config().unwrap().fast_weights;
        config.alpha = 0.7;
        let matrix_stages = [Stage::Hebb, Stage::Outer, Stage::Accumulate, Stage::Decay, Stage::Modulated, Stage::Oja];
        for stage in matrix_stages.into_iter().chain([Stage::Retroactive]) {
            for (eta, start) in [(0.0, 0.4), (0.1, 0.0), (0.1, 0.4), (1.0, 0.4)] {
                (config.stage, config.eta) = (stage, eta);
                let written = run(&config, None, start);
                for (first, later) in [(1, 1), (2, 3), (7, 4), (39, 1), (40, 8), (50, 50)] {
                    let chunks = Chunks { first, later };
                    let history = run(&config, Some(chunks), start);
                    for (name, (found, expected)) in ["drive", "H", "e"].iter().zip(history.iter().zip(&written)) {
                        let worst = found.iter().zip(expected).map(|(f, e)| (f - e).abs()).fold(0.0, f32::max);
                        let largest = expected.iter().fold(1.0, |m: f32, v| m.max(v.abs()));
                        assert_eq!(found.len(), expected.len());
                        assert!(worst <= 3e-6 * largest, "{stage:?} {chunks:?} eta {eta}: {name} is off by {worst}");
                    }
                }
            }
        }
    }
}
