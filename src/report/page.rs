//! What the page says, worked out for its template, `page.html`, which escapes all text.

use super::command::{bare, command, keys, quoted, Key};
use super::picture::EmbeddedPicture;
use super::RunReport;
use crate::analysis::{Analysis, Findings};
use crate::error::{Error, Result};
use crate::presets::find_task;
use crate::quantile::{quantile, quantile_with_missing};
use crate::storage::CHECKPOINT_FILE;
use crate::training::StopReason;
use crate::training::{MORE_THAN, WINDOW};
use minijinja::value::Serde;
use minijinja::{Environment, UndefinedBehavior};
use serde::Serialize;

/// Everything the template reads.
#[derive(Serialize)]
struct Page<'a> {
    style: &'a str,
    program: &'a str,
    title: String,
    summary: Option<&'a str>,
    neurons: usize,
    batch: usize,
    seed: u64,
    trace: Option<String>,
    stopped: String,
    figures: Vec<(&'a str, String)>,
    failures: Vec<(&'a str, String)>,
    criterion: String,
    chance: Option<(f64, String)>,
    curve: &'a EmbeddedPicture,
    trials: &'a EmbeddedPicture,
    networks: Vec<Network>,
    score_trials: u64,
    measure: &'a str,
    analyses: Vec<Section>,
    command: Option<String>,
    done: String,
    checkpoint: &'a str,
    sha256: &'a str,
    changes: String,
    configuration: Vec<Table>,
}

#[derive(Serialize)]
struct Network {
    number: u64,
    reached: Option<u64>,
    error: String,
    correct: String,
}

/// What an analysis found, or why it could not be made.
#[derive(Serialize)]
struct Section {
    name: &'static str,
    title: &'static str,
    summary: &'static str,
    error: Option<String>,
    figures: Vec<(String, String)>,
    pictures: Vec<EmbeddedPicture>,
}

#[derive(Serialize)]
struct Table {
    name: String,
    keys: Vec<Row>,
}

#[derive(Serialize)]
struct Row {
    name: String,
    value: String,
    changed: bool,
    default: String,
}

/// The page of a report.
pub(super) fn page(report: &RunReport, curve: &EmbeddedPicture, trials: &EmbeddedPicture) -> Result<String> {
    let checkpoint = report.checkpoint;
    let (config, task) = (&checkpoint.setup.config, &checkpoint.setup.task);
    // A task of the user's own has no defaults here, and no command.
    let keys = keys(&checkpoint.setup).unwrap_or_default();
    let line = |words: Vec<String>| words.iter().map(|word| quoted(word)).collect::<Vec<_>>().join(" ");
    let page = Page {
        style: include_str!("style.css"),
        program: &checkpoint.program,
        title: format!("{}, {}", task.name(), config.rule.name),
        summary: find_task(task.name()).map(|info| info.summary).ok(),
        neurons: config.network.neurons,
        batch: config.train.batch,
        seed: config.train.seed,
        trace: config.fast_weights.describe(),
        stopped: stopped(report),
        figures: figures(report),
        failures: failures(report),
        criterion: format!(
            "more than {MORE_THAN} of the last {WINDOW} training trials correct, an error below {} being correct",
            task.correct_below()
        ),
        chance: task.chance(),
        curve,
        trials,
        networks: networks(report),
        score_trials: report.score_trials,
        measure: task.measure().label(),
        analyses: report.findings.iter().map(section).collect::<Result<_>>()?,
        command: command(&checkpoint.setup).ok().map(line),
        done: done(report),
        checkpoint: CHECKPOINT_FILE,
        sha256: &report.checkpoint_sha256,
        changes: match keys.iter().filter(|key| key.changed()).count() {
            0 => "Every key has the default of this task and rule.".into(),
            1 => "One key differs from the default of this task and rule; it is marked.".into(),
            count => format!("{count} keys differ from the defaults of this task and rule; they are marked."),
        },
        configuration: keys.chunk_by(|a, b| a.table == b.table).map(table).collect(),
    };
    let mut templates = Environment::new();
    templates.set_undefined_behavior(UndefinedBehavior::Strict);
    // The name's ending is what has text escaped as HTML.
    let rendered = templates
        .add_template("page.html", include_str!("page.html"))
        .and_then(|()| templates.get_template("page.html")?.render(Serde(page)));
    Ok(rendered.map_err(|error| Error::Bug(format!("filling the page in: {error}")))? + "\n")
}

fn done(report: &RunReport) -> String {
    format!("{} updates, {} trials of each network", report.checkpoint.updates, report.checkpoint.trials())
}

/// Why the run stopped, in a sentence.
fn stopped(report: &RunReport) -> String {
    let checkpoint = report.checkpoint;
    let done = done(report);
    match checkpoint.finished() {
        Some(StopReason::Criterion) => {
            format!("Stopped because every network had reached the criterion, after {done}.")
        }
        Some(StopReason::Frozen) => format!("Stopped because every network had diverged, after {done}."),
        Some(StopReason::Limit) => format!("Stopped at its limit, after {done}."),
        Some(StopReason::Interrupted) | None => {
            format!("Not finished: it stands at {done}. hebbian-rnn train --resume --out FOLDER goes on with it.")
        }
    }
}

/// The figures that matter most.
fn figures(report: &RunReport) -> Vec<(&'static str, String)> {
    let reached: Vec<Option<f64>> = report.scores.iter().map(|s| s.criterion_trials.map(|t| t as f64)).collect();
    let quartile = |q| quantile_with_missing(&reached, q).map_or("not reached".to_string(), |t| format!("{t:.0}"));
    let median = |values: Vec<f64>| quantile(&values, 0.5).map_or("not a number".to_string(), |v| format!("{v:.3}"));
    let mut figures = vec![
        ("reached the criterion", format!("{} of {}", reached.iter().flatten().count(), reached.len())),
        ("median trials to criterion", quartile(0.5)),
    ];
    if reached.len() > 1 {
        figures.push(("quartiles", format!("{}, {}", quartile(0.25), quartile(0.75))));
    }
    figures.push(("median error, fresh trials", median(report.scores.iter().map(|s| s.error).collect())));
    figures.push(("median fraction correct", median(report.scores.iter().map(|s| s.fraction_correct).collect())));
    figures
}

/// The networks that did not do what was hoped.
fn failures(report: &RunReport) -> Vec<(&'static str, String)> {
    let missing: Vec<String> =
        report.scores.iter().filter(|s| s.criterion_trials.is_none()).map(|s| s.network.to_string()).collect();
    let plural = if missing.len() == 1 { "" } else { "s" };
    let mut failures = Vec::new();
    if !missing.is_empty() && report.checkpoint.updates > 0 {
        failures.push(("Did not reach the criterion", format!("network{plural} {}.", missing.join(", "))));
    }
    for score in report.scores {
        if let Some(frozen) = score.frozen {
            failures.push(("Diverged", format!("network {} {frozen}. It was kept as it was before.", score.network)));
        }
    }
    failures
}

fn networks(report: &RunReport) -> Vec<Network> {
    let network = |score: &crate::runs::Score| Network {
        number: score.network,
        reached: score.criterion_trials,
        error: format!("{:.3}", score.error),
        correct: format!("{:.3}", score.fraction_correct),
    };
    report.scores.iter().map(network).collect()
}

fn section((analysis, found): &(&'static Analysis, Result<Findings>)) -> Result<Section> {
    let mut section = Section {
        name: analysis.name,
        title: analysis.title,
        summary: analysis.summary,
        error: None,
        figures: Vec::new(),
        pictures: Vec::new(),
    };
    match found {
        Ok(found) => {
            section.figures = found.summary.clone();
            for picture in &found.pictures {
                let words = format!("{}. {}", picture.panels.title, picture.caption);
                section.pictures.push(EmbeddedPicture::new(&picture.panels.svg(), words, picture.caption.as_str())?);
            }
        }
        Err(error) => section.error = Some(format!("{error}")),
    }
    Ok(section)
}

fn table(keys: &[Key]) -> Table {
    let row = |key: &Key| Row {
        name: key.name.clone(),
        value: bare(&key.value),
        changed: key.changed(),
        default: key.default.as_ref().map_or("none".to_string(), bare),
    };
    Table { name: keys[0].table.clone(), keys: keys.iter().map(row).collect() }
}
