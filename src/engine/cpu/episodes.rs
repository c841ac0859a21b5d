//! Episodes in an environment. The episodes of a shard take their steps together; one that ends leaves, and the others go on
//! without it. Each has its own arithmetic, so its results do not depend on the lengths of the others.

use super::advance::{advance, Row};
use super::episode_factors::{EpisodeFactors, Sums, BLOCK};
use super::network::Network;
use super::Plan;
use crate::engine::rollout::Rollout;
use crate::engine::{DrawnTrial, Ensemble, Episode, EpisodeCredit, Record, TrialBatch};
use crate::error::Result;
use crate::model::State;
use crate::rules::FusedRule;
use crate::tasks::{Episodes, Trajectory};
use candle_core::{Device, Tensor};
use rayon::prelude::*;
use std::sync::{Mutex, PoisonError};

/// Episodes that take their steps together.
const SHARD: usize = 8;

/// Other threads sleep while an environment takes its step. Waking them pays from about this many multiplications per step.
const WORTH_WAKING: usize = 1 << 20;

/// The results of an episode at its end.
struct Ended {
    trajectory: Trajectory,
    factors: EpisodeFactors,
    /// x, r and outputs after the last step.
    x: Vec<f32>,
    r: Vec<f32>,
    outputs: Vec<f32>,
}

/// Runs all episodes of a batch. `spare` is memory of earlier ones, for reuse.
pub(super) fn run(
    plan: &Plan,
    ensemble: &Ensemble,
    episodes: &Episodes,
    batch: &TrialBatch,
    (learn, record): (bool, Record),
    spare: &Mutex<Vec<EpisodeFactors>>,
) -> Result<Episode> {
    let (s, b, n, w) = (batch.networks, batch.trials_each, plan.n, plan.width);
    let readout = learn && ensemble.setup.outputs_learn();
    let start = |drawn: &[DrawnTrial]| Rollout::start(ensemble.setup, episodes, drawn, record.episodes);
    let learns = (learn, readout);
    let network = |k| Network::new(ensemble.weights, k, plan);
    // The results of one network's episodes, which are added up while they are in cache.
    let sum = |(k, mut ended): (usize, Vec<Ended>)| {
        let trajectories: Vec<Trajectory> =
            ended.iter_mut().map(|ended| std::mem::take(&mut ended.trajectory)).collect();
        let sums = learn.then(|| {
            let advantages = ensemble.advantages(&episodes.settings, k, &trajectories);
            (weighted_sums(plan, episodes, &mut ended, &advantages.steps, readout), advantages.critic_scale)
        });
        let spent = ended.iter_mut().map(|ended| std::mem::take(&mut ended.factors));
        spare.lock().unwrap_or_else(PoisonError::into_inner).extend(spent);
        (trajectories, ended, sums)
    };
    let all = if episodes.environment.together().is_none() {
        let one = |(k, drawn): (usize, &[DrawnTrial])| {
            let network = network(k)?;
            let alone = |drawn| live(&mut [Shard::start(plan, &network, drawn, 0, learns, spare)], start(drawn));
            let ended = drawn.par_chunks(SHARD).map(alone).collect::<Result<Vec<_>>>()?;
            Ok(sum((k, ended.into_iter().flatten().collect())))
        };
        batch.drawn.par_chunks(b).enumerate().map(one).collect::<Result<Vec<_>>>()?
    } else {
        let networks = (0..s).map(network).collect::<candle_core::Result<Vec<_>>>()?;
        let mut shards = Vec::new();
        for (network, drawn) in networks.iter().zip(batch.drawn.chunks(b)) {
            for drawn in drawn.chunks(SHARD) {
                let first = shards.last().map_or(0, |before: &Shard| before.first + before.drawn.len());
                shards.push(Shard::start(plan, network, drawn, first, learns, spare));
            }
        }
        let mut ended = live(&mut shards, start(&batch.drawn))?.into_iter();
        let of_network: Vec<Vec<Ended>> = (0..s).map(|_| ended.by_ref().take(b).collect()).collect();
        of_network.into_par_iter().enumerate().map(sum).collect()
    };
    let (mut trajectories, mut x, mut r, mut outputs) = (Vec::with_capacity(s * b), Vec::new(), Vec::new(), Vec::new());
    let (mut recurrent, mut w_out, mut b_out, mut critic_scale) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for (of_network, ended, sums) in all {
        trajectories.extend(of_network);
        for ended in ended {
            x.extend_from_slice(&ended.x);
            r.extend_from_slice(&ended.r);
            outputs.extend_from_slice(&ended.outputs);
        }
        if let Some((sums, scale)) = sums {
            critic_scale.push(scale);
            recurrent.extend(sums.recurrent.chunks_exact(w).flat_map(|row| &row[..n]));
            w_out.extend(sums.w_out.chunks_exact(w).flat_map(|row| &row[..n]));
            b_out.extend(sums.b_out);
        }
    }
    let tensor = |values: Vec<f32>, shape: &[usize]| Tensor::from_vec(values, shape, &Device::Cpu);
    let given = |values: Vec<f32>, shape: &[usize]| (!values.is_empty()).then(|| tensor(values, shape)).transpose();
    let credit = EpisodeCredit {
        recurrent: given(recurrent, &[s, n, n])?,
        readout: given(w_out, &[s, plan.n_out, n])?.zip(given(b_out, &[s, plan.n_out])?),
        critic_scale,
    };
    let state = State::new(tensor(x, &[s, b, n])?, tensor(r, &[s, b, n])?);
    Ok(Episode {
        trajectories: Some(trajectories),
        credit: learn.then_some(credit),
        ..Episode::new(tensor(outputs, &[s, b, 1, plan.n_out])?, state)
    })
}

/// The eligibilities of one network's episodes times the advantages of their steps. The episodes of a shard are summed
/// first, whatever the number of threads.
fn weighted_sums(
    plan: &Plan,
    episodes: &Episodes,
    ended: &mut [Ended],
    advantages: &[Vec<f64>],
    readout: bool,
) -> Sums {
    let settings = &episodes.settings;
    let sum_shard = |(ended, advantages): (&mut [Ended], &[Vec<f64>])| {
        let mut sums = Sums::default();
        sums.clear(plan, readout);
        for (ended, advantages) in ended.iter_mut().zip(advantages) {
            let (by_step, common) =
                if settings.by_step() { (Some(&advantages[..]), 1.0) } else { (None, advantages[0]) };
            sums.add(ended.factors.finish(plan, settings.network_steps, by_step), common as f32);
        }
        sums
    };
    let shards: Vec<Sums> = ended.par_chunks_mut(SHARD).zip(advantages.par_chunks(SHARD)).map(sum_shard).collect();
    let mut all = Sums::default();
    all.clear(plan, readout);
    shards.iter().for_each(|sums| all.add(sums, 1.0));
    all
}

/// The living episodes of a shard, in rows without gaps.
struct Shard<'s> {
    plan: &'s Plan<'s>,
    network: &'s Network,
    drawn: &'s [DrawnTrial],
    /// The place of its first episode among all that take their steps together.
    first: usize,
    /// The episode in each row.
    living: Vec<usize>,
    /// `[rows, width]`.
    x: Vec<f32>,
    r: Vec<f32>,
    x_mean: Vec<f32>,
    drive: Vec<f32>,
    /// `[rows, n_in]`.
    inputs: Vec<f32>,
    /// `[rows, n_out]`.
    outputs: Vec<f32>,
    /// The perturbations of a step, and room for what is not used, each `[width]`.
    xi: Vec<f32>,
    unused: Vec<f32>,
    /// The factors of each episode, if anything learns.
    factors: Vec<EpisodeFactors>,
    learn: bool,
    readout: bool,
    ended: Vec<Option<Ended>>,
}

impl<'s> Shard<'s> {
    /// x(0) with bias neurons clamped, r = φ(x), x̄ = x.
    fn start(
        plan: &'s Plan<'s>,
        network: &'s Network,
        drawn: &'s [DrawnTrial],
        first: usize,
        (learn, readout): (bool, bool),
        spare: &Mutex<Vec<EpisodeFactors>>,
    ) -> Self {
        let mut x: Vec<f32> = drawn.iter().flat_map(|_| plan.held.iter().copied()).collect();
        for (x, drawn) in x.chunks_exact_mut(plan.width).zip(drawn) {
            for i in 0..plan.n {
                x[i] += drawn.x0[i] * plan.free[i];
            }
        }
        let r: Vec<f32> = x.iter().map(|x| plan.transfer.single(*x)).collect();
        let factors = |r: &[f32]| {
            let mut factors = spare.lock().unwrap_or_else(PoisonError::into_inner).pop().unwrap_or_default();
            if learn {
                factors.start(plan, readout, r);
            }
            factors
        };
        let factors = r.chunks_exact(plan.width).map(factors).collect();
        Shard {
            plan,
            network,
            drawn,
            first,
            living: (0..drawn.len()).collect(),
            x_mean: x.clone(),
            drive: vec![0.0; x.len()],
            inputs: vec![0.0; drawn.len() * plan.n_in],
            outputs: vec![0.0; drawn.len() * plan.n_out],
            xi: vec![0.0; plan.width],
            unused: vec![0.0; plan.width],
            x,
            r,
            factors,
            learn,
            readout,
            ended: drawn.iter().map(|_| None).collect(),
        }
    }

    /// The steps of the network in a step of the environment, from the observations to the outputs.
    fn think(&mut self, step: usize, network_steps: usize) {
        for sub in 0..network_steps {
            self.step(step * network_steps + sub);
        }
        let (plan, w) = (self.plan, self.plan.width);
        for row in 0..self.living.len() {
            let output = &mut self.outputs[row * plan.n_out..(row + 1) * plan.n_out];
            self.network.output(plan, &self.r[row * w..(row + 1) * w], &[], output);
        }
    }

    /// One step of the network in all living episodes.
    fn step(&mut self, step: usize) {
        let (plan, w) = (self.plan, self.plan.width);
        let used = self.living.len() * w;
        let inputs = &self.inputs[..self.living.len() * plan.n_in];
        self.network.drive_lanes(plan, &self.r[..used], inputs, &mut self.drive[..used]);
        for (row, &episode) in self.living.iter().enumerate() {
            let row = row * w..(row + 1) * w;
            let (drive, factors) = (&mut self.drive[row.clone()], &mut self.factors[episode]);
            perturb(plan.n, &self.drawn[episode], step, &mut self.xi);
            let state = Row {
                recurrent: drive,
                input: &self.xi,
                x: &mut self.x[row.clone()],
                r: &mut self.r[row.clone()],
                x_mean: &mut self.x_mean[row.clone()],
            };
            match plan.learns {
                FusedRule::DeltaX { .. } | FusedRule::Eh(_) => {
                    let start = factors.post.len();
                    factors.post.resize(start + w, 0.0);
                    // The presynaptic factors are made of the rates when they are needed.
                    advance(plan, state, Some((&mut factors.post[start..], &mut self.unused)));
                }
                FusedRule::NodePerturbation => {
                    factors.post.extend_from_slice(&self.xi);
                    advance(plan, state, None);
                }
                FusedRule::Rflo | FusedRule::FastWeights | FusedRule::Nothing => advance(plan, state, None),
            }
            if self.learn {
                factors.rates.extend_from_slice(&self.r[row]);
            }
        }
    }

    /// The episode of a row leaves.
    fn leave(&mut self, row: usize, trajectory: Trajectory) {
        let (plan, w, episode) = (self.plan, self.plan.width, self.living[row]);
        let outputs = row * plan.n_out..(row + 1) * plan.n_out;
        self.ended[episode] = Some(Ended {
            trajectory,
            factors: std::mem::take(&mut self.factors[episode]),
            x: self.x[row * w..][..plan.n].to_vec(),
            r: self.r[row * w..][..plan.n].to_vec(),
            outputs: self.outputs[outputs].to_vec(),
        });
        let last = self.living.len() - 1;
        for state in [&mut self.x, &mut self.r, &mut self.x_mean] {
            state.copy_within(last * w..(last + 1) * w, row * w);
        }
        self.living.swap_remove(row);
    }
}

/// Runs all episodes of some shards to their end; they take their steps together.
fn live(shards: &mut [Shard], mut rollout: Rollout) -> Result<Vec<Ended>> {
    let (k, limit) = (rollout.episodes.settings.network_steps, rollout.episodes.environment.limit());
    // If all steps of an episode have the same advantage, they need not be kept apart.
    let early = !rollout.episodes.settings.by_step();
    let mut exact = vec![0.0; shards.first().map_or(0, |shard| shard.plan.n_out)];
    let mut acting = Vec::new();
    let multiplications: usize = shards.iter().map(|shard| shard.drawn.len() * shard.plan.n * shard.plan.n).sum();
    let wide = shards.len() > 1 && multiplications >= WORTH_WAKING;
    for step in 0..limit {
        for shard in &mut *shards {
            let n_in = shard.plan.n_in;
            for (row, episode) in shard.living.iter().enumerate() {
                rollout.observe(shard.first + episode, &mut shard.inputs[row * n_in..][..n_in]);
            }
        }
        let think = |shard: &mut Shard| shard.think(step, k);
        if wide {
            shards.par_iter_mut().for_each(think);
        } else {
            shards.iter_mut().for_each(think);
        }
        acting.clear();
        for shard in &mut *shards {
            for (row, episode) in shard.living.iter().enumerate() {
                let outputs = &shard.outputs[row * shard.plan.n_out..][..shard.plan.n_out];
                exact.iter_mut().zip(outputs).for_each(|(exact, z)| *exact = f64::from(*z));
                rollout.choose(shard.first + episode, step, &exact);
                if shard.readout {
                    shard.factors[*episode].score.extend(rollout.score.iter().map(|score| *score as f32));
                }
                acting.push(shard.first + episode);
            }
        }
        rollout.step(&acting)?;
        for shard in &mut *shards {
            // Backwards, since the last row takes the place of one that leaves.
            for row in (0..shard.living.len()).rev() {
                let episode = shard.first + shard.living[row];
                if !rollout.goes_on(episode, step) {
                    shard.leave(row, std::mem::take(&mut rollout.trajectories[episode]));
                }
            }
            if early && shard.learn && (step + 1) % BLOCK.div_ceil(k) == 0 {
                shard.living.iter().for_each(|episode| shard.factors[*episode].fold(shard.plan, k));
            }
        }
        if shards.iter().all(|shard| shard.living.is_empty()) {
            break;
        }
    }
    Ok(shards.iter_mut().flat_map(|shard| std::mem::take(&mut shard.ended)).flatten().collect())
}

/// Writes the perturbations of a step to `xi` `[width]`.
fn perturb(neurons: usize, drawn: &DrawnTrial, step: usize, xi: &mut [f32]) {
    if let Some(dense) = &drawn.dense {
        return dense.at(step, &mut xi[..neurons]);
    }
    let first = drawn.perturbations.partition_point(|one| (one.step as usize) < step);
    let now = drawn.perturbations[first..].iter().take_while(|one| one.step as usize == step);
    xi.fill(0.0);
    now.for_each(|one| xi[one.neuron as usize] += one.size);
}
