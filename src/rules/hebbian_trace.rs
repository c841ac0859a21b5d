//! `hebbian-trace`: the eligibility is the Hebbian trace H at the end of the trial, in whatever stage it is.

use super::*;
use crate::config::Stage;
use crate::error::bail;

pub(super) const INFO: RuleInfo = RuleInfo {
    name: "hebbian-trace",
    summary: "the Hebbian trace H itself, in any stage: decaying and modulated, Oja's, retroactive, …",
    explores: false,
    parameters: toml::Table::new,
    adapt: |_| (),
    build: |_, _| Ok(Arc::new(HebbianTrace)),
};

struct HebbianTrace;

impl LearningRule for HebbianTrace {
    fn name(&self) -> &str {
        INFO.name
    }

    fn source(&self) -> Source {
        Source::FastWeights
    }

    fn check(&self, config: &Config) -> Result<()> {
        if config.fast_weights.stage == Stage::None {
            bail!(
                Usage,
                "trace.stage is `none`, but rule.name is `hebbian-trace`, which learns from the trace: choose a stage"
            );
        }
        Ok(())
    }

    fn fused(&self) -> Option<FusedRule> {
        Some(FusedRule::FastWeights)
    }
}
