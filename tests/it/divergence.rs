//! A network that diverges is frozen in its last good state; the others are unaffected.

use crate::support::*;
use candle_core::{Device, Tensor};
use hebbian_rnn::training::{Criterion, Divergence, Frozen};
use hebbian_rnn::Process;
use hebbian_rnn::{Checkpoint, Error, NetworkReport, Observer, StopReason, Trainer, UpdateReport};

/// The one of three networks that is made to diverge.
const SICK: usize = 1;

fn kinds() -> Vec<(&'static str, Vec<&'static str>)> {
    let three = |settings: &[&'static str]| [settings, &["train.networks=3", "modulator.warmup_trials=0"]].concat();
    vec![
        ("dnms", three(&small_dnms(&[]))),
        ("dnms", three(&small_dnms(&["train.kernels=reference"]))),
        ("dnms", three(&small_dnms(&["train.dtype=f64"]))),
        ("dnms", three(&small_dnms(&["rule.name=hebbian-trace", "trace.alpha=0.2"]))),
        ("dnms", three(&small_dnms(&["rule.name=node-perturbation", "network.connectivity=0.5"]))),
        ("echo", three(&["rule.name=bptt", "bptt.parameters=all", "network.neurons=12"])),
        ("sequence", three(&["trace.persistent=true"])),
        ("echo", three(&["trace.persistent=true", "trace.stage=retroactive", "trace.clip=1.0"])),
        ("echo", three(&["readout.rule=eh", "trace.modulator=reward", "train.dtype=f64"])),
        ("pattern-generation", three(&["network.neurons=12", "task.steps=30", "train.batch=3"])),
    ]
}

/// `tensor` `[S, …]` with every value of one network replaced.
fn filled(tensor: &Tensor, network: usize, value: f64) -> Tensor {
    let of = |s: usize| match s == network {
        true => tensor.narrow(0, s, 1).unwrap().ones_like().unwrap().affine(value, 0.0).unwrap(),
        false => tensor.narrow(0, s, 1).unwrap(),
    };
    Tensor::cat(&(0..tensor.dim(0).unwrap()).map(of).collect::<Vec<_>>(), 0).unwrap()
}

/// Networks after two updates.
fn healthy(task: &str, settings: &[&str]) -> Checkpoint {
    let mut trainer = trainer(task, settings);
    (0..2).for_each(|_| drop(trainer.update().unwrap()));
    trainer.checkpoint().unwrap()
}

/// The same networks, one of them with weights for which no step stays finite.
fn sick(mut checkpoint: Checkpoint, network: usize) -> Checkpoint {
    let largest = if checkpoint.plastic.weights.w_rec.dtype() == candle_core::DType::F32 { 3e38 } else { 1e308 };
    checkpoint.plastic.weights.w_rec = filled(&checkpoint.plastic.weights.w_rec, network, largest);
    checkpoint
}

fn resumed(checkpoint: Checkpoint) -> Trainer {
    Trainer::resume(&checkpoint, &[Device::Cpu]).unwrap()
}

/// The complete state that a network's next update reads.
fn everything(checkpoint: &Checkpoint, s: usize) -> Vec<Vec<f64>> {
    let types = checkpoint.expected_error.len() / checkpoint.criterion.len();
    let mut all: Vec<Vec<f64>> = checkpoint.plastic.each().map(|(_, t)| values(&t.get(s).unwrap())).collect();
    all.push(checkpoint.expected_error[s * types..(s + 1) * types].to_vec());
    all.push(checkpoint.criterion[s].recent().map(|(correct, _)| f64::from(correct)).collect());
    all
}

#[test]
fn the_others_go_on_as_if_nothing_had_happened() {
    for (task, settings) in kinds() {
        let what = format!("{task} {settings:?}");
        let before = healthy(task, &settings);
        let (mut without, mut with) = (resumed(before.clone()), resumed(sick(before.clone(), SICK)));
        for update in 3..6 {
            let (expected, found) = (without.update().unwrap(), with.update().unwrap());
            for s in [0, 2] {
                assert_eq!(found.networks[s], expected.networks[s], "{what}");
            }
            let row = &found.networks[SICK];
            assert_eq!(
                (row.update, row.diverged_at, row.mean_abs_dw, row.fraction_clipped),
                (update, Some(3), 0.0, 0.0)
            );
        }
        let (expected, found) = (without.checkpoint().unwrap(), with.checkpoint().unwrap());
        for s in [0, 2] {
            assert_eq!(everything(&found, s), everything(&expected, s), "{what}: network {s}");
            assert_ne!(everything(&found, s), everything(&before, s), "{what}: network {s} did not learn");
        }
        assert_eq!(
            everything(&found, SICK),
            everything(&sick(before, SICK), SICK),
            "{what}: it did not stay as it was"
        );
        assert_eq!(with.frozen().iter().map(|f| f.map(|f| f.update)).collect::<Vec<_>>(), [None, Some(3), None]);
        assert_eq!(expected.frozen, [None; 3]);
    }
}

#[test]
fn alone_it_ends_as_it_does_in_company() {
    for (task, settings) in kinds() {
        let alone_settings = [&settings[..], &["train.networks=1..2"]].concat();
        let mut alone = resumed(sick(healthy(task, &alone_settings), 0));
        let mut company = resumed(sick(healthy(task, &settings), SICK));
        let (row, in_company) = (alone.update().unwrap().networks, company.update().unwrap().networks);
        // Their errors may be NaN, which equals nothing.
        let known = |row: &NetworkReport| NetworkReport { error: 0.0, ..row.clone() };
        assert_eq!(known(&row[0]), known(&in_company[SICK]), "{task} {settings:?}");
        assert_eq!(
            everything(&alone.checkpoint().unwrap(), 0),
            everything(&company.checkpoint().unwrap(), SICK),
            "{task} {settings:?}"
        );
        assert_eq!(alone.frozen()[0], company.frozen()[SICK]);
        assert_eq!(alone.finished(), Some(StopReason::Frozen));
        assert_ne!(company.finished(), Some(StopReason::Frozen));
    }
}

#[test]
fn a_resumed_run_with_a_frozen_network_equals_an_uninterrupted_one_to_the_byte() {
    for (task, settings) in kinds() {
        let mut whole = resumed(sick(healthy(task, &settings), SICK));
        whole.update().unwrap();
        let saved = whole.checkpoint().unwrap().to_bytes().unwrap();
        let mut second = resumed(Checkpoint::from_bytes(&saved, &Device::Cpu).unwrap());
        assert_eq!(second.frozen(), whole.frozen());
        for _ in 0..2 {
            let (expected, found) = (whole.update().unwrap(), second.update().unwrap());
            assert_eq!(found.networks[SICK].diverged_at, expected.networks[SICK].diverged_at);
        }
        assert!(
            second.checkpoint().unwrap().to_bytes().unwrap() == whole.checkpoint().unwrap().to_bytes().unwrap(),
            "{task} {settings:?}"
        );
    }
}

#[test]
fn several_devices_freeze_the_same_networks() {
    for (task, settings) in kinds() {
        let start = sick(healthy(task, &settings), SICK);
        let mut one = resumed(start.clone());
        let mut three = Trainer::resume(&start, &[Device::Cpu, Device::Cpu, Device::Cpu]).unwrap();
        for _ in 0..2 {
            one.update().unwrap();
            three.update().unwrap();
        }
        assert_eq!(three.frozen(), one.frozen());
        let (one, three) = (one.checkpoint().unwrap(), three.checkpoint().unwrap());
        assert!(three.to_bytes().unwrap() == one.to_bytes().unwrap(), "{task} {settings:?}");
    }
}

#[test]
fn what_showed_it_is_named() {
    let frozen = |checkpoint: Checkpoint, updates: usize| {
        let mut trainer = resumed(checkpoint);
        (0..updates).for_each(|_| drop(trainer.update().unwrap()));
        trainer.frozen().to_vec()
    };
    // Nothing reads this trace, so everything else stays finite. H and e are summed.
    let settings = [
        "train.networks=3",
        "trace.persistent=true",
        "trace.stage=retroactive",
        "trace.alpha=0",
        "trace.eta=0",
        "trace.clip=0",
    ];
    let mut checkpoint = healthy("echo", &settings);
    let trace = checkpoint.plastic.fast_weights.as_mut().unwrap();
    trace.h = filled(&trace.h, SICK, 3e38);
    trace.eligibility = trace.eligibility.as_ref().map(|e| filled(e, SICK, 3e38));
    let before = checkpoint.clone();
    let mut trainer = resumed(checkpoint);
    trainer.update().unwrap();
    assert_eq!(trainer.frozen(), [None, Some(Frozen { update: 3, why: Divergence::Trace }), None]);
    assert_eq!(everything(&trainer.checkpoint().unwrap(), SICK), everything(&before, SICK));

    // An output whose error overflows while all activations are finite.
    let mut checkpoint = healthy("echo", &["train.networks=3"]);
    checkpoint.plastic.weights.w_out = checkpoint.plastic.weights.w_out.map(|w| filled(&w, SICK, 3e38));
    assert_eq!(frozen(checkpoint, 1), [None, Some(Frozen { update: 3, why: Divergence::Error }), None]);

    // An infinite activation with finite rates: tanh hides it.
    let settings = ["train.networks=3", "rule.name=none", "network.neurons=2", "train.kernels=reference"];
    let mut checkpoint = healthy("echo", &settings);
    checkpoint.plastic.weights.b_rec = checkpoint.plastic.weights.b_rec.map(|b| filled(&b, SICK, 3e38));
    checkpoint.plastic.weights.w_rec = filled(&checkpoint.plastic.weights.w_rec, SICK, 3e38);
    assert_eq!(frozen(checkpoint, 1), [None, Some(Frozen { update: 3, why: Divergence::Activations }), None]);
}

#[test]
fn rates_that_are_stuck_at_a_limit_count_as_divergence() {
    for kernels in ["train.kernels=fused", "train.kernels=reference"] {
        let mut checkpoint = healthy("dnms", &small_dnms(&[kernels, "train.networks=3"]));
        // All neurons excite each other; the bias neurons decide the sign.
        checkpoint.plastic.weights.w_rec = filled(&checkpoint.plastic.weights.w_rec, SICK, 50.0);
        let mut trainer = resumed(checkpoint);
        let row = trainer.update().unwrap().networks;
        assert_eq!(
            (row[SICK].saturated, row[SICK].dead, row[SICK].diverged_at),
            (Some(1.0), Some(0.0), None),
            "{kernels}"
        );
        assert!(row[0].saturated < Some(1.0));
        // In one update this may be chance, in two it is not.
        trainer.update().unwrap();
        assert_eq!(
            trainer.frozen(),
            [None, Some(Frozen { update: 4, why: Divergence::StuckRates }), None],
            "{kernels}"
        );
    }
}

/// Counts how often training finishes.
struct Ended(usize);

impl Observer<Trainer> for Ended {
    fn update(&mut self, _: &Trainer, _: &UpdateReport) -> hebbian_rnn::Result<()> {
        Ok(())
    }

    fn finish(&mut self, _: &Trainer) -> hebbian_rnn::Result<()> {
        self.0 += 1;
        Ok(())
    }
}

#[test]
fn strict_numbers_stops_with_the_state_of_the_update_before() {
    for (task, settings) in kinds() {
        let strict = [&settings[..], &["train.strict_numbers=true", "train.updates=9"]].concat();
        let start = sick(healthy(task, &strict), SICK);
        let before = start.to_bytes().unwrap();
        let expected = "network 1 diverged in update 3: ";
        let mut ended = Ended(0);

        let mut trainer = resumed(start.clone());
        let error = trainer.run(&mut [&mut ended], &|| false).unwrap_err();
        assert!(error.to_string().starts_with(expected), "{error}");
        assert!(matches!(error, Error::Diverged { network: 1, update: 3, .. }));
        assert!(trainer.checkpoint().unwrap().to_bytes().unwrap() == before, "{task} {settings:?}");

        let mut split = Trainer::resume(&start, &[Device::Cpu, Device::Cpu]).unwrap();
        let error = split.run(&mut [&mut ended], &|| false).unwrap_err();
        assert!(error.to_string().starts_with(expected), "{error}");
        assert!(split.checkpoint().unwrap().to_bytes().unwrap() == before, "{task} {settings:?}: split");
        assert_eq!(ended.0, 2, "observers save at the end");
    }
}

#[test]
fn healthy_networks_never_stop_a_strict_run() {
    for (task, settings) in kinds() {
        let with = |strict: &'static str| {
            let mut trainer = trainer(task, &[&settings[..], &["train.updates=4", strict]].concat());
            assert_eq!(trainer.train().unwrap(), StopReason::Limit);
            values(&trainer.weights().unwrap().w_rec)
        };
        assert_eq!(with("train.strict_numbers=true"), with("train.strict_numbers=false"), "{task} {settings:?}");
    }
}

#[test]
fn frozen_networks_are_not_waited_for() {
    let finished = |until: &str, updates: &str, reached: &[Option<u64>], frozen_networks: &[bool]| {
        let mut checkpoint = trainer("echo", &["train.networks=2", until, updates]).checkpoint().unwrap();
        checkpoint.updates = 5;
        checkpoint.criterion = reached.iter().map(|at| Criterion::restore([], *at)).collect();
        let frozen = |frozen: &bool| frozen.then_some(Frozen { update: 4, why: Divergence::Error });
        checkpoint.frozen = frozen_networks.iter().map(frozen).collect();
        checkpoint.finished()
    };
    let (until, always) = ("train.until_criterion=true", "train.until_criterion=false");
    let (more, done) = ("train.updates=9", "train.updates=5");
    assert_eq!(finished(until, more, &[Some(1), None], &[false, false]), None);
    assert_eq!(finished(until, more, &[Some(1), None], &[false, true]), Some(StopReason::Criterion));
    assert_eq!(finished(until, more, &[Some(1), None], &[true, false]), None);
    assert_eq!(finished(until, more, &[Some(1), Some(1)], &[true, false]), Some(StopReason::Criterion));
    assert_eq!(finished(always, more, &[None, None], &[true, false]), None);
    for until in [until, always] {
        for updates in [more, done] {
            assert_eq!(finished(until, updates, &[None, None], &[true, true]), Some(StopReason::Frozen));
        }
    }
    assert_eq!(finished(always, done, &[None, None], &[true, false]), Some(StopReason::Limit));
}
