//! Population trajectories: the mean rates of each trial type along their principal components.

use super::population::Population;
use super::statistics::Pca;
use super::*;
use nalgebra::DMatrix;

/// Default number of trials of each type.
const REPEATS: u64 = 20;
/// Times at which rates are kept.
const TIMES: usize = 100;
/// Components that are kept.
const COMPONENTS: usize = 3;

/// One network's trajectories.
struct Trajectories {
    /// The fraction of the variance along each component.
    explained: Vec<f64>,
    /// The coordinates of each trial type at each time along each component: (type, `[times][component]`).
    types: Vec<(usize, Vec<[f64; COMPONENTS]>)>,
}

/// Principal components of the means over the trials of each type, all types and times together.
fn trajectories(population: &Population, types: usize) -> Result<Trajectories> {
    let groups = population.by_type(types);
    let means = population.means(groups.iter().map(|(_, trials)| trials));
    let samples = DMatrix::from_row_iterator(means.len(), population.neurons, means.iter().flatten().copied());
    let pca = Pca::of(&samples)?;
    let coordinate = |mean: &[f64], k: usize| if k < pca.axes.ncols() { pca.coordinate(mean, k) } else { 0.0 };
    let path = |means: &[Vec<f64>]| means.iter().map(|mean| std::array::from_fn(|k| coordinate(mean, k))).collect();
    let paths = means.chunks(population.times.len().max(1)).map(path);
    let types = groups.iter().map(|(kind, _)| *kind).zip(paths).collect();
    Ok(Trajectories { explained: pca.explained, types })
}

pub(super) fn run(subject: &Subject, options: &Options) -> Result<Findings> {
    let names = subject.task().trial_types();
    let mut findings = Findings::default();
    let mut table = Table::new("trajectories", "network type time pc1 pc2 pc3");
    let mut variances = Table::new("trajectories_variance", "network component fraction_of_variance");
    let mut sums = Vec::new();
    for population in subject.populations(options, REPEATS * names.len() as u64, TIMES, None) {
        let population = population?;
        let network = population.network;
        let found = trajectories(&population, names.len())?;
        for (kind, path) in &found.types {
            for (time, [a, b, c]) in population.times.iter().zip(path) {
                table.push(&[&network, &names[*kind], time, a, b, c]);
            }
        }
        for (k, explained) in found.explained.iter().take(20).enumerate() {
            variances.push(&[&network, &(k + 1), explained]);
        }
        sums.push(found.explained.iter().take(COMPONENTS).sum::<f64>());
        if network == subject.shown() {
            let first: Vec<String> = found.explained.iter().take(5).map(|e| format!("{:.0} %", 100.0 * e)).collect();
            let numbers: Vec<(String, f64)> =
                found.explained.iter().take(5).enumerate().map(|(k, e)| (format!("pc{}", k + 1), *e)).collect();
            let numbers: Vec<(&str, f64)> = numbers.iter().map(|(name, e)| (&name[..], *e)).collect();
            let name = format!("variance along the first components, network {network}");
            findings.say(name, &numbers, "fraction of the variance", first.join(", "));
            findings.draw(
                "trajectories",
                format!("{}: trajectories of network {network}", subject.task().name()),
                format!("Mean rates of network {network} in each type of trial, along their first two principal components."),
                vec![panels(subject, &population, &names, &found)],
            );
        }
    }
    findings.say_mean("variance along the first three components", Mean::of(&sums));
    findings.tables = vec![table, variances];
    Ok(findings)
}

/// Maps a time, and the coordinates at that time, to a point in a panel.
type Projection<'a> = &'a dyn Fn(f64, &[f64; COMPONENTS]) -> (f64, f64);

/// The first two components against each other, and each against time.
fn panels(subject: &Subject, population: &Population, names: &[String], found: &Trajectories) -> Vec<Panel> {
    let colour = |place: usize| match found.types.len() {
        0..=5 => Colour::Nth(place),
        count => Colour::Scale(2.0 * place as f64 / (count - 1) as f64 - 1.0),
    };
    let label =
        |k: usize| format!("PC {} ({:.0} % of the variance)", k + 1, 100.0 * found.explained.get(k).unwrap_or(&0.0));
    let lines = |point: Projection| -> Vec<Mark> {
        let line = |(place, (kind, path)): (usize, &(usize, Vec<[f64; COMPONENTS]>))| {
            let points = population.times.iter().zip(path).map(|(time, p)| point(*time, p)).collect();
            Mark::new(Shape::Line(points, 3.0), colour(place)).named(names[*kind].clone())
        };
        found.types.iter().enumerate().map(line).collect()
    };
    let time = format!("time ({})", subject.time_unit());
    let against_time = |k: usize| {
        let marks = [population.marks(), lines(&|time, p| (time, p[k]))].concat();
        Panel { x: Some((0.0, subject.duration())), ..panel("", [&time, &label(k)], marks) }
    };
    let mut plane = lines(&|_, p| (p[0], p[1]));
    let paths = || found.types.iter().map(|(_, path)| path);
    let starts = paths().filter_map(|path| path.first()).map(|p| (p[0], p[1])).collect();
    plane.push(Mark::new(Shape::Dots(starts, 8.0), Colour::Ink).named("start"));
    if population.periods.len() <= 4 {
        let last = |end: f64| population.times.iter().rposition(|time| *time <= end);
        let ends: Vec<usize> = population.periods.iter().filter_map(|period| last(period.to)).collect();
        let dots = paths().flat_map(|path| ends.iter().map(|at| (path[*at][0], path[*at][1]))).collect();
        plane.push(Mark::new(Shape::Dots(dots, 6.0), Colour::Grey).named("ends of input and trial"));
    }
    vec![panel("", [&label(0), &label(1)], plane), against_time(0), against_time(1)]
}

#[cfg(test)]
mod tests {
    use super::super::population::Kept;
    use super::*;

    #[test]
    fn circles_in_a_planted_plane_are_recovered() {
        // Two types follow circles of radius 2 and 1 in the plane of two axes of 30 neurons; trials are off by ±d.
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
        let population = Population { times: vec![0.0; 40], trials, neurons: 30, ..Population::default() };
        let found = trajectories(&population, 3).unwrap();
        assert!((found.explained[0] - 0.5).abs() < 1e-6 && found.explained[0] + found.explained[1] > 1.0 - 1e-9);
        assert_eq!(found.types.iter().map(|(kind, _)| *kind).collect::<Vec<_>>(), [0, 1]);
        for (kind, path) in &found.types {
            let radius = [2.0, 1.0][*kind];
            assert!(path.iter().all(|p| (p[0].hypot(p[1]) - radius).abs() < 1e-5 && p[2].abs() < 1e-5));
        }
    }
}
