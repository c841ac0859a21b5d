//! Descriptions of sweeps: which settings they mean, and which are refused.

use crate::command::{hebbian, one_line_error};
use crate::sweep::parsed;
use hebbian_rnn::{Setting, SweepPlan};
use tempfile::TempDir;

#[test]
fn settings_are_combinations_of_grid_list_and_draws() {
    let plan = parsed(
        "task = 'echo'\nnetworks = 2\ndraws = 3\nseed = 5
        [grid]\nnetwork.gain = [1.1, 1.2]
        [[list]]\nrule.name = 'delta-x'
        [[list]]\nrule = { name = 'node-perturbation', eta = 0.001 }
        [draw]\nnetwork.neurons = { uniform = [5, 9] }\nperturbation.probability = { log_uniform = [1e-3, 1e-1] }
        train.batch = { choice = [4, 8] }\nnetwork.tau_ms = { uniform = [20.0, 40.0] }",
    );
    let settings = plan.settings().unwrap();
    assert_eq!(settings.len(), 2 * 2 * 3);
    let value =
        |settings: &[Setting], key: &str| settings.iter().find(|s| s.key == key).map(|s| s.value.clone()).unwrap();
    for (k, setting) in settings.iter().enumerate() {
        let integer = |key| value(setting, key).as_integer().unwrap();
        let number = |key| value(setting, key).as_float().unwrap();
        assert!((5..=9).contains(&integer("network.neurons")) && [4, 8].contains(&integer("train.batch")));
        assert!((1e-3..=1e-1).contains(&number("perturbation.probability")));
        assert!((20.0..=40.0).contains(&number("network.tau_ms")));
        // A draw is the same with each of the other values.
        let same = &settings[k % 3];
        assert_eq!(value(same, "network.tau_ms"), value(setting, "network.tau_ms"));
    }
    let drawn = |plan: &SweepPlan| {
        plan.settings().unwrap().iter().map(|s| value(s, "network.tau_ms").to_string()).collect::<Vec<_>>()
    };
    assert_eq!(drawn(&plan)[..3].iter().collect::<std::collections::BTreeSet<_>>().len(), 3);
    // More draws or keys leave those that were there; another seed does not.
    let mut more = plan.clone();
    more.draws = 4;
    more.draw.remove("train");
    assert_eq!(drawn(&more)[..3], drawn(&plan)[..3]);
    let other = SweepPlan { seed: 6, ..plan.clone() };
    assert!(drawn(&other).iter().zip(drawn(&plan)).all(|(a, b)| *a != b));
}

#[test]
fn bad_descriptions_are_refused_before_anything_is_written() {
    let dir = TempDir::new().unwrap();
    let head = "task = 'echo'\nnetworks = 4\n";
    let thousand = format!("{:?}", (1..=1000).collect::<Vec<_>>());
    let thousands = ["rule.eta", "network.gain", "network.neurons"].map(|key| format!("{key} = {thousand}\n"));
    let thousands = format!("{head}[grid]\n{}", thousands.concat());
    for (text, message) in [
        ("networks = ", "line 1: "),
        ("networks = 4\nnetwork_per_job = 2", "unknown field `network_per_job`"),
        ("networks = 4", "no task is named"),
        ("task = 'ecko'\nnetworks = 4", "echo"),
        ("task = 'echo'\nnetworks = '4..2'", "neither a count"),
        ("task = 'echo'\nnetworks = 4\nnetworks_per_job = 0", "networks_per_job is 0"),
        ("task = 'echo'\nnetworks = 4\n[grid]\nrule.eta = 0.1", "grid.rule.eta is 0.1; expected an array"),
        ("task = 'echo'\nnetworks = 4\n[grid]\nrule.eta = []", "grid.rule.eta is []; expected at least one value"),
        ("task = 'echo'\nnetworks = 4\n[grid]\nrule.eta = [0.1, 0.2, 0.1]", "grid.rule.eta has the value 0.1 twice"),
        ("task = 'echo'\nnetworks = 4\n[grid]\nrule.eta = [1, 2, 1.0]", "grid.rule.eta has the value 1.0 twice"),
        (
            "task = 'echo'\nnetworks = 4\n[[list]]\nrule.eta = 0.1\n[[list]]\nrule.eta = 0.1",
            "list has the entry rule.eta=0.1 twice",
        ),
        // Refused before anything is drawn or combined.
        (
            "task = 'echo'\nnetworks = 4\ndraws = 1000000000000\n[draw]\nrule.eta = { uniform = [0.0, 1.0] }",
            "grid, list and draws make 1000000000000 settings; expected at most 1000000",
        ),
        (&thousands[..], "make 1000000000 settings; expected at most 1000000"),
        ("task = 'echo'\nnetworks = 100000000\nnetworks_per_job = 1", "there are 100000000 jobs; expected at most"),
        ("task = 'echo'\nnetworks = 4\n[grid]\nrule.ets = [1.0]", "rule.ets=1.0: "),
        ("task = 'echo'\nnetworks = 4\n[grid]\nnetwork.neurons = [5, -5]", "network.neurons=-5: "),
        (
            "task = 'echo'\nnetworks = 4\n[grid]\ntrain.networks = [1, 2]",
            "networks are given by `networks` at the top of the plan",
        ),
        (
            "task = 'echo'\nnetworks = 4\n[set]\ntrain.networks = 4",
            "networks are given by `networks` at the top of the plan",
        ),
        (
            "task = 'echo'\nnetworks = 4\n[set]\nrule.eta = 1.0\n[grid]\nrule.eta = [1.0]",
            "is given in `set` but differs",
        ),
        ("task = 'echo'\nnetworks = 4\n[grid]\nrule.eta = [1.0]\n[[list]]\nrule.eta = 2.0", "rule.eta is given twice"),
        ("task = 'echo'\nnetworks = 4\ndraws = 2", "give both or neither"),
        ("task = 'echo'\nnetworks = 4\n[draw]\nrule.eta = { uniform = [0.0, 1.0] }", "give both or neither"),
        (
            "task = 'echo'\nnetworks = 4\ndraws = 1\n[draw]\nrule.eta = { normal = [0.0, 1.0] }",
            "draw.rule.eta has `normal`",
        ),
        ("task = 'echo'\nnetworks = 4\ndraws = 1\n[draw]\nrule.eta = { uniform = [2.0, 1.0] }", "the smaller first"),
        (
            "task = 'echo'\nnetworks = 4\ndraws = 1\n[draw]\nrule.eta = { log_uniform = [0.0, 1.0] }",
            "expected two numbers",
        ),
        (
            "task = 'echo'\nnetworks = 4\nnetworks_per_job = 2\n[set]\ntrain.until_criterion = true",
            "would depend on networks_per_job",
        ),
    ] {
        let out = dir.path().join("out");
        let error = SweepPlan::parse(text, "sweep.toml").and_then(|plan| plan.write(&out).map(drop)).unwrap_err();
        assert!(error.to_string().contains(message), "{text}: {error}");
        assert!(!out.exists(), "{text}");
    }
    std::fs::write(dir.path().join("sweep.toml"), format!("{head}[grid]\nrule.ets = [1.0]")).unwrap();
    one_line_error(hebbian(&["sweep", "plan", "sweep.toml", "--out", "s"], dir.path()), 2, "rule.eta");
    one_line_error(hebbian(&["sweep", "plan", "nothing.toml", "--out", "s"], dir.path()), 1, "reading nothing.toml");
    one_line_error(hebbian(&["sweep", "run", "nothing"], dir.path()), 2, "nothing does not hold a plan");
}

#[test]
fn a_sweep_is_of_tasks_or_of_lives() {
    let dir = TempDir::new().unwrap();
    for (plan, said) in [
        ("task = 'echo'\nlife = 'maze'\nnetworks = 1", "name a task or a life, not both"),
        ("life = 'mase'\nnetworks = 1", "unknown life `mase`; did you mean `maze`?"),
        ("life = 'maze'\nnetworks = 1\n[grid]\nrule.name = ['none', 'mstdp']", "unknown rule for this life `mstdp`"),
        (
            "life = 'maze'\nnetworks = 1\n[set]\nlife.networks = 2",
            "life.networks: networks are given by `networks` at the top of the plan",
        ),
        ("life = 'maze'\nnetworks = 1\n[set]\ntrain.updates = 2", "train"),
    ] {
        let error = parsed(plan).write(&dir.path().join("sweep")).unwrap_err().to_string();
        assert!(error.contains(said) && !error.contains('\n'), "{error}");
    }
}

#[test]
fn impossible_settings_can_be_left_out() {
    let dir = TempDir::new().unwrap();
    let text =
        "networks = 1\nleave_out_impossible = true\n[set]\ntrain.updates = 1\n[grid]\nrule.name = ['rflo', 'none']
        task.name = ['echo', 'cartpole']";
    let out = dir.path().join("sweep");
    let sweep = parsed(text).write(&out).unwrap();
    // `rflo` needs a target at every step, which an environment does not have.
    let values: Vec<&[String]> = sweep.settings().map(|jobs| &jobs[0].values[..]).collect();
    assert_eq!(values, [["rflo", "echo"], ["none", "echo"], ["none", "cartpole"]]);
    let left_out = std::fs::read_to_string(out.join("left_out.txt")).unwrap();
    assert!(left_out.starts_with("rule.name=rflo task.name=cartpole: rule.name is `rflo`"), "{left_out}");
    assert_eq!(left_out.lines().count(), 1);
    // What is a mistake is refused all the same, and so is a plan of which nothing is left.
    for (from, to, message) in [
        ("'rflo'", "'rflow'", "unknown rule `rflow`"),
        ("train.updates = 1", "train.update = 1", "train.update"),
        ("train.updates = 1", "network.neurons = 0", "network.neurons is 0"),
    ] {
        let error = parsed(&text.replace(from, to)).write(&dir.path().join("other")).unwrap_err().to_string();
        assert!(error.contains(message), "{error}");
    }
    let nothing = text.replace("'rflo', 'none'", "'rflo'").replace("'echo', ", "");
    let error = parsed(&nothing).write(&dir.path().join("other")).unwrap_err().to_string();
    assert!(error.starts_with("no setting is possible; the first is rule.name=rflo task.name=cartpole"), "{error}");
}
