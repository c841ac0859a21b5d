//! A batch of trials on the CPU, fused: after the recurrent product one vectorised pass does everything elementwise.
//!
//! The batch is cut into shards of a few trials of one network. Each shard runs its whole trial on one thread and meets no
//! other, so threads never wait within a trial, and since the cut does not depend on their number, neither do results.
//! Memory beyond the eligibility `[S, B, N, N]`: for each thread 2·shard·block·N floats of history.

mod readout;
mod shard;
mod trace;

use self::readout::{OnlinePlan, Readout};
use self::shard::Shard;
use crate::batch::{DrawnTrial, TrialBatch};
use crate::config::{Config, Dynamics, Kernels, Output, Precision, Response, RuleName, Stage, TraceConfig};
use crate::eligibility::{Eligibility, HostEligibility, Workspace};
use crate::episode::{Ensemble, Episode};
use crate::network::State;
use crate::task::Task;
use crate::trace::TraceState;
use aligned_vec::{AVec, ConstAlign};
use candle_core::{Device, Result, Tensor};
use pulp::Arch;
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
    let network = &config.network;
    let plain_network = network.dynamics != Dynamics::LeakyRate
        && network.response == Response::Tanh
        && network.private_noise == 0.0
        && network.feedback_scale == 0.0;
    plain_network
        && !config.reads_error_online()
        && !config.modulator.binary
        && config.train.kernels == Kernels::Fused
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
            leak: config.network.leak() as f32,
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
