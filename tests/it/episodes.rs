//! Worlds that answer: one update equals plain loops, both engines agree, an episode depends on nothing but itself, and
//! networks learn.

use crate::support::*;
use candle_core::Device;
use hebbian_rnn::{
    choose, Draw, DrawnTrial, Ensemble, Episode, Episodes, Lived, Phase, Record, RewardBaseline, Setting, Setup,
    TrialBatch, Weights,
};
use hebbian_rnn::{find_analysis, measure_throughput, simulate, Inputs, Options, Subject};

/// Small networks, whose updates are not cut off.
const SMALL: [&str; 8] = [
    "network.neurons=20",
    "train.networks=2",
    "train.batch=4",
    "task.limit=12",
    "rule.eta=0.1",
    "rule.max_dw=0",
    "readout.eta=0.1",
    "readout.max_dw=0",
];

fn small<'a>(more: &[&'a str]) -> Vec<&'a str> {
    SMALL.iter().copied().chain(more.iter().copied()).collect()
}

fn batch(setup: &Setup, first_trial: u64, trials_each: usize) -> TrialBatch {
    let draw = Draw { seed: 5, phase: Phase::Train, first_trial, trials_each, age: 0, explore: true };
    TrialBatch::draw(setup, draw).unwrap()
}

/// What an engine makes of a batch.
fn run(setup: &Setup, weights: &Weights, batch: &TrialBatch) -> Episode {
    let baseline = RewardBaseline::new(&setup.config.modulator, batch.networks, setup.task.n_types());
    let ensemble =
        Ensemble { setup, shape: setup.shape(), weights, baseline: &baseline, trials: 0, fast_weights: None };
    let record = Record { episodes: true, ..Record::default() };
    choose(setup, &Device::Cpu, true).unwrap().run(&ensemble, batch, true, record).unwrap()
}

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
    let (n, sigma) = (setup.config.network.neurons, setup.config.readout.perturbation);
    let of = |tensor: &candle_core::Tensor| values(&tensor.get(s).unwrap());
    let (w_rec, w_in, bias) = (of(&weights.w_rec), of(&weights.w_in), of(weights.b_rec.as_ref().unwrap()));
    let (w_out, b_out) = (of(weights.w_out.as_ref().unwrap()), of(weights.b_out.as_ref().unwrap()));
    let draws = drawn.episode.as_ref().unwrap();
    let mut world = episodes.world.start(vec![draws.start.clone()]);
    let sizes: Vec<f64> = episodes.world.observations().into_iter().map(|(_, size)| size).collect();
    let n_out = b_out.len() - usize::from(episodes.settings.critic());
    // The numbers of a chunk are those of as many steps as fit.
    let mut noise = [0f32; 64];
    let (mut r, mut observation) = (vec![0f64; n], vec![0.0; sizes.len()]);
    let mut loops =
        Loops { rewards: vec![], values: vec![], terminated: false, recurrent: vec![], readout: vec![], bias: vec![] };
    for step in 0..episodes.world.limit() {
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

/// What the steps of one network's episodes were worth, from the definitions.
fn worth(all: &[Loops], discount: f64) -> Vec<Vec<f64>> {
    let to_come = |of: &Loops, t: usize| {
        (t..of.rewards.len()).map(|later| discount.powi((later - t) as i32) * of.rewards[later]).sum::<f64>()
    };
    let advantage = |b: usize, t: usize| {
        let at = if discount == 1.0 { 0 } else { t };
        let others = (0..all.len()).filter(|other| *other != b).map(|other| to_come(&all[other], at));
        to_come(&all[b], at) - others.sum::<f64>() / (all.len() - 1) as f64
    };
    let worth: Vec<Vec<f64>> =
        (0..all.len()).map(|b| (0..all[b].rewards.len()).map(|t| advantage(b, t)).collect()).collect();
    let counted: Vec<f64> = match discount == 1.0 {
        true => worth.iter().map(|of| of[0]).collect(),
        false => worth.concat(),
    };
    let rms = (counted.iter().map(|m| m * m).sum::<f64>() / counted.len() as f64).sqrt();
    worth.into_iter().map(|of| of.into_iter().map(|m| m / rms).collect()).collect()
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

/// The sum over steps, each times what it was worth.
fn weighted(steps: &[Vec<f64>], worth: &[f64]) -> Vec<f64> {
    let mut sum = vec![0.0; steps[0].len()];
    for (step, m) in steps.iter().zip(worth) {
        sum.iter_mut().zip(step).for_each(|(sum, e)| *sum += m * e);
    }
    sum
}

/// One update of `task` by the library and by the loops.
fn one_update(task: &str, settings: &[&str], tolerance: f64) {
    let mut trainer = trainer(task, &small(settings));
    let setup = trainer.setup().clone();
    let (config, episodes) = (&setup.config, setup.task.episodes().unwrap());
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
        let worth = worth(&all, episodes.settings.discount);
        let settings = &episodes.settings;
        // Rates of as many equal parts.
        let sum = |of: &dyn Fn(&Loops) -> Vec<Vec<f64>>, rates: &[f64]| {
            let mut sum = vec![0.0; of(&all[0])[0].len()];
            for (episode, worth) in all.iter().zip(&worth) {
                let steps = of(episode);
                let credited = match settings.critic() {
                    true => credited(episode, &steps, settings.discount, settings.critic_lambda),
                    false => weighted(&steps, worth),
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
        let mut rates = vec![config.readout.eta; setup.task.n_out()];
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

#[test]
fn engines_agree_whatever_the_rule_and_the_way_of_acting() {
    for settings in [
        vec!["rule.name=delta-x"],
        vec!["rule.name=eh", "task.network_steps=3", "rule.start_step=4"],
        vec!["task.discount=0.9", "task.network_steps=2", "task.hold=3"],
        vec!["rule.name=none"],
        vec!["readout.rule=none"],
        vec!["readout.rule=none", "task.critic_eta=0.1", "task.network_steps=2"],
        vec!["perturbation.distribution=uniform", "perturbation.probability=0.3", "network.neurons=70"],
        vec!["network.dynamics=leaky", "network.tau_ms=90", "network.output=neurons", "network.clamped=[[3,0.5]]"],
    ] {
        let of = |kernels: &'static str| {
            let setup = setup("cartpole", &small(&[&settings[..], &[kernels, "task.limit=90"]].concat()));
            let weights = hebbian_rnn::Trainer::new(setup.clone(), &[Device::Cpu]).unwrap().weights().unwrap();
            run(&setup, &weights, &batch(&setup, 0, 11))
        };
        let (fused, plain) = (of("train.kernels=fused"), of("train.kernels=reference"));
        let what = format!("{settings:?}");
        // Scores are rounded differently.
        let lived = |episode: &Episode| {
            let all = episode.lived.clone().unwrap().into_iter();
            all.map(|lived| Lived { scores: Vec::new(), values: Vec::new(), ..lived }).collect::<Vec<_>>()
        };
        assert_eq!(lived(&fused), lived(&plain), "{what}");
        let (fused, plain) = (fused.credit.unwrap(), plain.credit.unwrap());
        assert_eq!(fused.recurrent.is_some(), plain.recurrent.is_some(), "{what}");
        let pairs = [(fused.recurrent, plain.recurrent)].into_iter();
        let split = |readout: Option<(candle_core::Tensor, candle_core::Tensor)>| readout.unzip();
        let ((w, b), (w_plain, b_plain)) = (split(fused.readout), split(plain.readout));
        assert_eq!(w.is_some(), w_plain.is_some(), "{what}");
        for (found, expected) in pairs.chain([(w, w_plain), (b, b_plain)]) {
            if let (Some(found), Some(expected)) = (found, expected) {
                assert_close(&values(&found), &values(&expected), 2e-4, &what);
            }
        }
    }
}

#[test]
fn an_episode_depends_on_nothing_but_itself() {
    let setup = setup("cartpole", &small(&["task.limit=200", "network.neurons=37"]));
    let weights = hebbian_rnn::Trainer::new(setup.clone(), &[Device::Cpu]).unwrap().weights().unwrap();
    let together = run(&setup, &weights, &batch(&setup, 0, 21));
    let lived = together.lived.unwrap();
    let lengths: Vec<usize> = lived.iter().map(|lived| lived.rewards.len()).collect();
    assert!(lengths.iter().max() > lengths.iter().min(), "all episodes are equally long: nothing is tested");
    for first in 0..21 {
        let alone = run(&setup, &weights, &batch(&setup, first as u64, 1));
        for s in 0..2 {
            assert_eq!(alone.lived.as_ref().unwrap()[s], lived[s * 21 + first]);
            let state = |state: &hebbian_rnn::State, place: usize| values(&state.x.get(s).unwrap().get(place).unwrap());
            assert_eq!(state(&alone.state, 0), state(&together.state, first));
        }
    }
}

#[test]
fn episodes_of_a_batch_start_alike_only_where_that_is_set() {
    let first_seen = |settings: &[&str]| {
        let setup = setup("pendulum", &small(settings));
        let weights = hebbian_rnn::Trainer::new(setup.clone(), &[Device::Cpu]).unwrap().weights().unwrap();
        let lived = run(&setup, &weights, &batch(&setup, 0, 3)).lived.unwrap();
        lived.iter().map(|lived| lived.seen_and_done[0]).collect::<Vec<_>>()
    };
    let alike = first_seen(&[]);
    assert!(alike[0] == alike[1] && alike[1] == alike[2] && alike[2] != alike[3]);
    let apart = first_seen(&["task.same_start=false"]);
    assert!(apart[0] != apart[1] && apart[1] != apart[2]);
}

#[test]
fn a_world_may_have_more_actions_than_a_chunk_of_noise_has_numbers() {
    let arms = format!("task.arms=[{}]", vec!["0.5"; 150].join(","));
    for acting in ["argmax", "softmax"] {
        let acting = format!("task.acting={acting}");
        let settings = ["train.networks=2", "train.batch=40", "network.neurons=20", &acting, &arms];
        let setup = setup("bandit", &settings);
        let weights = hebbian_rnn::Trainer::new(setup.clone(), &[Device::Cpu]).unwrap().weights().unwrap();
        let lived = run(&setup, &weights, &batch(&setup, 0, 40)).lived.unwrap();
        let pulled: std::collections::BTreeSet<u64> = lived.iter().map(|lived| lived.seen_and_done[1] as u64).collect();
        // Of 80 pulls among 150 arms, some 62 are different.
        assert!(pulled.len() > 45 && pulled.iter().any(|arm| *arm >= 100), "{pulled:?}");
    }
}

/// The median number of episodes to the criterion is 448 over 20 networks, the last has 720 (docs/results.md).
#[test]
fn networks_learn_to_balance_a_pole_and_the_control_does_not() {
    let reached = |settings: &[&str]| {
        let mut trainer = trainer("cartpole", &[&["train.networks=3", "train.trials=1600"], settings].concat());
        trainer.train().unwrap();
        trainer.criterion_trials().iter().flatten().count()
    };
    assert_eq!(reached(&["train.until_criterion=true"]), 3);
    assert_eq!(reached(&["rule.name=none", "readout.rule=none"]), 0);
}

#[test]
fn what_cannot_be_used_in_a_world_is_refused() {
    for (task, setting, expected) in [
        ("cartpole", "rule.name=rflo", "rule.name is `rflo`, which cannot learn from what an episode of `cartpole`"),
        ("cartpole", "rule.name=hebbian-trace", "rule.name is `hebbian-trace`"),
        ("cartpole", "task.acting=direct", "task.acting is `direct`, but the actions of `cartpole` are Discrete(2)"),
        ("pendulum", "task.acting=softmax", "task.acting is `softmax`, but the actions of `pendulum`"),
        ("cartpole", "task.limit=0", "task.limit"),
        ("cartpole", "task.network_steps=0", "task.network_steps"),
        ("cartpole", "task.hold=0", "task.hold"),
        ("cartpole", "task.acting=population-vector", "task.acting is `population-vector`"),
        ("cartpole", "task.discount=1.5", "task.discount"),
        ("pendulum", "train.batch=1", "expected train.batch above 1"),
        ("cartpole", "readout.rule=delta", "needs a target at each step, which `cartpole` does not have"),
        ("cartpole", "readout.perturbation=0", "readout.perturbation"),
        ("cartpole", "trace.stage=decay", "trace.stage is set"),
        ("cartpole", "task.limits=3", "unknown key `task.limits`; did you mean `task.limit`?"),
        ("cartpole", "perturbation.probability=0.5", "perturbation.distribution is `gaussian`"),
        ("bandit", "task.arms=[0.5,1.5]", "task.arms"),
        ("dnms", "modulator.normalise=true", "modulator.normalise is for worlds that answer"),
        ("dnms", "rule.rms_decay=0.9", "rule.rms_decay is 0.9, but it is for worlds that answer"),
        ("cartpole", "rule.rms_decay=1", "rule.rms_decay"),
        ("cartpole", "task.critic_eta=-1", "task.critic_eta"),
        ("cartpole", "task.critic_lambda=1.1", "task.critic_lambda"),
        ("cartpole", "task.critic_eta=0.1 rule.name=bptt", "rule.name is `bptt`, which compares episodes"),
        ("cartpole", "task.critic_eta=0.1 network.output=neurons", "a critic needs a `readout`"),
        ("two-step", "task.bounds=[0.7,0.3]", "task.bounds"),
        ("two-step", "task.common=2", "task.common"),
        ("dnms", "readout.max_dw=0.1", "readout.max_dw is 0.1, but it is for worlds that answer"),
    ] {
        let settings: Vec<Setting> = setting.split(' ').map(|setting| Setting::parse(setting).unwrap()).collect();
        let error = format!("{:#}", Setup::resolve(Some(task), &settings).unwrap_err());
        assert!(error.contains(expected), "{task} {setting}: {error}");
        assert!(!error.contains('\n'), "{error}");
    }
}

#[test]
fn what_needs_trials_of_one_length_refuses_worlds_and_inputs_of_ones_own_do_not_need_the_world() {
    let trainer = trainer("cartpole", &small(&[]));
    let checkpoint = trainer.checkpoint().unwrap();
    let subject = Subject { checkpoint: &checkpoint, metrics: None };
    for name in ["trajectories", "gradient", "psychometric", "decoding"] {
        let why = find_analysis(name).unwrap().why_not(&subject);
        assert!(why.is_some_and(|why| why.starts_with("task `cartpole`")), "{name}");
    }
    let error = measure_throughput(trainer.setup(), &Device::Cpu, 1, 1, false).unwrap_err().to_string();
    assert!(error.contains("task `cartpole` is a world"), "{error}");
    let zeros = |shape: &[usize]| candle_core::Tensor::zeros(shape, candle_core::DType::F32, &Device::Cpu).unwrap();
    let inputs = Inputs { inputs: zeros(&[7, 2, 3, 4]), modulator: None, x: None, hebbian_trace: None };
    let results = simulate(&checkpoint, inputs, Record::default(), 1).unwrap();
    assert_eq!(results["outputs"].dims(), [7, 2, 3, 2]);
}

#[test]
fn choices_are_told_only_of_a_training_that_can_be_repeated() {
    let mut trainer = trainer("two-step", &["train.networks=2", "train.trials=5"]);
    trainer.train().unwrap();
    let mut checkpoint = trainer.checkpoint().unwrap();
    let analysis = find_analysis("choices").unwrap();
    let options = Options { trials: None, seed: 1 };
    let run = |checkpoint: &_| analysis.run(&Subject { checkpoint, metrics: None }, &options);
    assert_eq!(run(&checkpoint).unwrap().tables[0].rows.len(), 10);
    let weights = &mut checkpoint.plastic.weights;
    weights.w_rec = (&weights.w_rec * 2.0).unwrap();
    let error = run(&checkpoint).err().unwrap().to_string();
    assert!(error.starts_with("the training cannot be repeated: it ends with another `w_rec`"), "{error}");
}

/// The gradient of w_out is that of the readout's own eligibility, and along that of w_rec the chosen actions become likelier.
#[test]
fn reinforce_follows_the_gradient_of_the_return() {
    let more = ["train.dtype=f64", "network.readout_scale=1", "task.network_steps=2"];
    let local = setup("cartpole", &small(&[&more[..], &["rule.name=none"]].concat()));
    let exact = setup("cartpole", &small(&[&more[..], &["rule.name=bptt"]].concat()));
    let weights = hebbian_rnn::Trainer::new(local.clone(), &[Device::Cpu]).unwrap().weights().unwrap();
    let trials = batch(&local, 0, 5);
    let (local, followed) = (run(&local, &weights, &trials), run(&exact, &weights, &batch(&exact, 0, 5)));
    assert_eq!(local.lived, followed.lived);
    let gradients = followed.gradients.unwrap();
    let (w_out, b_out) = local.credit.unwrap().readout.unwrap();
    for (name, sum) in [("w_out", w_out), ("b_out", b_out)] {
        // A mean over episodes, and downhill.
        let expected: Vec<f64> = values(&sum).iter().map(|sum| -sum / 5.0).collect();
        assert_close(&values(&gradients[name]), &expected, 1e-6, name);
    }
    // Σ worth · log π of the actions taken, by the outputs of the same inputs with other weights.
    let lived = followed.lived.unwrap();
    let objective = |w_rec: candle_core::Tensor| {
        let weights = Weights { w_rec, ..weights.clone() };
        let again = run(&exact, &weights, &batch(&exact, 0, 5)).lived.unwrap();
        let same = again.iter().zip(&lived).all(|(a, b)| a.seen_and_done == b.seen_and_done);
        same.then(|| again.iter().map(|lived| lived.scores.clone()).collect::<Vec<_>>())
    };
    let step = (&gradients["w_rec"] * -1e-3).unwrap();
    let moved = objective((&weights.w_rec + step).unwrap()).expect("the step was too large: other actions were taken");
    let worth = |k: usize| {
        let returns: Vec<f64> = lived[k / 5 * 5..k / 5 * 5 + 5].iter().map(|lived| lived.total()).collect();
        (5.0 * returns[k % 5] - returns.iter().sum::<f64>()) / 4.0
    };
    // 1 − p of the action taken is its score: where an episode was worth something, it falls.
    let change: f64 = (0..10)
        .map(|k| {
            let missing = |scores: &[f64]| scores.iter().copied().filter(|score| *score > 0.0).sum::<f64>();
            worth(k) * (missing(&lived[k].scores) - missing(&moved[k]))
        })
        .sum();
    assert!(change > 0.0, "{change}");
}
