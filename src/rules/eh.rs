//! `eh`, exploratory Hebb: e ← e + (R − R̄) (x_post − x̄_post) r_pre at each scored step
//! (Legenstein et al. 2010; Hoerzer et al. 2014).

use super::running_mean::ActivationMean;
use super::*;
use crate::papers::{HOERZER_2014, LEGENSTEIN_2010};

pub(super) const INFO: RuleInfo = RuleInfo {
    explores: true,
    parameters: || table(&ActivationMean::default()),
    keys: Key::of::<ActivationMean>,
    papers: &[LEGENSTEIN_2010, HOERZER_2014],
    ..RuleInfo::new(
        "eh",
        "exploratory Hebb: rate times deviation from the running mean, gated online by reward \
         (Legenstein 2010; Hoerzer 2014)",
        "e_ij ← e_ij + (R − R̄) δx_i r_j in each scored step; Δw = η Σ_b e after a batch",
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
        let mut x_mean = RunningMean::new(self.x_mean_decay);
        Source::Steps(Box::new(move |moment| {
            let gate = moment.reward_change.unsqueeze(2)?;
            let post = x_mean.deviation(&moment.state.x, moment.x_before)?.broadcast_mul(&gate)?;
            Ok(Some(Increment::Outer(Factors { post, pre: moment.r_before.clone() })))
        }))
    }

    fn fused(&self) -> Option<FusedRule> {
        Some(FusedRule::Eh(self.x_mean_decay))
    }
}
