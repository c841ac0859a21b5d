//! Divergence from a user's point of view: one trial at a time, with a learning rate too large for some networks.

use crate::command::{bytes, fine, hebbian, one_line_error, Ran};
use std::path::Path;
use tempfile::TempDir;

/// Network 0 diverges within some hundred updates, as it does alone; 1 and 2 do not.
fn echo(dir: &Path, more: &[&str]) -> Ran {
    hebbian(&[&["train", "echo", "--neurons", "8", "--batch", "1", "--device", "cpu"][..], more].concat(), dir)
}

fn json(dir: &Path, args: &[&str]) -> serde_json::Value {
    serde_json::from_str(&fine(hebbian(args, dir)).stdout).unwrap()
}

#[test]
fn a_network_that_diverges_is_reported_once_and_the_run_succeeds() {
    let dir = TempDir::new().unwrap();
    let ran = fine(echo(dir.path(), &["--networks", "3", "--updates", "400", "--out", "run"]));
    // If stderr is not a terminal, progress is hidden, but not this line.
    assert_eq!(ran.stderr.lines().count(), 1, "{}", ran.stderr);
    let line = ran.stderr.trim_end();
    assert!(
        line.starts_with("network 0 diverged in update ") && line.ends_with("It stays frozen in its previous state"),
        "{line}"
    );
    assert!(ran.stdout.contains(line), "the summary says it too: {}", ran.stdout);

    let inspected = json(dir.path(), &["inspect", "run", "--json"]);
    let frozen = &inspected["frozen"];
    let update = frozen[0]["update"].as_u64().unwrap();
    assert!(
        line.contains(&format!("in update {update}: ")) && update > 1 && frozen[1].is_null() && frozen[2].is_null()
    );
    assert!(fine(hebbian(&["inspect", "run"], dir.path())).stdout.contains(line));

    let scores = json(dir.path(), &["evaluate", "run", "--trials", "20", "--json"]);
    assert_eq!(scores["networks"][0]["frozen"], frozen[0]);
    assert!(scores["networks"][1].get("frozen").is_none());
    assert!(fine(hebbian(&["evaluate", "run", "--trials", "20"], dir.path())).stdout.contains(line));

    fine(hebbian(&["plot", "run"], dir.path()));
    let curve = std::fs::read_to_string(dir.path().join("run/learning_curve.svg")).unwrap();
    assert!(curve.contains("1 of 3 diverged"));

    let rows = std::fs::read_to_string(dir.path().join("run/metrics.csv")).unwrap();
    assert!(rows.lines().next().unwrap().ends_with(",criterion_trials,saturated,dead,diverged_at,stage"));
    for row in rows.lines().skip(1) {
        let cells: Vec<&str> = row.split(',').collect();
        let marked = cells[2] == "0" && cells[0].parse::<u64>().unwrap() >= update;
        assert_eq!(cells[11], if marked { update.to_string() } else { String::new() }, "{row}");
        assert!((0.0..=1.0).contains(&cells[9].parse::<f64>().unwrap()), "{row}");
    }
    assert_eq!(rows.lines().count(), 1 + 3 * 400, "one row for each update and network");

    // The same run in parts, interrupted before and after the divergence.
    for stop in [update - 1, update, update + 9] {
        let (out, stop) = (format!("parts-{stop}"), stop.to_string());
        fine(echo(dir.path(), &["--networks", "3", "--updates", &stop, "--out", &out]));
        fine(hebbian(&["train", "--resume", "--out", &out, "--updates", "400"], dir.path()));
        for file in ["checkpoint.safetensors", "metrics.csv"] {
            assert!(
                bytes(dir.path().join(&out).join(file)) == bytes(dir.path().join("run").join(file)),
                "{out}/{file}"
            );
        }
    }
}

#[test]
fn a_run_whose_networks_have_all_diverged_is_saved_and_fails() {
    let dir = TempDir::new().unwrap();
    let ran = echo(dir.path(), &["--networks", "1", "--updates", "400", "--out", "run"]);
    assert_eq!(ran.code, 1, "{}{}", ran.stdout, ran.stderr);
    let lines: Vec<&str> = ran.stderr.lines().collect();
    assert!(lines.len() == 2 && lines[0].starts_with("network 0 diverged in update "), "{}", ran.stderr);
    assert!(lines[1].starts_with("error: run: every network has diverged, the last in update "), "{}", ran.stderr);
    let inspected = json(dir.path(), &["inspect", "run", "--json"]);
    assert_eq!(inspected["frozen"][0]["update"], inspected["updates"]);
    fine(hebbian(&["plot", "run"], dir.path()));
    let before = bytes(dir.path().join("run/checkpoint.safetensors"));
    one_line_error(hebbian(&["train", "--resume", "--out", "run"], dir.path()), 1, "every network has diverged");
    assert!(bytes(dir.path().join("run/checkpoint.safetensors")) == before);
}

#[test]
fn strict_numbers_saves_the_update_before_and_can_be_given_up() {
    let dir = TempDir::new().unwrap();
    let settings = ["--networks", "3", "--updates", "400", "--checkpoint-every", "0"];
    fine(echo(dir.path(), &[&settings[..], &["--out", "lenient"]].concat()));
    let update = json(dir.path(), &["inspect", "lenient", "--json"])["frozen"][0]["update"].as_u64().unwrap();

    let strict = || echo(dir.path(), &[&settings[..], &["--out", "strict", "--strict-numbers"]].concat());
    one_line_error(strict(), 1, &format!("network 0 diverged in update {update}: "));
    let inspected = json(dir.path(), &["inspect", "strict", "--json"]);
    assert_eq!((inspected["updates"].as_u64(), inspected["frozen"][0].is_null()), (Some(update - 1), true));
    let rows = std::fs::read_to_string(dir.path().join("strict/metrics.csv")).unwrap();
    assert_eq!(rows.lines().count() as u64, 1 + 3 * (update - 1));

    // --strict-numbers does not change what is learnt: without it the run continues to the same result.
    let again = hebbian(&["train", "--resume", "--out", "strict"], dir.path());
    one_line_error(again, 1, &format!("network 0 diverged in update {update}: "));
    fine(hebbian(&["train", "--resume", "--out", "strict", "--set", "train.strict_numbers=false"], dir.path()));
    for file in ["checkpoint.safetensors", "metrics.csv", "config.toml"] {
        assert!(bytes(dir.path().join("strict").join(file)) == bytes(dir.path().join("lenient").join(file)), "{file}");
    }
}
