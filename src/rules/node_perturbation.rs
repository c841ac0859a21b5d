//! `node-perturbation`: e ← e + ξ_post(t) r_pre(t−1) (Fiete & Seung 2006). Steps without a perturbation add nothing.

use super::*;
use crate::error::ensure;
use crate::papers::FIETE_2006;

pub(super) const INFO: RuleInfo = RuleInfo {
    explores: true,
    papers: &[FIETE_2006],
    ..RuleInfo::new(
        "node-perturbation",
        "presynaptic rate times exploratory perturbation (Fiete & Seung 2006)",
        "e_ij ← e_ij + ξ_i r_j in each step; Δw = η Σ_b E_b M_b e after a batch",
        |_, _| Ok(Arc::new(NodePerturbation)),
    )
};

struct NodePerturbation;

impl LearningRule for NodePerturbation {
    fn name(&self) -> &str {
        INFO.name
    }

    fn source(&self) -> Source {
        Source::Steps(Box::new(|moment| {
            let outer = |xi: &Tensor| Increment::Outer(Factors { post: xi.clone(), pre: moment.r_before.clone() });
            Ok(moment.perturbation.map(outer))
        }))
    }

    fn check(&self, config: &Config) -> Result<()> {
        ensure!(
            config.perturbs(),
            Usage,
            "rule.name is `node-perturbation`, but perturbation.probability or perturbation.amplitude is 0: \
             set both above 0"
        );
        Ok(())
    }

    fn fused(&self) -> Option<FusedRule> {
        Some(FusedRule::NodePerturbation)
    }
}
