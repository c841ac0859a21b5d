//! Small versions of every task train with every rule that fits, and each task's special features are tested.

use crate::support::*;
use hebbian_rnn::{evaluate, Setting, Setup, RULES, TASKS};

/// Settings that make a task's trials and networks small.
fn small(task: &str) -> Vec<&'static str> {
    let own: &[&str] = match task {
        "dnms" | "dnms-long-delay" | "dnms-variable-delay" | "dnms-ei" => {
            &["task.steps=60", "task.second_stimulus=25", "task.stimulus_steps=10", "task.response_steps=10"]
        }
        "selective-integration" => &["task.steps=50", "task.stimulus_steps=30", "task.response_steps=10"],
        "evidence-accumulation" => &["task.cue_steps=4", "task.cue_spacing=5", "task.delay_steps=10"],
        "reach" => &["task.steps=40", "task.move_steps=30"],
        "pattern-generation" => &["task.steps=30", "network.initial_activation=0.3"],
        "recall" => &["task.bits=24"],
        "yang19" => &["task.ring=6", "task.step_ms=50", "task.tasks=['fdgo', 'delaydm1']"],
        "sequence" | "echo" => &[],
        "bandit" => &["task.network_steps=3"],
        "two-step" => &["task.network_steps=2"],
        "cartpole" | "acrobot" | "pendulum" | "maze" | "acrobot-swing-up" | "cartpole-swing-up" => &["task.limit=20"],
        "perceptual-decision" => &["task.steps=6"],
        "t-maze" => &["task.corridor=3", "task.limit=20"],
        "open-field" => &["task.limit=20", "network.input_weights=uniform"],
        other => panic!("no small version of task `{other}`: give it one"),
    };
    let jitter: &[&str] = if task == "dnms-variable-delay" { &["task.delay_jitter=15"] } else { &[] };
    let common: &[&str] = &["network.neurons=24", "train.networks=2", "train.batch=8", "modulator.warmup_trials=0"];
    [own, jitter, common].concat()
}

#[test]
fn every_task_trains_by_every_rule_that_can_judge_it() {
    for task in TASKS {
        for rule in RULES.iter().map(|rule| rule.name) {
            let rule_setting = format!("rule.name={}", rule);
            let settings = [&small(task.name)[..], &[rule_setting.as_str(), "train.updates=2"]].concat();
            if let Some(why) = refused(task.name, rule) {
                let settings: Vec<Setting> = settings.iter().map(|s| Setting::parse(s).unwrap()).collect();
                let error = format!("{:#}", Setup::resolve(Some(task.name), &settings).unwrap_err());
                assert!(error.contains(why), "{error}");
                continue;
            }
            let mut trainer = trainer(task.name, &settings);
            let world = trainer.setup().task().episodes().is_some();
            assert_eq!(trainer.setup().task().name(), task.name);
            let before = values(&trainer.weights().unwrap().w_rec);
            for _ in 0..2 {
                let report = trainer.update().unwrap();
                assert!(
                    report.networks.iter().all(|n| n.error.is_finite() && (world || n.error >= 0.0)),
                    "{}",
                    task.name
                );
            }
            // For recall, eta is 0 unless the rule has its own.
            let learns = rule != "none" && (task.name != "recall" || ["rflo", "r-stdp", "bptt"].contains(&rule));
            // In so few steps no double pendulum comes up, and no episode is better than another.
            let learns = learns && !task.name.starts_with("acrobot");
            let moved = values(&trainer.weights().unwrap().w_rec) != before;
            assert_eq!(moved, learns, "{} by {}: whether weights move", task.name, rule);
            let scores = evaluate(&trainer.checkpoint().unwrap(), 8, 1).unwrap();
            assert!(scores.iter().all(|score| score.error.is_finite()));
        }
    }
}

#[test]
fn the_trace_alone_recalls_patterns_and_without_it_there_is_chance() {
    let settings = ["task.bits=200", "network.neurons=200", "train.networks=1", "train.batch=5"];
    let error = |more: &[&str]| {
        let trainer = trainer("recall", &[&settings[..], more].concat());
        evaluate(&trainer.checkpoint().unwrap(), 10, 1).unwrap()[0].error
    };
    assert!(error(&[]) <= 0.05, "{}", error(&[]));
    assert_eq!(error(&["trace.alpha=0"]), 0.5);
    // So do Oja's rule and a clipped trace.
    for more in [&["trace.stage=oja"][..], &["trace.clip=0.5"]] {
        assert!(error(more) <= 0.05, "{more:?}: {}", error(more));
    }
}

#[test]
fn excitatory_and_inhibitory_weights_keep_their_signs() {
    let settings = [&small("dnms-ei")[..], &["rule.eta=0.01", "rule.max_dw=0.1"]].concat();
    let mut trainer = trainer("dnms-ei", &settings);
    let row_sums = |w: &[f64]| w.chunks(24).map(|row| row[..12].iter().sum::<f64>()).collect::<Vec<_>>();
    let drawn = values(&trainer.weights().unwrap().w_rec);
    // Half of the 12 excitatory neurons project to each neuron, with 0.15 each.
    assert!(row_sums(&drawn).iter().all(|sum| (sum - 0.9).abs() < 1e-6));
    for _ in 0..3 {
        trainer.update().unwrap();
    }
    let learnt = values(&trainer.weights().unwrap().w_rec);
    assert!(learnt != drawn && learnt.contains(&0.0));
    assert!(learnt.chunks(24).all(|row| row[..12].iter().all(|w| *w >= 0.0) && row[12..].iter().all(|w| *w <= 0.0)));
}

#[test]
fn oja_and_retroactive_traces_teach_weights() {
    // The rule `hebbian-trace` learns from H at any stage.
    for stage in ["oja", "retroactive"] {
        let stage_setting = format!("trace.stage={stage}");
        let settings = [stage_setting.as_str(), "rule.name=hebbian-trace", "trace.clip=0.5", "train.networks=1"];
        let mut trainer = trainer("echo", &settings);
        let before = values(&trainer.weights().unwrap().w_rec);
        trainer.update().unwrap();
        assert!(values(&trainer.weights().unwrap().w_rec) != before, "{stage}");
    }
}
