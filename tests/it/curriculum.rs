//! Curricula: stages of changed settings, through which each network goes at its own pace.

use crate::support::*;
use candle_core::Device;
use hebbian_rnn::{Checkpoint, Setting, Setup, Trainer};

/// A first stage with shorter trials and another learning rate, ended as given.
fn curriculum(until: &str) -> String {
    format!("curriculum=[{{until={until},set={{task={{steps=50}},rule={{eta=0.5}}}}}}]")
}

fn updates(trainer: &mut Trainer, count: usize) -> Vec<Vec<u64>> {
    let stages = |trainer: &mut Trainer| trainer.update().unwrap().networks.iter().map(|n| n.stage.unwrap()).collect();
    (0..count).map(|_| stages(trainer)).collect()
}

fn saved(trainer: &Trainer) -> Vec<u8> {
    trainer.checkpoint().unwrap().to_bytes().unwrap()
}

#[test]
fn a_stage_is_training_with_its_settings() {
    // Two updates with the settings of the stage, and two more of the same networks with those of the run.
    let mut first = trainer("dnms", &small_dnms(&["task.steps=50", "rule.eta=0.5"]));
    (0..2).for_each(|_| drop(first.update().unwrap()));
    let then = setup("dnms", &small_dnms(&[]));
    let checkpoint = Checkpoint { setup: then, ..first.checkpoint().unwrap() };
    let mut second = Trainer::resume(&checkpoint, &[Device::Cpu]).unwrap();
    (0..2).for_each(|_| drop(second.update().unwrap()));

    let mut run = trainer("dnms", &small_dnms(&[&curriculum("{trials=16}")]));
    assert_eq!(updates(&mut run, 4), [[1, 1], [1, 1], [2, 2], [2, 2]]);
    assert_eq!(values(&run.weights().unwrap().w_rec), values(&second.weights().unwrap().w_rec));
    assert_ne!(values(&run.weights().unwrap().w_rec), values(&first.weights().unwrap().w_rec));
}

#[test]
fn networks_go_on_at_their_own_pace_whatever_runs_beside_them() {
    // The median error of these untrained networks: some are below, some above.
    let until = curriculum("{error=0.95}");
    let with = |networks: &str, devices: usize| {
        let networks = format!("train.networks={networks}");
        Trainer::new(setup("dnms", &small_dnms(&[&until, &networks])), &vec![Device::Cpu; devices]).unwrap()
    };
    let mut run = with("6", 1);
    let stages = updates(&mut run, 20);
    assert!(stages[..12].iter().flatten().all(|stage| *stage == 1), "a hundred trials come first");
    let last = &stages[19];
    assert!(last.contains(&1) && last.contains(&2), "networks are in one stage, so this tests nothing: {last:?}");

    let mut two = with("6", 2);
    updates(&mut two, 20);
    assert!(saved(&two) == saved(&run), "two devices");

    let mut alone = with("3..4", 1);
    let own: Vec<u64> = updates(&mut alone, 20).concat();
    assert_eq!(own, stages.iter().map(|all| all[3]).collect::<Vec<_>>());
    let w_rec = |trainer: &Trainer, place: usize| values(&trainer.weights().unwrap().w_rec.get(place).unwrap());
    assert_eq!(w_rec(&alone, 0), w_rec(&run, 3));

    for stop in [5, 13, 17] {
        let mut resumed = with("6", 1);
        updates(&mut resumed, stop);
        let checkpoint = Checkpoint::from_bytes(&saved(&resumed), &Device::Cpu).unwrap();
        let mut resumed = Trainer::resume(&checkpoint, &[Device::Cpu]).unwrap();
        updates(&mut resumed, 20 - stop);
        assert!(saved(&resumed) == saved(&run), "resumed after {stop} updates");
    }
}

#[test]
fn only_the_criterion_of_the_last_stage_counts() {
    // Every trial is correct, so each stage ends after a hundred trials, 13 batches of 8.
    let easy = "task.correct_below=9";
    let mut run = trainer("dnms", &small_dnms(&[easy, &curriculum("\"criterion\""), "train.updates=40"]));
    updates(&mut run, 25);
    assert_eq!(run.criterion_trials(), [None, None]);
    updates(&mut run, 1);
    assert_eq!(run.criterion_trials(), [Some(208), Some(208)]);
}

#[test]
fn what_a_stage_cannot_be_is_refused() {
    let refused = |curriculum: &str| {
        let settings = small_dnms(&[curriculum]);
        let settings: Vec<Setting> = settings.iter().map(|s| Setting::parse(s).unwrap()).collect();
        Setup::resolve(Some("dnms"), &settings).err().unwrap().to_string()
    };
    let stage = |until: &str, set: &str| refused(&format!("curriculum=[{{until={until},set={set}}}]"));
    let crit = "\"criterion\"";
    for (error, message) in [
        (stage("{trials=0}", "{}"), "stage 1 of the curriculum: until.trials is 0; expected at least 1"),
        (stage("{error=-1.0}", "{}"), "until.error is -1; expected a finite number above 0"),
        (stage("\"never\"", "{}"), "curriculum[0].until: unknown variant `never`"),
        (stage(crit, "{network={neurons=3}}"), "unknown table `network`; known are: task, perturbation"),
        (stage(crit, "{rule={etta=3}}"), "unknown key `rule.etta`; did you mean `rule.eta`?"),
        (stage(crit, "{task={steps=10}}"), "stage 1 of the curriculum: task.steps is 10; expected at least 35"),
        (stage(crit, "{rule={name=\"eh\"}}"), "set.rule.name is \"eh\"; expected the run's own"),
        (refused("curriculum=3"), "curriculum is 3 (integer); expected an array"),
    ] {
        assert!(error.contains(message), "{message}: {error}");
    }
}
