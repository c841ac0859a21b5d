//! `train --scan`, `train --control` and `live --control`.

use crate::command::*;
use tempfile::TempDir;

#[test]
fn a_scan_is_a_sweep_on_this_machine() {
    let dir = TempDir::new().unwrap();
    let scan = ["train", "echo", "--neurons", "6", "--batch", "4", "--updates", "8", "--networks", "3"];
    let values = ["--scan", "rule.eta=0.01,0.1", "--scan", "network.sparseness=0.5,1"];
    one_line_error(hebbian(&[&scan[..], &values].concat(), dir.path()), 2, "sparseness");
    let values = ["--scan", "rule.eta=0.01,0.1", "--scan", "network.connectivity=0.5,1"];
    let ran = fine(hebbian(&[&scan[..], &values].concat(), dir.path()));
    assert!(ran.stdout.contains("rule.eta=0.1") && ran.stdout.contains("runs/echo-scan/report.html"), "{}", ran.stdout);
    // Again: there is nothing left to do.
    fine(hebbian(&[&scan[..], &values].concat(), dir.path()));
    let json = fine(hebbian(&["sweep", "collect", "runs/echo-scan", "--json"], dir.path())).stdout;
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(json["settings"].as_array().unwrap().len(), 4);
    assert_eq!(json["settings"][0]["networks"], 3);
    fine(hebbian(&["evaluate", "runs/echo-scan/runs/1"], dir.path()));
    one_line_error(hebbian(&[&scan[..], &["--scan", "rule.eta"]].concat(), dir.path()), 2, "expected KEY=VALUE");
    let twice = ["--scan", "rule.eta=1", "--scan", "rule.eta=2"];
    one_line_error(hebbian(&[&scan[..], &twice].concat(), dir.path()), 2, "--scan names rule.eta twice");
    assert_eq!(hebbian(&[&scan[..], &["--scan", "rule.eta=1,2", "--resume"]].concat(), dir.path()).code, 2);
}

#[test]
fn a_rule_is_compared_with_its_controls() {
    let dir = TempDir::new().unwrap();
    let train = ["train", "dnms", "--neurons", "16", "--batch", "4", "--updates", "3", "--networks", "5", "--json"];
    let json =
        |args: &[&str]| -> serde_json::Value { serde_json::from_str(&fine(hebbian(args, dir.path())).stdout).unwrap() };
    let found = json(&[&train[..], &["--control"]].concat());
    let values = |setting: u64| {
        let all = found["settings"].as_array().unwrap().iter();
        all.filter(|result| result["setting"] == setting).map(|result| result["values"].clone()).next().unwrap()
    };
    assert_eq!((&values(1)["modulator.shuffle"], &values(2)["modulator.shuffle"]), (&"false".into(), &"true".into()));
    assert_eq!((&values(3)["rule.eta"], &values(3)["readout.eta"]), (&"0.0".into(), &"0.0".into()));
    // Networks are compared with themselves, whatever a job's share of them.
    let compared = found["compared"].as_array().unwrap();
    assert_eq!(compared.iter().map(|c| c["setting"].as_u64().unwrap()).collect::<Vec<_>>(), [2, 3]);
    assert!(compared.iter().all(|c| c["networks"] == 5 && (0.0..=1.0).contains(&c["p_measured"].as_f64().unwrap())));
    let against = |setting| json(&["sweep", "collect", "runs/dnms-control", "--against", setting, "--json"]);
    let back = against("2")["compared"][0].clone();
    assert_eq!((&back["setting"], &back["p_measured"]), (&1.into(), &compared[0]["p_measured"]));
    assert_eq!(back["difference"].as_f64().unwrap(), -compared[0]["difference"].as_f64().unwrap());
    let none = ["sweep", "collect", "runs/dnms-control", "--against", "4"];
    one_line_error(hebbian(&none, dir.path()), 2, "there is no setting 4; expected 1 to 3");
    // A rate of the user's own is that of the rule and of the shuffled control.
    let own = json(&[&train[..], &["--control", "--set", "rule.eta=0.07", "--out", "own"]].concat());
    let eta = |setting: u64| {
        let mut all = own["settings"].as_array().unwrap().iter();
        all.find(|result| result["setting"] == setting).unwrap()["values"]["rule.eta"].clone()
    };
    assert_eq!([eta(1), eta(2), eta(3)], ["0.07", "0.07", "0.0"]);
    // Rules that take their modulator at each step, or none, have no such control.
    let echo = ["train", "echo", "--set", "modulator.shuffle=true"];
    one_line_error(hebbian(&echo, dir.path()), 2, "credit is not given after a trial");
    for (rule, key) in [("rflo", "rule.eta"), ("bptt", "train.updates")] {
        let small = ["train", "echo", "--control", "--updates", "2", "--neurons", "8", "--networks", "2"];
        let ran = fine(hebbian(&[&small[..], &["--rule", rule, "--out", rule, "--json"]].concat(), dir.path()));
        let said = ["left out: modulator.shuffle=true", "credit is not given after a trial"];
        assert!(said.iter().all(|text| ran.stderr.contains(text)), "{}", ran.stderr);
        let found: serde_json::Value = serde_json::from_str(&ran.stdout).unwrap();
        assert_eq!(found["settings"].as_array().unwrap().len(), 2, "{rule}");
        assert!(found["settings"][0]["values"].as_object().unwrap().contains_key(key), "{rule}");
    }
    let alone = ["train", "dnms", "--set", "modulator.shuffle=true", "--batch", "1"];
    one_line_error(hebbian(&alone, dir.path()), 2, "train.batch is 1; expected at least 2 with modulator.shuffle");
}

#[test]
fn a_rule_of_lives_is_compared_with_its_controls() {
    let dir = TempDir::new().unwrap();
    let live = ["live", "xor-rate", "--networks", "3", "--seconds", "20", "--control", "--json"];
    // Parameters of a rule do not apply to fixed weights.
    let more = ["--rule", "mstdp", "--set", "projection.hidden-output.rule.gamma=0.2"];
    let text = fine(hebbian(&[&live[..], &more].concat(), dir.path())).stdout;
    let found: serde_json::Value = serde_json::from_str(&text).unwrap();
    for (setting, rule, shuffle) in [(1, "mstdp", "0.0"), (2, "mstdp", "2.0"), (3, "none", "0.0")] {
        let all = found["settings"].as_array().unwrap();
        let values = &all.iter().find(|result| result["setting"] == setting).unwrap()["values"];
        assert_eq!((&values["rule.name"], &values["life.shuffle_seconds"]), (&rule.into(), &shuffle.into()));
        let config =
            std::fs::read_to_string(dir.path().join(format!("runs/xor-rate-control/runs/{setting}/config.toml")));
        assert_eq!(config.unwrap().contains("gamma = 0.2"), rule == "mstdp");
    }
    let compared = found["compared"].as_array().unwrap();
    assert_eq!(compared.iter().map(|c| c["setting"].as_u64().unwrap()).collect::<Vec<_>>(), [2, 3]);
    assert!(compared.iter().all(|c| c["networks"] == 3));
    // A rule that replaces another one, with its parameter, and a time of one's own.
    let rule = "projection.hidden-output.rule";
    let swap = [format!("--set={rule}.name=mstdp"), format!("--set={rule}.gamma=0.3")];
    let more = ["--seconds=2", "--set=life.shuffle_seconds=1", &swap[0], &swap[1], "--out=swapped"];
    fine(hebbian(&[&live[..], &more].concat(), dir.path()));
    let config = std::fs::read_to_string(dir.path().join("swapped/runs/2/config.toml")).unwrap();
    assert!(config.contains("gamma = 0.3") && config.contains("shuffle_seconds = 1.0"), "{config}");
    for (args, why) in [
        (
            &["live", "xor-rate", "--rule", "none", "--set", "life.shuffle_seconds=1"][..],
            "no rule of this life reads a modulator",
        ),
        (&["live", "one-synapse", "--rule", "stdp", "--control"], "no rule of this life reads a modulator"),
        (&["live", "xor-rate", "--set", "life.shuffle_seconds=1e-5"], "expected 0, or 1 to 4294967295 steps of 1 ms"),
        (&["live", "xor-rate", "--set", "life.shuffle_seconds=-1"], "life.shuffle_seconds is -1"),
        (&["live", "--control"], "--control: name a life"),
    ] {
        one_line_error(hebbian(args, dir.path()), 2, why);
    }
}
