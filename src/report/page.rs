//! The page's HTML. Text is escaped by the template; only the program's own pictures and style are put in as they are.

use super::command::{bare, command, keys, quoted, Key};
use super::picture::Picture;
use super::Report;
use crate::criterion::{MORE_THAN, WINDOW};
use crate::plot::{quantile, quantile_with_missing};
use crate::task;
use crate::training::{finished, StopReason};
use maud::{html, Markup, PreEscaped, DOCTYPE};

const STYLE: &str = include_str!("style.css");

pub(super) fn page(report: &Report, curve: &Picture, trials: &Picture) -> Markup {
    let (checkpoint, task) = (report.checkpoint, report.task);
    let config = &checkpoint.config;
    let title = format!("{}, {}", task.name(), config.rule.name.as_str());
    let summary = task::find(task.name()).map(|info| info.summary).ok();
    let networks = config.train.networks;
    let plural = if networks.count() == 1 { "network" } else { "networks" };
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                // Nothing is fetched and nothing runs, whatever names the user gave things.
                meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'";
                meta name="generator" content={ "hebbian-rnn " (checkpoint.program) };
                title { (title) " – hebbian-rnn" }
                style { (PreEscaped(STYLE)) }
            }
            body {
                header {
                    h1 { (title) }
                    @if let Some(summary) = summary { p.lead { (summary) } }
                    p {
                        (networks.count()) " " (plural) " of " (config.network.neurons) " neurons, "
                        (config.train.batch) " trials at a time, seed " (config.train.seed)
                        @if let Some(trace) = config.trace.describe() { "; " (trace) }
                        "."
                    }
                }
                main {
                    (outcome(report))
                    section aria-labelledby="curve" {
                        h2 #curve { "Learning curve" }
                        (curve.figure())
                    }
                    section aria-labelledby="trials" {
                        h2 #trials { "Fresh trials" }
                        (trials.figure())
                    }
                    (scores(report))
                    (reproduce(report))
                    (configuration(report))
                }
            }
        }
    }
}

/// Why the run stopped, in a sentence.
fn stopped(report: &Report) -> String {
    let checkpoint = report.checkpoint;
    let train = &checkpoint.config.train;
    let reached: Vec<Option<u64>> = checkpoint.criterion.iter().map(|c| c.reached_at()).collect();
    let done = format!("{} updates, {} trials of each network", checkpoint.updates, checkpoint.trials());
    match finished(train, checkpoint.updates, &reached) {
        Some(StopReason::Criterion) => format!("Stopped because every network had reached the criterion, after {done}."),
        Some(StopReason::Limit) => format!("Stopped at its limit, after {done}."),
        Some(StopReason::Interrupted) | None => {
            format!("Not finished: it stands at {done}. hebbian-rnn train --resume --out FOLDER goes on with it.")
        }
    }
}

fn outcome(report: &Report) -> Markup {
    let checkpoint = report.checkpoint;
    let reached: Vec<Option<f64>> = report.scores.iter().map(|s| s.criterion_trials.map(|t| t as f64)).collect();
    let count = reached.iter().flatten().count();
    let quartile = |q| quantile_with_missing(&reached, q).map_or("not reached".to_string(), |t| format!("{t:.0}"));
    let median = |values: Vec<f64>| quantile(&values, 0.5).map_or("not a number".to_string(), |v| format!("{v:.3}"));
    let missing: Vec<String> =
        report.scores.iter().filter(|s| s.criterion_trials.is_none()).map(|s| s.network.to_string()).collect();
    html! {
        section aria-labelledby="outcome" {
            h2 #outcome { "Outcome" }
            p { (stopped(report)) }
            dl.figures {
                div { dt { "reached the criterion" } dd { (count) " of " (reached.len()) } }
                div { dt { "median trials to criterion" } dd { (quartile(0.5)) } }
                @if reached.len() > 1 {
                    div { dt { "quartiles" } dd { (quartile(0.25)) ", " (quartile(0.75)) } }
                }
                div { dt { "median error, fresh trials" } dd { (median(report.scores.iter().map(|s| s.error).collect())) } }
                div {
                    dt { "median fraction correct" }
                    dd { (median(report.scores.iter().map(|s| s.fraction_correct).collect())) }
                }
            }
            @if !missing.is_empty() && checkpoint.updates > 0 {
                p { strong { "Did not reach the criterion: " } "network" @if missing.len() > 1 { "s" } " " (missing.join(", ")) "." }
            }
            p.note {
                "The criterion: more than " (MORE_THAN) " of the last " (WINDOW) " training trials correct, an error below "
                (report.task.correct_below()) " being correct."
                @if let Some((error, why)) = report.task.chance() { " Chance is an error of " (error) ": " (why) "." }
            }
        }
    }
}

fn scores(report: &Report) -> Markup {
    html! {
        section aria-labelledby="networks" {
            h2 #networks { "Each network" }
            div.table tabindex="0" role="group" aria-labelledby="networks" {
                table {
                    caption {
                        "On " (report.score_trials) " fresh trials each, weights frozen, without perturbation; the error is the "
                        (report.task.measure().label()) "."
                    }
                    thead {
                        tr {
                            th scope="col" { "network" }
                            th.number scope="col" { "trials to criterion" }
                            th.number scope="col" { "error" }
                            th.number scope="col" { "fraction correct" }
                        }
                    }
                    tbody {
                        @for score in report.scores {
                            tr {
                                th scope="row" { (score.network) }
                                td.number {
                                    @match score.criterion_trials {
                                        Some(trials) => (trials),
                                        None => span.missing { "not reached" },
                                    }
                                }
                                td.number { (format!("{:.3}", score.error)) }
                                td.number { (format!("{:.3}", score.fraction_correct)) }
                            }
                        }
                    }
                }
            }
        }
    }
}

fn reproduce(report: &Report) -> Markup {
    let checkpoint = report.checkpoint;
    let words = command(&checkpoint.config, report.task).ok();
    let line = words.map(|words| words.iter().map(|word| quoted(word)).collect::<Vec<_>>().join(" "));
    html! {
        section aria-labelledby="again" {
            h2 #again { "The same run again" }
            @if let Some(line) = line { pre { code { "hebbian-rnn " (line) } } }
            p {
                "or, with the file beside this page, " code { "hebbian-rnn train --config config.toml --out AGAIN" } "."
            }
            dl.facts {
                dt { "program" } dd { "hebbian-rnn " (checkpoint.program) }
                dt { "seed" } dd { (checkpoint.config.train.seed) }
                dt { "stands at" }
                dd { (checkpoint.updates) " updates, " (checkpoint.trials()) " trials of each network" }
                dt { "checkpoint" }
                dd { code { (crate::checkpoint::FILE_NAME) } ", SHA-256 " code { (report.checkpoint_sha256) } }
            }
        }
    }
}

fn configuration(report: &Report) -> Markup {
    let config = &report.checkpoint.config;
    // A task of the user's own has no defaults here, and its keys are known to its program alone.
    let keys = keys(config, report.task).unwrap_or_default();
    let tables: Vec<&[Key]> = keys.chunk_by(|a, b| a.table == b.table).collect();
    html! {
        section aria-labelledby="configuration" {
            h2 #configuration { "Configuration" }
            p {
                @match keys.iter().filter(|key| key.changed()).count() {
                    0 => "Every key has the default of this task and rule.",
                    1 => "One key differs from the default of this task and rule; it is marked.",
                    count => (format!("{count} keys differ from the defaults of this task and rule; they are marked.")),
                }
            }
            div.tables {
                @for table in tables {
                    table.keys {
                        caption { (table[0].table) }
                        tbody {
                            @for key in table {
                                tr.changed[key.changed()] {
                                    th scope="row" { (key.name) }
                                    td {
                                        (bare(&key.value))
                                        @if key.changed() {
                                            span.default {
                                                " – changed; default "
                                                (key.default.as_ref().map_or("none".to_string(), bare))
                                            }
                                        }
                                    }
                                }
                            }
                        }
                    }
                }
            }
        }
    }
}
