//! REINFORCE (Williams 1992): episodes run without a graph; then what was seen is shown again, and the gradient of
//! −Σ_t A_t log π(action_t), with the advantages A, is backpropagated. With respect to the outputs it is −A_t s_t, with the
//! score s, so a trial whose targets are A_t s_t tells all of it.

use crate::engine::{DrawnTrial, Ensemble, TrialBatch};
use crate::tasks::{Episodes, Trajectory, Trial, TrialShape};

/// The episodes of a batch as trials that can be differentiated, and their shape; all are as long as the longest, and only
/// those steps count which an episode had.
pub(super) fn replayed(
    ensemble: &Ensemble,
    episodes: &Episodes,
    batch: &TrialBatch,
    trajectories: &[Trajectory],
) -> (TrialBatch, TrialShape) {
    let longest = trajectories.iter().map(|trajectory| trajectory.rewards.len()).max().unwrap_or(0);
    let shape = TrialShape { steps: longest * episodes.settings.network_steps, ..ensemble.shape };
    let mut drawn = Vec::with_capacity(batch.drawn.len());
    for (s, trajectories) in trajectories.chunks(batch.trials_each).enumerate() {
        let advantages = ensemble.advantages(&episodes.settings, s, trajectories).steps;
        for (trajectory, advantages) in trajectories.iter().zip(&advantages) {
            let trial = replay(episodes, shape, trajectory, advantages);
            drawn.push(DrawnTrial { trial, episode: None, ..batch.drawn[drawn.len()].clone() });
        }
    }
    (TrialBatch { networks: batch.networks, trials_each: batch.trials_each, drawn, exact: None }, shape)
}

/// An episode as a trial.
fn replay(episodes: &Episodes, shape: TrialShape, trajectory: &Trajectory, advantages: &[f64]) -> Trial {
    let TrialShape { steps, n_in, n_out, .. } = shape;
    let (k, sizes) = (episodes.settings.network_steps, episodes.sizes());
    let mut trial = Trial {
        trial_type: trajectory.condition,
        inputs: vec![0.0; steps * n_in],
        targets: vec![0.0; steps * n_out],
        scored: vec![false; steps],
        ..Trial::default()
    };
    let seen = trajectory.observations_and_actions.chunks_exact(n_in + episodes.dimensions());
    let scores = trajectory.scores.chunks_exact(n_out);
    for (step, ((seen, score), advantage)) in seen.zip(scores).zip(advantages).enumerate() {
        for inputs in trial.inputs[step * k * n_in..(step + 1) * k * n_in].chunks_exact_mut(n_in) {
            inputs.iter_mut().zip(seen).zip(&sizes).for_each(|((u, seen), size)| *u = (seen / size) as f32);
        }
        let last = step * k + k - 1;
        trial.scored[last] = true;
        let targets = &mut trial.targets[last * n_out..(last + 1) * n_out];
        targets.iter_mut().zip(score).for_each(|(target, score)| *target = (advantage * score) as f32);
    }
    trial
}
