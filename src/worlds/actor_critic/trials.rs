//! Trials reconstructed from their rows of metrics: curves and results.

use super::ActorCritic;
use crate::worlds::{mean, Curve, LifeRow, Verdict};

/// A trial, from the rows of its blocks.
struct Trial {
    number: f64,
    seconds: f64,
    reached: f64,
    /// Mean of the values in each part, or the return.
    values: Vec<f64>,
}

fn trials(rows: &[LifeRow]) -> Vec<Trial> {
    let mut trials = Vec::new();
    let mut values: Vec<Vec<f64>> = Vec::new();
    for row in rows {
        let [number, seconds, reached, _, _, _, parts @ ..] = &row.figures[..] else { continue };
        values.resize(parts.len(), Vec::new());
        values.iter_mut().zip(parts).for_each(|(all, v)| all.extend(v.is_finite().then_some(*v)));
        if seconds.is_finite() {
            let values = values.iter_mut().map(|all| mean(std::mem::take(all).into_iter())).collect();
            trials.push(Trial { number: *number, seconds: *seconds, reached: *reached, values });
        }
    }
    trials
}

/// Durations, successes and, if `returns` are reported, these by trial; where values are reported, these as fractions of the `right` ones.
pub(super) fn curves(rows: &[LifeRow], right: &[f64], returns: bool) -> Vec<Curve> {
    let trials = trials(rows);
    let few = trials.len().div_ceil(40).max(1);
    let by_trial = |panel, name, value: &dyn Fn(&Trial) -> f64| {
        let points = trials.chunks(few).filter(|some| some.len() == few).map(|some| {
            let last = some.last().map_or(0.0, |trial| trial.number);
            (last, mean(some.iter().map(value)))
        });
        Curve::new(panel, "trial", name, points.collect())
    };
    // Where values are reported, nothing else changes.
    let mut curves = match right.is_empty() {
        true => vec![
            by_trial("duration of a trial (s)", "duration", &|trial| trial.seconds),
            by_trial("fraction of trials with success", "success", &|trial| trial.reached),
        ],
        false => Vec::new(),
    };
    if returns {
        curves.push(by_trial("return of a trial", "return", &|trial| trial.values[0]));
    }
    let names = ["first quarter", "second", "third", "last"];
    for (k, expected) in right.iter().enumerate() {
        curves.push(by_trial("value by quarter, relative to the correct value", names[k], &|trial| {
            trial.values[k] / expected
        }));
    }
    curves
}

/// Whether enough of the last trials reached the goal or, where values are reported, whether these are close to
/// `right`.
pub(super) fn verdict(own: &ActorCritic, rows: &[LifeRow], right: &[f64], returns: bool) -> Verdict {
    let trials = trials(rows);
    let last = &trials[trials.len().saturating_sub(own.judged)..];
    let reached = last.iter().map(|trial| trial.reached).sum::<f64>();
    let done = trials.len() as u64 >= own.trials.min(own.judged as u64);
    let seconds = |some: &[Trial]| mean(some.iter().map(|trial| trial.seconds));
    let mut figures = vec![
        ("trials", trials.len() as f64),
        ("successes", trials.iter().map(|trial| trial.reached).sum()),
        ("last_successes", reached),
        ("last_s", seconds(last)),
        ("trials_16_to_20_s", trials.get(15..20).map_or(f64::NAN, seconds)),
    ];
    if returns {
        figures.push(("last_return", mean(last.iter().map(|trial| trial.values[0]))));
    }
    let mut learnt = reached >= own.required as f64;
    if !right.is_empty() {
        let ratio = |k: usize| mean(last.iter().map(|trial| trial.values[k])) / right[k];
        let ratios: Vec<f64> = (0..right.len()).map(ratio).collect();
        learnt = ratios.iter().all(|ratio| (0.75..=1.25).contains(ratio));
        figures.extend(["value_1", "value_2", "value_3", "value_4"].into_iter().zip(ratios));
    }
    Verdict::new(done.then_some(learnt), figures)
}
