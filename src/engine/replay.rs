//! Episodes shown again as trials: what the networks saw becomes the inputs, so that everything that runs trials can run episodes
//! that are over.

use super::{DrawnTrial, TrialBatch};
use crate::tasks::{Episodes, Trajectory, Trial, TrialShape};

/// The episodes of a batch, whose observations were recorded, as trials as long as the longest of them, and their shape, which has
/// the `measure` of `shape`. Nothing is scored.
pub(crate) fn replayed(
    shape: TrialShape,
    episodes: &Episodes,
    batch: &TrialBatch,
    trajectories: &[Trajectory],
) -> (TrialBatch, TrialShape) {
    let longest = trajectories.iter().map(|trajectory| trajectory.rewards.len()).max().unwrap_or(0);
    let shape = TrialShape { steps: longest * episodes.settings.network_steps, ..shape };
    let drawn = batch.drawn.iter().zip(trajectories);
    let drawn = drawn.map(|(drawn, trajectory)| DrawnTrial {
        trial: trial(episodes, shape, trajectory),
        episode: None,
        ..drawn.clone()
    });
    let drawn = drawn.collect();
    (TrialBatch { networks: batch.networks, trials_each: batch.trials_each, drawn, exact: None }, shape)
}

/// An episode as a trial: each observation is shown for all network steps of its step.
fn trial(episodes: &Episodes, shape: TrialShape, trajectory: &Trajectory) -> Trial {
    let TrialShape { steps, n_in, n_out, .. } = shape;
    let sizes = episodes.sizes();
    let mut inputs = Vec::with_capacity(steps * n_in);
    for recorded in trajectory.observations_and_actions.chunks_exact(n_in + episodes.dimensions()) {
        let observed: Vec<f32> = recorded.iter().zip(&sizes).map(|(seen, size)| (seen / size) as f32).collect();
        inputs.extend(observed.repeat(episodes.settings.network_steps));
    }
    inputs.resize(steps * n_in, 0.0);
    Trial {
        trial_type: trajectory.condition,
        inputs,
        targets: vec![0.0; steps * n_out],
        scored: vec![false; steps],
        ..Trial::default()
    }
}
