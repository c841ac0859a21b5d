//! Fills in the page's template, `head.html` and `run.html`, which escapes all text.

use super::command::{bare, command, keys, quoted, Key};
use super::figures::{sample_trials_of, LearningCurve};
use super::RunReport;
use crate::analysis::{Analysis, Findings};
use crate::error::{Error, Result};
use crate::plot::Canvas;
use crate::presets::find_task;
use crate::quantile::{quantile, quantile_with_missing};
use crate::runs::{by_type, name_trials, Score, TypeScore};
use crate::setup::Setup;
use crate::tasks::Problem;
use crate::text::is_hidden;
use crate::training::{StopReason, CHECKPOINT_FILE, MORE_THAN, WINDOW};
use minijinja::value::{Serde, Value};
use minijinja::{context, Environment, UndefinedBehavior};

/// The page of a report.
pub(super) fn page(report: &RunReport) -> Result<String> {
    render(include_str!("run.html"), values(report)?)
}

/// A page with its values filled in: `head.html`, then `rest`.
pub(crate) fn render(rest: &str, values: Value) -> Result<String> {
    let mut templates = Environment::new();
    templates.set_undefined_behavior(UndefinedBehavior::Strict);
    // Text is escaped as HTML because the template's name ends in `.html`.
    let rendered = templates
        .add_template_owned("page.html", format!("{}{rest}", include_str!("head.html")))
        .and_then(|()| templates.get_template("page.html")?.render(values));
    let page = rendered.map_err(|error| Error::Bug(format!("filling in the page: {error}")))? + "\n";
    // Hidden characters in names of a task file or in values of the configuration must not reverse the text around
    // them.
    Ok(page.replace(|c: char| is_hidden(c) && !c.is_control(), "\u{fffd}"))
}

fn values(report: &RunReport) -> Result<Value> {
    let checkpoint = report.checkpoint;
    let Setup { config, task, .. } = &checkpoint.setup;
    // A task of the user's own has no defaults here, and no command.
    let keys = keys(&checkpoint.setup).unwrap_or_default();
    let command = command(&checkpoint.setup).ok();
    let done = format!("{} updates, {} trials of each network", checkpoint.updates, checkpoint.trials());
    Ok(context! {
        style => include_str!("style.css"),
        program => &checkpoint.program,
        title => format!("{}, {}", task.name(), config.rule.name),
        summary => find_task(task.name()).map(|info| info.summary).ok(),
        neurons => config.network.neurons,
        batch => config.train.batch,
        seed => config.train.seed,
        trace => config.fast_weights.describe(),
        stopped => stopped(checkpoint.finished(), &done),
        figures => Serde(figures(report.scores)),
        failures => Serde(failures(report)),
        criterion => match task {
            Problem::Episodes(episodes) => format!(
                "a mean return of at least {} in the last {WINDOW} training episodes",
                episodes.environment.solved()
            ),
            Problem::Trials(task) => format!(
                "more than {MORE_THAN} of the last {WINDOW} training trials correct; an error below {} counts as correct",
                task.correct_below()
            ),
        },
        chance => Serde(task.chance()),
        curve => curve(report),
        trials => trials(report)?,
        networks => report.scores.iter().map(network).collect::<Value>(),
        score_trials => name_trials(task, report.score_trials),
        drawn => if task.trials().is_some_and(|task| task.each_once().is_some()) { "Trials" } else { "Fresh trials" },
        types => by_type(report.scores).iter().map(of_type).collect::<Value>(),
        judged => task.measure().word(),
        measure => task.measure().label(),
        analyses => report.findings.iter().map(section).collect::<Value>(),
        brought => config.brought_by_rule()?.join(", "),
        command => command.map(|words| words.iter().map(|word| quoted(word)).collect::<Vec<_>>().join(" ")),
        done,
        checkpoint => CHECKPOINT_FILE,
        sha256 => &report.checkpoint_sha256,
        changes => match keys.iter().filter(|key| key.changed()).count() {
            0 => "Every key has the default of this task and rule.".into(),
            1 => "One key differs from the default of this task and rule; it is marked.".into(),
            count => format!("{count} keys differ from the defaults of this task and rule; they are marked."),
        },
        configuration => keys.chunk_by(|a, b| a.parts().0 == b.parts().0).map(table).collect::<Value>(),
    })
}

/// A picture, with a caption and a text alternative for those who cannot see it.
pub(crate) fn picture(canvas: &Canvas, words: String, caption: &str) -> Value {
    context! { svg => canvas.inline_svg(), words, caption }
}

fn curve(report: &RunReport) -> Value {
    let setup = &report.checkpoint.setup;
    let mean = |update: u64| {
        let errors: Vec<f64> =
            report.rows.iter().filter(|row| row.update == update).map(|row| row.measured()).collect();
        errors.iter().sum::<f64>() / errors.len() as f64
    };
    let in_update = |update: u64| format!("{:.3} in update {update}", mean(update));
    let words = match (report.rows.first(), report.rows.last()) {
        (Some(first), Some(last)) => format!(
            "Learning curve: {} against trials per network, {}, {} (mean over networks).",
            setup.task.measure().label(),
            in_update(first.update),
            in_update(last.update)
        ),
        _ => "Learning curve: no updates yet.".into(),
    };
    picture(
        &LearningCurve::of(String::new(), setup, &report.rows).curves(report.log).draw(),
        words,
        "During training, with exploratory perturbations. Orange marks show where networks reached the criterion.",
    )
}

fn trials(report: &RunReport) -> Result<Value> {
    let trials = sample_trials_of(report.checkpoint)?;
    let (words, caption) = match report.checkpoint.setup.task {
        Problem::Episodes(_) => (
            "for each, the observations and actions, step by step",
            "Observations and actions in the first steps, without exploration.",
        ),
        Problem::Trials(_) => (
            "for each, the inputs and, below them, the output and its target over time",
            "Inputs above; below, the output in colour and its target dashed. The output is scored in the shaded periods.",
        ),
    };
    Ok(picture(&trials.draw(), format!("{}; {words}.", trials.title), caption))
}

/// Why the run stopped, in a sentence.
fn stopped(reason: Option<StopReason>, done: &str) -> String {
    let why = match reason {
        Some(StopReason::Criterion) => "because every network had reached the criterion",
        Some(StopReason::Frozen) => "because every network had diverged",
        Some(StopReason::Limit) => "at its limit",
        Some(StopReason::Interrupted) | None => {
            return format!("Not finished: {done} so far. Continue with hebbian-rnn train --resume --out FOLDER.");
        }
    };
    format!("Stopped {why}, after {done}.")
}

/// The main figures over networks.
fn figures(scores: &[Score]) -> Vec<(&'static str, String)> {
    let reached: Vec<Option<f64>> = scores.iter().map(|s| s.criterion_trials.map(|t| t as f64)).collect();
    let quartile = |q| quantile_with_missing(&reached, q).map_or("not reached".to_string(), |t| format!("{t:.0}"));
    let median = |value: fn(&Score) -> f64| {
        let values: Vec<f64> = scores.iter().map(value).collect();
        quantile(&values, 0.5).map_or("not a number".to_string(), |v| format!("{v:.3}"))
    };
    let mut figures = vec![
        ("reached the criterion", format!("{} of {}", reached.iter().flatten().count(), reached.len())),
        ("median trials to criterion", quartile(0.5)),
    ];
    if reached.len() > 1 {
        figures.push(("quartiles", format!("{}, {}", quartile(0.25), quartile(0.75))));
    }
    figures.push(match scores.iter().all(|s| s.returns.is_some()) {
        true => ("median return after training", median(|s| -s.error)),
        false => ("median error after training", median(|s| s.error)),
    });
    figures.push(("median fraction correct", median(|s| s.fraction_correct)));
    figures
}

/// The networks that did not reach the criterion or diverged.
fn failures(report: &RunReport) -> Vec<(&'static str, String)> {
    let missing = report.scores.iter().filter(|s| s.criterion_trials.is_none() && report.checkpoint.updates > 0);
    let missing: Vec<String> = missing.map(|s| s.network.to_string()).collect();
    let mut failures = Vec::new();
    if !missing.is_empty() {
        let plural = if missing.len() == 1 { "" } else { "s" };
        failures.push(("Did not reach the criterion", format!("network{plural} {}.", missing.join(", "))));
    }
    let diverged = report.scores.iter().filter_map(|score| Some((score.network, score.frozen.as_ref()?)));
    let said =
        |(network, frozen)| ("Diverged", format!("network {network} {frozen}. It keeps the weights from before that."));
    failures.extend(diverged.map(said));
    failures
}

fn of_type(score: &TypeScore) -> Value {
    context! {
        name => &score.name,
        trials => score.trials,
        error => format!("{:.3}", score.error),
        correct => format!("{:.3}", score.fraction_correct),
    }
}

fn network(score: &Score) -> Value {
    context! {
        number => score.network,
        reached => score.criterion_trials,
        error => format!("{:.3}", score.returns.map_or(score.error, |returns| returns.mean_return)),
        correct => format!("{:.3}", score.fraction_correct),
    }
}

/// The findings of an analysis, or why it failed.
fn section((analysis, found): &(&'static Analysis, Result<Findings>)) -> Value {
    let found = found.as_ref();
    let figures = found.iter().flat_map(|found| &found.summary);
    let pictures = found.iter().flat_map(|found| &found.pictures).map(|shown| {
        let words = format!("{}. {}", shown.panels.title, shown.caption);
        picture(&shown.panels.draw(), words, &shown.caption)
    });
    let animations = found.iter().flat_map(|found| &found.animations).map(|(name, svg)| {
        let words = format!("One {name}, played in a loop.");
        context! { svg, caption => &words, words }
    });
    context! {
        name => analysis.name,
        title => analysis.title,
        summary => analysis.summary,
        error => found.err().map(ToString::to_string),
        figures => figures.map(|f| context! { name => &f.name, text => &f.text }).collect::<Value>(),
        pictures => pictures.chain(animations).collect::<Value>(),
    }
}

/// The keys of one table of the configuration.
fn table(keys: &[Key]) -> Value {
    let row = |key: &Key| {
        context! {
            name => key.parts().1,
            value => bare(&key.setting.value),
            changed => key.changed(),
            default => key.default.as_ref().map_or("none".to_string(), bare),
        }
    };
    context! { name => keys[0].parts().0, keys => keys.iter().map(row).collect::<Value>() }
}
