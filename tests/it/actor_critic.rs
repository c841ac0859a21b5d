//! Actor and critic against plain loops, and the worlds they live in.

use crate::lives::{lived, setup};
use crate::support::{assert_close, values};
use hebbian_rnn::candle_core::Device;
use hebbian_rnn::engine::{LifeRecord, LifeState};
use hebbian_rnn::runs::{record_life, LifeRecordOptions};
use hebbian_rnn::worlds::LifeRow;
use hebbian_rnn::{LifeSetup, Lives};

/// A short life: every output, the weights at birth, the rows and the state at the end.
struct Recorded {
    outputs: Vec<Vec<f64>>,
    born: LifeState,
    rows: Vec<LifeRow>,
    end: LifeState,
}

fn record(setup: LifeSetup) -> Recorded {
    let life = &setup.config().life;
    let steps = (life.seconds * 1000.0 / life.dt_ms).round() as usize;
    let mut newborn = Lives::new(setup, &Device::Cpu).unwrap().checkpoint().unwrap();
    let record = LifeRecord { steps, ..LifeRecord::default() };
    let mut lives = Lives::resume_recording(&newborn, &record, &Device::Cpu).unwrap();
    let rows = lives.live(u64::MAX).unwrap();
    let born = newborn.states.swap_remove(0);
    let end = lives.checkpoint().unwrap().states.swap_remove(0);
    let outputs = end.outputs.iter().rev().cloned().collect();
    Recorded { outputs, born, rows, end }
}

const DT: f64 = 0.5;

/// A trace that decays with `tau` ms and takes `new`.
fn decays(trace: &mut f64, tau: f64, new: f64) -> f64 {
    *trace = *trace * (-DT / tau).exp() + new;
    *trace
}

/// The values of the critic, which are `offset` if it is silent, and the errors of its predictions, for a trial from step 0
/// that ends with step `end`, by time or with a reward of 100, and the pause after it.
fn predictions(critic_spikes: &[f64], offset: f64, end: usize, by_time: bool) -> (Vec<f64>, Vec<f64>) {
    let (mut slow, mut fast, mut r_slow, mut r_fast, mut last) = (0.0, 0.0, 0.0, 0.0, 0.0);
    let step = |(t, spikes): (usize, &f64)| {
        let (p, q) = (decays(&mut slow, 200.0, *spikes), decays(&mut fast, 50.0, *spikes));
        let event = if t == end && !by_time { 100.0 } else { 0.0 };
        let r = (decays(&mut r_slow, 200.0, event) - decays(&mut r_fast, 10.0, event)) / 190.0;
        let (mut v, mut slope) = (20.0 * (p - q) / 150.0 + offset, 20.0 * (q / 50.0 - p / 200.0) / 150.0);
        if t >= end {
            last = match (t == end, by_time) {
                (true, true) => 0.0,
                (true, false) => v,
                _ => last * (-DT / 200.0f64).exp(),
            };
            (v, slope) = (last, -last / 200.0);
        }
        let settling = t < end && (t + 1) as f64 * DT <= 100.0;
        (v, if settling { 0.0 } else { slope - v / 4000.0 + r })
    };
    critic_spikes.iter().enumerate().map(step).unzip()
}

/// The weights onto one neuron after a life, by td-ltp.
fn weights(place: &[Vec<f64>], post: &[f64], errors: &[f64], born: &[f64], eta: f64, resets: bool) -> Vec<f64> {
    let one = |(j, w): (usize, &f64)| {
        let (mut a, mut b, mut p, mut q, mut w) = (0.0, 0.0, 0.0, 0.0, *w);
        for t in 0..post.len() {
            let x = if t > 0 { place[t - 1][j] } else { 0.0 };
            let h = 20.0 / 15.0 * (decays(&mut a, 20.0, x) - decays(&mut b, 5.0, x));
            let zeta = post[t] * h;
            let z = (decays(&mut p, 200.0, zeta) - decays(&mut q, 50.0, zeta)) / 150.0;
            w = (w + DT * eta * errors[t] * z).clamp(0.0, 3.0);
            if resets && post[t] > 0.0 {
                (a, b) = (0.0, 0.0);
            }
        }
        w
    };
    born.iter().enumerate().map(one).collect()
}

/// Weights of projection `k` onto neuron `post` of `to`.
fn onto(state: &LifeState, k: usize, post: usize) -> Vec<f64> {
    let synapses = &state.synapses[k];
    let own = synapses.post.iter().zip(&synapses.weight).filter(|(i, _)| **i as usize == post);
    own.map(|(_, w)| *w).collect()
}

/// Compares all weights of projection `k` with those of plain loops; how far they have moved at most.
fn compare(recorded: &Recorded, k: usize, first: usize, eta: f64, errors: &[f64], resets: bool) -> f64 {
    let cells = recorded.born.synapses[k].pre.iter().max().unwrap() + 1;
    let place: Vec<Vec<f64>> = recorded.outputs.iter().map(|r| r[..cells as usize].to_vec()).collect();
    let mut moved = 0.0f64;
    for post in 0..recorded.outputs[0].len() - first {
        let spikes: Vec<f64> = recorded.outputs.iter().map(|r| r[first + post]).collect();
        let born = onto(&recorded.born, k, post);
        if born.is_empty() {
            break;
        }
        let expected = weights(&place, &spikes, errors, &born, eta, resets);
        for ((found, expected), born) in onto(&recorded.end, k, post).iter().zip(&expected).zip(&born) {
            assert!((found - expected).abs() < 1e-5, "onto {post}: {found} {expected}, from {born}");
            moved = moved.max((found - born).abs());
        }
    }
    moved
}

/// A short track, whose end is reached after 1340 steps.
const TRACK: &[&str] = &[
    "life.networks=1",
    "life.seconds=0.9",
    "world.pause_seconds=0.3",
    "world.settling_ms=100",
    "world.body.speed=50",
    "projection.place-critic.weights.normal=[0.7, 0.1]",
];

#[test]
fn a_critic_learns_as_in_plain_loops() {
    // In single precision, plain operations lose changes that are too small for a step.
    for engine in [&["life.kernels=fused"][..], &["life.kernels=reference", "life.dtype=f64"]] {
        let recorded = record(setup("linear-track", None, &[TRACK, engine].concat()));
        // 33.5 at a speed of 50 take 1340 steps.
        let spikes: Vec<f64> = recorded.outputs.iter().map(|r| r[215..].iter().sum()).collect();
        let (values, errors) = predictions(&spikes, -40.0, 1339, false);
        let mean = |steps: std::ops::Range<usize>| values[steps.clone()].iter().sum::<f64>() / steps.len() as f64;
        for (row, steps) in recorded.rows.iter().zip([200..600, 600..1200, 1200..1339]) {
            assert!((row.figures[3] - mean(steps)).abs() < 1e-9, "{} at {} s", row.figures[3], row.seconds);
        }
        assert_eq!(recorded.rows[2].figures[..3], [1.0, 0.67, 1.0]);
        let moved = compare(&recorded, 0, 215, 0.05, &errors, true);
        assert!(moved > 0.01, "{moved}");
    }
}

/// A recording holds the values and errors of plain loops over the spikes that it also holds, and the weights of the life.
#[test]
fn a_recording_is_what_plain_loops_compute_from_its_spikes() {
    for engine in [&["life.kernels=fused"][..], &["life.kernels=reference", "life.dtype=f64"]] {
        let setup = || setup("linear-track", None, &[TRACK, engine].concat());
        let newborn = Lives::new(setup(), &Device::Cpu).unwrap().checkpoint().unwrap();
        let mut options = LifeRecordOptions::default();
        (options.seconds, options.learn, options.weights) = (0.9, true, true);
        let recording = record_life(&newborn, &options).unwrap();
        let found = |name: &str| values(&recording.tensors[name]);
        let mut spikes = vec![0.0; 1800];
        found("0.spikes.critic").chunks(2).for_each(|spike| spikes[spike[0] as usize] += 1.0);
        let (expected, errors) = predictions(&spikes, -40.0, 1339, false);
        assert_close(&found("value"), &expected, 1e-9, "values");
        assert_close(&found("td_error"), &errors, 1e-9, "errors");
        assert_eq!(found("modulator"), found("td_error"));
        let single = |state: &LifeState| -> Vec<f64> {
            state.synapses[0].weight.iter().map(|weight| f64::from(*weight as f32)).collect()
        };
        let (life, weights) = (record(setup()), found("0.weights.place-critic"));
        let synapses = weights.len() / 4;
        assert_eq!(weights[..synapses], single(&life.born));
        assert_eq!(weights[3 * synapses..], single(&life.end));
        assert_ne!(weights[..synapses], weights[3 * synapses..]);
        assert_eq!(recording.metadata["block_seconds"], "0.3");
    }
}

/// With eq. 37, the errors are multiplied by a number that follows the mean reward of 50 s.
#[test]
fn rates_follow_reward_as_in_plain_loops() {
    let small = [
        "life.networks=1",
        "life.seconds=0.9",
        "life.kernels=reference",
        "life.dtype=f64",
        "world.pause_seconds=0.3",
        "world.settling_ms=100",
        "world.body.speed=50",
        "projection.place-critic.weights.normal=[0.7, 0.1]",
    ];
    let recorded = record(setup("linear-track", None, &[&small[..], &["world.rates_follow_reward=true"]].concat()));
    let spikes: Vec<f64> = recorded.outputs.iter().map(|r| r[215..].iter().sum()).collect();
    let (_, mut errors) = predictions(&spikes, -40.0, 1339, false);
    let (mut slow, mut fast, mut mean, mut factor) = (0.0, 0.0, 0.0, 0.0);
    for (t, error) in errors.iter_mut().enumerate() {
        let event = if t == 1339 { 100.0 } else { 0.0 };
        let per_second = 1000.0 * (decays(&mut slow, 200.0, event) - decays(&mut fast, 10.0, event)) / 190.0;
        mean += (1.0 - (-DT / 50_000.0f64).exp()) * (per_second - mean);
        factor = (10.0 / (1.0 + 1.5 * (mean / 7.0f64).exp())).max(1.25) / 1.25;
        *error *= factor;
        assert!(t > 1300 || factor == 3.2, "{factor}");
    }
    assert!((2.7..3.1).contains(&factor), "{factor}");
    assert!(compare(&recorded, 0, 215, 0.05, &errors, true) > 0.01);
}

#[test]
fn an_actor_learns_as_in_plain_loops() {
    // Nothing is in the way, so that errors don't depend on where it goes.
    let small = [
        "life.networks=1",
        "life.seconds=0.6",
        "world.pause_seconds=0.3",
        "world.trial_seconds=0.4",
        "world.settling_ms=100",
        "world.body.wall_reward=0",
    ];
    let recorded = record(setup("maze", None, &small));
    let spikes: Vec<f64> = recorded.outputs.iter().map(|r| r[169..269].iter().sum()).collect();
    let (_, errors) = predictions(&spikes, -15.0, 799, true);
    let critic = compare(&recorded, 0, 169, 0.03, &errors, true);
    let actor = compare(&recorded, 1, 269, 2e-3, &errors, false);
    assert!(critic > 1e-4 && actor > 1e-4, "{critic} {actor}");
}

/// What actors vote for moves the body, and where it is makes place cells fire.
#[test]
fn votes_move_and_cells_tell_where() {
    let small = ["life.networks=1", "life.seconds=0.3", "world.pause_seconds=0.3", "world.body.wall_reward=0"];
    let recorded = record(setup("maze", None, &small));
    let (mut slow, mut fast) = ([0.0; 2], [0.0; 2]);
    let path: Vec<[f64; 2]> = recorded
        .outputs
        .iter()
        .scan([0.0; 2], |at, r| {
            for k in 0..2 {
                let vote = |n: usize| {
                    1.8 * (std::f64::consts::TAU * n as f64 / 180.0
                        - if k == 1 { 0.0 } else { std::f64::consts::FRAC_PI_2 })
                    .cos()
                };
                let votes: f64 = r[269..].iter().enumerate().map(|(n, r)| r * vote(n)).sum();
                let rate = (decays(&mut slow[k], 50.0, votes) - decays(&mut fast[k], 20.0, votes)) / 30.0;
                at[k] += 1000.0 * rate / 180.0 * DT / 1000.0;
            }
            Some(*at)
        })
        .collect();
    let end = recorded.end.world["body"].as_array().unwrap();
    let end = [0, 1].map(|k| end[k].as_f64().unwrap());
    let started = [0, 1].map(|k| end[k] - path.last().unwrap()[k]);
    let close = |a: &[f64; 2]| (a[0] - started[0]).hypot(a[1] - started[1]) < 1e-6;
    assert!([[7.5, 0.0], [-7.5, 0.0], [0.0, 7.5], [0.0, -7.5]].iter().any(close), "started at {started:?}");
    // The mean place of the cells that fired is that of the body.
    let spikes = recorded.outputs.iter().zip(&path);
    let (mut n, mut away) = (0.0, [0.0; 2]);
    for (r, at) in spikes {
        for (cell, r) in r[..169].iter().enumerate() {
            let centre = [-12.0 + 2.0 * (cell / 13) as f64, -12.0 + 2.0 * (cell % 13) as f64];
            n += r;
            (0..2).for_each(|k| away[k] += r * (centre[k] - at[k] - started[k]));
        }
    }
    // 1.26 spikes in a ms, each with a standard deviation of √2 from the body.
    let expected = std::f64::consts::PI * 0.4 * 300.0;
    assert!((n - expected).abs() < 5.0 * expected.sqrt(), "{n} spikes; expected {expected}");
    assert!(away.iter().all(|sum| (sum / n).abs() < 5.0 * 1.42 / n.sqrt()), "{away:?} of {n}");
}

#[test]
fn a_life_is_over_after_its_trials() {
    let small = ["life.networks=2", "life.seconds=300", "world.trials=3"];
    let mut lives = Lives::new(setup("linear-track", None, &small), &Device::Cpu).unwrap();
    let mut rows = Vec::new();
    while !lives.is_over() {
        rows.extend(lives.live(1).unwrap());
    }
    // However many blocks are lived at a time.
    let at_once = Lives::new(setup("linear-track", None, &small), &Device::Cpu).unwrap().live(u64::MAX).unwrap();
    assert_eq!(at_once.len(), rows.len());
    // Three trials of 6.7 s with pauses of 3 s.
    assert_eq!(rows.last().unwrap().seconds, 30.0);
    assert_eq!(rows.iter().filter(|row| (row.figures[1] - 6.7).abs() < 1e-3).count(), 6);
}

/// After a life trials go on, and where the animal is then can be drawn: inside the square, and not in the walls of the U.
#[test]
fn its_way_can_be_drawn() {
    let small =
        ["life.networks=1", "life.seconds=3", "life.frozen_seconds=12", "world.trial_seconds=4", "world.trials=1"];
    let (_, states) = lived(setup("maze", None, &small));
    let trail = &states[0].trail;
    assert!(trail.len() >= 2 && trail[0].len() > 20, "{} trials", trail.len());
    let inside = |x: f64, y: f64| x.abs() < 5.0 && (-5.0..5.0).contains(&y) && (x.abs() > 3.0 || y < -3.0);
    assert!(trail
        .iter()
        .flatten()
        .all(|[x, y, v]| x.abs() <= 10.0 && y.abs() <= 10.0 && !inside(*x, *y) && v.is_finite()));
}

/// Values spread backward from the reward (Frémaux et al. 2013, figure 2).
#[test]
fn values_spread_backward() {
    let values = |rule: Option<&str>| {
        let setup =
            setup("linear-track", rule, &["life.networks=2", "world.trials=25", "world.judged=5", "world.required=5"]);
        let (rows, _) = lived(setup.clone());
        let verdict = &hebbian_rnn::training::verdicts(&setup, &rows).unwrap()[0].1;
        let of = |name: &str| verdict.figures.iter().find(|(known, _)| *known == name).unwrap().1;
        [of("value_2"), of("value_3"), of("value_4")]
    };
    let (learnt, fixed) = (values(None), values(Some("none")));
    assert!(learnt[2] > 0.5 && learnt[1] > 0.3, "{learnt:?}");
    assert!(fixed.iter().all(|v| *v < 0.0), "{fixed:?}");
}
