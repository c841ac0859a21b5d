//! The third factor: reward, its prediction error, or dopamine.

/// The third factor of a rule.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub enum ThirdFactor {
    /// None: always 1.
    None,
    /// The reward.
    Reward,
    /// The reward minus the expected one, its running mean, which decays by `decay` in a step.
    PredictionError {
        /// e^(−Δt/τ_r).
        decay: f64,
    },
    /// Dopamine: rewards add up in d, which decays by `decay` in a step; `tonic` is always there.
    Dopamine {
        /// e^(−Δt/τ_d).
        decay: f64,
        /// d₀.
        tonic: f64,
    },
}

impl ThirdFactor {
    /// The factor of a step with this `reward`; moves `level`, which is dopamine or the expected reward.
    pub(crate) fn of(&self, level: &mut f64, reward: f64) -> f64 {
        match *self {
            ThirdFactor::None => 1.0,
            ThirdFactor::Reward => reward,
            ThirdFactor::PredictionError { decay } => {
                let error = reward - *level;
                *level = decay * *level + (1.0 - decay) * reward;
                error
            }
            ThirdFactor::Dopamine { decay, tonic } => {
                *level = *level * decay + reward;
                tonic + *level
            }
        }
    }

    /// The third factors of all networks in a step, times `rate`.
    pub(super) fn times(&self, rate: f64, level: &mut [f64], rewards: &[f64]) -> Vec<f64> {
        level.iter_mut().zip(rewards).map(|(level, reward)| rate * self.of(level, *reward)).collect()
    }
}

/// The third factor of rules that have a time constant of the expected reward; 0: no reward is expected.
pub(super) fn factor(expected_reward_ms: f64, dt_ms: f64) -> ThirdFactor {
    let decay = libm::exp(-dt_ms / expected_reward_ms);
    if expected_reward_ms > 0.0 {
        ThirdFactor::PredictionError { decay }
    } else {
        ThirdFactor::Reward
    }
}
