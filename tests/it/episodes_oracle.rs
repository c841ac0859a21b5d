//! Environments: one update equals plain loops in double precision.

use crate::episodes::small;
use crate::support::*;
use hebbian_rnn::engine::{Draw, DrawnTrial, TrialBatch};
use hebbian_rnn::random::Phase;
use hebbian_rnn::{Episodes, Setup, Weights};

/// The rewards of an episode, the critic's values, whether it was terminated, and the eligibilities of its steps for w_rec
/// `[N, N]`, w_out and b_out.
struct Loops {
    rewards: Vec<f64>,
    values: Vec<f64>,
    terminated: bool,
    recurrent: Vec<Vec<f64>>,
    readout: Vec<Vec<f64>>,
    bias: Vec<Vec<f64>>,
}

/// An episode of node perturbation with Gaussian noise on the outputs, in plain loops of double precision.
fn loops(setup: &Setup, episodes: &Episodes, weights: &Weights, s: usize, drawn: &DrawnTrial) -> Loops {
    let (n, sigma) = (setup.config().network.neurons, setup.config().readout.perturbation);
    let of = |tensor: &candle_core::Tensor| values(&tensor.get(s).unwrap());
    let (w_rec, w_in, bias) = (of(&weights.w_rec), of(&weights.w_in), of(weights.b_rec.as_ref().unwrap()));
    let (w_out, b_out) = (of(weights.w_out.as_ref().unwrap()), of(weights.b_out.as_ref().unwrap()));
    let draws = drawn.episode.as_ref().unwrap();
    let mut world = episodes.environment.start(vec![draws.start.clone()]);
    let sizes: Vec<f64> = episodes.environment.observations().into_iter().map(|(_, size)| size).collect();
    let n_out = b_out.len() - usize::from(episodes.settings.critic());
    // The numbers of a chunk are those of as many steps as fit.
    let mut noise = [0f32; 64];
    let (mut r, mut observation) = (vec![0f64; n], vec![0.0; sizes.len()]);
    let mut loops =
        Loops { rewards: vec![], values: vec![], terminated: false, recurrent: vec![], readout: vec![], bias: vec![] };
    for step in 0..episodes.environment.limit() {
        world.observe(0, &mut observation);
        let u: Vec<f64> = observation.iter().zip(&sizes).map(|(o, size)| f64::from((o / size) as f32)).collect();
        let mut xi = vec![0f32; n];
        drawn.dense.as_ref().unwrap().at(step, &mut xi);
        let dot = |w: &[f64], v: &[f64]| w.iter().zip(v).map(|(w, v)| w * v).sum::<f64>();
        let x = |i: usize| {
            dot(&w_rec[i * n..(i + 1) * n], &r)
                + dot(&w_in[i * u.len()..(i + 1) * u.len()], &u)
                + bias[i]
                + f64::from(xi[i])
        };
        let after: Vec<f64> = (0..n).map(|i| x(i).tanh()).collect();
        loops.recurrent.push((0..n * n).map(|k| f64::from(xi[k / n]) * r[k % n]).collect());
        r = after;
        if step % (64 / n_out) == 0 {
            draws.acting.unwrap().gaussian(step / (64 / n_out), 1.0, &mut noise);
        }
        let zeta: Vec<f64> =
            noise[step % (64 / n_out) * n_out..][..n_out].iter().map(|z| sigma * f64::from(*z)).collect();
        let z: Vec<f64> = (0..n_out).map(|k| dot(&w_out[k * n..(k + 1) * n], &r) + b_out[k] + zeta[k]).collect();
        let action = if n_out == 1 { 2.0 * z[0].clamp(-1.0, 1.0) } else { f64::from(u8::from(z[1] > z[0])) };
        // A critic is an output more.
        let mut bias: Vec<f64> = zeta.iter().map(|zeta| zeta / (sigma * sigma)).collect();
        bias.resize(b_out.len(), 1.0);
        loops.values.extend((n_out..b_out.len()).map(|k| dot(&w_out[k * n..(k + 1) * n], &r) + b_out[k]));
        loops.readout.push(bias.iter().flat_map(|bias| r.iter().map(move |r| bias * r)).collect());
        loops.bias.push(bias);
        let outcome = world.step(0, &[action]);
        loops.rewards.push(outcome.reward);
        loops.terminated = outcome.terminated;
        if outcome.terminated {
            break;
        }
    }
    loops
}

/// The advantages of the steps of one network's episodes, from the definitions.
fn advantages(all: &[Loops], discount: f64) -> Vec<Vec<f64>> {
    let return_from = |of: &Loops, t: usize| {
        (t..of.rewards.len()).map(|later| discount.powi((later - t) as i32) * of.rewards[later]).sum::<f64>()
    };
    let advantage = |b: usize, t: usize| {
        let at = if discount == 1.0 { 0 } else { t };
        let others = (0..all.len()).filter(|other| *other != b).map(|other| return_from(&all[other], at));
        return_from(&all[b], at) - others.sum::<f64>() / (all.len() - 1) as f64
    };
    let advantages: Vec<Vec<f64>> =
        (0..all.len()).map(|b| (0..all[b].rewards.len()).map(|t| advantage(b, t)).collect()).collect();
    let counted: Vec<f64> = match discount == 1.0 {
        true => advantages.iter().map(|of| of[0]).collect(),
        false => advantages.concat(),
    };
    let rms = (counted.iter().map(|m| m * m).sum::<f64>() / counted.len() as f64).sqrt();
    advantages.into_iter().map(|of| of.into_iter().map(|m| m / rms).collect()).collect()
}

/// Eligibilities that decay by γλ a step, each step times the critic's error.
fn credited(of: &Loops, steps: &[Vec<f64>], discount: f64, lambda: f64) -> Vec<f64> {
    let (mut eligibility, mut sum) = (vec![0.0; steps[0].len()], vec![0.0; steps[0].len()]);
    for (t, step) in steps.iter().enumerate() {
        let next = match of.values.get(t + 1) {
            Some(next) => *next,
            None if of.terminated => 0.0,
            None => of.values[t],
        };
        let error = of.rewards[t] + discount * next - of.values[t];
        for ((sum, e), step) in sum.iter_mut().zip(&mut eligibility).zip(step) {
            *e = discount * lambda * *e + step;
            *sum += error * *e;
        }
    }
    sum
}

/// The sum over steps, each times its advantage.
fn weighted(steps: &[Vec<f64>], advantages: &[f64]) -> Vec<f64> {
    let mut sum = vec![0.0; steps[0].len()];
    for (step, m) in steps.iter().zip(advantages) {
        sum.iter_mut().zip(step).for_each(|(sum, e)| *sum += m * e);
    }
    sum
}

/// One update of `task` by the library and by the loops.
fn one_update(task: &str, settings: &[&str], tolerance: f64) {
    let mut trainer = trainer(task, &small(settings));
    let setup = trainer.setup().clone();
    let (config, episodes) = (&setup.config(), setup.task().episodes().unwrap());
    let b = config.train.batch;
    let before = trainer.weights().unwrap();
    let draw =
        Draw { seed: config.train.seed, phase: Phase::Train, first_trial: 0, trials_each: b, age: 0, explore: true };
    let batch = TrialBatch::draw(&setup, draw).unwrap();
    let report = trainer.update().unwrap();
    let after = trainer.weights().unwrap();
    for s in 0..2 {
        let all: Vec<Loops> =
            batch.drawn[s * b..(s + 1) * b].iter().map(|drawn| loops(&setup, episodes, &before, s, drawn)).collect();
        let advantages = advantages(&all, episodes.settings.discount);
        let settings = &episodes.settings;
        // Rates of as many equal parts.
        let sum = |of: &dyn Fn(&Loops) -> Vec<Vec<f64>>, rates: &[f64]| {
            let mut sum = vec![0.0; of(&all[0])[0].len()];
            for (episode, advantages) in all.iter().zip(&advantages) {
                let steps = of(episode);
                let credited = match settings.critic() {
                    true => credited(episode, &steps, settings.discount, settings.critic_lambda),
                    false => weighted(&steps, advantages),
                };
                sum.iter_mut().zip(credited).for_each(|(sum, e)| *sum += e);
            }
            let part = sum.len() / rates.len();
            sum.chunks_mut(part).zip(rates).for_each(|(part, rate)| part.iter_mut().for_each(|sum| *sum *= rate));
            sum
        };
        let moved = |name: &str, before: &candle_core::Tensor, after: &candle_core::Tensor, expected: Vec<f64>| {
            let of = |tensor: &candle_core::Tensor| values(&tensor.get(s).unwrap());
            let found: Vec<f64> = of(after).iter().zip(of(before)).map(|(after, before)| after - before).collect();
            assert_close(&found, &expected, tolerance, name);
        };
        let out = |w: &Weights| (w.w_out.clone().unwrap(), w.b_out.clone().unwrap());
        let ((w_before, b_before), (w_after, b_after)) = (out(&before), out(&after));
        let mut rates = vec![config.readout.eta; setup.task().n_out()];
        if settings.critic() {
            // The critic's is for the mean over steps.
            let steps: usize = all.iter().map(|of| of.rewards.len()).sum();
            *rates.last_mut().unwrap() = settings.critic_eta / steps as f64;
        }
        moved("w_rec", &before.w_rec, &after.w_rec, sum(&|of| of.recurrent.clone(), &[config.rule.eta]));
        moved("w_out", &w_before, &w_after, sum(&|of| of.readout.clone(), &rates));
        moved("b_out", &b_before, &b_after, sum(&|of| of.bias.clone(), &rates));
        let total = all.iter().flat_map(|of| &of.rewards).sum::<f64>() / b as f64;
        let found = report.networks[s].mean_return.unwrap();
        assert!((found - total).abs() <= tolerance * total.abs(), "{found} {total}");
        let steps = all.iter().map(|of| of.rewards.len() as u64).sum();
        assert_eq!(report.networks[s].world_steps, Some(steps));
    }
}

#[test]
fn an_update_equals_plain_loops() {
    let argmax = ["task.acting=argmax", "readout.perturbation=0.5", "network.readout_scale=1"];
    for (engine, tolerance) in [
        (["train.kernels=reference", "train.dtype=f64"], 1e-9),
        (["train.kernels=reference", "train.dtype=f32"], 1e-4),
        (["train.kernels=fused", "train.dtype=f32"], 1e-4),
    ] {
        // The limit is beyond the end of some episodes.
        one_update("cartpole", &[&argmax[..], &engine, &["task.limit=15"]].concat(), tolerance);
        let plain = ["rule.rms_decay=0", "task.hold=1"];
        one_update("pendulum", &[&engine[..], &plain, &["modulator.normalise=true"]].concat(), tolerance);
        let critic = ["task.critic_eta=0.5", "task.critic_lambda=0.7", "modulator.warmup_trials=0", "task.limit=15"];
        one_update("cartpole", &[&argmax[..], &engine, &critic, &["modulator.normalise=false"]].concat(), tolerance);
        one_update("pendulum", &[&engine[..], &plain, &critic[..3]].concat(), tolerance);
    }
}

/// What is divided by its running size is at first as large as the rate, whatever the modulators are.
#[test]
fn a_first_change_over_its_size_is_the_rate() {
    let rates = ["rule.rms_decay=0.9", "rule.eta=0.003", "readout.eta=0.02"];
    for more in [&["task.critic_eta=0.1", "modulator.warmup_trials=0"][..], &["task.limit=90"]] {
        let mut trainer = trainer("cartpole", &small(&[&rates[..], more].concat()));
        let before = trainer.weights().unwrap();
        trainer.update().unwrap();
        let after = trainer.weights().unwrap();
        let size = |before: &candle_core::Tensor, after: &candle_core::Tensor| {
            let of = |tensor: &candle_core::Tensor| values(&tensor.get_on_dim(1, 0).unwrap());
            of(after).iter().zip(of(before)).map(|(after, before)| (after - before).abs()).collect::<Vec<_>>()
        };
        assert_close(&size(&before.w_rec, &after.w_rec), &[0.003; 40], 1e-4, "w_rec");
        let out = |weights: &Weights| weights.w_out.clone().unwrap();
        assert_close(&size(&out(&before), &out(&after)), &[0.02; 40], 1e-4, "w_out");
    }
}
