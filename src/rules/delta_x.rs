//! `delta-x`: e ← e + (r_pre(t−1) δx_post(t))³ with δx = x − x̄ (Miconi 2017, doi 10.7554/eLife.20899).

use super::*;
use crate::ranges::fraction;
use serde::Deserialize;

pub(super) const INFO: RuleInfo = RuleInfo {
    name: "delta-x",
    summary: "cubed product of presynaptic rate and fluctuation of the postsynaptic activation (Miconi 2017)",
    explores: true,
    parameters: || table(&DeltaX::default()),
    adapt: |_| (),
    build: |config, _| Ok(Arc::new(parameters::<DeltaX>(config)?.checked()?)),
};

/// The rule's parameters.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct DeltaX {
    /// α_x of x̄ ← α_x x̄ + (1 − α_x) x.
    x_mean_decay: f64,
}

impl Default for DeltaX {
    fn default() -> Self {
        DeltaX { x_mean_decay: 0.05 }
    }
}

impl DeltaX {
    fn checked(self) -> Result<Self> {
        fraction("rule.x_mean_decay", self.x_mean_decay)?;
        Ok(self)
    }
}

impl LearningRule for DeltaX {
    fn name(&self) -> &str {
        INFO.name
    }

    fn source(&self) -> Source {
        Source::Steps(Box::new(Fluctuations { mean: RunningMean::new(self.x_mean_decay) }))
    }

    fn fused(&self) -> Option<FusedRule> {
        Some(FusedRule::DeltaX(self.x_mean_decay))
    }
}

/// Carries x̄, which moves after δx was taken.
struct Fluctuations {
    mean: RunningMean,
}

impl StepRule for Fluctuations {
    fn begin(&mut self, state: &State) -> candle_core::Result<()> {
        self.mean.begin(&state.x);
        Ok(())
    }

    fn increment(&mut self, moment: &Moment) -> candle_core::Result<Option<Increment>> {
        let post = self.mean.deviation(&moment.state.x)?;
        Ok(Some(Increment::CubedOuter(Factors { post, pre: moment.r_before.clone() })))
    }
}
