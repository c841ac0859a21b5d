//! Episodes in a world that answers, with plain candle operations. Ended episodes keep their place and are masked.

use crate::engine::lived::Play;
use crate::engine::worth::{worth, Worth};
use crate::engine::{DrawnTrial, Ensemble, Episode, EpisodeCredit, Record, TrialBatch};
use crate::error::Result;
use crate::model::{Cell, State};
use crate::rules::{Factors, Increment, Moment, Source};
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
    let tensor = |values: Vec<f32>, width: usize| -> candle_core::Result<Tensor> {
        Tensor::from_vec(values, (s, b, width), &Device::Cpu)?.to_dtype(dtype)?.to_device(device)
    };
    let mut play = Play::start(setup, episodes, &batch.drawn, record.episodes);
    let mut living = vec![true; s * b];
    let mut rule = match setup.rule.source() {
        Source::Steps(rule) if learn => Some(rule),
        _ => None,
    };
    let (mut recurrent, mut readout) = (Vec::new(), Vec::new());
    let learns_readout = learn && setup.outputs_learn();
    let mut state = cell.start(&tensor(batch.drawn.iter().flat_map(|drawn| drawn.x0.clone()).collect(), n)?)?;
    // Rules that are gated by the reward of each step are gated here by what the episode was worth.
    let reward_change = Tensor::ones((s, b), dtype, device)?;
    for step in 0..episodes.world.limit() {
        let mut inputs = vec![0.0; s * b * n_in];
        for (k, inputs) in inputs.chunks_exact_mut(n_in).enumerate().filter(|(k, _)| living[*k]) {
            play.observe(k, inputs);
        }
        let inputs = tensor(inputs, n_in)?;
        let mask = tensor(living.iter().map(|living| f32::from(u8::from(*living))).collect(), 1)?;
        for now in (0..episodes.settings.network_steps).map(|sub| step * episodes.settings.network_steps + sub) {
            let perturbation = perturbation(batch, now, n).map(|xi| tensor(xi, n)).transpose()?;
            let noise = private_noise(batch, now, n).map(|noise| tensor(noise, n)).transpose()?;
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
        let mut scores = vec![0.0; s * b * n_out];
        let acting: Vec<usize> = (0..s * b).filter(|k| living[*k]).collect();
        for &k in &acting {
            let (of, scores) = (k * n_out..(k + 1) * n_out, &mut scores[k * n_out..(k + 1) * n_out]);
            play.choose(k, step, &outputs[of]);
            scores.iter_mut().zip(&play.score).for_each(|(kept, score)| *kept = *score as f32);
        }
        play.step(&acting)?;
        acting.into_iter().for_each(|k| living[k] = play.goes_on(k, step));
        if learns_readout {
            readout.push(Outer { step, post: tensor(scores, n_out)?, pre: state.r.clone() });
        }
        if !living.contains(&true) {
            break;
        }
    }
    let outputs = cell.output(&state.r)?.unsqueeze(2)?;
    let lived = play.lived;
    let worth: Vec<Worth> = lived.chunks(b).enumerate().map(|(s, lived)| worth(ensemble, s, lived)).collect();
    let critic_scale = worth.iter().map(Worth::critic_scale).collect();
    let worth: Vec<Vec<f64>> = worth.into_iter().flat_map(|worth| worth.steps).collect();
    let sum = |of: &[Outer], term: &dyn Fn(&Outer) -> candle_core::Result<Tensor>| {
        of.iter().map(term).reduce(|sum, term| sum? + term?).transpose()
    };
    let w_out = sum(&readout, &|outer| outer.weighted(&worth))?;
    let credit = EpisodeCredit {
        recurrent: sum(&recurrent, &|outer| outer.weighted(&worth))?,
        readout: w_out.zip(sum(&readout, &|outer| outer.weighted_post(&worth)?.sum(1))?),
        critic_scale,
    };
    Ok(Episode { lived: Some(lived), credit: learn.then_some(credit), ..Episode::new(outputs, state) })
}

/// An outer product of a step of the world, which adds to an eligibility.
struct Outer {
    step: usize,
    /// `[S, B, …]`.
    post: Tensor,
    pre: Tensor,
}

impl Outer {
    /// The postsynaptic factor times what the step was `worth` in each episode, `[S, B]`.
    fn weighted_post(&self, worth: &[Vec<f64>]) -> candle_core::Result<Tensor> {
        let (s, b, _) = self.post.dims3()?;
        // Nothing is learnt from what comes after the end of an episode.
        let now: Vec<f64> = worth.iter().map(|of| of.get(self.step).copied().unwrap_or(0.0)).collect();
        let now = Tensor::from_vec(now, (s, b, 1), &Device::Cpu)?.to_dtype(self.post.dtype())?;
        self.post.broadcast_mul(&now.to_device(self.post.device())?)
    }

    /// Σ_b worth post preᵀ.
    fn weighted(&self, worth: &[Vec<f64>]) -> candle_core::Result<Tensor> {
        self.weighted_post(worth)?.transpose(1, 2)?.contiguous()?.matmul(&self.pre.contiguous()?)
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
        Increment::Matrix(_) => candle_core::bail!("a rule whose increments are matrices, in a world"),
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
    let of = |drawn: &DrawnTrial| drawn.private_noise[step * n..(step + 1) * n].to_vec();
    let any = batch.drawn.iter().any(|drawn| !drawn.private_noise.is_empty());
    any.then(|| batch.drawn.iter().flat_map(of).collect())
}

/// `after` where an episode goes on (`mask` 1, `[S, B, 1]`), else `before`.
fn where_living(mask: &Tensor, before: &State, after: State) -> candle_core::Result<State> {
    let before: std::collections::BTreeMap<_, _> = before.each().collect();
    after.map(|name, after| mask.broadcast_as(after.shape())?.gt(0.0)?.where_cond(after, before[name]))
}
