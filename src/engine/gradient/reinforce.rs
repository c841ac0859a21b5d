//! REINFORCE (Williams 1992): episodes run without a graph; then what was seen is shown again, and the gradient of
//! −Σ_t worth_t log π(action_t) is backpropagated. With respect to the outputs it is −worth_t s_t, with the score s, so a
//! trial whose targets are worth_t s_t tells all of it.

use crate::engine::worth::worth;
use crate::engine::{DrawnTrial, Ensemble, Lived, TrialBatch};
use crate::tasks::{Episodes, Trial, TrialShape};

/// The episodes of a batch as trials that can be differentiated, and their shape; all are as long as the longest, and only
/// those steps count in which an episode lived.
pub(super) fn replayed(
    ensemble: &Ensemble,
    episodes: &Episodes,
    batch: &TrialBatch,
    lived: &[Lived],
) -> (TrialBatch, TrialShape) {
    let (b, k) = (batch.trials_each, episodes.settings.network_steps);
    let longest = lived.iter().map(|lived| lived.rewards.len()).max().unwrap_or(0);
    let shape = TrialShape { steps: longest * k, ..ensemble.shape };
    let sizes = episodes.sizes();
    let worth: Vec<Vec<f64>> =
        lived.chunks(b).enumerate().flat_map(|(s, lived)| worth(ensemble, s, lived).steps).collect();
    let trial = |lived: &Lived, worth: &[f64]| {
        let mut trial = Trial {
            trial_type: lived.condition,
            inputs: vec![0.0; shape.steps * shape.n_in],
            targets: vec![0.0; shape.steps * shape.n_out],
            scored: vec![false; shape.steps],
            ..Trial::default()
        };
        let seen = lived.seen_and_done.chunks_exact(sizes.len() + episodes.dimensions());
        let scores = lived.scores.chunks_exact(shape.n_out);
        for (step, ((seen, score), worth)) in seen.zip(scores).zip(worth).enumerate() {
            for inputs in trial.inputs[step * k * shape.n_in..(step + 1) * k * shape.n_in].chunks_exact_mut(shape.n_in)
            {
                inputs.iter_mut().zip(seen).zip(&sizes).for_each(|((u, seen), size)| *u = (seen / size) as f32);
            }
            let last = step * k + k - 1;
            trial.scored[last] = true;
            let targets = &mut trial.targets[last * shape.n_out..(last + 1) * shape.n_out];
            targets.iter_mut().zip(score).for_each(|(target, score)| *target = (worth * score) as f32);
        }
        trial
    };
    let again = |((drawn, lived), worth): ((&DrawnTrial, &Lived), &Vec<f64>)| DrawnTrial {
        trial: trial(lived, worth),
        episode: None,
        ..drawn.clone()
    };
    let drawn = batch.drawn.iter().zip(lived).zip(&worth).map(again).collect();
    (TrialBatch { networks: batch.networks, trials_each: b, drawn, exact: None }, shape)
}
