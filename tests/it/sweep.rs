//! Sweeps: jobs in any order and company, and what is put together from them. Descriptions are in `sweep_plan.rs`.

use crate::command::{bytes, fine, hebbian, one_line_error};
use candle_core::Device;
use hebbian_rnn::storage::Lock;
use hebbian_rnn::sweep::JobState;
use hebbian_rnn::{Checkpoint, LifeCheckpoint, Setting, Setup, Sweep, SweepPlan};
use std::path::Path;
use tempfile::TempDir;

/// Three settings of five networks.
const PLAN: &str = "\
task = 'echo'
networks = '1..6'
networks_per_job = 2
[set]
train = { batch = 4, updates = 12, checkpoint_every = 5 }
network.neurons = 6
[grid]
rule.eta = [0.01, 0.03, 0.1]
";

pub fn parsed(text: &str) -> SweepPlan {
    SweepPlan::parse(text, "sweep.toml").unwrap()
}

fn planned(text: &str, folder: &Path) -> Sweep {
    parsed(text).write(folder).unwrap()
}

fn run_all(sweep: &Sweep) {
    // The last first: the order does not matter.
    for job in sweep.jobs().iter().rev() {
        assert!(sweep.run(job, &|_, _| (), &|| false).unwrap());
    }
}

/// What one run of all networks of a setting writes.
fn undivided(folder: &Path, eta: &str) {
    let command = ["train", "echo", "--networks", "1..6", "--batch", "4", "--updates", "12", "--checkpoint-every", "5"];
    let eta = format!("rule.eta={eta}");
    let rest = ["--neurons", "6", "--set", &eta, "--out"];
    fine(hebbian(&[&command[..], &rest, &[folder.to_str().unwrap()]].concat(), Path::new(".")));
}

const FILES: [&str; 3] = ["config.toml", "metrics.csv", "checkpoint.safetensors"];

#[test]
fn jobs_put_together_are_the_undivided_run() {
    let dir = TempDir::new().unwrap();
    let sweep = planned(PLAN, &dir.path().join("sweep"));
    assert_eq!((sweep.jobs().len(), sweep.settings().count()), (9, 3));
    run_all(&sweep);
    let found = sweep.collect(false).unwrap();
    assert_eq!((found.settings.len(), found.apart.len()), (3, 0));
    for (setting, eta) in [(1, "0.01"), (2, "0.03"), (3, "0.1")] {
        let whole = dir.path().join(eta);
        undivided(&whole, eta);
        for file in FILES {
            assert!(bytes(sweep.run_folder(setting).join(file)) == bytes(whole.join(file)), "{eta}: {file}");
        }
    }
    // However they are cut, the table is the same.
    for most in ["networks_per_job = 1", "networks_per_job = 4", ""] {
        let other = planned(&PLAN.replace("networks_per_job = 2", most), &dir.path().join(format!("other{most}")));
        run_all(&other);
        other.collect(false).unwrap();
        assert!(bytes(other.folder().join("results.csv")) == bytes(sweep.folder().join("results.csv")), "{most}");
    }
    // What is made of the only job of a setting is a run of its own.
    let alone = Sweep::open(&dir.path().join("other")).unwrap();
    let files = |folder: &Path| FILES.map(|file| bytes(folder.join(file)));
    let (job, run) = (alone.job_folder(&alone.jobs()[2]), alone.run_folder(3));
    let before = files(&job);
    assert!(before == files(&run) && before == files(&dir.path().join("0.1")));
    fine(hebbian(&["train", "--resume", "--updates", "14", "--out", run.to_str().unwrap()], dir.path()));
    assert!(before == files(&job) && before != files(&run));
    // By hand, without a plan.
    let part = |networks: &str, out: &str| {
        let command =
            ["train", "echo", "--networks", networks, "--batch", "4", "--updates", "12", "--checkpoint-every", "5"];
        fine(hebbian(&[&command[..], &["--neurons", "6", "--set", "rule.eta=0.1", "--out", out]].concat(), dir.path()));
    };
    part("3..6", "b");
    part("1..3", "a");
    fine(hebbian(&["merge", "b", "a", "--out", "merged"], dir.path()));
    for file in FILES.iter().chain(&["learning_curve.svg", "report.html"]) {
        assert!(bytes(dir.path().join("merged").join(file)) == bytes(dir.path().join("0.1").join(file)), "{file}");
    }
    fine(hebbian(&["train", "--resume", "--out", "merged", "--updates", "14"], dir.path()));
}

#[test]
fn a_job_that_was_stopped_goes_on() {
    let dir = TempDir::new().unwrap();
    let (stopped, whole) = (planned(PLAN, &dir.path().join("stopped")), planned(PLAN, &dir.path().join("whole")));
    let (job, same) = (&stopped.jobs()[4], &whole.jobs()[4]);
    assert_eq!(stopped.state(job).unwrap(), JobState::Waiting);
    for updates in [3, 4] {
        let left = std::cell::Cell::new(updates);
        let interrupted = || left.replace(left.get() - 1) == 0;
        assert!(!stopped.run(job, &|_, _| (), &interrupted).unwrap());
        assert!(matches!(stopped.state(job).unwrap(), JobState::Begun { updates } if updates > 0));
    }
    for (sweep, job) in [(&stopped, job), (&whole, same)] {
        assert!(sweep.run(job, &|_, _| (), &|| false).unwrap());
        assert_eq!(sweep.state(job).unwrap(), JobState::Finished);
    }
    for file in FILES.iter().chain(&["scores.csv"]) {
        assert!(bytes(stopped.job_folder(job).join(file)) == bytes(whole.job_folder(same).join(file)), "{file}");
    }
    // Nothing is done once it is finished.
    assert!(stopped.run(job, &|_, _| (), &|| panic!("it ran again")).unwrap());
}

#[test]
fn a_sweep_that_was_changed_is_refused() {
    let dir = TempDir::new().unwrap();
    let sweep = planned(PLAN, dir.path());
    // The same plan again is none.
    planned(PLAN, dir.path());
    let refused = |error: hebbian_rnn::Result<bool>, message: &str| {
        let error = error.unwrap_err().to_string();
        assert!(error.contains(message), "{error}");
    };
    let another = parsed(&PLAN.replace("0.1]", "0.2]")).write(dir.path()).map(|_| true);
    refused(another, "holds another plan, whose jobs may have run; choose another folder");
    let job = &sweep.jobs()[0];
    let collected = |partial: bool| sweep.collect(partial).map(|_| true);
    refused(collected(false), "not finished: job 1-9; run what is missing");
    run_all(&sweep);
    std::fs::remove_dir_all(sweep.job_folder(&sweep.jobs()[7])).unwrap();
    std::fs::remove_dir_all(sweep.job_folder(&sweep.jobs()[2])).unwrap();
    refused(collected(false), "not finished: job 3,8;");
    assert_eq!(sweep.collect(true).unwrap().settings.iter().map(|s| s.setting).collect::<Vec<_>>(), [2]);

    // Two processes on one job.
    let missing = &sweep.jobs()[2];
    std::fs::create_dir_all(sweep.job_folder(missing)).unwrap();
    let lock = Lock::take(&sweep.job_folder(missing)).unwrap();
    refused(sweep.run(missing, &|_, _| (), &|| false), "is in use by process");
    drop(lock);
    run_all(&sweep);

    // Parts of different versions.
    let file = sweep.job_folder(job).join("checkpoint.safetensors");
    let mut checkpoint = Checkpoint::read(&file, &Device::Cpu).unwrap();
    checkpoint.program = "0.0.1".into();
    checkpoint.write(&file).unwrap();
    refused(collected(false), "checkpoint.safetensors was changed after job 1 finished");
    std::fs::remove_file(sweep.job_folder(job).join("finished.toml")).unwrap();
    assert_eq!(sweep.state(job).unwrap(), JobState::Unconfirmed);
    run_all(&sweep);
    std::fs::remove_dir_all(sweep.folder().join("runs")).unwrap();
    refused(collected(false), "was written by version 0.0.1 and");
    checkpoint.program = env!("CARGO_PKG_VERSION").into();

    // A run of other settings in a job's folder.
    checkpoint.setup = Setup::resolve(Some("echo"), &[Setting::parse("train.networks=1..3").unwrap()]).unwrap();
    for name in ["scores.csv", "finished.toml"] {
        std::fs::remove_file(sweep.job_folder(job).join(name)).unwrap();
    }
    let other = planned(&PLAN.replace("0.01", "0.02"), &dir.path().join("other"));
    let theirs = &other.jobs()[0];
    std::fs::create_dir_all(other.job_folder(theirs)).unwrap();
    for name in FILES {
        std::fs::copy(sweep.job_folder(job).join(name), other.job_folder(theirs).join(name)).unwrap();
    }
    refused(other.run(theirs, &|_, _| (), &|| false), "rule.eta is 0.01 in");

    // The plan's settings.
    let path = dir.path().join("settings/1.toml");
    let text = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, text.replace("eta = 0.01", "eta = 0.02")).unwrap();
    refused(sweep.run(job, &|_, _| (), &|| false), "1.toml: it has changed since the plan was made");
    refused(sweep.job(10).map(|_| true), "there is no job 10; expected 1 to 9");
}

#[test]
fn batch_systems_name_the_job_by_a_variable() {
    let dir = TempDir::new().unwrap();
    std::fs::write(dir.path().join("sweep.toml"), PLAN).unwrap();
    fine(hebbian(&["sweep", "plan", "sweep.toml", "--out", "s"], dir.path()));
    let sweep = Sweep::open(&dir.path().join("s")).unwrap();
    for (k, variable) in
        ["SLURM_ARRAY_TASK_ID", "LSB_JOBINDEX", "PBS_ARRAY_INDEX", "SGE_TASK_ID"].into_iter().enumerate()
    {
        let mut command = assert_cmd::Command::cargo_bin("hebbian-rnn").unwrap();
        let command = command.args(["sweep", "run", "s"]).current_dir(dir.path()).env(variable, (k + 1).to_string());
        let output = command.output().unwrap();
        assert!(output.status.success());
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert!(stderr.starts_with(&format!("s: job {}, setting ", k + 1)), "{stderr}");
        assert_eq!(sweep.state(&sweep.jobs()[k]).unwrap(), JobState::Finished);
        assert_eq!(sweep.state(&sweep.jobs()[k + 1]).unwrap(), JobState::Waiting);
    }
    let status = fine(hebbian(&["sweep", "status", "s"], dir.path())).stdout;
    assert!(status.contains("finished      4 of 9: 1-4") && status.contains("--array=5-9, or --job 5-9"), "{status}");
    fine(hebbian(&["sweep", "run", "s", "--job", "5-7,9", "--jobs-at-once", "3"], dir.path()));
    one_line_error(hebbian(&["sweep", "run", "s", "--job", "10"], dir.path()), 2, "there is no job 10");
    let rest = fine(hebbian(&["sweep", "run", "s"], dir.path()));
    assert!(rest.stdout.contains("all jobs are finished") && rest.stderr.contains("job 8"), "{}", rest.stderr);
    let collected = fine(hebbian(&["sweep", "collect", "s"], dir.path())).stdout;
    for file in ["results.csv", "learning_curves.png", "settings.svg", "report.html"] {
        assert!(collected.contains(file) && dir.path().join("s").join(file).exists(), "{file}: {collected}");
    }
    one_line_error(hebbian(&["sweep", "script", "s", "--engine", "slurmm"], dir.path()), 2, "did you mean `slurm`");
    for engine in ["slurm", "lsf", "pbs", "sge", "parallel", "snakemake"] {
        let script = fine(hebbian(&["sweep", "script", "s", "--engine", engine, "--minutes", "90"], dir.path())).stdout;
        assert!(script.contains("sweep run") && script.contains(dir.path().to_str().unwrap()), "{script}");
        if engine != "snakemake" {
            let checked = std::process::Command::new("bash").args(["-n", "-c", &script]).status().unwrap();
            assert!(checked.success(), "{script}");
        }
    }
}

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

#[test]
fn what_a_sweep_says_of_its_settings() {
    let dir = TempDir::new().unwrap();
    // The second setting diverges, job by job at another update.
    let text = PLAN.replace("[0.01, 0.03, 0.1]", "[0.01, 1e30]").replace("updates = 12", "updates = 60");
    let text = text.replace("network.neurons = 6", "network = { neurons = 6, gain = 1.2 }\nrule.max_dw = 0.0");
    let sweep = planned(&text, dir.path());
    run_all(&sweep);
    let found = sweep.collect(false).unwrap();
    let last = found.settings.last().unwrap();
    assert_eq!((last.setting, last.diverged, last.measured[1]), (2, 3, None), "{found:?}");
    assert_eq!(found.apart[0].0, 2);
    assert_eq!(found.settings[0].diverged, 0);
    let written = sweep.draw(&found).unwrap();
    assert_eq!(written.len(), 5);
    let page = std::fs::read_to_string(dir.path().join("report.html")).unwrap();
    assert!(page.contains("echo: a sweep of 2 settings") && page.contains("1e30"));
    // Drawn again after it was collected again: the same bytes.
    let before: Vec<Vec<u8>> = written.iter().map(bytes).collect();
    sweep.draw(&sweep.collect(false).unwrap()).unwrap();
    assert!(written.iter().map(bytes).eq(before));
}

/// Two settings of three networks in a maze with a goal that is soon found by accident, so that their lives end at different times.
const LIVES: &str = "\
life = 'maze'
networks = '2..5'
networks_per_job = 2
[set]
life = { seconds = 201.0, checkpoint_every_seconds = 10.0 }
world = { trials = 4, trial_seconds = 12.0, body.goal_radius = 6.0 }
[grid]
projection.place-critic.rule.eta = [0.0, 0.5]
";

#[test]
fn lives_put_together_are_the_undivided_lives() {
    let dir = TempDir::new().unwrap();
    let sweep = planned(LIVES, &dir.path().join("sweep"));
    assert_eq!((sweep.jobs().len(), sweep.settings().count()), (4, 2));
    // One job is stopped again and again.
    let mut times = 0;
    let begun = std::cell::Cell::new(false);
    while !sweep.run(&sweep.jobs()[1], &|_, _| (), &|| begun.replace(true)).unwrap() {
        begun.set(false);
        assert!(matches!(sweep.state(&sweep.jobs()[1]).unwrap(), JobState::Living { seconds } if seconds > 0.0));
        times += 1;
    }
    assert!(times > 2, "{times}");
    run_all(&sweep);
    let found = sweep.collect(false).unwrap();
    assert_eq!((found.settings.len(), found.apart.len(), found.measure()), (2, 0, "last_s"));
    let ages = [0, 1].map(|k| LifeCheckpoint::read(&sweep.job_folder(&sweep.jobs()[k])).unwrap().block);
    assert!(ages[0] != ages[1], "none waits for another: {ages:?}");
    for (setting, eta) in [(1, "0.0"), (2, "0.5")] {
        let whole = dir.path().join(eta);
        let eta = format!("projection.place-critic.rule.eta={eta}");
        let command = ["live", "maze", "--networks", "2..5", "--seconds", "201", "--checkpoint-every", "10"];
        let world = "world.trials=4 --set world.trial_seconds=12 --set world.body.goal_radius=6 --set".split(' ');
        let rest = [&["--set"], &world.collect::<Vec<_>>()[..], &[&eta, "--out", whole.to_str().unwrap()]].concat();
        fine(hebbian(&[&command[..], &rest].concat(), Path::new(".")));
        for file in FILES {
            assert!(bytes(sweep.run_folder(setting).join(file)) == bytes(whole.join(file)), "{eta}: {file}");
        }
    }
    let table = std::fs::read_to_string(sweep.folder().join("results.csv")).unwrap();
    let header = "setting,projection.place-critic.rule.eta,network,learnt,trials,successes,";
    assert!(table.starts_with(header) && table.lines().count() == 7, "{table}");
    // Networks of one setting need not be over at the same time, yet the table does not depend on how they were cut.
    let other = planned(&LIVES.replace("networks_per_job = 2", ""), &dir.path().join("other"));
    run_all(&other);
    other.collect(false).unwrap();
    assert!(bytes(other.folder().join("results.csv")) == bytes(sweep.folder().join("results.csv")));
    let pages = other.draw(&other.collect(false).unwrap()).unwrap();
    assert!(pages.iter().all(|page| page.exists()), "{pages:?}");
    let merged = dir.path().join("merged");
    let part = |k: usize| sweep.job_folder(&sweep.jobs()[k]).display().to_string();
    fine(hebbian(&["merge", &part(1), &part(0), "--out", merged.to_str().unwrap()], Path::new(".")));
    for file in FILES {
        assert!(bytes(sweep.run_folder(1).join(file)) == bytes(merged.join(file)), "{file}");
    }
}

#[test]
fn tasks_and_lives_share_a_table() {
    let dir = TempDir::new().unwrap();
    let sweep = planned(
        "networks = 2
        [[list]]\ntask.name = 'echo'\ntrain.updates = 1
        [[list]]\nworld.name = 'linear-track'\nlife.seconds = 51\nworld.trials = 1
        [[list]]\nworld.name = 'xor-rate'\nlife.seconds = 20",
        &dir.path().join("sweep"),
    );
    run_all(&sweep);
    let found = sweep.collect(false).unwrap();
    assert!(!found.lives && found.apart.is_empty());
    assert_eq!(found.measure(), "error, return or figure");
    let mut csv = csv::Reader::from_path(sweep.folder().join("results.csv")).unwrap();
    let header: Vec<String> = csv.headers().unwrap().iter().map(String::from).collect();
    let rows: Vec<csv::StringRecord> = csv.records().map(|row| row.unwrap()).collect();
    assert_eq!(rows.len(), 6);
    // A row has the columns of its own subject only.
    for (column, settings) in
        [("error", "1"), ("successes", "2"), ("apart_hz", "3"), ("learnt", "23"), ("network", "123")]
    {
        let place = header.iter().position(|name| name == column).unwrap_or_else(|| panic!("{column}: {header:?}"));
        for row in &rows {
            assert_eq!(!row[place].is_empty(), settings.contains(&row[0]), "{column} of setting {}", &row[0]);
        }
    }
}
