//! `eh`, exploratory Hebb: e ← e + (R − R̄) (x_post − x̄_post) r_pre at each scored step
//! (Legenstein et al. 2010; Hoerzer et al. 2014).

use super::running_mean::ActivationMean;
use super::*;

pub(super) const INFO: RuleInfo = RuleInfo {
    explores: true,
    parameters: || table(&ActivationMean::default()),
    ..RuleInfo::new(
        "eh",
        "exploratory Hebb: rate times deviation from the running mean, gated online by reward (Legenstein 2010; Hoerzer 2014)",
        |config, _| Ok(Arc::new(Eh { x_mean_decay: ActivationMean::decay(config)? })),
    )
};

struct Eh {
    x_mean_decay: f64,
}

impl LearningRule for Eh {
    fn name(&self) -> &str {
        INFO.name
    }

    fn credit(&self) -> Credit {
        Credit::Online
    }

    fn source(&self) -> Source {
        Source::Steps(Box::new(Exploration { x_mean: RunningMean::new(self.x_mean_decay) }))
    }

    fn fused(&self) -> Option<FusedRule> {
        Some(FusedRule::Eh(self.x_mean_decay))
    }
}

struct Exploration {
    x_mean: RunningMean,
}

impl StepRule for Exploration {
    fn begin(&mut self, state: &State) -> candle_core::Result<()> {
        self.x_mean.begin(&state.x);
        Ok(())
    }

    fn increment(&mut self, moment: &Moment) -> candle_core::Result<Option<Increment>> {
        let gate = moment.reward_change.unsqueeze(2)?;
        let post = self.x_mean.deviation(&moment.state.x)?.broadcast_mul(&gate)?;
        Ok(Some(Increment::Outer(Factors { post, pre: moment.r_before.clone() })))
    }
}
