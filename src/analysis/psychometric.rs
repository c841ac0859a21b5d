//! Psychometric curves: how often the answer is positive ("right") against the strength of the evidence, with logistic fits.
//!
//! Selective integration (Mante et al. 2013, fig. 1; Miconi 2017): for each context, against the coherence of the modality to
//! attend and of the one to ignore, each averaged over the other. Evidence accumulation: against cues right minus left.

use super::linear::mean_and_error;
use super::logistic::{Logistic, Point};
use super::population::{Kept, Population};
use super::{Findings, Options, Picture, Subject, Table};
use crate::error::Result;
use crate::plot::{Colour, Mark, Panel, Panels, Shape};
use crate::tasks::{Coherences, Condition, SelectiveIntegration, Task};
use std::sync::Arc;

/// Coherences, as multiples of the task's own.
const LEVELS: [f64; 9] = [-1.0, -0.5, -0.25, -0.125, 0.0, 0.125, 0.25, 0.5, 1.0];
/// Trials of each pair of coherences and context, where none are asked for.
const REPEATS: u64 = 8;
/// Trials of evidence accumulation, where none are asked for.
const TRIALS: u64 = 800;

pub(super) fn why_not(subject: &Subject) -> Option<String> {
    let fits = ["selective-integration", "evidence-accumulation"].contains(&subject.task().name());
    (!fits).then(|| {
        format!(
            "task `{}` has no graded evidence; tasks that have: selective-integration, evidence-accumulation",
            subject.task().name()
        )
    })
}

/// The stimulus of trial `k`, which turned out as it did; `None`: not of this curve.
type Stimulus = Box<dyn Fn(u64, &Kept) -> Option<f64>>;

/// One curve: what it is drawn against, and where it belongs.
struct Curve {
    panel: usize,
    name: &'static str,
    colour: Colour,
    stimulus: Stimulus,
}

pub(super) fn run(subject: &Subject, options: &Options) -> Result<Findings> {
    let selective = SelectiveIntegration::of(&subject.checkpoint.setup.config.task)?;
    match selective {
        Some(task) => {
            let grid = Coherences::grid(task, &LEVELS);
            let trials = options.trials.unwrap_or(REPEATS * grid.conditions().len() as u64);
            let curve = |attended: usize, shown: usize| {
                let grid = grid.clone();
                Curve {
                    panel: attended,
                    name: if attended == shown { "modality to attend" } else { "modality to ignore" },
                    colour: if attended == shown { Colour::Blue } else { Colour::Orange },
                    stimulus: Box::new(move |k, _| {
                        let Condition { attended: there, coherences } = grid.condition(k);
                        (there == attended).then_some(coherences[shown])
                    }),
                }
            };
            let curves = [curve(0, 0), curve(0, 1), curve(1, 1), curve(1, 0)];
            let titles = ["attend modality 1", "attend modality 2"];
            analyse(
                subject,
                Some(Arc::new(grid)),
                trials,
                options.seed,
                &curves,
                (&titles, "coherence (SD of the noise)"),
            )
        }
        None => {
            let cues = subject.task().trial_types().len() as f64 - 1.0;
            let difference = move |_, kept: &Kept| Some(2.0 * kept.trial_type as f64 - cues);
            let curve = Curve { panel: 0, name: "cues", colour: Colour::Blue, stimulus: Box::new(difference) };
            let trials = options.trials.unwrap_or(TRIALS);
            analyse(subject, None, trials, options.seed, &[curve], (&[""], "cues right − cues left"))
        }
    }
}

/// Runs trials, of another `task` than the networks' own where one is given.
fn analyse(
    subject: &Subject,
    task: Option<Arc<dyn Task>>,
    trials: u64,
    seed: u64,
    curves: &[Curve],
    (titles, x_label): (&[&str], &str),
) -> Result<Findings> {
    let names = |curve: &Curve| {
        if titles.len() > 1 {
            format!("{}: {}", titles[curve.panel], curve.name)
        } else {
            curve.name.into()
        }
    };
    let mut table = Table::new("psychometric", &["network", "curve", "stimulus", "trials", "right"]);
    let mut fits = Table::new("psychometric_fits", &["network", "curve", "slope", "slope_error", "bias", "bias_error"]);
    // For each curve the points of each network.
    let mut points: Vec<Vec<Vec<Point>>> = vec![Vec::new(); curves.len()];
    for one in subject.networks() {
        let mut one = one?;
        if let Some(task) = &task {
            one.setup.task = task.clone();
        }
        let population = Population::record(&one, trials, seed, 0)?;
        for (curve, points) in curves.iter().zip(&mut points) {
            points.push(count(&population, curve));
        }
    }
    let mut slopes = vec![Vec::new(); curves.len()];
    for ((curve, networks), slopes) in curves.iter().zip(&points).zip(&mut slopes) {
        for (place, points) in networks.iter().enumerate() {
            let network = subject.number(place);
            for Point { x, trials, right } in points {
                table.push(&[&network, &names(curve), x, trials, right]);
            }
            let fit = Logistic::fit(points, false)?;
            slopes.push(fit.slope);
            fits.push(&[&network, &names(curve), &fit.slope, &fit.errors[1], &fit.bias, &fit.errors[0]]);
        }
    }
    let mut findings = Findings::default();
    let mut panels: Vec<Panel> = titles.iter().map(|title| panel(title, x_label)).collect();
    for ((curve, networks), slopes) in curves.iter().zip(&points).zip(&slopes) {
        let pooled = pool(networks);
        let fit = Logistic::fit(&pooled, false)?;
        fits.push(&[&"all", &names(curve), &fit.slope, &fit.errors[1], &fit.bias, &fit.errors[0]]);
        let (mean, error) = mean_and_error(slopes);
        let spread = error.map_or(String::new(), |error| format!(" ± {error:.2}"));
        findings.say(
            format!("slope, {}", names(curve)),
            format!(
                "{mean:.2}{spread} (mean over networks); all trials together {:.2} ± {:.2}",
                fit.slope, fit.errors[1]
            ),
        );
        draw(&mut panels[curve.panel], curve, networks, &pooled, &fit);
    }
    findings.tables = vec![table, fits];
    findings.pictures.push(Picture {
        name: "psychometric".into(),
        caption: "Fraction of positive answers against the evidence. Dots: all networks together; thin lines: logistic fits of single networks; strong lines: of all together.".into(),
        panels: Panels { title: format!("{}: psychometric curves", subject.task().name()), rows: vec![panels] },
    });
    Ok(findings)
}

/// How often right was chosen at each stimulus, in ascending order.
fn count(population: &Population, curve: &Curve) -> Vec<Point> {
    let mut points: Vec<Point> = Vec::new();
    for (k, kept) in population.trials.iter().enumerate() {
        let Some(x) = (curve.stimulus)(k as u64, kept) else { continue };
        let right = if kept.answer > 0.0 { 1.0 } else { 0.0 };
        match points.iter_mut().find(|p| p.x == x) {
            Some(p) => (p.trials, p.right) = (p.trials + 1.0, p.right + right),
            None => points.push(Point { x, trials: 1.0, right }),
        }
    }
    points.sort_by(|a, b| a.x.total_cmp(&b.x));
    points
}

/// The points of all networks as those of one.
fn pool(networks: &[Vec<Point>]) -> Vec<Point> {
    let mut pooled: Vec<Point> = Vec::new();
    for point in networks.iter().flatten() {
        match pooled.iter_mut().find(|p| p.x == point.x) {
            Some(p) => (p.trials, p.right) = (p.trials + point.trials, p.right + point.right),
            None => pooled.push(*point),
        }
    }
    pooled.sort_by(|a, b| a.x.total_cmp(&b.x));
    pooled
}

fn panel(title: &str, x_label: &str) -> Panel {
    Panel {
        title: title.into(),
        x_label: x_label.into(),
        y_label: "fraction of positive answers".into(),
        y: Some((-0.02, 1.02)),
        ..Panel::default()
    }
}

fn draw(panel: &mut Panel, curve: &Curve, networks: &[Vec<Point>], pooled: &[Point], fit: &Logistic) {
    let (Some(first), Some(last)) = (pooled.first(), pooled.last()) else { return };
    let line = |fit: &Logistic| -> Vec<(f64, f64)> {
        (0..=100).map(|k| first.x + (last.x - first.x) * k as f64 / 100.0).map(|x| (x, fit.at(x))).collect()
    };
    // A little room, so that the outermost dots are whole.
    let room = 0.03 * (last.x - first.x);
    panel.x = Some((first.x - room, last.x + room));
    let single = networks.len() == 1;
    for fit in networks.iter().filter_map(|points| Logistic::fit(points, false).ok()).filter(|_| !single) {
        panel.marks.push(Mark::new(Shape::Line(line(&fit), 1.0), curve.colour));
    }
    panel.marks.push(Mark::new(Shape::Line(line(fit), 4.0), curve.colour).named(curve.name));
    let dots = pooled.iter().map(|p| (p.x, p.right / p.trials)).collect();
    panel.marks.push(Mark::new(Shape::Dots(dots, 7.0), curve.colour));
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
        let curve = Curve { panel: 0, name: "", colour: Colour::Blue, stimulus: Box::new(stimulus) };
        let points = count(&population, &curve);
        let expected = [Point { x: 1.0, trials: 3.0, right: 2.0 }, Point { x: 2.0, trials: 1.0, right: 1.0 }];
        assert_eq!(points, expected);
        assert_eq!(pool(&[points.clone(), points])[0], Point { x: 1.0, trials: 6.0, right: 4.0 });
    }
}
