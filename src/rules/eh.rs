//! `eh`, exploratory Hebb: Δw ← Δw + (R − R̄) (x_post − x̄_post) r_pre, gated online at each scored step
//! (Legenstein et al. 2010; Hoerzer et al. 2014).

use super::*;
use crate::ranges::fraction;
use serde::Deserialize;

pub(super) const INFO: RuleInfo = RuleInfo {
    name: "eh",
    summary: "exploratory Hebb: rate times deviation from the running mean, gated online by reward (Legenstein 2010; Hoerzer 2014)",
    explores: true,
    parameters: || table(&Eh::default()),
    adapt: |_| (),
    build: |config, _| Ok(Arc::new(parameters::<Eh>(config)?.checked()?)),
};

/// The rule's parameters.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Eh {
    /// Decay of x̄ ← decay · x̄ + (1 − decay) · x.
    x_mean_decay: f64,
}

impl Default for Eh {
    fn default() -> Self {
        Eh { x_mean_decay: 0.05 }
    }
}

impl Eh {
    fn checked(self) -> Result<Self> {
        fraction("rule.x_mean_decay", self.x_mean_decay)?;
        Ok(self)
    }
}

impl LearningRule for Eh {
    fn name(&self) -> &str {
        INFO.name
    }

    fn credit(&self) -> Credit {
        Credit::Online
    }

    fn source(&self) -> Source {
        Source::Steps(Box::new(Exploration { mean: RunningMean::new(self.x_mean_decay) }))
    }

    fn fused(&self) -> Option<FusedRule> {
        Some(FusedRule::Eh(self.x_mean_decay))
    }
}

/// Carries x̄, which moves after the deviation was taken.
struct Exploration {
    mean: RunningMean,
}

impl StepRule for Exploration {
    fn begin(&mut self, state: &State) -> candle_core::Result<()> {
        self.mean.begin(&state.x);
        Ok(())
    }

    fn increment(&mut self, moment: &Moment) -> candle_core::Result<Option<Increment>> {
        let gate = moment.reward_change.unsqueeze(2)?;
        let post = self.mean.deviation(&moment.state.x)?.broadcast_mul(&gate)?;
        Ok(Some(Increment::Outer(Factors { post, pre: moment.r_before.clone() })))
    }
}
