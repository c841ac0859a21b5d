//! The literature behind a run, as BibTeX: the sources named in the descriptions of its task and rule, and those of
//! its settings.

use crate::config::{LifeConfig, Stage};
use crate::presets::{find_life, find_task, Setup};
use crate::rules::find_rule;
use std::collections::BTreeSet;

/// Every source that a description names, as BibTeX.
const REFERENCES: &str = include_str!("references.bib");

/// A source.
struct Reference {
    /// Its key: the first author's name and the year.
    key: &'static str,
    /// The whole entry.
    entry: &'static str,
}

/// Every source.
fn references() -> impl Iterator<Item = Reference> {
    let entries = REFERENCES.split("\n\n").map(str::trim).filter(|entry| !entry.is_empty());
    entries.map(|entry| {
        let key = entry.split_once('{').and_then(|(_, rest)| rest.split_once(',')).map_or("", |(key, _)| key);
        Reference { key, entry }
    })
}

/// The keys of the sources that a description names in brackets, such as "(Mante et al. 2013; Miconi 2017)".
fn named(description: &str) -> Vec<String> {
    let inside = description.split('(').skip(1).filter_map(|rest| rest.split(')').next());
    let parts = inside.flat_map(|text| text.split([';', ',', ':']));
    let key = |part: &str| {
        let mut words = part.split_whitespace();
        let (first, year) =
            (words.next()?, part.split_whitespace().find(|word| word.len() == 4 && word.parse::<u16>().is_ok())?);
        Some(format!("{first}{year}"))
    };
    parts.filter_map(key).collect()
}

/// BibTeX entries for a training run: its task, its rule, its fast weights, Dale's law, and this program.
pub fn cite(setup: &Setup) -> String {
    let config = &setup.config;
    let task = config.task_name().and_then(find_task).map_or("", |task| task.summary);
    let rule = find_rule(&config.rule.name).map_or("", |rule| rule.summary);
    let mut keys = [named(task), named(rule)].concat();
    match config.fast_weights.stage {
        Stage::None => {}
        Stage::Oja => keys.push("Oja1982".into()),
        _ => keys.push("Miconi2018".into()),
    }
    if config.network.dale {
        keys.push("Song2016".into());
    }
    bibtex(keys)
}

/// BibTeX entries for lives.
pub fn cite_life(config: &LifeConfig) -> String {
    let life = config.world_name().and_then(find_life).map_or("", |life| life.summary);
    bibtex(named(life))
}

/// The entries with these keys, then this program's.
fn bibtex(keys: Vec<String>) -> String {
    let keys: BTreeSet<String> = keys.into_iter().collect();
    let wanted = references().filter(|reference| keys.contains(reference.key)).map(|reference| reference.entry);
    let program = format!(
        "@software{{hebbian-rnn,\n  author = {{{{The hebbian-rnn authors}}}},\n  title = {{hebbian-rnn}},\n  version = {{{}}}\n}}",
        env!("CARGO_PKG_VERSION")
    );
    wanted.map(String::from).chain([program]).collect::<Vec<_>>().join("\n\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Setting;
    use crate::presets::{all_tasks, LIVES};
    use crate::rules::RULES;

    #[test]
    fn whatever_a_description_names_has_an_entry() {
        let known: BTreeSet<&str> = references().map(|reference| reference.key).collect();
        let descriptions = all_tasks().map(|task| task.summary).chain(RULES.iter().map(|rule| rule.summary));
        for description in descriptions.chain(LIVES.iter().map(|life| life.summary)) {
            for key in named(description) {
                assert!(known.contains(&key[..]), "{key} in: {description}");
            }
        }
    }

    #[test]
    fn entries_are_whole() {
        for Reference { key, entry } in references() {
            assert!(entry.starts_with('@') && entry.ends_with('}'), "{entry}");
            assert_eq!(entry.matches('{').count(), entry.matches('}').count(), "{key}");
            for field in ["author = ", "title = ", "year = "] {
                assert!(entry.contains(field), "{key} lacks {field}");
            }
            let year: String = key.chars().filter(char::is_ascii_digit).collect();
            assert!(entry.contains(&format!("year = {{{year}}}")), "{key}");
        }
    }

    #[test]
    fn a_run_cites_its_task_its_rule_and_its_settings() {
        let cited = |settings: &[&str]| {
            let settings: Vec<Setting> = settings.iter().map(|text| Setting::parse(text).unwrap()).collect();
            cite(&Setup::resolve(Some("selective-integration"), &settings).unwrap())
        };
        let text = cited(&["rule.name=eh", "trace.stage=oja"]);
        for key in ["Mante2013", "Miconi2017", "Legenstein2010", "Hoerzer2014", "Oja1982", "@software{hebbian-rnn"] {
            assert!(text.contains(key), "{key}: {text}");
        }
        assert!(!cited(&[]).contains("Oja1982"));
    }
}
