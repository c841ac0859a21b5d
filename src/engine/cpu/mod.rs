//! The fused CPU engine: after the recurrent product, a single vectorised pass does all elementwise work.
//!
//! The batch is cut into shards of a few trials of one network. A shard runs on one thread from the first step to the
//! last and shares nothing with other shards, so threads never wait within a trial; since the cut does not depend on
//! the number of threads, neither do the results. Besides the eligibility `[S, B, N, N]`, each thread needs
//! 2·shard·block·N floats of factors and, if there are fast weights, their matrices or lists.

pub(super) mod adjoint;
mod advance;
mod episode_factors;
mod episodes;
mod factors;
mod fast_weights;
mod network;
mod plan;
mod readout;
mod response;
mod rows;
mod shard;

use self::episode_factors::EpisodeFactors;
use self::fast_weights::{matrices, Matrices};
use self::network::Network;
use self::plan::Plan;
use self::readout::Online;
use self::shard::Trial;
use super::eligibility::{zeros, Aligned, HostEligibility};
use super::fused::Of;
use super::memory::{parts, Part, Sizes};
use super::{fused, Concern, Eligibility, Engine, Ensemble, Episode, Record, Refusal, TrialBatch};
use crate::config::{Kernels, Stage};
use crate::model::{FastWeights, State};
use crate::rules::FusedRule;
use crate::setup::Setup;
use crate::tasks::Problem;
use candle_core::{Device, Result, Tensor};
use rayon::prelude::*;
use std::sync::Mutex;

/// The fused kernels of the CPU.
#[derive(Default)]
pub(super) struct Cpu {
    /// The memory of the last batch's eligibility, for reuse.
    spare: Option<Aligned>,
    /// The memory of the last episodes' factors.
    spare_factors: Mutex<Vec<EpisodeFactors>>,
}

impl Engine for Cpu {
    fn refuses(&self, setup: &Setup, device: &Device) -> Option<Refusal> {
        if !device.is_cpu() {
            return Some(Refusal::new(Concern::Device, "the device is not the CPU"));
        }
        let kind = match setup.task {
            Problem::Trials(_) => Of::Trials,
            Problem::Episodes(_) => Of::Episodes,
        };
        fused::refuses(setup, &[Kernels::Fused], kind)
    }

    fn memory(&self, setup: &Setup, sizes: &Sizes) -> Vec<Part> {
        let block = if fused::filters_back(setup) { sizes.t } else { sizes.t.min(100.0) };
        let factors = sizes.vectors(2.0 * block);
        let trials = sizes.drawn(sizes.t) + sizes.vectors(8.0);
        let fast_weights = sizes.fast_weights(&setup.config.fast_weights, 1.0);
        parts(fused::eligibility(setup, sizes, factors), fast_weights, trials)
    }

    fn run(
        &mut self,
        ensemble: &Ensemble,
        batch: &TrialBatch,
        learn: bool,
        record: Record,
    ) -> crate::error::Result<Episode> {
        let plan = Plan::new(ensemble, batch, learn, record)?;
        if let Some(episodes) = batch.episodes(&ensemble.setup.task) {
            return episodes::run(&plan, ensemble, episodes, batch, (learn, record), &self.spare_factors);
        }
        let mut results = Results::new(&plan, ensemble, batch, record, self.spare.take());
        let readout_changes =
            run(&plan, ensemble, batch, &mut results, |network, trials| Ok(shard::run(&plan, network, trials)))?;
        Ok(results.into_episode(&plan, (batch.networks, batch.trials_each), &readout_changes)?)
    }

    fn recycle(&mut self, spent: Eligibility) {
        if let Eligibility::Host(host) = spent {
            self.spare = Some(host.values);
        }
    }
}

/// The results of a batch, one row per trial; empty where not wanted.
struct Results {
    x: Vec<f32>,
    r: Vec<f32>,
    outputs: Vec<f32>,
    rates: Vec<f32>,
    activations: Vec<f32>,
    /// The fast weights.
    after: Matrices<Vec<f32>>,
    eligibility: Aligned,
    /// The number of floats in the eligibility; its memory may be longer.
    eligible: usize,
}

impl Results {
    /// Room for the results; the eligibility uses `spare` memory if that is large enough.
    fn new(plan: &Plan, ensemble: &Ensemble, batch: &TrialBatch, record: Record, spare: Option<Aligned>) -> Self {
        let &Plan { n, t, .. } = plan;
        let config = &ensemble.setup.config;
        let trials = batch.drawn.len();
        let room = |wanted: bool, each: usize| vec![0f32; if wanted { trials * each } else { 0 }];
        let kept = plan.fast_weights.is_some() && record.keeps_fast_weights(config);
        let retroactive = config.fast_weights.stage == Stage::Retroactive;
        let eligible = if plan.learns == FusedRule::Nothing { 0 } else { trials * plan.matrix() };
        Results {
            x: room(true, n),
            r: room(true, n),
            outputs: room(true, t * plan.n_out),
            rates: room(record.rates, t * n),
            activations: room(record.activations, t * n),
            after: Matrices { h: room(kept, n * n), e: room(kept && retroactive, n * n) },
            eligibility: spare.filter(|spare| spare.len() >= eligible).unwrap_or_else(|| zeros(eligible)),
            eligible,
        }
    }

    /// `readout_changes` has one entry per shard.
    fn into_episode(self, plan: &Plan, (s, b): (usize, usize), readout_changes: &[Vec<f32>]) -> Result<Episode> {
        let &Plan { n, t, n_out, .. } = plan;
        let tensor = |values: Vec<f32>, shape: &[usize]| Tensor::from_vec(values, shape, &Device::Cpu);
        let given = |values: Vec<f32>, shape: &[usize]| (!values.is_empty()).then(|| tensor(values, shape)).transpose();
        let e = given(self.after.e, &[s, b, n, n])?;
        Ok(Episode {
            fast_weights: given(self.after.h, &[s, b, n, n])?.map(|h| FastWeights { h, eligibility: e }),
            readout_change: plan.online.learns().then(|| summed(readout_changes, plan, s)).transpose()?,
            eligibility: (self.eligible > 0).then_some(Eligibility::Host(HostEligibility {
                values: self.eligibility,
                networks: s,
                trials_each: b,
                neurons: n,
                width: plan.width,
                transposed: plan.eligibility_is_h(),
            })),
            rates: given(self.rates, &[s, b, t, n])?,
            activations: given(self.activations, &[s, b, t, n])?,
            ..Episode::new(
                tensor(self.outputs, &[s, b, t, n_out])?,
                State::new(tensor(self.x, &[s, b, n])?, tensor(self.r, &[s, b, n])?),
            )
        })
    }
}

/// Runs all trials of a batch, shard by shard; returns the result of each shard, in order.
fn run<T: Send>(
    plan: &Plan,
    ensemble: &Ensemble,
    batch: &TrialBatch,
    results: &mut Results,
    shard: impl Fn(&Network, &mut [Trial]) -> crate::error::Result<T> + Sync,
) -> crate::error::Result<Vec<T>> {
    let (s, b, size) = (batch.networks, batch.trials_each, plan.n * plan.n);
    let networks = (0..s).map(|k| Network::new(ensemble.weights, k, plan)).collect::<Result<Vec<_>>>()?;
    let host = |w: &Tensor| w.flatten_all()?.to_vec1::<f32>();
    let before = ensemble.fast_weights.as_ref();
    let h_before = before.map(|before| host(&before.h)).transpose()?;
    let e_before = before.and_then(|before| before.eligibility.as_ref()).map(host).transpose()?;

    let count = batch.drawn.len();
    let (mut x, mut r) = (shares(&mut results.x, count), shares(&mut results.r, count));
    let mut outputs = shares(&mut results.outputs, count);
    let mut rates = shares(&mut results.rates, count);
    let mut activations = shares(&mut results.activations, count);
    let (mut h, mut e) = (shares(&mut results.after.h, count), shares(&mut results.after.e, count));
    let mut eligibility = shares(&mut results.eligibility[..results.eligible], count);
    let trial = |(i, (drawn, expected_error)): (usize, (_, f32))| {
        let matrix = i * size..(i + 1) * size;
        Trial {
            drawn,
            before: Matrices {
                h: h_before.as_deref().map(|h| &h[matrix.clone()]),
                e: e_before.as_deref().map(|e| &e[matrix]),
            },
            after: Matrices { h: h(), e: e() },
            x: x(),
            r: r(),
            outputs: outputs(),
            rates: rates(),
            activations: activations(),
            eligibility: eligibility(),
            perturbed: 0,
            online: Online::new(expected_error),
            errors: vec![0.0; plan.errors()],
            fed_back: Vec::new(),
        }
    };
    let mut trials: Vec<Trial> =
        batch.drawn.iter().zip(ensemble.expected_errors(batch)).enumerate().map(trial).collect();
    let shards: Vec<(&Network, &mut [Trial])> = (networks.iter().zip(trials.chunks_mut(b)))
        .flat_map(|(network, trials)| trials.chunks_mut(plan.shard).map(move |trials| (network, trials)))
        .collect();
    shards.into_par_iter().map(|(network, trials)| shard(network, trials)).collect()
}

/// Hands out `values` piece by piece, equally many to each of `trials` trials.
fn shares<'a>(values: &'a mut [f32], trials: usize) -> impl FnMut() -> &'a mut [f32] {
    let (each, mut rest) = (values.len() / trials, values);
    move || rest.split_off_mut(..each).unwrap_or_default()
}

/// Sums, in order, the shards' changes of w_out `[S, n_out, N]` and b_out `[S, n_out]` of `s` networks.
fn summed(shards: &[Vec<f32>], plan: &Plan, s: usize) -> Result<(Tensor, Tensor)> {
    let &Plan { n, width, n_out, .. } = plan;
    let (mut w_out, mut b_out) = (vec![0f32; s * n_out * n], vec![0f32; s * n_out]);
    for (i, shard) in shards.iter().enumerate() {
        let (w, b) = shard.split_at(n_out * width);
        for k in 0..n_out {
            let at = i * s / shards.len() * n_out + k;
            let row = &mut w_out[at * n..(at + 1) * n];
            row.iter_mut().zip(&w[k * width..]).for_each(|(sum, w)| *sum += w);
            b_out[at] += b[k];
        }
    }
    Ok((Tensor::from_vec(w_out, (s, n_out, n), &Device::Cpu)?, Tensor::from_vec(b_out, (s, n_out), &Device::Cpu)?))
}
