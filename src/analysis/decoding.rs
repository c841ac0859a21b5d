//! Cross-temporal decoding: how well a classifier trained at one time decodes at another (Meyers et al. 2008,
//! doi 10.1152/jn.90248.2008; Stokes et al. 2013, doi 10.1016/j.neuron.2013.01.039; Miconi 2017).
//!
//! A maximal-correlation classifier, trained on the rates at one time, assigns the rates of a new trial at another time
//! to the class whose mean correlates best with them. At each time, the mean over the
//! classes of the training trials is subtracted first, so that only differences between classes count. No trial is decoded
//! by a classifier that was trained on it.

use super::population::{Kept, Population};
use super::*;
use crate::plot::networks as networks_in_words;
use crate::tasks::Problem;
use rayon::prelude::*;

/// Bounds on the default number of trials of each network, which is 20 for each type.
const TRIALS: u64 = 80;
const MOST_TRIALS: u64 = 1000;
/// The number of panels in a row of the picture.
const IN_ROW: usize = 3;
/// The number of parts for cross-validation.
const FOLDS: usize = 5;
/// The number of times at which rates are kept.
const TIMES: usize = 50;

/// Something to decode: its name, and its value in a trial.
type Variable = (String, Box<dyn Fn(&Kept) -> f32>);

/// The variables that can be decoded: the task's labels that are classes or, if there are none, the type of a trial.
fn variables(problem: &Problem) -> Vec<Variable> {
    let labels = problem.trials().map(|task| task.labels()).unwrap_or_default();
    let labels = labels.into_iter().enumerate().filter(|(_, label)| !label.graded);
    let mut found: Vec<Variable> = labels
        .map(|(k, label)| (label.name, Box::new(move |kept: &Kept| kept.labels[k]) as Box<dyn Fn(&Kept) -> f32>))
        .collect();
    if found.is_empty() && problem.n_types() > 1 {
        found.push(("type of trial".into(), Box::new(|kept| kept.trial_type as f32)));
    }
    found
}

/// The class of each trial. Classes are numbered from 0, in the order of the variable's values.
fn classes_of(population: &Population, value: &dyn Fn(&Kept) -> f32) -> Vec<usize> {
    let values: Vec<f32> = population.trials.iter().map(value).collect();
    let mut distinct = values.clone();
    distinct.sort_by(f32::total_cmp);
    distinct.dedup();
    values.iter().map(|value| distinct.partition_point(|other| other < value)).collect()
}

pub(super) fn why_not(subject: &Subject) -> Option<String> {
    subject.refuse_episodes().or_else(|| {
        let decodable = !variables(subject.task()).is_empty();
        subject.task_unless(decodable, "has one type of trial and no label to decode")
    })
}

/// `[training time][test time]`.
type Square = Vec<Vec<f64>>;

/// The classifier trained at one time.
struct Classifier {
    /// The mean over the classes of their mean rates, `[N]`.
    centre: Vec<f64>,
    /// For each class, the standardised difference of its mean rates from the centre, `[N]`.
    templates: Vec<Vec<f64>>,
}

impl Classifier {
    /// Trains on the rates at the `time`-th kept time; `classes` are the training trials of each class.
    fn train(population: &Population, classes: &[Vec<usize>], time: usize) -> Self {
        let means: Vec<Vec<f64>> = classes.iter().map(|trials| population.mean(trials, time)).collect();
        let centre = |i: usize| means.iter().map(|mean| mean[i]).sum::<f64>() / classes.len() as f64;
        let centre: Vec<f64> = (0..population.neurons).map(centre).collect();
        let templates = means.iter().map(|mean| standardised(mean.iter().copied(), &centre)).collect();
        Classifier { templates, centre }
    }

    /// The class whose template correlates best with the standardised `rates`; in a tie, the last of the best classes.
    fn classify(&self, rates: &[f64]) -> Option<usize> {
        let correlation = |template: &Vec<f64>| template.iter().zip(rates).map(|(a, b)| a * b).sum::<f64>();
        let found = self.templates.iter().map(correlation).enumerate();
        found.max_by(|a, b| a.1.total_cmp(&b.1)).map(|(class, _)| class)
    }
}

/// Rates relative to a centre, minus their mean and divided by their norm, so that a dot product is a correlation.
fn standardised(rates: impl Iterator<Item = f64>, centre: &[f64]) -> Vec<f64> {
    let values: Vec<f64> = rates.zip(centre).map(|(r, centre)| r - centre).collect();
    let mean = values.iter().sum::<f64>() / values.len() as f64;
    let length = values.iter().map(|v| (v - mean).powi(2)).sum::<f64>().sqrt();
    values.iter().map(|v| if length > 0.0 { (v - mean) / length } else { 0.0 }).collect()
}

/// The fraction of trials decoded correctly; `classes` gives the class of each trial, from 0. Fails if a class has
/// fewer trials than there are folds.
fn cross_temporal(population: &Population, classes: &[usize], folds: usize) -> Result<Square> {
    let mut seen = vec![0; classes.iter().max().map_or(0, |largest| largest + 1)];
    // The trials of each class are dealt out to the folds in turn.
    let deal = |&class: &usize| {
        seen[class] += 1;
        (seen[class] - 1) % folds
    };
    let fold_of: Vec<usize> = classes.iter().map(deal).collect();
    ensure!(
        !seen.is_empty() && seen.iter().all(|seen| *seen >= folds),
        Usage,
        "decoding needs at least {folds} trials of each class; found {seen:?}"
    );
    let times = population.times.len();
    let mut correct = vec![vec![0usize; times]; times];
    for fold in 0..folds {
        let training = |class: usize| population.which(|k, _| fold_of[k] != fold && classes[k] == class);
        let training: Vec<Vec<usize>> = (0..seen.len()).map(training).collect();
        let classifiers: Vec<Classifier> =
            (0..times).into_par_iter().map(|time| Classifier::train(population, &training, time)).collect();
        let rates = |k: usize, t: usize| population.at(k, t).iter().copied().map(f64::from);
        let rates = |k| (0..times).map(|t| standardised(rates(k, t), &classifiers[t].centre)).collect();
        let tested: Vec<(usize, Vec<Vec<f64>>)> =
            population.which(|k, _| fold_of[k] == fold).into_iter().map(|k| (classes[k], rates(k))).collect();
        correct.par_iter_mut().zip(&classifiers).for_each(|(correct, classifier)| {
            for (class, rates) in &tested {
                for (correct, rates) in correct.iter_mut().zip(rates) {
                    *correct += usize::from(classifier.classify(rates) == Some(*class));
                }
            }
        });
    }
    let fraction = |correct: &usize| *correct as f64 / classes.len() as f64;
    Ok(correct.iter().map(|row| row.iter().map(fraction).collect()).collect())
}

pub(super) fn run(subject: &Subject, options: &Options) -> Result<Findings> {
    let variables = variables(subject.task());
    let mut accuracies: Vec<Vec<Square>> = vec![Vec::new(); variables.len()];
    let mut counts = vec![0; variables.len()];
    let mut last = Population::default();
    let trials = (20 * subject.task().n_types() as u64).clamp(TRIALS, MOST_TRIALS);
    for population in subject.populations(options, trials, TIMES, None) {
        let population = population?;
        for ((_, value), (accuracies, count)) in variables.iter().zip(accuracies.iter_mut().zip(&mut counts)) {
            let classes = classes_of(&population, value);
            *count = classes.iter().max().map_or(0, |last| last + 1);
            accuracies.push(cross_temporal(&population, &classes, FOLDS)?);
        }
        last = Population { trials: Vec::new(), ..population };
    }
    let times = &last.times;
    let mut findings = Findings::default();
    let mut table = Table::new("decoding", "variable train_time test_time accuracy standard_error");
    let mut panels = Vec::new();
    for (((name, _), networks), count) in variables.iter().zip(&accuracies).zip(counts) {
        let mut accuracy = vec![vec![0.0; times.len()]; times.len()];
        for (train, row) in accuracy.iter_mut().enumerate() {
            for (test, accuracy) in row.iter_mut().enumerate() {
                let mean = Mean::of(&networks.iter().map(|network| network[train][test]).collect::<Vec<_>>());
                let error = mean.error.map_or(String::new(), |error| error.to_string());
                table.push(&[name, &times[train], &times[test], &mean.value, &error]);
                *accuracy = mean.value;
            }
        }
        in_words(&mut findings, subject, name, &accuracy, times);
        // Only the last panel of a row has a colour bar.
        let ends_row = (panels.len() + 1) % IN_ROW == 0 || panels.len() + 1 == variables.len();
        let label = if ends_row { "fraction decoded correctly" } else { "" };
        let title = if count == 2 { name.clone() } else { format!("{name} ({count} classes)") };
        panels.push(panel(subject, &title, accuracy, &last, label));
    }
    findings.tables.push(table);
    findings.draw(
        "decoding",
        format!("{}: cross-temporal decoding, {}", subject.task().name(), networks_in_words(accuracies[0].len())),
        "Fraction of trials decoded correctly by a classifier trained at one time and tested at another, mean over networks. Chance is one over the number of classes, which is two unless stated. Dashed lines: beginning and end of the inputs and of the response.",
        panels.chunks(IN_ROW).take(2).map(<[Panel]>::to_vec).collect(),
    );
    Ok(findings)
}

/// Reports the best accuracy at a single time, and the mean accuracy between times that are far apart.
fn in_words(findings: &mut Findings, subject: &Subject, name: &str, accuracy: &Square, times: &[f64]) {
    let (apart, unit) = (0.1 * subject.duration(), subject.time_unit());
    let (mut peak, mut far) = ((0.0, 0.0), Vec::new());
    for (train, row) in accuracy.iter().enumerate() {
        if row[train] > peak.1 {
            peak = (times[train], row[train]);
        }
        far.extend((0..row.len()).filter(|test| (times[train] - times[*test]).abs() > apart).map(|test| row[test]));
    }
    let far = Mean::of(&far).value;
    findings.say(
        format!("{name}, trained and tested at the same time"),
        &[("best", peak.1)],
        "fraction decoded correctly",
        format!("at best {:.3}, at {} {unit}", peak.1, peak.0),
    );
    findings.say(
        format!("{name}, trained and tested more than {apart} {unit} apart"),
        &[("mean", far)],
        "fraction decoded correctly",
        format!("{far:.3} on average"),
    );
}

/// The heat map of one variable, with a colour bar if it has a `label`.
fn panel(subject: &Subject, name: &str, values: Square, population: &Population, label: &str) -> Panel {
    let end = subject.duration();
    let whole = (0.0, end);
    let heat = HeatMap { values, x: whole, y: whole, range: (0.0, 1.0), label: label.into() };
    let mut marks = vec![Mark::new(Shape::Heat(heat), Colour::Ink)];
    let edges = population.periods.iter().flat_map(|period| [period.from, period.to]);
    for edge in edges.filter(|edge| *edge > 0.02 * end && *edge < 0.98 * end) {
        for line in [vec![(edge, 0.0), (edge, end)], vec![(0.0, edge), (end, edge)]] {
            marks.push(Mark::new(Shape::Dashed(line, 1.5), Colour::Grey));
        }
    }
    let labels = ["test", "training"].map(|which| format!("{which} time ({})", subject.time_unit()));
    Panel {
        x: Some(whole),
        y: Some(whole),
        equal: true,
        ..findings::panel(name, labels.each_ref().map(String::as_str), marks)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::{gaussian, stream, Phase, Purpose};

    const NEURONS: usize = 60;
    const TIMES: usize = 6;

    /// 40 trials of two classes, whose means differ at time t by twice the direction number `code(t)` of an orthogonal set.
    fn planted(code: fn(usize) -> usize, noise: f64) -> (Population, Vec<usize>) {
        let mut rng = stream(11, 0, 0, Phase::Simulate, Purpose::Task);
        let classes: Vec<usize> = (0..40).map(|k| k % 2).collect();
        let mut trial = |class: &usize| {
            let mut rates = gaussian(&mut rng, TIMES * NEURONS, noise);
            for (k, rate) in rates.iter_mut().enumerate() {
                // Neurons 6 code to 6 code + 5 carry the class; all neurons share an uninformative drift.
                let (time, i) = (k / NEURONS, k % NEURONS);
                let sign = if i % 2 == 0 { 1.0 } else { -1.0 };
                let signal = if i / 6 != code(time) { 0.0 } else { sign * [1.0, -1.0][*class] };
                *rate += time as f32 * sign + signal;
            }
            Kept { rates, ..Kept::default() }
        };
        let trials = classes.iter().map(&mut trial).collect();
        let times = (0..TIMES).map(|time| time as f64).collect();
        (Population { times, trials, neurons: NEURONS, ..Population::default() }, classes)
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
        let mut all = 0.0;
        for (train, row) in accuracy.iter().enumerate() {
            assert!(row[train] > 0.95, "{row:?}");
            let others = row.iter().sum::<f64>() - row[train];
            assert!((others / 5.0 - 0.5).abs() < 0.25, "{row:?}");
            all += others;
        }
        assert!((all / 30.0 - 0.5).abs() < 0.08, "{all}");
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
