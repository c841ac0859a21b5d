//! A life's configuration, with its names resolved.

use super::OwnLife;
use crate::config::{LifeConfig, PopulationConfig, ProjectionConfig, Setting};
use crate::error::{bail, ensure, At, Error, Result};
use crate::model::{build_population, population_models, Circuit, PopulationModel};
use crate::presets::find_life;
use crate::ranges::expect;
use crate::rules::{FusedSynapseRule, Needs, SynapseRule, SynapseRuleInfo};
use crate::worlds::{Places, World, LIVES, MOST_STEPS};
use std::sync::Arc;
use toml::{Table, Value};

/// A life's configuration, with everything that it names resolved and checked.
#[derive(Clone)]
#[non_exhaustive]
pub struct LifeSetup {
    /// The configuration.
    pub(crate) config: LifeConfig,
    /// The world that all networks share.
    pub(crate) world: Arc<dyn World>,
    /// The layout of neurons and synapses.
    pub(crate) circuit: Circuit,
    /// The model of each population.
    pub(crate) models: Vec<Arc<dyn PopulationModel>>,
    /// The rule of each projection; `None`: its weights are fixed.
    pub(crate) rules: Vec<Option<Arc<dyn SynapseRule>>>,
    /// For each projection, whether a spike of the postsynaptic neuron ends the effect of earlier input.
    pub(crate) resets: Vec<bool>,
    /// For each population, whether the projections to it differ in `resets`.
    pub(crate) split: Vec<bool>,
    /// The delay of each projection, in steps.
    pub(crate) delays: Vec<usize>,
    /// Your own world, neuron models and rules in it, for use with another configuration.
    pub(crate) own: OwnLife,
}

impl LifeSetup {
    /// The configuration.
    pub fn config(&self) -> &LifeConfig {
        &self.config
    }

    /// The world that all networks share.
    pub fn world(&self) -> &Arc<dyn World> {
        &self.world
    }

    /// The layout of neurons and synapses.
    pub fn circuit(&self) -> &Circuit {
        &self.circuit
    }

    /// The model of each population.
    pub fn models(&self) -> &[Arc<dyn PopulationModel>] {
        &self.models
    }

    /// Your own world, neuron models and rules in it, for use with another configuration.
    pub fn own(&self) -> &OwnLife {
        &self.own
    }

    /// Resolves a configuration.
    ///
    /// # Errors
    /// [`Error::Setting`] for a key out of range, [`Error::Unknown`] for an unknown world, model, rule or population,
    /// [`Error::Usage`] for settings that contradict each other.
    pub fn new(config: LifeConfig) -> Result<Self> {
        Self::with(config, OwnLife::default())
    }

    /// Like [`LifeSetup::new`], with a world, neuron models or rules of your own.
    ///
    /// # Errors
    /// As [`LifeSetup::new`].
    pub fn with(mut config: LifeConfig, own: OwnLife) -> Result<Self> {
        config.check()?;
        let dt = config.life.dt_ms;
        let circuit = Circuit::new(&config);
        let mut rules = Vec::new();
        for projection in &mut config.projections {
            let rule = complete(projection, &own, dt).at(format!("projection {}", projection.name()))?;
            rules.push(rule);
        }
        for population in &mut config.populations {
            complete_model(population);
        }
        let built = |p: usize, split: bool| {
            let population = &config.populations[p];
            let own = own.model(&population.neurons).transpose();
            let model = own.unwrap_or_else(|| build_population(&population.neurons, dt, split));
            model.at(format!("population {}", population.name))
        };
        let mut models = (0..config.populations.len()).map(|p| built(p, false)).collect::<Result<Vec<_>>>()?;
        let (resets, split) = resets(&config, &circuit, &models)?;
        for p in (0..models.len()).filter(|p| split[*p]) {
            models[p] = built(p, true)?;
        }
        for (rule, (name, from, to)) in rules.iter().zip(&circuit.projections) {
            let ends = [from, to].map(|p| (&circuit.populations[*p].0[..], &*models[*p]));
            rule.iter().try_for_each(|rule| check_rule(&**rule, ends)).at(format!("projection {name}"))?;
        }
        let delays = config.projections.iter().map(|projection| projection.delay_steps(dt)).collect();
        let world = build_world(&mut config, &circuit, &own)?;
        let (life, steps) = (&config.life, world.steps());
        for (key, seconds) in [("life.seconds", life.seconds), ("life.frozen_seconds", life.frozen_seconds)] {
            let blocks = seconds * 1000.0 / dt / steps as f64;
            let countable = blocks * steps as f64 <= MOST_STEPS as f64 && blocks < 1e12;
            expect(countable, key, seconds, "at most 1e12 blocks and 2^53 steps")?;
            let whole = (blocks - blocks.round()).abs() < 1e-6;
            let block = steps as f64 * dt / 1000.0;
            expect(whole, key, seconds, format!("a multiple of {block} s, a block of this world"))?;
        }
        check_shuffle(&config, &rules)?;
        Ok(LifeSetup { config, world, circuit, models, rules, resets, split, delays, own })
    }

    /// The life called `name` overlaid with `settings`; later ones take precedence. `name` can be `None` if settings give
    /// `world.name`.
    ///
    /// # Errors
    /// [`Error::Unknown`] for an unknown life, rule or key; otherwise as [`LifeSetup::new`].
    pub fn resolve(name: Option<&str>, rule: Option<&str>, settings: &[Setting]) -> Result<Self> {
        Self::resolve_with(name, rule, settings, OwnLife::default())
    }

    /// Like [`LifeSetup::resolve`], with a world, neuron models or rules of your own.
    ///
    /// # Errors
    /// As [`LifeSetup::resolve`].
    pub fn resolve_with(name: Option<&str>, rule: Option<&str>, settings: &[Setting], own: OwnLife) -> Result<Self> {
        let named =
            settings.iter().rev().find(|setting| setting.key == "world.name").map(crate::config::text).transpose()?;
        let Some(name) = name.or(named) else { bail!(Usage, "no life is named; see `hebbian-rnn lives`") };
        ensure!(
            named.is_none_or(|named| named == name),
            Usage,
            "the command names life `{name}`, but world.name is `{}`",
            named.unwrap_or_default()
        );
        Self::with(find_life(name)?.config(rule)?.with(settings)?, own)
    }

    /// The same simulation with some settings changed, and with the same world, neuron models and rules of your own.
    ///
    /// # Errors
    /// As [`LifeSetup::resolve`].
    pub fn changed(&self, settings: &[Setting]) -> Result<Self> {
        Self::with(self.config.with(settings)?, self.own.clone())
    }

    /// The rule of projection `k` in the fused kernels' form.
    pub(crate) fn fused_rule(&self, k: usize) -> Option<FusedSynapseRule> {
        self.rules[k].as_ref()?.fused()
    }

    /// Whether input through projection `k` outlasts the spikes of neurons that also receive other input.
    pub(crate) fn lasting(&self, k: usize) -> bool {
        self.split[self.circuit.projections[k].2] && !self.resets[k]
    }

    /// The longest delay in steps; at least one.
    pub(crate) fn longest(&self) -> usize {
        self.delays.iter().copied().fold(1, usize::max)
    }

    /// The number of modulators of a network that `life.shuffle_seconds` holds back.
    pub(crate) fn shuffle_steps(&self) -> usize {
        shuffle_steps(&self.config) as usize
    }

    /// The duration of a block in seconds.
    pub(crate) fn block_seconds(&self) -> f64 {
        self.world.steps() as f64 * self.config.life.dt_ms / 1000.0
    }

    /// The number of blocks in which weights change, and of frozen blocks after them.
    pub(crate) fn blocks(&self) -> (u64, u64) {
        let life = &self.config.life;
        let blocks = |seconds: f64| (seconds * 1000.0 / life.dt_ms / self.world.steps() as f64).round() as u64;
        (blocks(life.seconds), blocks(life.frozen_seconds))
    }
}

/// Your own world or, without one, the world that the configuration names.
fn build_world(config: &mut LifeConfig, circuit: &Circuit, own: &OwnLife) -> Result<Arc<dyn World>> {
    let life = &config.life;
    let seconds = life.seconds + life.frozen_seconds;
    let places = Places { populations: &circuit.populations, dt_ms: life.dt_ms, seconds };
    if let Some(world) = own.world(&places)? {
        // The parameters of the world that it replaces do not apply to it.
        config.world = Table::from_iter([("name".to_string(), world.name().into())]);
        return Ok(world);
    }
    let name = config.world_name()?;
    let info = LIVES.iter().find(|life| life.name == name);
    let info = info.ok_or_else(|| Error::unknown("world", name, LIVES.iter().map(|life| life.name)))?;
    let mut parameters = config.world.clone();
    parameters.remove("name");
    (info.build)(parameters, &places)
}

/// The number of steps in `life.shuffle_seconds`, a whole number; 0: modulators are not shuffled.
fn shuffle_steps(config: &LifeConfig) -> f64 {
    (config.life.shuffle_seconds.unwrap_or_default() * 1000.0 / config.life.dt_ms).round()
}

/// Refuses to shuffle modulators that no rule reads, or over a time that is not a number of steps.
fn check_shuffle(config: &LifeConfig, rules: &[Option<Arc<dyn SynapseRule>>]) -> Result<()> {
    let Some(seconds) = config.life.shuffle_seconds.filter(|seconds| *seconds != 0.0) else { return Ok(()) };
    let dt = config.life.dt_ms;
    let fits = (1.0..=f64::from(u32::MAX)).contains(&shuffle_steps(config));
    expect(fits, "life.shuffle_seconds", seconds, format!("0, or 1 to {} steps of {dt} ms", u32::MAX))?;
    let is_read = rules.iter().flatten().any(|rule| rule.reads_reward());
    expect(is_read, "life.shuffle_seconds", seconds, "0, since no rule of this life reads a modulator")
}

/// Refuses populations whose neurons a rule does not support.
fn check_rule(rule: &dyn SynapseRule, ends: [(&str, &dyn PopulationModel); 2]) -> Result<()> {
    let (name, needs) = (rule.name(), rule.needs());
    for (population, model) in ends {
        let spikes = needs != Needs::Rates;
        let (expected, has) = if spikes { ("spikes", "rates") } else { ("rates", "spikes") };
        ensure!(
            needs == Needs::Nothing || model.spikes() == spikes,
            Usage,
            "rule `{name}` is for {expected}, but population `{population}` ({}) has {has}",
            model.name()
        );
    }
    let [_, (population, model)] = ends;
    ensure!(
        needs != Needs::Escape || model.probability().is_some(),
        Usage,
        "rule `{name}` needs neurons with escape noise, such as srm0, but population `{population}` is {}",
        model.name()
    );
    Ok(())
}

/// For each projection, whether a spike of the postsynaptic neuron ends the effect of earlier input; and for each population,
/// whether the projections to it differ in this.
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

/// Sets the missing parameters of a population's neurons to their defaults.
fn complete_model(population: &mut PopulationConfig) {
    let name = population.neurons.get("model").and_then(Value::as_str);
    if let Some(model) = population_models().iter().find(|known| Some(known.name) == name) {
        let mut all = (model.defaults)();
        all.extend(std::mem::take(&mut population.neurons));
        population.neurons = all;
    }
}

/// The rule of a projection; sets its missing parameters to their defaults, and drops the rule `none`.
fn complete(projection: &mut ProjectionConfig, own: &OwnLife, dt_ms: f64) -> Result<Option<Arc<dyn SynapseRule>>> {
    let table = &mut projection.rule;
    if table.is_empty() {
        return Ok(None);
    }
    if let Some(rule) = own.rule(table)? {
        return Ok(Some(rule));
    }
    let Some(name) = table.get("name").and_then(Value::as_str) else { bail!(Usage, "rule.name is missing") };
    if name == "none" {
        *table = Table::new();
        return Ok(None);
    }
    let info = SynapseRuleInfo::find(name)?;
    let given = std::mem::replace(table, info.table());
    table.extend(given);
    table.insert("name".into(), info.name.into());
    info.build(table.clone(), dt_ms).map(Some)
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
        for life in LIVES {
            let verdict = LifeSetup::resolve(Some(life.name), None, &[]).unwrap().world.verdict(&[]);
            assert!(verdict.figures.iter().any(|(name, _)| *name == life.measure.0), "{}", life.name);
        }
        let refused = |rule| LifeSetup::resolve(Some("hoerzer"), Some(rule), &[]).err().unwrap().to_string();
        let set =
            |text: &str| LifeSetup::resolve(Some("hoerzer"), None, &[Setting::parse(text).unwrap()]).unwrap().rules;
        assert!(set("projection.recurrent-recurrent.rule.name=eh")[0].is_some());
        assert!(set("projection.recurrent-readout.rule.name=none")[2].is_none());
        assert!(refused("mstdp").contains("known are: eh-binary, none"), "{}", refused("mstdp"));
    }
}
