//! Presets: the network, learning rule and settings usually used to train each task, as published where
//! possible. `src/tasks/mod.rs` says how to add a task.

mod episodes;
mod life_setup;
mod lives;
mod meanings;
mod notices;
mod own_life;
mod settings;
mod setup;
mod standard;

pub use crate::worlds::{LifeInfo, LIVES};
pub use life_setup::LifeSetup;
pub use lives::find_life;
pub(crate) use meanings::{commented, commented_life, keys, life_keys, LIFE_TABLES, TABLES};
pub use own_life::{BuildWorld, OwnLife};
pub use setup::{resolve_config, Own, Setup};

use crate::config::Config;
use crate::environments::{Acrobot, Bandit, CartPole, OpenField, Pendulum, PerceptualDecision, TwoStep};
use crate::error::{Error, Result};
use crate::rules::{find_rule, RuleInfo};
use crate::tasks::{bits::Echo, bits::Sequence, file, parameters, Bits, Dnms, EvidenceAccumulation, PatternGeneration};
use crate::tasks::{EpisodeSettings, Episodes, Reach, Recall, SelectiveIntegration, Task, Yang19};
use crate::text::{fields, with_defaults};
use documented::DocumentedFields;
use serde::de::DeserializeOwned;
use std::sync::Arc;
use toml::Table;

/// A task with a name in configurations.
pub struct TaskInfo {
    /// The name.
    pub name: &'static str,
    /// A one-line description.
    pub summary: &'static str,
    /// The learning rule it is usually trained with.
    pub rule: &'static str,
    /// Applies the differences from the standard configuration of the rule.
    preset: fn(&mut Config),
    /// Builds the task from the parameters in a `task` table; can add values to the table that only the task can determine.
    build: fn(&mut Table) -> Result<Arc<dyn Task>>,
    /// The meaning of each parameter.
    meanings: fn() -> Vec<(&'static str, String)>,
}

/// Every task that has a name in configurations and needs no file.
pub static TASKS: &[TaskInfo] = &[
    TaskInfo {
        name: "dnms",
        summary: "delayed non-match to sample: were the two stimuli different? (Miconi 2017)",
        rule: "delta-x",
        preset: settings::dnms,
        build: |table| Ok(Arc::new(Dnms { name: "dnms", ..parameters(table)? })),
        meanings: fields::<Dnms>,
    },
    TaskInfo {
        name: "dnms-long-delay",
        summary: "the same with a delay of a second (Miconi 2017)",
        rule: "delta-x",
        preset: settings::dnms_long_delay,
        build: |table| Ok(Arc::new(Dnms { name: "dnms-long-delay", ..parameters(table)? })),
        meanings: fields::<Dnms>,
    },
    TaskInfo {
        name: "dnms-variable-delay",
        summary: "the same with a delay of 300 to 800 ms, drawn for each trial: learnt by a curriculum (Miconi 2017)",
        rule: "node-perturbation",
        preset: settings::dnms_variable_delay,
        build: |table| Ok(Arc::new(Dnms { name: "dnms-variable-delay", ..parameters(table)? })),
        meanings: fields::<Dnms>,
    },
    TaskInfo {
        name: "dnms-ei",
        summary: "the same with excitatory and inhibitory neurons: Dale's law, rectified-linear rates (Mastrogiuseppe & Ostojic 2017)",
        rule: "delta-x",
        preset: settings::dnms_ei,
        build: |table| Ok(Arc::new(Dnms { name: "dnms-ei", ..parameters(table)? })),
        meanings: fields::<Dnms>,
    },
    TaskInfo {
        name: "selective-integration",
        summary: "report the sign of the cued one of two noisy inputs (Mante et al. 2013; Miconi 2017)",
        rule: "delta-x",
        preset: settings::selective_integration,
        build: build::<SelectiveIntegration>,
        meanings: fields::<SelectiveIntegration>,
    },
    TaskInfo {
        name: "evidence-accumulation",
        summary: "were there more cues on the left or on the right? (Morcos & Harvey 2016; Bellec et al. 2020)",
        rule: "node-perturbation",
        preset: settings::evidence_accumulation,
        build: build::<EvidenceAccumulation>,
        meanings: fields::<EvidenceAccumulation>,
    },
    TaskInfo {
        name: "reach",
        summary: "turn the joints of an arm to bring its hand to one of the targets around it (hebbRNN: Michaels & Scherberger 2016)",
        rule: "delta-x",
        preset: settings::reach,
        build: build::<Reach>,
        meanings: fields::<Reach>,
    },
    TaskInfo {
        name: "pattern-generation",
        summary: "produce a sum of sines (Murray 2019)",
        rule: "rflo",
        preset: settings::pattern_generation,
        build: build::<PatternGeneration>,
        meanings: fields::<PatternGeneration>,
    },
    TaskInfo {
        name: "yang19",
        summary: "twenty tasks in one network, selected by an input: go, anti, decisions, matching (Yang et al. 2019)",
        rule: "rflo",
        preset: settings::yang19,
        build: build::<Yang19>,
        meanings: fields::<Yang19>,
    },
    TaskInfo {
        name: "recall",
        summary: "complete a half-erased pattern from fast weights alone: no weight is trained (Miconi et al. 2018)",
        rule: "none",
        preset: settings::recall,
        build: build::<Recall>,
        meanings: fields::<Recall>,
    },
    TaskInfo {
        name: "sequence",
        summary: "predict the next random bit: nothing to learn beyond chance, a check that training does no harm",
        rule: "hebbian-trace",
        preset: settings::sequence,
        build: |table| Ok(Arc::new(Bits::from(parameters::<Sequence>(table)?))),
        meanings: fields::<Sequence>,
    },
    TaskInfo {
        name: "echo",
        summary: "repeat the bit from k steps ago: the learnable counterpart of `sequence`",
        rule: "node-perturbation",
        preset: settings::echo,
        build: |table| Ok(Arc::new(Bits::from(parameters::<Echo>(table)?))),
        meanings: fields::<Echo>,
    },
    TaskInfo {
        name: "bandit",
        summary: "a world that answers: pull the arm that pays most often (Robbins 1952)",
        rule: "none",
        preset: episodes::bandit,
        build: |table| Episodes::build::<Bandit>(table),
        meanings: in_a_world::<Bandit>,
    },
    TaskInfo {
        name: "two-step",
        summary: "a world that answers: a choice leads to a place and to a second choice (Daw et al. 2011)",
        rule: "none",
        preset: episodes::two_step,
        build: |table| Episodes::build::<TwoStep>(table),
        meanings: in_a_world::<TwoStep>,
    },
    TaskInfo {
        name: "perceptual-decision",
        summary: "a world that answers: is a noisy input positive on average? Reward is the only feedback (Britten et al. 1992)",
        rule: "node-perturbation",
        preset: episodes::perceptual_decision,
        build: |table| Episodes::build::<PerceptualDecision>(table),
        meanings: in_a_world::<PerceptualDecision>,
    },
    TaskInfo {
        name: "open-field",
        summary: "a world that answers: find a goal with place cells, and again after it has moved (Brzosko et al. 2017)",
        rule: "none",
        preset: episodes::open_field,
        build: |table| Episodes::build::<OpenField>(table),
        meanings: in_a_world::<OpenField>,
    },
    TaskInfo {
        name: "cartpole",
        summary: "a world that answers: balance a pole on a cart (Barto et al. 1983; Gymnasium's CartPole-v1: Towers et al. 2024)",
        rule: "node-perturbation",
        preset: episodes::cartpole,
        build: |table| Episodes::build::<CartPole>(table),
        meanings: in_a_world::<CartPole>,
    },
    TaskInfo {
        name: "acrobot",
        summary: "a world that answers: swing a double pendulum up (Sutton 1996; Gymnasium's Acrobot-v1: Towers et al. 2024)",
        rule: "node-perturbation",
        preset: episodes::acrobot,
        build: |table| Episodes::build::<Acrobot>(table),
        meanings: in_a_world::<Acrobot>,
    },
    TaskInfo {
        name: "pendulum",
        summary: "a world that answers: swing a pendulum up and hold it (Gymnasium's Pendulum-v1: Towers et al. 2024)",
        rule: "node-perturbation",
        preset: episodes::pendulum,
        build: |table| Episodes::build::<Pendulum>(table),
        meanings: in_a_world::<Pendulum>,
    },
];

/// The name of the task whose trials are read from a file.
pub const FILE_TASK: &str = "file";

static FILE_INFO: TaskInfo = TaskInfo {
    name: FILE_TASK,
    summary: "trials of your own, read from a safetensors file: train --task-file FILE.safetensors",
    rule: "delta-x",
    preset: settings::file,
    build: file::build,
    meanings: fields::<file::Parameters>,
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
    /// [`Error::Unknown`] if there is no rule of the usual one's name.
    pub fn parameters(&self) -> Result<Vec<(&'static str, toml::Value, String)>> {
        let meanings = (self.meanings)().into_iter().filter(|(name, _)| *name != "name");
        Ok(with_defaults(meanings.collect(), &self.config()?.task))
    }

    /// The task's configuration with a given rule, which takes precedence where the two disagree. Neurons are perturbed if the
    /// rule learns from perturbations.
    pub fn defaults(&self, rule: &RuleInfo) -> Config {
        let mut config = standard::config(rule);
        (self.preset)(&mut config);
        if !rule.explores {
            config.perturbation.probability = 0.0;
        }
        config.task.insert("name".into(), self.name.into());
        rule.adapt(&mut config);
        config
    }
}

/// The parameters of a world and those of episodes in it.
fn in_a_world<W: DocumentedFields>() -> Vec<(&'static str, String)> {
    fields::<W>().into_iter().chain(fields::<EpisodeSettings>()).collect()
}

/// The task `T` with the parameters in a `task` table.
fn build<T: Task + DeserializeOwned + 'static>(table: &mut Table) -> Result<Arc<dyn Task>> {
    Ok(Arc::new(parameters::<T>(table)?))
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
