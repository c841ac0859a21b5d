//! Cross-temporal decoding: what the rates at one time tell by the code of another (Meyers et al. 2008,
//! doi 10.1152/jn.90248.2008; Stokes et al. 2013, doi 10.1016/j.neuron.2013.01.039; Miconi 2017).
//!
//! Maximal-correlation classifier: trained on the rates at one time, it gives the rates of a new trial at another time to the
//! class whose mean correlates best with them. The mean of the training trials at each time is taken off first, so only
//! what differs between classes counts. Cross-validated: no trial is decoded by a classifier that has seen it.

use super::linear::mean_and_error;
use super::population::{Kept, Population};
use super::{Findings, Options, Picture, Subject, Table};
use crate::error::{ensure, Result};
use crate::plot::{Colour, HeatMap, Mark, Panel, Panels, Shape};
use rayon::prelude::*;

/// Trials of each network, where none are asked for.
const TRIALS: u64 = 80;
/// Parts for cross-validation.
const FOLDS: usize = 5;
/// Times at which rates are kept.
const TIMES: usize = 50;

/// A name, and the class of a trial.
type Variable = (&'static str, fn(&Kept) -> usize);

/// What is decoded in delayed non-match to sample.
const VARIABLES: [Variable; 3] = [
    ("stimulus 1", |trial| trial.trial_type / 2),
    ("stimulus 2", |trial| trial.trial_type % 2),
    ("response", |trial| usize::from(trial.trial_type == 1 || trial.trial_type == 2)),
];

pub(super) fn why_not(subject: &Subject) -> Option<String> {
    let dnms = subject.task().name().starts_with("dnms");
    (!dnms).then(|| format!("task `{}` is not one of delayed non-match to sample", subject.task().name()))
}

/// The fraction of trials decoded rightly, `[train time][test time]`; `classes` gives the class of each trial, from 0.
///
/// # Errors
/// Where a class has fewer trials than there are folds.
pub(super) fn cross_temporal(population: &Population, classes: &[usize], folds: usize) -> Result<Vec<Vec<f64>>> {
    let count = classes.iter().max().map_or(0, |largest| largest + 1);
    let mut seen = vec![0; count];
    // The trials of each class are dealt out to the folds in turn.
    let fold_of = classes.iter().map(|&class| {
        seen[class] += 1;
        (seen[class] - 1) % folds
    });
    let fold_of: Vec<usize> = fold_of.collect();
    ensure!(
        count > 0 && seen.iter().all(|seen| *seen >= folds),
        Usage,
        "decoding needs at least {folds} trials of each class; found {seen:?}"
    );
    let times = population.steps.len();
    let mut right = vec![vec![0usize; times]; times];
    for fold in 0..folds {
        let of = |class: usize| (0..classes.len()).filter(|&k| fold_of[k] != fold && classes[k] == class).collect();
        let training: Vec<Vec<usize>> = (0..count).map(of).collect();
        // Per time: the mean of the classes' means, and for each class its difference from that, of length 1.
        let trained: Vec<(Vec<f64>, Vec<Vec<f64>>)> = (0..times)
            .into_par_iter()
            .map(|time| {
                let means: Vec<Vec<f64>> = training.iter().map(|trials| population.mean(trials, time)).collect();
                let middle: Vec<f64> = (0..population.neurons)
                    .map(|i| means.iter().map(|mean| mean[i]).sum::<f64>() / count as f64)
                    .collect();
                let template = |mean: &Vec<f64>| standardised(mean.iter().zip(&middle).map(|(m, all)| m - all));
                let templates = means.iter().map(template).collect();
                (middle, templates)
            })
            .collect();
        let tested = (0..classes.len()).filter(|k| fold_of[*k] == fold).map(|k| {
            let at = |time: usize| {
                let rates = population.at(k, time).iter().zip(&trained[time].0);
                standardised(rates.map(|(r, middle)| f64::from(*r) - middle))
            };
            (classes[k], (0..times).map(at).collect())
        });
        let tested: Vec<(usize, Vec<Vec<f64>>)> = tested.collect();
        right.par_iter_mut().zip(&trained).for_each(|(right, (_, templates))| {
            for (class, rates) in &tested {
                for (right, rates) in right.iter_mut().zip(rates) {
                    *right += usize::from(best(templates, rates) == *class);
                }
            }
        });
    }
    let fraction = |right: &usize| *right as f64 / classes.len() as f64;
    Ok(right.iter().map(|row| row.iter().map(fraction).collect()).collect())
}

/// Less their mean and divided by their length, so that a dot product is a correlation.
fn standardised(values: impl Iterator<Item = f64>) -> Vec<f64> {
    let values: Vec<f64> = values.collect();
    let mean = values.iter().sum::<f64>() / values.len() as f64;
    let length = values.iter().map(|v| (v - mean).powi(2)).sum::<f64>().sqrt();
    values.iter().map(|v| if length > 0.0 { (v - mean) / length } else { 0.0 }).collect()
}

fn best(templates: &[Vec<f64>], rates: &[f64]) -> usize {
    let correlation = |template: &Vec<f64>| template.iter().zip(rates).map(|(a, b)| a * b).sum::<f64>();
    let found = templates.iter().map(correlation).enumerate();
    found.max_by(|a, b| a.1.total_cmp(&b.1)).map_or(0, |(class, _)| class)
}

pub(super) fn run(subject: &Subject, options: &Options) -> Result<Findings> {
    let trials = options.trials.unwrap_or(TRIALS);
    let every = subject.task().steps().div_ceil(TIMES);
    let mut accuracies = vec![Vec::new(); VARIABLES.len()];
    let mut kept = Population::default();
    for one in subject.networks() {
        let population = Population::record(&one?, trials, options.seed, every)?;
        for ((_, class), accuracies) in VARIABLES.iter().zip(&mut accuracies) {
            let classes: Vec<usize> = population.trials.iter().map(class).collect();
            accuracies.push(cross_temporal(&population, &classes, FOLDS)?);
        }
        kept = Population { trials: Vec::new(), ..population };
    }
    let step_ms = subject.step_ms();
    let time = |place: usize| (kept.steps[place] + 1) as f64 * step_ms;
    let mut findings = Findings::default();
    let columns = ["variable", "train_time", "test_time", "accuracy", "standard_error"];
    let mut table = Table::new("decoding", &columns);
    let mut panels = Vec::new();
    for ((name, _), networks) in VARIABLES.iter().zip(&accuracies) {
        let mut means = vec![vec![0.0; kept.steps.len()]; kept.steps.len()];
        for (train, row) in means.iter_mut().enumerate() {
            for (test, mean) in row.iter_mut().enumerate() {
                let all: Vec<f64> = networks.iter().map(|accuracy| accuracy[train][test]).collect();
                let (found, error) = mean_and_error(&all);
                *mean = found;
                table.push(&[name, &time(train), &time(test), mean, &error.map_or(String::new(), |e| e.to_string())]);
            }
        }
        let same = (0..means.len()).map(|t| (time(t), means[t][t]));
        let peak = same.fold((0.0, 0.0), |best: (f64, f64), now| if now.1 > best.1 { now } else { best });
        let apart = 0.1 * subject.task().steps() as f64 * step_ms;
        let far = |t: usize| (0..means.len()).filter(move |s| (time(t) - time(*s)).abs() > apart).map(move |s| (t, s));
        let far: Vec<f64> = (0..means.len()).flat_map(far).map(|(t, s)| means[t][s]).collect();
        findings.say(
            format!("{name}, trained and tested at the same time"),
            format!("at best {:.3}, at {} {}", peak.1, peak.0, subject.time_unit()),
        );
        findings.say(
            format!("{name}, trained and tested more than {apart} {} apart", subject.time_unit()),
            format!("{:.3} on average", mean_and_error(&far).0),
        );
        let last = panels.len() + 1 == VARIABLES.len();
        panels.push(panel(subject, name, means, &kept, last));
    }
    findings.tables.push(table);
    findings.pictures.push(Picture {
        name: "decoding".into(),
        caption: "Fraction of trials decoded rightly by a classifier trained at one time and tested at another, mean over networks; 0.5 is chance. Dashed lines: beginning and end of the inputs and of the response.".into(),
        panels: Panels {
            title: format!("{}: cross-temporal decoding, {} networks", subject.task().name(), accuracies[0].len()),
            rows: vec![panels],
        },
    });
    Ok(findings)
}

fn panel(subject: &Subject, name: &str, means: Vec<Vec<f64>>, kept: &Population, bar: bool) -> Panel {
    let end = subject.task().steps() as f64 * subject.step_ms();
    let label = if bar { "fraction decoded rightly" } else { "" };
    let whole = (0.0, end);
    let heat = HeatMap { values: means, x: whole, y: whole, range: (0.0, 1.0), label: label.into() };
    let mut marks = vec![Mark::new(Shape::Heat(heat), Colour::Ink)];
    let edges = kept.periods.iter().flat_map(|(from, to, _)| [*from, *to]).map(|step| step as f64 * subject.step_ms());
    for edge in edges.filter(|edge| *edge > 0.02 * end && *edge < 0.98 * end) {
        for line in [vec![(edge, 0.0), (edge, end)], vec![(0.0, edge), (end, edge)]] {
            marks.push(Mark::new(Shape::Dashed(line, 1.5), Colour::Grey));
        }
    }
    Panel {
        title: name.into(),
        x_label: format!("test time ({})", subject.time_unit()),
        y_label: format!("training time ({})", subject.time_unit()),
        x: Some(whole),
        y: Some(whole),
        equal: true,
        marks,
        ..Panel::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::{gaussian, stream, Phase, Purpose};

    const NEURONS: usize = 60;
    const TIMES: usize = 6;

    /// 40 trials of two classes whose means differ, at time t, by twice direction `code(t)` of an orthonormal set.
    fn planted(code: fn(usize) -> usize, noise: f64) -> (Population, Vec<usize>) {
        let mut rng = stream(11, 0, 0, Phase::Simulate, Purpose::Task);
        let classes: Vec<usize> = (0..40).map(|k| k % 2).collect();
        let mut trial = |class: usize| {
            let mut rates = gaussian(&mut rng, TIMES * NEURONS, noise);
            for time in 0..TIMES {
                // Neurons 6 code … 6 code + 5 carry it; all neurons share a drift that tells nothing.
                for i in 0..NEURONS {
                    let carries = i / 6 == code(time);
                    let sign = if i % 2 == 0 { 1.0 } else { -1.0 };
                    rates[time * NEURONS + i] +=
                        time as f32 * sign + if carries { sign * if class == 0 { 1.0 } else { -1.0 } } else { 0.0 };
                }
            }
            Kept { rates, ..Kept::default() }
        };
        let trials = classes.iter().map(|class| trial(*class)).collect();
        let steps = (0..TIMES).collect();
        (Population { steps, trials, neurons: NEURONS, periods: Vec::new() }, classes)
    }

    #[test]
    fn a_stable_code_is_read_at_all_times() {
        let (population, classes) = planted(|_| 3, 0.2);
        let accuracy = cross_temporal(&population, &classes, 5).unwrap();
        assert!(accuracy.iter().flatten().all(|a| *a > 0.95), "{accuracy:?}");
    }

    #[test]
    fn a_rotating_code_is_read_at_its_own_time_only() {
        let (population, classes) = planted(|time| time, 0.2);
        let accuracy = cross_temporal(&population, &classes, 5).unwrap();
        for (train, row) in accuracy.iter().enumerate() {
            assert!(row[train] > 0.95, "{row:?}");
            let others = row.iter().enumerate().filter(|(test, _)| *test != train);
            let mean = others.map(|(_, a)| a).sum::<f64>() / (TIMES - 1) as f64;
            assert!((mean - 0.5).abs() < 0.25, "{row:?}");
        }
        let off: f64 = (0..TIMES)
            .flat_map(|t| (0..TIMES).filter(move |s| *s != t).map(move |s| (t, s)))
            .map(|(t, s)| accuracy[t][s])
            .sum();
        assert!((off / 30.0 - 0.5).abs() < 0.08, "{off}");
    }

    #[test]
    fn classes_that_do_not_differ_are_at_chance() {
        let (population, _) = planted(|_| 3, 1.0);
        let unrelated: Vec<usize> = (0..40).map(|k| (k / 2) % 2).collect();
        let accuracy = cross_temporal(&population, &unrelated, 5).unwrap();
        let mean = accuracy.iter().flatten().sum::<f64>() / 36.0;
        assert!((mean - 0.5).abs() < 0.15, "{mean}");
        assert!(cross_temporal(&population, &[0; 40], 41).is_err());
    }
}
