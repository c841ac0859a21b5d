//! What a key, a rule, a task or a column means: from the documentation of the code itself, so that it cannot go stale.

use crate::config::{Config, Setting};
use crate::error::{Error, Result};
use crate::presets::{all_tasks, keys, TaskInfo, TABLES};
use crate::rules::{RuleInfo, RULES};
use crate::text::fields;
use crate::training::NetworkReport;
use std::fmt::Write;
use toml::Value;

/// The values that a key has by default: each with the tasks that have it, the most frequent first.
fn usual_values(key: &str, defaults: &[(&'static str, Vec<Setting>)]) -> Vec<(String, Vec<&'static str>)> {
    let mut values: Vec<(String, Vec<&'static str>)> = Vec::new();
    for (task, settings) in defaults {
        let found = settings.iter().find(|setting| setting.key == key);
        let value = found.map_or("not set".to_string(), |setting| setting.value.to_string());
        match values.iter_mut().find(|(known, _)| *known == value) {
            Some((_, tasks)) => tasks.push(task),
            None => values.push((value, vec![task])),
        }
    }
    values.sort_by_key(|(_, tasks)| std::cmp::Reverse(tasks.len()));
    values
}

/// The usual values in words: "1.5; 0.8 for bandit, two-step".
fn in_words(values: &[(String, Vec<&'static str>)]) -> String {
    let Some(((most, _), others)) = values.split_first() else { return "not set".into() };
    let others = others.iter().map(|(value, tasks)| format!("; {value} for {}", tasks.join(", ")));
    others.fold(most.clone(), |text, other| text + &other)
}

/// The settings of every task with its usual rule.
fn all_defaults() -> Result<Vec<(&'static str, Vec<Setting>)>> {
    let of = |task: &'static TaskInfo| {
        let config: Config = task.config()?;
        Ok((task.name, Setting::from_toml(&config.to_toml()?, "the defaults")?))
    };
    all_tasks().map(of).collect()
}

/// Every parameter of a task or a rule, one in a line.
fn parameters(table: &str, parameters: Vec<(&'static str, Value, String)>) -> String {
    let line = |(name, default, meaning): (&str, Value, String)| format!("\n  {table}.{name} = {default}: {meaning}");
    parameters.into_iter().map(line).collect()
}

fn explain_task(task: &TaskInfo) -> Result<String> {
    let (name, summary, rule) = (task.name, task.summary, task.rule);
    Ok(format!("task {name}: {summary}\n  usual rule: {rule}{}", parameters("task", task.parameters()?)))
}

fn explain_rule(rule: &RuleInfo) -> String {
    format!("rule {}: {}{}", rule.name, rule.summary, parameters("rule", rule.parameters()))
}

/// What `name` means: a key of the configuration, with its table or without, a task, a rule, or a column of `metrics.csv`.
/// If it is several of these, all are told.
///
/// # Errors
/// [`Error::Unknown`] if it is none of them; the error suggests a similar name.
pub fn explain(name: &str) -> Result<String> {
    let mut found = Vec::new();
    let is = |key: &str| key == name || key.split_once('.').is_some_and(|(_, key)| key == name);
    let (keys, defaults) = (keys(), all_defaults()?);
    for (key, meaning) in keys.iter().filter(|(key, _)| is(key)) {
        found.push(format!("{key}: {meaning}\n  usually {}", in_words(&usual_values(key, &defaults))));
    }
    for task in all_tasks() {
        if task.name == name {
            found.push(explain_task(task)?);
        }
        for (key, default, meaning) in task.parameters()?.into_iter().filter(|(key, ..)| is(&format!("task.{key}"))) {
            found.push(format!("task.{key} of {}: {meaning}\n  usually {default}", task.name));
        }
    }
    for rule in RULES {
        if rule.name == name {
            found.push(explain_rule(rule));
        }
        for (key, default, meaning) in rule.parameters().into_iter().filter(|(key, ..)| is(&format!("rule.{key}"))) {
            found.push(format!("rule.{key} of {}: {meaning}\n  usually {default}", rule.name));
        }
    }
    for (_, meaning) in fields::<NetworkReport>().into_iter().filter(|(column, _)| *column == name) {
        found.push(format!("column {name} of metrics.csv: {meaning}"));
    }
    if !found.is_empty() {
        return Ok(found.join("\n\n"));
    }
    let names = all_tasks().map(|task| task.name).chain(RULES.iter().map(|rule| rule.name));
    Err(Error::unknown("name", name, keys.iter().map(|(key, _)| &key[..]).chain(names)))
}

/// Everything that [`explain`] knows, as a page in Markdown.
///
/// # Errors
/// [`Error::Bug`] if defaults cannot be written as TOML.
pub fn reference() -> Result<String> {
    let mut page = String::from(
        "# Reference\n\nEvery key of a configuration, task, rule and column, as `hebbian-rnn explain` tells them one by one; \
         `hebbian-rnn explain` without a name writes this page. What equations they enter is in [model.md](model.md).\n",
    );
    let (keys, defaults) = (keys(), all_defaults()?);
    // A bar would end a cell.
    let cell = |text: &str| text.replace('|', "\\|");
    let mut lines = |text: String| {
        // Writing to a string cannot fail.
        let _ = writeln!(page, "{text}");
    };
    for table in TABLES {
        lines(format!("\n## `{table}`\n\n| key | meaning | usually |\n|---|---|---|"));
        let of_table = |key: &str| key.split_once('.').is_some_and(|(of, _)| of == table);
        for (key, meaning) in keys.iter().filter(|(key, _)| of_table(key)) {
            let usual = in_words(&usual_values(key, &defaults));
            lines(format!("| `{key}` | {} | {} |", cell(meaning), cell(&usual)));
        }
    }
    let mut entry = |name: &str, summary: &str, table: &str, parameters: Vec<(&'static str, Value, String)>| {
        lines(format!("\n## {table} `{name}`\n\n{summary}"));
        if !parameters.is_empty() {
            lines("\n| parameter | meaning | default |\n|---|---|---|".into());
        }
        for (key, default, meaning) in parameters {
            lines(format!("| `{table}.{key}` | {} | {} |", cell(&meaning), cell(&default.to_string())));
        }
    };
    for task in all_tasks() {
        entry(task.name, &format!("{}. Usual rule: `{}`.", task.summary, task.rule), "task", task.parameters()?);
    }
    for rule in RULES {
        entry(rule.name, &format!("{}.", rule.summary), "rule", rule.parameters());
    }
    lines("\n## Columns of metrics.csv\n\n| column | meaning |\n|---|---|".into());
    for (column, meaning) in fields::<NetworkReport>() {
        lines(format!("| `{column}` | {} |", cell(&meaning)));
    }
    Ok(page)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn every_key_of_every_task_and_rule_has_a_meaning() {
        let meanings = keys();
        let known: BTreeSet<&str> = meanings.iter().map(|(key, _)| &key[..]).collect();
        for (task, rule) in all_tasks().flat_map(|task| RULES.iter().map(move |rule| (task, rule))) {
            let own: BTreeSet<String> = task
                .parameters()
                .unwrap()
                .iter()
                .map(|(key, ..)| format!("task.{key}"))
                .chain(rule.parameters().iter().map(|(key, ..)| format!("rule.{key}")))
                .collect();
            let config = task.defaults(rule).to_toml().unwrap();
            for Setting { key, .. } in Setting::from_toml(&config, "").unwrap() {
                let there =
                    known.contains(&key[..]) || own.contains(&key) || ["task.name", "curriculum"].contains(&&key[..]);
                assert!(there, "{key} of {} with {}", task.name, rule.name);
            }
        }
        assert!(meanings.iter().all(|(_, meaning)| meaning.len() > 5));
    }

    #[test]
    fn the_page_in_the_docs_is_the_one_that_is_written() {
        assert!(
            include_str!("../../docs/reference.md") == reference().unwrap(),
            "hebbian-rnn explain > docs/reference.md"
        );
    }

    #[test]
    fn names_are_explained_and_near_ones_suggested() {
        let gain = explain("gain").unwrap();
        assert!(explain("network.output").unwrap().contains("One of: neurons, readout."));
        assert!(gain.starts_with("network.gain: ") && gain.contains("usually 1.5; "), "{gain}");
        assert!(explain("rule.x_mean_decay").unwrap().contains("rule.x_mean_decay of eh"));
        assert!(explain("delta-x").unwrap().starts_with("rule delta-x: "));
        assert!(explain("dnms").unwrap().contains("task.second_stimulus = 400"));
        assert!(explain("frozen").unwrap().starts_with("column frozen of metrics.csv"));
        assert!(explain("network.gian").unwrap_err().to_string().contains("did you mean `network.gain`?"));
    }
}
