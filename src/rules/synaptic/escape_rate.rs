//! Rules for neurons with escape noise, which spike at random with a probability that the rule can use: `r-max`, `td-ltp`
//! and `td-stdp` (Frémaux et al. 2013, eqs 36, 17 and 35).
//!
//! With x_j an arriving presynaptic spike, h_ij what the spikes that arrived at a synapse since its neuron's own last spike
//! have left, f_i a spike and p_i its probability in the step,
//!
//! ```text
//! r-max     h ← PSP of unit weight,       ζ_ij = (f_i − p_i) h_ij
//! td-ltp    h ← PSP of unit weight,       ζ_ij = f_i h_ij
//! td-stdp   h ← trace e^(−t/τ₊),          ζ_ij = A₊ f_i h_ij + A₋ P⁻_i x_j,   P⁻ set to 1 by an own spike
//! z = ζ filtered by a kernel of unit area,   Δw = η Δt M z
//! ```
//!
//! M is the reward of the step, which a world with a critic makes a TD error, or the reward minus the expected one.

use super::third::factor;
use super::*;
use crate::papers::{FREMAUX_2013, VASILAKI_2009};

/// A rule of this family, with its parameters in steps.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub struct EscapeRate {
    /// Its name.
    pub name: &'static str,
    /// h: what an arriving spike leaves.
    pub response: Filter,
    /// Whether p is subtracted from f.
    pub centred: bool,
    /// A₋ and the decay of P⁻ in a step.
    pub depression: Option<(f64, f64)>,
    /// How ζ is filtered.
    pub eligibility: Filter,
    /// M.
    pub third: ThirdFactor,
    /// η Δt.
    pub rate: f64,
}

/// A difference of exponentials, `scale` (slow^t − fast^t), or a single one.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub struct Filter {
    /// The decay of the slow one in a step.
    pub slow: f64,
    /// The decay of the fast one; `None`: there is none.
    pub fast: Option<f64>,
    /// The factor.
    pub scale: f64,
}

impl Filter {
    fn new(decay_ms: f64, rise_ms: Option<f64>, area: f64, dt_ms: f64) -> Self {
        let decay = |tau: f64| libm::exp(-dt_ms / tau);
        let scale = area / (decay_ms - rise_ms.unwrap_or(0.0));
        Filter { slow: decay(decay_ms), fast: rise_ms.map(decay), scale }
    }
}

/// The parameters of `r-max` and `td-ltp`: the postsynaptic potential, as in the neuron model.
#[derive(DocumentedFields, JsonSchema, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Potential {
    /// η, in ms per reward and mV.
    eta: f64,
    /// τ, the time constant of the membrane.
    #[schemars(extend("exclusiveMinimum" = 0))]
    tau_ms: f64,
    /// τ_s, the time constant of synaptic input.
    #[schemars(extend("exclusiveMinimum" = 0))]
    synapse_ms: f64,
    /// ε₀, the area of a postsynaptic potential for a weight of 1.
    epsilon_mv_ms: f64,
    /// The decay time of the eligibility.
    #[schemars(extend("exclusiveMinimum" = 0))]
    tau_z_ms: f64,
    /// The rise time of the eligibility; 0: it has none.
    #[schemars(range(min = 0))]
    rise_z_ms: f64,
    /// The time constant of the expected reward, which is subtracted from the reward; 0: no reward is expected.
    #[schemars(range(min = 0))]
    expected_reward_ms: f64,
}

/// The parameters of `td-stdp`.
#[derive(DocumentedFields, JsonSchema, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Window {
    /// η, in ms per reward.
    eta: f64,
    /// τ₊, the time constant of the presynaptic trace.
    #[schemars(extend("exclusiveMinimum" = 0))]
    tau_plus_ms: f64,
    /// τ₋, the time constant of the postsynaptic trace.
    #[schemars(extend("exclusiveMinimum" = 0))]
    tau_minus_ms: f64,
    /// A₊, the change when the presynaptic spike comes first.
    a_plus: f64,
    /// A₋, the change when the presynaptic spike comes last.
    a_minus: f64,
    /// The decay time of the eligibility.
    #[schemars(extend("exclusiveMinimum" = 0))]
    tau_z_ms: f64,
    /// The rise time of the eligibility; 0: it has none.
    #[schemars(range(min = 0))]
    rise_z_ms: f64,
    /// The time constant of the expected reward, which is subtracted from the reward; 0: no reward is expected.
    #[schemars(range(min = 0))]
    expected_reward_ms: f64,
}

const fn potential(eta: f64, tau_z_ms: f64, rise_z_ms: f64) -> Potential {
    Potential { eta, tau_ms: 20.0, synapse_ms: 5.0, epsilon_mv_ms: 20.0, tau_z_ms, rise_z_ms, expected_reward_ms: 0.0 }
}

pub(super) const R_MAX: SynapseRuleInfo = SynapseRuleInfo {
    name: "r-max",
    summary: "spikes minus their probability, times the postsynaptic potential (Vasilaki 2009; Frémaux 2013)",
    papers: &[VASILAKI_2009, FREMAUX_2013],
    equation: "ζ_ij = (f_i − p_i) h_ij, filtered: z; Δw_ij = η Δt M z_ij",
    keys: Key::of::<Potential>,
    parameters: || table(&potential(1.5e-3, 500.0, 0.0)),
    build: |given, dt_ms| build_potential(&R_MAX, given, dt_ms, true),
};

pub(super) const TD_LTP: SynapseRuleInfo = SynapseRuleInfo {
    name: "td-ltp",
    summary: "spikes times the postsynaptic potential, for a reward that is a TD error (Frémaux 2013)",
    papers: &[FREMAUX_2013],
    equation: "ζ_ij = f_i h_ij, filtered: z; Δw_ij = η Δt M z_ij",
    keys: Key::of::<Potential>,
    parameters: || table(&potential(0.01, 200.0, 50.0)),
    build: |given, dt_ms| build_potential(&TD_LTP, given, dt_ms, false),
};

pub(super) const TD_STDP: SynapseRuleInfo = SynapseRuleInfo {
    name: "td-stdp",
    summary: "spike-timing-dependent plasticity since the neuron's last spike, for a TD error (Frémaux 2013)",
    papers: &[FREMAUX_2013],
    equation: "ζ_ij = A₊ f_i h_ij + A₋ P⁻_i x_j, filtered: z; Δw_ij = η Δt M z_ij",
    keys: Key::of::<Window>,
    parameters: || {
        table(&Window {
            eta: 2.5e-4,
            tau_plus_ms: 20.0,
            tau_minus_ms: 40.0,
            a_plus: 0.75,
            a_minus: -0.375,
            tau_z_ms: 500.0,
            rise_z_ms: 0.0,
            expected_reward_ms: 0.0,
        })
    },
    build: |given, dt_ms| {
        let own: Window = parameters((TD_STDP.parameters)(), given)?;
        let mut response = Filter::new(own.tau_plus_ms, None, 1.0, dt_ms);
        response.scale = own.a_plus;
        Ok(Arc::new(EscapeRate {
            name: TD_STDP.name,
            response,
            centred: false,
            depression: Some((own.a_minus, libm::exp(-dt_ms / own.tau_minus_ms))),
            eligibility: eligibility(own.tau_z_ms, own.rise_z_ms, dt_ms)?,
            third: factor(own.expected_reward_ms, dt_ms),
            rate: own.eta * dt_ms,
        }))
    },
};

fn build_potential(info: &SynapseRuleInfo, given: Table, dt_ms: f64, centred: bool) -> Result<Arc<dyn SynapseRule>> {
    let own: Potential = parameters((info.parameters)(), given)?;
    let expected = format!("above synapse_ms ({})", own.synapse_ms);
    expect(own.tau_ms > own.synapse_ms, "tau_ms", own.tau_ms, expected)?;
    Ok(Arc::new(EscapeRate {
        name: info.name,
        response: Filter::new(own.tau_ms, Some(own.synapse_ms), own.epsilon_mv_ms, dt_ms),
        centred,
        depression: None,
        eligibility: eligibility(own.tau_z_ms, own.rise_z_ms, dt_ms)?,
        third: factor(own.expected_reward_ms, dt_ms),
        rate: own.eta * dt_ms,
    }))
}

fn eligibility(tau_z_ms: f64, rise_z_ms: f64, dt_ms: f64) -> Result<Filter> {
    let expected = format!("below tau_z_ms ({tau_z_ms})");
    expect(rise_z_ms < tau_z_ms, "rise_z_ms", rise_z_ms, expected)?;
    Ok(Filter::new(tau_z_ms, (rise_z_ms > 0.0).then_some(rise_z_ms), 1.0, dt_ms))
}

impl Filter {
    /// Both exponentials after a step in which `new` came, and their difference.
    fn step(&self, slow: &Tensor, fast: &Tensor, new: &Tensor) -> candle_core::Result<[Tensor; 3]> {
        let slow = slow.affine(self.slow, 0.0)?.broadcast_add(new)?;
        let fast = match self.fast {
            Some(decay) => fast.affine(decay, 0.0)?.broadcast_add(new)?,
            None => fast.clone(),
        };
        let value = ((&slow - &fast)? * self.scale)?;
        Ok([slow, fast, value])
    }
}

impl SynapseRule for EscapeRate {
    fn name(&self) -> &str {
        self.name
    }

    fn needs(&self) -> Needs {
        Needs::Escape
    }

    fn variables(&self) -> Vec<&str> {
        vec!["response", "fast_response", "eligibility", "fast_eligibility"]
    }

    fn traces(&self) -> (bool, bool) {
        (false, true)
    }

    fn step(&self, synapses: &mut PlasticSynapses, moment: &mut SynapseMoment) -> candle_core::Result<()> {
        let gate = self.third.times(self.rate, &mut synapses.level, moment.rewards);
        let gate = synapses.each(&gate)?;
        let (f, Some(probability)) = (moment.post, moment.probability) else { return Ok(()) };
        let ([slow, fast, z_slow, z_fast], Some(q)) = (&synapses.synaptic[..], &synapses.post) else {
            return Ok(());
        };
        let arrived = moment.arrived.unsqueeze(1)?.broadcast_mul(&synapses.mask)?;
        let [slow, fast, h] = self.response.step(slow, fast, &arrived)?;
        let learning = if self.centred { (f - probability)? } else { f.clone() };
        let mut zeta = h.broadcast_mul(&learning.unsqueeze(2)?)?;
        let mut q = q.clone();
        if let Some((a_minus, decay)) = self.depression {
            zeta = (zeta + arrived.broadcast_mul(&q.affine(decay * a_minus, 0.0)?.unsqueeze(2)?)?)?;
            // An own spike sets P⁻ to 1.
            q = ((&q * f.affine(-decay, decay)?)? + f)?;
        }
        // Only what arrives after an own spike counts from then on, unless it outlasts it.
        let kept = f.affine(if synapses.resets { -1.0 } else { 0.0 }, 1.0)?.unsqueeze(2)?;
        let [z_slow, z_fast, z] = self.eligibility.step(z_slow, z_fast, &zeta)?;
        synapses.synaptic = vec![slow.broadcast_mul(&kept)?, fast.broadcast_mul(&kept)?, z_slow, z_fast];
        synapses.post = Some(q);
        synapses.add(&z.broadcast_mul(&gate)?)
    }

    fn fused(&self) -> Option<FusedSynapseRule> {
        Some(FusedSynapseRule::EscapeRate(*self))
    }
}
