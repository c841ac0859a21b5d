//! Presets: the network, learning rule and settings usually used to train each task, as published where
//! possible. `src/tasks/mod.rs` says how to add a task.

mod brought;
mod episodes;
mod lives;
mod meanings;
mod registry;
mod resolve;
mod settings;
mod standard;

pub use crate::worlds::{LifeInfo, LIVES};
pub use lives::find_life;
pub(crate) use meanings::{commented, commented_life};
pub(crate) use registry::{named_by_lives, named_by_runs, Named};
pub(crate) use resolve::optional_parameters;
pub use resolve::resolve_config;

use crate::config::Config;
use crate::environments::*;
use crate::error::{Error, Result};
use crate::keys::{with_defaults, Key};
use crate::papers::*;
use crate::rules::{find_rule, RuleInfo};
use crate::tasks::{bits::Echo, bits::Sequence, file, parameters, Bits, Dnms, EvidenceAccumulation, PatternGeneration};
use crate::tasks::{EpisodeSettings, Episodes, Problem, Reach, Recall, SelectiveIntegration, Task, Yang19};
use documented::DocumentedFields;
use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use toml::Table;

/// A task with a name in configurations.
#[non_exhaustive]
pub struct TaskInfo {
    /// The name.
    pub name: &'static str,
    /// A one-line description.
    pub summary: &'static str,
    /// The papers on which it is based.
    pub papers: &'static [&'static Paper],
    /// The learning rule with which it is usually trained.
    pub rule: &'static str,
    /// The learning rates of `w_rec` that were chosen for this task, each with its rule.
    rates: &'static [(&'static str, f64)],
    /// The task whose rates apply to rules that are not in `rates`; `None`: the first of `rates` applies to them.
    rates_like: Option<&'static str>,
    /// Applies the differences from the standard configuration of the rule.
    preset: fn(&mut Config),
    /// Builds the task from the parameters in a `task` table; can add values to the table that only the task can determine.
    pub(crate) build: fn(&mut Table) -> Result<Problem>,
    /// Its parameters, with their meanings and ranges.
    pub(crate) keys: fn() -> Vec<Key>,
}

/// A learning rate of `w_rec`.
pub(crate) struct Rate {
    pub(crate) eta: f64,
    /// The rule and the task for which it was chosen, if not for these.
    pub(crate) borrowed: Option<(&'static str, &'static str)>,
}

/// Every task that has a name in configurations and needs no file.
pub static TASKS: &[TaskInfo] = &[
    TaskInfo {
        name: "dnms",
        summary: "delayed non-match to sample: were the two stimuli different? (Miconi 2017)",
        papers: &[MICONI_2017],
        rule: "delta-x",
        rates: &[("delta-x", 0.1), ("node-perturbation", 0.001), ("eh", 0.01)],
        rates_like: None,
        preset: settings::dnms,
        build: |table| Ok(Dnms { name: "dnms", ..parameters(table)? }.into()),
        keys: Key::of::<Dnms>,
    },
    TaskInfo {
        name: "dnms-long-delay",
        summary: "the same with a delay of a second (Miconi 2017)",
        papers: &[MICONI_2017],
        rule: "delta-x",
        rates: &[("delta-x", 0.03)],
        rates_like: Some("dnms"),
        preset: settings::dnms_long_delay,
        build: |table| Ok(Dnms { name: "dnms-long-delay", ..parameters(table)? }.into()),
        keys: Key::of::<Dnms>,
    },
    TaskInfo {
        name: "dnms-variable-delay",
        summary: "the same with a delay of 300 to 800 ms, drawn for each trial; learnt with a curriculum (Miconi 2017)",
        papers: &[MICONI_2017],
        rule: "node-perturbation",
        rates: &[("delta-x", 0.003), ("node-perturbation", 1e-5)],
        rates_like: Some("dnms"),
        preset: settings::dnms_variable_delay,
        build: |table| Ok(Dnms { name: "dnms-variable-delay", ..parameters(table)? }.into()),
        keys: Key::of::<Dnms>,
    },
    TaskInfo {
        name: "dnms-ei",
        summary: "the same with excitatory and inhibitory neurons: Dale's law, rectified-linear rates (Mastrogiuseppe & Ostojic 2017)",
        papers: &[MASTROGIUSEPPE_2017],
        rule: "delta-x",
        // Ten times the published rate for one trial at a time, with which few networks learn (docs/results.md).
        rates: &[("delta-x", 3e-4)],
        rates_like: Some("dnms"),
        preset: settings::dnms_ei,
        build: |table| Ok(Dnms { name: "dnms-ei", ..parameters(table)? }.into()),
        keys: Key::of::<Dnms>,
    },
    TaskInfo {
        name: "selective-integration",
        summary: "report the sign of whichever of two noisy inputs is cued (Mante et al. 2013; Miconi 2017)",
        papers: &[MANTE_2013, MICONI_2017],
        rule: "delta-x",
        rates: &[("delta-x", 0.01)],
        rates_like: Some("dnms"),
        preset: settings::selective_integration,
        build: build::<SelectiveIntegration>,
        keys: Key::of::<SelectiveIntegration>,
    },
    TaskInfo {
        name: "evidence-accumulation",
        summary: "were there more cues on the left or on the right? (Morcos & Harvey 2016; Bellec et al. 2020)",
        papers: &[MORCOS_2016, BELLEC_2020],
        rule: "node-perturbation",
        rates: &[("delta-x", 0.03), ("node-perturbation", 5e-4)],
        rates_like: Some("dnms"),
        preset: settings::evidence_accumulation,
        build: build::<EvidenceAccumulation>,
        keys: Key::of::<EvidenceAccumulation>,
    },
    TaskInfo {
        name: "reach",
        summary: "turn the joints of an arm to bring its hand to one of the targets around it (hebbRNN: Michaels & Scherberger 2016)",
        papers: &[MICHAELS_2016],
        rule: "delta-x",
        rates: &[("delta-x", 0.5)],
        rates_like: Some("dnms"),
        preset: settings::reach,
        build: build::<Reach>,
        keys: Key::of::<Reach>,
    },
    TaskInfo {
        name: "pattern-generation",
        summary: "produce a sum of sines (Murray 2019)",
        papers: &[MURRAY_2019],
        rule: "rflo",
        rates: &[("rflo", 1e-3), ("node-perturbation", 1e-3)],
        rates_like: None,
        preset: settings::pattern_generation,
        build: build::<PatternGeneration>,
        keys: Key::of::<PatternGeneration>,
    },
    TaskInfo {
        name: "yang19",
        summary: "twenty tasks in one network, selected by an input: go, anti, decisions, matching (Yang et al. 2019)",
        papers: &[YANG_2019],
        rule: "rflo",
        rates: &[("node-perturbation", 1e-3), ("rflo", 1e-5)],
        rates_like: None,
        preset: settings::yang19,
        build: build::<Yang19>,
        keys: Key::of::<Yang19>,
    },
    TaskInfo {
        name: "recall",
        summary: "complete a half-erased pattern from fast weights alone: no weight is trained (Miconi et al. 2018)",
        papers: &[MICONI_2018],
        rule: "none",
        rates: &[],
        rates_like: None,
        preset: settings::recall,
        build: build::<Recall>,
        keys: Key::of::<Recall>,
    },
    TaskInfo {
        name: "sequence",
        summary: "predict the next random bit: nothing can be learnt beyond chance, so it checks that training does no harm",
        papers: &[],
        rule: "hebbian-trace",
        rates: &[("hebbian-trace", 0.01)],
        rates_like: None,
        preset: settings::sequence,
        build: |table| Ok(Bits::from(parameters::<Sequence>(table)?).into()),
        keys: Key::of::<Sequence>,
    },
    TaskInfo {
        name: "echo",
        summary: "repeat the bit from k steps ago: the learnable counterpart of `sequence`",
        papers: &[],
        rule: "node-perturbation",
        rates: &[("node-perturbation", 0.01)],
        rates_like: None,
        preset: settings::echo,
        build: |table| Ok(Bits::from(parameters::<Echo>(table)?).into()),
        keys: Key::of::<Echo>,
    },
    TaskInfo {
        name: "bandit",
        summary: "an environment: pull the arm that pays most often (Robbins 1952)",
        papers: &[ROBBINS_1952],
        rule: "none",
        rates: &[],
        rates_like: Some("cartpole"),
        preset: episodes::bandit,
        build: Episodes::build::<Bandit>,
        keys: in_an_environment::<Bandit>,
    },
    TaskInfo {
        name: "two-step",
        summary: "an environment: a choice leads to a place and to a second choice (Daw et al. 2011)",
        papers: &[DAW_2011],
        rule: "none",
        rates: &[],
        rates_like: Some("cartpole"),
        preset: episodes::two_step,
        build: Episodes::build::<TwoStep>,
        keys: in_an_environment::<TwoStep>,
    },
    TaskInfo {
        name: "perceptual-decision",
        summary: "an environment: is a noisy input positive on average? Reward is the only feedback (Britten et al. 1992)",
        papers: &[BRITTEN_1992],
        rule: "node-perturbation",
        rates: &[("node-perturbation", 1.5625)],
        rates_like: Some("cartpole"),
        preset: episodes::perceptual_decision,
        build: Episodes::build::<PerceptualDecision>,
        keys: in_an_environment::<PerceptualDecision>,
    },
    TaskInfo {
        name: "open-field",
        summary: "an environment: find a goal with place cells, and find it again after it has moved (Brzosko et al. 2017)",
        papers: &[BRZOSKO_2017],
        rule: "none",
        rates: &[],
        rates_like: Some("cartpole"),
        preset: episodes::open_field,
        build: Episodes::build::<OpenField>,
        keys: in_an_environment::<OpenField>,
    },
    TaskInfo {
        name: "cartpole",
        summary: "an environment: balance a pole on a cart (Barto et al. 1983; Gymnasium's CartPole-v1: Towers et al. 2024)",
        papers: &[BARTO_1983, TOWERS_2024],
        rule: "node-perturbation",
        rates: &[("node-perturbation", 1.5625), ("delta-x", 40.0), ("eh", 1.5625)],
        rates_like: None,
        preset: episodes::cartpole,
        build: Episodes::build::<CartPole>,
        keys: in_an_environment::<CartPole>,
    },
    TaskInfo {
        name: "acrobot",
        summary: "an environment: swing a double pendulum up (Sutton 1996; Gymnasium's Acrobot-v1: Towers et al. 2024)",
        papers: &[SUTTON_1996, TOWERS_2024],
        rule: "node-perturbation",
        rates: &[("node-perturbation", 1.5625), ("delta-x", 40.0), ("eh", 1.5625)],
        rates_like: None,
        preset: episodes::acrobot,
        build: Episodes::build::<Acrobot>,
        keys: in_an_environment::<Acrobot>,
    },
    TaskInfo {
        name: "pendulum",
        summary: "an environment: swing a pendulum up and hold it (Gymnasium's Pendulum-v1: Towers et al. 2024)",
        papers: &[TOWERS_2024],
        rule: "node-perturbation",
        rates: &[("node-perturbation", 0.002)],
        rates_like: None,
        preset: episodes::pendulum,
        build: Episodes::build::<Pendulum>,
        keys: in_an_environment::<Pendulum>,
    },
    TaskInfo {
        name: "maze",
        summary: "an environment: find a goal behind a U-shaped wall, the life `maze` by trials (Frémaux et al. 2013)",
        papers: &[FREMAUX_2013],
        rule: "node-perturbation",
        rates: &[],
        rates_like: Some("cartpole"),
        preset: episodes::maze,
        build: Episodes::build::<Maze>,
        keys: in_an_environment::<Maze>,
    },
    TaskInfo {
        name: "acrobot-swing-up",
        summary: "an environment: lift a double pendulum, the life of this name by trials (Frémaux et al. 2013)",
        papers: &[FREMAUX_2013],
        rule: "node-perturbation",
        rates: &[],
        rates_like: Some("cartpole"),
        preset: episodes::acrobot_swing_up,
        build: Episodes::build::<AcrobotSwingUp>,
        keys: in_an_environment::<AcrobotSwingUp>,
    },
    TaskInfo {
        name: "cartpole-swing-up",
        summary: "an environment: swing a pole up, the life of this name by trials (Frémaux et al. 2013)",
        papers: &[FREMAUX_2013],
        rule: "node-perturbation",
        rates: &[],
        rates_like: Some("pendulum"),
        preset: episodes::cartpole_swing_up,
        build: Episodes::build::<CartPoleSwingUp>,
        keys: in_an_environment::<CartPoleSwingUp>,
    },
];

/// The name of the task whose trials are read from a file.
pub const FILE_TASK: &str = "file";

static FILE_INFO: TaskInfo = TaskInfo {
    name: FILE_TASK,
    summary: "trials of your own, read from a safetensors file: train --task-file FILE.safetensors",
    papers: &[],
    rule: "delta-x",
    rates: &[("delta-x", 0.1), ("node-perturbation", 0.001), ("eh", 0.01)],
    rates_like: None,
    preset: settings::file,
    build: file::build,
    keys: Key::of::<file::Parameters>,
};

/// Every task that has a name in configurations.
pub fn all_tasks() -> impl Iterator<Item = &'static TaskInfo> {
    TASKS.iter().chain([&FILE_INFO])
}

/// The task called `name`.
///
/// # Errors
/// [`Error::Unknown`] if there is none; it suggests the most similar name.
pub fn find_task(name: &str) -> Result<&'static TaskInfo> {
    all_tasks().find(|t| t.name == name).ok_or_else(|| Error::unknown("task", name, all_tasks().map(|t| t.name)))
}

impl TaskInfo {
    /// The task's configuration with its usual rule.
    ///
    /// # Errors
    /// [`Error::Unknown`] if there is no such rule.
    pub fn config(&self) -> Result<Config> {
        Ok(self.defaults(find_rule(self.rule)?))
    }

    /// The parameters, keys of the table `task`, each with its default and its meaning.
    ///
    /// # Errors
    /// [`Error::Unknown`] if its usual rule does not exist.
    pub fn parameters(&self) -> Result<Vec<(String, toml::Value, String)>> {
        Ok(with_defaults((self.keys)(), &self.config()?.task))
    }

    /// The learning rate of `w_rec` with a rule.
    pub(crate) fn rate(&self, rule: &str) -> Rate {
        let chosen = |task: &TaskInfo| task.rates.iter().find(|(known, _)| *known == rule).copied();
        if let Some((_, eta)) = chosen(self) {
            return Rate { eta, borrowed: None };
        }
        let task = all_tasks().find(|task| Some(task.name) == self.rates_like).unwrap_or(self);
        let Some((rule, eta)) = chosen(task).or(task.rates.first().copied()) else {
            return Rate { eta: 0.0, borrowed: None };
        };
        Rate { eta, borrowed: Some((rule, task.name)) }
    }

    /// The task's configuration with a given rule. Where task and rule disagree, the rule takes precedence. Neurons are perturbed if
    /// the rule learns from perturbations.
    pub fn defaults(&self, rule: &RuleInfo) -> Config {
        let mut config = standard::config(rule);
        config.rule.eta = self.rate(rule.name).eta;
        (self.preset)(&mut config);
        if !rule.explores {
            config.perturbation.probability = 0.0;
        }
        config.task.insert("name".into(), self.name.into());
        rule.adapt(&mut config);
        config
    }
}

/// The parameters of an environment and those of episodes in it.
fn in_an_environment<E: DocumentedFields + JsonSchema + 'static>() -> Vec<Key> {
    Key::of::<E>().into_iter().chain(Key::of::<EpisodeSettings>()).collect()
}

/// The task `T` with the parameters in a `task` table.
fn build<T: Task + DeserializeOwned + 'static>(table: &mut Table) -> Result<Problem> {
    Ok(parameters::<T>(table)?.into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::RULES;

    #[test]
    fn neurons_are_perturbed_exactly_where_the_rule_explores() {
        for (task, rule) in all_tasks().flat_map(|task| RULES.iter().map(move |rule| (task, rule))) {
            assert_eq!(task.defaults(rule).perturbs(), rule.explores, "{} with {}", task.name, rule.name);
        }
    }
}
