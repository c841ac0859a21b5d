//! REINFORCE (Williams 1992): episodes run without a graph; then what was seen is shown again, and the gradient of
//! −Σ_t A_t log π(action_t), with the advantages A, is backpropagated. With respect to the outputs it is −A_t s_t, with the
//! score s, so a trial whose targets are A_t s_t tells all of it.

use crate::engine::{self, Ensemble, TrialBatch};
use crate::tasks::{Episodes, Trajectory, TrialShape};

/// The episodes of a batch as trials that can be differentiated, and their shape; only those steps count which an episode had.
pub(super) fn replayed(
    ensemble: &Ensemble,
    episodes: &Episodes,
    batch: &TrialBatch,
    trajectories: &[Trajectory],
) -> (TrialBatch, TrialShape) {
    let (mut replayed, shape) = engine::replayed(ensemble.shape, episodes, batch, trajectories);
    let (k, n_out) = (episodes.settings.network_steps, shape.n_out);
    let networks = trajectories.chunks(batch.trials_each).enumerate();
    let advantages = networks.flat_map(|(s, of)| ensemble.advantages(&episodes.settings, s, of).steps);
    for ((drawn, trajectory), advantages) in replayed.drawn.iter_mut().zip(trajectories).zip(advantages) {
        for (step, (score, advantage)) in trajectory.scores.chunks_exact(n_out).zip(advantages).enumerate() {
            let last = step * k + k - 1;
            drawn.trial.scored[last] = true;
            let targets = &mut drawn.trial.targets[last * n_out..(last + 1) * n_out];
            targets.iter_mut().zip(score).for_each(|(target, score)| *target = (advantage * score) as f32);
        }
    }
    (replayed, shape)
}
