//! Presets of lives: a world with the network that lives in it, as published.

use crate::config::{LifeConfig, Setting};
use crate::error::{Error, Result};
use crate::keys::Key;
use crate::papers::*;
use crate::rules::SynapseRuleInfo;
use crate::worlds::{ActorCritic, DistalReward, Given, Pattern, Pavlovian, Xor};
use toml::{Table, Value};

/// A named life.
pub struct LifeInfo {
    /// The name.
    pub name: &'static str,
    /// A one-line description with the source.
    pub summary: &'static str,
    /// The papers that it rests on.
    pub papers: &'static [&'static Paper],
    /// The rules that it supports; the first is the usual one.
    pub rules: &'static [&'static str],
    /// The figure of the verdict that ranks settings in which equally many networks learnt, and whether larger is better.
    pub measure: (&'static str, bool),
    /// The populations, projections and world, as TOML; `RULE` stands for the rule's table.
    text: &'static str,
    /// The world's parameters, with their meanings and ranges.
    pub(crate) keys: fn() -> Vec<Key>,
    /// Changes the settings that depend on the rule.
    adapt: fn(&mut LifeConfig, &str),
}

const STANDARD: &str = r#"
[life]
networks = 4
batch = 1
seed = 1
dt_ms = 1.0
seconds = 400.0
frozen_seconds = 0.0
frozen_noise = true
checkpoint_every_seconds = 100.0
keep = 1
device = "auto"
dtype = "f32"
kernels = "fused"
"#;

/// Every named life.
pub static LIVES: &[LifeInfo] = &[
    LifeInfo {
        name: "xor-rate",
        summary: "XOR of two bits coded by rates, by spiking neurons and reward (Florian 2007, 4.2)",
        papers: &[FLORIAN_2007],
        rules: &["mstdpet", "mstdp"],
        measure: ("apart_hz", true),
        text: include_str!("lives/xor-rate.toml"),
        keys: Key::of::<Xor>,
        adapt: |_, _| (),
    },
    LifeInfo {
        name: "xor-temporal",
        summary: "XOR of two bits coded by spike trains (Florian 2007, 4.3)",
        papers: &[FLORIAN_2007],
        rules: &["mstdpet", "mstdp"],
        measure: ("apart_hz", true),
        text: include_str!("lives/xor-temporal.toml"),
        keys: Key::of::<Xor>,
        adapt: |config, rule| {
            let gamma = if rule == "mstdp" { 0.01 } else { 0.25 };
            for projection in &mut config.projections {
                projection.rule.insert("gamma".into(), gamma.into());
            }
        },
    },
    LifeInfo {
        name: "one-synapse",
        summary:
            "one synapse whose neurons fire at given times (Florian 2007, figure 1); you can supply your own spikes",
        papers: &[FLORIAN_2007],
        rules: &["mstdpet", "mstdp", "stdp", "da-stdp"],
        measure: ("last_weight", true),
        text: include_str!("lives/one-synapse.toml"),
        keys: Given::keys,
        adapt: |config, rule| {
            if rule != "da-stdp" {
                config.projections[0].rule.insert("gamma".into(), 0.2.into());
            }
        },
    },
    LifeInfo {
        name: "distal-reward",
        summary: "one synapse grows because reward arrives seconds after it is active (Izhikevich 2007, figure 1)",
        papers: &[IZHIKEVICH_2007],
        rules: &["da-stdp"],
        measure: ("fraction_above", false),
        text: include_str!("lives/distal-reward.toml"),
        keys: Key::of::<DistalReward>,
        adapt: |_, _| (),
    },
    LifeInfo {
        name: "pavlovian",
        summary: "the response to one of 100 stimuli grows because reward follows it (Izhikevich 2007, figure 2)",
        papers: &[IZHIKEVICH_2007],
        rules: &["da-stdp"],
        measure: ("z", true),
        text: include_str!("lives/pavlovian.toml"),
        keys: Key::of::<Pavlovian>,
        adapt: |_, _| (),
    },
    LifeInfo {
        name: "hoerzer",
        summary: "a chaotic rate network learns to produce a pattern while it lives (Hoerzer et al. 2014)",
        papers: &[HOERZER_2014],
        rules: &["eh"],
        measure: ("frozen_shape_error", false),
        text: include_str!("lives/hoerzer.toml"),
        keys: Key::of::<Pattern>,
        adapt: |_, _| (),
    },
    LifeInfo {
        name: "maze",
        summary: "spiking actor and critic find a goal behind a U-shaped wall (Frémaux et al. 2013, figure 4)",
        papers: &[FREMAUX_2013],
        rules: &["td-ltp", "td-stdp", "r-max"],
        measure: ("last_s", false),
        text: include_str!("lives/maze.toml"),
        keys: || ActorCritic::keys("maze"),
        adapt: |config, rule| match rule {
            "td-stdp" => rates(config, 0.05, 3e-3),
            "r-max" => {
                rates(config, 0.0, 1.5e-3);
                if let Some(Value::Table(critic)) = config.world.get_mut("critic") {
                    critic.insert("predicts".into(), false.into());
                }
            }
            _ => rates(config, 0.03, 2e-3),
        },
    },
    LifeInfo {
        name: "linear-track",
        summary: "values spread backward from a reward at the end of a track (Frémaux et al. 2013, figure 2)",
        papers: &[FREMAUX_2013],
        rules: &["td-ltp"],
        measure: ("successes", true),
        text: include_str!("lives/linear-track.toml"),
        keys: || ActorCritic::keys("linear-track"),
        adapt: |config, _| rates(config, 0.05, 0.0),
    },
    LifeInfo {
        name: "acrobot-swing-up",
        summary: "spiking actor and critic swing a double pendulum up (Frémaux et al. 2013, figure 5)",
        papers: &[FREMAUX_2013],
        rules: &["td-ltp"],
        measure: ("last_s", false),
        text: include_str!("lives/acrobot-swing-up.toml"),
        keys: || ActorCritic::keys("acrobot-swing-up"),
        adapt: |config, _| rates(config, 0.5, 0.125),
    },
    LifeInfo {
        name: "cartpole-swing-up",
        summary: "spiking actor and critic swing a pole up (Frémaux et al. 2013, figure 6); balancing is hardly learnt",
        papers: &[FREMAUX_2013],
        rules: &["td-ltp"],
        measure: ("last_s", true),
        text: include_str!("lives/cartpole-swing-up.toml"),
        keys: || ActorCritic::keys("cartpole-swing-up"),
        adapt: |config, _| rates(config, 0.25, 0.03125),
    },
];

/// Gives the rules of a critic and an actor their rates.
fn rates(config: &mut LifeConfig, critic: f64, actor: f64) {
    for projection in &mut config.projections {
        let eta = if projection.to == "critic" { critic } else { actor };
        if !projection.rule.is_empty() {
            projection.rule.insert("eta".into(), eta.into());
        }
    }
}

/// The life called `name`.
///
/// # Errors
/// [`Error::Unknown`] if there is none; it suggests the most similar name.
pub fn find_life(name: &str) -> Result<&'static LifeInfo> {
    LIVES
        .iter()
        .find(|life| life.name == name)
        .ok_or_else(|| Error::unknown("life", name, LIVES.iter().map(|l| l.name)))
}

impl LifeInfo {
    /// The world's parameters, keys of the table `world`, each with its default and its meaning.
    ///
    /// # Errors
    /// [`Error::Unknown`] if there is no rule of the usual one's name.
    pub fn parameters(&self) -> Result<Vec<(String, Value, String)>> {
        let world = self.config(None)?.world;
        let defaults: Vec<Setting> = Setting::from_table(&world, "");
        let explained = |key: Key| {
            let default = defaults.iter().find(|setting| setting.key == key.name)?.value.clone();
            Some((key.name.clone(), default, key.explanation()))
        };
        Ok((self.keys)().into_iter().filter_map(explained).collect())
    }

    /// Its configuration with one of its rules; `None`: the usual one.
    ///
    /// # Errors
    /// [`Error::Unknown`] if it does not support this rule.
    pub fn config(&self, rule: Option<&str>) -> Result<LifeConfig> {
        let rule = rule.unwrap_or(self.rules[0]);
        // Without plasticity, the network of the usual rule.
        let plastic = if rule == "none" { self.rules[0] } else { rule };
        if !self.rules.contains(&plastic) {
            return Err(Error::unknown("rule for this life", rule, self.rules.iter().copied().chain(["none"])));
        }
        let info = SynapseRuleInfo::find(plastic)?;
        let mut table: Table = format!("{STANDARD}{}", self.text)
            .parse()
            .map_err(|error: toml::de::Error| Error::Bug(format!("the preset {}: {}", self.name, error.message())))?;
        if let Some(Value::Table(own)) = table.remove("lifetime") {
            if let Some(Value::Table(life)) = table.get_mut("life") {
                life.extend(own);
            }
        }
        if let Some(Value::Table(world)) = table.get_mut("world") {
            world.insert("name".into(), self.name.into());
        }
        for projection in table.get_mut("projection").and_then(Value::as_array_mut).into_iter().flatten() {
            let Some(projection) = projection.as_table_mut() else { continue };
            if projection.remove("plastic").is_some_and(|plastic| plastic.as_bool() == Some(true)) {
                projection.insert("rule".into(), Value::Table(info.table()));
            }
        }
        let mut config: LifeConfig = table
            .try_into()
            .map_err(|e: toml::de::Error| Error::Bug(format!("the preset {}: {}", self.name, e.message())))?;
        (self.adapt)(&mut config, plastic);
        if rule == "none" {
            config.projections.iter_mut().for_each(|projection| projection.rule = Table::new());
        }
        Ok(config)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::presets::LifeSetup;

    #[test]
    fn every_life_can_be_lived_with_each_of_its_rules() {
        for (life, rule) in LIVES.iter().flat_map(|life| life.rules.iter().map(move |rule| (life, *rule))) {
            let setup = LifeSetup::resolve(Some(life.name), Some(rule), &[]).unwrap();
            assert!(setup.rules.iter().any(Option::is_some), "{}", life.name);
            let text = setup.config.to_toml().unwrap();
            assert_eq!(LifeConfig::from_toml(&text).unwrap(), setup.config);
        }
        for life in LIVES {
            let verdict = LifeSetup::resolve(Some(life.name), None, &[]).unwrap().world(0).unwrap().verdict(&[]);
            assert!(verdict.figures.iter().any(|(name, _)| *name == life.measure.0), "{}", life.name);
        }
        let refused = |rule| LifeSetup::resolve(Some("hoerzer"), Some(rule), &[]).err().unwrap().to_string();
        let set =
            |text: &str| LifeSetup::resolve(Some("hoerzer"), None, &[Setting::parse(text).unwrap()]).unwrap().rules;
        assert!(set("projection.recurrent-recurrent.rule.name=eh")[0].is_some());
        assert!(set("projection.recurrent-readout.rule.name=none")[2].is_none());
        assert!(refused("mstdp").contains("known are: eh, none"), "{}", refused("mstdp"));
    }
}
