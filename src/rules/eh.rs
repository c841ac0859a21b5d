//! `eh`, exploratory Hebb: e ← e + (R − R̄) (x_post − x̄_post) r_pre at each scored step
//! (Legenstein et al. 2010; Hoerzer et al. 2014).

use super::running_mean::RunningMean;
use super::*;
use crate::papers::{HOERZER_2014, LEGENSTEIN_2010};
use documented::DocumentedFields;

pub(super) const INFO: RuleInfo = RuleInfo {
    explores: true,
    parameters: || table(&Eh::default()),
    keys: Key::of::<Eh>,
    papers: &[LEGENSTEIN_2010, HOERZER_2014],
    ..RuleInfo::new(
        "eh",
        "exploratory Hebb: rate times deviation from the running mean, gated online by reward \
         (Legenstein 2010; Hoerzer 2014)",
        "e_ij ← e_ij + (R − R̄) δx_i r_j in each scored step; Δw = η Σ_b e after a batch",
        |config, _| Ok(Arc::new(parameters::<Eh>(config)?)),
    )
};

/// The parameter of the rule.
#[derive(DocumentedFields, JsonSchema, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Eh {
    /// α_x of x̄ ← α_x x̄ + (1 − α_x) x.
    #[schemars(range(min = 0, max = 1))]
    x_mean_decay: f64,
}

impl Default for Eh {
    fn default() -> Self {
        Eh { x_mean_decay: 0.05 }
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
