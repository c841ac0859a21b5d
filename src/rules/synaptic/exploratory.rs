//! `eh-binary`, exploratory Hebb for rates with a binary modulator: Δw_ij = η(t) (r_i − r̄_i) M r_j with M = 1 if P > P̄, else 0; then r̄ ← λ r̄ + (1 − λ) r,
//! P̄ ← λ P̄ + (1 − λ) P; η(t) = η/(1 + t/T) (Hoerzer et al. 2014; there λ = 0.8, T = 20 s). P is the reward of the step, r_j the
//! presynaptic rate that contributed to r_i.

use super::*;
use crate::papers::HOERZER_2014;
use rand::RngExt;

/// The rule, with its parameters in steps.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub struct Exploratory {
    /// η.
    pub eta: f64,
    /// T in steps; 0: η does not fall.
    pub fall: f64,
    /// λ for the postsynaptic rates.
    pub rate_decay: f64,
    /// λ for the reward.
    pub reward_decay: f64,
    /// Steps for which changes are held back before they are applied together.
    pub hold: u64,
    /// Whether the toss of a coin replaces M.
    pub coin: bool,
}

/// The parameters as they are written.
#[derive(DocumentedFields, JsonSchema, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Parameters {
    /// η at birth.
    #[schemars(range(min = 0))]
    eta: f64,
    /// T, the time in which η falls to half; 0: it stays constant.
    #[schemars(range(min = 0))]
    fall_seconds: f64,
    /// λ of the running means of the rates in a step.
    #[schemars(range(min = 0, max = 1))]
    rate_decay: f64,
    /// λ of the running mean of the reward in a step.
    #[schemars(range(min = 0, max = 1))]
    reward_decay: f64,
    /// Changes of weights are held back for this long and applied together; one step: at once. A control.
    #[schemars(extend("exclusiveMinimum" = 0))]
    hold_ms: f64,
    /// Replace the modulator M with the toss of a coin: a control.
    coin: bool,
}

impl Default for Parameters {
    /// Hoerzer et al. (2014), with a rate that falls more slowly.
    fn default() -> Self {
        Parameters { eta: 5e-4, fall_seconds: 100.0, rate_decay: 0.8, reward_decay: 0.8, hold_ms: 1.0, coin: false }
    }
}

pub(super) const INFO: SynapseRuleInfo = SynapseRuleInfo {
    name: "eh-binary",
    summary:
        "exploratory Hebb: rate times deviation from the running mean, while reward exceeds its own mean (Hoerzer 2014)",
    papers: &[HOERZER_2014],
    equation: "Δw_ij = η(t) (r_i − r̄_i) M r_j, M = 1 where P > P̄, else 0",
    keys: Key::of::<Parameters>,
    parameters: || table(&Parameters::default()),
    build: |table, dt_ms| {
        let own: Parameters = parameters((INFO.parameters)(), table)?;
        let hold = own.hold_ms / dt_ms;
        let whole = (1.0..1e9).contains(&hold) && (hold - hold.round()).abs() < 1e-6;
        expect(whole, "hold_ms", own.hold_ms, format!("a multiple of life.dt_ms ({dt_ms})"))?;
        Ok(Arc::new(Exploratory {
            eta: own.eta,
            fall: own.fall_seconds * 1000.0 / dt_ms,
            rate_decay: own.rate_decay,
            reward_decay: own.reward_decay,
            hold: hold.round() as u64,
            coin: own.coin,
        }))
    },
};

impl Exploratory {
    /// η(t) after `steps` steps.
    pub(crate) fn eta_at(&self, steps: u64) -> f64 {
        if self.fall > 0.0 {
            self.eta / (1.0 + steps as f64 / self.fall)
        } else {
            self.eta
        }
    }
}

impl SynapseRule for Exploratory {
    fn name(&self) -> &str {
        INFO.name
    }

    fn needs(&self) -> Needs {
        Needs::Rates
    }

    fn reads_reward(&self) -> bool {
        !self.coin
    }

    /// The change of the weight that is held back.
    fn variables(&self) -> Vec<&str> {
        if self.hold > 1 {
            vec!["eligibility"]
        } else {
            Vec::new()
        }
    }

    fn traces(&self) -> (bool, bool) {
        (false, true)
    }

    fn step(&self, synapses: &mut PlasticSynapses, moment: &mut SynapseMoment) -> candle_core::Result<()> {
        let (post, rewards) = (moment.post, moment.rewards);
        let mut gate = Vec::new();
        for ((mean, reward), random) in synapses.level.iter().zip(rewards).zip(&mut moment.random) {
            let better = if self.coin { random.random::<bool>() } else { reward > mean };
            gate.push(f64::from(u8::from(better)) * self.eta_at(moment.now));
        }
        let gate = synapses.each(&gate)?;
        let Some(mean) = &synapses.post else { return Ok(()) };
        let change = PlasticSynapses::outer(&(post - mean)?, moment.arrived)?.broadcast_mul(&gate)?;
        let change = (change * &synapses.mask)?;
        let mean = (mean.affine(self.rate_decay, 0.0)? + post.affine(1.0 - self.rate_decay, 0.0)?)?;
        synapses.post = Some(mean);
        for (level, reward) in synapses.level.iter_mut().zip(rewards) {
            *level = self.reward_decay * *level + (1.0 - self.reward_decay) * reward;
        }
        let Some(held) = synapses.synaptic.pop() else { return synapses.add(&change) };
        let mut held = (held + change)?;
        if (moment.now + 1).is_multiple_of(self.hold) {
            synapses.add(&held)?;
            held = held.zeros_like()?;
        }
        synapses.synaptic.push(held);
        Ok(())
    }

    fn fused(&self) -> Option<FusedSynapseRule> {
        Some(FusedSynapseRule::Exploratory(*self))
    }
}
