//! `hebbian-trace`: the eligibility is the matrix of fast weights H at the end of the trial.

use super::*;
use crate::config::Stage;
use crate::error::ensure;

pub(super) const INFO: RuleInfo = RuleInfo {
    // Trials that are all the same would have no outcome better than expected.
    explores: true,
    ..RuleInfo::new(
        "hebbian-trace",
        "the Hebbian trace H itself, in any stage: decaying and modulated, Oja's, retroactive, …",
        "e = H(T); Δw = η Σ_b E_b M_b e after a batch",
        |_, _| Ok(Arc::new(HebbianTrace)),
    )
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
        ensure!(
            config.fast_weights.stage != Stage::None,
            Usage,
            "trace.stage is `none`, but rule.name is `hebbian-trace`, which learns from the trace: choose a stage"
        );
        Ok(())
    }

    fn fused(&self) -> Option<FusedRule> {
        Some(FusedRule::FastWeights)
    }
}
