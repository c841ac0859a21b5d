//! A batch of trials on the CPU, fused: after the recurrent product one vectorised pass does everything elementwise.
//!
//! The batch is cut into shards of a few trials of one network. Each shard runs its whole trial on one thread and meets no
//! other, so threads never wait within a trial, and since the cut does not depend on their number, neither do results.
//! Memory beyond the eligibility `[S, B, N, N]`: for each thread 2·shard·block·N floats of history.

mod readout;
mod trace;

use self::readout::{dot, Online, OnlinePlan, Readout};
use self::trace::Trace;
use super::tanh::tanh;
use super::{product, Strides};
use crate::batch::{DrawnTrial, TrialBatch};
use crate::config::{Config, Dynamics, Kernels, Output, Precision, RuleName, Stage, TraceConfig, TraceModulator};
use crate::eligibility::{Eligibility, HostEligibility, Workspace};
use crate::episode::{Ensemble, Episode};
use crate::network::State;
use crate::task::Task;
use crate::trace::TraceState;
use aligned_vec::{AVec, ConstAlign};
use candle_core::{Device, Result, Tensor};
use pulp::{Arch, Simd, WithSimd};
use rayon::prelude::*;

/// Trials of a network that run together, and steps of history between two products into the eligibility.
///
/// They depend on N alone, so results depend on nothing else. Small networks: few trials, so that w_rec, the eligibility and
/// the history of a shard stay in a core's own cache (about 2 MB at N = 200). Large ones: w_rec comes from farther away at
/// every step, so many trials share it, and the eligibility is visited less often.
fn cut(neurons: usize) -> (usize, usize) {
    match neurons {
        0..=256 => (6, 64),
        257..=512 => (12, 128),
        _ => (32, 250),
    }
}

/// Rows of neurons are padded with silent ones to a multiple of this: a product then reads whole vectors without copying.
const LANES: usize = 16;

/// Whether [`run`] can do what the configuration asks for.
pub fn supports(config: &Config, device: &Device) -> bool {
    config.train.kernels == Kernels::Fused
        && config.train.dtype == Precision::F32
        && device.is_cpu()
        && config.trace.stage != Stage::Retroactive
        && config.rule.name != RuleName::Eh
}

/// Runs all trials of a batch; with `learn`, accumulates the eligibility. The twin is [`crate::episode::run`].
pub fn run(ensemble: &Ensemble, batch: &TrialBatch, learn: bool, workspace: &mut Workspace) -> Result<Episode> {
    let Ensemble { config, task, weights, modulator, ref trace } = *ensemble;
    let (s, b, n) = (batch.networks, batch.trials_each, config.network.neurons);
    let (t, n_in, n_out) = (task.steps(), task.inputs().len(), task.n_out());
    let host = |w: &Tensor| w.flatten_all()?.to_vec1::<f32>();
    let plan = Plan::new(config, task, learn);
    let width = plan.width;
    let w_rec_t = padded_rows(&host(&weights.w_rec.transpose(1, 2)?.contiguous()?)?, n, width);
    let w_in = host(&weights.w_in)?;
    let b_rec = weights.b_rec.as_ref().map(host).transpose()?;
    let readouts = match (&weights.w_out, &weights.b_out) {
        (Some(w_out), Some(b_out)) => {
            let (w_out, b_out) = (padded_rows(&host(w_out)?, n, width), host(b_out)?);
            let of = |k: usize| Readout {
                w_out: AVec::from_iter(0, w_out[k * n_out * width..(k + 1) * n_out * width].iter().copied()),
                b_out: b_out[k * n_out..(k + 1) * n_out].to_vec(),
            };
            (0..s).map(of).collect()
        }
        _ => Vec::new(),
    };
    let trace_before = trace.as_ref().map(|trace| host(&trace.h)).transpose()?;
    let matrix = if plan.learns == RuleName::None { 0 } else { n * width };

    let mut x = vec![0f32; s * b * n];
    let mut r = vec![0f32; s * b * n];
    let mut outputs = vec![0f32; s * b * t * n_out];
    let mut eligibility = workspace.take(s * b * matrix);
    let kept = if plan.trace.is_some_and(|trace| trace.persistent) { n * n } else { 0 };
    let mut trace_after = vec![0f32; s * b * kept];
    let shards_each = b.div_ceil(plan.shard);
    let readout_row = if plan.online.learns() { n_out * (width + 1) } else { 0 };
    let mut readout_change = vec![0f32; s * shards_each * readout_row];

    let mut shards = Vec::new();
    {
        let (mut x, mut r) = (x.as_mut_slice(), r.as_mut_slice());
        let (mut outputs, mut eligibility) = (outputs.as_mut_slice(), &mut eligibility[..s * b * matrix]);
        let (mut trace_after, mut readout_change) = (trace_after.as_mut_slice(), readout_change.as_mut_slice());
        for network in 0..s {
            for first in (0..b).step_by(plan.shard) {
                let trials = plan.shard.min(b - first);
                let at = network * b + first;
                let drawn = &batch.drawn[at..at + trials];
                let expected = |d: &DrawnTrial| modulator.expectation(network, d.trial.trial_type) as f32;
                shards.push(Shard {
                    readout: readouts.get(network),
                    expected_error: drawn.iter().map(expected).collect(),
                    trace_before: trace_before.as_deref().map(|h| &h[at * n * n..(at + trials) * n * n]),
                    trace_after: take(&mut trace_after, trials * kept),
                    readout_change: take(&mut readout_change, readout_row),
                    w_rec_t: &w_rec_t[network * n * width..(network + 1) * n * width],
                    w_in: &w_in[network * n * n_in..(network + 1) * n * n_in],
                    b_rec: b_rec.as_deref().map(|b| &b[network * n..(network + 1) * n]),
                    trials: drawn,
                    x: take(&mut x, trials * n),
                    r: take(&mut r, trials * n),
                    outputs: take(&mut outputs, trials * t * n_out),
                    eligibility: take(&mut eligibility, trials * matrix),
                });
            }
        }
    }
    shards.into_par_iter().for_each(|shard| shard.run(&plan));

    let cpu = &Device::Cpu;
    // From [S, B, T, n_out] to [T, S, B, n_out].
    let outputs = Tensor::from_vec(outputs, (s * b, t, n_out), cpu)?.transpose(0, 1)?.contiguous()?;
    Ok(Episode {
        outputs: outputs.reshape((t, s, b, n_out))?,
        state: State { x: Tensor::from_vec(x, (s, b, n), cpu)?, r: Tensor::from_vec(r, (s, b, n), cpu)? },
        trace: (kept > 0)
            .then(|| Tensor::from_vec(trace_after, (s, b, n, n), cpu))
            .transpose()?
            .map(|h| TraceState { h, eligibility: None }),
        readout_change: (readout_row > 0)
            .then(|| summed_readout(&readout_change, (s, shards_each, n_out), n, width))
            .transpose()?,
        eligibility: (matrix > 0).then_some(Eligibility::Host(HostEligibility {
            values: eligibility,
            networks: s,
            trials_each: b,
            neurons: n,
            width,
            transposed: plan.learns == RuleName::HebbianTrace,
        })),
        rates: None,
        activations: None,
    })
}

/// Adds up what the shards `[S, shards, n_out (width + 1)]` found for w_out `[S, n_out, N]` and b_out `[S, n_out]`, in order.
fn summed_readout(
    shards: &[f32],
    (s, each, n_out): (usize, usize, usize),
    n: usize,
    width: usize,
) -> Result<(Tensor, Tensor)> {
    let (mut w_out, mut b_out) = (vec![0f32; s * n_out * n], vec![0f32; s * n_out]);
    for (i, shard) in shards.chunks_exact(n_out * (width + 1)).enumerate() {
        let (w, b) = shard.split_at(n_out * width);
        for k in 0..n_out {
            let at = (i / each) * n_out + k;
            let row = &mut w_out[at * n..(at + 1) * n];
            row.iter_mut().zip(&w[k * width..]).for_each(|(sum, w)| *sum += w);
            b_out[at] += b[k];
        }
    }
    Ok((Tensor::from_vec(w_out, (s, n_out, n), &Device::Cpu)?, Tensor::from_vec(b_out, (s, n_out), &Device::Cpu)?))
}

/// Floats that start on a cache line: no vector read straddles two.
pub(crate) type Aligned = AVec<f32, ConstAlign<64>>;

/// `len` zeros.
pub(crate) fn zeros(len: usize) -> Aligned {
    AVec::from_iter(0, std::iter::repeat_n(0.0, len))
}

/// Rows of `n` values as rows of `width`, filled up with zeros.
fn padded_rows(values: &[f32], n: usize, width: usize) -> Aligned {
    let mut padded = zeros(values.len() / n * width);
    for (padded, row) in padded.chunks_exact_mut(width).zip(values.chunks_exact(n)) {
        padded[..n].copy_from_slice(row);
    }
    padded
}

fn take<'a>(rest: &mut &'a mut [f32], len: usize) -> &'a mut [f32] {
    let (head, tail) = std::mem::take(rest).split_at_mut(len);
    *rest = tail;
    head
}

/// What is the same for all shards.
struct Plan<'a> {
    trace: Option<&'a TraceConfig>,
    online: OnlinePlan,
    arch: Arch,
    /// See [`cut`].
    shard: usize,
    /// See [`cut`].
    block: usize,
    n: usize,
    /// N, filled up to whole vectors.
    width: usize,
    t: usize,
    n_in: usize,
    n_out: usize,
    /// dt/τ; 1 makes the leaky step the discrete one.
    leak: f32,
    /// 0 for clamped neurons, else 1.
    free: Aligned,
    /// x of clamped neurons, else 0.
    held: Aligned,
    output_neurons: Vec<usize>,
    learns: RuleName,
    start_step: usize,
    decay: f32,
}

impl<'a> Plan<'a> {
    fn new(config: &'a Config, task: &dyn Task, learn: bool) -> Self {
        let (t, n_in, n_out) = (task.steps(), task.inputs().len(), task.n_out());
        let n = config.network.neurons;
        let width = n.next_multiple_of(LANES);
        let (mut free, mut held) = (zeros(width), zeros(width));
        free.fill(1.0);
        for &(neuron, activation) in &config.network.clamped {
            free[neuron] = 0.0;
            held[neuron] = activation as f32;
        }
        let (shard, block) = cut(n);
        Plan {
            trace: (config.trace.stage != Stage::None).then_some(&config.trace),
            online: OnlinePlan::new(config, task.measure(), learn),
            arch: Arch::new(),
            shard,
            block,
            n,
            width,
            t,
            n_in,
            n_out,
            leak: match config.network.dynamics {
                Dynamics::Leaky => (config.network.dt_ms / config.network.tau_ms) as f32,
                Dynamics::Discrete => 1.0,
            },
            free,
            held,
            output_neurons: match config.network.output {
                Output::Neurons => config.network.output_neurons.clone(),
                Output::Readout => Vec::new(),
            },
            learns: if learn { config.rule.name } else { RuleName::None },
            start_step: config.rule.start_step,
            decay: config.rule.x_mean_decay as f32,
        }
    }
}

/// Some trials of one network, and where their results go.
struct Shard<'a> {
    /// `[N pre, width post]`: so that a product with rates `[trials, width]` reads it along its rows.
    w_rec_t: &'a [f32],
    w_in: &'a [f32],
    b_rec: Option<&'a [f32]>,
    readout: Option<&'a Readout>,
    trials: &'a [DrawnTrial],
    /// Ē of each trial's type.
    expected_error: Vec<f32>,
    /// H at the start, `[trials, N, N]`.
    trace_before: Option<&'a [f32]>,
    /// H at the end, `[trials, N, N]`; empty where nobody asks.
    trace_after: &'a mut [f32],
    /// Changes of w_out `[n_out, width]` and b_out `[n_out]`; empty where the readout does not learn.
    readout_change: &'a mut [f32],
    /// `[trials, N]`, written at the end.
    x: &'a mut [f32],
    /// `[trials, N]`, written at the end.
    r: &'a mut [f32],
    outputs: &'a mut [f32],
    /// `[trials, N, width]`; for `hebbian-trace` H itself, transposed.
    eligibility: &'a mut [f32],
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
    fn run(mut self, plan: &Plan) {
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
