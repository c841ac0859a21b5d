//! Presets of lives: a world with the network that lives in it, as published.

use crate::config::{LifeConfig, PopulationConfig, ProjectionConfig, Setting};
use crate::error::{ensure, At, Error, Result};
use crate::model::{build_population, population_models, Circuit, PopulationModel};
use crate::ranges::expect;
use crate::rules::{Needs, SynapseRule, SynapseRuleInfo};
use crate::worlds::{ActorCritic, DistalReward, Given, Pattern, Pavlovian, Places, World, Xor};
use serde::de::DeserializeOwned;
use std::sync::Arc;
use toml::{Table, Value};

/// A life that has a name.
pub struct LifeInfo {
    /// The name.
    pub name: &'static str,
    /// A one-line description with the source.
    pub summary: &'static str,
    /// The rules that it can be lived with; the first is the usual one.
    pub rules: &'static [&'static str],
    /// The populations, projections and world, as TOML; `RULE` stands for the rule's table.
    text: &'static str,
    /// Changes what depends on the rule.
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

/// Every life that has a name.
pub static LIVES: &[LifeInfo] = &[
    LifeInfo {
        name: "xor-rate",
        summary: "XOR of two bits coded by rates, by spiking neurons and reward (Florian 2007, 4.2)",
        rules: &["mstdpet", "mstdp"],
        text: include_str!("lives/xor-rate.toml"),
        adapt: |_, _| (),
    },
    LifeInfo {
        name: "xor-temporal",
        summary: "XOR of two bits coded by spike trains (Florian 2007, 4.3)",
        rules: &["mstdpet", "mstdp"],
        text: include_str!("lives/xor-temporal.toml"),
        adapt: |config, rule| {
            let gamma = if rule == "mstdp" { 0.01 } else { 0.25 };
            for projection in &mut config.projections {
                projection.rule.insert("gamma".into(), gamma.into());
            }
        },
    },
    LifeInfo {
        name: "one-synapse",
        summary: "one synapse whose neurons fire at given times (Florian 2007, figure 1); give it spikes of your own",
        rules: &["mstdpet", "mstdp", "stdp", "da-stdp"],
        text: include_str!("lives/one-synapse.toml"),
        adapt: |config, rule| {
            if rule != "da-stdp" {
                config.projections[0].rule.insert("gamma".into(), 0.2.into());
            }
        },
    },
    LifeInfo {
        name: "distal-reward",
        summary: "one synapse grows because reward follows seconds after it acts (Izhikevich 2007, figure 1)",
        rules: &["da-stdp"],
        text: include_str!("lives/distal-reward.toml"),
        adapt: |_, _| (),
    },
    LifeInfo {
        name: "pavlovian",
        summary: "the response to one of 100 stimuli grows because reward follows it (Izhikevich 2007, figure 2)",
        rules: &["da-stdp"],
        text: include_str!("lives/pavlovian.toml"),
        adapt: |_, _| (),
    },
    LifeInfo {
        name: "hoerzer",
        summary: "a chaotic rate network learns to produce a pattern while it lives (Hoerzer et al. 2014)",
        rules: &["eh"],
        text: include_str!("lives/hoerzer.toml"),
        adapt: |_, _| (),
    },
    LifeInfo {
        name: "maze",
        summary: "spiking actor and critic find a goal behind a U-shaped wall (Frémaux et al. 2013, figure 4)",
        rules: &["td-ltp", "td-stdp", "r-max"],
        text: include_str!("lives/maze.toml"),
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
        rules: &["td-ltp"],
        text: include_str!("lives/linear-track.toml"),
        adapt: |config, _| rates(config, 0.05, 0.0),
    },
    LifeInfo {
        name: "acrobot-swing-up",
        summary: "spiking actor and critic swing a double pendulum up (Frémaux et al. 2013, figure 5)",
        rules: &["td-ltp"],
        text: include_str!("lives/acrobot-swing-up.toml"),
        adapt: |config, _| rates(config, 0.5, 0.125),
    },
    LifeInfo {
        name: "cartpole-swing-up",
        summary:
            "spiking actor and critic swing a pole up (Frémaux et al. 2013, figure 6); it is not learnt to balance",
        rules: &["td-ltp"],
        text: include_str!("lives/cartpole-swing-up.toml"),
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
    /// Its configuration with one of its rules; `None`: the usual one.
    ///
    /// # Errors
    /// [`Error::Unknown`] if it cannot be lived with this rule.
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

/// A life's configuration with everything that its names stand for, checked.
#[derive(Clone)]
#[non_exhaustive]
pub struct LifeSetup {
    /// The configuration.
    pub config: LifeConfig,
    /// Where neurons and synapses are.
    pub circuit: Circuit,
    /// The model of each population.
    pub models: Vec<Arc<dyn PopulationModel>>,
    /// The rule of each projection; `None`: its weights are fixed.
    pub rules: Vec<Option<SynapseRule>>,
    /// Whether spikes of the postsynaptic neurons end the effect of what arrived through each projection before.
    pub resets: Vec<bool>,
    /// Whether the projections to each population differ in this.
    pub split: Vec<bool>,
    /// The delay of each projection, in steps.
    pub delays: Vec<usize>,
    /// For how many steps outputs are remembered, if that is longer than every delay.
    pub remember: usize,
    /// The neurons whose membrane potentials are recorded.
    pub watched: Vec<usize>,
}

impl LifeSetup {
    /// Resolves a configuration.
    ///
    /// # Errors
    /// [`Error::Setting`] for a key out of range, [`Error::Unknown`] for an unknown world, model, rule or population,
    /// [`Error::Usage`] for settings that contradict each other.
    pub fn new(mut config: LifeConfig) -> Result<Self> {
        config.check()?;
        for projection in &mut config.projections {
            complete(projection).at(format!("projection {}", projection.name()))?;
        }
        for population in &mut config.populations {
            complete_model(population);
        }
        let dt = config.life.dt_ms;
        let circuit = Circuit::new(&config);
        let built = |p: usize, split: bool| {
            let population = &config.populations[p];
            build_population(&population.neurons, dt, split).at(format!("population {}", population.name))
        };
        let mut models: Vec<Arc<dyn PopulationModel>> =
            (0..config.populations.len()).map(|p| Ok(built(p, false)?.into())).collect::<Result<_>>()?;
        let (resets, split) = resets(&config, &circuit, &models)?;
        for p in (0..models.len()).filter(|p| split[*p]) {
            models[p] = built(p, true)?.into();
        }
        let mut rules = Vec::new();
        for (projection, (name, from, to)) in config.projections.iter().zip(&circuit.projections) {
            let place = format!("projection {name}");
            let rule = SynapseRule::of(&projection.rule, dt).at(&place)?;
            if let Some((_, info)) = &rule {
                for end in [from, to] {
                    let (population, model) = (&circuit.populations[*end].0, &models[*end]);
                    let spikes = info.needs != Needs::Rates;
                    let (needs, has) = if spikes { ("spikes", "rates") } else { ("rates", "spikes") };
                    ensure!(
                        model.spikes() == spikes,
                        Usage,
                        "{place}: rule `{}` is for {needs}, but population `{population}` ({}) has {has}",
                        info.name,
                        model.name()
                    );
                }
                let (population, model) = (&circuit.populations[*to].0, &models[*to]);
                ensure!(
                    info.needs != Needs::Escape || model.probability().is_some(),
                    Usage,
                    "{place}: rule `{}` needs neurons with escape noise, such as srm0, but population `{population}` is {}",
                    info.name,
                    model.name()
                );
            }
            rules.push(rule.map(|(rule, _)| rule));
        }
        let delays = config.projections.iter().map(|projection| projection.delay_steps(dt)).collect();
        let (remember, watched) = (1, Vec::new());
        let setup = LifeSetup { config, circuit, models, rules, resets, split, delays, remember, watched };
        let world = setup.world(setup.config.life.networks.start)?;
        let steps = world.steps();
        for (key, seconds) in
            [("life.seconds", setup.config.life.seconds), ("life.frozen_seconds", setup.config.life.frozen_seconds)]
        {
            let blocks = seconds * 1000.0 / dt / steps as f64;
            let whole = blocks < 1e12 && (blocks - blocks.round()).abs() < 1e-6;
            expect(
                whole,
                key,
                seconds,
                format!("a multiple of {} s, a block of this world", steps as f64 * dt / 1000.0),
            )?;
        }
        Ok(setup)
    }

    /// The life called `name` overlaid with `settings`, of which later ones win. `name` may be `None` if settings give
    /// `world.name`.
    ///
    /// # Errors
    /// [`Error::Unknown`] for an unknown life, rule or key; else as [`LifeSetup::new`].
    pub fn resolve(name: Option<&str>, rule: Option<&str>, settings: &[Setting]) -> Result<Self> {
        let named =
            settings.iter().rev().find(|setting| setting.key == "world.name").map(crate::config::text).transpose()?;
        let Some(name) = name.or(named) else { crate::error::bail!(Usage, "no life is named") };
        ensure!(
            named.is_none_or(|named| named == name),
            Usage,
            "the command names life `{name}`, but world.name is `{}`",
            named.unwrap_or_default()
        );
        Self::new(find_life(name)?.config(rule)?.with(settings)?)
    }

    /// The world of a network.
    ///
    /// # Errors
    /// [`Error::Unknown`], [`Error::Setting`] or [`Error::Usage`] if the world's parameters are not its own, or the
    /// populations don't suit it.
    pub(crate) fn world(&self, network: u64) -> Result<Box<dyn World>> {
        let name = self.config.world_name()?;
        let mut own = self.config.world.clone();
        own.remove("name");
        let life = &self.config.life;
        let seconds = life.seconds + life.frozen_seconds;
        let places = Places { populations: &self.circuit.populations, dt_ms: life.dt_ms, seconds };
        let seed = life.seed;
        match name {
            "xor-rate" | "xor-temporal" => parameters::<Xor>(own)?.build(&places, seed, network),
            "distal-reward" => parameters::<DistalReward>(own)?.build(&places),
            "pavlovian" => parameters::<Pavlovian>(own)?.build(&places, seed, network),
            "hoerzer" => parameters::<Pattern>(own)?.build(&places),
            "one-synapse" => parameters::<Given>(own)?.build(&places),
            "maze" | "linear-track" | "acrobot-swing-up" | "cartpole-swing-up" => {
                parameters::<ActorCritic>(own)?.build(name, &places)
            }
            _ => Err(Error::unknown("world", name, LIVES.iter().map(|life| life.name))),
        }
    }

    /// Whether what arrives through projection `k` is input that outlasts spikes of neurons which also have other input.
    pub(crate) fn lasting(&self, k: usize) -> bool {
        self.split[self.circuit.projections[k].2] && !self.resets[k]
    }

    /// The number of steps for which outputs are kept.
    pub(crate) fn longest(&self) -> usize {
        self.delays.iter().copied().fold(self.remember, usize::max)
    }

    /// The number of blocks in which weights move, and of frozen ones after them, if a block has `steps` steps.
    pub(crate) fn blocks(&self, steps: usize) -> (u64, u64) {
        let life = &self.config.life;
        let of = |seconds: f64| (seconds * 1000.0 / life.dt_ms / steps as f64).round() as u64;
        (of(life.seconds), of(life.frozen_seconds))
    }
}

/// Whether own spikes end the effect of what arrived through each projection before, and whether the projections to each
/// population differ in it.
fn resets(
    config: &LifeConfig,
    circuit: &Circuit,
    models: &[Arc<dyn PopulationModel>],
) -> Result<(Vec<bool>, Vec<bool>)> {
    let mut split = vec![false; models.len()];
    let mut resets = Vec::new();
    for (projection, (name, _, to)) in config.projections.iter().zip(&circuit.projections) {
        let usual = models[*to].own_spike_resets();
        ensure!(
            usual.is_some() || projection.own_spike_resets.is_none(),
            Usage,
            "projection {name}: own_spike_resets is for neurons whose spikes can end the effect of input, such as srm0, but \
             population `{}` is {}",
            projection.to,
            models[*to].name()
        );
        let own = projection.own_spike_resets.or(usual).unwrap_or(true);
        split[*to] |= usual.is_some_and(|usual| usual != own);
        resets.push(own);
    }
    Ok((resets, split))
}

/// Gives the parameters of a population's neurons that are not set their defaults.
fn complete_model(population: &mut PopulationConfig) {
    let name = population.neurons.get("model").and_then(Value::as_str);
    if let Some((_, mut all)) = population_models().into_iter().find(|(known, _)| Some(*known) == name) {
        all.extend(std::mem::take(&mut population.neurons));
        population.neurons = all;
    }
}

/// Gives the parameters of a projection's rule that are not set their defaults, and drops the rule `none`.
fn complete(projection: &mut ProjectionConfig) -> Result<()> {
    match projection.rule_name() {
        Some("none") => projection.rule = Table::new(),
        Some(name) => {
            let all = SynapseRuleInfo::find(name)?.table();
            let given = std::mem::replace(&mut projection.rule, all);
            projection.rule.extend(given);
        }
        None => {}
    }
    Ok(())
}

fn parameters<P: DeserializeOwned>(table: Table) -> Result<P> {
    table.try_into().map_err(|error: toml::de::Error| Error::Usage(format!("world: {}", error.message().trim())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_life_can_be_lived_with_each_of_its_rules() {
        for (life, rule) in LIVES.iter().flat_map(|life| life.rules.iter().map(move |rule| (life, *rule))) {
            let setup = LifeSetup::resolve(Some(life.name), Some(rule), &[]).unwrap();
            assert!(setup.rules.iter().any(Option::is_some), "{}", life.name);
            let text = setup.config.to_toml().unwrap();
            assert_eq!(LifeConfig::from_toml(&text).unwrap(), setup.config);
        }
        let refused = |rule| LifeSetup::resolve(Some("hoerzer"), Some(rule), &[]).err().unwrap().to_string();
        let set =
            |text: &str| LifeSetup::resolve(Some("hoerzer"), None, &[Setting::parse(text).unwrap()]).unwrap().rules;
        assert!(set("projection.recurrent-recurrent.rule.name=eh")[0].is_some());
        assert!(set("projection.recurrent-readout.rule.name=none")[2].is_none());
        assert!(refused("mstdp").contains("known are: eh, none"), "{}", refused("mstdp"));
    }
}
