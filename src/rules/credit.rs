//! Credit: the factors by which eligibilities are multiplied. A trial has one factor; an episode has one for each step, the
//! advantage.

use super::{Credit, RewardBaseline};
use crate::random::{stream, Phase, Purpose};
use crate::tasks::{EpisodeSettings, Trajectory};
use rand::seq::SliceRandom;

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
            Credit::Trial => self.shuffled(network, trials_before, self.weights(network, costs, types, trials_before)),
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
        if self.config.shuffle == Some(true) {
            let given = self.shuffled(network, trials_before, steps.clone());
            for (steps, given) in steps.iter_mut().zip(&given) {
                // Episodes differ in length; the last advantage also counts for the steps that the other episode lacks.
                let last = given.last().copied().unwrap_or(0.0);
                let length = steps.len();
                *steps = given.iter().copied().chain(std::iter::repeat(last)).take(length).collect();
            }
        }
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

impl RewardBaseline {
    /// The values of a network's trials in a batch, permuted if `modulator.shuffle` is set. All permutations are equally likely,
    /// including those that leave some trials their own value: without these, the mean of what a trial is given would be its own value
    /// reversed.
    fn shuffled<T>(&self, network: usize, trials_before: u64, mut values: Vec<T>) -> Vec<T> {
        if self.config.shuffle == Some(true) {
            let (seed, first) = self.draws;
            values.shuffle(&mut stream(seed, first + network as u64, trials_before, Phase::Train, Purpose::Modulator));
        }
        values
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
    use crate::config::RewardConfig;

    #[test]
    fn shuffled_modulators_go_to_any_trial_equally_often() {
        let baseline = |first: u64, shuffle: bool| {
            let config = RewardConfig { shuffle: Some(shuffle), ..RewardConfig::default() };
            RewardBaseline::with(&config, (1, first), 3, 4)
        };
        let costs = [4.0, 1.0, 0.0];
        let factors = |baseline: &RewardBaseline, network, before| {
            baseline.trial_factors(Credit::Trial, network, &costs, &[0; 3], before)
        };
        let (plain, shuffled) = (baseline(5, false), baseline(5, true));
        let given = factors(&plain, 0, 0);
        let mut went = [[0; 3]; 3];
        for batch in 0..3000 {
            let found = factors(&shuffled, 0, 3 * batch);
            for (trial, value) in found.iter().enumerate() {
                went[given.iter().position(|other| other == value).unwrap()][trial] += 1;
            }
        }
        // Each of nine counts is binomial with mean 1000 and standard deviation 26.
        assert!(went.iter().flatten().all(|count| (900..1100).contains(count)), "{went:?}");
        // A network's permutations are its own: they depend on its index.
        assert_eq!(factors(&baseline(6, true), 0, 3), factors(&shuffled, 1, 3));
        assert!((0..9).any(|batch| factors(&shuffled, 1, batch) != factors(&shuffled, 0, batch)));
    }

    #[test]
    fn shuffled_advantages_are_those_of_other_episodes() {
        let episode = |n: usize| Trajectory { rewards: vec![1.0; n], terminated: true, ..Trajectory::default() };
        let episodes = [episode(3), episode(1), episode(5), episode(2)];
        let advantages = |shuffle: bool, before| {
            let config = RewardConfig { shuffle: Some(shuffle), normalise: Some(true), ..RewardConfig::default() };
            let baseline = RewardBaseline::with(&config, (1, 0), 1, 1);
            baseline.advantages(&EpisodeSettings::default(), 0, &episodes, before).steps
        };
        let given = advantages(false, 0);
        let sorted = |steps: &[Vec<f64>]| {
            let mut firsts: Vec<f64> = steps.iter().map(|steps| steps[0]).collect();
            firsts.sort_by(f64::total_cmp);
            firsts
        };
        let moved = (0..40).filter(|batch| {
            let found = advantages(true, 4 * batch);
            for (steps, episode) in found.iter().zip(&episodes) {
                assert_eq!(*steps, vec![steps[0]; episode.rewards.len()]);
            }
            assert!(sorted(&found).iter().zip(sorted(&given)).all(|(a, b)| (a - b).abs() < 1e-12));
            found != given
        });
        assert!(moved.count() > 30);
    }

    #[test]
    fn returns_are_compared_with_those_of_the_other_episodes_at_the_same_step() {
        let episode = |rewards: &[f64]| Trajectory { rewards: rewards.to_vec(), ..Trajectory::default() };
        let found = relative_returns(&[episode(&[1.0, 2.0, 4.0]), episode(&[3.0]), episode(&[0.0, 2.0])], 0.5);
        // From each step on: 3, 4, 4; 3; 1, 2. The means of the others: 2, 1, 0; 2; 3, 2.
        assert_eq!(found, [vec![1.0, 3.0, 4.0], vec![1.0], vec![-2.0, 0.0]]);
    }
}
