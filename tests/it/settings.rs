//! Configuration: layers of settings, defaults, and error messages that say what is wrong.
use crate::support::refused;
use hebbian_rnn::{Config, Setting, Setup, RULES, TASKS};

fn resolved(task: Option<&str>, settings: &[&str]) -> Result<Config, String> {
    let settings: Vec<Setting> = settings.iter().map(|s| Setting::parse(s).unwrap()).collect();
    Setup::resolve(task, &settings).map(|setup| setup.config().clone()).map_err(|e| e.to_string())
}

#[test]
fn every_task_has_valid_defaults_for_every_rule_and_survives_toml() {
    for task in TASKS {
        for rule in RULES.iter().map(|rule| rule.name) {
            if refused(task.name, rule).is_some() {
                continue; // tasks.rs
            }
            let config = resolved(Some(task.name), &[&format!("rule.name={}", rule)]).unwrap();
            assert_eq!(config.rule.name, rule);
            let again = Setting::from_toml(&config.to_toml().unwrap(), "config.toml").unwrap();
            assert_eq!(Setup::resolve(None, &again).unwrap().config(), &config);
        }
    }
}

#[test]
fn later_settings_win_and_whole_numbers_serve_as_fractions() {
    let config =
        resolved(Some("dnms"), &["network.gain=1", "network.gain=2", "train.networks=3..7", "train.updates=5"])
            .unwrap();
    assert_eq!(config.network.gain, 2.0);
    assert_eq!(config.train.networks.range(), 3..7);
    assert_eq!((config.train.updates, config.train.trials), (Some(5), None));
}

#[test]
fn what_is_wrong_is_named() {
    let cases: [(&[&str], &str); 17] = [
        (&["trace.stage=foo"], "trace.stage: unknown variant `foo`, expected one of `none`, `hebb`"),
        (&["trace.etta=1"], "unknown key `trace.etta`; did you mean `trace.eta`?"),
        (&["task.delay=1"], "unknown key `task.delay`"),
        (&["rule.name=deltax"], "unknown rule `deltax`; did you mean `delta-x`?"),
        (&["rule.name=3"], "rule.name is 3 (integer); expected a name"),
        (&["network.neurons=many"], "network.neurons is \"many\" (string); expected an integer, such as 200"),
        (&["network.neurons=0"], "network.neurons is 0; expected at least 1"),
        (&["network.neurons=-5"], "-5"),
        (&["network.neurons=8"], "network.clamped is 10; expected neurons below 8"),
        (&["network.connectivity=1.5"], "network.connectivity is 1.5; expected above 0 and at most 1"),
        (&["network.gain=nan"], "network.gain is NaN"),
        (&["network.output_neurons=[0, 2]"], "network.output_neurons is 2; expected 1 neurons"),
        (&["trace.stage=decayed"], "decayed"),
        (&["rule.name=hebbian-trace", "trace.stage=none"], "trace.stage is `none`"),
        (&["task.second_stimulus=100"], "task.second_stimulus is 100; expected at least 201"),
        (&["train.networks=5..5"], "`5..5` is neither a count of at least 1 nor a non-empty range"),
        (&["train.batch=0"], "train.batch is 0; expected at least 1"),
    ];
    for (settings, message) in cases {
        let error = resolved(Some("dnms"), settings).unwrap_err();
        assert!(error.contains(message), "{settings:?}: {error}");
    }
    assert!(resolved(Some("dmns"), &[]).unwrap_err().contains("unknown task `dmns`; did you mean `dnms`?"));
    assert!(resolved(Some("dnms"), &["task.name=echo"]).unwrap_err().contains("task.name is `echo`"));
    assert!(resolved(None, &[]).unwrap_err().contains("no task is named"));
}

/// A key that is written only where it was set must be written where it was set to what other tasks have without it.
#[test]
fn what_is_switched_off_stays_off_in_the_configuration_that_is_kept() {
    for settings in [
        ["rule.fall_trials=0", "readout.max_dw=0"],
        ["readout.forget=0", "modulator.normalise=false"],
        ["rule.rms_decay=0", "readout.max_dw=0"],
        ["perturbation.distribution=uniform", "perturbation.probability=0.1"],
    ] {
        for task in ["pendulum", "cartpole", "open-field"] {
            let config = resolved(Some(task), &settings).unwrap();
            let again = Setting::from_toml(&config.to_toml().unwrap(), "config.toml").unwrap();
            assert_eq!(Setup::resolve(None, &again).unwrap().config(), &config, "{task} {settings:?}");
        }
    }
}
