//! `node-perturbation`: e ← e + ξ_post(t) r_pre(t−1), which is nothing where nothing was perturbed (Fiete & Seung 2006).

use super::*;
use crate::error::bail;

pub(super) const INFO: RuleInfo = RuleInfo {
    name: "node-perturbation",
    summary: "presynaptic rate times exploratory perturbation (Fiete & Seung 2006)",
    explores: true,
    parameters: toml::Table::new,
    adapt: |_| (),
    build: |_, _| Ok(Arc::new(NodePerturbation)),
};

#[derive(Clone, Copy)]
struct NodePerturbation;

impl LearningRule for NodePerturbation {
    fn name(&self) -> &str {
        INFO.name
    }

    fn source(&self) -> Source {
        Source::Steps(Box::new(*self))
    }

    fn check(&self, config: &Config) -> Result<()> {
        if !config.perturbs() {
            bail!(Usage, "rule.name is `node-perturbation`, but perturbation.probability or perturbation.amplitude is 0: nothing could be learnt");
        }
        Ok(())
    }

    fn fused(&self) -> Option<FusedRule> {
        Some(FusedRule::NodePerturbation)
    }
}

impl StepRule for NodePerturbation {
    fn increment(&mut self, moment: &Moment) -> candle_core::Result<Option<Increment>> {
        Ok(moment.perturbation.map(|xi| Increment::Outer(Factors { post: xi.clone(), pre: moment.r_before.clone() })))
    }
}
