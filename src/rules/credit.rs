//! Credit: the factors by which eligibilities are multiplied. A trial has one factor; an episode has one for each step, the
//! advantage.

use super::{Credit, RewardBaseline};
use crate::tasks::{EpisodeSettings, Trajectory};

/// The advantages of the steps of a network's episodes.
pub(crate) struct Advantages {
    /// For each episode, the advantage of each step of the environment.
    pub steps: Vec<Vec<f64>>,
    /// The factor that turns a critic's summed eligibility into the mean over steps, which its learning rate multiplies. It does not
    /// include the division by the root mean square.
    pub critic_scale: f64,
}

impl RewardBaseline {
    /// The factor of each of a network's trials in a batch, from their `costs` and `types` `[B]`; `trials_before` is the
    /// number of the network's earlier trials.
    pub(crate) fn trial_factors(
        &self,
        credit: Credit,
        network: usize,
        costs: &[f64],
        types: &[usize],
        trials_before: u64,
    ) -> Vec<f64> {
        match credit {
            Credit::Trial => self.weights(network, costs, types, trials_before),
            Credit::Online => vec![f64::from(u8::from(self.has_settled(trials_before))); costs.len()],
            Credit::Supervised => vec![1.0; costs.len()],
        }
    }

    /// The advantage of each step of the environment in each of a network's episodes in a batch.
    ///
    /// With `task.discount` 1, the advantage of every step of an episode is the episode's return minus the return that the reward
    /// baseline expects. Otherwise it is the discounted return from the step on, minus the mean of this return over the other
    /// episodes, where an episode that has ended counts as 0. With a critic, it is the sum of the critic's errors from the step on.
    /// With `modulator.normalise`, all advantages are divided by their root mean square.
    pub(crate) fn advantages(
        &self,
        settings: &EpisodeSettings,
        network: usize,
        episodes: &[Trajectory],
        trials_before: u64,
    ) -> Advantages {
        let mut steps: Vec<Vec<f64>> = if settings.critic() {
            episodes.iter().map(|episode| critic_errors(episode, settings)).collect()
        } else if settings.discount < 1.0 {
            relative_returns(episodes, settings.discount)
        } else {
            let costs: Vec<f64> = episodes.iter().map(|episode| -episode.total_reward()).collect();
            let conditions: Vec<usize> = episodes.iter().map(|episode| episode.condition).collect();
            let factors = self.weights(network, &costs, &conditions, trials_before);
            factors.iter().zip(episodes).map(|(m, episode)| vec![*m; episode.rewards.len()]).collect()
        };
        let mut size = 1.0;
        if self.config.normalise == Some(true) {
            // If steps differ in their advantages, each step counts; otherwise each episode counts once.
            let counted = if settings.by_step() { usize::MAX } else { 1 };
            let each = || steps.iter().flat_map(|steps| steps.iter().take(counted));
            let rms = (each().map(|m| m * m).sum::<f64>() / each().count().max(1) as f64).sqrt();
            if rms > 0.0 {
                steps.iter_mut().flatten().for_each(|m| *m /= rms);
                size = rms;
            }
        }
        let critic_scale = size / steps.iter().map(Vec::len).sum::<usize>().max(1) as f64;
        Advantages { steps, critic_scale }
    }
}

/// Σ_k (γλ)^k δ_(t+k), with the critic's errors δ_t = reward_t + γ V_(t+1) − V_t. It is the credit that a step receives if each error
/// multiplies an eligibility that decays by a factor γλ per step (Sutton & Barto 2018, section 12.2). If the episode was cut off,
/// rather than ended by the environment, V_(t+1) is taken to equal V_t.
fn critic_errors(episode: &Trajectory, settings: &EpisodeSettings) -> Vec<f64> {
    let &EpisodeSettings { discount, critic_lambda: lambda, .. } = settings;
    let last = episode.values.last().copied().unwrap_or(0.0);
    let (mut next, mut sum) = (if episode.terminated { 0.0 } else { last }, 0.0);
    let mut sums = vec![0.0; episode.rewards.len()];
    for (step, (reward, value)) in episode.rewards.iter().zip(&episode.values).enumerate().rev() {
        sum = reward + discount * next - value + discount * lambda * sum;
        next = *value;
        sums[step] = sum;
    }
    sums
}

/// The discounted return from each step on, minus its mean in the other episodes.
fn relative_returns(episodes: &[Trajectory], discount: f64) -> Vec<Vec<f64>> {
    let mut returns: Vec<Vec<f64>> = episodes.iter().map(|episode| episode.returns(discount)).collect();
    let longest = returns.iter().map(Vec::len).max().unwrap_or(0);
    let others = (returns.len() - 1).max(1) as f64;
    for step in 0..longest {
        let sum: f64 = returns.iter().filter_map(|returns| returns.get(step)).sum();
        for g in returns.iter_mut().filter_map(|returns| returns.get_mut(step)) {
            *g -= (sum - *g) / others;
        }
    }
    returns
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn returns_are_compared_with_those_of_the_other_episodes_at_the_same_step() {
        let episode = |rewards: &[f64]| Trajectory { rewards: rewards.to_vec(), ..Trajectory::default() };
        let found = relative_returns(&[episode(&[1.0, 2.0, 4.0]), episode(&[3.0]), episode(&[0.0, 2.0])], 0.5);
        // From each step on: 3, 4, 4; 3; 1, 2. The means of the others: 2, 1, 0; 2; 3, 2.
        assert_eq!(found, [vec![1.0, 3.0, 4.0], vec![1.0], vec![-2.0, 0.0]]);
    }
}
