//! Everything that decides a run's result, in one value that can be written as TOML and read back.
//!
//! Units stand in the names (`_ms`); a key without a unit is dimensionless. [`Config::validate`] checks ranges before any
//! work starts. How files and `--set` are laid over the defaults is [`crate::settings`].

mod bptt;
mod learning;
mod network;
mod trace;
mod train;

pub use crate::networks::Networks;
pub use bptt::{BpttConfig, Loss, Parameters};
pub use learning::{Baseline, ModulatorConfig, PerturbationConfig, ReadoutConfig, ReadoutRule, RuleConfig, RuleName};
pub use network::{Dynamics, InputWeights, NetworkConfig, Output, Response};
pub use trace::{Association, Stage, TraceConfig, TraceForm, TraceModulator};
pub use train::{Kernels, Precision, TrainConfig};

use crate::task::{self, Task};
use anyhow::{bail, Context, Result};
use serde::{Deserialize, Serialize};

/// A complete description of a run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Size, dynamics and initial weights.
    pub network: NetworkConfig,
    /// The Hebbian trace (fast weights).
    pub trace: TraceConfig,
    /// The exploratory perturbation of the neurons.
    pub perturbation: PerturbationConfig,
    /// How `w_rec` learns.
    pub rule: RuleConfig,
    /// How `w_out` and `b_out` learn, where the output is a readout.
    pub readout: ReadoutConfig,
    /// Backpropagation through time, where that is the rule.
    #[serde(default)]
    pub bptt: BpttConfig,
    /// The neuromodulator.
    pub modulator: ModulatorConfig,
    /// The task's name and its own parameters.
    pub task: toml::Table,
    /// How many networks, how many trials, where, and when to stop.
    pub train: TrainConfig,
}

impl Config {
    /// The task's name.
    pub fn task_name(&self) -> Result<&str> {
        self.task.get("name").and_then(|name| name.as_str()).context("task.name is missing")
    }

    /// The defaults of `task` with the rule it is usually trained with.
    pub fn for_task(task: &str) -> Result<Config> {
        let info = task::find(task)?;
        Ok(info.defaults(info.rule))
    }

    /// Fills in what depends on the task and is not said: its file's hash, and the output neurons. Returns the task.
    ///
    /// # Errors
    /// Where the task's parameters are wrong.
    pub fn complete(&mut self) -> Result<Box<dyn Task>> {
        task::complete(&mut self.task)?;
        let task = task::build(&self.task)?;
        self.network.fill_output_neurons(&*task);
        Ok(task)
    }

    /// Whether anything reads the reward of each step: a rule gated online, a readout that explores, or the trace.
    pub fn reads_reward_online(&self) -> bool {
        self.rule.name == RuleName::Eh
            || self.readout_explores()
            || (self.trace.stage != Stage::None && self.trace.modulator == TraceModulator::Reward)
    }

    /// Whether anything is told the difference of each output from its target.
    pub fn reads_error_online(&self) -> bool {
        self.rule.name == RuleName::Rflo
            || (self.network.output == Output::Readout && self.readout.rule == ReadoutRule::Delta)
    }

    /// Whether there is a readout that learns from the reward of its own noisy outputs.
    pub fn readout_explores(&self) -> bool {
        self.network.output == Output::Readout
            && matches!(self.readout.rule, ReadoutRule::NodePerturbation | ReadoutRule::Eh)
    }

    /// The configuration as TOML.
    pub fn to_toml(&self) -> Result<String> {
        toml::to_string(self).context("writing the configuration as TOML")
    }

    /// Checks every range, every dependence between keys, and that the network fits the task.
    ///
    /// # Errors
    /// Names the first key that is wrong, what was found and what is expected.
    pub fn validate(&self, task: &dyn Task) -> Result<()> {
        let net = &self.network;
        net.validate(task)?;

        number("trace.alpha", self.trace.alpha)?;
        fraction("trace.eta", self.trace.eta)?;
        not_negative("trace.clip", self.trace.clip)?;

        fraction("perturbation.probability", self.perturbation.probability)?;
        not_negative("perturbation.amplitude", self.perturbation.amplitude)?;

        not_negative("rule.eta", self.rule.eta)?;
        not_negative("rule.max_dw", self.rule.max_dw)?;
        not_negative("rule.clip_growth", self.rule.clip_growth)?;
        fraction("rule.x_mean_decay", self.rule.x_mean_decay)?;
        if self.rule.name == RuleName::HebbianTrace && self.trace.stage == Stage::None {
            bail!(
                "trace.stage is `none`, but rule.name is `hebbian-trace`, which learns from the trace: choose a stage"
            );
        }
        if self.rule.name == RuleName::NodePerturbation
            && self.perturbation.probability * self.perturbation.amplitude == 0.0
        {
            bail!("rule.name is `node-perturbation`, but perturbation.probability or perturbation.amplitude is 0: nothing could be learnt");
        }

        if self.rule.name == RuleName::Rflo && !(net.error_feedback_scale > 0.0 && net.output == Output::Readout) {
            bail!("rule.name is `rflo`, which feeds the readout's error back: set network.output to `readout` and network.error_feedback_scale above 0");
        }

        not_negative("readout.eta", self.readout.eta)?;
        not_negative("readout.perturbation", self.readout.perturbation)?;
        fraction("readout.mean_decay", self.readout.mean_decay)?;
        if self.readout.rule == ReadoutRule::NodePerturbation && net.output == Output::Readout {
            positive("readout.perturbation", self.readout.perturbation)?;
        }

        self.bptt.validate(self, task)?;

        fraction("modulator.expected_error_decay", self.modulator.expected_error_decay)?;
        fraction("modulator.reward_decay", self.modulator.reward_decay)?;
        not_negative("modulator.energy_cost", self.modulator.energy_cost)?;
        let online = self.reads_reward_online() || self.reads_error_online();
        if online && self.modulator.energy_cost > 0.0 {
            bail!("modulator.energy_cost is {}, but credit is given step by step here (rule.name, readout.rule or trace.modulator); expected 0", self.modulator.energy_cost);
        }
        if online && !task.judged_online() {
            bail!("task `{}` judges whole trials, but credit is given step by step here (rule.name, readout.rule or trace.modulator): choose a rule such as `delta-x`", task.name());
        }

        let train = &self.train;
        expect(train.batch >= 1, "train.batch", train.batch, "at least 1")?;
        let most = task::LARGEST;
        expect(train.batch <= most, "train.batch", train.batch, &format!("at most {most}"))?;
        expect(train.networks.count() <= most, "train.networks", train.networks, &format!("at most {most} networks"))?;
        if train.trials.is_some() && train.updates.is_some() {
            bail!("train.trials and train.updates are both set: give one of them");
        }
        if train.trials.is_none() && train.updates.is_none() && !train.until_criterion {
            bail!("the run would never stop: set train.trials, train.updates or train.until_criterion");
        }
        Ok(())
    }
}

fn expect(fine: bool, key: &str, found: impl std::fmt::Display, expected: &str) -> Result<()> {
    if !fine {
        bail!("{key} is {found}; expected {expected}");
    }
    Ok(())
}

/// No number is larger: what is drawn with it would not be finite in single precision.
const LARGE: f64 = 1e30;

/// Refuses everything but finite numbers.
pub(crate) fn number(key: &str, found: f64) -> Result<()> {
    expect(found.abs() <= LARGE, key, found, &format!("a finite number from -{LARGE:e} to {LARGE:e}"))
}

/// Refuses everything but finite numbers above zero.
pub(crate) fn positive(key: &str, found: f64) -> Result<()> {
    expect(found > 0.0 && found <= LARGE, key, found, &format!("a finite number above 0, at most {LARGE:e}"))
}

/// Refuses everything but finite numbers from zero upward.
pub(crate) fn not_negative(key: &str, found: f64) -> Result<()> {
    expect((0.0..=LARGE).contains(&found), key, found, &format!("a finite number from 0 to {LARGE:e}"))
}

/// Refuses everything outside [0, 1].
pub(crate) fn fraction(key: &str, found: f64) -> Result<()> {
    expect((0.0..=1.0).contains(&found), key, found, "a number from 0 to 1")
}
