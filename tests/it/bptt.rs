//! Backpropagation through time: its gradient against finite differences, its truncation, its training.

use crate::command::{bytes, fine, hebbian, one_line_error, train};
use crate::support::*;
use candle_core::{Device, Tensor};
use hebbian_rnn::config::Loss;
use hebbian_rnn::engine::{gradient, Draw, TrialBatch};
use hebbian_rnn::random::Phase;
use hebbian_rnn::tasks::ErrorMeasure;
use hebbian_rnn::{Checkpoint, Config, Setting, Setup, Trainer, Weights};

/// Two networks of seven neurons, in double precision.
const SMALL: [&str; 6] = [
    "rule.name=bptt",
    "network.neurons=7",
    "network.clamped=[[1, 0.5]]",
    "train.networks=2",
    "train.batch=5",
    "train.dtype=f64",
];
const SHORT_DNMS: [&str; 6] = [
    "task.steps=21",
    "task.first_stimulus=0",
    "task.second_stimulus=8",
    "task.stimulus_steps=5",
    "task.response_steps=6",
    "network.tau_ms=4",
];

fn batch_of(setup: &Setup) -> TrialBatch {
    let config = &setup.config();
    let draw =
        Draw { seed: 3, phase: Phase::Train, first_trial: 0, trials_each: config.train.batch, age: 0, explore: true };
    TrialBatch::draw(setup, draw).unwrap()
}

/// The mean loss of each network by its definition, from the outputs of the reference run.
fn losses(setup: &Setup, weights: &Weights, batch: &TrialBatch, loss: Loss) -> Vec<f64> {
    let task = setup.task().trials().unwrap();
    let tensor = outputs(setup, weights, batch);
    let (s, b, t, n_out) = tensor.dims4().unwrap();
    let outputs = values(&tensor);
    let of_trial = |i: usize| {
        let trial = &batch.drawn[i].trial;
        let judged = task.judged(&outputs[i * t * n_out..(i + 1) * t * n_out]);
        let (mut sum, mut count) = (0.0, 0);
        for step in (0..t).filter(|step| trial.scored[*step]) {
            for k in step * n_out..(step + 1) * n_out {
                let off = judged[k] - f64::from(trial.targets[k]);
                let squared = loss == Loss::Squared || task.measure() == ErrorMeasure::Squared;
                sum += if squared { off * off } else { off.abs() };
                count += 1;
            }
        }
        sum / f64::from(count)
    };
    (0..s).map(|network| (0..b).map(|i| of_trial(network * b + i)).sum::<f64>() / b as f64).collect()
}

/// Compares the gradient with central differences of step `by`.
fn check(task_name: &str, settings: &[&str], loss: Loss, by: f64, tolerance: f64) {
    let what = format!("{task_name} {settings:?} {loss:?}");
    let setup = setup(task_name, &[&SMALL[..], settings].concat());
    let weights = Trainer::new(setup.clone(), &[Device::Cpu]).unwrap().weights().unwrap();
    let batch = batch_of(&setup);
    let (gradient, found) = gradient(&setup, &weights, &batch, loss).unwrap();
    assert_close(&found, &losses(&setup, &weights, &batch, loss), 1e-6, &what);
    let before = values(&weights.w_rec);
    let n = setup.config().network.neurons;
    let exists = weights.connectivity.as_ref().map(values);
    let expected: Vec<f64> = (0..2 * n * n)
        .map(|k| {
            if exists.as_ref().is_some_and(|exists| exists[k] == 0.0) {
                return 0.0;
            }
            let moved = |by: f64| {
                let mut w = before.clone();
                w[k] += by;
                let w_rec = Tensor::from_vec(w, (2, n, n), &Device::Cpu).unwrap();
                losses(&setup, &Weights { w_rec, ..weights.clone() }, &batch, loss)[k / (n * n)]
            };
            (moved(by) - moved(-by)) / (2.0 * by)
        })
        .collect();
    assert_close(&values(&gradient), &expected, tolerance, &what);
}

#[test]
fn the_gradient_is_that_of_finite_differences() {
    let with = |more: &[&'static str]| [&SHORT_DNMS[..], more].concat();
    for (more, loss) in [
        (&[][..], Loss::Squared),
        (&[], Loss::Task),
        (&["network.dynamics=discrete", "network.connectivity=0.6"], Loss::Squared),
        (&["network.dynamics=leaky-rate", "network.bias_scale=0.3"], Loss::Task),
        (
            &["network.response=rectified-linear", "network.response_offset=0.3", "network.response_max=2"],
            Loss::Squared,
        ),
        (&["network.output=readout", "network.feedback_scale=0.5", "network.private_noise=0.2"], Loss::Squared),
        (&["perturbation.probability=0.1", "perturbation.amplitude=2", "network.gain=0.5"], Loss::Squared),
    ] {
        check("dnms", &with(more), loss, 1e-5, 1e-6);
    }
}

#[test]
fn the_gradient_goes_through_the_hebbian_trace() {
    for (stage, modulator, more) in [
        ("modulated", "task", "trace.clip=0"),
        ("oja", "reward", "modulator.reward_decay=0.6"),
        ("retroactive", "constant", "trace.clip=0.4"),
    ] {
        let stage = format!("trace.stage={stage}");
        let modulator = format!("trace.modulator={modulator}");
        let settings = [&stage, &modulator, more, "trace.eta=0.3", "trace.alpha=0.7", "network.clamped=[]"];
        check("sequence", &settings, Loss::Squared, 1e-5, 1e-6);
    }
}

#[test]
fn the_gradient_goes_through_the_arm_of_reach() {
    // The position of the hand is in single precision: differences need a longer step and agree less closely.
    let settings = ["task.steps=20", "task.move_steps=12", "task.judged_steps=3", "task.angle_step=0.05"];
    check("reach", &settings, Loss::Squared, 1e-2, 1e-3);
}

#[test]
fn a_truncated_gradient_is_the_whole_one_from_the_length_of_the_trial_on() {
    let gradient = |steps: &str| {
        let steps = format!("bptt.steps={steps}");
        let setup = setup("dnms", &[&SMALL[..], &SHORT_DNMS, &[&steps]].concat());
        let weights = Trainer::new(setup.clone(), &[Device::Cpu]).unwrap().weights().unwrap();
        values(&hebbian_rnn::engine::gradient(&setup, &weights, &batch_of(&setup), Loss::Squared).unwrap().0)
    };
    let whole = gradient("0");
    assert_eq!(gradient("21"), whole);
    assert_eq!(gradient("1000"), whole);
    // Pieces from steps 0, 7 and 14 on: the response, from step 15, does not reach back to the stimuli.
    let truncated = gradient("7");
    assert!(truncated.iter().any(|g| *g != 0.0) && truncated != whole);
    // In pieces of one step only the last product counts: only weights onto the output neuron have a gradient.
    let single = gradient("1");
    assert!(single.iter().enumerate().all(|(k, g)| *g == 0.0 || (k % 49) / 7 == 0), "{single:?}");
}

/// With a large ε, which a larger rate makes up for, AdamW moves every weight by a multiple of its gradient.
#[test]
fn the_fused_gradient_equals_that_of_candle_s_graph() {
    let plain = ["bptt.parameters=all", "bptt.learning_rate=1e8", "bptt.epsilon=1e6", "bptt.gradient_clip=0"];
    let sizes =
        ["rule.name=bptt", "network.neurons=37", "network.clamped=[[1, 0.5]]", "train.networks=2", "train.batch=13"];
    for more in [
        &[][..],
        &["bptt.loss=task", "network.dynamics=discrete", "network.connectivity=0.6", "train.batch=1"],
        &["network.dynamics=leaky-rate", "network.bias_scale=0.3", "bptt.steps=7"],
        &["network.response=rectified-linear", "network.response_offset=0.3", "network.response_max=2"],
        &["network.output=readout", "network.private_noise=0.2", "readout.perturbation=0.1"],
        &["network.output=readout", "network.dynamics=leaky-rate", "network.gain=0.5", "train.batch=3"],
        &["perturbation.probability=0.1", "perturbation.amplitude=2", "bptt.steps=5"],
    ] {
        let update = |kernels: &str| {
            let mut trainer = trainer("dnms", &[&SHORT_DNMS[..], &sizes, &plain, more, &[kernels]].concat());
            let before = trainer.weights().unwrap();
            let errors: Vec<f64> = trainer.update().unwrap().networks.iter().map(|network| network.error).collect();
            let after = trainer.weights().unwrap();
            let mut changes = Vec::new();
            for (before, after) in before.each().zip(after.each()) {
                let change = values(before.1).iter().zip(values(after.1)).map(|(b, a)| a - b).collect::<Vec<f64>>();
                changes.push((before.0, change));
            }
            (errors, changes)
        };
        let ((errors, fused), (expected_errors, reference)) =
            (update("train.kernels=fused"), update("train.kernels=reference"));
        assert_close(&errors, &expected_errors, 1e-5, &format!("{more:?}"));
        for ((name, fused), (_, reference)) in fused.iter().zip(&reference) {
            match reference.iter().all(|change| *change == 0.0) {
                true => assert!(fused.iter().all(|change| *change == 0.0), "{name} with {more:?}"),
                false => assert_close(fused, reference, 1e-5, &format!("{name} with {more:?}")),
            }
        }
        assert!(reference.iter().any(|(_, change)| change.iter().any(|change| change.abs() > 1e-3)), "{more:?}");
    }
}

#[test]
fn a_short_dnms_is_learnt_and_only_what_may_change_does() {
    let short = [
        "rule.name=bptt",
        "network.neurons=30",
        "network.tau_ms=5",
        "task.steps=60",
        "task.first_stimulus=0",
        "task.second_stimulus=20",
        "task.stimulus_steps=10",
        "task.response_steps=15",
        "train.networks=2",
        "train.batch=20",
        "bptt.learning_rate=0.005",
    ];
    for (parameters, all) in [("bptt.parameters=recurrent", false), ("bptt.parameters=all", true)] {
        let mut trainer = trainer("dnms", &[&short[..], &[parameters]].concat());
        let before = trainer.weights().unwrap();
        let first = trainer.update().unwrap();
        let last = (0..60).map(|_| trainer.update().unwrap()).last().unwrap();
        for (first, last) in first.networks.iter().zip(&last.networks) {
            assert!(first.error > 0.8 && last.error < 0.3, "{parameters}: from {} to {}", first.error, last.error);
        }
        let after = trainer.weights().unwrap();
        assert_eq!(values(&after.w_in) != values(&before.w_in), all, "{parameters}");
        // The output neuron has no input weights, and gets none.
        assert!(values(&after.w_in)[..2].iter().all(|w| *w == 0.0));
        assert_ne!(values(&after.w_rec), values(&before.w_rec));
    }
}

#[test]
fn the_optimiser_is_in_the_checkpoint_and_older_files_have_none() {
    let mut trainer =
        trainer("echo", &["rule.name=bptt", "network.neurons=5", "train.networks=2", "bptt.parameters=all"]);
    trainer.update().unwrap();
    let saved = trainer.checkpoint().unwrap().to_bytes().unwrap();
    let file = safetensors::SafeTensors::deserialize(&saved).unwrap();
    for (weight, shape) in
        [("w_rec", &[2, 5, 5][..]), ("w_in", &[2, 5, 1]), ("b_rec", &[2, 5]), ("w_out", &[2, 1, 5]), ("b_out", &[2, 1])]
    {
        for moment in ["adam_m", "adam_v"] {
            assert_eq!(file.tensor(&format!("{moment}_{weight}")).unwrap().shape(), shape);
        }
    }
    // A configuration from before the table `bptt` existed.
    let toml = config("echo", &[]).to_toml().unwrap();
    let (start, end) = (toml.find("[bptt]").unwrap(), toml.find("[modulator]").unwrap());
    let older = format!("{}{}", &toml[..start], &toml[end..]);
    assert!(!older.contains("bptt"));
    let settings = Setting::from_toml(&older, "config.toml").unwrap();
    assert_eq!(Setup::resolve(None, &settings).unwrap().config(), &config("echo", &[]));
    let parsed = Config::from_toml(&older).unwrap();
    assert_eq!(parsed, config("echo", &[]));
    assert!(Checkpoint::from_bytes(&saved, &Device::Cpu).unwrap().to_bytes().unwrap() == saved);
}

#[test]
fn two_devices_write_what_one_does() {
    let trained = |devices: usize| {
        let setup = setup("echo", &["rule.name=bptt", "network.neurons=5", "train.networks=3", "train.updates=2"]);
        let mut trainer = Trainer::new(setup, &vec![Device::Cpu; devices]).unwrap();
        trainer.update().unwrap();
        let half = trainer.checkpoint().unwrap();
        // Training continues on the other devices.
        let mut trainer = Trainer::resume(&half, &vec![Device::Cpu; 4 - devices]).unwrap();
        trainer.update().unwrap();
        trainer.checkpoint().unwrap().to_bytes().unwrap()
    };
    let one = trained(1);
    assert!(trained(2) == one && trained(3) == one);
}

#[test]
fn what_bptt_cannot_do_is_refused_with_the_key() {
    for (task, setting, message) in [
        ("echo", "readout.rule=eh", "readout.rule is set, but rule.name is `bptt`"),
        ("dnms", "modulator.energy_cost=0.5", "modulator.energy_cost is 0.5, but rule.name is `bptt`"),
        ("dnms", "bptt.beta1=1", "bptt.beta1 is 1; expected at least 0 and below 1"),
        ("dnms", "bptt.epsilon=0", "bptt.epsilon is 0; expected a finite number above 0"),
        ("dnms", "bptt.loss=cubed", "bptt.loss: unknown variant `cubed`, expected `squared` or `task`"),
        ("dnms", "bptt.learningrate=1", "did you mean `bptt.learning_rate`?"),
    ] {
        let settings = ["rule.name=bptt", setting].map(|s| Setting::parse(s).unwrap());
        let error = format!("{:#}", Setup::resolve(Some(task), &settings).unwrap_err());
        assert!(error.contains(message), "{error}");
    }
}

#[test]
fn runs_of_several_rules_go_into_one_picture() {
    let dir = tempfile::TempDir::new().unwrap();
    fine(train(dir.path(), &["--updates", "2", "--out", "a"]));
    fine(train(dir.path(), &["--updates", "2", "--rule", "bptt", "--out", "b"]));
    let drawn = fine(hebbian(&["plot", "a", "b", "--out", "both"], dir.path())).stdout;
    assert_eq!(drawn, "both.png\nboth.svg\n");
    let paper = ["plot", "a", "b", "--out", "paper.pdf", "--width-mm"];
    assert_eq!(fine(hebbian(&[&paper[..], &["89"]].concat(), dir.path())).stdout, "paper.pdf\n");
    assert!(bytes(dir.path().join("paper.pdf")).starts_with(b"%PDF-1.4"));
    one_line_error(hebbian(&[&paper[..], &["0"]].concat(), dir.path()), 2, "--width-mm is 0; expected 10 to 2000");
    let svg = String::from_utf8(bytes(dir.path().join("both.svg"))).unwrap();
    assert!(svg.contains("a (delta-x)") && svg.contains("b (bptt)"));
    assert!(bytes(dir.path().join("both.png")).starts_with(b"\x89PNG"));
    fine(hebbian(&["train", "echo", "--updates", "1", "--out", "c"], dir.path()));
    one_line_error(hebbian(&["plot", "a", "c"], dir.path()), 1, "have no common axis");
    one_line_error(hebbian(&["plot", "a", "nowhere"], dir.path()), 1, "nowhere is not a run's folder");
    assert!(!dir.path().join("learning_curves.png").exists());
}
