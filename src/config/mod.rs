//! Everything that decides a run's result, in one value that can be written as TOML and read back.
//!
//! Units stand in the names (`_ms`); a key without a unit is dimensionless. [`Config::check`] checks the ranges of numbers;
//! whether network, rule and task go together is checked where they meet ([`crate::Setup`]).

mod bptt;
mod fast_weights;
mod layers;
mod learning;
mod network;
mod networks;
mod train;

pub use bptt::{BpttConfig, Loss, Parameters};
pub use fast_weights::{Association, FastWeightsConfig, FastWeightsForm, ModulatorSource, Stage};
pub use layers::Setting;
pub(crate) use layers::{lay_over, text};
pub use learning::{Baseline, ModulatorConfig, PerturbationConfig, ReadoutConfig, ReadoutRule, RuleConfig};
pub use network::{InputWeights, NetworkConfig, Output, Response};
pub use networks::Networks;
pub use train::{Kernels, Precision, TrainConfig};

use crate::error::{bail, Error, Result};
use crate::ranges::{expect, fraction, not_negative, number, positive};
use serde::{Deserialize, Serialize};

/// A complete description of a run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Size, dynamics and initial weights.
    pub network: NetworkConfig,
    /// The fast weights: the Hebbian trace.
    #[serde(rename = "trace")]
    pub fast_weights: FastWeightsConfig,
    /// The exploratory perturbation of the neurons.
    pub perturbation: PerturbationConfig,
    /// How `w_rec` learns.
    pub rule: RuleConfig,
    /// How `w_out` and `b_out` learn, where the output is a readout.
    pub readout: ReadoutConfig,
    /// Backpropagation through time, where that is the rule.
    #[serde(default)]
    pub bptt: BpttConfig,
    /// The neuromodulator: the reward baseline, and reward within a trial.
    pub modulator: ModulatorConfig,
    /// The task's name and its own parameters.
    pub task: toml::Table,
    /// How many networks, how many trials, where, and when to stop.
    pub train: TrainConfig,
}

/// The largest count of anything: the fused kernels count in 32 bits.
pub(crate) const LARGEST: usize = u32::MAX as usize;

impl Config {
    /// The task's name.
    ///
    /// # Errors
    /// Where the `task` table has no name.
    pub fn task_name(&self) -> Result<&str> {
        let name = self.task.get("name").and_then(|name| name.as_str());
        name.ok_or_else(|| Error::Usage("task.name is missing".into()))
    }

    /// Whether there is a readout that learns from the reward of its own noisy outputs.
    pub fn readout_explores(&self) -> bool {
        self.network.output == Output::Readout
            && matches!(self.readout.rule, ReadoutRule::NodePerturbation | ReadoutRule::Eh)
    }

    /// Whether there is a readout that learns.
    pub fn readout_learns(&self) -> bool {
        self.network.output == Output::Readout && self.readout.rule != ReadoutRule::None
    }

    /// Whether neurons are perturbed at all.
    pub fn perturbs(&self) -> bool {
        self.perturbation.probability * self.perturbation.amplitude != 0.0
    }

    /// The configuration as TOML.
    ///
    /// # Errors
    /// Where a number has no TOML form.
    pub fn to_toml(&self) -> Result<String> {
        toml::to_string(self).map_err(|error| Error::Bug(format!("writing the configuration as TOML: {error}")))
    }

    /// Reads a whole configuration from TOML.
    ///
    /// # Errors
    /// Names the key that is missing, unknown or wrong.
    pub fn from_toml(text: &str) -> Result<Self> {
        toml::from_str(text).map_err(|error| Error::Usage(error.message().trim().to_string()))
    }

    /// Checks the range of every number.
    ///
    /// # Errors
    /// Names the first key that is wrong, what was found and what is expected.
    pub fn check(&self) -> Result<()> {
        self.network.check()?;

        number("trace.alpha", self.fast_weights.alpha)?;
        fraction("trace.eta", self.fast_weights.eta)?;
        not_negative("trace.clip", self.fast_weights.clip)?;

        fraction("perturbation.probability", self.perturbation.probability)?;
        not_negative("perturbation.amplitude", self.perturbation.amplitude)?;

        not_negative("rule.eta", self.rule.eta)?;
        not_negative("rule.max_dw", self.rule.max_dw)?;
        not_negative("rule.clip_growth", self.rule.clip_growth)?;

        not_negative("readout.eta", self.readout.eta)?;
        not_negative("readout.perturbation", self.readout.perturbation)?;
        fraction("readout.mean_decay", self.readout.mean_decay)?;
        if self.readout.rule == ReadoutRule::NodePerturbation && self.network.output == Output::Readout {
            positive("readout.perturbation", self.readout.perturbation)?;
        }

        self.bptt.check()?;

        fraction("modulator.expected_error_decay", self.modulator.expected_error_decay)?;
        fraction("modulator.reward_decay", self.modulator.reward_decay)?;
        not_negative("modulator.energy_cost", self.modulator.energy_cost)?;

        let train = &self.train;
        let most = LARGEST;
        expect(train.batch >= 1, "train.batch", train.batch, "at least 1")?;
        expect(train.batch <= most, "train.batch", train.batch, format!("at most {most}"))?;
        expect(train.networks.count() <= most, "train.networks", train.networks, format!("at most {most} networks"))?;
        if train.trials.is_some() && train.updates.is_some() {
            bail!(Usage, "train.trials and train.updates are both set: give one of them");
        }
        if train.trials.is_none() && train.updates.is_none() && !train.until_criterion {
            bail!(Usage, "the run would never stop: set train.trials, train.updates or train.until_criterion");
        }
        Ok(())
    }
}
