//! Explains keys, rules, tasks and columns with the code's own documentation, so that the text cannot go stale.

use crate::config::{Setting, LIFE_TABLES, TABLES};
use crate::error::{Error, Result};
use crate::keys;
use crate::model::population_models;
use crate::papers::Paper;
use crate::presets::{all_tasks, find_task, LifeInfo, TaskInfo, LIVES};
use crate::rules::{RULES, SYNAPSE_RULES};
use crate::text::{fields, nearest};
use crate::training::NetworkReport;
use serde::Serialize;
use serde_json::json;
use toml::Value;

/// The default values of a key, each with its tasks, the most frequent first.
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
fn in_words(values: &[(String, Vec<&'static str>)]) -> Option<String> {
    let ((most, _), others) = values.split_first()?;
    let others = others.iter().map(|(value, tasks)| format!("; {value} for {}", tasks.join(", ")));
    Some(others.fold(most.clone(), |text, other| text + &other))
}

/// A key, or a column, and what it means.
#[derive(Clone, Serialize)]
struct Key {
    /// Its full name; NAME and FROM-TO stand for any.
    name: String,
    meaning: String,
    /// Its usual value, if there is one.
    usual: Option<String>,
}

impl Key {
    /// Whether `asked` is this key or the last parts of its name.
    fn is(&self, asked: &str) -> bool {
        let (mut own, mut asked) = (self.name.rsplit('.'), asked.rsplit('.'));
        asked.all(|part| own.next().is_some_and(|own| own == part || ["NAME", "FROM-TO"].contains(&own)))
    }
}

/// Something that has keys: a table shared by all tasks or lives, or anything with its own name.
#[derive(Default)]
struct Subject {
    /// Its kind, such as "task" in "task dnms".
    kind: &'static str,
    name: &'static str,
    summary: String,
    /// Lines about it: its equation, and the settings that it changes.
    notes: Vec<String>,
    papers: &'static [&'static Paper],
    keys: Vec<Key>,
}

impl Subject {
    /// A table of keys that tasks or lives share; the usual values are taken from `defaults`.
    fn table(
        name: &'static str,
        summary: &str,
        keys: Vec<keys::Key>,
        defaults: &[(&'static str, Vec<Setting>)],
    ) -> Self {
        let explained = |key: keys::Key| {
            let name = format!("{name}.{}", key.name);
            Key { meaning: key.explanation(), usual: in_words(&usual_values(&name, defaults)), name }
        };
        let keys = keys.into_iter().map(explained).collect();
        Subject { kind: "table", name, summary: summary.into(), keys, ..Subject::default() }
    }

    /// The notes, and the papers on which it is based.
    fn notes(&self) -> Vec<String> {
        let source = |paper: &&Paper| Some(format!("{}, {}", paper.short(), paper.url()?));
        let sources: Vec<String> = self.papers.iter().filter_map(source).collect();
        let sources = (!sources.is_empty()).then(|| format!("sources: {}", sources.join("; ")));
        self.notes.iter().cloned().chain(sources).collect()
    }
}

/// The keys of a table from its parameters, each with its default and its meaning.
fn with_values(table: &str, parameters: Vec<(String, Value, String)>) -> Vec<Key> {
    let key = |(key, usual, meaning): (String, Value, String)| Key {
        name: format!("{table}.{key}"),
        meaning,
        usual: Some(usual.to_string()),
    };
    parameters.into_iter().map(key).collect()
}

/// Everything that can be explained.
fn subjects() -> Result<Vec<Subject>> {
    let of_task =
        |task: &'static TaskInfo| Ok((task.name, Setting::from_toml(&task.config()?.to_toml()?, "the defaults")?));
    let of_tasks = all_tasks().map(of_task).collect::<Result<Vec<_>>>()?;
    let of_life = |life: &'static LifeInfo| Ok((life.name, life.config(None)?.settings("the defaults")?));
    let of_lives = LIVES.iter().map(of_life).collect::<Result<Vec<_>>>()?;
    let shared = |(table, keys): &(&'static str, fn() -> Vec<keys::Key>)| {
        Subject::table(table, "of every run's configuration", keys(), &of_tasks)
    };
    let mut all: Vec<Subject> = TABLES.iter().map(shared).collect();
    for task in all_tasks() {
        let summary = format!("{}. Usual rule: `{}`", task.summary, task.rule);
        let keys = with_values("task", task.parameters()?);
        all.push(Subject { kind: "task", name: task.name, summary, notes: Vec::new(), papers: task.papers, keys });
    }
    for rule in RULES {
        let mut notes = vec![format!("equation: {} (docs/model.md)", rule.equation)];
        let brought = find_task("dnms")?.defaults(rule).brought_by_rule()?;
        if !brought.is_empty() {
            notes.push(format!("changes these settings, for dnms: {}", brought.join(", ")));
        }
        let keys = with_values("rule", rule.parameters());
        let summary = rule.summary.into();
        all.push(Subject { kind: "rule", name: rule.name, summary, notes, papers: rule.papers, keys });
    }
    all.extend(LIFE_TABLES.iter().map(|(table, keys)| {
        // Populations and projections have no usual values in common.
        let defaults = if *table == "life" { &of_lives[..] } else { &[] };
        Subject::table(table, "of every life's configuration", keys(), defaults)
    }));
    for life in LIVES {
        let summary = format!("{}. Rules: {}", life.summary, life.rules.join(", "));
        let keys = with_values("world", life.parameters()?);
        all.push(Subject { kind: "life", name: life.name, summary, notes: Vec::new(), papers: life.papers, keys });
    }
    for model in population_models() {
        let summary = model.summary.into();
        let keys = with_values("population.NAME.neurons", model.parameters());
        let (kind, notes) = ("neuron model", Vec::new());
        all.push(Subject { kind, name: model.name, summary, notes, papers: model.papers, keys });
    }
    for rule in SYNAPSE_RULES {
        let notes = vec![format!("equation: {} (docs/spiking.md)", rule.equation)];
        let summary = rule.summary.into();
        let keys = with_values("projection.FROM-TO.rule", rule.parameters());
        all.push(Subject { kind: "rule of lives", name: rule.name, summary, notes, papers: rule.papers, keys });
    }
    let column = |(name, meaning): (&str, String)| Key { name: name.to_string(), meaning, usual: None };
    let keys = fields::<NetworkReport>().into_iter().map(column).collect();
    let summary = "a row for each update and network".into();
    all.push(Subject { kind: "file", name: COLUMNS, summary, keys, ..Subject::default() });
    Ok(all)
}

/// The subject whose keys are columns.
const COLUMNS: &str = "metrics.csv";

/// One of the meanings of a name.
struct Found {
    subject: Subject,
    /// Whether it is the subject's own name; otherwise it is that of the subject's `keys`.
    whole: bool,
}

/// Everything called `name`, with only the keys that are called so unless it is the subject's own name; or, if nothing is, the keys
/// that mention all its words.
///
/// # Errors
/// As [`explain`].
fn find(name: &str) -> Result<Vec<Found>> {
    let with_keys = |fits: &dyn Fn(&Key) -> bool| -> Result<Vec<Found>> {
        let found = subjects()?.into_iter().map(|mut subject| {
            let whole = subject.name == name;
            subject.keys.retain(|key| whole || fits(key));
            Found { subject, whole }
        });
        Ok(found.filter(|found| found.whole || !found.subject.keys.is_empty()).collect())
    };
    let words: Vec<String> = name.to_lowercase().split_whitespace().map(String::from).collect();
    let mentions = |key: &Key| {
        let text = format!("{} {}", key.name, key.meaning).to_lowercase();
        words.iter().all(|word| text.contains(word))
    };
    let mut found = with_keys(&|key| key.is(name))?;
    if found.is_empty() {
        found = with_keys(&mentions)?;
    }
    if !found.is_empty() {
        return Ok(found);
    }
    let subjects = subjects()?;
    let keys = subjects.iter().flat_map(|subject| subject.keys.iter().map(|key| &key.name[..]));
    // There are too many keys to list them all.
    let near = nearest(name, keys.flat_map(|key| [key, key.rsplit('.').next().unwrap_or(key)]));
    let named = subjects.iter().map(|subject| subject.name);
    Err(Error::unknown("name", name, near.map_or(named.collect(), |near| vec![near])))
}

/// Explains `name`: a key of the configuration, with its table or without, a task, a rule, a life, a neuron model, or a column of
/// `metrics.csv`. If it is several of these, all are explained; if it is none of them, the keys that mention its words.
///
/// # Errors
/// [`Error::Unknown`] if nothing mentions it; the error suggests a similar name.
pub fn explain(name: &str) -> Result<String> {
    let usual = |key: &Key, before: &str| key.usual.as_ref().map_or(String::new(), |usual| format!("{before}{usual}"));
    let mut texts = Vec::new();
    for Found { subject, whole } in find(name)? {
        let Subject { kind, name: own, summary, keys, .. } = &subject;
        if whole {
            let line = |key: &Key| format!("\n  {}{}: {}", key.name, usual(key, " = "), key.meaning);
            let notes = subject.notes().into_iter().map(|note| format!("\n  {note}"));
            let lines: String = notes.chain(keys.iter().map(line)).collect();
            texts.push(format!("{kind} {own}: {summary}{lines}"));
            continue;
        }
        for key in keys {
            let whose = match (*kind, *own) {
                ("file", _) => format!("column {} of {own}", key.name),
                ("table", _) => key.name.clone(),
                _ => format!("{} of {own}", key.name),
            };
            texts.push(format!("{whose}: {}{}", key.meaning, usual(key, "\n  usually ")));
        }
    }
    Ok(texts.join("\n\n"))
}

/// The explanations of [`explain`] as JSON: an array of objects with `kind`, `name`, `summary`, `notes` and `keys`. Each key has a
/// `name`, a `meaning` and its `usual` value.
///
/// # Errors
/// As [`explain`].
pub fn explain_as_json(name: &str) -> Result<serde_json::Value> {
    let object = |Found { subject, .. }: Found| {
        let (notes, Subject { kind, name, summary, keys, .. }) = (subject.notes(), subject);
        json!({ "kind": kind, "name": name, "summary": summary, "notes": notes, "keys": keys })
    };
    Ok(find(name)?.into_iter().map(object).collect())
}

/// Everything that [`explain`] can explain, as a page in Markdown.
///
/// # Errors
/// [`Error::Bug`] if defaults cannot be written as TOML.
pub fn reference() -> Result<String> {
    let mut page = String::from(
        "# Reference\n\nEvery key of a configuration, task, rule, life, neuron model and column, as `hebbian-rnn explain` shows them \
         one by one; `hebbian-rnn explain` without a name writes this page. Their equations are in [model.md](model.md) and \
         [spiking.md](spiking.md).\n",
    );
    // A bar would end a cell.
    let cell = |text: &str| text.replace('|', "\\|");
    for subject in subjects()? {
        let Subject { kind, name, summary, keys, .. } = &subject;
        let mut section = format!("\n## {kind} `{name}`\n\n{summary}.\n");
        subject.notes().iter().for_each(|note| section += &format!("\n{}.\n", cell(note)));
        let usual = keys.iter().any(|key| key.usual.is_some());
        if !keys.is_empty() {
            section += if usual {
                "\n| key | meaning | usually |\n|---|---|---|\n"
            } else {
                "\n| key | meaning |\n|---|---|\n"
            };
        }
        for key in keys {
            let value = key.usual.as_ref().map_or(String::new(), |usual| format!(" {} |", cell(usual)));
            section += &format!("| `{}` | {} |{value}\n", key.name, cell(&key.meaning));
        }
        page += &section;
    }
    Ok(page)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{keys_of, LifeConfig};
    use crate::presets::commented_life;
    use crate::setup::LifeSetup;
    use std::collections::BTreeSet;

    /// The keys of the papers that a summary cites in brackets, as in "(Mante et al. 2013; Miconi 2017)".
    fn in_words(summary: &str) -> Vec<String> {
        let inside = summary.split('(').skip(1).filter_map(|rest| rest.split(')').next());
        let key = |part: &str| {
            let year = part.split_whitespace().find(|word| word.len() == 4 && word.parse::<u16>().is_ok())?;
            Some(format!("{}{year}", part.split_whitespace().next()?))
        };
        inside.flat_map(|text| text.split([';', ',', ':'])).filter_map(key).collect()
    }

    #[test]
    fn summaries_name_the_papers_that_are_cited() {
        for named in subjects().unwrap().into_iter().filter(|subject| !["table", "file"].contains(&subject.kind)) {
            let papers: Vec<&str> = named.papers.iter().map(|paper| paper.key).collect();
            assert_eq!(in_words(&named.summary), papers, "{}", named.name);
        }
    }

    #[test]
    fn every_key_of_every_task_and_rule_has_a_meaning() {
        let keys = keys_of(&TABLES);
        let known: BTreeSet<&str> = keys.iter().map(|key| &key.name[..]).collect();
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
        assert!(keys.iter().all(|key| key.meaning.len() > 5));
    }

    #[test]
    fn every_key_of_every_life_and_rule_has_a_meaning_which_stands_above_it() {
        for (life, rule) in LIVES.iter().flat_map(|life| life.rules.iter().map(move |rule| (life, rule))) {
            let setup = LifeSetup::resolve(Some(life.name), Some(rule), &[]).unwrap();
            let text = commented_life(&setup.config).unwrap();
            assert_eq!(LifeConfig::from_toml(&text).unwrap(), setup.config);
            let lines: Vec<&str> = text.lines().collect();
            let own = ["name", "model", "density", "in_degree", "out_degree", "constant", "uniform", "normal"];
            for pair in lines.windows(2) {
                let key = pair[1].split_once(" = ").map_or("", |(key, _)| key);
                let fine = key.is_empty() || own.contains(&key) || pair[0].starts_with("# ");
                assert!(fine, "{} with {rule}: {}", life.name, pair[1]);
            }
        }
    }

    #[test]
    fn the_page_in_the_docs_is_the_one_that_is_written() {
        assert!(
            include_str!("../../docs/reference.md") == reference().unwrap(),
            "hebbian-rnn explain > docs/reference.md"
        );
    }

    #[test]
    fn ranges_are_those_that_are_checked() {
        for (key, values) in [
            ("network.tau_ms", "In ms. Range: above 0."),
            ("network.connectivity", "Range: above 0 and at most 1."),
            ("network.output", "One of: neurons, readout."),
            (
                "perturbation.probability",
                "Range: from 0 to 1. Read only with a rule that learns from perturbations, such as `delta-x`.",
            ),
            ("train.batch", "Range: from 1 to 4294967295."),
            ("task.critic_lambda", "Range: from 0 to 1."),
        ] {
            let text = explain(key).unwrap();
            assert!(text.lines().next().unwrap().ends_with(values), "{text}");
        }
    }

    #[test]
    fn names_are_explained_and_near_ones_suggested() {
        let gain = explain("gain").unwrap();
        assert!(explain("network.output").unwrap().contains("One of: neurons, readout."));
        assert!(gain.starts_with("network.gain: ") && gain.contains("usually 0.8; "), "{gain}");
        assert!(explain("rule.x_mean_decay").unwrap().contains("rule.x_mean_decay of eh"));
        assert!(explain("delta-x").unwrap().starts_with("rule delta-x: "));
        assert!(explain("dnms").unwrap().contains("task.second_stimulus = 400"));
        assert!(explain("diverged_at").unwrap().starts_with("column diverged_at of metrics.csv"));
        assert!(explain("population.hidden.size").unwrap().starts_with("population.NAME.size: The number of neurons."));
        assert!(explain("lif").unwrap().contains("population.NAME.neurons.tau_ms = 20.0: τ"));
        assert!(explain("projection.a-b.rule.gamma").unwrap().contains("rule.gamma of mstdp: γ"));
        let maze = explain("maze").unwrap();
        assert!(
            maze.starts_with("task maze: ")
                && maze.contains("\n\nlife maze: ")
                && maze.contains("world.critic.offset = "),
            "{maze}"
        );
        let rates = explain("learning rate").unwrap();
        assert!(
            rates.contains("readout.eta: ") && rates.contains("rule.eta: ") && !rates.contains("network.gain"),
            "{rates}"
        );
        let json = explain_as_json("network.gain").unwrap();
        assert_eq!((json[0]["keys"][0]["name"].as_str(), json.as_array().unwrap().len()), (Some("network.gain"), 1));
        assert!(explain("network.gian").unwrap_err().to_string().contains("did you mean `network.gain`?"));
    }
}
