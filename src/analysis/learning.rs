//! Learning curves from a run's metrics: the error, and the fraction of networks at criterion, against trials.

use super::*;
use crate::quantile::{quantile, quantile_with_missing};
use crate::training::NetworkReport;
use std::collections::BTreeMap;

/// At most this many points of a network's line are drawn.
const POINTS: usize = 400;
/// The label of the horizontal axis.
const TRIALS: &str = "trials per network";

pub(super) fn why_not(subject: &Subject) -> Option<String> {
    match subject.metrics {
        Some([_, ..]) => None,
        Some([]) => Some("metrics.csv has no rows: nothing was trained".into()),
        None => Some("it reads metrics.csv, which only a run's folder has".into()),
    }
}

/// All networks together, after a given number of trials of each.
#[derive(Clone, Debug, PartialEq)]
struct Moment {
    trials: u64,
    /// Lower quartile, median and upper quartile of the error.
    error: [f64; 3],
    /// Fraction of the networks that had reached the criterion.
    at_criterion: f64,
}

/// One moment for each number of trials in the metrics; `networks` is S.
fn moments(rows: &[NetworkReport], networks: usize) -> Vec<Moment> {
    let mut by_trials: BTreeMap<u64, Vec<&NetworkReport>> = BTreeMap::new();
    for row in rows {
        by_trials.entry(row.trials).or_default().push(row);
    }
    let moment = |(trials, rows): (u64, Vec<&NetworkReport>)| {
        let reached = rows.iter().filter(|row| row.criterion_trials.is_some()).count();
        let error = quartiles(&rows.iter().map(|row| row.measured()).collect::<Vec<_>>());
        Moment { trials, error, at_criterion: reached as f64 / networks as f64 }
    };
    by_trials.into_iter().map(moment).collect()
}

/// Lower quartile, median and upper quartile of the finite values.
fn quartiles(values: &[f64]) -> [f64; 3] {
    [0.25, 0.5, 0.75].map(|q| quantile(values, q).unwrap_or(f64::NAN))
}

fn named_quartiles([lower, median, upper]: [f64; 3]) -> [(&'static str, f64); 3] {
    [("median", median), ("lower quartile", lower), ("upper quartile", upper)]
}

fn quartiles_in_words([lower, median, upper]: [String; 3]) -> String {
    match lower == upper && lower == median {
        true => median,
        false => format!("median {median}, quartiles {lower} and {upper}"),
    }
}

pub(super) fn run(subject: &Subject, _: &Options) -> Result<Findings> {
    let rows = subject.metrics.unwrap_or_default();
    let config = &subject.checkpoint.setup.config;
    let networks = config.train.networks;
    let moments = moments(rows, networks.count());

    let columns = "trials error_lower_quartile error_median error_upper_quartile fraction_at_criterion";
    let mut curve = Table::new("learning", columns);
    for Moment { trials, error: [lower, median, upper], at_criterion } in &moments {
        curve.push(&[trials, lower, median, upper, at_criterion]);
    }
    let reached: Vec<Option<f64>> =
        subject.checkpoint.criterion.iter().map(|c| c.reached_at().map(|t| t as f64)).collect();
    let mut table = Table::new("learning_networks", "network trials_to_criterion last_error");
    let mut last = Vec::new();
    for (network, reached) in networks.range().zip(&reached) {
        let error = rows.iter().rfind(|row| row.network == network).map_or(f64::NAN, |row| row.measured());
        last.push(error);
        table.push(&[&network, &reached.map_or(String::new(), |t| t.to_string()), &error]);
    }
    let mut findings = Findings { tables: vec![curve, table], ..Findings::default() };

    let (there, all) = (reached.iter().flatten().count(), reached.len());
    let numbers = [("reached", there as f64), ("networks", all as f64)];
    findings.say("networks at criterion", &numbers, "networks", format!("{there} of {all}"));
    let of_reached = [0.25, 0.5, 0.75].map(|q| quantile_with_missing(&reached, q).unwrap_or(f64::NAN));
    let trials = |trials: f64| if trials.is_nan() { "not reached".to_string() } else { format!("{trials:.0}") };
    findings.say(
        "trials to criterion",
        &named_quartiles(of_reached),
        "trials",
        quartiles_in_words(of_reached.map(trials)),
    );
    let of_errors = quartiles(&last);
    let text = quartiles_in_words(of_errors.map(|error| format!("{error:.3}")));
    findings.say("error in the last update", &named_quartiles(of_errors), "", text);
    let axis = (0.0, moments.last().map_or(1.0, |moment| moment.trials as f64));
    findings.draw(
        "learning",
        format!("{}, {}: {} networks", subject.task().name(), config.rule.name, networks.count()),
        "Error while training against trials (thin lines: networks; band: their middle half; strong line: median), and the fraction of networks that had reached the criterion.",
        vec![vec![error_panel(subject, rows, &moments, axis), criterion_panel(&moments, axis)]],
    );
    Ok(findings)
}

/// The error of single networks and its quartiles; `axis` is the range of trials.
fn error_panel(subject: &Subject, rows: &[NetworkReport], moments: &[Moment], axis: (f64, f64)) -> Panel {
    let every = moments.len().div_ceil(POINTS).max(1);
    let mut marks = Vec::new();
    let mut top = 0.0;
    let mut line = |points: Vec<(f64, f64)>, width: f64, colour: Colour, name: &str| {
        top = points.iter().map(|p| p.1).filter(|error| error.is_finite()).fold(top, f64::max);
        Mark::new(Shape::Line(points, width), colour).named(name)
    };
    for network in subject.checkpoint.setup.config.train.networks.range() {
        let points = rows.iter().filter(|row| row.network == network).step_by(every);
        let points = points.map(|row| (row.trials as f64, row.measured())).collect();
        marks.push(line(points, 1.5, Colour::Faint, "a network"));
    }
    let drawn = || moments.iter().step_by(every);
    let band = drawn().map(|m| (m.trials as f64, m.error[0], m.error[2])).collect();
    marks.push(Mark::new(Shape::Band(band), Colour::Blue).named("middle half of the networks"));
    let median = drawn().map(|m| (m.trials as f64, m.error[1])).collect();
    marks.push(line(median, 4.0, Colour::Blue, "median"));
    let y = Some((0.0, if top > 0.0 { 1.05 * top } else { 1.0 }));
    Panel { x: Some(axis), y, ..panel("error", [TRIALS, subject.task().measure().label()], marks) }
}

/// The fraction of networks at criterion, as a step function.
fn criterion_panel(moments: &[Moment], axis: (f64, f64)) -> Panel {
    let mut steps = vec![(0.0, 0.0)];
    let mut reached = 0.0;
    for moment in moments {
        if moment.at_criterion != reached {
            steps.push((moment.trials as f64, reached));
            reached = moment.at_criterion;
            steps.push((moment.trials as f64, reached));
        }
    }
    steps.push((axis.1, reached));
    let marks = vec![Mark::new(Shape::Line(steps, 4.0), Colour::Orange)];
    Panel { x: Some(axis), y: Some((0.0, 1.02)), ..panel("criterion", [TRIALS, "fraction at criterion"], marks) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quartiles_and_criterion_by_hand() {
        let row = |network, trials, error, criterion_trials| NetworkReport {
            update: trials / 10,
            trials,
            network,
            error,
            fraction_correct: 0.0,
            recent_correct: 0.0,
            mean_abs_dw: 0.0,
            fraction_clipped: 0.0,
            criterion_trials,
            saturated: None,
            dead: None,
            diverged_at: None,
            stage: None,
            mean_return: None,
            world_steps: None,
        };
        let rows = [
            row(0, 10, 1.0, None),
            row(1, 10, 2.0, None),
            row(2, 10, 4.0, None),
            row(0, 20, 0.5, Some(20)),
            row(1, 20, 1.5, None),
            row(2, 20, 2.5, None),
        ];
        let expected = [
            Moment { trials: 10, error: [1.5, 2.0, 3.0], at_criterion: 0.0 },
            Moment { trials: 20, error: [1.0, 1.5, 2.0], at_criterion: 1.0 / 3.0 },
        ];
        assert_eq!(moments(&rows, 3), expected);
    }
}
