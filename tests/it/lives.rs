//! Lives: the engines against each other, resuming, company and bad input.

use crate::life_environment::{CARTPOLE, PENDULUM};
use assert_cmd::Command;
use hebbian_rnn::candle_core::Device;
use hebbian_rnn::engine::LifeState;
use hebbian_rnn::storage::read_life_rows;
use hebbian_rnn::worlds::LifeRow;
use hebbian_rnn::{LifeCheckpoint, LifeSetup, Lives, Setting};
use tempfile::TempDir;

pub fn setup(name: &str, rule: Option<&str>, settings: &[&str]) -> LifeSetup {
    let settings: Vec<Setting> = settings.iter().map(|text| Setting::parse(text).unwrap()).collect();
    LifeSetup::resolve(Some(name), rule, &settings).unwrap()
}

pub fn lived(setup: LifeSetup) -> (Vec<LifeRow>, Vec<LifeState>) {
    let mut lives = Lives::new(setup, &Device::Cpu).unwrap();
    let rows = lives.live(u64::MAX).unwrap();
    (rows, lives.checkpoint().unwrap().states)
}

/// Short trials and pauses.
const SHORT: &[&str] =
    &["life.seconds=1.2", "world.trial_seconds=0.5", "world.pause_seconds=0.3", "world.settling_ms=50"];

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
        ("maze", Some("td-ltp"), SHORT),
        ("maze", Some("td-stdp"), SHORT),
        ("maze", Some("r-max"), SHORT),
        // Modulators are shuffled, and learning rates follow reward.
        ("xor-rate", Some("mstdpet"), &["life.seconds=2", "life.shuffle_seconds=0.3"]),
        ("maze", Some("td-ltp"), &[SHORT, &["life.shuffle_seconds=0.2", "world.rates_follow_reward=true"]].concat()),
        (
            "hoerzer",
            None,
            &[
                "life.seconds=1",
                "life.frozen_seconds=0",
                "population.recurrent.size=60",
                "life.shuffle_seconds=0.1",
                "projection.recurrent-recurrent.rule.name=eh-binary",
                "projection.recurrent-recurrent.rule.coin=true",
            ],
        ),
        ("acrobot-swing-up", None, &[SHORT, &["life.seconds=0.6"]].concat()),
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
                "life.frozen_seconds=1",
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
                    let largest = b.iter().map(|b| b.abs()).fold(1.0, f64::max);
                    assert!(worst < 1e-4 * largest, "{life} {rule:?}: {worst} of {largest}");
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
        let settings = ["life.seconds=4", "life.shuffle_seconds=1", networks];
        pool.install(|| lived(setup("xor-temporal", None, &settings)).1)
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
        ("maze", SHORT),
        ("xor-rate", &["life.seconds=6", "life.shuffle_seconds=1.5"]),
        ("cartpole-swing-up", &[SHORT, &["life.shuffle_seconds=0.2", "world.rates_follow_reward=true"]].concat()),
        ("maze", &[SHORT, &["life.frozen_seconds=1.2", "world.trials=1"]].concat()),
        ("cartpole-swing-up", &[SHORT, &["life.seconds=0.6"]].concat()),
        // Trials end and go on within blocks.
        ("environment", &CARTPOLE),
        ("environment", &[&PENDULUM[..], &["life.seconds=1.5", "life.frozen_seconds=1.5", "world.trials=1"]].concat()),
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
    let life = ["live", "xor-temporal", "--networks", "4", "--seconds", "1500", "--checkpoint-every", "1", "--out"];
    command(&[&life[..], &[&whole]].concat()).assert().success();
    let program = assert_cmd::cargo::cargo_bin("hebbian-rnn");
    let mut killed = 0;
    for round in 0..200u64 {
        let mut child = std::process::Command::new(&program)
            .args([&life[..], &[&parts, "--resume-or-start"]].concat())
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
    assert_eq!(rows.len(), 4 * 3000);
}

#[test]
fn a_swapped_rule_takes_its_own_parameters() {
    let of = |more: &[&str]| setup("xor-rate", None, more).config().projections[2].rule.clone();
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
        ("projection.hidden-output.rule.name=eh-binary", "rule"),
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
    assert!(error.contains("the life needs") && error.contains("use fewer networks"), "{error}");
    for (set, said) in [
        ("population.place.size=168", "population.place.size is 168; expected 169"),
        ("world.trials=0", "world.trials is 0; expected at least 1"),
        ("world.required=11", "world.required is 11; expected 1 to world.judged (10)"),
        ("world.critic.decay_ms=20", "world.critic.decay_ms is 20; expected above world.critic.rise_ms (50)"),
        ("world.body.bounce=-1", "world.body.bounce is -1"),
        ("world.body.mass=1", "world.body.mass"),
        ("world.pause_seconds=0", "world.pause_seconds"),
        ("population.actor.neurons.model=lif", "own_spike_resets is for neurons"),
    ] {
        let result = command(&["live", "maze", "--out", &out, "--set", set]).assert().failure();
        let error = String::from_utf8(result.get_output().stderr.clone()).unwrap();
        assert!(error.contains(said) && error.trim().lines().count() == 1, "{set}: {error}");
        assert!(!std::path::Path::new(&out).exists(), "{set}");
    }
    let late = ["live", "one-synapse", "--set", "life.seconds=0.1", "--out", &out];
    let result = command(&late).assert().failure();
    let error = String::from_utf8(result.get_output().stderr.clone()).unwrap();
    assert!(
        error.contains("world.spikes: 115 ms is outside the life; expected at least 0 and less than 100"),
        "{error}"
    );
}

/// By how much the rate for 11 stays below those for 01 and 10, in Hz: the median over networks.
fn margin(setup: LifeSetup) -> f64 {
    let (rows, _) = lived(setup.clone());
    let verdicts = hebbian_rnn::training::verdicts(&setup, &rows).unwrap();
    let of = |v: &hebbian_rnn::worlds::Verdict| v.figures[1].1.min(v.figures[2].1) - v.figures[3].1;
    hebbian_rnn::quantile::quantile(&verdicts.iter().map(|(_, v)| of(v)).collect::<Vec<_>>(), 0.5).unwrap()
}

/// The published experiment in small. About a third of networks has the right order of rates by chance, so the test is
/// of how far apart they are.
#[test]
fn networks_learn_xor_by_spike_trains() {
    let learnt = margin(setup("xor-temporal", Some("mstdpet"), &["life.networks=8"]));
    let fixed = margin(setup("xor-temporal", Some("none"), &["life.networks=8", "life.seconds=20"]));
    assert!(learnt > 15.0 && fixed < 5.0, "{learnt} Hz, {fixed} Hz without plasticity");
}
