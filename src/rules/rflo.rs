//! `rflo`, random feedback local online learning: e ← e + (F ε)_i p_ij, where p approximates ∂r_i/∂w_ij
//! (Murray 2019, doi 10.7554/eLife.43299).
//!
//! The approximation keeps only the neuron's own leak and drops all paths through other neurons. If the rate leaks, as
//! in Murray's network, p_ij ← (1 − λ) p_ij + λ φ'(x_i) r_j with λ = dt/τ. If the activation leaks, p_ij = φ'(x_i) p_j
//! with p_j ← (1 − λ) p_j + λ r_j, so each step adds an outer product.

use super::*;
use crate::config::{Output, ReadoutConfig, ReadoutRule};
use crate::error::{bail, ensure};
use crate::model::{Leak, Transfer};
use crate::papers::MURRAY_2019;
use candle_core::D;

pub(super) const INFO: RuleInfo = RuleInfo {
    adapt,
    papers: &[MURRAY_2019],
    ..RuleInfo::new(
        "rflo",
        "random feedback local online learning: filtered rates times the readout's error, fed back at \
         random (Murray 2019)",
        "e_ij ← e_ij + (F ε)_i p_ij in each step, p_ij ← (1 − λ) p_ij + λ φ'(x_i) r_j; Δw = η Σ_b e after a batch",
        build,
    )
};

/// The rule needs a readout with a supervised rule, and random weights that feed its error back to the neurons.
fn adapt(config: &mut Config) {
    config.network.output = Output::Readout;
    config.network.error_feedback_scale = 1.0;
    // A preset can already have rates for a readout of this kind.
    if config.readout.rule != ReadoutRule::Delta {
        config.readout = ReadoutConfig { rule: ReadoutRule::Delta, eta: 0.03, ..ReadoutConfig::default() };
        config.rule.eta = 1e-3;
    }
}

fn build(config: &Config, neurons: &dyn NeuronModel) -> Result<Arc<dyn LearningRule>> {
    let Some(leak) = neurons.leak(&config.network) else {
        bail!(Usage, "rule.name is `rflo`, which does not support the neuron model `{}`", neurons.name());
    };
    Ok(Arc::new(Rflo { leak, transfer: Transfer::new(&config.network) }))
}

struct Rflo {
    leak: Leak,
    transfer: Transfer,
}

impl LearningRule for Rflo {
    fn name(&self) -> &str {
        INFO.name
    }

    fn credit(&self) -> Credit {
        Credit::Supervised
    }

    fn source(&self) -> Source {
        let (Leak::Activation(leak) | Leak::Rate(leak)) = self.leak;
        let rate_leaks = matches!(self.leak, Leak::Rate(_));
        let (transfer, mut mean) = (self.transfer, RunningMean::new(1.0 - leak));
        Source::Steps(Box::new(move |moment| {
            let slope = transfer.slope(&moment.state.x)?;
            if rate_leaks {
                let pair = slope.unsqueeze(D::Minus1)?.matmul(&moment.r_before.unsqueeze(D::Minus2)?)?;
                let p = mean.updated(&pair)?;
                let gated = |error: &Tensor| p.broadcast_mul(&error.unsqueeze(D::Minus1)?);
                Ok(moment.error.map(gated).transpose()?.map(Increment::Matrix))
            } else {
                let pre = mean.updated(moment.r_before)?;
                let post = moment.error.map(|error| error * slope).transpose()?;
                Ok(post.map(|post| Increment::Outer(Factors { post, pre })))
            }
        }))
    }

    fn fused(&self) -> Option<FusedRule> {
        Some(FusedRule::Rflo)
    }

    fn check(&self, config: &Config) -> Result<()> {
        ensure!(
            config.network.error_feedback_scale > 0.0 && config.network.output == Output::Readout,
            Usage,
            "rule.name is `rflo`, which feeds the readout's error back: set network.output to `readout` \
             and network.error_feedback_scale above 0"
        );
        Ok(())
    }
}
