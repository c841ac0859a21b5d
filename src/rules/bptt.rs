//! `bptt`: backpropagation through time, for comparison. Its parameters are the table `bptt`
//! (docs/model.md, "Backpropagation beside the rules").

use super::*;
use crate::config::{ReadoutConfig, ReadoutRule};
use crate::error::bail;

pub(super) const INFO: RuleInfo = RuleInfo {
    name: "bptt",
    summary: "for comparison, no rule of the brain: backpropagation through time and AdamW (Werbos 1990; Loshchilov & Hutter 2019)",
    explores: false,
    parameters: toml::Table::new,
    adapt,
    build: |_, _| Ok(Arc::new(Bptt)),
};

/// It trains the readout itself, and needs no exploration.
fn adapt(config: &mut Config) {
    config.readout = ReadoutConfig { rule: ReadoutRule::None, eta: 0.0, perturbation: 0.0, mean_decay: 0.8 };
    config.perturbation.probability = 0.0;
    config.modulator.energy_cost = 0.0;
}

struct Bptt;

impl LearningRule for Bptt {
    fn name(&self) -> &str {
        INFO.name
    }

    fn source(&self) -> Source {
        Source::Gradient
    }

    fn check(&self, config: &Config) -> Result<()> {
        if config.readout_learns() {
            bail!(
                Usage,
                "readout.rule is set, but rule.name is `bptt`, which trains the readout itself; expected `none`"
            );
        }
        if config.modulator.energy_cost > 0.0 {
            bail!(
                Usage,
                "modulator.energy_cost is {}, but rule.name is `bptt`, whose loss has no such cost; expected 0",
                config.modulator.energy_cost
            );
        }
        Ok(())
    }
}
