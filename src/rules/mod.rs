//! Learning rules: how eligibility accumulates during a trial, and how it becomes a change of weights.
//!
//! Each rule has a file with its equation, its source and its parameters. To add one,
//!
//! 1. write `src/rules/my_rule.rs` with a type that implements [`LearningRule`]. If the eligibility is a sum over
//!    steps, its [`source`](LearningRule::source) is [`Source::Steps`] with a function that is called after each step:
//!    it gets the rates, activations and perturbations and returns what the step adds. `node_perturbation.rs` is the
//!    shortest example;
//! 2. describe it there in a constant `INFO`: name, one-line summary and constructor. Rules with parameters also set
//!    `parameters` (keys of the table `rule`, with defaults), those that need perturbations `explores`, and those that
//!    need other settings `adapt`;
//! 3. declare the module below and add `my_rule::INFO` to [`RULES`].
//!
//! Nothing else in the program has to change: the rule can be selected with `--rule my-rule`, it is listed, and its
//! keys are known. It runs on plain operations until a fused kernel supports it (`fused`). A rule outside this crate
//! implements [`LearningRule`] too and is given to [`crate::TrainerBuilder::own_rule`].

mod accumulator;
mod bptt;
mod credit;
mod delta_x;
mod eh;
mod hebbian_trace;
mod node_perturbation;
mod none;
mod r_stdp;
mod readout;
mod reward_baseline;
mod rflo;
mod running_mean;
mod synaptic;

pub(crate) use accumulator::Accumulator;
pub(crate) use credit::Advantages;
pub(crate) use readout::ReadoutLearning;
pub use reward_baseline::RewardBaseline;
pub use synaptic::{
    EscapeRate, Exploratory, Filter, FusedSynapseRule, Needs, PairRule, PlasticSynapses, Simultaneous, SynapseMoment,
    SynapseRule, SynapseRuleInfo, ThirdFactor, SYNAPSE_RULES,
};

use crate::config::Config;
use crate::error::{Error, Result};
use crate::keys::{self, schema_of, with_defaults, Key};
use crate::model::{NeuronModel, State};
use crate::papers::Paper;
use candle_core::Tensor;
use running_mean::RunningMean;
use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use std::sync::{Arc, LazyLock};

/// A learning rule for `w_rec`, with its parameters.
pub trait LearningRule: Send + Sync {
    /// Its name: the value of `rule.name`.
    fn name(&self) -> &str;
    /// How its eligibility becomes a change of weights.
    fn credit(&self) -> Credit {
        Credit::Trial
    }
    /// The source of its eligibility. Called for each batch of trials.
    fn source(&self) -> Source;
    /// Checks that the rest of the configuration suits the rule.
    ///
    /// # Errors
    /// [`Error::Usage`], saying which keys to set, if it does not.
    fn check(&self, _config: &Config) -> Result<()> {
        Ok(())
    }
    /// The fused kernel of this rule; `None`: it runs on plain operations.
    fn fused(&self) -> Option<FusedRule> {
        None
    }
}

/// How a rule's eligibility becomes a change of weights.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Credit {
    /// It is multiplied by the modulator M of the trial: the reward baseline's expected error minus the error.
    Trial,
    /// Each increment was already gated by the reward of its step. Learning starts after `modulator.warmup_trials`.
    Online,
    /// Each increment already contains the error of its step.
    Supervised,
}

/// The source of a rule's eligibility.
#[non_exhaustive]
pub enum Source {
    /// A sum over the steps of a trial.
    Steps(Box<StepRule>),
    /// The fast weights H at the end of the trial.
    FastWeights,
    /// The gradient of a loss replaces the eligibility.
    Gradient,
    /// None: `w_rec` does not change.
    Nothing,
}

/// The rules that fused kernels support.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub enum FusedRule {
    /// (r_pre δx_post)^p, with the sign of the product.
    DeltaX {
        /// The decay α_x of x̄.
        x_mean_decay: f64,
        /// p.
        exponent: u32,
    },
    /// ξ_post r_pre.
    NodePerturbation,
    /// (R − R̄) (x_post − x̄_post) r_pre, with the decay α_x of x̄.
    Eh(f64),
    /// (F ε)_post p, with p the product of φ'(x_post) and r_pre, filtered by the neuron's own leak.
    Rflo,
    /// The fast weights H.
    FastWeights,
    /// No eligibility.
    Nothing,
}

/// Called after each step of a batch of trials: returns what the step adds to the eligibility, if anything, and updates
/// the rule's own running means.
pub type StepRule = dyn FnMut(&Moment) -> candle_core::Result<Option<Increment>> + Send;

/// The values that a rule can use in a step. All tensors are `[S, B, N]` unless said otherwise.
#[non_exhaustive]
pub struct Moment<'a> {
    /// Activations before the step, x(t−1).
    pub x_before: &'a Tensor,
    /// Rates before the step, r(t−1).
    pub r_before: &'a Tensor,
    /// The state after the step.
    pub state: &'a State,
    /// Perturbations ξ(t); `None` if no neuron was perturbed.
    pub perturbation: Option<&'a Tensor>,
    /// R(t) − R̄(t), `[S, B]`; 0 on steps that are not scored.
    pub reward_change: &'a Tensor,
    /// F ε(t), the error of the step projected to the neurons; `None` without error feedback.
    pub error: Option<&'a Tensor>,
}

/// The factors of an outer product post preᵀ.
pub struct Factors {
    /// Postsynaptic factor, `[S, B, N]`.
    pub post: Tensor,
    /// Presynaptic factor, `[S, B, N]`.
    pub pre: Tensor,
}

/// The increment of the eligibility in one step.
#[non_exhaustive]
pub enum Increment {
    /// An outer product.
    Outer(Factors),
    /// An outer product whose elements are cubed.
    CubedOuter(Factors),
    /// The sum of two outer products.
    Outers([Factors; 2]),
    /// A matrix `[S, B, N, N]` (post, pre).
    Matrix(Tensor),
}

impl Increment {
    /// The increment with its postsynaptic factors, or its matrix, changed by `gate`.
    pub(crate) fn gated(self, gate: impl Fn(&Tensor) -> candle_core::Result<Tensor>) -> candle_core::Result<Self> {
        let of = |Factors { post, pre }: Factors| Ok::<_, candle_core::Error>(Factors { post: gate(&post)?, pre });
        Ok(match self {
            Increment::Outer(factors) => Increment::Outer(of(factors)?),
            Increment::CubedOuter(factors) => Increment::CubedOuter(of(factors)?),
            Increment::Outers([first, second]) => Increment::Outers([of(first)?, of(second)?]),
            Increment::Matrix(matrix) => Increment::Matrix(gate(&matrix)?),
        })
    }
}

/// A rule that can be selected by name.
#[non_exhaustive]
pub struct RuleInfo {
    /// The name.
    pub name: &'static str,
    /// A one-line description with the source.
    pub summary: &'static str,
    /// The papers that it rests on.
    pub papers: &'static [&'static Paper],
    /// Its equation, in the symbols of docs/model.md.
    pub equation: &'static str,
    /// Whether it needs perturbed neurons to learn.
    pub(crate) explores: bool,
    /// Its parameters, as keys of the table `rule`, with their defaults.
    parameters: fn() -> toml::Table,
    /// The same with their meanings and ranges.
    pub(crate) keys: fn() -> Vec<Key>,
    /// Changes the settings of a task to suit the rule.
    adapt: fn(&mut Config),
    build: fn(&Config, &dyn NeuronModel) -> Result<Arc<dyn LearningRule>>,
}

/// All rules that can be selected by name.
pub static RULES: &[RuleInfo] = &[
    delta_x::INFO,
    node_perturbation::INFO,
    hebbian_trace::INFO,
    eh::INFO,
    rflo::INFO,
    r_stdp::INFO,
    bptt::INFO,
    none::INFO,
];

/// The rule called `name`.
///
/// # Errors
/// [`Error::Unknown`] if there is none.
pub fn find_rule(name: &str) -> Result<&'static RuleInfo> {
    let known = || RULES.iter().map(|rule| rule.name);
    RULES.iter().find(|rule| rule.name == name).ok_or_else(|| Error::unknown("rule", name, known()))
}

impl RuleInfo {
    /// A rule without parameters that needs neither perturbations nor other settings.
    const fn new(
        name: &'static str,
        summary: &'static str,
        equation: &'static str,
        build: fn(&Config, &dyn NeuronModel) -> Result<Arc<dyn LearningRule>>,
    ) -> Self {
        RuleInfo {
            name,
            summary,
            papers: &[],
            equation,
            explores: false,
            parameters: toml::Table::new,
            keys: Vec::new,
            adapt: |_| (),
            build,
        }
    }

    /// Adapts a task's settings to this rule: sets parameters that the task does not set, drops those of other rules,
    /// and changes whatever else the rule needs.
    pub(crate) fn adapt(&self, config: &mut Config) {
        let given = std::mem::replace(&mut config.rule.own, (self.parameters)());
        for (key, value) in given {
            if self.has(&key) {
                config.rule.own.insert(key, value);
            }
        }
        (self.adapt)(config);
    }

    /// The rule's parameters, keys of the table `rule`, each with its default and its meaning.
    pub fn parameters(&self) -> Vec<(String, toml::Value, String)> {
        with_defaults((self.keys)(), &(self.parameters)())
    }

    /// Whether `key` of the table `rule` is a parameter of some rules, but not of this one.
    pub(crate) fn lacks(&self, key: &str) -> bool {
        !self.has(key) && RULES.iter().any(|rule| rule.has(key))
    }

    fn has(&self, key: &str) -> bool {
        (self.keys)().iter().any(|own| own.name == key)
    }

    /// The rule with the parameters of a configuration.
    pub(crate) fn build(&self, config: &Config, neurons: &dyn NeuronModel) -> Result<Arc<dyn LearningRule>> {
        let known: Vec<String> = optional_keys().into_iter().map(|(key, _)| key).collect();
        let mut given = config.rule.own.keys().map(|key| format!("rule.{key}"));
        match given.find(|key| !known.contains(key)) {
            Some(key) => Err(Error::unknown("key", &key, known.iter().map(String::as_str))),
            None => (self.build)(config, neurons),
        }
    }
}

/// The parameters of all rules, as optional keys of a configuration. Only those of the selected rule are used.
pub(crate) fn optional_keys() -> Vec<(String, toml::Value)> {
    static ALL: LazyLock<Vec<(String, toml::Value)>> = LazyLock::new(|| {
        let unset = RULES.iter().flat_map(|rule| (rule.keys)()).filter_map(|key| Some((key.example()?, key.name)));
        let set = RULES.iter().flat_map(|rule| (rule.parameters)());
        let all = set.chain(unset.map(|(example, key)| (key, example)));
        all.map(|(key, value)| (format!("rule.{key}"), value)).collect()
    });
    ALL.clone()
}

/// A rule's parameters as keys of the table `rule`.
fn table(parameters: &impl Serialize) -> toml::Table {
    // Flat structs of numbers and names can always be written as TOML.
    toml::Table::try_from(parameters).unwrap_or_default()
}

/// Reads a rule's parameters. Keys of other rules are ignored, since older configurations hold those of all rules.
fn parameters<P: Serialize + DeserializeOwned + JsonSchema + Default + 'static>(config: &Config) -> Result<P> {
    let own = |key: &str| schema_of::<P>()["properties"].get(key).is_some();
    let given: toml::Table = config.rule.own.clone().into_iter().filter(|(key, _)| own(key)).collect();
    keys::parameters("rule", given)
}
