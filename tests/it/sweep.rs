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
