//! Lives: the engines against plain f64 loops and against each other, resuming, company and bad input.

use assert_cmd::Command;
use hebbian_rnn::candle_core::Device;
use hebbian_rnn::{read_life_rows, LifeCheckpoint, LifeConfig, LifeRow, LifeSetup, LifeState, Lives, Setting};
use tempfile::TempDir;

fn setup(name: &str, rule: Option<&str>, settings: &[&str]) -> LifeSetup {
    let settings: Vec<Setting> = settings.iter().map(|text| Setting::parse(text).unwrap()).collect();
    LifeSetup::resolve(Some(name), rule, &settings).unwrap()
}

fn lived(setup: LifeSetup) -> (Vec<LifeRow>, Vec<LifeState>) {
    let mut lives = Lives::new(setup, &Device::Cpu).unwrap();
    let rows = lives.live(u64::MAX).unwrap();
    (rows, lives.checkpoint().unwrap().states)
}

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
        config.projections[0].rule = hebbian_rnn::SynapseRuleInfo::find(rule).unwrap().table();
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
fn escape_loops(rule: &str, expects: f64, mut w: Vec<f64>, (trains, rewards, spikes): &Recorded) -> Vec<f64> {
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
            if f == 1.0 {
                (a[j], b[j]) = (0.0, 0.0);
            }
        }
        if f == 1.0 {
            (slow, fast, own, q) = (0.0, 0.0, -5.0, 1.0);
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
    ] {
        let mut config = LifeConfig::from_toml(ONE_SYNAPSE).unwrap();
        config.populations[1].neurons = r#"model = "srm0""#.parse().unwrap();
        config.projections[0].rule = hebbian_rnn::SynapseRuleInfo::find(rule).unwrap().table();
        config.projections[0].rule.insert("expected_reward_ms".into(), expects.into());
        config.projections[0].rule.insert("eta".into(), 10.0.into());
        let more: Vec<Setting> = more.split(' ').map(|text| Setting::parse(text).unwrap()).collect();
        let config = config.with(&more).unwrap();
        let setup = LifeSetup::new(config).unwrap();
        let born = Lives::new(setup.clone(), &Device::Cpu).unwrap().checkpoint().unwrap().states;
        let before = born[0].synapses[0].weight.clone();
        let recorded = record(&setup);
        assert!(recorded.2.iter().sum::<f64>() > 20.0, "the neuron fires");
        let expected = escape_loops(rule, expects, before.clone(), &recorded);
        let (_, states) = lived(setup);
        for ((found, expected), before) in states[0].synapses[0].weight.iter().zip(expected).zip(before) {
            assert!((found - expected).abs() < tolerance * 80.0, "{rule}, {more:?}: {found} {expected}");
            assert!((found - before).abs() > 1e-4, "{rule}: nothing is learnt");
        }
    }
}

/// The input trains, rewards and output spikes of a life, step by step.
type Recorded = (Vec<Vec<f64>>, Vec<f64>, Vec<f64>);

/// The input trains, rewards and output spikes of the whole life, step by step.
fn record(setup: &LifeSetup) -> Recorded {
    // A silent projection with a delay of the whole life keeps every output in the state.
    let mut config = setup.config.clone();
    let mut silent = config.projections[0].clone();
    silent.from = "output".into();
    silent.to = "input".into();
    silent.rule = toml::Table::new();
    silent.weights = hebbian_rnn::InitialSynapses::Constant(0.0);
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

/// The engines agree on short lives, whose rounding has not yet been amplified.
#[test]
fn fused_and_reference_agree() {
    for (life, rule, more) in [
        ("xor-rate", Some("mstdp"), &["life.seconds=2", "projection.hidden-output.delay_ms=3"][..]),
        ("xor-rate", Some("mstdpet"), &["life.seconds=2"]),
        ("xor-temporal", Some("mstdp"), &["life.seconds=2"]),
        (
            "xor-temporal",
            None,
            &[
                "life.seconds=2",
                "population.hidden.neurons.model=srm0",
                "projection.input-hidden.rule.name=td-stdp",
                "projection.input-hidden.rule.eta=1",
            ],
        ),
        ("xor-temporal", Some("mstdpet"), &["life.seconds=2", "projection.input-hidden.delay_ms=2"]),
        ("hoerzer", None, &["life.seconds=1", "life.frozen_seconds=0", "population.recurrent.size=100"]),
        (
            "hoerzer",
            None,
            &[
                "life.seconds=1",
                "life.frozen_seconds=1",
                "population.recurrent.size=60",
                "projection.recurrent-readout.rule.hold_ms=10",
                "projection.recurrent-readout.rule.coin=true",
            ],
        ),
        (
            "distal-reward",
            None,
            &[
                "life.seconds=1",
                "population.excitatory.size=160",
                "population.inhibitory.size=40",
                "projection.excitatory-inhibitory.connect.out_degree=10",
                "projection.inhibitory-excitatory.connect.in_degree=20",
            ],
        ),
    ] {
        let run = |kernels: &str| {
            let all = [more, &["life.networks=2", kernels]].concat();
            lived(setup(life, rule, &all))
        };
        let ((fused_rows, fused), (plain_rows, plain)) = (run("life.kernels=fused"), run("life.kernels=reference"));
        for (a, b) in fused.iter().zip(&plain) {
            for (k, (a, b)) in a.synapses.iter().zip(&b.synapses).enumerate() {
                assert_eq!((&a.pre, &a.post), (&b.pre, &b.post));
                let worst = a.weight.iter().zip(&b.weight).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
                assert!(worst < 2e-4, "{life} {rule:?}, projection {k}: weights differ by {worst}");
            }
            for (a, b) in a.plastic.iter().zip(&b.plastic) {
                assert_eq!(a.synaptic.len(), b.synaptic.len());
                let others = [(&a.pre, &b.pre), (&a.post, &b.post), (&a.level, &b.level)];
                for (a, b) in a.synaptic.iter().zip(&b.synaptic).chain(others) {
                    assert_eq!(a.len(), b.len());
                    let worst = a.iter().zip(b).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
                    assert!(worst < 1e-3, "{life} {rule:?}: {worst}");
                }
            }
        }
        assert_eq!(fused_rows.len(), plain_rows.len());
    }
}

/// Each network lives the same alone and in company, and on one thread and two.
#[test]
fn lives_do_not_depend_on_company_or_threads() {
    let run = |networks: &str, threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| lived(setup("xor-temporal", None, &["life.seconds=4", networks])).1)
    };
    let all = run("life.networks=3", 1);
    assert_eq!(all, run("life.networks=3", 2));
    assert_eq!(all[1..2], run("life.networks=\"1..2\"", 2)[..]);
}

#[test]
fn a_resumed_life_is_the_uninterrupted_one() {
    for (life, more) in [
        ("xor-rate", &["life.seconds=6"][..]),
        ("pavlovian", &["life.seconds=3", "life.frozen_seconds=2", "world.delay_ms=400", "world.stimuli=2"]),
        ("hoerzer", &["life.seconds=3", "life.frozen_seconds=2", "population.recurrent.size=80"]),
        (
            "xor-temporal",
            &[
                "life.seconds=3",
                "population.hidden.neurons.model=srm0",
                "projection.input-hidden.rule.name=r-max",
                "projection.input-hidden.rule.eta=1",
                "projection.input-hidden.rule.expected_reward_ms=700",
            ],
        ),
    ] {
        let setup = setup(life, None, &[more, &["life.networks=2"]].concat());
        let mut whole = Lives::new(setup.clone(), &Device::Cpu).unwrap();
        let rows = whole.live(u64::MAX).unwrap();
        let mut parts = Lives::new(setup, &Device::Cpu).unwrap();
        let mut seen = Vec::new();
        while !parts.is_over() {
            seen.extend(parts.live(1).unwrap());
            let bytes = parts.checkpoint().unwrap().to_bytes().unwrap();
            let read = LifeCheckpoint::from_bytes(&bytes).unwrap();
            assert_eq!(read.to_bytes().unwrap(), bytes);
            parts = Lives::resume(&read, &Device::Cpu).unwrap();
        }
        let bits = |rows: &[LifeRow]| rows.iter().flat_map(|r| r.figures.clone()).map(f64::to_bits).collect::<Vec<_>>();
        assert_eq!(bits(&seen), bits(&rows), "{life}");
        assert_eq!(parts.checkpoint().unwrap().to_bytes().unwrap(), whole.checkpoint().unwrap().to_bytes().unwrap());
    }
}

#[test]
fn strange_states_of_a_world_are_refused() {
    let small = ["life.seconds=2", "life.networks=1", "world.stimuli=3"];
    let mut lives = Lives::new(setup("pavlovian", None, &small), &Device::Cpu).unwrap();
    lives.live(1).unwrap();
    let good = lives.checkpoint().unwrap();
    for (key, value) in [
        ("last", serde_json::json!([1000, 5])),
        ("last", serde_json::json!([0, 99_999])),
        ("shown", serde_json::json!([1])),
        ("now", serde_json::json!("noon")),
    ] {
        let mut bad = good.clone();
        bad.states[0].world[key] = value;
        let error = Lives::resume(&bad, &Device::Cpu).err().unwrap().to_string();
        assert!(error.contains("the state of the world"), "{error}");
    }
    assert!(Lives::resume(&good, &Device::Cpu).is_ok());
}

/// Every byte of a small checkpoint, changed: none is taken for whole, and none is a panic.
#[test]
fn changed_checkpoints_are_noticed() {
    let small = ["life.seconds=1", "life.networks=1"];
    let mut lives = Lives::new(setup("xor-temporal", None, &small), &Device::Cpu).unwrap();
    lives.live(1).unwrap();
    let bytes = lives.checkpoint().unwrap().to_bytes().unwrap();
    for place in (0..bytes.len()).step_by(3) {
        let mut changed = bytes.clone();
        changed[place] ^= 1 << (place % 8);
        if let Ok(checkpoint) = LifeCheckpoint::from_bytes(&changed) {
            assert_eq!(checkpoint.integrity, hebbian_rnn::Integrity::Changed, "byte {place}");
        }
    }
    assert_eq!(LifeCheckpoint::from_bytes(&bytes).unwrap().integrity, hebbian_rnn::Integrity::Whole);
}

fn command(args: &[&str]) -> Command {
    let mut command = Command::cargo_bin("hebbian-rnn").unwrap();
    command.args(args);
    command
}

/// Killed again and again at any moment and resumed, a life leaves the same files.
#[cfg(unix)]
#[test]
fn killed_and_resumed_lives_leave_the_same_files() {
    let dir = TempDir::new().unwrap();
    let folder = |name: &str| dir.path().join(name).display().to_string();
    let (whole, parts) = (folder("whole"), folder("parts"));
    let life = ["live", "xor-temporal", "--networks", "4", "--seconds", "600", "--checkpoint-every", "1", "--out"];
    command(&[&life[..], &[&whole]].concat()).assert().success();
    let program = assert_cmd::cargo::cargo_bin("hebbian-rnn");
    let mut killed = 0;
    for round in 0..200u64 {
        let args = if round == 0 { [&life[..], &[&parts]].concat() } else { vec!["live", "--resume", "--out", &parts] };
        let mut child = std::process::Command::new(&program)
            .args(&args)
            .stdout(std::process::Stdio::null())
            .stderr(std::process::Stdio::null())
            .spawn()
            .unwrap();
        std::thread::sleep(std::time::Duration::from_millis(20 + 7 * (round % 20)));
        if child.try_wait().unwrap().is_some() {
            break;
        }
        child.kill().unwrap();
        child.wait().unwrap();
        killed += 1;
    }
    command(&["live", "--resume", "--out", &parts]).assert().success();
    assert!(killed >= 20, "killed {killed} times");
    for file in ["metrics.csv", "checkpoint.safetensors"] {
        let read = |run: &str| std::fs::read(std::path::Path::new(run).join(file)).unwrap();
        assert!(read(&whole) == read(&parts), "{file} differs");
    }
    let rows = read_life_rows(&std::path::Path::new(&whole).join("metrics.csv")).unwrap();
    assert_eq!(rows.len(), 4 * 1200);
}

#[test]
fn a_swapped_rule_takes_its_own_parameters() {
    let of = |more: &[&str]| setup("xor-rate", None, more).config.projections[2].rule.clone();
    let rule = of(&["projection.hidden-output.rule.name=stdp", "projection.hidden-output.rule.gamma=3"]);
    assert_eq!((rule["name"].as_str(), rule["gamma"].as_float()), (Some("stdp"), Some(3.0)));
    assert!(rule.contains_key("tau_plus_ms") && !rule.contains_key("tau_z_ms"));
}

#[test]
fn bad_input_is_one_line_before_anything_runs() {
    let dir = TempDir::new().unwrap();
    let out = dir.path().join("run").display().to_string();
    for (set, said) in [
        ("life.batch=4", "life.batch is 4; expected 1"),
        ("projection.hidden-output.delay_ms=0.2", "at least one step"),
        ("projection.excitatory-hidden.w_min=-1.0", "Dale's law"),
        ("population.hidden.neurons.tau=3", "did you mean `population.hidden.neurons.tau_ms`"),
        ("population.hidden.neurons.model=srm0 population.hidden.neurons.tau=3", "unknown field `tau`"),
        ("population.hidden.neurons.model=lief", "unknown neurons.model `lief`; did you mean `lif`?"),
        ("projection.hidden-output.rule.name=eh", "rule"),
        ("projection.hidden-output.rule.name=r-max", "needs neurons with escape noise"),
        (
            "projection.hidden-output.rule.name=mstdp projection.hidden-output.rule.tau_z_ms=25",
            "unknown parameter `tau_z_ms`",
        ),
        ("population.output.size=2", "population.output.size is 2; expected 1"),
        ("life.seconds=0.7", "a multiple of 0.5 s"),
        ("world.spikes=501", "at most 500"),
    ] {
        let sets: Vec<&str> = set.split(' ').flat_map(|set| ["--set", set]).collect();
        let result = command(&[&["live", "xor-rate", "--out", &out][..], &sets].concat()).assert().failure();
        let error = String::from_utf8(result.get_output().stderr.clone()).unwrap();
        assert!(
            error.starts_with("error: ") && error.contains(said) && error.trim().lines().count() == 1,
            "{set}: {error}"
        );
        assert!(!std::path::Path::new(&out).exists(), "{set}");
    }
    let large = ["population.excitatory.size=4000000", "population.hidden.size=4000000"];
    let large = large.map(|set| ["--set", set]).concat();
    let result = command(&[&["live", "xor-rate", "--out", &out][..], &large].concat()).assert().failure();
    let error = String::from_utf8(result.get_output().stderr.clone()).unwrap();
    assert!(error.contains("the life needs") && error.contains("take fewer networks"), "{error}");
    let late = ["live", "one-synapse", "--set", "life.seconds=0.1", "--out", &out];
    let result = command(&late).assert().failure();
    let error = String::from_utf8(result.get_output().stderr.clone()).unwrap();
    assert!(
        error.contains("world.spikes: 115 ms is beyond the end of the life; expected 0 to less than 100"),
        "{error}"
    );
}

/// By how much the rate for 11 stays below those for 01 and 10, in Hz: the median over networks.
fn margin(setup: LifeSetup) -> f64 {
    let (rows, _) = lived(setup.clone());
    let verdicts = hebbian_rnn::verdicts(&setup, &rows).unwrap();
    let of = |v: &hebbian_rnn::Verdict| v.figures[1].1.min(v.figures[2].1) - v.figures[3].1;
    hebbian_rnn::quantile(&verdicts.iter().map(|(_, v)| of(v)).collect::<Vec<_>>(), 0.5).unwrap()
}

/// The published experiment in small. About a third of networks has the right order of rates by chance, so the test is
/// of how far apart they are.
#[test]
fn networks_learn_xor_by_spike_trains() {
    let learnt = margin(setup("xor-temporal", Some("mstdpet"), &["life.networks=8"]));
    let fixed = margin(setup("xor-temporal", Some("none"), &["life.networks=8", "life.seconds=20"]));
    assert!(learnt > 15.0 && fixed < 5.0, "{learnt} Hz, {fixed} Hz without plasticity");
}
