//! `delta-x`: e ← e + (r_pre(t−1) δx_post(t))³ with δx = x − x̄ (Miconi 2017, doi 10.7554/eLife.20899).

use super::running_mean::RunningMean;
use super::*;
use crate::papers::MICONI_2017;
use documented::DocumentedFields;

pub(super) const INFO: RuleInfo = RuleInfo {
    explores: true,
    parameters: || table(&DeltaX::default()),
    keys: Key::of::<DeltaX>,
    papers: &[MICONI_2017],
    ..RuleInfo::new(
        "delta-x",
        "cubed product of presynaptic rate and fluctuation of the postsynaptic activation (Miconi 2017)",
        "e_ij ← e_ij + (δx_i r_j)³ in each step; Δw = η Σ_b E_b M_b e after a batch",
        |config, _| Ok(Arc::new(parameters::<DeltaX>(config)?)),
    )
};

/// The exponent of the published rule.
const CUBE: u32 = 3;

/// The parameters of the rule.
#[derive(Clone, DocumentedFields, JsonSchema, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct DeltaX {
    /// α_x of x̄ ← α_x x̄ + (1 − α_x) x.
    #[schemars(range(min = 0, max = 1))]
    x_mean_decay: f64,
    /// p in e ← e + |r δx|^p, with the sign of r δx. Miconi (2017) argues that learning needs a supralinear function, p above 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 9), extend("default" = CUBE))]
    exponent: Option<u32>,
}

impl Default for DeltaX {
    fn default() -> Self {
        DeltaX { x_mean_decay: 0.05, exponent: None }
    }
}

impl LearningRule for DeltaX {
    fn name(&self) -> &str {
        INFO.name
    }

    fn source(&self) -> Source {
        let (mut x_mean, exponent) = (RunningMean::new(self.x_mean_decay), self.exponent.unwrap_or(CUBE));
        Source::Steps(Box::new(move |moment| {
            let factors =
                Factors { post: x_mean.deviation(&moment.state.x, moment.x_before)?, pre: moment.r_before.clone() };
            Ok(Some(if exponent == CUBE {
                Increment::CubedOuter(factors)
            } else {
                // The power of a product is the product of the powers.
                Increment::Outer(Factors { post: power(factors.post, exponent)?, pre: power(factors.pre, exponent)? })
            }))
        }))
    }

    fn fused(&self) -> Option<FusedRule> {
        Some(FusedRule::DeltaX { x_mean_decay: self.x_mean_decay, exponent: self.exponent.unwrap_or(CUBE) })
    }
}

/// |value|^exponent, with the sign of the value.
fn power(values: Tensor, exponent: u32) -> candle_core::Result<Tensor> {
    let sizes = values.abs()?;
    (1..exponent).try_fold(values, |product, _| product * &sizes)
}
