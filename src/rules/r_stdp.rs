//! `r-stdp`, reward-modulated spike-timing-dependent plasticity of whole trials: the pairs of spikes of a trial,
//! e ← e + A₊ P⁺_pre f_post + A₋ P⁻_post f_pre with P ← P e^(−dt/τ) + f, times the trial's modulator
//! (Izhikevich 2007; Frémaux et al. 2010). Both traces include the step's own spikes.

use super::*;
use crate::config::{Output, ReadoutConfig};
use crate::error::bail;
use crate::model::SPIKES;
use crate::papers::{FREMAUX_2010, IZHIKEVICH_2007};
use documented::DocumentedFields;
use schemars::JsonSchema;
use serde::Deserialize;

pub(super) const INFO: RuleInfo = RuleInfo {
    parameters: || table(&Parameters::default()),
    keys: Key::of::<Parameters>,
    adapt,
    papers: &[IZHIKEVICH_2007, FREMAUX_2010],
    ..RuleInfo::new(
        "r-stdp",
        "spike-timing-dependent plasticity of spiking neurons times the trial's reward (Izhikevich 2007; Frémaux 2010)",
        "e_ij ← e_ij + A₊ P⁺_j f_i + A₋ P⁻_i f_j in each step; Δw = η Σ_b E_b M_b e after a batch",
        build,
    )
};

#[derive(DocumentedFields, JsonSchema, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Parameters {
    /// The time constant of the trace of presynaptic spikes.
    #[schemars(extend("exclusiveMinimum" = 0))]
    tau_plus_ms: f64,
    /// The time constant of the trace of postsynaptic spikes.
    #[schemars(extend("exclusiveMinimum" = 0))]
    tau_minus_ms: f64,
    /// A₊: a postsynaptic spike adds this times the presynaptic trace to the eligibility.
    a_plus: f64,
    /// A₋: a presynaptic spike adds this times the postsynaptic trace to the eligibility.
    a_minus: f64,
}

impl Default for Parameters {
    fn default() -> Self {
        Parameters { tau_plus_ms: 20.0, tau_minus_ms: 20.0, a_plus: 1.0, a_minus: -0.9 }
    }
}

/// The rule needs neurons that spike, noise to try out other spikes with, and a readout of many neurons' spikes. The noise
/// alone moves x with a variance of 0.225, in units of the threshold.
fn adapt(config: &mut Config) {
    if config.network.dynamics == "discrete" {
        // Such neurons count time in steps and keep nothing from one step to the next.
        config.network.tau_ms = 2.0 * config.network.dt_ms;
    }
    config.network.dynamics = "lif-filtered".into();
    config.network.synapse_ms = Some(config.network.tau_ms);
    config.network.clamped = Vec::new();
    config.network.bias_scale = 1.0;
    config.network.private_noise = (0.45 * config.network.tau_ms / config.network.dt_ms).sqrt();
    config.network.output = Output::Readout;
    config.network.readout_scale = 2.0;
    config.readout = ReadoutConfig::default();
    config.perturbation.probability = 0.0;
    let tau = toml::Value::Float(config.network.tau_ms);
    config.rule.own.extend(["tau_plus_ms", "tau_minus_ms"].map(|key| (key.to_string(), tau.clone())));
    config.rule.eta = 0.01;
    config.rule.max_dw = 6e-4;
}

fn build(config: &Config, neurons: &dyn NeuronModel) -> Result<Arc<dyn LearningRule>> {
    if !neurons.variables().contains(&SPIKES) {
        let name = neurons.name();
        bail!(
            Usage,
            "rule.name is `r-stdp`, which needs spikes, but network.dynamics is `{name}`; expected `lif-filtered`"
        );
    }
    let Parameters { tau_plus_ms, tau_minus_ms, a_plus, a_minus } = parameters(config)?;
    let decay = |tau: f64| libm::exp(-config.network.dt_ms / tau);
    Ok(Arc::new(RStdp { decays: [decay(tau_plus_ms), decay(tau_minus_ms)], amplitudes: [a_plus, a_minus] }))
}

struct RStdp {
    /// e^(−dt/τ₊) and e^(−dt/τ₋).
    decays: [f64; 2],
    /// A₊ and A₋.
    amplitudes: [f64; 2],
}

impl LearningRule for RStdp {
    fn name(&self) -> &str {
        INFO.name
    }

    fn source(&self) -> Source {
        let ([plus, minus], [a_plus, a_minus]) = (self.decays, self.amplitudes);
        let mut traces: Option<[Tensor; 2]> = None;
        Source::Steps(Box::new(move |moment| {
            let f = &moment.state.variables[SPIKES];
            let [p, q] = match traces.take() {
                Some([p, q]) => [((p * plus)? + f)?, ((q * minus)? + f)?],
                None => [f.clone(), f.clone()],
            };
            let causal = Factors { post: (f * a_plus)?, pre: p.clone() };
            let acausal = Factors { post: (&q * a_minus)?, pre: f.clone() };
            traces = Some([p, q]);
            Ok(Some(Increment::Outers([causal, acausal])))
        }))
    }
}
