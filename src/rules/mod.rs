//! Learning rules: what is accumulated as eligibility while a trial runs, and what turns it into a change of weights.
//!
//! Each rule has a file with its parameters, its equation and its source. A rule of your own implements [`LearningRule`] and
//! is handed to a trainer: `examples/custom_rule.rs` does so in a page.

mod accumulator;
mod bptt;
mod delta_x;
mod eh;
mod hebbian_trace;
mod node_perturbation;
mod none;
mod readout;
mod reward_baseline;
mod rflo;
mod running_mean;

pub(crate) use accumulator::Accumulator;
pub(crate) use readout::ReadoutLearning;
pub use reward_baseline::RewardBaseline;

use crate::config::Config;
use crate::error::{At, Error, Result};
use crate::model::{NeuronModel, State};
use candle_core::Tensor;
use running_mean::RunningMean;
use serde::de::DeserializeOwned;
use serde::Serialize;
use std::sync::Arc;

/// A learning rule of `w_rec`, with its parameters.
pub trait LearningRule: Send + Sync {
    /// Its name: the value of `rule.name`.
    fn name(&self) -> &str;
    /// What turns its eligibility into a change of weights.
    fn credit(&self) -> Credit {
        Credit::Trial
    }
    /// Where its eligibility comes from. Asked anew for each batch of trials.
    fn source(&self) -> Source;
    /// What it needs of the rest of the configuration.
    ///
    /// # Errors
    /// Where it is not so; says which keys to set.
    fn check(&self, _config: &Config) -> Result<()> {
        Ok(())
    }
    /// Which of the rules that fused kernels know it is; `None`: it runs on plain operations.
    fn fused(&self) -> Option<FusedRule> {
        None
    }
}

/// What turns a rule's eligibility into a change of weights.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Credit {
    /// The reward of the whole trial, against its baseline, multiplies it.
    Trial,
    /// It is gated by the reward of each step already, and counts once R̄ has settled.
    Online,
    /// It holds the error of each step already.
    Supervised,
}

/// Where a rule's eligibility comes from.
pub enum Source {
    /// It is summed over the steps of a trial.
    Steps(Box<dyn StepRule>),
    /// It is H at the end of the trial.
    FastWeights,
    /// There is none: the gradient of a loss moves the weights.
    Gradient,
    /// There is none: `w_rec` stays as it is.
    Nothing,
}

/// The rules that fused kernels know.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum FusedRule {
    /// (r_pre δx_post)³, with α_x, the decay of x̄.
    DeltaX(f64),
    /// ξ_post r_pre.
    NodePerturbation,
    /// (R − R̄) (x_post − x̄_post) r_pre, with the decay of x̄.
    Eh(f64),
    /// H itself.
    FastWeights,
    /// None.
    Nothing,
}

/// A rule at work on a batch of trials: what each step adds to the eligibility.
pub trait StepRule: Send {
    /// The trials begin in `state`.
    ///
    /// # Errors
    /// Where an operation on tensors fails.
    fn begin(&mut self, _state: &State) -> candle_core::Result<()> {
        Ok(())
    }
    /// What this step adds, and the rule's own running means moved on; `None` where it adds nothing.
    ///
    /// # Errors
    /// Where an operation on tensors fails.
    fn increment(&mut self, moment: &Moment) -> candle_core::Result<Option<Increment>>;
}

/// What a rule can see at one step; all tensors `[S, B, N]` unless said otherwise.
pub struct Moment<'a> {
    /// Rates before the step, r(t−1).
    pub r_before: &'a Tensor,
    /// The state after the step.
    pub state: &'a State,
    /// ξ(t); `None` where nothing was perturbed.
    pub perturbation: Option<&'a Tensor>,
    /// R − R̄ at this step, `[S, B]`; 0 on steps that are not scored.
    pub reward_change: &'a Tensor,
    /// F ε: what the error of the step, fed back, brings to each neuron; `None` where it is not.
    pub error: Option<&'a Tensor>,
}

/// The factors of one step's outer product.
pub struct Factors {
    /// `[S, B, N]`.
    pub post: Tensor,
    /// `[S, B, N]`.
    pub pre: Tensor,
}

/// What one step adds to the eligibility.
pub enum Increment {
    /// An outer product.
    Outer(Factors),
    /// An outer product, each element cubed. The cube of a product is the product of the cubes, so whole blocks of factors are
    /// cubed before they are multiplied.
    CubedOuter(Factors),
    /// `[S, B, N, N]`, (post, pre).
    Matrix(Tensor),
}

/// A rule that has a name in configurations.
pub struct RuleInfo {
    /// The name.
    pub name: &'static str,
    /// One line on what it is, and its source.
    pub summary: &'static str,
    /// Whether it learns nothing without perturbed neurons.
    pub(crate) explores: bool,
    /// Its own parameters, as keys of the table `rule`, with their defaults.
    parameters: fn() -> toml::Table,
    /// What it changes of a task's settings.
    adapt: fn(&mut Config),
    build: fn(&Config, &dyn NeuronModel) -> Result<Arc<dyn LearningRule>>,
}

/// Every rule that has a name in configurations.
pub static RULES: [RuleInfo; 7] =
    [delta_x::INFO, node_perturbation::INFO, hebbian_trace::INFO, eh::INFO, rflo::INFO, bptt::INFO, none::INFO];

/// The rule called `name`.
///
/// # Errors
/// Where there is none; names the nearest.
pub fn find_rule(name: &str) -> Result<&'static RuleInfo> {
    let known = || RULES.iter().map(|rule| rule.name);
    RULES.iter().find(|rule| rule.name == name).ok_or_else(|| Error::unknown("rule", name, known()))
}

impl RuleInfo {
    /// Makes a task's settings those of this rule: those of its own parameters that the task does not set, and whatever else it
    /// cannot do without.
    pub(crate) fn adapt(&self, config: &mut Config) {
        let given = std::mem::replace(&mut config.rule.own, (self.parameters)());
        for (key, value) in given {
            if let Some(own) = config.rule.own.get_mut(&key) {
                *own = value;
            }
        }
        (self.adapt)(config);
    }

    /// The rule with the parameters of a configuration.
    ///
    /// # Errors
    /// Names the parameter that is missing, unknown or out of range.
    pub(crate) fn build(&self, config: &Config, neurons: &dyn NeuronModel) -> Result<Arc<dyn LearningRule>> {
        let known: Vec<String> = optional_keys().into_iter().map(|(key, _)| key).collect();
        let given = config.rule.own.keys().map(|key| format!("rule.{key}"));
        match given.into_iter().find(|key| !known.contains(key)) {
            Some(key) => Err(Error::unknown("key", &key, known.iter().map(String::as_str))),
            None => (self.build)(config, neurons),
        }
    }
}

/// The parameters of all rules as optional keys of a configuration: those that the rule at hand does not have are not read.
pub(crate) fn optional_keys() -> Vec<(String, toml::Value)> {
    RULES.iter().flat_map(|rule| (rule.parameters)()).map(|(key, value)| (format!("rule.{key}"), value)).collect()
}

/// A rule's parameters as keys of the table `rule`.
fn table(parameters: &impl Serialize) -> toml::Table {
    // Flat structs of numbers and names always have a TOML form.
    toml::Table::try_from(parameters).unwrap_or_default()
}

/// Reads a rule's parameters. Keys of other rules are passed over: configurations used to hold those of all rules.
fn parameters<P: Serialize + DeserializeOwned + Default>(config: &Config) -> Result<P> {
    let own = table(&P::default());
    let given: toml::Table = config.rule.own.clone().into_iter().filter(|(key, _)| own.contains_key(key)).collect();
    given.try_into().map_err(|error: toml::de::Error| Error::Usage(error.message().trim().to_string())).at("rule")
}
