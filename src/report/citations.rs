//! The literature behind a run, as BibTeX: the papers on which its task, its rules and its settings are based.

use crate::config::{LifeConfig, Stage};
use crate::model::population_models;
use crate::papers::{Paper, MICONI_2018, OJA_1982, SONG_2016};
use crate::presets::{find_life, find_task};
use crate::rules::{find_rule, SynapseRuleInfo};
use crate::setup::Setup;
use toml::Value;

/// The papers behind a training run, by key: its task, its rule, its fast weights and Dale's law.
pub fn papers_of(setup: &Setup) -> Vec<&'static Paper> {
    let config = &setup.config;
    let task = config.task_name().and_then(find_task).map_or(&[][..], |task| task.papers);
    let rule = find_rule(&config.rule.name).map_or(&[][..], |rule| rule.papers);
    let mut papers = [task, rule].concat();
    match config.fast_weights.stage {
        Stage::None => {}
        Stage::Oja => papers.push(OJA_1982),
        _ => papers.push(MICONI_2018),
    }
    if config.network.dale {
        papers.push(SONG_2016);
    }
    each_once(papers)
}

/// The papers behind lives, by key: their world, neuron models and rules.
pub fn papers_of_life(config: &LifeConfig) -> Vec<&'static Paper> {
    let mut papers = config.world_name().and_then(find_life).map_or(&[][..], |life| life.papers).to_vec();
    let models = population_models();
    for population in &config.populations {
        let name = population.neurons.get("model").and_then(Value::as_str);
        let model = models.iter().find(|model| Some(model.name) == name);
        papers.extend(model.map_or(&[][..], |model| model.papers));
    }
    for rule in config.projections.iter().filter_map(|projection| projection.rule_name()) {
        papers.extend(SynapseRuleInfo::find(rule).map_or(&[][..], |rule| rule.papers));
    }
    each_once(papers)
}

fn each_once(mut papers: Vec<&'static Paper>) -> Vec<&'static Paper> {
    papers.sort_by_key(|paper| paper.key);
    papers.dedup();
    papers
}

/// The BibTeX entries of papers, then this program's.
pub fn bibtex(papers: &[&Paper]) -> String {
    let program = format!(
        "@software{{hebbian-rnn,\n  author = {{{{The hebbian-rnn authors}}}},\n  title = {{hebbian-rnn}},\n  version = {{{}}}\n}}",
        env!("CARGO_PKG_VERSION")
    );
    papers.iter().map(|paper| paper.to_string()).chain([program]).collect::<Vec<_>>().join("\n\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Setting;
    use crate::setup::LifeSetup;

    #[test]
    fn a_run_cites_its_task_its_rule_and_its_settings() {
        let cited = |settings: &[&str]| {
            let settings: Vec<Setting> = settings.iter().map(|text| Setting::parse(text).unwrap()).collect();
            bibtex(&papers_of(&Setup::resolve(Some("selective-integration"), &settings).unwrap()))
        };
        let text = cited(&["rule.name=eh", "trace.stage=oja"]);
        for key in ["Mante2013", "Miconi2017", "Legenstein2010", "Hoerzer2014", "Oja1982", "@software{hebbian-rnn"] {
            assert!(text.contains(key), "{key}: {text}");
        }
        assert!(!cited(&[]).contains("Oja1982"));
    }
    #[test]
    fn a_life_cites_its_world_its_neurons_and_its_rules() {
        let text = bibtex(&papers_of_life(&LifeSetup::resolve(Some("maze"), Some("r-max"), &[]).unwrap().config));
        for key in ["Frémaux2013", "Vasilaki2009"] {
            assert!(text.contains(key), "{key}: {text}");
        }
        assert_eq!(text.matches('{').count(), text.matches('}').count());
    }
}
