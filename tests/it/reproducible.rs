//! Bitwise equal results however the work is divided: one network or many, resumed or not, one thread or two.

use crate::support::*;
use candle_core::Device;
use hebbian_rnn::{Checkpoint, Trainer};

fn train(trainer: &mut Trainer, updates: usize) {
    for _ in 0..updates {
        trainer.update().unwrap();
    }
}

fn every_kind_of_run() -> Vec<(&'static str, Vec<&'static str>)> {
    vec![
        ("dnms", small_dnms(&[])),
        ("dnms", small_dnms(&["train.kernels=reference"])),
        ("dnms", small_dnms(&["rule.name=node-perturbation"])),
        ("dnms", small_dnms(&["rule.name=eh"])),
        ("dnms", small_dnms(&["rule.name=hebbian-trace", "trace.alpha=0.2"])),
        ("dnms", small_dnms(&["train.batch=1", "modulator.warmup_trials=0"])),
        ("dnms", small_dnms(&["task.steps=211", "train.batch=1", "train.networks=1", "modulator.warmup_trials=0"])),
        ("dnms", small_dnms(&["network.connectivity=0.5", "network.bias_scale=0.1"])),
        ("dnms", small_dnms(&["curriculum=[{until={trials=16},set={task={steps=50}}}]"])),
        ("dnms", small_dnms(&["rule.name=bptt"])),
        ("dnms", small_dnms(&["rule.name=bptt", "train.batch=70", "bptt.steps=20", "bptt.gradient_clip=0.01"])),
        ("echo", vec!["train.networks=2", "rule.name=bptt", "bptt.parameters=all", "trace.persistent=true"]),
        ("sequence", vec!["train.networks=2", "trace.persistent=true"]),
        ("cartpole", vec!["train.networks=2", "train.batch=11", "rule.fall_trials=20"]),
        ("pendulum", vec!["train.networks=2", "train.batch=9", "task.limit=20"]),
        (
            "cartpole",
            vec!["train.networks=2", "rule.rms_decay=0.9", "task.critic_eta=0.1", "modulator.warmup_trials=20"],
        ),
        (
            "open-field",
            vec!["train.networks=2", "train.batch=5", "task.limit=30", "task.move_after=7", "network.gain=0.5"],
        ),
        ("two-step", vec!["train.networks=2"]),
        ("bandit", vec!["train.networks=2", "task.drift=0.1", "readout.eta=0.1"]),
        ("echo", vec!["train.networks=2", "trace.persistent=true", "trace.stage=retroactive", "trace.clip=1.0"]),
        ("echo", vec!["train.networks=2", "readout.rule=eh", "trace.modulator=reward", "train.dtype=f64"]),
    ]
}

#[test]
fn a_resumed_run_equals_an_uninterrupted_one_to_the_byte() {
    for (task, settings) in every_kind_of_run() {
        let mut whole = trainer(task, &settings);
        train(&mut whole, 6);
        let mut first = trainer(task, &settings);
        train(&mut first, 3);
        let saved = first.checkpoint().unwrap().to_bytes().unwrap();
        let mut second =
            Trainer::resume(&Checkpoint::from_bytes(&saved, &Device::Cpu).unwrap(), &[Device::Cpu]).unwrap();
        train(&mut second, 3);
        let whole = whole.checkpoint().unwrap().to_bytes().unwrap();
        assert_ne!(saved, whole, "{task} {settings:?}: training changes nothing");
        assert!(second.checkpoint().unwrap().to_bytes().unwrap() == whole, "{task} {settings:?}: resumed run differs");
    }
}

#[test]
fn a_network_learns_the_same_alone_and_in_company() {
    for (task, settings) in every_kind_of_run() {
        let with = |networks: &str| {
            let networks = format!("train.networks={networks}");
            let mut trainer = trainer(task, &settings.iter().copied().chain([networks.as_str()]).collect::<Vec<_>>());
            train(&mut trainer, 3);
            trainer
        };
        let (company, alone) = (with("4"), with("2..3"));
        assert_eq!(
            values(&company.weights().unwrap().w_rec.get(2).unwrap()),
            values(&alone.weights().unwrap().w_rec.get(0).unwrap()),
            "{task} {settings:?}"
        );
        if let (Some(a), Some(b)) = (&company.weights().unwrap().w_out, &alone.weights().unwrap().w_out) {
            assert_eq!(values(&a.get(2).unwrap()), values(&b.get(0).unwrap()), "{task} {settings:?}: w_out");
        }
        let different = values(&company.weights().unwrap().w_rec.get(1).unwrap());
        assert_ne!(different, values(&alone.weights().unwrap().w_rec.get(0).unwrap()));
    }
}

#[test]
fn the_number_of_threads_changes_nothing() {
    for (task, settings) in every_kind_of_run() {
        let on = |threads: usize| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            pool.install(|| {
                let mut trainer = trainer(task, &settings);
                train(&mut trainer, 4);
                trainer.checkpoint().unwrap().to_bytes().unwrap()
            })
        };
        let one = on(1);
        for threads in [2, 7] {
            assert!(on(threads) == one, "{task} {settings:?}: {threads} threads differ from one");
        }
    }
}
