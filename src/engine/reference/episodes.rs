//! Episodes in an environment, with plain candle operations. Ended episodes keep their place and are masked.

use crate::engine::rollout::Rollout;
use crate::engine::{DrawnTrial, Ensemble, Episode, EpisodeCredit, Record, TrialBatch};
use crate::error::Result;
use crate::model::{Cell, State};
use crate::rules::{Advantages, Factors, Increment, Moment, Source};
use crate::tasks::Episodes;
use candle_core::{DType, Device, Tensor};

/// Runs all episodes of a batch.
pub(super) fn run(
    ensemble: &Ensemble,
    episodes: &Episodes,
    batch: &TrialBatch,
    learn: bool,
    record: Record,
) -> Result<Episode> {
    let (setup, b, s) = (ensemble.setup, batch.trials_each, batch.networks);
    let (n, n_in, n_out) = (setup.config.network.neurons, ensemble.shape.n_in, ensemble.shape.n_out);
    let cell = Cell::new(&setup.config.network, &setup.neurons, ensemble.weights)?.for_trials(b)?;
    let (dtype, device) = (ensemble.weights.w_rec.dtype(), ensemble.weights.w_rec.device());
    let like = &ensemble.weights.w_rec;
    let mut rollout = Rollout::start(setup, episodes, &batch.drawn, record.episodes);
    let mut living = vec![true; s * b];
    let mut rule = match setup.rule.source() {
        Source::Steps(rule) if learn => Some(rule),
        _ => None,
    };
    let (mut recurrent, mut rates, mut scores) = (Vec::new(), Vec::new(), Vec::new());
    let learns_readout = learn && setup.outputs_learn();
    let x0 = Part { values: batch.drawn.iter().flat_map(|drawn| drawn.x0.clone()).collect(), width: n };
    let mut state = cell.start(&in_one_copy(vec![x0], (s, b), like)?[0])?;
    // Rules that are gated by the reward of each step are gated here by the advantages.
    let reward_change = Tensor::ones((s, b), dtype, device)?;
    for step in 0..episodes.environment.limit() {
        let mut inputs = vec![0.0; s * b * n_in];
        for (k, inputs) in inputs.chunks_exact_mut(n_in).enumerate().filter(|(k, _)| living[*k]) {
            rollout.observe(k, inputs);
        }
        let mask = living.iter().map(|living| f32::from(u8::from(*living))).collect();
        let steps = (0..episodes.settings.network_steps).map(|sub| step * episodes.settings.network_steps + sub);
        let drives = steps.clone().map(|now| [perturbation(batch, now, n), private_noise(batch, now, n)]);
        let drives: Vec<[Option<Vec<f32>>; 2]> = drives.collect();
        let there: Vec<[bool; 2]> = drives.iter().map(|both| both.each_ref().map(Option::is_some)).collect();
        let parts = [Part { values: inputs, width: n_in }, Part { values: mask, width: 1 }].into_iter();
        let drives = drives.into_iter().flatten().flatten().map(|values| Part { values, width: n });
        let mut parts = in_one_copy(parts.chain(drives).collect(), (s, b), like)?.into_iter();
        let mut next_part = || parts.next().ok_or_else(|| candle_core::Error::msg("a part of a step is missing"));
        let (inputs, mask) = (next_part()?, next_part()?);
        for (now, [perturbed, noisy]) in steps.zip(there) {
            let perturbation = perturbed.then(&mut next_part).transpose()?;
            let noise = noisy.then(&mut next_part).transpose()?;
            let drives: Vec<&Tensor> = perturbation.iter().chain(&noise).collect();
            let next = cell.step(&state, &inputs, None, &drives)?;
            if let Some(rule) = &mut rule {
                let moment = Moment {
                    x_before: &state.x,
                    r_before: &state.r,
                    state: &next,
                    perturbation: perturbation.as_ref(),
                    reward_change: &reward_change,
                    error: None,
                };
                if let Some(increment) = rule(&moment)?.filter(|_| now >= setup.config.rule.start_step) {
                    push(&mut recurrent, step, increment)?;
                }
            }
            state = where_living(&mask, &state, next)?;
        }
        let outputs: Vec<f64> = cell.output(&state.r)?.to_dtype(DType::F64)?.flatten_all()?.to_vec1()?;
        let mut scored = vec![0.0; s * b * n_out];
        let acting: Vec<usize> = (0..s * b).filter(|k| living[*k]).collect();
        for &k in &acting {
            let place = k * n_out..(k + 1) * n_out;
            rollout.choose(k, step, &outputs[place.clone()]);
            scored[place].iter_mut().zip(&rollout.score).for_each(|(kept, score)| *kept = *score as f32);
        }
        rollout.step(&acting)?;
        acting.into_iter().for_each(|k| living[k] = rollout.goes_on(k, step));
        if learns_readout {
            scores.push(Part { values: scored, width: n_out });
            rates.push(state.r.clone());
        }
        if !living.contains(&true) {
            break;
        }
    }
    let outputs = cell.output(&state.r)?.unsqueeze(2)?;
    let trajectories = rollout.trajectories;
    let of_network = |(s, trajectories)| ensemble.advantages(&episodes.settings, s, trajectories);
    let advantages: Vec<Advantages> = trajectories.chunks(b).enumerate().map(of_network).collect();
    let critic_scale = advantages.iter().map(|advantages| advantages.critic_scale).collect();
    // [S, B, T]; nothing is learnt from what comes after the end of an episode.
    let longest = trajectories.iter().map(|trajectory| trajectory.rewards.len()).max().unwrap_or(0);
    let mut padded = Vec::with_capacity(s * b * longest);
    for (episode, steps) in advantages.iter().flat_map(|advantages| &advantages.steps).enumerate() {
        padded.extend(steps);
        padded.resize((episode + 1) * longest, 0.0);
    }
    let advantages = Tensor::from_vec(padded, (s, b, longest), &Device::Cpu)?.to_dtype(dtype)?.to_device(device)?;
    let readout = in_one_copy(scores, (s, b), like)?.into_iter().zip(rates).enumerate();
    let readout: Vec<Outer> = readout.map(|(step, (post, pre))| Outer { step, post, pre }).collect();
    let sum = |outers: &[Outer], term: &dyn Fn(&Outer) -> candle_core::Result<Tensor>| {
        outers.iter().map(term).reduce(|sum, term| sum? + term?).transpose()
    };
    let w_out = sum(&readout, &|outer| outer.weighted(&advantages))?;
    let credit = EpisodeCredit {
        recurrent: sum(&recurrent, &|outer| outer.weighted(&advantages))?,
        readout: w_out.zip(sum(&readout, &|outer| outer.weighted_post(&advantages)?.sum(1))?),
        critic_scale,
    };
    Ok(Episode { trajectories: Some(trajectories), credit: learn.then_some(credit), ..Episode::new(outputs, state) })
}

/// Numbers of all episodes, `[S, B, width]`.
struct Part {
    values: Vec<f32>,
    width: usize,
}

/// Parts as tensors on the device and in the precision of `like`. They get there in one copy: what copies to a GPU cost is their
/// number, not their size.
fn in_one_copy(parts: Vec<Part>, (s, b): (usize, usize), like: &Tensor) -> candle_core::Result<Vec<Tensor>> {
    let cpu = parts.iter().map(|part| Tensor::from_slice(&part.values, (s, b, part.width), &Device::Cpu));
    let cpu = cpu.collect::<candle_core::Result<Vec<_>>>()?;
    if cpu.is_empty() {
        return Ok(cpu);
    }
    let all = Tensor::cat(&cpu, 2)?.to_dtype(like.dtype())?.to_device(like.device())?;
    let starts = parts.iter().scan(0, |end, part| Some(std::mem::replace(end, *end + part.width)));
    starts.zip(&parts).map(|(start, part)| all.narrow(2, start, part.width)?.contiguous()).collect()
}

/// An outer product of a step of the environment, which adds to an eligibility.
struct Outer {
    step: usize,
    /// `[S, B, …]`.
    post: Tensor,
    pre: Tensor,
}

impl Outer {
    /// The postsynaptic factor times the advantage of the step in each episode; `advantages` are `[S, B, T]`.
    fn weighted_post(&self, advantages: &Tensor) -> candle_core::Result<Tensor> {
        self.post.broadcast_mul(&advantages.narrow(2, self.step, 1)?)
    }

    /// Σ_b advantage_b post preᵀ.
    fn weighted(&self, advantages: &Tensor) -> candle_core::Result<Tensor> {
        self.weighted_post(advantages)?.transpose(1, 2)?.contiguous()?.matmul(&self.pre.contiguous()?)
    }
}

/// Adds what a step of the network adds to the eligibility of w_rec.
fn push(sum: &mut Vec<Outer>, step: usize, increment: Increment) -> candle_core::Result<()> {
    let mut add = |Factors { post, pre }| sum.push(Outer { step, post, pre });
    match increment {
        Increment::Outer(factors) => add(factors),
        Increment::Outers(both) => both.into_iter().for_each(add),
        // The cube of a product is the product of the cubes.
        Increment::CubedOuter(Factors { post, pre }) => {
            add(Factors { post: (post.sqr()? * post)?, pre: (pre.sqr()? * pre)? });
        }
        Increment::Matrix(_) => candle_core::bail!("a rule whose increments are matrices, in an environment"),
    }
    Ok(())
}

/// The perturbations ξ of a step, `[S, B, N]`; `None` if there are none.
fn perturbation(batch: &TrialBatch, step: usize, n: usize) -> Option<Vec<f32>> {
    let mut all = vec![0f32; batch.drawn.len() * n];
    let mut any = false;
    for (drawn, xi) in batch.drawn.iter().zip(all.chunks_exact_mut(n)) {
        if let Some(dense) = &drawn.dense {
            dense.at(step, xi);
            any = true;
        }
        for one in drawn.perturbations.iter().filter(|one| one.step as usize == step) {
            xi[one.neuron as usize] += one.size;
            any = true;
        }
    }
    any.then_some(all)
}

/// The neurons' private noise at a step, `[S, B, N]`; `None` if there is none.
fn private_noise(batch: &TrialBatch, step: usize, n: usize) -> Option<Vec<f32>> {
    let noise = |drawn: &DrawnTrial| drawn.private_noise[step * n..(step + 1) * n].to_vec();
    let any = batch.drawn.iter().any(|drawn| !drawn.private_noise.is_empty());
    any.then(|| batch.drawn.iter().flat_map(noise).collect())
}

/// `after` where an episode goes on (`mask` 1, `[S, B, 1]`), else `before`.
fn where_living(mask: &Tensor, before: &State, after: State) -> candle_core::Result<State> {
    let before: std::collections::BTreeMap<_, _> = before.each().collect();
    after.map(|name, after| mask.broadcast_as(after.shape())?.gt(0.0)?.where_cond(after, before[name]))
}
