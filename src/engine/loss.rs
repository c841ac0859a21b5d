//! The loss of a trial, and its gradient with respect to the outputs.

use crate::config::Loss;
use crate::error::{Error, Result};
use crate::tasks::{mean_over_scored, ErrorMeasure, Problem, Trial};
use std::borrow::Cow;

/// The squared or absolute difference from the targets, averaged over scored steps and outputs, and its gradient with
/// respect to `outputs` `[T, n_out]`. The gradient of an absolute difference is 0 at 0. For a replayed episode, the loss is
/// minus the product of the outputs and the targets, which say how much more likely each should become.
pub(super) fn trial_loss(problem: &Problem, trial: &Trial, outputs: &[f64], loss: Loss) -> Result<(f64, Vec<f64>)> {
    let Problem::Trials(task) = problem else {
        let gradient: Vec<f64> = trial.targets.iter().map(|target| -f64::from(*target)).collect();
        return Ok((gradient.iter().zip(outputs).map(|(g, z)| g * z).sum(), gradient));
    };
    let measure = match loss {
        Loss::Squared => ErrorMeasure::Squared,
        Loss::Task => task.measure(),
    };
    let judged = task.judged(outputs);
    let scored = trial.scored.iter().filter(|scored| **scored).count() * task.n_out();
    let share = 1.0 / scored.max(1) as f64;
    let mut gradient = vec![0.0; outputs.len()];
    let loss = mean_over_scored(&**task, trial, &judged, |difference, k| {
        gradient[k] = measure.slope(difference) * share;
        measure.of(difference)
    });
    if matches!(judged, Cow::Owned(_)) {
        let of_outputs = task.judged_gradient(outputs, &gradient);
        let message = || format!("task `{}` gives no gradient of what it judges (Task::judged_gradient)", task.name());
        gradient = of_outputs.ok_or_else(|| Error::Usage(message()))?;
    }
    Ok((loss, gradient))
}
