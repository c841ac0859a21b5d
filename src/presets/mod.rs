//! Presets: each task with the network, rule and settings that it is usually trained with, published ones where there are any.

mod bits;
mod dnms;
mod pattern_generation;
mod reach;
mod recall;
mod setup;
mod standard;

pub use setup::{Own, Setup};

use crate::config::Config;
use crate::error::{Error, Result};
use crate::rules::{find_rule, RuleInfo};
use crate::tasks::{bits as bit_tasks, dnms as dnms_tasks, file, parameters, Variant};
use crate::tasks::{EvidenceAccumulation, PatternGeneration, Reach, Recall, SelectiveIntegration, Task};
use std::sync::Arc;

/// A task that has a name in configurations.
pub struct TaskInfo {
    /// The name.
    pub name: &'static str,
    /// One line on what it is.
    pub summary: &'static str,
    /// The rule it is trained with unless another is asked for.
    pub rule: &'static str,
    config: fn(&RuleInfo) -> Config,
    build: fn(&toml::Table) -> Result<Arc<dyn Task>>,
}

impl TaskInfo {
    /// The task's configuration with a rule, whose own needs come before the task's settings.
    pub fn defaults(&self, rule: &RuleInfo) -> Config {
        let mut config = (self.config)(rule);
        rule.adapt(&mut config);
        config
    }
}

/// Every task that has a name in configurations and needs no file.
pub static TASKS: [TaskInfo; 11] = [
    TaskInfo {
        name: "dnms",
        summary: "delayed non-match to sample: were the two stimuli different? (Miconi 2017)",
        rule: "delta-x",
        config: dnms::short,
        build: |table| Ok(Arc::new(dnms_tasks::build(table, Variant::Short)?)),
    },
    TaskInfo {
        name: "dnms-long-delay",
        summary: "the same with a delay of a second",
        rule: "delta-x",
        config: dnms::long_delay,
        build: |table| Ok(Arc::new(dnms_tasks::build(table, Variant::LongDelay)?)),
    },
    TaskInfo {
        name: "dnms-variable-delay",
        summary: "the same with a delay of 300 to 800 ms, drawn for each trial",
        rule: "delta-x",
        config: dnms::variable_delay,
        build: |table| Ok(Arc::new(dnms_tasks::build(table, Variant::VariableDelay)?)),
    },
    TaskInfo {
        name: "dnms-ei",
        summary: "the same by excitatory and inhibitory neurons: Dale's law, a rectified-linear response",
        rule: "delta-x",
        config: dnms::excitatory_inhibitory,
        build: |table| Ok(Arc::new(dnms_tasks::build(table, Variant::ExcitatoryInhibitory)?)),
    },
    TaskInfo {
        name: "selective-integration",
        summary: "report the sign of the one of two noisy inputs that a cue names (Mante et al. 2013; Miconi 2017)",
        rule: "delta-x",
        config: dnms::selective_integration,
        build: |table| Ok(Arc::new(parameters::<SelectiveIntegration>(table)?.checked()?)),
    },
    TaskInfo {
        name: "evidence-accumulation",
        summary: "were there more cues on the left or on the right? (Morcos & Harvey 2016; Bellec et al. 2020)",
        rule: "node-perturbation",
        config: dnms::evidence_accumulation,
        build: |table| Ok(Arc::new(parameters::<EvidenceAccumulation>(table)?.checked()?)),
    },
    TaskInfo {
        name: "reach",
        summary: "turn the joints of an arm until its hand is at one of the targets around it (hebbRNN)",
        rule: "delta-x",
        config: reach::config,
        build: |table| Ok(Arc::new(parameters::<Reach>(table)?.checked()?)),
    },
    TaskInfo {
        name: "pattern-generation",
        summary: "produce a sum of sines (Murray 2019)",
        rule: "rflo",
        config: pattern_generation::config,
        build: |table| Ok(Arc::new(parameters::<PatternGeneration>(table)?.checked()?)),
    },
    TaskInfo {
        name: "recall",
        summary:
            "complete a half-erased pattern from the Hebbian trace alone: no weight is trained (Miconi et al. 2018)",
        rule: "none",
        config: recall::config,
        build: |table| Ok(Arc::new(parameters::<Recall>(table)?.checked()?)),
    },
    TaskInfo {
        name: "sequence",
        summary: "predict the next of random bits: nothing to learn beyond chance, a check that training does no harm",
        rule: "hebbian-trace",
        config: bits::sequence,
        build: |table| Ok(Arc::new(bit_tasks::build_sequence(table)?)),
    },
    TaskInfo {
        name: "echo",
        summary: "repeat the bit of k steps ago: the learnable sibling of `sequence`",
        rule: "node-perturbation",
        config: bits::echo,
        build: |table| Ok(Arc::new(bit_tasks::build_echo(table)?)),
    },
];

/// The name of the task whose trials are read from a file.
pub const FILE_TASK: &str = file::NAME;

static FILE_INFO: TaskInfo = TaskInfo {
    name: FILE_TASK,
    summary: "trials of your own, read from a safetensors file: train --task-file FILE.safetensors",
    rule: "delta-x",
    config: dnms::file,
    build: |table| Ok(Arc::new(file::build(table)?)),
};

/// Every task that has a name in configurations.
pub fn all_tasks() -> impl Iterator<Item = &'static TaskInfo> {
    TASKS.iter().chain([&FILE_INFO])
}

/// The task called `name`.
///
/// # Errors
/// Where there is none; names the nearest.
pub fn find_task(name: &str) -> Result<&'static TaskInfo> {
    all_tasks().find(|t| t.name == name).ok_or_else(|| Error::unknown("task", name, all_tasks().map(|t| t.name)))
}

impl Config {
    /// The defaults of a task with the rule it is usually trained with.
    ///
    /// # Errors
    /// Where there is no such task; names the nearest.
    pub fn for_task(task: &str) -> Result<Config> {
        let info = find_task(task)?;
        Ok(info.defaults(find_rule(info.rule)?))
    }
}
