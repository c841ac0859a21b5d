//! Curricula: stages of training that precede the run's own settings.

use crate::keys::OtherKeys;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A stage of a curriculum. Each network goes through the stages in order and at its own pace, and then continues with
/// the run's own settings as its last stage.
#[derive(Clone, Debug, PartialEq, JsonSchema, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct CurriculumStage {
    /// When a network moves on to the next stage, always between two batches.
    pub until: Until,
    /// The settings that differ from the run's own: tables `task`, `perturbation`, `rule`, `readout`, `modulator` or
    /// `bptt`, with keys as in the configuration.
    #[schemars(with = "OtherKeys")]
    pub set: toml::Table,
}

/// The condition that ends a stage for a network.
#[derive(Clone, Copy, Debug, PartialEq, JsonSchema, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Until {
    /// The criterion: more than 95 of its last 100 trials in this stage were correct.
    Criterion,
    /// The network has had this many trials in this stage.
    Trials(#[schemars(range(min = 1))] u64),
    /// The mean error of its last 100 trials, all in this stage, is below this level.
    Error(#[schemars(extend("exclusiveMinimum" = 0))] f64),
}

impl CurriculumStage {
    /// The tables that a stage can change. The size of the networks, and which of them train, stay as they are.
    pub(crate) const TABLES: [&str; 6] = ["task", "perturbation", "rule", "readout", "modulator", "bptt"];
}
