//! Neurons and rules of lives against plain f64 loops.

use crate::lives::{lived, setup};
use hebbian_rnn::candle_core::Device;
use hebbian_rnn::engine::LifeState;
use hebbian_rnn::{LifeConfig, LifeSetup, Lives, Setting};

/// One synapse between two neurons with given spikes, in the world of XOR by trains: the network of a test.
const ONE_SYNAPSE: &str = r#"
life = { networks = 1, batch = 1, seed = 3, dt_ms = 1.0, seconds = 2.0, frozen_seconds = 0.0, frozen_noise = true,
         checkpoint_every_seconds = 0.0, keep = 1, device = "cpu", dtype = "f64", kernels = "fused" }
world = { name = "xor-temporal", code = "temporal", pattern_ms = 500.0, rate_hz = 0.0, spikes = 50, reward = 1.0 }
[[population]]
name = "input"
size = 2
neurons = { model = "input" }
[[population]]
name = "output"
size = 1
neurons = { model = "lif", tau_ms = 20.0, rest_mv = -70.0, reset_mv = -70.0, threshold_mv = -54.0, refractory_ms = 2.0,
            synapse_ms = 5.0, adaptation_ms = 50.0, adaptation_mv = 1.0 }
[[projection]]
from = "input"
to = "output"
connect = { density = 1.0 }
weights = { uniform = [30.0, 60.0] }
w_min = 0.0
w_max = 80.0
delay_ms = 3.0
"#;

/// The network above in plain f64 loops, from its own initial weights and spikes. Returns the weights at the end. With
/// `expects`, the reward is compared with its running mean over that many ms.
fn plain_loops(
    states: &[LifeState],
    (pet, expects): (bool, Option<f64>),
    trains: &[Vec<f64>],
    rewards: &[f64],
    spikes: &[f64],
) -> Vec<f64> {
    let decay = |tau: f64| (-1.0f64 / tau).exp();
    let (gamma, tau_z) = if pet { (0.625, 25.0) } else { (0.1, 25.0) };
    let mut w = states[0].synapses[0].weight.clone();
    let (mut p, mut q, mut z) = (vec![0.0; 2], 0.0, vec![0.0; 2]);
    let (mut u, mut s, mut resting, mut a) = (-70.0, 0.0, 0.0, 0.0);
    let mut expected = 0.0;
    for step in 0..spikes.len() {
        // Spikes arrive three steps after they were sent.
        let arriving = |j: usize| if step >= 3 { trains[j][step - 3] } else { 0.0 };
        let input: f64 = (0..2).map(|j| w[j] * arriving(j)).sum();
        if step > 0 {
            let f_post = spikes[step - 1];
            let reward = rewards[step - 1] - expected;
            expected = expects.map_or(0.0, |tau| expected * decay(tau) + (1.0 - decay(tau)) * rewards[step - 1]);
            q = q * decay(20.0) + f_post;
            for j in 0..2 {
                let f_pre = trains[j][step - 1];
                p[j] = p[j] * decay(20.0) + f_pre;
                let zeta = p[j] * f_post - q * f_pre;
                if pet {
                    z[j] = z[j] * decay(tau_z) + zeta / tau_z;
                    w[j] += gamma * reward * z[j];
                } else {
                    w[j] += gamma * reward * zeta;
                }
                w[j] = w[j].clamp(0.0, 80.0);
            }
        }
        s = s * decay(5.0) + input;
        let moved = -70.0 + (u + 70.0) * decay(20.0) + (1.0 - decay(20.0)) * s;
        let held = resting > 0.0;
        let spike = !held && moved > -54.0 + 1.0 * a;
        u = if held || spike { -70.0 } else { moved };
        resting = if spike {
            2.0
        } else if held {
            resting - 1.0
        } else {
            0.0
        };
        a = a * decay(50.0) + f64::from(u8::from(spike));
        assert_eq!(f64::from(u8::from(spike)), spikes[step], "step {step}");
    }
    w
}

#[test]
fn rules_and_neurons_match_plain_loops() {
    for (rule, expects, dtype, tolerance) in [
        ("mstdp", None, "f64", 1e-12),
        ("mstdpet", None, "f64", 1e-12),
        ("mstdp", None, "f32", 1e-5),
        ("mstdpet", None, "f32", 1e-5),
        ("mstdp", Some(50.0), "f64", 1e-12),
        ("mstdpet", Some(300.0), "f32", 1e-5),
    ] {
        let mut config = LifeConfig::from_toml(ONE_SYNAPSE).unwrap();
        config.projections[0].rule = hebbian_rnn::rules::SynapseRuleInfo::find(rule).unwrap().table();
        config.projections[0].rule.insert("expected_reward_ms".into(), expects.unwrap_or(0.0).into());
        let config = config.with(&[Setting::parse(&format!("life.dtype={dtype}")).unwrap()]).unwrap();
        let setup = LifeSetup::new(config).unwrap();
        let born = Lives::new(setup.clone(), &Device::Cpu).unwrap().checkpoint().unwrap().states;
        let (trains, rewards, spikes) = record(&setup);
        let expected = plain_loops(&born, (rule == "mstdpet", expects), &trains, &rewards, &spikes);
        assert!(spikes.iter().sum::<f64>() > 20.0, "the neuron fires");
        let (_, states) = lived(setup);
        for (found, expected) in states[0].synapses[0].weight.iter().zip(expected) {
            assert!((found - expected).abs() < tolerance * 80.0, "{rule} {dtype}: {found} {expected}");
        }
    }
}

/// The same for a neuron with escape noise and the rules that know its probability of firing.
fn escape_loops(
    (rule, resets): (&str, bool),
    expects: f64,
    mut w: Vec<f64>,
    (trains, rewards, spikes): &Recorded,
) -> Vec<f64> {
    let decay = |tau: f64| (-1.0f64 / tau).exp();
    let (mut slow, mut fast, mut own, mut expected, mut q) = (0.0, 0.0, 0.0, 0.0, 0.0);
    // Of each synapse: what its spikes left since the neuron's last one, and ζ filtered.
    let (mut a, mut b, mut z_slow, mut z_fast) = ([0.0; 2], [0.0; 2], [0.0; 2], [0.0; 2]);
    for step in 0..spikes.len() {
        let x = [0, 1].map(|j| if step >= 3 { trains[j][step - 3] } else { 0.0 });
        let input: f64 = (0..2).map(|j| w[j] * x[j]).sum();
        (slow, fast, own) = (slow * decay(20.0) + input, fast * decay(5.0) + input, own * decay(20.0));
        let u = 20.0 / 15.0 * (slow - fast) + own;
        let p = 1.0 - (-0.06 * ((u - 16.0) / 2.0).exp()).exp();
        let (f, r) = (spikes[step], rewards[step]);
        let m = if expects > 0.0 { r - expected } else { r };
        expected = if expects > 0.0 { decay(expects) * expected + (1.0 - decay(expects)) * r } else { 0.0 };
        q *= decay(40.0);
        for j in 0..2 {
            let (zeta, change);
            if rule == "td-stdp" {
                a[j] = a[j] * decay(20.0) + x[j];
                zeta = 0.75 * f * a[j] - 0.375 * q * x[j];
                z_slow[j] = z_slow[j] * decay(500.0) + zeta;
                change = 10.0 * z_slow[j] / 500.0;
            } else {
                (a[j], b[j]) = (a[j] * decay(20.0) + x[j], b[j] * decay(5.0) + x[j]);
                let h = 20.0 / 15.0 * (a[j] - b[j]);
                zeta = h * if rule == "r-max" { f - p } else { f };
                let (tau, rise) = if rule == "r-max" { (500.0, 0.0) } else { (200.0, 50.0) };
                z_slow[j] = z_slow[j] * decay(tau) + zeta;
                z_fast[j] = if rise > 0.0 { z_fast[j] * decay(rise) + zeta } else { 0.0 };
                change = 10.0 * (z_slow[j] - z_fast[j]) / (tau - rise);
            }
            w[j] = (w[j] + m * change).clamp(0.0, 80.0);
            if f == 1.0 && resets {
                (a[j], b[j]) = (0.0, 0.0);
            }
        }
        if f == 1.0 {
            (own, q) = (-5.0, 1.0);
            (slow, fast) = if resets { (0.0, 0.0) } else { (slow, fast) };
        }
    }
    w
}

#[test]
fn rules_for_escape_noise_match_plain_loops() {
    for (rule, expects, more, tolerance) in [
        ("r-max", 0.0, "life.dtype=f64", 1e-12),
        ("r-max", 100.0, "life.dtype=f64", 1e-12),
        ("td-ltp", 0.0, "life.dtype=f64", 1e-12),
        ("td-stdp", 0.0, "life.dtype=f64", 1e-12),
        ("td-stdp", 0.0, "life.kernels=reference life.dtype=f32", 1e-5),
        ("r-max", 100.0, "life.dtype=f32", 1e-5),
        ("td-ltp", 0.0, "life.dtype=f32", 1e-5),
        ("td-stdp", 0.0, "life.dtype=f32", 1e-5),
        ("td-ltp", 0.0, "life.dtype=f64 projection.input-output.own_spike_resets=false", 1e-12),
        ("td-ltp", 0.0, "life.kernels=reference life.dtype=f32 projection.input-output.own_spike_resets=false", 1e-5),
        ("td-stdp", 0.0, "life.dtype=f32 projection.input-output.own_spike_resets=false", 1e-5),
        ("r-max", 0.0, "life.dtype=f32 projection.input-output.own_spike_resets=false", 1e-5),
    ] {
        let mut config = LifeConfig::from_toml(ONE_SYNAPSE).unwrap();
        config.populations[1].neurons = r#"model = "srm0""#.parse().unwrap();
        config.projections[0].rule = hebbian_rnn::rules::SynapseRuleInfo::find(rule).unwrap().table();
        config.projections[0].rule.insert("expected_reward_ms".into(), expects.into());
        config.projections[0].rule.insert("eta".into(), 10.0.into());
        let more: Vec<Setting> = more.split(' ').map(|text| Setting::parse(text).unwrap()).collect();
        let resets = !more.iter().any(|setting| setting.key.ends_with("own_spike_resets"));
        let config = config.with(&more).unwrap();
        let setup = LifeSetup::new(config).unwrap();
        let born = Lives::new(setup.clone(), &Device::Cpu).unwrap().checkpoint().unwrap().states;
        let before = born[0].synapses[0].weight.clone();
        let recorded = record(&setup);
        assert!(recorded.2.iter().sum::<f64>() > 20.0, "the neuron fires");
        let expected = escape_loops((rule, resets), expects, before.clone(), &recorded);
        let (_, states) = lived(setup);
        for ((found, expected), before) in states[0].synapses[0].weight.iter().zip(expected).zip(before) {
            assert!((found - expected).abs() < tolerance * 80.0, "{rule}, {more:?}: {found} {expected}");
            assert!((found - before).abs() > 1e-4, "{rule}: nothing is learnt");
        }
    }
}

/// Input trains, rewards and output spikes, step by step.
type Recorded = (Vec<Vec<f64>>, Vec<f64>, Vec<f64>);

/// The input trains, rewards and output spikes of the whole life, step by step.
fn record(setup: &LifeSetup) -> Recorded {
    // A silent projection with a delay of the whole life keeps every output in the state.
    let mut config = setup.config().clone();
    let mut silent = config.projections[0].clone();
    silent.from = "output".into();
    silent.to = "input".into();
    silent.rule = toml::Table::new();
    silent.own_spike_resets = None;
    silent.weights = hebbian_rnn::config::InitialSynapses::Constant(0.0);
    silent.delay_ms = 2000.0;
    config.projections.push(silent);
    let setup = LifeSetup::new(config).unwrap();
    let mut lives = Lives::new(setup, &Device::Cpu).unwrap();
    let rows = lives.live(u64::MAX).unwrap();
    let states = lives.checkpoint().unwrap().states;
    let outputs: Vec<&Vec<f64>> = states[0].outputs.iter().rev().collect();
    assert_eq!(outputs.len(), 2000);
    let trains = (0..2).map(|j| outputs.iter().map(|r| r[j]).collect()).collect();
    let spikes: Vec<f64> = outputs.iter().map(|r| r[2]).collect();
    let wanted = |step: usize| if [1.0, 2.0].contains(&rows[step / 500].figures[0]) { 1.0 } else { -1.0 };
    let rewards = spikes.iter().enumerate().map(|(step, f)| f * wanted(step)).collect();
    (trains, rewards, spikes)
}

/// Florian (2007), figure 1: one synapse with given spikes, w = 0.2, γ = 0.2; the reward changes its sign at 100 ms.
#[test]
fn figure_1_of_florian() {
    let (pre, post) = ([10, 85, 115, 135], [15, 75, 110, 140]);
    let decay = |tau: f64| (-1.0f64 / tau).exp();
    let spike = |at: &[usize], t: usize| f64::from(u8::from(at.contains(&t)));
    for (rule, dtype, tolerance) in
        [("mstdpet", "f64", 1e-12), ("mstdp", "f64", 1e-12), ("mstdpet", "f32", 1e-5), ("mstdp", "f32", 1e-5)]
    {
        let (rows, _) = lived(setup("one-synapse", Some(rule), &[&format!("life.dtype={dtype}")]));
        assert_eq!(rows.len(), 150);
        let (mut p, mut q, mut z, mut w) = (0.0, 0.0, 0.0, 0.2);
        let mut moved = 0.0f64;
        for (t, row) in rows.iter().enumerate() {
            // Spikes up to t − 1 act at t.
            if t > 0 {
                let (f_pre, f_post) = (spike(&pre, t - 1), spike(&post, t - 1));
                let r = if t < 100 { 1.0 } else { -1.0 };
                p = p * decay(20.0) + f_pre;
                q = q * decay(20.0) + f_post;
                let zeta = p * f_post - q * f_pre;
                z = z * decay(25.0) + zeta / 25.0;
                w += 0.2 * r * if rule == "mstdp" { zeta } else { z };
            }
            assert!((row.figures[0] - w).abs() < tolerance, "{rule} {dtype}, {t} ms: {} {w}", row.figures[0]);
            moved = moved.max((w - 0.2).abs());
        }
        assert!(moved > 0.1, "{moved}");
    }
}
