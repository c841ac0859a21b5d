//! The worth of the steps of episodes: reward minus expected reward.

use super::{Ensemble, Lived};

/// The worth of the steps of a network's episodes.
pub(super) struct Worth {
    /// For each episode, that of each step of the world.
    pub steps: Vec<Vec<f64>>,
    /// The divisor that brought it to a size of 1.
    pub size: f64,
}

/// The worth of each step of the world in each episode of network number `network`.
///
/// With `task.discount` 1, all steps of an episode are worth its return minus what the reward baseline expects. Otherwise
/// each is worth the discounted reward from then on, minus its mean in the other episodes at the same step; those that have
/// ended have none. With a critic, it is worth the critic's errors from then on. With `modulator.normalise`, all is divided by
/// its root mean square.
pub(super) fn worth(ensemble: &Ensemble, network: usize, lived: &[Lived]) -> Worth {
    let setup = ensemble.setup;
    let settings = setup.task.episodes().map(|episodes| episodes.settings.clone()).unwrap_or_default();
    let mut steps = if settings.critic() {
        lived.iter().map(|lived| errors_to_come(lived, settings.discount, settings.critic_lambda)).collect()
    } else if settings.discount < 1.0 {
        advantages(lived, settings.discount)
    } else {
        let costs: Vec<f64> = lived.iter().map(|lived| -lived.total()).collect();
        let conditions: Vec<usize> = lived.iter().map(|lived| lived.condition).collect();
        let m = ensemble.baseline.weights(network, &costs, &conditions, ensemble.trials);
        m.into_iter().zip(lived).map(|(m, lived)| vec![m; lived.rewards.len()]).collect()
    };
    let mut size = 1.0;
    if setup.config.modulator.normalise == Some(true) {
        // Of whole episodes, each counts once; of single steps, each of them.
        let counted = if settings.by_step() { usize::MAX } else { 1 };
        let each = || steps.iter().flat_map(|of: &Vec<f64>| &of[..of.len().min(counted)]);
        let rms = (each().map(|m| m * m).sum::<f64>() / each().count().max(1) as f64).sqrt();
        if rms > 0.0 {
            steps.iter_mut().flatten().for_each(|m| *m /= rms);
            size = rms;
        }
    }
    Worth { steps, size }
}

impl Worth {
    /// The factor that turns the critic's summed eligibility into the mean over steps that its learning rate
    /// multiplies.
    pub fn critic_scale(&self) -> f64 {
        self.size / self.steps.iter().map(Vec::len).sum::<usize>().max(1) as f64
    }
}

/// Σ_k (γλ)^k δ_(t+k), with the critic's errors δ_t = reward_t + γ V_(t+1) − V_t. This is what a step is credited with by errors
/// that meet an eligibility which decays by γλ a step (Sutton & Barto 2018, section 12.2). After an end that the world did
/// not make, V stays as it was.
fn errors_to_come(lived: &Lived, discount: f64, lambda: f64) -> Vec<f64> {
    let last = lived.values.last().copied().unwrap_or(0.0);
    let (mut next, mut to_come) = (if lived.terminated { 0.0 } else { last }, 0.0);
    let mut all: Vec<f64> = Vec::with_capacity(lived.rewards.len());
    for (reward, value) in lived.rewards.iter().zip(&lived.values).rev() {
        to_come = reward + discount * next - value + discount * lambda * to_come;
        next = *value;
        all.push(to_come);
    }
    all.reverse();
    all
}

/// The discounted reward from each step on, minus its mean in the other episodes.
fn advantages(lived: &[Lived], discount: f64) -> Vec<Vec<f64>> {
    let to_come = |lived: &Lived| {
        let mut from = lived.rewards.clone();
        for step in (1..from.len()).rev() {
            from[step - 1] += discount * from[step];
        }
        from
    };
    let all: Vec<Vec<f64>> = lived.iter().map(to_come).collect();
    let steps = all.iter().map(Vec::len).max().unwrap_or(0);
    let sums: Vec<f64> = (0..steps).map(|step| all.iter().filter_map(|of| of.get(step)).sum()).collect();
    let others = (all.len() - 1).max(1) as f64;
    all.iter().map(|of| of.iter().zip(&sums).map(|(g, sum)| g - (sum - g) / others).collect()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_is_worth_the_discounted_rewards_from_then_on_compared_with_the_others() {
        let lived = |rewards: &[f64]| Lived { rewards: rewards.to_vec(), ..Lived::default() };
        let found = advantages(&[lived(&[1.0, 2.0, 4.0]), lived(&[3.0]), lived(&[0.0, 2.0])], 0.5);
        // To come: 3, 4, 4; 3; 1, 2. The means of the others: 2, 1, 0; 2; 3, 2.
        assert_eq!(found, [vec![1.0, 3.0, 4.0], vec![1.0], vec![-2.0, 0.0]]);
    }
}
