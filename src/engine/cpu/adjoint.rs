//! Backpropagation through time without a graph: the adjoint of the fused forward pass (Werbos 1990).
//!
//! The forward pass keeps φ'(x(t)) and r(t−1) of every step. Then, from the last step to the first,
//!
//! ```text
//! g(t) = w_recᵀ d(t+1) + ∂L/∂r(t)                                          with respect to r(t)
//! γ(t) = φ'(x(t)) g(t) + (1−λ) γ(t+1),   d(t) = λ γ(t)                     where the activation leaks
//! γ(t) = g(t) + (1−λ) γ(t+1),            d(t) = λ φ'(x(t)) γ(t)            where the rate leaks
//! ```
//!
//! d(t) is the gradient with respect to the drive, which is 0 for clamped neurons, and ∂L/∂w_rec = Σ_t d(t) r(t−1)ᵀ is one
//! product over all steps of a trial.

use super::factors::Factors;
use super::network::Network;
use super::plan::{cut, Plan};
use super::shard::{Shard, Trial};
use super::{matrices, run, Results};
use crate::config::{Kernels, Loss, Stage};
use crate::engine::eligibility::{zeros, Aligned};
use crate::engine::fused::{self, Of};
use crate::engine::loss::trial_loss;
use crate::engine::memory::{Part, Sizes};
use crate::engine::{product, Concern, Ensemble, Episode, Gradients, Record, Refusal, Strides, TrialBatch};
use crate::error::Result;
use crate::setup::Setup;
use crate::tasks::Problem;
use candle_core::{Device, Tensor};
use pulp::{Simd, WithSimd};

/// Why the gradient of a setup's trials needs candle's graph; `None`: it doesn't.
pub(in crate::engine) fn refuses(setup: &Setup, device: &Device) -> Option<Refusal> {
    if !device.is_cpu() {
        let reason = "gradients on a GPU run on plain operations, which candle differentiates";
        return Some(Refusal::new(Concern::Device, reason));
    }
    let config = &setup.config;
    let differentiated =
        |what: &str| Some(Refusal::new(Concern::Setup, format!("gradients through {what} run on plain operations")));
    if config.fast_weights.stage != Stage::None {
        return differentiated("fast weights (trace.stage)");
    }
    if config.network.feedback_scale > 0.0 {
        return differentiated("output feedback (network.feedback_scale)");
    }
    fused::refuses(setup, &[Kernels::Fused], Of::Trials)
}

/// The parts of the memory that backpropagation needs besides the weights: the factors of the trials that run at the same
/// time, a gradient for each shard, and both moments of each weight, before and after the update.
pub(in crate::engine) fn memory(sizes: &Sizes) -> Vec<Part> {
    let (shard, _) = cut(sizes.n as usize, sizes.batch);
    let at_once = sizes.trials.min((rayon::current_num_threads() * shard) as f64);
    let matrices = sizes.networks as f64 * (sizes.batch.div_ceil(shard) as f64 + 6.0);
    vec![
        Part::new("backpropagation", (at_once * 2.0 * sizes.t * sizes.n + matrices * sizes.n * sizes.n) * sizes.float),
        Part::new("trials", sizes.drawn(sizes.t) + sizes.vectors(8.0)),
    ]
}

/// The loss and the weights of a gradient.
struct Wanted<'a> {
    problem: &'a Problem,
    loss: Loss,
    /// The weight of each trial's loss: one over the number of trials per network.
    share: f64,
    /// Whether gradients with respect to w_in and b_rec are wanted too.
    inputs: bool,
    /// No gradient crosses a multiple of this many steps; 0: it crosses all.
    truncated: usize,
}

/// One of the gradients in [`Done`].
type Values = fn(&Done) -> &[f32];

/// The gradients of one shard's trials, summed; and their losses.
struct Done {
    /// `[N, width]`.
    w_rec: Aligned,
    /// `[N, n_in]`.
    w_in: Vec<f32>,
    /// `[N]`.
    b_rec: Vec<f32>,
    /// `[n_out, N]` and `[n_out]`.
    readout: (Vec<f32>, Vec<f32>),
    losses: Vec<f64>,
}

/// The gradients of each network's mean loss over its trials with respect to the `wanted` weights, before connections that do
/// not exist are taken out of them; and the losses `[S, B]`.
pub(in crate::engine) fn backpropagate(
    ensemble: &Ensemble,
    batch: &TrialBatch,
    loss: Loss,
    wanted: &[&'static str],
) -> Result<(Episode, Tensor)> {
    let (s, b, setup) = (batch.networks, batch.trials_each, ensemble.setup);
    let record = Record::default();
    let plan = Plan::new(ensemble, batch, false, record)?;
    // Factors are those of whole trials.
    let plan = Plan { filters_back: true, block: plan.t, ..plan };
    let of = Wanted {
        problem: &setup.task,
        loss,
        share: 1.0 / b as f64,
        inputs: wanted.contains(&"w_in"),
        truncated: setup.config.bptt.steps,
    };
    let mut results = Results::new(&plan, ensemble, batch, record, None);
    let done = run(&plan, ensemble, batch, &mut results, |network, trials| of.shard(&plan, network, trials))?;
    let losses: Vec<f64> = done.iter().flat_map(|done| &done.losses).copied().collect();
    let mut gradients = Gradients::new();
    for name in wanted {
        let (n, n_out) = (plan.n, plan.n_out);
        let (values, shape): (Values, &[usize]) = match *name {
            "w_rec" => (|done| &done.w_rec, &[n, plan.width]),
            "w_in" => (|done| &done.w_in, &[n, plan.n_in]),
            "b_rec" => (|done| &done.b_rec, &[n]),
            "w_out" => (|done| &done.readout.0, &[n_out, n]),
            // b_out; with w_fb, the graph is used.
            _ => (|done| &done.readout.1, &[n_out]),
        };
        let sums = done.chunks(done.len() / s).flat_map(|shards| {
            let mut sum = values(&shards[0]).to_vec();
            for shard in &shards[1..] {
                sum.iter_mut().zip(values(shard)).for_each(|(sum, value)| *sum += value);
            }
            sum
        });
        let sums = Tensor::from_vec(sums.collect::<Vec<f32>>(), [&[s], shape].concat(), &Device::Cpu)?;
        gradients.insert(name, if *name == "w_rec" { sums.narrow(2, 0, n)?.contiguous()? } else { sums });
    }
    let episode = Episode { gradients: Some(gradients), ..results.into_episode(&plan, (s, b), &[])? };
    Ok((episode, Tensor::from_vec(losses, (s, b), &Device::Cpu)?))
}

impl Wanted<'_> {
    fn shard(&self, plan: &Plan, network: &Network, trials: &mut [Trial]) -> Result<Done> {
        let mut memory = matrices(plan, trials.len());
        let mut shard = Shard::new(plan, network, trials, &mut memory);
        let mut factors = shard.factors();
        shard.steps(0..plan.t, &mut factors);
        let (trials, _) = shard.end();
        let mut losses = Vec::with_capacity(trials.len());
        let mut slopes = Vec::with_capacity(trials.len());
        for trial in trials.iter() {
            let outputs: Vec<f64> = trial.outputs.iter().map(|z| f64::from(*z)).collect();
            let (loss, slope) = trial_loss(self.problem, &trial.drawn.trial, &outputs, self.loss)?;
            losses.push(loss);
            slopes.push(slope.into_iter().map(|slope| (slope * self.share) as f32).collect::<Vec<f32>>());
        }
        self.walk_back(plan, network, &slopes, &mut factors);
        let (n, n_in, n_out) = (plan.n, plan.n_in, plan.n_out);
        let mut done = Done {
            w_rec: zeros(plan.matrix()),
            w_in: vec![0.0; n * n_in],
            b_rec: vec![0.0; n],
            readout: (vec![0.0; n_out * n], vec![0.0; n_out]),
            losses,
        };
        for (k, (factors, trial)) in factors.iter().zip(trials.iter()).enumerate() {
            let steps = factors.steps();
            let (post, pre) = factors.all();
            let (across, along) = (Strides { rows: 1, columns: plan.width }, Strides { rows: plan.width, columns: 1 });
            product((n, plan.width, steps), (&mut done.w_rec, along), k > 0, (post, across), (pre, along));
            done.add_readout(plan, &slopes[k], pre, trial.r);
            if self.inputs {
                let inputs = (&trial.drawn.trial.inputs[..], Strides { rows: n_in, columns: 1 });
                product((n, n_in, steps), (&mut done.w_in, inputs.1), true, (post, across), inputs);
                for post in post.chunks_exact(plan.width) {
                    done.b_rec.iter_mut().zip(post).for_each(|(sum, d)| *sum += d);
                }
            }
        }
        Ok(done)
    }

    /// Turns the slopes φ'(x(t)) of each trial into d(t), from the gradients with respect to the outputs, `[T, n_out]` each.
    fn walk_back(&self, plan: &Plan, network: &Network, slopes: &[Vec<f32>], factors: &mut [Factors]) {
        let (w, trials) = (plan.width, factors.len());
        let rows = || zeros(trials * w);
        let (mut d, mut g, mut gamma) = (rows(), rows(), rows());
        for step in (0..plan.t).rev() {
            let crossed = self.truncated == 0 || (step + 1) % self.truncated != 0;
            if step + 1 < plan.t && crossed {
                network.back_through_recurrence(plan, trials, &d, &mut g);
            } else {
                g.fill(0.0);
                gamma.fill(0.0);
            }
            for (b, factors) in factors.iter_mut().enumerate() {
                let row = b * w..(b + 1) * w;
                let slopes = &slopes[b][step * plan.n_out..(step + 1) * plan.n_out];
                network.back_through_output(plan, slopes, &mut g[row.clone()]);
                let post = factors.post_of(step);
                let (leak, rate) = match plan.rate_leak {
                    Some(leak) => (leak, true),
                    None => (plan.leak, false),
                };
                let (g, gamma) = (&g[row.clone()], &mut gamma[row.clone()]);
                match rate {
                    true => plan.arch.dispatch(Back::<true> { post, g, gamma, leak }),
                    false => plan.arch.dispatch(Back::<false> { post, g, gamma, leak }),
                }
                d[row].copy_from_slice(post);
            }
        }
    }
}

impl Done {
    /// Adds the gradients of a trial with respect to w_out and b_out: Σ_t ∂L/∂z(t) r(t)ᵀ. `before` are the rates before each
    /// step, `[T, width]`, and `last` those after the last one.
    fn add_readout(&mut self, plan: &Plan, slopes: &[f32], before: &[f32], last: &[f32]) {
        let rates = before.chunks_exact(plan.width).skip(1).chain([last]);
        for (slopes, r) in slopes.chunks_exact(plan.n_out).zip(rates) {
            for (k, slope) in slopes.iter().enumerate().filter(|(_, slope)| **slope != 0.0) {
                let w_out = &mut self.readout.0[k * plan.n..(k + 1) * plan.n];
                w_out.iter_mut().zip(r).for_each(|(sum, r)| *sum += slope * r);
                self.readout.1[k] += slope;
            }
        }
    }
}

/// One step of one trial backwards: γ from g and itself, and d instead of φ'(x).
struct Back<'a, const RATE: bool> {
    post: &'a mut [f32],
    g: &'a [f32],
    gamma: &'a mut [f32],
    leak: f32,
}

impl<const RATE: bool> WithSimd for Back<'_, RATE> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        let Back { post, g, gamma, leak } = self;
        let keep = 1.0 - leak;
        for ((post, g), gamma) in post.iter_mut().zip(g).zip(gamma) {
            let slope = *post;
            *gamma = if RATE { *g } else { slope * *g } + keep * *gamma;
            *post = leak * if RATE { slope * *gamma } else { *gamma };
        }
    }
}
