//! Judges the trials of a batch: by the errors of their outputs or, in an environment, by the returns of their episodes.

use crate::engine::{DrawnTrial, Episode, TrialBatch};
use crate::error::Result;
use crate::tasks::{Problem, Task};
use candle_core::DType;
use rayon::prelude::*;

/// The results of a batch of trials, each `[S, B]`.
pub(crate) struct Judged {
    /// The error of each trial; that of an episode is minus its return.
    pub errors: Vec<f64>,
    /// The trial types.
    pub types: Vec<usize>,
    /// Which trials count as correct.
    pub correct: Vec<bool>,
}

/// Judges the trials of `batch` by what came of them.
pub(crate) fn judge(problem: &Problem, batch: &TrialBatch, episode: &Episode) -> Result<Judged> {
    match problem {
        Problem::Trials(task) => {
            let errors = errors(&**task, batch, episode)?;
            let correct = errors.iter().map(|error| *error < task.correct_below()).collect();
            Ok(Judged { errors, types: batch.types(), correct })
        }
        Problem::Episodes(episodes) => {
            let trajectories = || episode.trajectories.iter().flatten();
            // Returns at the goal count.
            let goal = episodes.environment.solved() - 1e-9;
            Ok(Judged {
                errors: trajectories().map(|trajectory| -trajectory.total_reward()).collect(),
                types: trajectories().map(|trajectory| trajectory.condition).collect(),
                correct: trajectories()
                    .map(|trajectory| trajectory.correct.unwrap_or(trajectory.total_reward() > goal))
                    .collect(),
            })
        }
    }
}

/// The error of each trial.
fn errors(task: &dyn Task, batch: &TrialBatch, episode: &Episode) -> Result<Vec<f64>> {
    let (_, _, t, n_out) = episode.outputs.dims4()?;
    // Converting to double precision is exact: a run in single precision is judged on its own numbers.
    let outputs: Vec<f64> = episode.outputs.to_dtype(DType::F64)?.flatten_all()?.to_vec1()?;
    let error = |(drawn, outputs): (&DrawnTrial, &[f64])| task.error(&drawn.trial, outputs);
    Ok(batch.drawn.par_iter().zip(outputs.par_chunks_exact(t * n_out)).map(error).collect())
}
