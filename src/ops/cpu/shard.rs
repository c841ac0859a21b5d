//! Some trials of one network, from first to last step, on one thread.

use super::readout::{dot, Online, Readout};
use super::trace::Trace;
use super::{zeros, Aligned, Plan};
use crate::batch::DrawnTrial;
use crate::config::{RuleName, TraceModulator};
use crate::ops::tanh::tanh;
use crate::ops::{product, Strides};
use aligned_vec::AVec;
use pulp::{Simd, WithSimd};

/// Some trials of one network, and where their results go.
pub(super) struct Shard<'a> {
    /// `[N pre, width post]`: so that a product with rates `[trials, width]` reads it along its rows.
    pub(super) w_rec_t: &'a [f32],
    pub(super) w_in: &'a [f32],
    pub(super) b_rec: Option<&'a [f32]>,
    pub(super) readout: Option<&'a Readout>,
    pub(super) trials: &'a [DrawnTrial],
    /// Ē of each trial's type.
    pub(super) expected_error: Vec<f32>,
    /// H at the start, `[trials, N, N]`.
    pub(super) trace_before: Option<&'a [f32]>,
    /// H at the end, `[trials, N, N]`; empty where nobody asks.
    pub(super) trace_after: &'a mut [f32],
    /// Changes of w_out `[n_out, width]` and b_out `[n_out]`; empty where the readout does not learn.
    pub(super) readout_change: &'a mut [f32],
    /// `[trials, N]`, written at the end.
    pub(super) x: &'a mut [f32],
    /// `[trials, N]`, written at the end.
    pub(super) r: &'a mut [f32],
    pub(super) outputs: &'a mut [f32],
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

/// Factors of the last steps, `[trials, block, width]` each.
struct History {
    post: Aligned,
    pre: Aligned,
    filled: usize,
    /// Whether the eligibility holds a block already, to be added to.
    folded: bool,
}

/// The Hebbian traces of a shard's trials.
struct Traces<'a> {
    each: Vec<Trace<'a>>,
    /// H of each trial, `[trials, N pre, width post]`; empty where the eligibility is H.
    own: Aligned,
}

/// Where H of trial `b` is.
fn slot<'s>(own: &'s mut Aligned, eligibility: &'s mut [f32], b: usize, matrix: usize) -> &'s mut [f32] {
    let h: &mut [f32] = if own.is_empty() { eligibility } else { own };
    &mut h[b * matrix..(b + 1) * matrix]
}

impl Shard<'_> {
    /// Runs all steps and leaves the results where they belong.
    pub(super) fn run(mut self, plan: &Plan) {
        let (n, width, trials) = (plan.n, plan.width, self.trials.len());
        let cubes = plan.learns == RuleName::DeltaX;
        let mut rows = self.start(plan);
        let mut next_kick = vec![0usize; trials];
        let history_len = if cubes { trials * plan.block * width } else { 0 };
        let mut history = History { post: zeros(history_len), pre: zeros(history_len), filled: 0, folded: false };
        // What the workspace held before is overwritten by the first product; a rule that adds needs zeros.
        if plan.learns == RuleName::NodePerturbation {
            self.eligibility.fill(0.0);
        }
        let mut traces = self.start_traces(plan);
        let mut online: Vec<Online> = self.expected_error.iter().map(|e| Online::new(*e)).collect();
        let mut r_before = zeros(width);
        let along = Strides { rows: width, columns: 1 };
        for step in 0..plan.t {
            let learns = step >= plan.start_step;
            product(
                (trials.max(2), width, n),
                (&mut rows.recurrent, along),
                false,
                (&rows.r, along),
                (self.w_rec_t, along),
            );
            for b in 0..trials {
                let of = b * width..(b + 1) * width;
                self.drive_from_input(plan, b, step, &mut rows.input[of.clone()]);
                self.kick(plan, b, step, &mut next_kick[b], &mut rows, learns);
                if let Some(traces) = &mut traces {
                    let h = slot(&mut traces.own, self.eligibility, b, n * width);
                    let r = &rows.r[of.clone()];
                    traces.each[b].pass(plan.arch, h, r, &mut rows.recurrent[of.clone()]);
                    r_before.copy_from_slice(r);
                }
                let (recurrent, input) = (&rows.recurrent[of.clone()], &rows.input[of.clone()]);
                let (x, r) = (&mut rows.x[of.clone()], &mut rows.r[of.clone()]);
                let advance = Advance { plan, recurrent, input, x, r };
                if cubes {
                    let at = (b * plan.block + history.filled) * width;
                    let (post, pre) = (&mut history.post[at..at + width], &mut history.pre[at..at + width]);
                    let x_mean = &mut rows.x_mean[of.clone()];
                    plan.arch.dispatch(AdvanceDeltaX { step: advance, x_mean, post, pre });
                } else {
                    plan.arch.dispatch(advance);
                }
                let r = &rows.r[of];
                let change = self.judge(plan, b, step, r, &mut online[b]);
                if let Some(traces) = &mut traces {
                    traces.each[b].plan(&r_before, r, self.modulator(plan, b, step, change));
                }
            }
            if cubes && learns {
                history.filled += 1;
                if history.filled == plan.block || step + 1 == plan.t {
                    self.fold(plan, &mut history);
                }
            }
        }
        if cubes && !history.folded {
            self.eligibility.fill(0.0);
        }
        if let Some(traces) = traces {
            self.finish_traces(plan, traces);
        }
        for b in 0..trials {
            let (padded, dense) = (b * width..b * width + n, b * n..(b + 1) * n);
            self.x[dense.clone()].copy_from_slice(&rows.x[padded.clone()]);
            self.r[dense].copy_from_slice(&rows.r[padded]);
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
                    output[k] = dot(&w_out[k * plan.width..(k + 1) * plan.width], r) + b_out[k];
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
        match plan.trace.map(|trace| trace.modulator) {
            Some(TraceModulator::Reward) => reward_change,
            Some(TraceModulator::Task) => self.trials[b].trial.modulator.as_ref().map_or(1.0, |m| m[step]),
            _ => 1.0,
        }
    }

    fn start_traces<'t>(&mut self, plan: &Plan<'t>) -> Option<Traces<'t>> {
        let config = plan.trace?;
        let (n, width, trials) = (plan.n, plan.width, self.trials.len());
        let own = if plan.learns == RuleName::HebbianTrace { 0 } else { trials * n * width };
        let given = self.trace_before.is_some();
        let each = (0..trials).map(|_| Trace::new(config, n, width, given)).collect();
        let mut traces = Traces { own: zeros(own), each };
        for b in 0..trials {
            let h = slot(&mut traces.own, self.eligibility, b, n * width);
            h.fill(0.0);
            if let Some(before) = self.trace_before {
                let before = &before[b * n * n..(b + 1) * n * n];
                (0..n * n).for_each(|k| h[(k % n) * width + k / n] = before[k]);
            }
        }
        Some(traces)
    }

    fn finish_traces(&mut self, plan: &Plan, mut traces: Traces) {
        let (n, width) = (plan.n, plan.width);
        for b in 0..self.trials.len() {
            let h = slot(&mut traces.own, self.eligibility, b, n * width);
            traces.each[b].finish(plan.arch, h);
            if !self.trace_after.is_empty() {
                let after = &mut self.trace_after[b * n * n..(b + 1) * n * n];
                (0..n * n).for_each(|k| after[k] = h[(k % n) * width + k / n]);
            }
        }
    }

    /// x(0) with bias neurons clamped, r = tanh(x), x̄ = x.
    fn start(&self, plan: &Plan) -> Rows {
        let width = plan.width;
        // A single trial gets a silent companion: a product with one row would take a slower path.
        let rows = || zeros(self.trials.len().max(2) * width);
        let mut x = rows();
        for (x, trial) in x.chunks_exact_mut(width).zip(self.trials) {
            for i in 0..plan.n {
                x[i] = trial.x0[i] * plan.free[i] + plan.held[i];
            }
        }
        Rows {
            r: AVec::from_iter(0, x.iter().map(|x| tanh(*x))),
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
        for (i, drive) in drive[..plan.n].iter_mut().enumerate() {
            let weights = &self.w_in[i * n_in..(i + 1) * n_in];
            let sum: f32 = weights.iter().zip(now).map(|(w, u)| w * u).sum();
            *drive = sum + self.b_rec.map_or(0.0, |bias| bias[i]);
        }
    }

    /// Adds this step's perturbations to the drive, and for `node-perturbation` to the eligibility: ξ r_preᵀ is one row.
    fn kick(&mut self, plan: &Plan, b: usize, step: usize, next: &mut usize, rows: &mut Rows, learns: bool) {
        let (n, width) = (plan.n, plan.width);
        while let Some(kick) = self.trials[b].kicks.get(*next).filter(|kick| kick.step as usize == step) {
            let neuron = kick.neuron as usize;
            rows.recurrent[b * width + neuron] += kick.size;
            *next += 1;
            if learns && plan.learns == RuleName::NodePerturbation {
                let at = (b * n + neuron) * width;
                let (row, r) = (&mut self.eligibility[at..at + width], &rows.r[b * width..(b + 1) * width]);
                row.iter_mut().zip(r).for_each(|(e, r)| *e += kick.size * r);
            }
        }
    }

    /// e ← e + Σ post preᵀ over the history, for each trial, and forgets the history.
    fn fold(&mut self, plan: &Plan, history: &mut History) {
        let (n, width) = (plan.n, plan.width);
        let (along_steps, along_neurons) = (Strides { rows: 1, columns: width }, Strides { rows: width, columns: 1 });
        for (b, eligibility) in self.eligibility.chunks_exact_mut(n * width).enumerate() {
            let of = b * plan.block * width..(b * plan.block + history.filled) * width;
            product(
                (n, width, history.filled),
                (eligibility, along_neurons),
                history.folded,
                (&history.post[of.clone()], along_steps),
                (&history.pre[of], along_neurons),
            );
        }
        history.filled = 0;
        history.folded = true;
    }
}

/// One step of one trial: x ← x + leak (drive − x), clamped; r = tanh(x). Every slice is one row.
///
/// The loops are plain; [`Arch::dispatch`] compiles them for each vector extension and picks one at run time. For that they
/// must be inlined to the end.
struct Advance<'a> {
    plan: &'a Plan<'a>,
    recurrent: &'a [f32],
    input: &'a [f32],
    x: &'a mut [f32],
    r: &'a mut [f32],
}

/// The same, with the factors of `delta-x`: post = δx³, pre = r(t−1)³, and x̄ moved on afterwards.
struct AdvanceDeltaX<'a> {
    step: Advance<'a>,
    x_mean: &'a mut [f32],
    post: &'a mut [f32],
    pre: &'a mut [f32],
}

impl WithSimd for Advance<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        let w = self.plan.width;
        let (recurrent, input) = (&self.recurrent[..w], &self.input[..w]);
        let (x, r) = (&mut self.x[..w], &mut self.r[..w]);
        let (leak, free, held) = (self.plan.leak, &self.plan.free[..w], &self.plan.held[..w]);
        for i in 0..w {
            let next = x[i] + leak * (recurrent[i] + input[i] - x[i]);
            x[i] = next * free[i] + held[i];
            r[i] = tanh(x[i]);
        }
    }
}

impl WithSimd for AdvanceDeltaX<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        let Advance { plan, recurrent, input, x, r } = self.step;
        let w = plan.width;
        let (recurrent, input, x, r) = (&recurrent[..w], &input[..w], &mut x[..w], &mut r[..w]);
        let (x_mean, post, pre) = (&mut self.x_mean[..w], &mut self.post[..w], &mut self.pre[..w]);
        let (leak, decay, free, held) = (plan.leak, plan.decay, &plan.free[..w], &plan.held[..w]);
        for i in 0..w {
            let next = x[i] + leak * (recurrent[i] + input[i] - x[i]);
            let next = next * free[i] + held[i];
            let delta = next - x_mean[i];
            post[i] = delta * delta * delta;
            pre[i] = r[i] * r[i] * r[i];
            x_mean[i] = decay * x_mean[i] + (1.0 - decay) * next;
            x[i] = next;
            r[i] = tanh(next);
        }
    }
}
