//! The configuration of a life: populations, projections between them, and the world they live in.

use super::{Kernels, NetworkRange, Precision, LARGEST};
use crate::error::{ensure, At, Error, Result};
use crate::keys::{check_ranges, OtherKeys};
use crate::ranges::expect;
use documented::DocumentedFields;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::HashSet;
use toml::{Table, Value};

/// A complete description of a life.
#[derive(Clone, Debug, PartialEq, JsonSchema, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct LifeConfig {
    /// Which networks live, for how long, and where.
    pub life: LifeSettings,
    /// The world's name and its own parameters.
    #[schemars(with = "OtherKeys")]
    pub world: Table,
    /// The populations, in the order in which their neurons are numbered.
    #[serde(rename = "population")]
    pub populations: Vec<PopulationConfig>,
    /// The projections.
    #[serde(rename = "projection")]
    pub projections: Vec<ProjectionConfig>,
}

/// Which networks live, for how long, and where.
#[derive(Clone, Debug, PartialEq, DocumentedFields, JsonSchema, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct LifeSettings {
    /// Indices of the networks. Each lives alone; they differ in their random numbers.
    #[schemars(extend("x-merge" = true))]
    pub networks: NetworkRange,
    /// Trials in parallel: always 1, since weights that change during a life belong to that life alone.
    pub batch: usize,
    /// Seed of all random streams.
    pub seed: u64,
    /// Δt, the duration of a step in ms.
    #[schemars(extend("exclusiveMinimum" = 0))]
    pub dt_ms: f64,
    /// The simulated time during which weights change.
    #[schemars(range(min = 0), extend("x-resume" = true))]
    pub seconds: f64,
    /// The simulated time after that with frozen weights: a test of what was learnt.
    #[schemars(range(min = 0), extend("x-resume" = true))]
    pub frozen_seconds: f64,
    /// Whether neurons are also noisy during the frozen time.
    pub frozen_noise: bool,
    /// A control: in each step, the modulator that the world gives to the rules (reward, TD error) takes a random place among those of
    /// this much time, and the one that was there acts instead. So each acts once, later by this time on average, and they keep their
    /// distribution but say nothing about what the network did. 0 or `None`: each acts at once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0))]
    pub shuffle_seconds: Option<f64>,
    /// Simulated time from one checkpoint to the next. 0: only at the end.
    #[schemars(range(min = 0), extend("x-resume" = true, "x-merge" = true))]
    pub checkpoint_every_seconds: f64,
    /// Number of earlier checkpoints to keep besides the newest.
    #[schemars(extend("x-resume" = true, "x-merge" = true))]
    pub keep: u64,
    /// `auto`, `cpu`, `cuda`, `cuda:1` or `metal`.
    #[schemars(extend("x-resume" = true, "x-merge" = true))]
    pub device: String,
    /// Floating-point precision.
    pub dtype: Precision,
    /// Which implementation computes the steps.
    pub kernels: Kernels,
}

/// Neurons of one kind.
#[derive(Clone, Debug, PartialEq, DocumentedFields, JsonSchema, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct PopulationConfig {
    /// Its name.
    pub name: String,
    /// The number of neurons.
    #[schemars(range(min = 1, max = 1 << 24))]
    pub size: usize,
    /// Dale's law: the sign of all outgoing weights.
    #[serde(default)]
    pub sign: Sign,
    /// The name of the neuron model, `model`, and its parameters.
    #[schemars(with = "OtherKeys")]
    pub neurons: Table,
}

/// The sign of a population's outgoing weights.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, JsonSchema, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Sign {
    /// Either sign.
    #[default]
    Mixed,
    /// Never below 0.
    Excitatory,
    /// Never above 0.
    Inhibitory,
}

/// Synapses from one population to another, or to itself. No neuron projects to itself, and no pair has two synapses.
#[derive(Clone, Debug, PartialEq, DocumentedFields, JsonSchema, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct ProjectionConfig {
    /// The presynaptic population.
    pub from: String,
    /// The postsynaptic population.
    pub to: String,
    /// Which pairs are connected.
    pub connect: Connect,
    /// The distribution of initial weights.
    pub weights: InitialSynapses,
    /// The smallest weight, in the unit of the postsynaptic neurons' input.
    pub w_min: f64,
    /// The largest weight.
    pub w_max: f64,
    /// The time from a spike to its effect, a multiple of `life.dt_ms`; at least one step.
    #[schemars(extend("exclusiveMinimum" = 0))]
    pub delay_ms: f64,
    /// Whether a postsynaptic spike ends the effect of earlier input from this projection, if the neuron model
    /// supports this; `None`: the neuron model's own setting.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub own_spike_resets: Option<bool>,
    /// The name of the learning rule, `name`, and its parameters; empty if the weights are fixed.
    #[serde(default, skip_serializing_if = "Table::is_empty")]
    #[schemars(with = "OtherKeys")]
    pub rule: Table,
}

/// Which pairs of neurons are connected.
#[derive(Clone, Copy, Debug, PartialEq, JsonSchema, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Connect {
    /// Each pair with this probability; 1: all to all.
    Density(#[schemars(range(max = 1), extend("exclusiveMinimum" = 0))] f64),
    /// Each postsynaptic neuron has this many synapses, from random neurons.
    InDegree(usize),
    /// Each presynaptic neuron has this many synapses, onto random neurons.
    OutDegree(usize),
}

/// The distribution of initial weights.
#[derive(Clone, Copy, Debug, PartialEq, JsonSchema, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum InitialSynapses {
    /// All the same.
    Constant(f64),
    /// U(first, second).
    Uniform(f64, f64),
    /// N(first, second²).
    Normal(f64, #[schemars(range(min = 0))] f64),
}

impl ProjectionConfig {
    /// Its name in keys and tensors: `FROM-TO`.
    pub fn name(&self) -> String {
        format!("{}-{}", self.from, self.to)
    }

    /// The delay in steps of `dt_ms`.
    pub fn delay_steps(&self, dt_ms: f64) -> usize {
        (self.delay_ms / dt_ms).round() as usize
    }

    /// The name of the learning rule, if the weights are plastic.
    pub fn rule_name(&self) -> Option<&str> {
        self.rule.get("name").and_then(Value::as_str)
    }

    fn check(&self, config: &LifeConfig) -> Result<()> {
        let known = || config.populations.iter().map(|p| p.name.as_str());
        let find = |name: &str| config.populations.iter().find(|p| p.name == name);
        let from = find(&self.from).ok_or_else(|| Error::unknown("population", &self.from, known())).at("from")?;
        let to = find(&self.to).ok_or_else(|| Error::unknown("population", &self.to, known())).at("to")?;
        let itself = usize::from(self.from == self.to);
        check_ranges("", self)?;
        match self.connect {
            Connect::Density(_) => {}
            Connect::InDegree(k) => {
                let most = from.size - itself;
                expect((1..=most).contains(&k), "connect.in_degree", k, format!("1 to {most} presynaptic neurons"))?;
            }
            Connect::OutDegree(k) => {
                let most = to.size - itself;
                expect((1..=most).contains(&k), "connect.out_degree", k, format!("1 to {most} postsynaptic neurons"))?;
            }
        }
        expect(self.w_min <= self.w_max, "w_min", self.w_min, format!("at most w_max ({})", self.w_max))?;
        let (low, high) = match self.weights {
            InitialSynapses::Constant(w) => (w, w),
            InitialSynapses::Uniform(low, high) => (low, high),
            InitialSynapses::Normal(mean, _) => (mean, mean),
        };
        let inside = format!("within w_min and w_max ({} to {})", self.w_min, self.w_max);
        let fine = low <= high && low >= self.w_min && high <= self.w_max;
        expect(fine, "weights", format!("{low} to {high}"), inside)?;
        let (wrong, bound) = match from.sign {
            Sign::Excitatory => (self.w_min < 0.0, "w_min of at least 0"),
            Sign::Inhibitory => (self.w_max > 0.0, "w_max of at most 0"),
            Sign::Mixed => (false, ""),
        };
        let sign = if from.sign == Sign::Excitatory { "excitatory" } else { "inhibitory" };
        ensure!(
            !wrong,
            Usage,
            "weights go from {} to {}, but population `{}` is {sign} (Dale's law): expected {bound}",
            self.w_min,
            self.w_max,
            self.from
        );
        let steps = self.delay_ms / config.life.dt_ms;
        let whole = steps >= 0.999 && (steps - steps.round()).abs() < 1e-6 && steps < 1e5;
        let expected = format!("a multiple of life.dt_ms ({}), at least one step", config.life.dt_ms);
        expect(whole, "delay_ms", self.delay_ms, expected)
    }
}

impl LifeConfig {
    /// The world's name.
    ///
    /// # Errors
    /// [`Error::Usage`] if the table `world` has no name.
    pub fn world_name(&self) -> Result<&str> {
        let name = self.world.get("name").and_then(Value::as_str);
        name.ok_or_else(|| Error::Usage("world.name is missing".into()))
    }

    /// The configuration as TOML.
    ///
    /// # Errors
    /// [`Error::Bug`] if a value cannot be written as TOML.
    pub fn to_toml(&self) -> Result<String> {
        toml::to_string(self).map_err(|error| Error::Bug(format!("writing the configuration as TOML: {error}")))
    }

    /// Reads a complete configuration from TOML.
    ///
    /// # Errors
    /// [`Error::Usage`] if a key is missing, unknown or of the wrong type.
    pub fn from_toml(text: &str) -> Result<Self> {
        toml::from_str(text).map_err(|error| Error::Usage(error.message().trim().to_string()))
    }

    /// Checks the range of every number, and that projections fit the populations.
    ///
    /// # Errors
    /// [`Error::Setting`], [`Error::Unknown`] or [`Error::Usage`] for the first thing that is wrong.
    pub fn check(&self) -> Result<()> {
        let life = &self.life;
        ensure!(
            life.batch == 1,
            Usage,
            "life.batch is {}; expected 1: weights change at every step of a life, so its trials run one after another. \
             To run more at once, use more networks (--networks)",
            life.batch
        );
        check_ranges("life", life)?;
        let most = LARGEST;
        expect(life.networks.count() <= most, "life.networks", life.networks, format!("at most {most} networks"))?;
        ensure!(!self.populations.is_empty(), Usage, "no population is configured: add a table [[population]]");
        let mut names = HashSet::new();
        for population in &self.populations {
            let place = format!("population {}", population.name);
            let usable = |c: char| c.is_ascii_alphanumeric() || c == '_';
            let named = !population.name.is_empty() && population.name.chars().all(usable);
            ensure!(named, Usage, "population `{}`: expected a name of letters, digits and _", population.name);
            ensure!(
                names.insert(population.name.clone()),
                Usage,
                "there are two populations called `{}`",
                population.name
            );
            check_ranges("", population).at(place)?;
        }
        for projection in &self.projections {
            // Population names have no hyphen, so they cannot clash with those of projections.
            let name = projection.name();
            ensure!(names.insert(name.clone()), Usage, "there are two projections `{name}`");
            projection.check(self).at(format!("projection {name}"))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Setting;

    fn small() -> LifeConfig {
        LifeConfig::from_toml(
            r#"
            life = { networks = 2, batch = 1, seed = 1, dt_ms = 1.0, seconds = 1.0, frozen_seconds = 0.0,
                     frozen_noise = true, checkpoint_every_seconds = 1.0, keep = 1, device = "cpu", dtype = "f32",
                     kernels = "fused" }
            world = { name = "none" }
            [[population]]
            name = "a"
            size = 3
            sign = "excitatory"
            neurons = { model = "input" }
            [[population]]
            name = "b"
            size = 2
            neurons = { model = "lif" }
            [[projection]]
            from = "a"
            to = "b"
            connect = { density = 1.0 }
            weights = { uniform = [0.0, 1.0] }
            w_min = 0.0
            w_max = 2.0
            delay_ms = 1.0
            rule = { name = "mstdp", gamma = 0.1 }
            "#,
        )
        .unwrap()
    }

    #[test]
    fn keys_are_addressed_by_name() {
        let set = |text: &str| small().with(&[Setting::parse(text).unwrap()]);
        assert_eq!(set("population.b.size=7").unwrap().populations[1].size, 7);
        assert_eq!(set("projection.a-b.connect.in_degree=2").unwrap().projections[0].connect, Connect::InDegree(2));
        assert_eq!(set("projection.a-b.rule.gamma=1").unwrap().projections[0].rule["gamma"].as_float(), Some(1.0));
        let unknown = set("population.b.sise=7").unwrap_err().to_string();
        assert!(unknown.contains("did you mean `population.b.size`"), "{unknown}");
        // A setting after a whole list, such as that of a configuration file, changes it.
        let list = Setting::from_toml(&small().to_toml().unwrap(), "config.toml").unwrap();
        let changed = [list, vec![Setting::parse("population.b.size=7").unwrap()]].concat();
        assert_eq!(small().with(&changed).unwrap(), set("population.b.size=7").unwrap());
        let same = small();
        assert_eq!(same.with(&same.settings("x").unwrap()).unwrap(), same);
    }

    #[test]
    fn what_cannot_live_is_refused_in_one_line() {
        let refused =
            |text: &str| small().with(&[Setting::parse(text).unwrap()]).unwrap().check().unwrap_err().to_string();
        for (setting, said) in [
            ("life.batch=4", "life.batch is 4; expected 1"),
            (
                "projection.a-b.delay_ms=0.5",
                "projection a-b: delay_ms is 0.5; expected a multiple of life.dt_ms (1), at least one step",
            ),
            ("projection.a-b.w_min=-1.0", "population `a` is excitatory (Dale's law)"),
            ("projection.a-b.connect.in_degree=4", "connect.in_degree is 4; expected 1 to 3"),
            ("projection.a-b.weights.constant=3.0", "weights is 3 to 3; expected within w_min and w_max"),
        ] {
            let error = refused(setting);
            assert!(error.contains(said) && !error.contains('\n'), "{error}");
        }
        let mut lost = small();
        lost.projections[0].to = "c".into();
        assert_eq!(
            lost.check().unwrap_err().to_string(),
            "projection a-c: to: unknown population `c`; known are: a, b"
        );
    }
}
