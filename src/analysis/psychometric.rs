//! Psychometric curves: how often the answer is positive ("right"), that is above the middle of its targets, against the
//! evidence, with logistic fits.
//!
//! Tasks with graded labels: against each of them; evidence accumulation: cues on the right minus those on the left. Selective
//! integration (Mante et al. 2013, fig. 1; Miconi 2017): for each context, against the coherence of the attended and of the
//! ignored modality, each averaged over the other. Perceptual decisions: against the strength of the stimulus, with reaction
//! times where the choice is free in time.

use super::logistic::{Logistic, Point};
use super::population::{Kept, Population};
use super::*;
use crate::setup::Setup;
use crate::tasks::{Coherences, Condition, Label, Problem, SelectiveIntegration};
use std::fmt::Display;
use toml::Value;

/// Coherences, as multiples of the task's own.
const LEVELS: [f64; 9] = [-1.0, -0.5, -0.25, -0.125, 0.0, 0.125, 0.25, 0.5, 1.0];
/// Default number of trials of each pair of coherences and context.
const REPEATS: u64 = 8;
/// Strengths of stimuli, as multiples of the environment's strongest.
const STRENGTHS: [f64; 6] = [0.0, 0.125, 0.25, 0.5, 1.0, 2.0];
/// Default number of trials of evidence accumulation and perceptual decisions.
const TRIALS: u64 = 800;

/// The name of a curve that is alone in its panel.
const ALONE: &str = "fit of all networks together";

/// The trials to run and the curves to draw from them.
struct Design {
    /// The tasks that give the trials, in equal parts; `None`: the networks' own. If there are several, a trial's type is the
    /// place of its task.
    tasks: Vec<Option<Problem>>,
    trials: u64,
    /// The titles of the panels, each with what its horizontal axis shows.
    panels: Vec<(&'static str, String)>,
    curves: Vec<Curve>,
}

/// The stimulus of trial `k`; `None`: the trial does not belong to the curve.
type Stimulus = Box<dyn Fn(u64, &Kept) -> Option<f64>>;

/// One curve.
struct Curve {
    /// The panel in which it is drawn.
    panel: usize,
    /// Its name in the legend, and in tables.
    name: &'static str,
    full_name: String,
    colour: Colour,
    stimulus: Stimulus,
}

/// Decisions between two sides: a stimulus is that of the chosen side if the choice was right, else of the other.
fn decisions(subject: &Subject) -> Result<Design> {
    let mut config = subject.checkpoint.setup.config.clone();
    let own = config.task.get("strengths").and_then(Value::as_array).into_iter().flatten();
    let strongest = own.filter_map(Value::as_float).fold(0.0, f64::max);
    let strengths = STRENGTHS.map(|share| share * strongest);
    // As many conditions as before, since an expected return may exist for each.
    let conditions = subject.task().n_types();
    let with_strength = |strength: f64| -> Result<Option<Problem>> {
        config.task.insert("strengths".into(), Value::Array(vec![Value::Float(strength); conditions]));
        Ok(Some(Setup::new(config.clone())?.task))
    };
    let tasks = strengths.into_iter().map(with_strength).collect::<Result<_>>()?;
    let stimulus = move |_, kept: &Kept| {
        let right = (kept.answer > 0.0) == kept.correct?;
        // Not −0.
        let shown = if right { strengths[kept.trial_type] } else { 0.0 - strengths[kept.trial_type] };
        (kept.answer != 0.0).then_some(shown)
    };
    let (full_name, stimulus) = ("stimulus".to_string(), Box::new(stimulus));
    let curve = Curve { panel: 0, name: ALONE, full_name, colour: Colour::Blue, stimulus };
    let panels = vec![("", "stimulus, right above 0".to_string())];
    Ok(Design { tasks, trials: TRIALS, panels, curves: vec![curve] })
}

pub(super) fn why_not(subject: &Subject) -> Option<String> {
    let (task, table) = (subject.task(), &subject.checkpoint.setup.config.task);
    let fits = match task {
        Problem::Episodes(_) => table.contains_key("strengths"),
        Problem::Trials(task) => {
            task.labels().iter().any(|label| label.graded) || matches!(SelectiveIntegration::of(table), Ok(Some(_)))
        }
    };
    subject.task_unless(fits, "has no graded evidence")
}

fn design(subject: &Subject) -> Result<Design> {
    let Problem::Trials(task) = subject.task() else { return decisions(subject) };
    let Some(selective) = SelectiveIntegration::of(&subject.checkpoint.setup.config.task)? else {
        let graded = task.labels().into_iter().enumerate().filter(|(_, label)| label.graded);
        let curve = |(panel, (k, label)): (usize, (usize, Label))| {
            let stimulus: Stimulus = Box::new(move |_, kept: &Kept| Some(f64::from(kept.labels[k])));
            Curve { panel, name: ALONE, full_name: label.name, colour: Colour::Blue, stimulus }
        };
        let curves: Vec<Curve> = graded.enumerate().map(curve).collect();
        let panels = curves.iter().map(|curve| ("", curve.full_name.clone())).collect();
        return Ok(Design { tasks: vec![None], trials: TRIALS, panels, curves });
    };
    let grid = Coherences::grid(selective, &LEVELS);
    let titles = ["attend modality 1", "attend modality 2"];
    let curve = |attended: usize, shown: usize| {
        let grid = grid.clone();
        let (name, colour) = if attended == shown {
            ("modality to attend", Colour::Blue)
        } else {
            ("modality to ignore", Colour::Orange)
        };
        let stimulus = Box::new(move |k, _: &Kept| {
            let Condition { attended: there, coherences } = grid.condition(k);
            (there == attended).then_some(coherences[shown])
        });
        Curve { panel: attended, name, full_name: format!("{}: {name}", titles[attended]), colour, stimulus }
    };
    let curves = vec![curve(0, 0), curve(0, 1), curve(1, 1), curve(1, 0)];
    let trials = REPEATS * grid.conditions().len() as u64;
    let panels = titles.map(|title| (title, "coherence (SD of the noise)".to_string())).to_vec();
    Ok(Design { tasks: vec![Some(grid.into())], trials, panels, curves })
}

pub(super) fn run(subject: &Subject, options: &Options) -> Result<Findings> {
    let Design { tasks, trials, panels: axes, curves } = design(subject)?;
    let mut times = Table::new("reaction_times", "network stimulus trials time");
    let mut all_times = Vec::new();
    let (unit, step) = match subject.task() {
        Problem::Episodes(_) => ("steps", 1.0),
        Problem::Trials(_) => (subject.time_unit(), subject.checkpoint.setup.step_ms().unwrap_or(1.0)),
    };
    let each = options.trials.unwrap_or(trials).div_ceil(tasks.len() as u64);
    let each = Options { trials: Some(each), seed: options.seed };
    let mut populations: Vec<Population> = Vec::new();
    let several = tasks.len() > 1;
    for (k, task) in tasks.into_iter().enumerate() {
        for (place, population) in subject.populations(&each, trials, 0, task).enumerate() {
            let mut population = population?;
            population.trials.iter_mut().filter(|_| several).for_each(|kept| kept.trial_type = k);
            match populations.get_mut(place) {
                Some(all) => all.trials.append(&mut population.trials),
                None => populations.push(population),
            }
        }
    }
    let networks = populations.into_iter().map(|population| {
        if let [curve] = &curves[..] {
            let answered = Population { trials: answered(&population), ..Population::default() };
            for Point { x, trials, right: steps } in count(&answered, curve, |kept| kept.steps as f64) {
                times.push(&[&population.network, &x, &trials, &(steps * step / trials)]);
                all_times.push(Point { x, trials, right: steps * step });
            }
        }
        (population.network, curves.iter().map(|curve| count(&population, curve, right)).collect())
    });
    // The points of each curve, for each network.
    let networks: Vec<(u64, Vec<Vec<Point>>)> = networks.collect();
    let mut table = Table::new("psychometric", "network curve stimulus trials right");
    let mut fit_table = Table::new("psychometric_fits", "network curve slope slope_error bias bias_error");
    let mut fit = |network: &dyn Display, curve: &Curve, points: &[Point]| -> Result<Logistic> {
        let fit = Logistic::fit(points, false)?;
        let [bias_error, slope_error] = &fit.errors;
        fit_table.push(&[network, &curve.full_name, &fit.slope, slope_error, &fit.bias, bias_error]);
        Ok(fit)
    };
    let mut fits = vec![Vec::new(); curves.len()];
    for (c, curve) in curves.iter().enumerate() {
        for (network, points) in &networks {
            for Point { x, trials, right } in &points[c] {
                table.push(&[network, &curve.full_name, x, trials, right]);
            }
            fits[c].push(fit(network, curve, &points[c])?);
        }
    }
    let mut findings = Findings::default();
    let empty = |(title, x_label): &(&str, String)| Panel {
        y: Some((-0.02, 1.02)),
        ..panel(*title, [x_label, "fraction of positive answers"], Vec::new())
    };
    let mut panels: Vec<Panel> = axes.iter().map(empty).collect();
    for (c, curve) in curves.iter().enumerate() {
        let pooled = pool(networks.iter().flat_map(|(_, points)| &points[c]).copied());
        let all = fit(&"all", curve, &pooled)?;
        let slope = Mean::of(&fits[c].iter().map(|fit| fit.slope).collect::<Vec<_>>());
        let together = [("all trials together", all.slope), ("its standard error", all.errors[1])];
        findings.say(
            format!("slope, {}", curve.full_name),
            &[&slope.numbers()[..], &together].concat(),
            "",
            format!("{slope:.2} (mean over networks); all trials together {:.2} ± {:.2}", all.slope, all.errors[1]),
        );
        draw(&mut panels[curve.panel], curve, &fits[c], &pooled, &all);
    }
    findings.tables = vec![table, fit_table];
    let takes = |p: &Point| p.right / p.trials;
    if all_times.iter().any(|p| takes(p) != takes(&all_times[0])) {
        let points = pool(all_times.into_iter()).into_iter().map(|p| (p.x, takes(&p))).collect();
        let marks = vec![Mark::new(Shape::Dots(points, 7.0), Colour::Blue)];
        panels.push(panel("time of the choice", [&axes[0].1, unit], marks));
        findings.tables.push(times);
    }
    findings.draw(
        "psychometric",
        format!("{}: psychometric curves", subject.task().name()),
        "Fraction of positive answers against the evidence. Dots: all networks together; thin lines: logistic fits of single networks; strong lines: of all together.",
        vec![panels],
    );
    Ok(findings)
}

/// The trials in which an answer was given at some time.
fn answered(population: &Population) -> Vec<Kept> {
    population.trials.iter().filter(|kept| kept.steps > 0).cloned().collect()
}

/// The sum of a value of the trials with each stimulus of a curve: how often right was chosen, or their steps.
fn count(population: &Population, curve: &Curve, value: fn(&Kept) -> f64) -> Vec<Point> {
    let point = |(k, kept): (usize, &Kept)| {
        (curve.stimulus)(k as u64, kept).map(|x| Point { x, trials: 1.0, right: value(kept) })
    };
    pool(population.trials.iter().enumerate().filter_map(point))
}

/// 1 for an answer to the right.
fn right(kept: &Kept) -> f64 {
    if kept.answer > 0.0 {
        1.0
    } else {
        0.0
    }
}

/// The points, pooled by stimulus, in ascending order.
fn pool(points: impl Iterator<Item = Point>) -> Vec<Point> {
    let mut pooled: Vec<Point> = Vec::new();
    for point in points {
        match pooled.iter_mut().find(|p| p.x == point.x) {
            Some(p) => (p.trials, p.right) = (p.trials + point.trials, p.right + point.right),
            None => pooled.push(point),
        }
    }
    pooled.sort_by(|a, b| a.x.total_cmp(&b.x));
    pooled
}

/// Draws a curve: the fits of single networks where there are several, the fit of all together, and its points.
fn draw(panel: &mut Panel, curve: &Curve, networks: &[Logistic], pooled: &[Point], all: &Logistic) {
    let (Some(first), Some(last)) = (pooled.first(), pooled.last()) else { return };
    let line = |fit: &Logistic, width: f64| {
        let x = (0..=100).map(|k| first.x + (last.x - first.x) * k as f64 / 100.0);
        Mark::new(Shape::Line(x.map(|x| (x, fit.at(x))).collect(), width), curve.colour)
    };
    // A little room, so that the outermost dots are not cut off.
    let room = 0.03 * (last.x - first.x);
    panel.x = Some((first.x - room, last.x + room));
    // Several curves in a panel are told apart by their colours; then there is no room for more in the legend.
    let also = |mark: Mark, name: &str| if curve.name == ALONE { mark.named(name) } else { mark };
    if networks.len() > 1 {
        panel.marks.extend(networks.iter().map(|fit| also(line(fit, 1.0), "fits of single networks")));
    }
    panel.marks.push(line(all, 4.0).named(curve.name));
    let dots = pooled.iter().map(|p| (p.x, p.right / p.trials)).collect();
    panel.marks.push(also(Mark::new(Shape::Dots(dots, 7.0), curve.colour), "answers of all networks"));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_counted_by_stimulus() {
        let kept = |trial_type, answer| Kept { trial_type, answer, ..Kept::default() };
        let trials = vec![kept(1, 0.5), kept(0, -0.1), kept(1, -0.5), kept(2, 0.9), kept(1, 0.2)];
        let population = Population { trials, ..Population::default() };
        let stimulus = |_, kept: &Kept| (kept.trial_type > 0).then_some(kept.trial_type as f64);
        let (full_name, stimulus) = (String::new(), Box::new(stimulus));
        let curve = Curve { panel: 0, name: "", full_name, colour: Colour::Blue, stimulus };
        let points = count(&population, &curve, right);
        let expected = [Point { x: 1.0, trials: 3.0, right: 2.0 }, Point { x: 2.0, trials: 1.0, right: 1.0 }];
        assert_eq!(points, expected);
        assert_eq!(pool(points.repeat(2).into_iter())[0], Point { x: 1.0, trials: 6.0, right: 4.0 });
    }
}
