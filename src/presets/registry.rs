//! Everything with a name in configurations, in one list: tasks, rules, lives, neuron models and rules of lives.

use super::{all_tasks, find_task, LIVES};
use crate::error::Result;
use crate::model::population_models;
use crate::papers::Paper;
use crate::rules::{RULES, SYNAPSE_RULES};
use toml::Value;

/// Something with a name in configurations.
pub(crate) struct Named {
    /// Its kind: "task", "rule", ….
    pub(crate) kind: &'static str,
    pub(crate) name: &'static str,
    pub(crate) summary: String,
    /// Lines about it: its equation, and the settings that it changes.
    pub(crate) notes: Vec<String>,
    pub(crate) papers: &'static [&'static Paper],
    /// The table of its parameters.
    pub(crate) table: &'static str,
    /// Its parameters, each with its default and its explanation.
    pub(crate) parameters: Vec<(String, Value, String)>,
}

/// Everything that the configuration of training can name.
pub(crate) fn named_by_runs() -> Result<Vec<Named>> {
    let mut all = Vec::new();
    for task in all_tasks() {
        all.push(Named {
            kind: "task",
            name: task.name,
            summary: format!("{}. Usual rule: `{}`", task.summary, task.rule),
            notes: Vec::new(),
            papers: task.papers,
            table: "task",
            parameters: task.parameters()?,
        });
    }
    for rule in RULES {
        let mut notes = vec![format!("equation: {} (docs/model.md)", rule.equation)];
        let brought = find_task("dnms")?.defaults(rule).brought_by_rule()?;
        if !brought.is_empty() {
            notes.push(format!("changes these settings, for dnms: {}", brought.join(", ")));
        }
        all.push(Named {
            kind: "rule",
            name: rule.name,
            summary: rule.summary.into(),
            notes,
            papers: rule.papers,
            table: "rule",
            parameters: rule.parameters(),
        });
    }
    Ok(all)
}

/// Everything that the configuration of lives can name.
pub(crate) fn named_by_lives() -> Result<Vec<Named>> {
    let mut all = Vec::new();
    for life in LIVES {
        all.push(Named {
            kind: "life",
            name: life.name,
            summary: format!("{}. Rules: {}", life.summary, life.rules.join(", ")),
            notes: Vec::new(),
            papers: life.papers,
            table: "world",
            parameters: life.parameters()?,
        });
    }
    for model in population_models() {
        all.push(Named {
            kind: "neuron model",
            name: model.name,
            summary: model.summary.into(),
            notes: Vec::new(),
            papers: model.papers,
            table: "population.NAME.neurons",
            parameters: model.parameters(),
        });
    }
    for rule in SYNAPSE_RULES {
        all.push(Named {
            kind: "rule of lives",
            name: rule.name,
            summary: rule.summary.into(),
            notes: vec![format!("equation: {} (docs/spiking.md)", rule.equation)],
            papers: rule.papers,
            table: "projection.FROM-TO.rule",
            parameters: rule.parameters(),
        });
    }
    Ok(all)
}

#[cfg(test)]
mod tests {
    use super::*;

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
        for named in named_by_runs().unwrap().into_iter().chain(named_by_lives().unwrap()) {
            let papers: Vec<&str> = named.papers.iter().map(|paper| paper.key).collect();
            assert_eq!(in_words(&named.summary), papers, "{}", named.name);
        }
    }
}
