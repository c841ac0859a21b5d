//! `hebbian-rnn analyse` for its users: all analyses that fit run, files are written, wrong usage gives one line.

use crate::command::{fine, hebbian, one_line_error, train};
use tempfile::TempDir;

#[test]
fn everything_that_fits_is_analysed_and_written() {
    let folder = TempDir::new().unwrap();
    fine(train(folder.path(), &["--updates", "2"]));
    let ran = fine(hebbian(&["analyse", "runs/dnms", "--trials", "24", "--json"], folder.path()));
    let found: serde_json::Value = serde_json::from_str(&ran.stdout).unwrap();
    let names: Vec<&str> = found["analyses"].as_array().unwrap().iter().map(|a| a["name"].as_str().unwrap()).collect();
    let expected = ["learning", "decoding", "trajectories", "fixed-points", "similarity", "weights", "gradient"];
    assert_eq!(names, expected);
    // Figures are numbers with their unit.
    let reached = &found["analyses"][0]["summary"]["networks at criterion"];
    assert_eq!((&reached["numbers"]["networks"], &reached["unit"]), (&2.0.into(), &"networks".into()), "{reached}");
    let analysis = folder.path().join("runs/dnms/analysis");
    for name in names {
        for end in ["csv", "png", "svg"] {
            let file = analysis.join(format!("{}.{end}", name.replace('-', "_")));
            assert!(std::fs::metadata(&file).is_ok_and(|m| m.len() > 60), "{}", file.display());
        }
    }
    let gradient = std::fs::read_to_string(analysis.join("gradient.csv")).unwrap();
    // Two networks × before and after learning × two rules.
    assert_eq!(gradient.lines().count(), 1 + 8, "{gradient}");
    for row in csv::Reader::from_reader(gradient.as_bytes()).records() {
        assert!(row.unwrap()[3].parse::<f64>().unwrap().abs() <= 1.0);
    }
    // The same seed gives the same figures.
    let again = fine(hebbian(&["analyse", "runs/dnms", "decoding", "--trials", "24", "--out", "again"], folder.path()));
    assert!(again.stdout.starts_with("Cross-temporal decoding"), "{}", again.stdout);
    let bytes = |path: &str| std::fs::read(folder.path().join(path)).unwrap();
    assert!(bytes("again/decoding.csv") == bytes("runs/dnms/analysis/decoding.csv"));
}

#[test]
fn choices_in_a_world_have_a_psychometric_curve() {
    let folder = TempDir::new().unwrap();
    let world =
        ["train", "perceptual-decision", "--networks", "2", "--updates", "2", "--set", "task.reaction_time=true"];
    fine(hebbian(&[&world[..], &["--out", "runs/choice"]].concat(), folder.path()));
    fine(hebbian(&["analyse", "runs/choice", "psychometric", "--trials", "200"], folder.path()));
    let read = |name: &str| -> Vec<Vec<f64>> {
        let path = folder.path().join("runs/choice/analysis").join(name);
        let rows = csv::Reader::from_path(path).unwrap().into_records();
        rows.map(|row| row.unwrap().iter().filter_map(|text| text.parse().ok()).collect()).collect()
    };
    // Network, stimulus, trials, choices to the right: of both networks, eleven stimuli from −0.6 to 0.6.
    let choices = read("psychometric.csv");
    assert_eq!(choices.len(), 22);
    assert_eq!([choices[0][1], choices[10][1]], [-0.6, 0.6]);
    let trials: f64 = choices.iter().map(|row| row[2]).sum();
    assert!((200.0..=408.0).contains(&trials) && choices.iter().all(|row| row[3] <= row[2]), "{trials}");
    // Network, stimulus, trials, steps: at most the 20 of a trial.
    assert!(read("reaction_times.csv").iter().all(|row| (1.0..=20.0).contains(&row[3])));
}

#[test]
fn what_was_chosen_and_done_in_a_world_is_told_and_drawn() {
    let folder = TempDir::new().unwrap();
    let rows = |path: &str| -> Vec<Vec<String>> {
        let rows = csv::Reader::from_path(folder.path().join(path)).unwrap().into_records();
        rows.map(|row| row.unwrap().iter().map(String::from).collect()).collect()
    };
    fine(hebbian(&["train", "two-step", "--networks", "2", "--trials", "60", "--out", "two"], folder.path()));
    fine(hebbian(&["analyse", "two", "choices"], folder.path()));
    // Network, trial, first choice, place, second choice, reward: what metrics.csv has, trial by trial.
    let (choices, metrics) = (rows("two/analysis/choices.csv"), rows("two/metrics.csv"));
    assert_eq!((choices.len(), metrics.len()), (120, 120));
    for row in &metrics {
        let choice = choices.iter().find(|choice| choice[0] == row[2] && choice[1] == row[1]).unwrap();
        assert_eq!(choice[5].parse::<f64>().unwrap(), row[13].parse::<f64>().unwrap(), "{choice:?} {row:?}");
        assert!(["1", "2"].contains(&&*choice[3]) && ["0", "1"].contains(&&*choice[4]));
    }
    let stays = rows("two/analysis/stays.csv");
    let counted = |column: usize| stays.iter().map(|row| row[column].parse::<u64>().unwrap()).sum::<u64>();
    assert_eq!(counted(2), 118);
    assert!((1..118).contains(&counted(3)));
    // A resumed run is repeated as one.
    fine(hebbian(&["train", "--resume", "--out", "two", "--trials", "70"], folder.path()));
    fine(hebbian(&["analyse", "two", "choices"], folder.path()));

    fine(hebbian(&["train", "acrobot", "--networks", "2", "--updates", "1", "--out", "links"], folder.path()));
    fine(hebbian(&["analyse", "links", "episodes", "--trials", "3"], folder.path()));
    assert_eq!(rows("links/analysis/episodes.csv").len(), 6);
    let animation = std::fs::read_to_string(folder.path().join("links/analysis/episode.svg")).unwrap();
    assert_eq!(animation.matches("<animate").count(), 1, "the links move, the line does not");
    one_line_error(hebbian(&["analyse", "two", "episodes"], folder.path()), 1, "task `two-step` cannot be drawn");
    one_line_error(
        hebbian(&["analyse", "links", "choices"], folder.path()),
        1,
        "task `acrobot` is not an environment with one",
    );
}

#[test]
fn what_cannot_be_analysed_is_refused_in_one_line() {
    let folder = TempDir::new().unwrap();
    fine(train(folder.path(), &["--updates", "1"]));
    let analyse = |more: &[&str]| hebbian(&[&["--quiet", "analyse"], more].concat(), folder.path());
    one_line_error(analyse(&["runs/dnms", "weigths"]), 2, "did you mean `weights`?");
    one_line_error(analyse(&["runs/dnms", "subspace"]), 1, "analysis `subspace` does not fit: task `dnms`");
    one_line_error(analyse(&["runs/none", "weights"]), 1, "runs/none");
    let checkpoint = "runs/dnms/checkpoint.safetensors";
    std::fs::rename(folder.path().join(checkpoint), folder.path().join("alone.safetensors")).unwrap();
    one_line_error(analyse(&["alone.safetensors", "learning"]), 1, "metrics.csv");
    one_line_error(analyse(&["alone.safetensors", "decoding", "--trials", "8"]), 1, "at least 5 trials of each class");
    let help = fine(analyse(&["--help"])).stdout;
    assert!(["psychometric", "decoding", "gradient"].iter().all(|name| help.contains(name)), "{help}");
}

#[test]
fn runs_are_compared_silenced_and_cited() {
    let folder = TempDir::new().unwrap();
    fine(train(folder.path(), &["--updates", "1"]));
    fine(train(folder.path(), &["--updates", "1", "--seed", "5", "--out", "runs/other"]));
    let compare = ["analyse", "runs/dnms", "similarity", "--trials", "16"];
    let ran = fine(hebbian(&[&compare[..], &["--with", "runs/other"]].concat(), folder.path()));
    assert!(ran.stdout.contains("networks runs/other and after learning: CKA 0."), "{}", ran.stdout);
    let csv = std::fs::read_to_string(folder.path().join("runs/dnms/analysis/similarity.csv")).unwrap();
    // Six networks: each pair of them, and each with itself.
    assert_eq!(csv.lines().count(), 1 + 6 * 7 / 2);

    let error = |silence: &str| -> f64 {
        let evaluate = ["evaluate", "runs/dnms", "--trials", "8", "--json"];
        let silence: &[&str] = if silence.is_empty() { &[] } else { &["--silence", silence] };
        let ran = fine(hebbian(&[&evaluate[..], silence].concat(), folder.path()));
        let found: serde_json::Value = serde_json::from_str(&ran.stdout).unwrap();
        found["networks"][0]["error"].as_f64().unwrap()
    };
    assert!(error("12..20,22") != error("") && error("12..12") == error(""));
    for (silence, message) in [
        ("0", "neuron 0 cannot be silenced: its rate is an output"),
        ("4000", "neuron 4000 cannot be silenced; expected 0 to "),
        ("a", "--silence: neurons are `a`; expected a number, a range such as 10..20"),
    ] {
        let ran = hebbian(&["evaluate", "runs/dnms", "--silence", silence], folder.path());
        assert!(ran.code == 2 && ran.stderr.contains(message), "{}", ran.stderr);
    }

    let cited = fine(hebbian(&["cite", "runs/dnms"], folder.path())).stdout;
    assert!(cited.contains("@article{Miconi2017,") && cited.contains("@software{hebbian-rnn,"), "{cited}");
}

#[test]
fn shells_and_man_know_every_command() {
    let folder = TempDir::new().unwrap();
    for shell in ["bash", "zsh", "fish"] {
        let completions = fine(hebbian(&["completions", shell], folder.path())).stdout;
        assert!(completions.contains("evaluate") && completions.contains("silence"), "{shell}");
    }
    fine(hebbian(&["manual", "man"], folder.path()));
    let page = std::fs::read_to_string(folder.path().join("man/hebbian-rnn-train.1")).unwrap();
    assert!(page.contains("networks") && folder.path().join("man/hebbian-rnn.1").is_file());
}

#[test]
fn a_missing_file_is_the_same_error_everywhere() {
    let folder = TempDir::new().unwrap();
    for command in [
        "evaluate nothing",
        "simulate nothing --inputs in --out out",
        "inspect nothing",
        "analyse nothing",
        "cite nothing",
        "train --config nothing --out run",
        "train --task-file nothing --out run",
        "train dnms --init nothing --out run",
    ] {
        let words: Vec<&str> = command.split(' ').collect();
        one_line_error(hebbian(&words, folder.path()), 1, "nothing");
    }
    assert!(!folder.path().join("run").exists());
}
