//! How alike networks are: linear centred kernel alignment (CKA; Kornblith et al. 2019, arXiv 1905.00414) and the angular
//! Procrustes distance (Williams et al. 2021, arXiv 2110.14739) of their mean rates.
//!
//! The mean rates of each trial type at each time, centred, are a matrix X `[types × times, N]` of each network. With the kernel
//! K = X Xᵀ, CKA is ⟨K, L⟩ / (|K| |L|): 1 for networks that differ by a rotation and a scale. The Procrustes distance
//! is arccos(‖Xᵀ Y‖∗ / (|X| |Y|)): the angle that is left after the best rotation, in radians; ‖·‖∗ is the sum of the singular
//! values. The networks before learning are drawn anew from the run's seed.

use super::population::Population;
use super::weights::initial;
use super::*;
use crate::training::{Checkpoint, Plastic};
use nalgebra::{DMatrix, SymmetricEigen};
use rayon::prelude::*;

/// Default number of trials of each type, and the times at which rates are kept.
const REPEATS: u64 = 20;
const TIMES: usize = 25;
/// The groups of networks that every run has.
const GROUPS: [&str; 2] = ["before learning", "after learning"];

/// A network among those that are compared.
struct Member {
    group: usize,
    network: u64,
    /// K = X Xᵀ, minus the mean over its rows and columns, of norm 1.
    kernel: DMatrix<f64>,
    /// A square root of K: ‖Xᵀ Y‖∗ is that of the product of the roots.
    root: DMatrix<f64>,
    /// |X|² in units of |K|.
    trace: f64,
}

pub(super) fn why_not(subject: &Subject) -> Option<String> {
    subject.refuse_episodes().or_else(|| {
        let networks = subject.checkpoint.setup.config.train.networks.count();
        (networks < 2 && subject.others.is_empty()).then(|| "there is one network; add others (--with)".to_string())
    })
}

/// Kernel and root of the mean rates of a population, in which every type must have a trial.
fn member(group: usize, population: &Population, types: usize) -> Result<Member> {
    let groups = population.by_type(types);
    let found = groups.len();
    ensure!(
        found == types,
        Usage,
        "similarity needs a trial of each of the {types} types; found {found} types: ask for more trials (--trials)"
    );
    let means = population.means(groups.iter().map(|(_, trials)| trials));
    let mut x = DMatrix::from_row_iterator(means.len(), population.neurons, means.iter().flatten().copied());
    x.column_iter_mut().for_each(|mut column| {
        let mean = column.mean();
        column.add_scalar_mut(-mean);
    });
    let kernel = &x * x.transpose();
    let norm = kernel.norm().max(f64::MIN_POSITIVE);
    let kernel = kernel / norm;
    let SymmetricEigen { eigenvectors, eigenvalues } = SymmetricEigen::new(kernel.clone());
    let scaled = DMatrix::from_diagonal(&eigenvalues.map(|value| value.max(0.0).sqrt()));
    let root = &eigenvectors * scaled * eigenvectors.transpose();
    Ok(Member { group, network: population.network, trace: kernel.trace(), kernel, root })
}

/// CKA and Procrustes distance of two networks.
fn compare(a: &Member, b: &Member) -> [f64; 2] {
    let aligned = (&a.root * &b.root).singular_values().sum() / (a.trace * b.trace).sqrt();
    [a.kernel.dot(&b.kernel), libm::acos(aligned.clamp(-1.0, 1.0))]
}

pub(super) fn run(subject: &Subject, options: &Options) -> Result<Findings> {
    let (task, types) = (subject.task(), subject.task().n_types());
    let before = subject.checkpoint;
    let plastic = Plastic { weights: initial(subject)?, ..before.plastic.clone() };
    let before = Checkpoint {
        plastic,
        ..subject.checkpoint.part(0..before.setup.config.train.networks.count(), &candle_core::Device::Cpu)?
    };
    let mut names: Vec<String> = GROUPS.map(String::from).to_vec();
    let mut all = vec![&before, subject.checkpoint];
    for (name, other) in subject.others {
        let theirs = &other.setup.task;
        ensure!(
            (theirs.steps(), theirs.n_types()) == (task.steps(), types),
            Usage,
            "{name} has trials of {} steps and {} types; expected {} and {types}, as the first run has",
            theirs.steps(),
            theirs.n_types(),
            task.steps()
        );
        names.push(name.clone());
        all.push(other);
    }
    let mut members = Vec::new();
    for (group, checkpoint) in all.into_iter().enumerate() {
        let subject = Subject { checkpoint, ..*subject };
        for population in subject.populations(options, REPEATS * types as u64, TIMES, None) {
            members.push(member(group, &population?, types)?);
        }
    }
    let pairs: Vec<(usize, usize)> = (0..members.len()).flat_map(|a| (0..=a).map(move |b| (a, b))).collect();
    let compared: Vec<[f64; 2]> = pairs.par_iter().map(|&(a, b)| compare(&members[a], &members[b])).collect();
    let mut table = Table::new("similarity", "group network other_group other_network cka procrustes");
    let mut squares = [0, 1].map(|_| vec![vec![0.0; members.len()]; members.len()]);
    for (&(a, b), values) in pairs.iter().zip(&compared) {
        let (one, other) = (&members[a], &members[b]);
        table.push(&[&names[one.group], &one.network, &names[other.group], &other.network, &values[0], &values[1]]);
        for (square, value) in squares.iter_mut().zip(values) {
            (square[a][b], square[b][a]) = (*value, *value);
        }
    }
    let mut findings = Findings { tables: vec![table], ..Findings::default() };
    for one in 0..names.len() {
        for other in 0..=one {
            let between = pairs
                .iter()
                .zip(&compared)
                .filter(|((a, b), _)| a != b && (members[*a].group, members[*b].group) == (one, other));
            let values: Vec<[f64; 2]> = between.map(|(_, values)| *values).collect();
            if values.is_empty() {
                continue;
            }
            let [cka, angle] = [0, 1].map(|k| Mean::of(&values.iter().map(|v| v[k]).collect::<Vec<_>>()).value);
            let name = match one == other {
                true => format!("networks {} among themselves", names[one]),
                false => format!("networks {} and {}", names[one], names[other]),
            };
            let numbers = [("cka", cka), ("procrustes angle in radians", angle), ("pairs", values.len() as f64)];
            findings.say(
                name,
                &numbers,
                "",
                format!("CKA {cka:.3}, Procrustes angle {angle:.3} rad (means of {} pairs)", values.len()),
            );
        }
    }
    let [cka, angle] = squares;
    findings.draw(
        "similarity",
        format!("{}: similarity of networks", task.name()),
        format!("Mean rates of each pair of networks: centred kernel alignment, 1 for networks that differ by a rotation and a scale, and the angle that the best rotation leaves. In this order, from the lower left: {}.", names.join(", ")),
        vec![vec![square("CKA", cka, (0.0, 1.0)), square("Procrustes angle (rad)", angle, (std::f64::consts::FRAC_PI_2, 0.0))]],
    );
    Ok(findings)
}

fn square(label: &str, values: Vec<Vec<f64>>, range: (f64, f64)) -> Panel {
    let all = (0.0, values.len() as f64);
    let heat = HeatMap { values, x: all, y: all, range, label: label.into() };
    let marks = vec![Mark::new(Shape::Heat(heat), Colour::Ink)];
    Panel { x: Some(all), y: Some(all), equal: true, ..panel(label, ["network", "network"], marks) }
}

#[cfg(test)]
mod tests {
    use super::super::population::Kept;
    use super::*;
    use crate::random::{gaussian, stream, Phase, Purpose, Stream};

    const N: usize = 30;

    fn population(rates: &DMatrix<f64>) -> Population {
        let kept = |row: usize| Kept {
            trial_type: row,
            rates: rates.row(row).iter().map(|r| *r as f32).collect(),
            ..Kept::default()
        };
        Population {
            times: vec![0.0],
            trials: (0..rates.nrows()).map(kept).collect(),
            neurons: N,
            ..Population::default()
        }
    }

    fn random(rng: &mut Stream, rows: usize) -> DMatrix<f64> {
        DMatrix::from_iterator(rows, N, gaussian(rng, rows * N, 1.0).into_iter().map(f64::from))
    }

    #[test]
    fn rotated_networks_are_the_same_and_unrelated_ones_are_not() {
        let member = |group, population: &Population| member(group, population, 12).unwrap();
        let mut rng = stream(4, 0, 0, Phase::Simulate, Purpose::Task);
        let rates = random(&mut rng, 12);
        let rotation = random(&mut rng, N).qr().q();
        let turned = member(1, &population(&(&rates * rotation * 2.5)));
        let (one, other) = (member(0, &population(&rates)), member(0, &population(&random(&mut rng, 12))));
        let [cka, angle] = compare(&one, &turned);
        assert!((cka - 1.0).abs() < 1e-6 && angle < 1e-2, "{cka} {angle}");
        // Against the definitions, with X and Y themselves.
        let centred = |population: &Population| {
            let means = population.means((0..12).map(|k| vec![k]).collect::<Vec<_>>().iter());
            let mut x = DMatrix::from_row_iterator(12, N, means.iter().flatten().copied());
            x.column_iter_mut().for_each(|mut column| {
                let mean = column.mean();
                column.add_scalar_mut(-mean)
            });
            x
        };
        let (x, y) = (
            centred(&population(&rates)),
            centred(&population(&random(&mut stream(9, 0, 0, Phase::Simulate, Purpose::Task), 12))),
        );
        let (a, b) = (member(0, &population(&x)), member(0, &population(&y)));
        let cross = x.transpose() * &y;
        let expected_cka = cross.norm_squared() / ((x.transpose() * &x).norm() * (y.transpose() * &y).norm());
        let expected_angle = (cross.singular_values().sum() / (x.norm() * y.norm())).acos();
        let [cka, angle] = compare(&a, &b);
        assert!(
            (cka - expected_cka).abs() < 1e-5 && (angle - expected_angle).abs() < 1e-4,
            "{cka} {expected_cka} {angle} {expected_angle}"
        );
        // Few samples of many neurons: about 1 / (1 + 12 / 30) even for unrelated ones.
        assert!((compare(&one, &other)[0] - 0.71).abs() < 0.1);
    }
}
