//! The tasks the command knows by name.

use super::dnms::Variant;
use super::*;
use crate::config::{Config, Output, ReadoutConfig, ReadoutRule, RuleName};
use crate::settings::unknown;

/// A task the command knows by name.
pub struct TaskInfo {
    /// The name.
    pub name: &'static str,
    /// One line on what it is.
    pub summary: &'static str,
    /// The rule it is trained with unless another is asked for.
    pub rule: RuleName,
    config: fn(RuleName) -> Config,
    build: fn(&toml::Table) -> Result<Box<dyn Task>>,
}

impl TaskInfo {
    /// The defaults for a rule. `rflo` gets what it cannot do without: a readout that is told its error, and random weights
    /// that bring this error to the neurons. `bptt` trains the readout itself and needs no exploration.
    pub fn defaults(&self, rule: RuleName) -> Config {
        let mut config = (self.config)(rule);
        if rule == RuleName::Rflo {
            config.network.output = Output::Readout;
            config.network.error_feedback_scale = 1.0;
            config.readout = ReadoutConfig { rule: ReadoutRule::Delta, eta: 0.03, perturbation: 0.0, mean_decay: 0.8 };
            config.rule.eta = 1e-3;
        }
        if rule == RuleName::Bptt {
            config.readout = ReadoutConfig { rule: ReadoutRule::None, eta: 0.0, perturbation: 0.0, mean_decay: 0.8 };
            config.perturbation.probability = 0.0;
            config.modulator.energy_cost = 0.0;
        }
        config
    }

    /// The task of a table of its parameters.
    pub(super) fn build(&self, table: &toml::Table) -> Result<Box<dyn Task>> {
        (self.build)(table)
    }
}

/// Every task the command knows that needs no file.
pub const TASKS: [TaskInfo; 11] = [
    TaskInfo {
        name: "dnms",
        summary: "delayed non-match to sample: were the two stimuli different? (Miconi 2017)",
        rule: RuleName::DeltaX,
        config: dnms_networks::short,
        build: |table| Ok(Box::new(dnms::build(table, Variant::Short)?)),
    },
    TaskInfo {
        name: "dnms-long-delay",
        summary: "the same with a delay of a second",
        rule: RuleName::DeltaX,
        config: dnms_networks::long_delay,
        build: |table| Ok(Box::new(dnms::build(table, Variant::LongDelay)?)),
    },
    TaskInfo {
        name: "dnms-variable-delay",
        summary: "the same with a delay of 300 to 800 ms, drawn for each trial",
        rule: RuleName::DeltaX,
        config: dnms_networks::variable_delay,
        build: |table| Ok(Box::new(dnms::build(table, Variant::VariableDelay)?)),
    },
    TaskInfo {
        name: "dnms-ei",
        summary: "the same by excitatory and inhibitory neurons: Dale's law, a rectified-linear response",
        rule: RuleName::DeltaX,
        config: dnms_networks::excitatory_inhibitory,
        build: |table| Ok(Box::new(dnms::build(table, Variant::ExcitatoryInhibitory)?)),
    },
    TaskInfo {
        name: "selective-integration",
        summary: "report the sign of the one of two noisy inputs that a cue names (Mante et al. 2013; Miconi 2017)",
        rule: RuleName::DeltaX,
        config: selective_integration::config,
        build: |table| Ok(Box::new(parameters::<SelectiveIntegration>(table)?.checked()?)),
    },
    TaskInfo {
        name: "evidence-accumulation",
        summary: "were there more cues on the left or on the right? (Morcos & Harvey 2016; Bellec et al. 2020)",
        rule: RuleName::NodePerturbation,
        config: evidence_accumulation::config,
        build: |table| Ok(Box::new(parameters::<EvidenceAccumulation>(table)?.checked()?)),
    },
    TaskInfo {
        name: "reach",
        summary: "turn the joints of an arm until its hand is at one of the targets around it (hebbRNN)",
        rule: RuleName::DeltaX,
        config: reach::config,
        build: |table| Ok(Box::new(parameters::<Reach>(table)?.checked()?)),
    },
    TaskInfo {
        name: "pattern-generation",
        summary: "produce a sum of sines (Murray 2019)",
        rule: RuleName::Rflo,
        config: pattern_generation::config,
        build: |table| Ok(Box::new(parameters::<PatternGeneration>(table)?.checked()?)),
    },
    TaskInfo {
        name: "recall",
        summary:
            "complete a half-erased pattern from the Hebbian trace alone: no weight is trained (Miconi et al. 2018)",
        rule: RuleName::None,
        config: recall::config,
        build: |table| Ok(Box::new(parameters::<Recall>(table)?.checked()?)),
    },
    TaskInfo {
        name: "sequence",
        summary: "predict the next of random bits: nothing to learn beyond chance, a check that training does no harm",
        rule: RuleName::HebbianTrace,
        config: |rule| bits::config("sequence", rule),
        build: |table| Ok(Box::new(bits::build(table, Lag::Next)?)),
    },
    TaskInfo {
        name: "echo",
        summary: "repeat the bit of k steps ago: the learnable sibling of `sequence`",
        rule: RuleName::NodePerturbation,
        config: |rule| bits::config("echo", rule),
        build: |table| Ok(Box::new(bits::build_echo(table)?)),
    },
];

const FILE_TASK: TaskInfo = TaskInfo {
    name: FILE,
    summary: "trials of your own, read from a safetensors file: train --task-file FILE.safetensors",
    rule: RuleName::DeltaX,
    config: file::config,
    build: |table| Ok(Box::new(file::build(table)?)),
};

/// Every task the command knows.
pub fn all() -> impl Iterator<Item = &'static TaskInfo> {
    TASKS.iter().chain([&FILE_TASK])
}

/// Finds a task by name.
pub fn find(name: &str) -> Result<&'static TaskInfo> {
    all().find(|t| t.name == name).ok_or_else(|| unknown("task", name, all().map(|t| t.name)))
}
