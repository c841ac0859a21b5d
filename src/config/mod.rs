//! The configuration of a run: everything that determines its result, written and read as TOML.
//!
//! Units are part of the names (`_ms`); a key without a unit is dimensionless. [`Config::check`] checks the ranges of
//! numbers; [`crate::Setup`] checks that network, rule and task are compatible.

mod curriculum;
mod fast_weights;
mod layers;
mod learning;
mod life;
mod life_keys;
mod network;
mod network_range;
mod tables;
mod train;

pub use curriculum::{CurriculumStage, Until};
pub use fast_weights::{Association, FastWeightsConfig, FastWeightsForm, ModulatorSource, Stage};
pub use layers::Setting;
pub(crate) use layers::{lay_over, text};
pub use learning::{
    Baseline, BpttConfig, Distribution, Loss, Parameters, PerturbationConfig, ReadoutConfig, ReadoutRule, RewardConfig,
    RuleConfig,
};
pub use life::{Connect, InitialSynapses, LifeConfig, LifeSettings, PopulationConfig, ProjectionConfig, Sign};
pub use network::{InputWeights, NetworkConfig, Output, TransferFunction};
pub use network_range::NetworkRange;
pub(crate) use tables::{keys_of, LIFE_TABLES, TABLES};
pub use train::{Kernels, Precision, TrainConfig};

use crate::error::{bail, At, Error, Result};
use crate::keys::{check_ranges, OtherKeys};
use crate::ranges::{expect, positive};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A complete description of a run.
#[derive(Clone, Debug, PartialEq, JsonSchema, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Config {
    /// Size, dynamics and initial weights.
    pub network: NetworkConfig,
    /// The fast weights H.
    #[serde(rename = "trace")]
    pub fast_weights: FastWeightsConfig,
    /// The exploratory perturbations of the neurons.
    pub perturbation: PerturbationConfig,
    /// How `w_rec` learns.
    pub rule: RuleConfig,
    /// How `w_out` and `b_out` learn if the output is a readout.
    pub readout: ReadoutConfig,
    /// Backpropagation through time (rule `bptt` only).
    #[serde(default)]
    pub bptt: BpttConfig,
    /// The reward baseline and the neuromodulator.
    pub modulator: RewardConfig,
    /// The task's name and its own parameters.
    #[schemars(with = "OtherKeys")]
    pub task: toml::Table,
    /// Which networks, how many trials, on which device, and when to stop.
    pub train: TrainConfig,
    /// Stages of training before these settings, which are the last stage.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub curriculum: Vec<CurriculumStage>,
}

/// The name of stage `k` of a curriculum, counted from 0, in messages.
pub(crate) fn stage_name(k: usize) -> String {
    format!("stage {} of the curriculum", k + 1)
}

/// The largest number of networks, trials, steps, …: the fused kernels count in 32 bits.
pub(crate) const LARGEST: usize = u32::MAX as usize;

impl Config {
    /// The task's name.
    ///
    /// # Errors
    /// [`Error::Usage`] if the table `task` has no name.
    pub fn task_name(&self) -> Result<&str> {
        let name = self.task.get("name").and_then(|name| name.as_str());
        name.ok_or_else(|| Error::Usage("task.name is missing".into()))
    }

    /// Whether a readout learns from reward by exploring.
    pub fn readout_explores(&self) -> bool {
        self.network.output == Output::Readout
            && matches!(self.readout.rule, ReadoutRule::NodePerturbation | ReadoutRule::Eh)
    }

    /// Whether a readout learns.
    pub fn readout_learns(&self) -> bool {
        self.network.output == Output::Readout && self.readout.rule != ReadoutRule::None
    }

    /// Whether neurons are perturbed.
    pub fn perturbs(&self) -> bool {
        self.perturbation.probability * self.perturbation.amplitude != 0.0
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

    /// Checks the range of every number.
    ///
    /// # Errors
    /// [`Error::Setting`] for the first key out of range; [`Error::Usage`] if the run has no limit, or two.
    pub fn check(&self) -> Result<()> {
        self.network.check()?;
        self.perturbation.check()?;
        check_ranges("trace", &self.fast_weights)?;
        check_ranges("rule", &self.rule)?;
        check_ranges("readout", &self.readout)?;
        check_ranges("bptt", &self.bptt)?;
        check_ranges("modulator", &self.modulator)?;
        check_ranges("train", &self.train)?;
        if self.readout.rule == ReadoutRule::NodePerturbation && self.network.output == Output::Readout {
            positive("readout.perturbation", self.readout.perturbation)?;
        }
        for (k, stage) in self.curriculum.iter().enumerate() {
            check_ranges("", stage).at(stage_name(k))?;
        }
        let train = &self.train;
        let (networks, expected) = (train.networks.count(), format!("at most {LARGEST} networks"));
        expect(networks <= LARGEST, "train.networks", train.networks, expected)?;
        if train.trials.is_some() && train.updates.is_some() {
            bail!(Usage, "train.trials and train.updates are both set: give one of them");
        }
        if train.trials.is_none() && train.updates.is_none() && !train.until_criterion {
            bail!(Usage, "the run would never stop: set train.trials, train.updates or train.until_criterion");
        }
        Ok(())
    }
}
