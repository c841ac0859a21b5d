//! The loss of a trial, and its gradient with respect to the outputs.

use crate::config::Loss;
use crate::task::{ErrorMeasure, Task, Trial};
use anyhow::{Context, Result};
use std::borrow::Cow;

/// Whether a task judges what comes of the outputs without saying how that depends on them.
pub(crate) fn refuses(task: &dyn Task) -> bool {
    let outputs = vec![0.0; task.steps() * task.n_out()];
    let owned = matches!(task.judged(&outputs), Cow::Owned(_));
    owned && task.judged_gradient(&outputs, &vec![0.0; outputs.len()]).is_none()
}

/// The mean over scored steps and outputs of the squared or absolute difference from the targets, and its gradient with
/// respect to `outputs` `[T, n_out]`. An absolute difference of 0 has gradient 0.
pub(super) fn of_trial(task: &dyn Task, trial: &Trial, outputs: &[f64], loss: Loss) -> Result<(f64, Vec<f64>)> {
    let (n_out, measure) = (task.n_out(), loss.measure(task.measure()));
    let single: Vec<f32> = outputs.iter().map(|z| *z as f32).collect();
    let judged = task.judged(&single);
    let as_they_are = matches!(judged, Cow::Borrowed(_));
    let scored: Vec<usize> =
        (0..trial.scored.len()).filter(|t| trial.scored[*t]).flat_map(|t| t * n_out..(t + 1) * n_out).collect();
    let share = 1.0 / scored.len().max(1) as f64;
    let (mut sum, mut gradient) = (0.0, vec![0.0; outputs.len()]);
    for k in scored {
        let found = if as_they_are { outputs[k] } else { f64::from(judged[k]) };
        let difference = found - f64::from(trial.targets[k]);
        (sum, gradient[k]) = match measure {
            ErrorMeasure::Squared => (sum + difference * difference, 2.0 * difference * share),
            ErrorMeasure::Absolute if difference == 0.0 => (sum, 0.0),
            // Not a number stays none.
            ErrorMeasure::Absolute => (sum + difference.abs(), difference.signum() * share),
        };
    }
    if !as_they_are {
        gradient = task.judged_gradient(&single, &gradient).with_context(|| {
            format!("task `{}` gives no gradient of what it judges (Task::judged_gradient)", task.name())
        })?;
    }
    Ok((sum * share, gradient))
}
