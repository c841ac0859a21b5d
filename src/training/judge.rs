//! Judges the trials of a batch: by the errors of their outputs or, in an environment, by the returns of their episodes.

use crate::engine::{DrawnTrial, Episode, TrialBatch};
use crate::error::Result;
use crate::tasks::{Problem, Trajectory};
use candle_core::DType;
use rayon::prelude::*;

/// The results of the B trials of one network.
pub(crate) struct Outcome {
    /// The error of each trial, `[B]`; that of an episode is minus its return.
    pub errors: Vec<f64>,
    /// The costs that learning uses, `[B]`: the errors, to which the update adds the energy cost of the outputs.
    pub costs: Vec<f64>,
    /// The trial types, `[B]`.
    pub types: Vec<usize>,
    /// Which trials count as correct, `[B]`.
    pub correct: Vec<bool>,
    /// The total number of steps of the environment in its episodes.
    pub world_steps: Option<u64>,
}

/// The results of each network's trials in `batch`, `[S]`.
pub(crate) fn judge(problem: &Problem, batch: &TrialBatch, episode: &Episode) -> Result<Vec<Outcome>> {
    let b = batch.trials_each;
    match problem {
        Problem::Trials(task) => {
            let (_, _, t, n_out) = episode.outputs.dims4()?;
            // Converting to double precision is exact: a run in single precision is judged on its own numbers.
            let outputs: Vec<f64> = episode.outputs.to_dtype(DType::F64)?.flatten_all()?.to_vec1()?;
            let error = |(drawn, outputs): (&DrawnTrial, &[f64])| task.error(&drawn.trial, outputs);
            let trials = batch.drawn.par_iter().zip(outputs.par_chunks_exact(t * n_out));
            let errors: Vec<f64> = trials.map(error).collect();
            let outcome = |(errors, types): (&[f64], &[usize])| Outcome {
                errors: errors.to_vec(),
                costs: errors.to_vec(),
                types: types.to_vec(),
                correct: errors.iter().map(|error| *error < task.correct_below()).collect(),
                world_steps: None,
            };
            Ok(errors.chunks(b).zip(batch.types().chunks(b)).map(outcome).collect())
        }
        Problem::Episodes(episodes) => {
            // Returns at the goal count.
            let goal = episodes.environment.solved() - 1e-9;
            let outcome = |trajectories: &[Trajectory]| {
                let errors: Vec<f64> = trajectories.iter().map(|trajectory| -trajectory.total_reward()).collect();
                Outcome {
                    costs: errors.clone(),
                    errors,
                    types: trajectories.iter().map(|trajectory| trajectory.condition).collect(),
                    correct: trajectories.iter().map(|t| t.correct.unwrap_or(t.total_reward() > goal)).collect(),
                    world_steps: Some(trajectories.iter().map(|trajectory| trajectory.rewards.len() as u64).sum()),
                }
            };
            Ok(episode.trajectories.iter().flat_map(|trajectories| trajectories.chunks(b)).map(outcome).collect())
        }
    }
}
