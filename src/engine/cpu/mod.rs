//! A batch of trials on the CPU, fused: after the recurrent product one vectorised pass does everything elementwise.
//!
//! The batch is cut into shards of a few trials of one network. Each shard runs its whole trial on one thread and meets no
//! other, so threads never wait within a trial, and since the cut does not depend on their number, neither do results.
//! Memory beyond the eligibility `[S, B, N, N]`: for each thread 2·shard·block·N floats of factors, and where there is a Hebbian
//! trace its matrices or lists.

mod advance;
mod factors;
mod readout;
mod rows;
mod shard;
mod trace;

use self::readout::{OnlinePlan, Readout};
use self::shard::Shard;
use self::trace::{Kept, TracePlan};
use super::eligibility::{zeros, Aligned, HostEligibility};
use super::memory::{Part, Sizes};
use super::{fused, DrawnTrial, Eligibility, Engine, Ensemble, Episode, Record, TrialBatch};
use crate::config::{Kernels, ModulatorSource, Output, Stage};
use crate::model::{FastWeights, Leak, State, Transfer};
use crate::presets::Setup;
use crate::rules::FusedRule;
use crate::tasks::TrialShape;
use aligned_vec::AVec;
use candle_core::{Device, Result, Tensor};
use pulp::Arch;
use rayon::prelude::*;

/// Trials of a network that run together, and steps of factors between two products into the eligibility.
///
/// They depend on N and B alone, so results depend on nothing else. Small networks: few trials, so that w_rec, the eligibility
/// and the factors of a shard stay in a core's own cache (about 2 MB at N = 200). Large ones: w_rec comes from farther away at
/// every step, so many trials share it, and the eligibility is visited less often. Shards are even in number and alike in
/// size, so that two threads, or four, end together.
fn cut(neurons: usize, trials: usize) -> (usize, usize) {
    let (most, block) = match neurons {
        0..=256 => (6, 64),
        257..=512 => (12, 128),
        _ => (32, 250),
    };
    let shards = trials.div_ceil(most).next_multiple_of(2).min(trials);
    (trials.div_ceil(shards), block)
}

/// Rows of neurons are padded with silent ones to a multiple of this: a product then reads whole vectors without copying.
const LANES: usize = 16;

/// The fused kernels of the CPU.
#[derive(Default)]
pub(super) struct Cpu {
    /// The memory of the last batch's eligibility.
    spare: Option<Aligned>,
}

impl Engine for Cpu {
    fn name(&self) -> &'static str {
        "cpu"
    }

    fn refuses(&self, setup: &Setup, device: &Device) -> Option<String> {
        if !device.is_cpu() {
            return Some("the device is not the CPU".into());
        }
        match setup.config.train.kernels {
            Kernels::Fused => fused::refuses(setup),
            Kernels::Stepwise | Kernels::Reference => Some("train.kernels asks for others".into()),
        }
    }

    fn memory(&self, setup: &Setup, sizes: &Sizes) -> Vec<Part> {
        let rule = setup.rule.fused().filter(|_| sizes.learn).unwrap_or(FusedRule::Nothing);
        let (eligibility, factors) = match rule {
            FusedRule::DeltaX(_) | FusedRule::Eh(_) => (sizes.matrix(), sizes.vectors(2.0 * sizes.t.min(100.0))),
            FusedRule::NodePerturbation | FusedRule::FastWeights => (sizes.matrix(), 0.0),
            FusedRule::Nothing => (0.0, 0.0),
        };
        vec![
            Part::new("eligibility", eligibility),
            Part::new("factors of the eligibility", factors),
            Part::new("fast weights", sizes.fast_weights(&setup.config.fast_weights, 1.0)),
            Part::new("trials", sizes.drawn(sizes.t) + sizes.vectors(8.0)),
        ]
    }

    fn run(
        &mut self,
        ensemble: &Ensemble,
        batch: &TrialBatch,
        learn: bool,
        record: Record,
    ) -> crate::error::Result<Episode> {
        Ok(run(ensemble, batch, learn, record, &mut self.spare)?)
    }

    fn recycle(&mut self, spent: Eligibility) {
        if let Eligibility::Host(host) = spent {
            self.spare = Some(host.values);
        }
    }
}

/// Runs all trials of a batch; with `learn`, accumulates the eligibility, in `spare` memory where that is enough.
fn run(
    ensemble: &Ensemble,
    batch: &TrialBatch,
    learn: bool,
    record: Record,
    spare: &mut Option<Aligned>,
) -> Result<Episode> {
    let Ensemble { setup, shape, weights, baseline, ref fast_weights } = *ensemble;
    let config = &setup.config;
    let (s, b, n) = (batch.networks, batch.trials_each, config.network.neurons);
    let TrialShape { steps: t, n_in, n_out, .. } = shape;
    let host = |w: &Tensor| w.flatten_all()?.to_vec1::<f32>();
    let trace_wanted = config.fast_weights.persistent || record.fast_weights;
    let mut plan = Plan::new(setup, shape, b, learn, fast_weights.is_some(), trace_wanted)?;
    plan.folds_aside = s * b.div_ceil(plan.shard) < rayon::current_num_threads();
    let width = plan.width;
    let w_rec_t = padded_rows(&host(&weights.w_rec.transpose(1, 2)?.contiguous()?)?, n, width);
    let w_in_t = padded_rows(&host(&weights.w_in.transpose(1, 2)?.contiguous()?)?, n, width);
    let b_rec =
        weights.b_rec.as_ref().map(|b| Ok::<_, candle_core::Error>(padded_rows(&host(b)?, n, width))).transpose()?;
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
    let retroactive = config.fast_weights.stage == Stage::Retroactive;
    let trace_before = fast_weights.as_ref().map(|before| host(&before.h)).transpose()?;
    let e_before = fast_weights.as_ref().and_then(|before| before.eligibility.as_ref()).map(host).transpose()?;
    let matrix = if plan.learns == FusedRule::Nothing { 0 } else { n * width };

    let mut x = vec![0f32; s * b * n];
    let mut r = vec![0f32; s * b * n];
    let mut outputs = vec![0f32; s * b * t * n_out];
    let enough = spare.take().filter(|spare| spare.len() >= s * b * matrix);
    let mut eligibility = enough.unwrap_or_else(|| zeros(s * b * matrix));
    let kept = if plan.trace.is_some() && trace_wanted { n * n } else { 0 };
    let mut trace_after = vec![0f32; s * b * kept];
    let kept_e = if retroactive { kept } else { 0 };
    let mut e_after = vec![0f32; s * b * kept_e];
    let recorded = |wanted: bool| if wanted { t * n } else { 0 };
    let (rates_each, activations_each) = (recorded(record.rates), recorded(record.activations));
    let (mut rates, mut activations) = (vec![0f32; s * b * rates_each], vec![0f32; s * b * activations_each]);
    let shards_each = b.div_ceil(plan.shard);
    let readout_row = if plan.online.learns() { n_out * (width + 1) } else { 0 };
    let mut readout_change = vec![0f32; s * shards_each * readout_row];

    let mut shards = Vec::new();
    {
        let (mut x, mut r) = (x.as_mut_slice(), r.as_mut_slice());
        let (mut outputs, mut eligibility) = (outputs.as_mut_slice(), &mut eligibility[..s * b * matrix]);
        let (mut trace_after, mut e_after) = (trace_after.as_mut_slice(), e_after.as_mut_slice());
        let (mut rates, mut activations) = (rates.as_mut_slice(), activations.as_mut_slice());
        let mut readout_change = readout_change.as_mut_slice();
        for network in 0..s {
            for first in (0..b).step_by(plan.shard) {
                let trials = plan.shard.min(b - first);
                let at = network * b + first;
                let drawn = &batch.drawn[at..at + trials];
                let matrices = at * n * n..(at + trials) * n * n;
                let expected = |d: &DrawnTrial| baseline.expectation(network, d.trial.trial_type) as f32;
                shards.push(Shard {
                    readout: readouts.get(network),
                    expected_error: drawn.iter().map(expected).collect(),
                    trace_before: Kept {
                        h: trace_before.as_deref().map(|h| &h[matrices.clone()]),
                        e: e_before.as_deref().map(|e| &e[matrices]),
                    },
                    trace_after: Kept {
                        h: take(&mut trace_after, trials * kept),
                        e: take(&mut e_after, trials * kept_e),
                    },
                    readout_change: take(&mut readout_change, readout_row),
                    w_rec_t: &w_rec_t[network * n * width..(network + 1) * n * width],
                    w_in_t: &w_in_t[network * n_in * width..(network + 1) * n_in * width],
                    b_rec: b_rec.as_deref().map(|b| &b[network * width..(network + 1) * width]),
                    trials: drawn,
                    x: take(&mut x, trials * n),
                    r: take(&mut r, trials * n),
                    outputs: take(&mut outputs, trials * t * n_out),
                    rates: take(&mut rates, trials * rates_each),
                    activations: take(&mut activations, trials * activations_each),
                    eligibility: take(&mut eligibility, trials * matrix),
                });
            }
        }
    }
    shards.into_par_iter().for_each(|shard| shard.run(&plan));

    let cpu = &Device::Cpu;
    let by_step = |values: Vec<f32>, width: usize| Tensor::from_vec(values, (s, b, t, width), cpu);
    let matrices = |values: Vec<f32>| Tensor::from_vec(values, (s, b, n, n), cpu);
    let fast_weights = match kept {
        0 => None,
        _ => Some(FastWeights {
            h: matrices(trace_after)?,
            eligibility: (kept_e > 0).then(|| matrices(e_after)).transpose()?,
        }),
    };
    Ok(Episode {
        outputs: by_step(outputs, n_out)?,
        state: State::new(Tensor::from_vec(x, (s, b, n), cpu)?, Tensor::from_vec(r, (s, b, n), cpu)?),
        fast_weights,
        gradients: None,
        readout_change: (readout_row > 0)
            .then(|| summed_readout(&readout_change, (s, shards_each, n_out), n, width))
            .transpose()?,
        eligibility: (matrix > 0).then_some(Eligibility::Host(HostEligibility {
            values: eligibility,
            networks: s,
            trials_each: b,
            neurons: n,
            width,
            transposed: plan.learns == FusedRule::FastWeights,
        })),
        rates: record.rates.then(|| by_step(rates, n)).transpose()?,
        activations: record.activations.then(|| by_step(activations, n)).transpose()?,
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
    trace: Option<TracePlan<'a>>,
    trace_modulator: ModulatorSource,
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
    /// φ.
    transfer: Transfer,
    /// 0 for clamped neurons and where a row is filled up, else 1.
    free: Aligned,
    /// x of clamped neurons, and what silences those a row is filled up with; else 0.
    held: Aligned,
    output_neurons: Vec<usize>,
    learns: FusedRule,
    start_step: usize,
    decay: f32,
    /// Whether threads would be idle, so that they may take the eligibility's products off a shard's.
    folds_aside: bool,
}

impl<'a> Plan<'a> {
    fn new(
        setup: &'a Setup,
        shape: TrialShape,
        trials: usize,
        learn: bool,
        trace_given: bool,
        trace_wanted: bool,
    ) -> Result<Self> {
        let config = &setup.config;
        let Some(Leak::Activation(leak)) = setup.neurons.leak(&config.network) else {
            candle_core::bail!("neurons `{}` are not for the fused kernels", setup.neurons.name());
        };
        let TrialShape { steps: t, n_in, n_out, measure } = shape;
        let n = config.network.neurons;
        let width = n.next_multiple_of(LANES);
        let (mut free, mut held) = (zeros(width), zeros(width));
        free[..n].fill(1.0);
        let transfer = Transfer::new(&config.network);
        if let Transfer::Rectified { offset, .. } = transfer {
            held[n..].fill(-offset as f32);
        }
        for &(neuron, activation) in &config.network.clamped {
            free[neuron] = 0.0;
            held[neuron] = activation as f32;
        }
        let (shard, block) = cut(n, trials);
        let learns = setup.rule.fused().filter(|_| learn).unwrap_or(FusedRule::Nothing);
        let decay = match learns {
            FusedRule::DeltaX(decay) | FusedRule::Eh(decay) => decay,
            FusedRule::NodePerturbation | FusedRule::FastWeights | FusedRule::Nothing => 0.0,
        };
        Ok(Plan {
            trace: TracePlan::new(config, t, trace_given, trace_wanted || learns == FusedRule::FastWeights),
            trace_modulator: config.fast_weights.modulator,
            online: OnlinePlan::new(setup, measure, learn),
            arch: Arch::new(),
            shard,
            block,
            n,
            width,
            t,
            n_in,
            n_out,
            leak: leak as f32,
            transfer,
            free,
            held,
            output_neurons: match config.network.output {
                Output::Neurons => config.network.output_neurons.clone(),
                Output::Readout => Vec::new(),
            },
            learns,
            start_step: config.rule.start_step,
            decay: decay as f32,
            folds_aside: false,
        })
    }
}
