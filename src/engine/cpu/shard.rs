//! Some trials of one network, from first to last step, on one thread.

use super::advance::{Advance, AdvanceWithFactors, Rectified, Response, Tanh};
use super::factors::Factors;
use super::readout::{Online, Readout};
use super::rows::{dispatched_add_scaled, dispatched_dot, dispatched_sum};
use super::trace::{Kept, Traces};
use super::Plan;
use crate::config::ModulatorSource;
use crate::engine::eligibility::{zeros, Aligned};
use crate::engine::{product, DrawnTrial, Strides};
use crate::model::Transfer;
use crate::rules::FusedRule;
use aligned_vec::AVec;
use std::ops::Range;

/// Some trials of one network, and where their results go.
pub(super) struct Shard<'a> {
    /// `[N pre, width post]`: so that a product with rates `[trials, width]` reads it along its rows.
    pub(super) w_rec_t: &'a [f32],
    /// `[n_in, width]`.
    pub(super) w_in_t: &'a [f32],
    /// `[width]`.
    pub(super) b_rec: Option<&'a [f32]>,
    pub(super) readout: Option<&'a Readout>,
    pub(super) trials: &'a [DrawnTrial],
    /// Ē of each trial's type.
    pub(super) expected_error: Vec<f32>,
    /// The traces at the start, `[trials, N, N]`.
    pub(super) trace_before: Kept<Option<&'a [f32]>>,
    /// The traces at the end, `[trials, N, N]`; empty where nobody asks.
    pub(super) trace_after: Kept<&'a mut [f32]>,
    /// Changes of w_out `[n_out, width]` and b_out `[n_out]`; empty where the readout does not learn.
    pub(super) readout_change: &'a mut [f32],
    /// `[trials, N]`, written at the end.
    pub(super) x: &'a mut [f32],
    /// `[trials, N]`, written at the end.
    pub(super) r: &'a mut [f32],
    pub(super) outputs: &'a mut [f32],
    /// Rates and activations of every step, `[trials, T, N]`; empty where nobody asks.
    pub(super) rates: &'a mut [f32],
    /// The same for x.
    pub(super) activations: &'a mut [f32],
    /// `[trials, N, width]`; for `hebbian-trace` H itself, transposed.
    pub(super) eligibility: &'a mut [f32],
}

/// The state of a shard's trials; all `[trials, width]`.
struct Rows {
    x: Aligned,
    r: Aligned,
    x_mean: Aligned,
    recurrent: Aligned,
    input: Aligned,
}

/// Where a shard's trials are between two steps.
struct Progress<'a> {
    rows: Rows,
    /// Each trial's next perturbation.
    next_perturbation: Vec<usize>,
    traces: Option<Traces<'a>>,
    online: Vec<Online>,
}

impl Shard<'_> {
    /// Runs all steps and leaves the results where they belong.
    pub(super) fn run(mut self, plan: &Plan) {
        let (n, width, trials) = (plan.n, plan.width, self.trials.len());
        // What the workspace held before is overwritten by the first product; a rule that adds needs zeros.
        if plan.learns == FusedRule::NodePerturbation {
            self.eligibility.fill(0.0);
        }
        let before = std::mem::take(&mut self.trace_before);
        let mut progress = Progress {
            rows: self.start(plan),
            next_perturbation: vec![0; trials],
            traces: Traces::new(plan, trials, before, lent_to_trace(plan, self.eligibility)),
            online: self.expected_error.iter().map(|e| Online::new(*e)).collect(),
        };
        let factors = || Factors::new(trials, plan.block.min(plan.t), n, width);
        match plan.learns {
            FusedRule::DeltaX(_) if plan.folds_aside => {
                self.run_folding_aside(plan, &mut progress, [factors(), factors()])
            }
            FusedRule::DeltaX(_) | FusedRule::Eh(_) => {
                let mut factors = factors();
                self.steps(plan, 0..plan.t, &mut progress, Some(&mut factors));
                for (b, e) in self.eligibility.chunks_exact_mut(n * width).enumerate() {
                    factors.finish(b, e);
                }
            }
            FusedRule::NodePerturbation | FusedRule::FastWeights | FusedRule::Nothing => {
                self.steps(plan, 0..plan.t, &mut progress, None);
            }
        }
        let Progress { rows, traces, .. } = progress;
        if let Some(mut traces) = traces {
            traces.finish(lent_to_trace(plan, self.eligibility), self.trace_after);
        }
        for b in 0..trials {
            let (padded, dense) = (b * width..b * width + n, b * n..(b + 1) * n);
            self.x[dense.clone()].copy_from_slice(&rows.x[padded.clone()]);
            self.r[dense].copy_from_slice(&rows.r[padded]);
        }
    }

    /// All steps, while an idle thread, if there is one, multiplies the block before into the eligibility. The order of
    /// additions stays what it is, and so does the result.
    fn run_folding_aside(&mut self, plan: &Plan, progress: &mut Progress, [mut filling, mut ready]: [Factors; 2]) {
        let eligibility = std::mem::take(&mut self.eligibility);
        let mut first = 0;
        while first < plan.t {
            let learnt = first.saturating_sub(plan.start_step);
            let next = (plan.start_step + learnt + plan.block).min(plan.t);
            ready.follow(&filling);
            rayon::join(|| self.steps(plan, first..next, progress, Some(&mut filling)), || ready.fold_all(eligibility));
            std::mem::swap(&mut filling, &mut ready);
            first = next;
        }
        ready.follow(&filling);
        for (b, e) in eligibility.chunks_exact_mut(plan.n * plan.width).enumerate() {
            ready.finish(b, e);
        }
        self.eligibility = eligibility;
    }

    /// Some steps of all trials. Full blocks of factors go into the eligibility, unless it is elsewhere: then whoever has it
    /// folds them.
    fn steps(&mut self, plan: &Plan, steps: Range<usize>, progress: &mut Progress, mut factors: Option<&mut Factors>) {
        let (n, width, trials) = (plan.n, plan.width, self.trials.len());
        let along = Strides { rows: width, columns: 1 };
        let Progress { rows, next_perturbation, traces, online } = progress;
        for step in steps {
            let learns = step >= plan.start_step;
            match trials {
                // One row: nothing to win from a product's blocks.
                1 => dispatched_sum(plan.arch, &mut rows.recurrent, self.w_rec_t, &rows.r[..n]),
                _ => product(
                    (trials, width, n),
                    (&mut rows.recurrent, along),
                    false,
                    (&rows.r, along),
                    (self.w_rec_t, along),
                ),
            }
            for b in 0..trials {
                let of = b * width..(b + 1) * width;
                self.drive_from_input(plan, b, step, &mut rows.input[of.clone()]);
                self.perturb(plan, b, step, &mut next_perturbation[b], rows, learns);
                if let Some(traces) = traces {
                    let h = lent_to_trace(plan, self.eligibility);
                    traces.read(b, h, &rows.r[of.clone()], &mut rows.recurrent[of.clone()]);
                }
                advance(plan, rows, of.clone(), factors.as_mut().map(|f| f.next(b)));
                let r = &rows.r[of.clone()];
                self.record(plan, b, step, &rows.x[of.clone()], r);
                let change = self.judge(plan, b, step, r, &mut online[b]);
                if let Some(traces) = traces {
                    let m = self.modulator(plan, b, step, change);
                    traces.changed(b, lent_to_trace(plan, self.eligibility), r, m);
                }
                if let Some(factors) = factors.as_mut().filter(|_| learns) {
                    self.credit(plan, b, change, factors);
                }
            }
        }
    }

    /// Counts the factors of a step of trial `b`, and folds a full block.
    fn credit(&mut self, plan: &Plan, b: usize, reward_change: f32, factors: &mut Factors) {
        if matches!(plan.learns, FusedRule::Eh(_)) {
            // Gated by the reward of the step: where that is as expected, nothing is added.
            if reward_change == 0.0 {
                return;
            }
            factors.next(b).0.iter_mut().for_each(|post| *post *= reward_change);
        }
        let of = b * plan.n * plan.width..(b + 1) * plan.n * plan.width;
        if factors.push(b) {
            if let Some(e) = self.eligibility.get_mut(of) {
                factors.fold(b, e);
            }
        }
    }

    /// Keeps x and r of a step, where somebody asked for them.
    fn record(&mut self, plan: &Plan, b: usize, step: usize, x: &[f32], r: &[f32]) {
        let at = (b * plan.t + step) * plan.n;
        for (kept, now) in [(&mut self.activations, x), (&mut self.rates, r)] {
            if let Some(kept) = kept.get_mut(at..at + plan.n) {
                kept.copy_from_slice(&now[..plan.n]);
            }
        }
    }

    /// Writes the output of a step; returns R − R̄ where something reads it, else 0. The readout learns here.
    fn judge(&mut self, plan: &Plan, b: usize, step: usize, r: &[f32], online: &mut Online) -> f32 {
        let (n_out, drawn) = (plan.n_out, &self.trials[b]);
        let at = (b * plan.t + step) * n_out;
        let output = &mut self.outputs[at..at + n_out];
        let steps = step * n_out..(step + 1) * n_out;
        let noise = drawn.readout_noise.get(steps.clone()).unwrap_or(&[]);
        match self.readout {
            None => output.iter_mut().zip(&plan.output_neurons).for_each(|(z, &neuron)| *z = r[neuron]),
            Some(Readout { w_out, b_out }) => {
                for k in 0..n_out {
                    output[k] = dispatched_dot(plan.arch, &w_out[k * plan.width..(k + 1) * plan.width], r) + b_out[k];
                    output[k] += noise.get(k).copied().unwrap_or(0.0);
                }
            }
        }
        if !plan.online.needed {
            return 0.0;
        }
        let change = match drawn.trial.scored[step] {
            true => online.reward_change(&plan.online, output, &drawn.trial.targets[steps]),
            false => 0.0,
        };
        if plan.online.learns() {
            let to = self.readout_change.split_at_mut(n_out * plan.width);
            online.learn(&plan.online, output, noise, change, r, to);
        }
        change
    }

    /// m(t) of the trace.
    fn modulator(&self, plan: &Plan, b: usize, step: usize, reward_change: f32) -> f32 {
        match plan.trace_modulator {
            ModulatorSource::Reward => reward_change,
            ModulatorSource::Task => self.trials[b].trial.modulator.as_ref().map_or(1.0, |m| m[step]),
            ModulatorSource::Constant => 1.0,
        }
    }

    /// x(0) with bias neurons clamped, r = φ(x), x̄ = x.
    fn start(&self, plan: &Plan) -> Rows {
        let width = plan.width;
        let rows = || zeros(self.trials.len() * width);
        let mut x = rows();
        for (x, trial) in x.chunks_exact_mut(width).zip(self.trials) {
            x.copy_from_slice(&plan.held);
            for i in 0..plan.n {
                x[i] += trial.x0[i] * plan.free[i];
            }
        }
        Rows {
            r: AVec::from_iter(0, x.iter().map(|x| plan.transfer.single(*x))),
            x_mean: x.clone(),
            x,
            recurrent: rows(),
            input: rows(),
        }
    }

    /// w_in u + b for one trial, computed only where u changes.
    fn drive_from_input(&self, plan: &Plan, b: usize, step: usize, drive: &mut [f32]) {
        let (n_in, inputs) = (plan.n_in, &self.trials[b].trial.inputs);
        let now = &inputs[step * n_in..(step + 1) * n_in];
        if step > 0 && now == &inputs[(step - 1) * n_in..step * n_in] {
            return;
        }
        match self.b_rec {
            Some(bias) => drive.copy_from_slice(bias),
            None => drive.fill(0.0),
        }
        for (weights, u) in self.w_in_t.chunks_exact(plan.width).zip(now).filter(|(_, u)| **u != 0.0) {
            dispatched_add_scaled(plan.arch, drive, weights, *u);
        }
    }

    /// Adds this step's perturbations to the drive, and for `node-perturbation` to the eligibility: ξ r_preᵀ is one row.
    fn perturb(&mut self, plan: &Plan, b: usize, step: usize, next: &mut usize, rows: &mut Rows, learns: bool) {
        let (n, width) = (plan.n, plan.width);
        while let Some(perturbation) = self.trials[b].perturbations.get(*next).filter(|p| p.step as usize == step) {
            let neuron = perturbation.neuron as usize;
            rows.recurrent[b * width + neuron] += perturbation.size;
            *next += 1;
            if learns && plan.learns == FusedRule::NodePerturbation {
                let at = (b * n + neuron) * width;
                let (row, r) = (&mut self.eligibility[at..at + width], &rows.r[b * width..(b + 1) * width]);
                row.iter_mut().zip(r).for_each(|(e, r)| *e += perturbation.size * r);
            }
        }
    }
}

/// Where H is to be written: for `hebbian-trace` it is the eligibility; else nobody lends anything.
fn lent_to_trace<'e>(plan: &Plan, eligibility: &'e mut [f32]) -> &'e mut [f32] {
    match plan.learns {
        FusedRule::FastWeights => eligibility,
        FusedRule::DeltaX(_) | FusedRule::NodePerturbation | FusedRule::Eh(_) | FusedRule::Nothing => &mut [],
    }
}

/// One step of the trial whose rows are `of`; `factors` (post, pre) are written for the rules that have them.
fn advance(plan: &Plan, rows: &mut Rows, of: Range<usize>, factors: Option<(&mut [f32], &mut [f32])>) {
    match plan.transfer {
        Transfer::Tanh => advance_with(Tanh, plan, rows, of, factors),
        Transfer::Rectified { offset, max } => {
            advance_with(Rectified { offset: offset as f32, max: max as f32 }, plan, rows, of, factors)
        }
    }
}

fn advance_with<R: Response>(
    response: R,
    plan: &Plan,
    rows: &mut Rows,
    of: Range<usize>,
    factors: Option<(&mut [f32], &mut [f32])>,
) {
    let (recurrent, input) = (&rows.recurrent[of.clone()], &rows.input[of.clone()]);
    let (x, r, x_mean) = (&mut rows.x[of.clone()], &mut rows.r[of.clone()], &mut rows.x_mean[of]);
    let step = Advance { plan, response, recurrent, input, x, r };
    match factors {
        None => plan.arch.dispatch(step),
        Some((post, pre)) if matches!(plan.learns, FusedRule::DeltaX(_)) => {
            plan.arch.dispatch(AdvanceWithFactors::<_, true> { step, x_mean, post, pre })
        }
        Some((post, pre)) => plan.arch.dispatch(AdvanceWithFactors::<_, false> { step, x_mean, post, pre }),
    }
}
