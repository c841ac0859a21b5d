//! Spike-timing-dependent plasticity between pairs of spikes, alone or with a third factor.
//!
//! With f a spike (0 or 1), P⁺_j a trace of presynaptic and P⁻_i one of postsynaptic spikes,
//!
//! ```text
//! P⁺ ← P⁺ e^(−Δt/τ₊) + f_j     P⁻ ← P⁻ e^(−Δt/τ₋) + f_i     ζ_ij = A₊ P⁺_j f_i + A₋ P⁻_i f_j
//! ```
//!
//! and the weight changes by γ ζ (`stdp`), by γ r ζ with the reward r of the next step (`mstdp`, Florian 2007, eqs 9 to
//! 14), or through an eligibility z: z ← z e^(−Δt/τ_z) + ζ/τ_z, Δw = γ Δt r z (`mstdpet`, eqs 15 to 17), or c ← c +
//! ζ, Δw = (d₀ + d) c, with dopamine d (`da-stdp`, Izhikevich 2007).

use super::third::factor;
use super::*;
use crate::papers::{FLORIAN_2007, IZHIKEVICH_2007, SONG_2000};

/// A rule of this family, with its parameters in steps.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub struct PairRule {
    /// Its name.
    pub name: &'static str,
    /// e^(−Δt/τ₊).
    pub pre_decay: f64,
    /// e^(−Δt/τ₋).
    pub post_decay: f64,
    /// A₊.
    pub a_plus: f64,
    /// A₋.
    pub a_minus: f64,
    /// Whether a spike adds 1 to its trace; if not, it sets the trace to 1, so that only the nearest spike counts.
    pub accumulates: bool,
    /// Which pairs of spikes in the same step count.
    pub simultaneous: Simultaneous,
    /// The third factor.
    pub third: ThirdFactor,
    /// The multiplier of a step's third factor.
    pub rate: f64,
    /// The eligibility's decay per period and the factor of ζ in it; `None`: ζ changes the weight itself.
    pub eligibility: Option<(f64, f64)>,
    /// Steps in a period: the eligibility decays, and changes the weights, at the end of each.
    pub period: u64,
}

/// The effect of pairs of spikes in the same step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Simultaneous {
    /// Both A₊ and A₋ count, since both traces include the step's own spikes (Florian).
    Both,
    /// Only A₋ counts: P⁺ is that of the step before (Izhikevich).
    Depression,
}

/// The parameters of `stdp`, `mstdp` and `mstdpet`; those that a rule does not have are not given.
#[derive(DocumentedFields, JsonSchema, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Pairs {
    /// γ, in the unit of the weights.
    gamma: f64,
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
    /// The time constant of the eligibility.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("exclusiveMinimum" = 0))]
    tau_z_ms: Option<f64>,
    /// The time constant of the expected reward, which is subtracted from the reward; 0: no reward is expected.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0))]
    expected_reward_ms: Option<f64>,
}

impl Default for Pairs {
    /// Florian (2007), with the γ of his experiment with rates.
    fn default() -> Self {
        let (tau_z_ms, expected_reward_ms) = (None, Some(0.0));
        Pairs {
            gamma: 0.1,
            tau_plus_ms: 20.0,
            tau_minus_ms: 20.0,
            a_plus: 1.0,
            a_minus: -1.0,
            tau_z_ms,
            expected_reward_ms,
        }
    }
}

/// The parameters of `da-stdp`.
#[derive(DocumentedFields, JsonSchema, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Dopaminergic {
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
    /// The time constant of the eligibility c.
    #[schemars(extend("exclusiveMinimum" = 0))]
    tau_c_ms: f64,
    /// The time constant of dopamine.
    #[schemars(extend("exclusiveMinimum" = 0))]
    tau_d_ms: f64,
    /// d₀.
    #[schemars(range(min = 0))]
    tonic: f64,
    /// The interval between changes of the weights.
    #[schemars(extend("exclusiveMinimum" = 0))]
    every_ms: f64,
}

impl Default for Dopaminergic {
    /// Izhikevich (2007).
    fn default() -> Self {
        Dopaminergic {
            tau_plus_ms: 20.0,
            tau_minus_ms: 20.0,
            a_plus: 0.1,
            a_minus: -0.15,
            tau_c_ms: 1000.0,
            tau_d_ms: 200.0,
            tonic: 0.002,
            every_ms: 10.0,
        }
    }
}

pub(super) const STDP: SynapseRuleInfo = SynapseRuleInfo {
    name: "stdp",
    summary: "spike-timing-dependent plasticity of pairs, without a third factor (Song et al. 2000)",
    papers: &[SONG_2000],
    equation: "Δw_ij = γ ζ_ij, ζ_ij = A₊ P⁺_j f_i + A₋ P⁻_i f_j",
    keys: Key::of::<Pairs>,
    parameters: || table(&Pairs { gamma: 0.01, expected_reward_ms: None, ..Pairs::default() }),
    build: |table, dt_ms| build(&STDP, table, dt_ms),
};

pub(super) const MSTDP: SynapseRuleInfo = SynapseRuleInfo {
    name: "mstdp",
    summary: "spike-timing-dependent plasticity times the reward of the next step (Florian 2007)",
    papers: &[FLORIAN_2007],
    equation: "Δw_ij = γ r ζ_ij with the reward r of the next step",
    keys: Key::of::<Pairs>,
    parameters: || table(&Pairs::default()),
    build: |table, dt_ms| build(&MSTDP, table, dt_ms),
};

pub(super) const MSTDPET: SynapseRuleInfo = SynapseRuleInfo {
    name: "mstdpet",
    summary: "reward times an eligibility trace of spike-timing-dependent plasticity (Florian 2007)",
    papers: &[FLORIAN_2007],
    equation: "z_ij ← z_ij e^(−Δt/τ_z) + ζ_ij/τ_z; Δw_ij = γ Δt r z_ij",
    keys: Key::of::<Pairs>,
    parameters: || table(&Pairs { gamma: 0.625, tau_z_ms: Some(25.0), ..Pairs::default() }),
    build: |table, dt_ms| build(&MSTDPET, table, dt_ms),
};

pub(super) const DA_STDP: SynapseRuleInfo = SynapseRuleInfo {
    name: "da-stdp",
    summary: "spike-timing-dependent plasticity with an eligibility trace, gated by dopamine (Izhikevich 2007)",
    papers: &[IZHIKEVICH_2007],
    equation: "c_ij ← c_ij e^(−Δt/τ_c) + ζ_ij; Δw_ij = (d₀ + d) c_ij",
    keys: Key::of::<Dopaminergic>,
    parameters: || table(&Dopaminergic::default()),
    build: |table, dt_ms| {
        let own: Dopaminergic = parameters((DA_STDP.parameters)(), table)?;
        let period = own.every_ms / dt_ms;
        let whole = (1.0..1e6).contains(&period) && (period - period.round()).abs() < 1e-6;
        expect(whole, "every_ms", own.every_ms, format!("a multiple of life.dt_ms ({dt_ms})"))?;
        let third = ThirdFactor::Dopamine { decay: libm::exp(-dt_ms / own.tau_d_ms), tonic: own.tonic };
        let pairs = Pairs {
            gamma: 1.0,
            tau_plus_ms: own.tau_plus_ms,
            tau_minus_ms: own.tau_minus_ms,
            a_plus: own.a_plus,
            a_minus: own.a_minus,
            ..Pairs::default()
        };
        let rule = PairRule {
            accumulates: false,
            simultaneous: Simultaneous::Depression,
            eligibility: Some((libm::exp(-own.every_ms / own.tau_c_ms), 1.0)),
            period: period.round() as u64,
            ..pairs.rule(DA_STDP.name, dt_ms, third)
        };
        Ok(Arc::new(rule))
    },
};

/// One of the rules that [`Pairs`] describes.
fn build(info: &SynapseRuleInfo, given: Table, dt_ms: f64) -> Result<Arc<dyn SynapseRule>> {
    let own: Pairs = parameters((info.parameters)(), given)?;
    let third = own.expected_reward_ms.map_or(ThirdFactor::None, |tau| factor(tau, dt_ms));
    let Some(tau_z_ms) = own.tau_z_ms else { return Ok(Arc::new(own.rule(info.name, dt_ms, third))) };
    Ok(Arc::new(PairRule {
        rate: own.gamma * dt_ms,
        eligibility: Some((libm::exp(-dt_ms / tau_z_ms), 1.0 / tau_z_ms)),
        ..own.rule(info.name, dt_ms, third)
    }))
}

impl Pairs {
    fn rule(self, name: &'static str, dt_ms: f64, third: ThirdFactor) -> PairRule {
        PairRule {
            name,
            pre_decay: libm::exp(-dt_ms / self.tau_plus_ms),
            post_decay: libm::exp(-dt_ms / self.tau_minus_ms),
            a_plus: self.a_plus,
            a_minus: self.a_minus,
            accumulates: true,
            simultaneous: Simultaneous::Both,
            third,
            rate: self.gamma,
            eligibility: None,
            period: 1,
        }
    }
}

impl PairRule {
    /// The third factor of a step times the rate.
    pub(crate) fn gate(&self, level: &mut f64, reward: f64) -> f64 {
        self.rate * self.third.of(level, reward)
    }
}

impl SynapseRule for PairRule {
    fn name(&self) -> &str {
        self.name
    }

    fn needs(&self) -> Needs {
        Needs::Spikes
    }

    fn reads_reward(&self) -> bool {
        self.third != ThirdFactor::None
    }

    fn variables(&self) -> Vec<&str> {
        self.eligibility.map_or(Vec::new(), |_| vec!["eligibility"])
    }

    fn traces(&self) -> (bool, bool) {
        (true, true)
    }

    fn looks_back(&self) -> bool {
        true
    }

    fn step(&self, synapses: &mut PlasticSynapses, moment: &mut SynapseMoment) -> candle_core::Result<()> {
        let gate = self.third.times(self.rate, &mut synapses.level, moment.rewards);
        let gate = synapses.each(&gate)?;
        let (f_pre, f_post) = (moment.pre, moment.post);
        let (Some(p), Some(q)) = (&synapses.pre, &synapses.post) else { return Ok(()) };
        let moved = |trace: &Tensor, decay: f64, f: &Tensor| {
            let kept = if self.accumulates { trace.clone() } else { (trace * f.affine(-1.0, 1.0)?)? };
            kept.affine(decay, 0.0)? + f
        };
        let q = moved(q, self.post_decay, f_post)?;
        let after = moved(p, self.pre_decay, f_pre)?;
        let used = if self.simultaneous == Simultaneous::Both { &after } else { p };
        let potentiation = PlasticSynapses::outer(f_post, used)?.affine(self.a_plus, 0.0)?;
        let zeta = (potentiation + PlasticSynapses::outer(&q, f_pre)?.affine(self.a_minus, 0.0)?)?;
        let zeta = (zeta * &synapses.mask)?;
        (synapses.pre, synapses.post) = (Some(after), Some(q));
        let (Some((decay, scale)), [z]) = (self.eligibility, &synapses.synaptic[..]) else {
            return synapses.add(&zeta.broadcast_mul(&gate)?);
        };
        let mut z = (z + zeta.affine(scale, 0.0)?)?;
        if (moment.now + 1).is_multiple_of(self.period) {
            synapses.add(&z.broadcast_mul(&gate)?)?;
            z = z.affine(decay, 0.0)?;
        }
        synapses.synaptic = vec![z];
        Ok(())
    }

    fn fused(&self) -> Option<FusedSynapseRule> {
        Some(FusedSynapseRule::Pair(*self))
    }
}
