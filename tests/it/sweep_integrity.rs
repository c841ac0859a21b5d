//! What a sweep refuses: files that were changed, symbolic links where it writes, files that could be endless; and what it does with
//! the remains of killed processes and with sweeps of earlier versions.

use crate::command::{bytes, fine, hebbian, one_line_error, Ran};
use crate::sweep::parsed;
use hebbian_rnn::Sweep;
use std::path::{Path, PathBuf};
use tempfile::TempDir;

/// Two settings of four networks, in four jobs.
const PLAN: &str = "\
task = 'echo'
networks = 4
networks_per_job = 2
[set]
train = { batch = 2, updates = 3 }
network.neurons = 4
[grid]
rule.eta = [0.01, 0.1]
";

/// A sweep in the folder `s` whose jobs are finished.
fn finished() -> TempDir {
    let dir = TempDir::new().unwrap();
    let sweep = parsed(PLAN).write(&dir.path().join("s")).unwrap();
    for job in sweep.jobs() {
        assert!(sweep.run(job, &|_, _| (), &|| false).unwrap());
    }
    dir
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap().map(|entry| entry.unwrap()) {
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).unwrap();
        }
    }
}

/// A file, or all files in a folder, with their contents.
fn contents(path: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    if path.is_file() {
        return vec![(path.to_path_buf(), bytes(path))];
    }
    let mut entries: Vec<PathBuf> = std::fs::read_dir(path).unwrap().map(|entry| entry.unwrap().path()).collect();
    entries.sort();
    entries.iter().flat_map(|entry| contents(entry)).collect()
}

fn edit(path: &Path, from: &str, to: &str) {
    let text = std::fs::read_to_string(path).unwrap();
    assert!(text.contains(from), "{}: {text}", path.display());
    std::fs::write(path, text.replace(from, to)).unwrap();
}

/// Changes the last byte of a file, but for a line's end.
fn change(path: &Path) {
    let mut all = bytes(path);
    let last = all.iter().rposition(|byte| *byte != b'\n').unwrap();
    all[last] ^= 1;
    std::fs::write(path, all).unwrap();
}

fn collect(dir: &Path) -> Ran {
    hebbian(&["sweep", "collect", "s"], dir)
}

#[test]
fn what_was_changed_is_not_collected() {
    let whole = finished();
    let refused = |change: &dyn Fn(&Path), message: &str| {
        let dir = TempDir::new().unwrap();
        let folder = dir.path().join("s");
        copy(&whole.path().join("s"), &folder);
        change(&folder);
        one_line_error(collect(dir.path()), 1, message);
        for written in ["runs", "results.csv", "report.html"] {
            assert!(!folder.join(written).exists(), "{message}: {written}");
        }
    };
    // The plan: against the settings, against itself, and against what the jobs have run.
    let plan = |from: &'static str, to: &'static str| move |s: &Path| edit(&s.join("plan.tsv"), from, to);
    refused(
        &plan("\t0.1\n", "\t0.2\n"),
        "s/plan.tsv: rule.eta of setting 2 is 0.2, but 0.1 in s/settings/2.toml; restore the file",
    );
    refused(
        &plan("1\t1\t0..2", "1\t1\t0..4"),
        "s/plan.tsv: line 3: the networks of job 2 begin at 2; expected 4, where job 1 ends; restore the file",
    );
    refused(
        &plan("2\t1\t2..4", "2\t1\t2..5"),
        "s/plan.tsv: the jobs of setting 1 have networks 0..5; expected 0..4, as in s/settings/1.toml",
    );
    refused(
        &|s| {
            edit(&s.join("plan.tsv"), "1\t1\t0..2", "1\t1\t0..3");
            edit(&s.join("plan.tsv"), "2\t1\t2..4", "2\t1\t3..4");
        },
        "s/jobs/1/finished.toml is of job 1, networks 0..2; expected job 1, networks 0..3: restore it, or remove s/jobs/1",
    );
    refused(&plan("\t0.1\n", "\t1e-1\n"), "s/plan.tsv was changed after job");
    refused(&plan("\t0.01\n2\t", "\t0.01\n3\t"), "s/plan.tsv: line 3: job 3; expected job 2");
    refused(
        &plan("rule.eta", "rule.etb"),
        "s/plan.tsv: rule.etb of setting 1 is 0.01, but not set in s/settings/1.toml",
    );
    refused(&|s| edit(&s.join("settings/2.toml"), "eta = 0.1", "eta = 0.2"), "s/settings/2.toml: it has changed since");
    // Jobs.
    refused(
        &|s| {
            for (job, other) in [("jobs/1", "jobs/3"), ("jobs/2", "jobs/4")] {
                std::fs::remove_dir_all(s.join(job)).unwrap();
                copy(&s.join(other), &s.join(job));
            }
        },
        "s/jobs/1/finished.toml is of job 3, networks 0..2; expected job 1",
    );
    for name in ["scores.csv", "metrics.csv", "config.toml", "checkpoint.safetensors"] {
        let file = format!("s/jobs/2/{name}");
        refused(&|s| change(&s.join("jobs/2").join(name)), &format!("{file} was changed after job 2 finished"));
        let removed = |s: &Path| std::fs::remove_file(s.join("jobs/2").join(name)).unwrap();
        refused(&removed, &format!("{file} is missing; restore it, or remove s/jobs/2 and run job 2 again"));
    }
    refused(&|s| std::fs::write(s.join("jobs/2/finished.toml"), "job = 'x'").unwrap(), "s/jobs/2/finished.toml: ");
    // The remedy helps.
    let job = whole.path().join("s/jobs/2");
    change(&job.join("metrics.csv"));
    std::fs::remove_dir_all(&job).unwrap();
    fine(hebbian(&["sweep", "run", "s"], whole.path()));
    fine(collect(whole.path()));
}

#[test]
fn a_sweep_of_an_earlier_version_is_collected_with_a_warning() {
    let dir = finished();
    let folder = dir.path().join("s");
    assert_eq!(fine(collect(dir.path())).stderr, "");
    let results = bytes(folder.join("results.csv"));
    let seals = [1, 2, 3, 4].map(|job| folder.join(format!("jobs/{job}/finished.toml")));
    // One alone is that of a job that was killed as it ended.
    let tables = [1, 2, 3, 4].map(|job| bytes(folder.join(format!("jobs/{job}/scores.csv"))));
    std::fs::remove_file(&seals[1]).unwrap();
    one_line_error(collect(dir.path()), 2, "not finished: job 2; run what is missing");
    seals.iter().filter(|seal| seal.exists()).for_each(|seal| std::fs::remove_file(seal).unwrap());
    let status = fine(hebbian(&["sweep", "status", "s"], dir.path())).stdout;
    assert!(status.contains("job 1-4: trained, but its files are not confirmed"), "{status}");
    let stderr = fine(collect(dir.path())).stderr;
    assert!(stderr.starts_with("warning: job 1-4 finished under an earlier version") && stderr.contains("sweep run s"));
    assert!(bytes(folder.join("results.csv")) == results);
    // Confirmed by testing the networks again, which are not trained.
    fine(hebbian(&["sweep", "run", "s"], dir.path()));
    assert!(seals.iter().all(|seal| seal.exists()));
    assert!([1, 2, 3, 4].map(|job| bytes(folder.join(format!("jobs/{job}/scores.csv")))) == tables);
    assert_eq!(fine(collect(dir.path())).stderr, "");
    assert!(bytes(folder.join("results.csv")) == results);
}

/// Nothing is written through a link, whichever name of a sweep it has.
#[cfg(unix)]
#[test]
fn links_are_refused_where_a_sweep_writes() {
    let whole = finished();
    fine(hebbian(&["sweep", "collect", "s"], whole.path()));
    let refused = |name: &str, command: &[&str]| {
        let dir = TempDir::new().unwrap();
        let (folder, outside) = (dir.path().join("s"), dir.path().join("outside"));
        copy(&whole.path().join("s"), &folder);
        if name.starts_with("jobs/1/") {
            // So that it runs again.
            std::fs::remove_file(folder.join("jobs/1/finished.toml")).unwrap();
        }
        let place = folder.join(name);
        if place.exists() {
            std::fs::rename(&place, &outside).unwrap();
        } else {
            std::fs::create_dir(&outside).unwrap();
        }
        std::os::unix::fs::symlink(&outside, &place).unwrap();
        let before = contents(&outside);
        let ran = hebbian(command, dir.path());
        let message = format!("s/{name} is a symbolic link");
        assert_eq!(ran.code, 1, "{name}: {}", ran.stderr);
        let errors: Vec<&str> = ran.stderr.lines().filter(|line| line.starts_with("error: ")).collect();
        assert!(errors.len() == 1 && errors[0].contains(&message), "{name}: {}", ran.stderr);
        assert!(contents(&outside) == before, "{name}");
    };
    std::fs::write(whole.path().join("sweep.toml"), PLAN).unwrap();
    let plan = whole.path().join("sweep.toml");
    let (plan, run, collect) = (
        &["sweep", "plan", plan.to_str().unwrap(), "--out", "s"][..],
        &["sweep", "run", "s"][..],
        &["sweep", "collect", "s"][..],
    );
    let script = &["sweep", "script", "s", "--engine", "slurm"][..];
    for name in ["plan.tsv", "sweep.toml", "settings", "jobs", "runs", "logs", "results.csv", "report.html"] {
        for command in [plan, run, collect, script] {
            refused(name, command);
        }
    }
    for name in ["learning_curves.png", "learning_curves.svg", "settings.png", "settings.svg", "runs/1", "jobs/2"] {
        refused(name, collect);
    }
    for name in ["config.toml", "metrics.csv", "checkpoint.safetensors", "scores.csv"] {
        refused(&format!("jobs/1/{name}"), run);
    }
    // The settings are only written while there is no plan.
    let dir = TempDir::new().unwrap();
    std::fs::create_dir_all(dir.path().join("s/settings")).unwrap();
    std::os::unix::fs::symlink("/nowhere", dir.path().join("s/settings/2.toml")).unwrap();
    one_line_error(hebbian(plan, dir.path()), 1, "s/settings/2.toml is a symbolic link");
}

#[test]
fn remains_of_killed_processes_are_removed() {
    let dir = finished();
    let folder = dir.path().join("s");
    std::fs::remove_file(folder.join("jobs/2/finished.toml")).unwrap();
    for remains in [
        ".writing-results.csv-a",
        ".writing-report.html-a",
        "jobs/1/.writing-finished.toml-a",
        "jobs/2/.writing-scores.csv-a",
        "runs/.writing-x-a",
        "runs/.collecting-1/config.toml",
        "runs/.merging-2/config.toml",
    ] {
        let path = folder.join(remains);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, "").unwrap();
    }
    fine(hebbian(&["sweep", "run", "s"], dir.path()));
    fine(collect(dir.path()));
    for place in ["", "jobs/1", "jobs/2", "runs"] {
        let names = std::fs::read_dir(folder.join(place)).unwrap().map(|entry| entry.unwrap().file_name());
        let left: Vec<_> = names.filter(|name| name.to_str().unwrap().contains("ing-")).collect();
        assert!(left.is_empty(), "{place}: {left:?}");
    }
    assert_eq!(Sweep::open(&folder).unwrap().jobs().len(), 4);
}

/// Pipes and devices would never end.
#[cfg(unix)]
#[test]
fn only_regular_files_are_read() {
    let whole = finished();
    let not_regular = |name: &str, command: &[&str]| {
        let dir = TempDir::new().unwrap();
        copy(&whole.path().join("s"), &dir.path().join("s"));
        let path = dir.path().join("s").join(name);
        std::fs::remove_file(&path).unwrap();
        if name == "jobs/1/metrics.csv" {
            // It is not finished.
            std::fs::remove_file(path.with_file_name("finished.toml")).unwrap();
            std::fs::remove_file(path.with_file_name("scores.csv")).unwrap();
        }
        assert!(std::process::Command::new("mkfifo").arg(&path).status().unwrap().success());
        one_line_error(hebbian(command, dir.path()), 1, &format!("s/{name}: not a regular file"));
    };
    let plan = whole.path().join("sweep.toml");
    std::fs::write(&plan, PLAN).unwrap();
    let status = &["sweep", "status", "s"][..];
    not_regular("plan.tsv", status);
    not_regular("plan.tsv", &["sweep", "plan", plan.to_str().unwrap(), "--out", "s"]);
    not_regular("jobs/1/metrics.csv", status);
    for name in ["settings/1.toml", "jobs/1/scores.csv", "jobs/1/finished.toml", "jobs/2/checkpoint.safetensors"] {
        not_regular(name, &["sweep", "collect", "s"]);
    }
    let device = hebbian(&["sweep", "plan", "/dev/zero", "--out", "s"], whole.path());
    one_line_error(device, 1, "/dev/zero: not a regular file");
    std::fs::OpenOptions::new().write(true).open(whole.path().join("s/plan.tsv")).unwrap().set_len(1 << 40).unwrap();
    one_line_error(hebbian(status, whole.path()), 1, "s/plan.tsv: it has 1.0 TiB; expected at most 256.0 MiB");
}

#[test]
fn nothing_in_a_plan_reaches_the_terminal_as_it_is() {
    let whole = finished();
    for (from, to, message) in [
        ("rule.eta", "rule.\u{1b}[31m", r#"column "rule.\u{1b}[31m" is not a key"#),
        ("rule.eta", "rule.\u{202e}eta", r#"column "rule.\u{202e}eta" is not a key"#),
        ("rule.eta", "rule eta", r#"column "rule eta" is not a key"#),
        ("job\t", "\u{1b}[2Jjob\t", r#"unexpected columns: expected job, setting, networks, sha256 first"#),
        ("\t0.1\n", "\t0.1\u{202e}\n", r#"line 4: the value "0.1\u{202e}" holds a control character"#),
        ("\t0..2\t", "\t\u{9b}31m\t", r#"line 2: `networks` is "\u{9b}31m"; expected a range A..B"#),
    ] {
        let dir = TempDir::new().unwrap();
        copy(&whole.path().join("s"), &dir.path().join("s"));
        edit(&dir.path().join("s/plan.tsv"), from, to);
        for command in ["status", "run", "collect"] {
            let ran = hebbian(&["sweep", command, "s"], dir.path());
            assert!(!ran.stderr.contains(['\u{1b}', '\u{9b}', '\u{202e}']) && ran.stdout.is_empty());
            one_line_error(ran, 1, message);
        }
    }
}
