//! `merge`: which runs become one, and that the result is there whole or not at all.

use crate::command::{bytes, fine, hebbian, one_line_error};
use crate::process::start;
use hebbian_rnn::storage::Lock;
use std::path::Path;
use std::time::Duration;
use tempfile::TempDir;

const FILES: [&str; 3] = ["config.toml", "metrics.csv", "checkpoint.safetensors"];

#[test]
fn runs_that_do_not_fit_are_not_merged() {
    let dir = TempDir::new().unwrap();
    let run = |networks: &str, updates: &str, more: &[&str], out: &str| {
        let command = ["train", "echo", "--neurons", "6", "--batch", "4", "--networks", networks, "--updates", updates];
        fine(hebbian(&[&command[..], more, &["--out", out]].concat(), dir.path()));
    };
    run("2", "5", &[], "a");
    run("2..4", "5", &["--checkpoint-every", "2"], "b");
    run("2..4", "6", &[], "longer");
    run("2..4", "5", &["--set", "rule.eta=0.07"], "other");
    run("1..3", "5", &[], "both");
    run("5..6", "5", &[], "far");
    for (second, message) in [
        ("longer", "train.updates is 5 in a and 6 in longer"),
        ("other", "rule.eta is"),
        ("both", "networks 1 to 1 are both in a and in both"),
        ("far", "networks 2 to 4 are missing between a and far"),
    ] {
        one_line_error(hebbian(&["merge", second, "a", "--out", "merged"], dir.path()), 2, message);
    }
    one_line_error(hebbian(&["merge", "a", "b", "--out", "a"], dir.path()), 2, "a already holds a run");
    let metrics = dir.path().join("b/metrics.csv");
    let text = String::from_utf8(bytes(&metrics)).unwrap();
    let without_third: Vec<&str> = text.lines().filter(|line| !line.starts_with("3,")).collect();
    std::fs::write(&metrics, without_third.join("\n") + "\n").unwrap();
    one_line_error(
        hebbian(&["merge", "a", "b", "--out", "m1"], dir.path()),
        1,
        "b/metrics.csv: rows for update 3 are missing",
    );
    std::fs::write(&metrics, &text).unwrap();
    fine(hebbian(&["merge", "b", "a", "--out", "m2"], dir.path()));
}

/// Two runs of a few networks: `a` and `b`.
fn parts(dir: &Path, command: &[&str], limit: &[&str]) {
    for (networks, out) in [("1..3", "a"), ("3..6", "b")] {
        fine(hebbian(&[command, limit, &["--networks", networks, "--out", out]].concat(), dir));
    }
}

const TRAIN: [&str; 6] = ["train", "echo", "--neurons", "6", "--batch", "2"];
const LIVE: [&str; 4] = ["live", "maze", "--set", "world.trial_seconds=2"];
const MERGE: [&str; 5] = ["merge", "a", "b", "--out", "out"];

fn files(run: &Path) -> [Vec<u8>; 3] {
    FILES.map(|file| bytes(run.join(file)))
}

#[test]
fn a_killed_merge_leaves_all_or_nothing_and_can_be_repeated() {
    for (command, limit) in [(&TRAIN[..], ["--updates", "400"]), (&LIVE[..], ["--seconds", "21"])] {
        let dir = TempDir::new().unwrap();
        parts(dir.path(), command, &limit);
        fine(hebbian(&["merge", "a", "b", "--out", "whole"], dir.path()));
        let (whole, out) = (files(&dir.path().join("whole")), dir.path().join("out"));
        let (mut early, mut late) = (0, 0);
        for kill in 0..40 {
            let process = start(dir.path(), &MERGE);
            std::thread::sleep(Duration::from_millis(kill));
            process.signal("KILL");
            process.end();
            if out.exists() {
                assert!(files(&out) == whole, "kill {kill}");
                std::fs::remove_dir_all(&out).unwrap();
                late += 1;
            } else {
                // There is nothing with which training could begin again.
                assert_ne!(hebbian(&[command[0], "--resume", "--out", "out"], dir.path()).code, 0);
                early += 1;
            }
        }
        assert!(early > 0, "{early} before the end, {late} after it");
        fine(hebbian(&MERGE, dir.path()));
        assert!(files(&out) == whole);
        let hidden = |name: &str| name.starts_with(".merging");
        let names = std::fs::read_dir(dir.path()).unwrap().map(|entry| entry.unwrap().file_name());
        assert_eq!(names.filter(|name| hidden(name.to_str().unwrap())).count(), 0);
    }
}

/// Parts whose processes were killed while they appended rows can be looked at and merged, and stay as they are.
#[test]
fn a_merge_reads_its_parts_and_does_not_change_them() {
    for (command, limit) in [(&TRAIN[..], ["--updates", "4"]), (&LIVE[..], ["--seconds", "6"])] {
        let dir = TempDir::new().unwrap();
        parts(dir.path(), command, &limit);
        fine(hebbian(&["merge", "a", "b", "--out", "whole"], dir.path()));
        let append = |file: &str, text: &str| {
            let path = dir.path().join("a").join(file);
            std::fs::write(&path, [bytes(&path), text.as_bytes().to_vec()].concat()).unwrap();
        };
        append("metrics.csv", "9,9");
        append("config.toml", "# mine\n");
        let before = files(&dir.path().join("a"));
        fine(hebbian(&["plot", "a"], dir.path()));
        fine(hebbian(&MERGE, dir.path()));
        assert!(files(&dir.path().join("out")) == files(&dir.path().join("whole")));
        assert!(files(&dir.path().join("a")) == before);
    }
}

#[test]
fn a_part_that_lacks_a_row_is_not_merged() {
    for (command, limit) in [(&TRAIN[..], ["--updates", "4"]), (&LIVE[..], ["--seconds", "6"])] {
        let dir = TempDir::new().unwrap();
        parts(dir.path(), command, &limit);
        let metrics = dir.path().join("b/metrics.csv");
        let text = String::from_utf8(bytes(&metrics)).unwrap();
        // That of the second of three networks.
        let rest: Vec<&str> = text.lines().enumerate().filter(|(k, _)| *k != 2).map(|(_, line)| line).collect();
        std::fs::write(&metrics, rest.join("\n") + "\n").unwrap();
        one_line_error(hebbian(&MERGE, dir.path()), 1, "b/metrics.csv: rows for ");
        assert!(!dir.path().join("out").exists());
    }
}

#[test]
fn an_existing_run_is_moved_aside_once_the_merged_one_is_whole() {
    for (command, limit) in [(&TRAIN[..], ["--updates", "4"]), (&LIVE[..], ["--seconds", "6"])] {
        let dir = TempDir::new().unwrap();
        parts(dir.path(), command, &limit);
        fine(hebbian(&["merge", "a", "b", "--out", "whole"], dir.path()));
        let at = |name: &str| dir.path().join(name);
        fine(hebbian(&["merge", "a", "--out", "out"], dir.path()));
        let (before, whole) = (files(&at("out")), files(&at("whole")));
        one_line_error(hebbian(&MERGE, dir.path()), 2, "out already holds a run");
        // One that fails leaves it in its place.
        let forced = [&MERGE[..], &["--force"]].concat();
        let metrics = bytes(at("b/metrics.csv"));
        std::fs::write(at("b/metrics.csv"), &metrics[..metrics.len() / 2]).unwrap();
        one_line_error(hebbian(&forced, dir.path()), 1, "metrics.csv");
        assert!(files(&at("out")) == before && !at("out.1").exists() && !at(".merging-out").exists());
        std::fs::write(at("b/metrics.csv"), metrics).unwrap();
        // One that another process is writing is not touched.
        std::fs::create_dir(at(".merging-out")).unwrap();
        let lock = Lock::take(&at(".merging-out")).unwrap();
        one_line_error(hebbian(&forced, dir.path()), 2, ".merging-out is in use by process");
        drop(lock);
        // What a killed one has left is.
        std::fs::write(at(".merging-out/config.toml"), "x").unwrap();
        fine(hebbian(&forced, dir.path()));
        assert!(files(&at("out")) == whole && files(&at("out.1")) == before && !at(".merging-out").exists());
        // A folder of other files stays as it is; an empty one is filled.
        std::fs::create_dir_all(at("notes")).unwrap();
        std::fs::write(at("notes/a.txt"), "").unwrap();
        one_line_error(
            hebbian(&["merge", "a", "b", "--out", "notes"], dir.path()),
            2,
            "notes is not empty and does not hold a run",
        );
        std::fs::create_dir_all(at("empty")).unwrap();
        fine(hebbian(&["merge", "a", "b", "--out", "empty"], dir.path()));
        assert!(files(&at("empty")) == whole);
    }
}
