//! `bptt`: backpropagation through time, as a benchmark for the other rules. Its parameters are in the table `bptt`
//! (docs/model.md, "Backpropagation beside the rules").

use super::*;
use crate::config::ReadoutConfig;
use crate::error::ensure;
use crate::model::SPIKES;
use crate::papers::{LOSHCHILOV_2019, WERBOS_1990};

pub(super) const INFO: RuleInfo = RuleInfo {
    adapt,
    papers: &[WERBOS_1990, LOSHCHILOV_2019],
    ..RuleInfo::new(
        "bptt",
        "for comparison, not biologically plausible: backpropagation through time with AdamW \
         (Werbos 1990; Loshchilov & Hutter 2019)",
        "g = ∂L/∂w, with which AdamW updates w after a batch",
        build,
    )
};

/// Backpropagation trains the readout as well. In an environment, actions are still explored.
fn adapt(config: &mut Config) {
    let in_environment = config.task.contains_key("acting");
    let perturbation = if in_environment { config.readout.perturbation } else { 0.0 };
    config.readout = ReadoutConfig { perturbation, ..ReadoutConfig::default() };
    config.modulator.energy_cost = 0.0;
}

fn build(_config: &Config, neurons: &dyn NeuronModel) -> Result<Arc<dyn LearningRule>> {
    let name = neurons.name();
    ensure!(
        !neurons.variables().contains(&SPIKES),
        Usage,
        "rule.name is `bptt`, but the neurons spike (network.dynamics is `{name}`), and spikes have no gradient"
    );
    Ok(Arc::new(Bptt))
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
        ensure!(
            !config.readout_learns(),
            Usage,
            "readout.rule is set, but rule.name is `bptt`, which trains the readout itself; expected `none`"
        );
        let cost = config.modulator.energy_cost;
        ensure!(
            cost <= 0.0,
            Usage,
            "modulator.energy_cost is {cost}, but rule.name is `bptt`, whose loss has no such cost; expected 0"
        );
        Ok(())
    }
}
