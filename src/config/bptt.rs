//! How the rule `bptt` trains, as keys of the table `bptt`.

use crate::error::Result;
use crate::ranges::{expect, not_negative, positive};
use serde::{Deserialize, Serialize};

/// What is minimised.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Loss {
    /// The mean of (output − target)² over scored steps and outputs (Song et al. 2016), whatever the task's own error.
    #[default]
    Squared,
    /// The task's own measure, over scored steps and outputs.
    Task,
}

/// What learns.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Parameters {
    /// What the other rules change too: w_rec, and the readout where there is one.
    #[default]
    Recurrent,
    /// These, w_in, and b_rec and w_fb where there are any.
    All,
}

/// Backpropagation through time, with AdamW (docs/model.md, "Backpropagation beside the rules").
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct BpttConfig {
    /// Errors reach back through pieces of this many steps, counted from the start of the trial; 0: through the whole trial.
    pub steps: usize,
    /// What is minimised.
    pub loss: Loss,
    /// What learns.
    pub parameters: Parameters,
    /// η of AdamW.
    pub learning_rate: f64,
    /// λ of AdamW: each update takes learning_rate · weight_decay of every weight away.
    pub weight_decay: f64,
    /// Decay of the mean of gradients.
    pub beta1: f64,
    /// Decay of the mean of squared gradients.
    pub beta2: f64,
    /// ε of AdamW.
    pub epsilon: f64,
    /// The gradient of a network, all its parameters taken together, is shortened to this norm; 0: never.
    pub gradient_clip: f64,
}

impl Default for BpttConfig {
    fn default() -> Self {
        BpttConfig {
            steps: 0,
            loss: Loss::Squared,
            parameters: Parameters::Recurrent,
            learning_rate: 1e-3,
            weight_decay: 0.0,
            beta1: 0.9,
            beta2: 0.999,
            epsilon: 1e-8,
            gradient_clip: 1.0,
        }
    }
}

impl BpttConfig {
    /// See [`super::Config::check`].
    pub(super) fn check(&self) -> Result<()> {
        not_negative("bptt.learning_rate", self.learning_rate)?;
        not_negative("bptt.weight_decay", self.weight_decay)?;
        for (key, found) in [("bptt.beta1", self.beta1), ("bptt.beta2", self.beta2)] {
            expect((0.0..1.0).contains(&found), key, found, "at least 0 and below 1")?;
        }
        positive("bptt.epsilon", self.epsilon)?;
        not_negative("bptt.gradient_clip", self.gradient_clip)
    }
}
