//! The regression subspace of selective integration (Mante et al. 2013, doi 10.1038/nature12742, suppl. methods).
//!
//! For each neuron and time the rate, standardised over trials and times, is regressed on choice (±1), the coherences
//! of the two modalities (−1 to 1), context (±1) and a constant. The coefficients of a variable over neurons are a
//! vector β(t), projected onto the first [`DENOISE`] principal components of the condition averages. Each variable's β
//! at the time of its largest length is made orthogonal to those of the variables before it (QR); condition averages
//! are shown along these axes.

use super::population::{Kept, Population};
use super::statistics::Pca;
use super::*;
use crate::tasks::{Coherences, SelectiveIntegration};
use nalgebra::DMatrix;

/// The variables, in the order in which they are made orthogonal.
const VARIABLES: [&str; 4] = ["choice", "modality 1", "modality 2", "context"];
/// Coherences, as multiples of the task's own.
const LEVELS: [f64; 6] = [-1.0, -0.5, -0.25, 0.25, 0.5, 1.0];
/// Default number of trials of each pair of coherences and context.
const REPEATS: u64 = 10;
/// Times at which rates are kept.
const TIMES: usize = 50;
/// Components of the condition averages that are kept.
const DENOISE: usize = 12;

/// The axes of a network.
struct Subspace {
    /// `[N, 4]`, orthonormal, one column for each variable.
    axes: DMatrix<f64>,
    /// The index of the kept time at which β of each variable is longest.
    peak: [usize; 4],
    /// The length of β of each variable at each time, `[4][times]`.
    lengths: [Vec<f64>; 4],
    /// Mean and standard deviation of each neuron over trials and times.
    scale: Vec<(f64, f64)>,
}

impl Subspace {
    /// The axes, from the `variables` `[trials][4]` of trials and their condition averages, each `[N]`.
    fn of(population: &Population, variables: &[[f64; 4]], averages: &[Vec<f64>]) -> Result<Self> {
        let n = population.neurons;
        let scale = scale(population);
        let design = DMatrix::from_fn(variables.len(), 5, |trial, v| if v < 4 { variables[trial][v] } else { 1.0 });
        // Pseudo-inverse: a variable that never changes (the choice of an untrained network) gets no coefficient.
        let inverse = (design.transpose() * &design)
            .pseudo_inverse(1e-9)
            .map_err(|error| Error::Content(format!("the regression's normal equations: {error}")))?;
        let solve = inverse * design.transpose();
        let averages = averages.iter().flat_map(|mean| standardise(mean, &scale)).collect::<Vec<_>>();
        let pca = Pca::of(&DMatrix::from_row_slice(averages.len() / n, n, &averages))?;
        let kept = pca.axes.columns(0, DENOISE.min(pca.axes.ncols())).into_owned();
        let mut lengths: [Vec<f64>; 4] = Default::default();
        let (mut peak, mut largest, mut longest) = ([0; 4], [-1.0; 4], DMatrix::zeros(n, 4));
        for time in 0..population.times.len() {
            let rates = DMatrix::from_fn(variables.len(), n, |trial, i| {
                (f64::from(population.at(trial, time)[i]) - scale[i].0) / scale[i].1
            });
            let beta = &kept * (kept.transpose() * (&solve * rates).rows(0, 4).transpose());
            for (v, column) in beta.column_iter().enumerate() {
                if column.norm() > largest[v] {
                    (peak[v], largest[v]) = (time, column.norm());
                    longest.set_column(v, &column);
                }
                lengths[v].push(column.norm());
            }
        }
        let mut axes = longest.clone().qr().q();
        for (mut axis, beta) in axes.column_iter_mut().zip(longest.column_iter()) {
            // QR leaves the sign open: each axis is made to point to where its variable is positive.
            if axis.dot(&beta) < 0.0 {
                axis.neg_mut();
            }
        }
        Ok(Subspace { axes, peak, lengths, scale })
    }

    /// The coordinates of mean rates `[N]` along the four axes.
    fn coordinates(&self, mean: &[f64]) -> [f64; 4] {
        let rates = standardise(mean, &self.scale);
        std::array::from_fn(|v| self.axes.column(v).iter().zip(&rates).map(|(axis, r)| axis * r).sum())
    }
}

/// Mean and standard deviation of each neuron over trials and times.
fn scale(population: &Population) -> Vec<(f64, f64)> {
    let n = population.neurons;
    let (mut sum, mut squares, mut count) = (vec![0.0; n], vec![0.0; n], 0.0);
    for rates in population.trials.iter().flat_map(|trial| trial.rates.chunks_exact(n)) {
        count += 1.0;
        for (i, r) in rates.iter().enumerate() {
            sum[i] += f64::from(*r);
            squares[i] += f64::from(*r).powi(2);
        }
    }
    let moments = |(sum, squares): (&f64, &f64)| {
        let (mean, spread) = (sum / count, (squares / count - (sum / count).powi(2)).max(0.0).sqrt());
        // A bias neuron does not vary: it is left at 0.
        (mean, if spread > 1e-6 { spread } else { 1.0 })
    };
    sum.iter().zip(&squares).map(moments).collect()
}

fn standardise(mean: &[f64], scale: &[(f64, f64)]) -> Vec<f64> {
    mean.iter().zip(scale).map(|(r, (mean, spread))| (r - mean) / spread).collect()
}

/// Correct trials to be averaged, with the same context, choice, and coherence of the modality they are sorted by.
struct Group {
    context: usize,
    modality: usize,
    level: f64,
    positive: bool,
    trials: Vec<usize>,
}

/// The groups that have trials.
fn groups(population: &Population, grid: &Coherences, coherence: f64) -> Vec<Group> {
    let mut groups = Vec::new();
    for (context, modality) in [(0, 0), (0, 1), (1, 0), (1, 1)] {
        for (level, positive) in LEVELS.iter().flat_map(|level| [(*level, false), (*level, true)]) {
            let trials = population.which(|k, trial| {
                let there = grid.condition(k as u64);
                let chosen = trial.answer > 0.0;
                let correct = chosen == (there.coherences[there.attended] > 0.0);
                let sorted = there.attended == context && there.coherences[modality] == level * coherence;
                sorted && chosen == positive && correct
            });
            groups.push(Group { context, modality, level, positive, trials });
        }
    }
    groups.retain(|group| !group.trials.is_empty());
    groups
}

/// The variables of each trial, `[trials][4]`.
fn variables(population: &Population, grid: &Coherences, coherence: f64) -> Vec<[f64; 4]> {
    let variables = |(k, trial): (usize, &Kept)| {
        let there = grid.condition(k as u64);
        let [first, second] = there.coherences.map(|c| c / coherence);
        let choice = if trial.answer > 0.0 { 1.0 } else { -1.0 };
        [choice, first, second, [1.0, -1.0][there.attended]]
    };
    population.trials.iter().enumerate().map(variables).collect()
}

pub(super) fn run(subject: &Subject, options: &Options) -> Result<Findings> {
    let task = SelectiveIntegration::of(&subject.checkpoint.setup.config.task)?;
    let Some(task) = task else { bail!(Usage, "task.name is not `selective-integration`") };
    let coherence = task.coherence;
    let grid = Coherences::grid(task, &LEVELS);
    let trials = REPEATS * grid.conditions().len() as u64;
    let mut findings = Findings::default();
    let columns =
        "network context sorted_by coherence choice time choice_axis modality_1_axis modality_2_axis context_axis";
    let mut table = Table::new("subspace", columns);
    let mut lengths = Table::new("subspace_coefficients", "network variable time length");
    for population in subject.populations(options, trials, TIMES, Some(grid.clone().into())) {
        let population = population?;
        let (network, times) = (population.network, &population.times);
        let groups = groups(&population, &grid, coherence);
        let averages = population.means(groups.iter().map(|group| &group.trials));
        let subspace = Subspace::of(&population, &variables(&population, &grid, coherence), &averages)?;
        for (name, length) in VARIABLES.iter().zip(&subspace.lengths) {
            for (time, length) in times.iter().zip(length) {
                lengths.push(&[&network, name, time, length]);
            }
        }
        let path = |means: &[Vec<f64>]| means.iter().map(|mean| subspace.coordinates(mean)).collect();
        let paths: Vec<Vec<[f64; 4]>> = averages.chunks(times.len().max(1)).map(path).collect();
        for (group, path) in groups.iter().zip(&paths) {
            let (attend, by, level) = (group.context + 1, group.modality + 1, group.level * coherence);
            let choice = if group.positive { 1 } else { -1 };
            for (time, [x, y, z, w]) in times.iter().zip(path) {
                table.push(&[&network, &attend, &by, &level, &choice, time, x, y, z, w]);
            }
        }
        if network == subject.shown() {
            let peak = |(name, at): (&&str, usize)| format!("{name} {} {}", times[at], subject.time_unit());
            let peaks: Vec<String> = VARIABLES.iter().zip(subspace.peak).map(peak).collect();
            let numbers: Vec<(&str, f64)> = VARIABLES.into_iter().zip(subspace.peak.map(|at| times[at])).collect();
            let name = format!("largest coefficients, network {network}");
            findings.say(name, &numbers, subject.time_unit(), peaks.join(", "));
            findings.draw(
                "subspace",
                format!("{}: regression subspace of network {network}", subject.task().name()),
                format!("Mean rates of network {network} in correct trials, along the axes of choice and of either modality, from the beginning of a trial to its end (a.u.: standard deviations of single neurons)."),
                [0, 1].map(|context| [0, 1].map(|by| panel(context, by, &groups, &paths)).to_vec()).to_vec(),
            );
        }
    }
    findings.tables = vec![table, lengths];
    Ok(findings)
}

/// The condition averages of one context, sorted by the coherence of one modality, along its axis and that of choice.
fn panel(context: usize, modality: usize, groups: &[Group], paths: &[Vec<[f64; 4]>]) -> Panel {
    let there = groups.iter().zip(paths).filter(|(g, _)| g.context == context && g.modality == modality);
    // The legend names the levels in their order, whichever groups have trials.
    let level_mark = |(level, points): (f64, Vec<(f64, f64)>)| {
        let colour = Colour::Scale(level.signum() * (0.25 + 0.75 * level.abs()));
        Mark::new(Shape::Line(points, 2.5), colour).named(format!("coherence × {level}").replace('-', "−"))
    };
    let mut marks: Vec<Mark> = LEVELS.iter().map(|level| level_mark((*level, Vec::new()))).collect();
    let path =
        |(group, path): (&Group, &Vec<[f64; 4]>)| (group.level, path.iter().map(|p| (p[0], p[1 + modality])).collect());
    marks.extend(there.clone().map(path).map(level_mark));
    let starts = there.filter_map(|(_, path)| path.first()).map(|p| (p[0], p[1 + modality])).collect();
    marks.push(Mark::new(Shape::Dots(starts, 6.0), Colour::Ink).named("start"));
    let (attend, by) = (context + 1, modality + 1);
    let shown = if attend == by { "attended" } else { "ignored" };
    let title = format!("attend modality {attend}, sorted by modality {by} ({shown})");
    findings::panel(title, ["choice axis", &format!("modality {by} axis")], marks)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::{gaussian, stream, Phase, Purpose};
    use rand::RngExt;

    #[test]
    fn a_planted_subspace_is_recovered() {
        // Each variable drives 40 neurons along its own direction, strongest at its own time, with added noise.
        const N: usize = 40;
        let mut rng = stream(2, 0, 0, Phase::Simulate, Purpose::Task);
        let drawn = gaussian(&mut rng, 4 * N, 1.0).into_iter().map(f64::from);
        let planted = DMatrix::from_iterator(N, 4, drawn).qr().q();
        let peaks = [9usize, 3, 5, 1];
        let strength = |v: usize, time: usize| 5.0 * (-(time as f64 - peaks[v] as f64).powi(2) / 4.0).exp();
        let mut variables = Vec::new();
        let trial = |_| {
            let level = |rng: &mut crate::random::Stream| LEVELS[rng.random_range(0..6)];
            let context = if rng.random::<bool>() { 1.0 } else { -1.0 };
            let (first, second): (f64, f64) = (level(&mut rng), level(&mut rng));
            let choice = if context > 0.0 { first.signum() } else { second.signum() };
            let values = [choice, first, second, context];
            let noise = gaussian(&mut rng, 12 * N, 0.3);
            let rate =
                |time: usize, i: usize| (0..4).map(|v| values[v] * strength(v, time) * planted[(i, v)]).sum::<f64>();
            let rates = (0..12 * N).map(|k| noise[k] + rate(k / N, k % N) as f32).collect();
            variables.push(values);
            Kept { rates, ..Kept::default() }
        };
        let trials: Vec<Kept> = (0..400).map(trial).collect();
        let population = Population { times: vec![0.0; 12], trials, neurons: N, ..Population::default() };
        // Conditions: every combination of context, signs and sizes that came up, in order of appearance.
        let first = |k: &usize| variables.iter().position(|values| *values == variables[*k]) == Some(*k);
        let group = |k: usize| population.which(|other, _| variables[other] == variables[k]);
        let groups: Vec<Vec<usize>> = (0..variables.len()).filter(first).map(group).collect();
        let found = Subspace::of(&population, &variables, &population.means(groups.iter())).unwrap();
        assert_eq!(found.peak, peaks);
        assert!((found.axes.transpose() * &found.axes - DMatrix::identity(4, 4)).norm() < 1e-9);
        // Rates were standardised: divide the planted directions by each neuron's spread, then orthogonalise again.
        let scaled = DMatrix::from_fn(N, 4, |i, v| planted[(i, v)] / found.scale[i].1).qr().q();
        for v in 0..4 {
            let along = scaled.column(v).dot(&found.axes.column(v)).abs();
            assert!(along > 0.97, "{}: {along}", VARIABLES[v]);
        }
        // Mean rates of a condition lie where its variables say: positive motion on the positive side of its axis.
        let positive = population.which(|k, _| variables[k][1] > 0.0);
        assert!(found.coordinates(&population.mean(&positive, 3))[1] > 1.0);
    }
}
