//! Lives of an actor and a critic in environments.

use crate::lives::{lived, setup};
use hebbian_rnn::candle_core::Device;
use hebbian_rnn::environments::{from_table, Start};
use hebbian_rnn::presets::find_life;
use hebbian_rnn::random::{stream, Phase, Purpose};
use hebbian_rnn::tasks::Problem;
use hebbian_rnn::worlds::ActorCritic;
use hebbian_rnn::{Environment, LifeSetup, Lives, OwnLife, Setting, TASKS};
use std::sync::Arc;

/// A life of short trials in `cartpole`, whose two actions have 30 neurons each.
pub const CARTPOLE: [&str; 8] = [
    "life.networks=2",
    "life.seconds=3",
    "world.pause_seconds=0.3",
    "world.body.environment.name=cartpole",
    "world.body.environment.limit=7",
    "world.body.step_ms=100",
    "world.body.axes=[{ observation = 'angle', low = -0.2, high = 0.2, cells = 9, width = 0.05 }]",
    "population.place.size=9",
];

/// A life of trials in `pendulum` that are longer than a block.
pub const PENDULUM: [&str; 4] =
    ["life.networks=2", "life.seconds=3", "world.pause_seconds=0.3", "world.body.environment.limit=20"];

/// The actions of the trial that has ended, taken directly, give the return, the duration and the success that the life reports.
#[test]
fn an_episode_is_that_of_the_environment() {
    for (settings, step_s) in [(&CARTPOLE[..], 0.1), (&PENDULUM, 0.025)] {
        let setup = setup("environment", None, settings);
        let environment = from_table(setup.config().world["body"]["environment"].as_table().unwrap()).unwrap();
        let mut lives = Lives::new(setup, &Device::Cpu).unwrap();
        let mut ended = 0;
        while !lives.is_over() {
            let rows = lives.live(1).unwrap();
            let states = lives.checkpoint().unwrap().states;
            for (state, row) in states.iter().zip(&rows).filter(|(_, row)| row.figures[1].is_finite()) {
                let numbers: Vec<f64> =
                    state.world["body"].as_array().unwrap().iter().filter_map(|n| n.as_f64()).collect();
                let [index, waited, actions @ ..] = &numbers[..] else { panic!("{numbers:?}") };
                assert_eq!((*index, *waited), (row.figures[0] - 1.0, 0.0));
                let numbers = |trial| stream(1, row.network, trial, Phase::Train, Purpose::Task);
                let index = *index as u64;
                let mut copies =
                    environment.start(vec![Start { index, rng: numbers(index), shared: numbers(u64::MAX) }]);
                let rewards: Vec<f64> = actions.iter().map(|action| copies.step(0, &[*action]).reward).collect();
                let [seconds, reached, .., returned] = row.figures[1..] else { panic!("{row:?}") };
                assert_eq!(returned, rewards.iter().sum::<f64>());
                assert_eq!(reached, f64::from(u8::from(returned >= environment.solved())));
                assert!((seconds - step_s * rewards.len() as f64).abs() < 1e-9, "{seconds} s");
                ended += 1;
            }
        }
        assert!(ended > 2, "{ended} trials");
    }
}

/// Each discrete action has a group of neurons, which excite only each other.
#[test]
fn groups_of_neurons_inhibit_each_other() {
    let (_, states) = lived(setup("environment", None, &[&CARTPOLE[..], &["life.seconds=0.3"]].concat()));
    let lateral = &states[0].synapses[2];
    for ((pre, post), w) in lateral.pre.iter().zip(&lateral.post).zip(&lateral.weight) {
        let expected = if pre / 30 == post / 30 { -1.0 + 45.0 / 29.0 } else { -1.0 };
        assert!((w - expected).abs() < 1e-6, "{pre} to {post}: {w}");
    }
}

#[test]
fn every_environment_has_a_name_and_only_environments() {
    let settings = [Setting::parse("train.networks=1").unwrap()];
    for task in TASKS {
        let setup = hebbian_rnn::Setup::resolve(Some(task.name), &settings).unwrap();
        let known = from_table(&toml::Table::from_iter([("name".to_string(), task.name.into())]));
        assert_eq!(known.is_ok(), matches!(setup.task(), Problem::Episodes(_)), "{}", task.name);
        assert!(known.is_ok_and(|environment| environment.name() == task.name) || setup.task().episodes().is_none());
    }
}

/// An environment of one's own lives as the one of that name does.
#[test]
fn an_environment_of_your_own() {
    let preset = find_life("environment").unwrap().config(None).unwrap();
    let settings: Vec<Setting> = PENDULUM.iter().map(|text| Setting::parse(text).unwrap()).collect();
    let mut parameters = preset.with(&settings).unwrap().world;
    parameters.remove("name");
    let build = move |places: &hebbian_rnn::worlds::Places| {
        let environment: Arc<dyn Environment> = Arc::new(hebbian_rnn::environments::Pendulum { limit: 20 });
        let world: ActorCritic = parameters.clone().try_into().unwrap();
        world.in_environment(environment, places)
    };
    let own = OwnLife { world: Some(Arc::new(build)), ..OwnLife::default() };
    let own = LifeSetup::resolve_with(Some("environment"), None, &settings, own).unwrap();
    let (rows, states) = lived(own);
    let (named_rows, named) = lived(setup("environment", None, &PENDULUM));
    let figures =
        |rows: &[hebbian_rnn::worlds::LifeRow]| rows.iter().map(|row| format!("{:?}", row.figures)).collect::<Vec<_>>();
    assert_eq!(figures(&rows), figures(&named_rows));
    assert_eq!(states, named);
}

#[test]
fn mistakes_are_told_in_one_line() {
    let axis = |text: &str| format!("world.body.axes=[{{ observation = 'sin', {text} }}]");
    for (set, expected) in [
        ("world.body.environment.name=pendulun", "unknown environment `pendulun`; did you mean `pendulum`?"),
        ("world.body.environment.mass=2", "unknown field `mass`"),
        ("world.body.environment.limit=0", "world.body.environment.limit is 0; expected at least 1"),
        ("world.body.step_ms=0", "world.body.step_ms is 0; expected a finite number above 0"),
        (
            "world.body.step_ms=1.5",
            "world.body.step_ms is 1.5; expected a multiple of life.dt_ms (1), at least one step",
        ),
        ("world.body.kin=0", "world.body.kin is 0"),
        ("world.body.success_return=nan", "world.body.success_return is NaN"),
        ("world.body.axes=[]", "world.body.axes is empty"),
        ("population.place.size=323", "population.place.size is 323; expected 324"),
        ("world.body.environment.name=maze", "unknown observation `cos`; known are: x, y"),
        (&axis("low = 0, high = 1, cells = 1, width = 1"), "world.body.axes.0.cells is 1; expected at least 2"),
        (&axis("low = 0, high = 1, cells = 1000000000, width = 1"), "cells is 1000000000; expected at most 1000"),
        (&axis("low = 1, high = 1, cells = 3, width = 1"), "world.body.axes.0.high is 1; expected above low (1)"),
        (
            &axis("low = 0, high = 1, cells = 3, width = 0.04"),
            "world.body.axes.0.width is 0.04; expected at least a tenth",
        ),
    ] {
        let setting = Setting::parse(set).unwrap();
        let error = LifeSetup::resolve(Some("environment"), None, &[setting]).err().unwrap().to_string();
        assert!(error.contains(expected) && error.lines().count() == 1, "{set}: {error}");
    }
    let grid = "{ observation = 'sin', low = 0, high = 1, cells = 1000, width = 1 }";
    let many = Setting::parse(&format!("world.body.axes=[{}]", [grid; 30].join(", "))).unwrap();
    let error = LifeSetup::resolve(Some("environment"), None, &[many]).err().unwrap().to_string();
    assert!(error.contains("place cells; expected at most 1000000"), "{error}");
    let odd = [&CARTPOLE[..], &["population.actor.size=61"]].concat();
    let odd: Vec<Setting> = odd.iter().map(|text| Setting::parse(text).unwrap()).collect();
    let error = LifeSetup::resolve(Some("environment"), None, &odd).err().unwrap().to_string();
    assert!(error.contains("population.actor.size is 61; expected a multiple of 2"), "{error}");
}

/// States that no trial reaches; each has the actions of a trial that goes on, changed.
#[test]
fn impossible_states_are_refused() {
    let mut lives = Lives::new(setup("environment", None, &CARTPOLE), &Device::Cpu).unwrap();
    lives.live(1).unwrap();
    let good = lives.checkpoint().unwrap();
    for (body, expected) in [
        (vec![], "body does not begin with two counts"),
        (vec![0.5, 0.0], "body does not begin with two counts"),
        (vec![1e15, 0.0], "the episode's number is 1000000000000000"),
        (vec![0.0, 100.0], "100 steps have passed since the last action; expected fewer than 100"),
        (vec![0.0, 0.0, 2.0], "[2.0] is not an action of the environment"),
        (vec![0.0, 0.0, 0.5], "[0.5] is not an action of the environment"),
        (vec![0.0, 0.0, -1.0], "[-1.0] is not an action of the environment"),
        (vec![0.0; 9], "the episode is over after 7 actions; found 7 and a trial that goes on"),
        (vec![0.0; 1000], "the episode is over after 7 actions"),
    ] {
        let mut bad = good.clone();
        bad.states[1].world["body"] = serde_json::json!(body);
        let error = Lives::resume(&bad, &Device::Cpu).err().unwrap().to_string();
        assert!(error.contains("the state of the world") && error.contains(expected), "{body:?}: {error}");
    }
    let mut bad = good.clone();
    bad.states[1].world["voting"]["slow"] = serde_json::json!([0.0, 0.0, 0.0]);
    let error = Lives::resume(&bad, &Device::Cpu).err().unwrap().to_string();
    assert!(error.contains("voting does not hold 6 numbers twice"), "{error}");
    assert!(Lives::resume(&good, &Device::Cpu).is_ok());
}
