//! Trajectories of the population: the mean rates of each trial type along the principal components they span.

use super::linear::Pca;
use super::population::Population;
use super::{Findings, Options, Picture, Subject, Table};
use crate::error::Result;
use crate::plot::{Colour, Mark, Panel, Panels, Shape};
use nalgebra::DMatrix;

/// Trials of each type, where none are asked for.
const REPEATS: u64 = 20;
/// Times at which rates are kept.
const TIMES: usize = 100;
/// Components that are kept.
const COMPONENTS: usize = 3;

/// One network's trajectories.
struct Trajectories {
    /// The fraction of the variance along each component.
    explained: Vec<f64>,
    /// The place of each trial type at each time along each component: (type, `[times][component]`).
    types: Vec<(usize, Vec<[f64; COMPONENTS]>)>,
}

/// Principal components of the means over the trials of each type, all types and times together.
fn trajectories(population: &Population, types: usize) -> Result<Trajectories> {
    let times = population.steps.len();
    let groups = (0..types).map(|kind| (kind, population.which(|trial| trial.trial_type == kind)));
    let groups: Vec<(usize, Vec<usize>)> = groups.filter(|(_, trials)| !trials.is_empty()).collect();
    let means = groups.iter().flat_map(|(_, trials)| (0..times).map(move |time| population.mean(trials, time)));
    let means: Vec<Vec<f64>> = means.collect();
    let samples = DMatrix::from_row_iterator(means.len(), population.neurons, means.iter().flatten().copied());
    let pca = Pca::of(&samples)?;
    let components = COMPONENTS.min(pca.axes.ncols());
    let place = |mean: &Vec<f64>| {
        let mut place = [0.0; COMPONENTS];
        place.iter_mut().take(components).enumerate().for_each(|(k, place)| *place = pca.place(mean, k));
        place
    };
    let paths = means.chunks(times.max(1)).map(|means| means.iter().map(place).collect());
    let types = groups.iter().map(|(kind, _)| *kind).zip(paths).collect();
    Ok(Trajectories { explained: pca.explained, types })
}

pub(super) fn run(subject: &Subject, options: &Options) -> Result<Findings> {
    let names = subject.task().trial_types();
    let trials = options.trials.unwrap_or(REPEATS * names.len() as u64);
    let every = subject.task().steps().div_ceil(TIMES);
    let step_ms = subject.step_ms();
    let mut findings = Findings::default();
    let mut table = Table::new("trajectories", &["network", "type", "time", "pc1", "pc2", "pc3"]);
    let mut variances = Table::new("trajectories_variance", &["network", "component", "fraction_of_variance"]);
    let mut several = Vec::new();
    for (place, one) in subject.networks().enumerate() {
        let population = Population::record(&one?, trials, options.seed, every)?;
        let found = trajectories(&population, names.len())?;
        let network = subject.number(place);
        for (kind, path) in &found.types {
            for (step, [a, b, c]) in population.steps.iter().zip(path) {
                table.push(&[&network, &names[*kind], &((step + 1) as f64 * step_ms), a, b, c]);
            }
        }
        for (k, explained) in found.explained.iter().take(20).enumerate() {
            variances.push(&[&network, &(k + 1), explained]);
        }
        several.push(found.explained.iter().take(COMPONENTS).sum::<f64>());
        if place == subject.shown() {
            let first: Vec<String> = found.explained.iter().take(5).map(|e| format!("{:.0} %", 100.0 * e)).collect();
            findings.say(format!("variance along the first components, network {network}"), first.join(", "));
            let kept = Population { trials: Vec::new(), ..population };
            findings.pictures.push(picture(subject, &kept, &names, &found));
        }
    }
    findings.say("variance along the first three components", super::weights::with_error(&several));
    findings.tables = vec![table, variances];
    Ok(findings)
}

fn picture(subject: &Subject, kept: &Population, names: &[String], found: &Trajectories) -> Picture {
    let network = subject.number(subject.shown());
    let (step_ms, unit) = (subject.step_ms(), subject.time_unit());
    let colour = |place: usize| match found.types.len() {
        0..=5 => Colour::Nth(place),
        count => Colour::Scale(2.0 * place as f64 / (count - 1) as f64 - 1.0),
    };
    let label =
        |k: usize| format!("PC {} ({:.0} % of the variance)", k + 1, 100.0 * found.explained.get(k).unwrap_or(&0.0));
    let ends: Vec<usize> = kept.periods.iter().map(|period| period.1).collect();
    let mut plane = Panel { x_label: label(0), y_label: label(1), ..Panel::default() };
    let whole = Some((0.0, subject.task().steps() as f64 * step_ms));
    let over_time = |k: usize| Panel {
        x_label: format!("time ({unit})"),
        y_label: label(k),
        x: whole,
        marks: kept.marks(step_ms),
        ..Panel::default()
    };
    let mut in_time = [over_time(0), over_time(1)];
    for (place, (kind, path)) in found.types.iter().enumerate() {
        let line = path.iter().map(|p| (p[0], p[1])).collect();
        plane.marks.push(Mark::new(Shape::Line(line, 3.0), colour(place)).named(names[*kind].clone()));
        for (k, panel) in in_time.iter_mut().enumerate() {
            let line = kept.steps.iter().zip(path).map(|(step, p)| ((step + 1) as f64 * step_ms, p[k])).collect();
            panel.marks.push(Mark::new(Shape::Line(line, 3.0), colour(place)).named(names[*kind].clone()));
        }
    }
    let mut dots = |points: Vec<(f64, f64)>, colour, radius, name: &str| {
        plane.marks.push(Mark::new(Shape::Dots(points, radius), colour).named(name));
    };
    let paths = || found.types.iter().map(|(_, path)| path);
    dots(paths().filter_map(|path| path.first()).map(|p| (p[0], p[1])).collect(), Colour::Ink, 8.0, "start");
    let at_ends = |path: &[[f64; COMPONENTS]]| -> Vec<(f64, f64)> {
        let place = |end: &usize| kept.steps.iter().rposition(|step| step < end).map(|at| (path[at][0], path[at][1]));
        ends.iter().filter_map(place).collect()
    };
    if ends.len() <= 4 {
        dots(paths().flat_map(|path| at_ends(path)).collect(), Colour::Grey, 6.0, "ends of input and trial");
    }
    let [first, second] = in_time;
    Picture {
        name: "trajectories".into(),
        caption: format!(
            "Mean rates of network {network} in each type of trial, along their first two principal components."
        ),
        panels: Panels {
            title: format!("{}: trajectories of network {network}", subject.task().name()),
            rows: vec![vec![plane, first, second]],
        },
    }
}

#[cfg(test)]
mod tests {
    use super::super::population::Kept;
    use super::*;

    #[test]
    fn circles_in_a_planted_plane_are_recovered() {
        // Two types run around circles of radius 2 and 1 in the plane of two axes of 30 neurons; single trials are off by ±d.
        let axis = |k: usize, i: usize| if i % 3 == k { 10f64.sqrt().recip() } else { 0.0 };
        let trial = |kind: usize, offset: f64| {
            let rates = (0..40).flat_map(|time| {
                let (sin, cos) = (std::f64::consts::TAU * time as f64 / 40.0).sin_cos();
                let radius = [2.0, 1.0][kind];
                (0..30).map(move |i| (radius * (cos * axis(0, i) + sin * axis(1, i)) + offset * axis(2, i)) as f32)
            });
            Kept { trial_type: kind, rates: rates.collect(), ..Kept::default() }
        };
        let trials = vec![trial(0, 0.7), trial(1, -0.3), trial(0, -0.7), trial(1, 0.3)];
        let population = Population { steps: (0..40).collect(), trials, neurons: 30, periods: Vec::new() };
        let found = trajectories(&population, 3).unwrap();
        assert!((found.explained[0] - 0.5).abs() < 1e-6 && found.explained[0] + found.explained[1] > 1.0 - 1e-9);
        assert_eq!(found.types.iter().map(|(kind, _)| *kind).collect::<Vec<_>>(), [0, 1]);
        for (kind, path) in &found.types {
            let radius = [2.0, 1.0][*kind];
            assert!(path.iter().all(|p| (p[0].hypot(p[1]) - radius).abs() < 1e-5 && p[2].abs() < 1e-5));
        }
    }
}
