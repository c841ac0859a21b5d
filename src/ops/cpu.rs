//! A batch of trials on the CPU, fused: after the recurrent product one vectorised pass does everything elementwise.
//!
//! The batch is cut into shards of 16 trials of one network. Each shard runs its whole trial on one thread and meets
//! no other, so threads never wait within a trial, and since the cut does not depend on their number, neither do results.
//! Memory beyond the eligibility `[S, B, N, N]`: for each thread 2·16·64·N floats of history.

use super::product::{product, Strides};
use super::tanh::tanh;
use crate::batch::{DrawnTrial, TrialBatch};
use crate::config::{Config, Dynamics, Kernels, Output, Precision, RuleName, Stage};
use crate::episode::Episode;
use crate::network::{State, Weights};
use crate::task::Task;
use candle_core::{Device, Result, Tensor};
use pulp::Arch;
use rayon::prelude::*;

/// Trials of one network that run together.
const SHARD: usize = 16;
/// Steps of history between two products into the eligibility.
const BLOCK: usize = 64;

/// Whether [`run`] can do what the configuration asks for.
pub fn supports(config: &Config, device: &Device) -> bool {
    config.train.kernels == Kernels::Fused
        && config.train.dtype == Precision::F32
        && device.is_cpu()
        && config.trace.stage == Stage::None
        && config.network.output == Output::Neurons
        && matches!(config.rule.name, RuleName::DeltaX | RuleName::NodePerturbation | RuleName::None)
}

/// Runs all trials of a batch; with `learn`, accumulates the eligibility. The twin is [`crate::episode::run`].
pub fn run(config: &Config, task: &dyn Task, weights: &Weights, batch: &TrialBatch, learn: bool) -> Result<Episode> {
    let (s, b, n) = (batch.networks, batch.trials_each, config.network.neurons);
    let (t, n_in, n_out) = (task.steps(), task.inputs().len(), task.n_out());
    let host = |w: &Tensor| w.flatten_all()?.to_vec1::<f32>();
    let w_rec_t = host(&weights.w_rec.transpose(1, 2)?.contiguous()?)?;
    let w_in = host(&weights.w_in)?;
    let b_rec = weights.b_rec.as_ref().map(host).transpose()?;
    let plan = Plan::new(config, t, n_in, n_out, learn);
    let eligibility_len = if learn && config.rule.name != RuleName::None { n * n } else { 0 };

    let mut x = vec![0f32; s * b * n];
    let mut r = vec![0f32; s * b * n];
    let mut outputs = vec![0f32; s * b * t * n_out];
    let mut eligibility = vec![0f32; s * b * eligibility_len];

    let mut shards = Vec::new();
    {
        let (mut x, mut r) = (x.as_mut_slice(), r.as_mut_slice());
        let (mut outputs, mut eligibility) = (outputs.as_mut_slice(), eligibility.as_mut_slice());
        for network in 0..s {
            for first in (0..b).step_by(SHARD) {
                let trials = SHARD.min(b - first);
                shards.push(Shard {
                    w_rec_t: &w_rec_t[network * n * n..(network + 1) * n * n],
                    w_in: &w_in[network * n * n_in..(network + 1) * n * n_in],
                    b_rec: b_rec.as_deref().map(|b| &b[network * n..(network + 1) * n]),
                    trials: &batch.drawn[network * b + first..network * b + first + trials],
                    x: take(&mut x, trials * n),
                    r: take(&mut r, trials * n),
                    outputs: take(&mut outputs, trials * t * n_out),
                    eligibility: take(&mut eligibility, trials * eligibility_len),
                });
            }
        }
    }
    shards.into_par_iter().for_each(|shard| shard.run(&plan));

    let cpu = &Device::Cpu;
    // From [S, B, T, n_out] to [T, S, B, n_out].
    let outputs =
        Tensor::from_vec(outputs, (s * b, t, n_out), cpu)?.transpose(0, 1)?.contiguous()?.reshape((t, s, b, n_out))?;
    Ok(Episode {
        outputs,
        state: State { x: Tensor::from_vec(x, (s, b, n), cpu)?, r: Tensor::from_vec(r, (s, b, n), cpu)? },
        trace: None,
        eligibility: (eligibility_len > 0).then(|| Tensor::from_vec(eligibility, (s, b, n, n), cpu)).transpose()?,
        readout_change: None,
        rates: None,
        activations: None,
    })
}

fn take<'a>(rest: &mut &'a mut [f32], len: usize) -> &'a mut [f32] {
    let (head, tail) = std::mem::take(rest).split_at_mut(len);
    *rest = tail;
    head
}

/// What is the same for all shards.
struct Plan {
    arch: Arch,
    n: usize,
    t: usize,
    n_in: usize,
    n_out: usize,
    /// dt/τ; 1 makes the leaky step the discrete one.
    leak: f32,
    /// 0 for clamped neurons, else 1.
    free: Vec<f32>,
    /// x of clamped neurons, else 0.
    held: Vec<f32>,
    output_neurons: Vec<usize>,
    learns: RuleName,
    start_step: usize,
    decay: f32,
}

impl Plan {
    fn new(config: &Config, t: usize, n_in: usize, n_out: usize, learn: bool) -> Self {
        let n = config.network.neurons;
        let (mut free, mut held) = (vec![1.0; n], vec![0.0; n]);
        for &(neuron, activation) in &config.network.clamped {
            free[neuron] = 0.0;
            held[neuron] = activation as f32;
        }
        Plan {
            arch: Arch::new(),
            n,
            t,
            n_in,
            n_out,
            leak: match config.network.dynamics {
                Dynamics::Leaky => (config.network.dt_ms / config.network.tau_ms) as f32,
                Dynamics::Discrete => 1.0,
            },
            free,
            held,
            output_neurons: config.network.output_neurons.clone(),
            learns: if learn { config.rule.name } else { RuleName::None },
            start_step: config.rule.start_step,
            decay: config.rule.x_mean_decay as f32,
        }
    }
}

/// Some trials of one network, and where their results go.
struct Shard<'a> {
    /// `[N pre, N post]`: so that a product with rates `[trials, N]` reads it along its rows.
    w_rec_t: &'a [f32],
    w_in: &'a [f32],
    b_rec: Option<&'a [f32]>,
    trials: &'a [DrawnTrial],
    x: &'a mut [f32],
    r: &'a mut [f32],
    outputs: &'a mut [f32],
    eligibility: &'a mut [f32],
}

/// Factors of the last steps, `[trials, BLOCK, N]` each.
struct History {
    post: Vec<f32>,
    pre: Vec<f32>,
    filled: usize,
}

impl Shard<'_> {
    fn run(mut self, plan: &Plan) {
        let (n, trials) = (plan.n, self.trials.len());
        self.start(plan);
        let mut x_mean = self.x.to_vec();
        let mut recurrent = vec![0f32; trials * n];
        let mut input_drive = vec![0f32; trials * n];
        let mut next_kick = vec![0usize; trials];
        let history_len = if plan.learns == RuleName::DeltaX { trials * BLOCK * n } else { 0 };
        let mut history = History { post: vec![0.0; history_len], pre: vec![0.0; history_len], filled: 0 };

        for step in 0..plan.t {
            let row = Strides { rows: n, columns: 1 };
            product((trials, n, n), (&mut recurrent, row), false, (self.r, row), (self.w_rec_t, row));
            let learns = step >= plan.start_step;
            for b in 0..trials {
                let of = b * n..(b + 1) * n;
                self.drive_from_input(plan, b, step, &mut input_drive[of.clone()]);
                let recurrent = &mut recurrent[of.clone()];
                self.kick(plan, b, step, &mut next_kick[b], recurrent, learns);
                let row = Row {
                    recurrent,
                    input: &input_drive[of.clone()],
                    free: &plan.free,
                    held: &plan.held,
                    x: &mut self.x[of.clone()],
                    r: &mut self.r[of.clone()],
                };
                if plan.learns == RuleName::DeltaX {
                    let at = (b * BLOCK + history.filled) * n;
                    let (post, pre) = (&mut history.post[at..at + n], &mut history.pre[at..at + n]);
                    let x_mean = &mut x_mean[of];
                    plan.arch.dispatch(|| row.advance_delta_x(plan.leak, plan.decay, x_mean, post, pre));
                } else {
                    plan.arch.dispatch(|| row.advance(plan.leak));
                }
                for (k, &neuron) in plan.output_neurons.iter().enumerate() {
                    self.outputs[(b * plan.t + step) * plan.n_out + k] = self.r[b * n + neuron];
                }
            }
            if plan.learns == RuleName::DeltaX && learns {
                history.filled += 1;
                if history.filled == BLOCK || step + 1 == plan.t {
                    self.fold(plan, &mut history);
                }
            }
        }
    }

    /// x(0) with bias neurons clamped, r = tanh(x).
    fn start(&mut self, plan: &Plan) {
        let n = plan.n;
        for (b, trial) in self.trials.iter().enumerate() {
            for i in 0..n {
                let x = trial.x0[i] * plan.free[i] + plan.held[i];
                self.x[b * n + i] = x;
                self.r[b * n + i] = tanh(x);
            }
        }
    }

    /// w_in u + b for one trial, computed only where u changes.
    fn drive_from_input(&self, plan: &Plan, b: usize, step: usize, drive: &mut [f32]) {
        let (n_in, inputs) = (plan.n_in, &self.trials[b].trial.inputs);
        let now = &inputs[step * n_in..(step + 1) * n_in];
        if step > 0 && now == &inputs[(step - 1) * n_in..step * n_in] {
            return;
        }
        for (i, drive) in drive.iter_mut().enumerate() {
            let weights = &self.w_in[i * n_in..(i + 1) * n_in];
            let sum: f32 = weights.iter().zip(now).map(|(w, u)| w * u).sum();
            *drive = sum + self.b_rec.map_or(0.0, |bias| bias[i]);
        }
    }

    /// Adds this step's perturbations to the drive, and for `node-perturbation` to the eligibility: ξ r_preᵀ is one row.
    fn kick(&mut self, plan: &Plan, b: usize, step: usize, next: &mut usize, drive: &mut [f32], learns: bool) {
        let n = plan.n;
        while let Some(kick) = self.trials[b].kicks.get(*next).filter(|kick| kick.step as usize == step) {
            let neuron = kick.neuron as usize;
            drive[neuron] += kick.size;
            *next += 1;
            if learns && plan.learns == RuleName::NodePerturbation {
                let row = &mut self.eligibility[(b * n + neuron) * n..(b * n + neuron + 1) * n];
                let r = &self.r[b * n..(b + 1) * n];
                plan.arch.dispatch(|| row.iter_mut().zip(r).for_each(|(e, r)| *e += kick.size * r));
            }
        }
    }

    /// e ← e + Σ post preᵀ over the history, for each trial, and forgets the history.
    fn fold(&mut self, plan: &Plan, history: &mut History) {
        let n = plan.n;
        let (along_steps, along_neurons) = (Strides { rows: 1, columns: n }, Strides { rows: n, columns: 1 });
        for (b, eligibility) in self.eligibility.chunks_exact_mut(n * n).enumerate() {
            let of = b * BLOCK * n..(b * BLOCK + history.filled) * n;
            product(
                (n, n, history.filled),
                (eligibility, along_neurons),
                true,
                (&history.post[of.clone()], along_steps),
                (&history.pre[of], along_neurons),
            );
        }
        history.filled = 0;
    }
}

/// One step of one trial; every slice is `[N]`.
struct Row<'a> {
    recurrent: &'a [f32],
    input: &'a [f32],
    free: &'a [f32],
    held: &'a [f32],
    x: &'a mut [f32],
    r: &'a mut [f32],
}

impl Row<'_> {
    /// x ← x + leak (drive − x), clamped; r = tanh(x).
    #[inline(always)]
    fn advance(self, leak: f32) {
        let n = self.x.len();
        let (recurrent, input, free, held) = (&self.recurrent[..n], &self.input[..n], &self.free[..n], &self.held[..n]);
        let (x, r) = (self.x, &mut self.r[..n]);
        for i in 0..n {
            let next = x[i] + leak * (recurrent[i] + input[i] - x[i]);
            x[i] = next * free[i] + held[i];
            r[i] = tanh(x[i]);
        }
    }

    /// The same, with the factors of `delta-x`: post = δx³, pre = r(t−1)³, and x̄ moved on afterwards.
    #[inline(always)]
    fn advance_delta_x(self, leak: f32, decay: f32, x_mean: &mut [f32], post: &mut [f32], pre: &mut [f32]) {
        let n = self.x.len();
        let (recurrent, input, free, held) = (&self.recurrent[..n], &self.input[..n], &self.free[..n], &self.held[..n]);
        let (x, r) = (self.x, &mut self.r[..n]);
        let (x_mean, post, pre) = (&mut x_mean[..n], &mut post[..n], &mut pre[..n]);
        for i in 0..n {
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
