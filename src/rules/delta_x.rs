//! `delta-x`: e ← e + (r_pre(t−1) δx_post(t))³ with δx = x − x̄ (Miconi 2017, doi 10.7554/eLife.20899).

use super::running_mean::ActivationMean;
use super::*;
use crate::papers::MICONI_2017;

pub(super) const INFO: RuleInfo = RuleInfo {
    explores: true,
    parameters: || table(&ActivationMean::default()),
    keys: Key::of::<ActivationMean>,
    papers: &[MICONI_2017],
    ..RuleInfo::new(
        "delta-x",
        "cubed product of presynaptic rate and fluctuation of the postsynaptic activation (Miconi 2017)",
        "e_ij ← e_ij + (δx_i r_j)³ in each step; Δw = η Σ_b E_b M_b e after a batch",
        |config, _| Ok(Arc::new(DeltaX { x_mean_decay: ActivationMean::decay(config)? })),
    )
};

struct DeltaX {
    x_mean_decay: f64,
}

impl LearningRule for DeltaX {
    fn name(&self) -> &str {
        INFO.name
    }

    fn source(&self) -> Source {
        let mut x_mean = RunningMean::new(self.x_mean_decay);
        Source::Steps(Box::new(move |moment| {
            let post = x_mean.deviation(&moment.state.x, moment.x_before)?;
            Ok(Some(Increment::CubedOuter(Factors { post, pre: moment.r_before.clone() })))
        }))
    }

    fn fused(&self) -> Option<FusedRule> {
        Some(FusedRule::DeltaX(self.x_mean_decay))
    }
}
