//! What the steps of episodes were worth: reward minus what was expected.

use super::{Ensemble, Lived};

/// What each step of the world was worth in each episode of network number `network`.
///
/// With `task.discount` 1, all steps of an episode are worth its return minus what the reward baseline expects. Otherwise
/// each is worth the discounted reward from then on, minus its mean in the other episodes at the same step; those that have
/// ended have none. With `modulator.normalise`, all is divided by its root mean square.
pub(super) fn worth(ensemble: &Ensemble, network: usize, lived: &[Lived]) -> Vec<Vec<f64>> {
    let setup = ensemble.setup;
    let discount = setup.task.episodes().map_or(1.0, |episodes| episodes.settings.discount);
    let mut worth = match discount < 1.0 {
        true => advantages(lived, discount),
        false => {
            let costs: Vec<f64> = lived.iter().map(|lived| -lived.total()).collect();
            let conditions: Vec<usize> = lived.iter().map(|lived| lived.condition).collect();
            let m = ensemble.baseline.weights(network, &costs, &conditions, ensemble.trials);
            m.into_iter().zip(lived).map(|(m, lived)| vec![m; lived.rewards.len()]).collect()
        }
    };
    if setup.config.modulator.normalise == Some(true) {
        // Of whole episodes, each counts once; of single steps, each of them.
        let counted = if discount < 1.0 { usize::MAX } else { 1 };
        let each = || worth.iter().flat_map(|of| &of[..of.len().min(counted)]);
        let rms = (each().map(|m| m * m).sum::<f64>() / each().count().max(1) as f64).sqrt();
        if rms > 0.0 {
            worth.iter_mut().flatten().for_each(|m| *m /= rms);
        }
    }
    worth
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
