//! Learning curves over networks: error and fraction of networks at criterion against trials, from a run's metrics.

use super::{Findings, Options, Picture, Subject, Table};
use crate::error::Result;
use crate::plot::{Colour, Mark, Panel, Panels, Shape};
use crate::quantile::{quantile, quantile_with_missing};
use crate::training::NetworkReport;
use std::collections::BTreeMap;

/// At most this many points of a network's line are drawn.
const POINTS: usize = 400;

pub(super) fn why_not(subject: &Subject) -> Option<String> {
    match subject.metrics {
        Some([_, ..]) => None,
        Some([]) => Some("metrics.csv has no rows: nothing was trained".into()),
        None => Some("it reads metrics.csv, which only a run's folder has".into()),
    }
}

/// What all networks together had come to after so many trials.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Moment {
    trials: u64,
    /// Lower quartile, median and upper quartile of the error.
    error: [f64; 3],
    /// Fraction of the networks that had reached the criterion.
    at_criterion: f64,
}

/// Row by row of the metrics; `networks` is S.
pub(super) fn moments(rows: &[NetworkReport], networks: usize) -> Vec<Moment> {
    let mut by_trials: BTreeMap<u64, Vec<&NetworkReport>> = BTreeMap::new();
    for row in rows {
        by_trials.entry(row.trials).or_default().push(row);
    }
    let moment = |(trials, rows): (u64, Vec<&NetworkReport>)| {
        let errors: Vec<f64> = rows.iter().map(|row| row.error).collect();
        let of = |q| quantile(&errors, q).unwrap_or(f64::NAN);
        let reached = rows.iter().filter(|row| row.criterion_trials.is_some()).count();
        Moment { trials, error: [of(0.25), of(0.5), of(0.75)], at_criterion: reached as f64 / networks as f64 }
    };
    by_trials.into_iter().map(moment).collect()
}

pub(super) fn run(subject: &Subject, _: &Options) -> Result<Findings> {
    let rows = subject.metrics.unwrap_or_default();
    let config = &subject.checkpoint.setup.config;
    let networks = config.train.networks;
    let moments = moments(rows, networks.count());
    let mut findings = Findings::default();

    let columns = ["trials", "error_lower_quartile", "error_median", "error_upper_quartile", "fraction_at_criterion"];
    let mut table = Table::new("learning", &columns);
    for Moment { trials, error: [lower, median, upper], at_criterion } in &moments {
        table.push(&[trials, lower, median, upper, at_criterion]);
    }
    findings.tables.push(table);
    let reached: Vec<Option<f64>> =
        subject.checkpoint.criterion.iter().map(|c| c.reached_at().map(|t| t as f64)).collect();
    let mut table = Table::new("learning_networks", &["network", "trials_to_criterion", "last_error"]);
    let mut last = Vec::new();
    for (network, reached) in networks.range().zip(&reached) {
        let error = rows.iter().rev().find(|row| row.network == network).map_or(f64::NAN, |row| row.error);
        last.push(error);
        table.push(&[&network, &reached.map_or(String::new(), |t| format!("{t}")), &error]);
    }
    findings.tables.push(table);

    findings.say("networks at criterion", format!("{} of {}", reached.iter().flatten().count(), reached.len()));
    let quartile = |q| quantile_with_missing(&reached, q).map_or("not reached".into(), |t| format!("{t:.0}"));
    findings.say(
        "trials to criterion",
        format!("median {}, quartiles {} and {}", quartile(0.5), quartile(0.25), quartile(0.75)),
    );
    let of = |q| quantile(&last, q).unwrap_or(f64::NAN);
    findings.say(
        "error in the last update",
        format!("median {:.3}, quartiles {:.3} and {:.3}", of(0.5), of(0.25), of(0.75)),
    );
    findings.pictures.push(picture(subject, rows, &moments));
    Ok(findings)
}

fn picture(subject: &Subject, rows: &[NetworkReport], moments: &[Moment]) -> Picture {
    let networks = subject.checkpoint.setup.config.train.networks;
    let every = moments.len().div_ceil(POINTS);
    let thinned: Vec<&Moment> = moments.iter().step_by(every.max(1)).collect();
    let mut marks = Vec::new();
    for network in networks.range() {
        let line = rows.iter().filter(|row| row.network == network).step_by(every.max(1));
        let line = line.map(|row| (row.trials as f64, row.error)).collect();
        marks.push(Mark::new(Shape::Line(line, 1.5), Colour::Faint).named("a network"));
    }
    let band = thinned.iter().map(|m| (m.trials as f64, m.error[0], m.error[2])).collect();
    marks.push(Mark::new(Shape::Band(band), Colour::Blue).named("middle half of the networks"));
    let median = thinned.iter().map(|m| (m.trials as f64, m.error[1])).collect();
    marks.push(Mark::new(Shape::Line(median, 4.0), Colour::Blue).named("median"));
    let largest = marks.iter().flat_map(|mark| match &mark.shape {
        Shape::Line(points, _) => points.iter().map(|p| p.1).collect(),
        _ => vec![],
    });
    let top = largest.filter(|v| v.is_finite()).fold(0.0, f64::max);
    let error = Panel {
        title: "error".into(),
        x_label: "trials per network".into(),
        y_label: subject.task().measure().label().into(),
        x: Some((0.0, moments.last().map_or(1.0, |m| m.trials as f64))),
        y: Some((0.0, if top > 0.0 { 1.05 * top } else { 1.0 })),
        marks,
        ..Panel::default()
    };
    let mut steps = vec![(0.0, 0.0)];
    for moment in moments {
        let before = steps[steps.len() - 1].1;
        if moment.at_criterion != before {
            steps.push((moment.trials as f64, before));
            steps.push((moment.trials as f64, moment.at_criterion));
        }
    }
    let (end, last) = moments.last().map_or((1.0, 0.0), |m| (m.trials as f64, m.at_criterion));
    steps.push((end, last));
    let criterion = Panel {
        title: "criterion".into(),
        x_label: "trials per network".into(),
        y_label: "fraction at criterion".into(),
        x: Some((0.0, end)),
        y: Some((0.0, 1.02)),
        marks: vec![Mark::new(Shape::Line(steps, 4.0), Colour::Orange)],
        ..Panel::default()
    };
    let rule = subject.checkpoint.setup.config.rule.name.as_str();
    Picture {
        name: "learning".into(),
        caption: "Error while training against trials (thin lines: networks; band: their middle half; strong line: median), and the fraction of networks that had reached the criterion.".into(),
        panels: Panels {
            title: format!("{}, {rule}: {} networks", subject.task().name(), networks.count()),
            rows: vec![vec![error, criterion]],
        },
    }
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
            frozen: None,
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
