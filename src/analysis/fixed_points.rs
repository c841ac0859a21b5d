//! Fixed points of the dynamics and their linearisation (Sussillo & Barak 2013, doi 10.1162/NECO_a_00409).
//!
//! With constant inputs a network rests at x where F(x) = −x + w_rec φ(x) + w_in u + b_rec is 0. From states that it visits in
//! trials, the speed q = |F|² / 2 is minimised by Levenberg and Marquardt's method. Near such a point a small deviation grows or
//! decays along the eigenvectors of the Jacobian w_rec diag(φ') − 1, in units of 1/τ: the point is stable if all its eigenvalues
//! have a negative real part (discrete dynamics: if those of w_rec diag(φ') lie inside the unit circle). Feedback of
//! the output is part of w_rec and b_rec here.

use super::population::Population;
use super::statistics::{eigenvalues, matrix, Pca};
use super::*;
use crate::config::{NetworkConfig, Stage, TransferFunction};
use crate::engine::TrialBatch;
use crate::runs::draw_fresh;
use crate::training::Checkpoint;
use nalgebra::{Complex, DMatrix, DVector};
use rayon::prelude::*;

/// Default number of trials of each network, and the times at which states are kept.
const TRIALS: u64 = 32;
const TIMES: usize = 50;
/// States from which points are searched, for each set of inputs.
const STARTS: usize = 32;
/// Sets of inputs: different ones at the last step of a trial.
const MOST_INPUTS: usize = 6;
/// At most this many steps of a search.
const STEPS: usize = 200;
/// Below this speed a point is fixed; below the second it is slow, and kept as well.
const FIXED: f64 = 1e-18;
const SLOW: f64 = 1e-4;
/// Points whose rates differ by less than this are one.
const SAME: f64 = 1e-3;
/// Eigenvalues of each point in the table and the picture, those with the largest real part first.
const LEADING: usize = 10;

/// The dynamics of one network with constant inputs.
struct Dynamics {
    /// `[N, N]`, with output feedback.
    w_rec: DMatrix<f64>,
    w_in: DMatrix<f64>,
    bias: DVector<f64>,
    /// Neurons whose activation is held.
    clamped: Vec<(usize, f64)>,
    response: (TransferFunction, f64, f64),
    discrete: bool,
}

/// A point where the dynamics rest or are slow.
struct Point {
    /// Firing rates, `[N]`.
    rates: Vec<f64>,
    /// |F|² / 2.
    speed: f64,
    /// Eigenvalues of the linearisation, the one that decays slowest or grows fastest first.
    spectrum: Vec<Complex<f64>>,
    /// The number of directions in which small deviations grow.
    unstable: usize,
}

impl Point {
    fn kind(&self) -> &'static str {
        match (self.speed < FIXED, self.unstable) {
            (false, _) => "slow",
            (true, 0) => "stable",
            (true, _) => "unstable",
        }
    }
}

pub(super) fn why_not(subject: &Subject) -> Option<String> {
    let config = &subject.checkpoint.setup.config;
    let known = ["leaky", "leaky-rate", "discrete"].contains(&&config.network.dynamics[..]);
    if !known {
        return Some(format!("networks with `{}` dynamics have no resting rates", config.network.dynamics));
    }
    let changing = config.fast_weights.stage != Stage::None;
    subject
        .task_unless(subject.task().trials().is_some(), "is an environment, which never rests")
        .or_else(|| changing.then(|| "fast weights change within a trial, so there are no fixed points".into()))
}

impl Dynamics {
    fn of(network: &Checkpoint) -> Result<Self> {
        let (config, weights) = (&network.setup.config.network, &network.plastic.weights);
        let (mut w_rec, w_in) = (matrix(&weights.w_rec.get(0)?)?, matrix(&weights.w_in.get(0)?)?);
        let n = w_rec.nrows();
        let column = |tensor: &candle_core::Tensor| matrix(&tensor.get(0)?.unsqueeze(1)?);
        let mut bias = weights.b_rec.as_ref().map_or(Ok(DMatrix::zeros(n, 1)), column)?;
        if let Some(w_fb) = &weights.w_fb {
            let w_fb = matrix(&w_fb.get(0)?)?;
            match (&weights.w_out, &weights.b_out) {
                (Some(w_out), Some(b_out)) => {
                    w_rec += &w_fb * matrix(&w_out.get(0)?)?;
                    bias += &w_fb * column(b_out)?;
                }
                _ => config.output_neurons.iter().enumerate().for_each(|(k, &neuron)| {
                    let fed = w_rec.column(neuron) + w_fb.column(k);
                    w_rec.set_column(neuron, &fed);
                }),
            }
        }
        let NetworkConfig { response, response_offset, response_max, dynamics, clamped, .. } = config;
        Ok(Dynamics {
            w_rec,
            w_in,
            bias: bias.column(0).into_owned(),
            clamped: clamped.clone(),
            response: (*response, *response_offset, *response_max),
            discrete: dynamics == "discrete",
        })
    }

    /// φ(x) and φ'(x).
    fn rate(&self, x: f64) -> (f64, f64) {
        let (response, offset, max) = self.response;
        match response {
            TransferFunction::Tanh => (libm::tanh(x), 1.0 - libm::tanh(x).powi(2)),
            TransferFunction::RectifiedLinear => {
                ((x + offset).clamp(0.0, max), if x > -offset && x < max - offset { 1.0 } else { 0.0 })
            }
        }
    }

    /// An activation that has this rate, or nearly so where the transfer function is flat.
    fn activation(&self, rate: f64) -> f64 {
        match self.response {
            (TransferFunction::Tanh, ..) => libm::atanh(rate.clamp(-0.999, 0.999)),
            (TransferFunction::RectifiedLinear, offset, _) => rate - offset,
        }
    }

    /// F(x) with the drive w_in u + b_rec, and w_rec diag(φ'), without the clamped neurons.
    fn flow(&self, x: &DVector<f64>, drive: &DVector<f64>) -> (DVector<f64>, DMatrix<f64>) {
        let (rates, slopes): (Vec<f64>, Vec<f64>) = x.iter().map(|x| self.rate(*x)).unzip();
        let mut flow = &self.w_rec * DVector::from_vec(rates) + drive - x;
        let mut through = self.w_rec.clone();
        through.column_iter_mut().zip(slopes).for_each(|(mut column, slope)| column *= slope);
        for (neuron, _) in &self.clamped {
            flow[*neuron] = 0.0;
            through.row_mut(*neuron).fill(0.0);
            through.column_mut(*neuron).fill(0.0);
        }
        (flow, through)
    }

    /// The point of least speed that is reached from x, and its speed.
    fn rest(&self, mut x: DVector<f64>, drive: &DVector<f64>) -> (DVector<f64>, f64) {
        self.clamped.iter().for_each(|(neuron, activation)| x[*neuron] = *activation);
        let (n, mut damping) = (x.len(), 1e-3);
        let (mut flow, mut through) = self.flow(&x, drive);
        for _ in 0..STEPS {
            let speed = flow.norm_squared() / 2.0;
            if speed < FIXED * 1e-6 || damping > 1e9 {
                break;
            }
            let jacobian = through.clone() - DMatrix::identity(n, n);
            let (square, slope) = (jacobian.tr_mul(&jacobian), jacobian.tr_mul(&flow));
            let damped = square + DMatrix::identity(n, n) * damping;
            let Some(step) = damped.cholesky().map(|cholesky| cholesky.solve(&slope)) else { break };
            let moved = &x - step;
            let (next, next_through) = self.flow(&moved, drive);
            if next.norm_squared() / 2.0 < speed {
                (x, flow, through) = (moved, next, next_through);
                damping = (damping * 0.1).max(1e-12);
            } else {
                damping *= 10.0;
            }
        }
        (x, flow.norm_squared() / 2.0)
    }

    /// Every point that is reached from one of the `starts` (rates), the slowest first.
    fn points(&self, starts: &[Vec<f64>], inputs: &[f32]) -> Vec<Point> {
        let inputs = DVector::from_iterator(inputs.len(), inputs.iter().map(|u| f64::from(*u)));
        let drive = &self.w_in * inputs + &self.bias;
        let from = |rates: &Vec<f64>| {
            let x = DVector::from_iterator(rates.len(), rates.iter().map(|r| self.activation(*r)));
            self.rest(x, &drive)
        };
        let mut found: Vec<_> = starts.par_iter().map(from).filter(|(_, speed)| *speed < SLOW).collect();
        found.sort_by(|a, b| a.1.total_cmp(&b.1));
        let mut points: Vec<Point> = Vec::new();
        for (x, speed) in found {
            let rates: Vec<f64> = x.iter().map(|x| self.rate(*x).0).collect();
            let near = |other: &Point| other.rates.iter().zip(&rates).all(|(a, b)| (a - b).abs() < SAME);
            if points.iter().any(near) {
                continue;
            }
            let mut spectrum = eigenvalues(self.flow(&x, &drive).1);
            let grows =
                |value: &Complex<f64>| if self.discrete { value.re.hypot(value.im) - 1.0 } else { value.re - 1.0 };
            let unstable = spectrum.iter().filter(|value| grows(value) > 0.0).count();
            spectrum.sort_by(|a, b| grows(b).total_cmp(&grows(a)).then(b.im.total_cmp(&a.im)));
            if !self.discrete {
                spectrum.iter_mut().for_each(|value| value.re -= 1.0);
            }
            points.push(Point { rates, speed, spectrum, unstable });
        }
        points
    }
}

/// The different inputs at the last step of the trials.
fn last_inputs(batch: &TrialBatch, n_in: usize) -> Vec<Vec<f32>> {
    let mut found: Vec<Vec<f32>> = Vec::new();
    for drawn in &batch.drawn {
        let inputs = &drawn.trial.inputs;
        let last = inputs[inputs.len() - n_in..].to_vec();
        if !found.contains(&last) && found.len() < MOST_INPUTS {
            found.push(last);
        }
    }
    found
}

pub(super) fn run(subject: &Subject, options: &Options) -> Result<Findings> {
    let n_in = subject.task().n_in();
    let columns = "network inputs point kind speed unstable_directions pc1 pc2 pc3";
    let mut table = Table::new("fixed_points", columns);
    let mut spectra = Table::new("fixed_points_eigenvalues", "network inputs point real imaginary");
    let mut findings = Findings::default();
    let (mut stable, mut unstable) = (Vec::new(), Vec::new());
    let populations = subject.populations(options, TRIALS, TIMES, None);
    for (network, population) in subject.networks().zip(populations) {
        let ((number, network), population) = (network?, population?);
        let dynamics = Dynamics::of(&network)?;
        let batch = draw_fresh(&network.setup, 0, population.trials.len().min(64), options.seed)?;
        let visited = |k: usize| {
            let (trial, time) = (k % population.trials.len(), k * 7 % population.times.len().max(1));
            population.at(trial, time).iter().map(|r| f64::from(*r)).collect()
        };
        let starts: Vec<Vec<f64>> = (0..STARTS).map(visited).collect();
        let groups = population.by_type(subject.task().n_types());
        let means = population.means(groups.iter().map(|(_, trials)| trials));
        let pca =
            Pca::of(&DMatrix::from_row_iterator(means.len(), population.neurons, means.iter().flatten().copied()))?;
        let place =
            |rates: &[f64]| [0, 1, 2].map(|k| if k < pca.axes.ncols() { pca.coordinate(rates, k) } else { 0.0 });
        let all: Vec<Vec<Point>> =
            last_inputs(&batch, n_in).iter().map(|inputs| dynamics.points(&starts, inputs)).collect();
        for (inputs, points) in all.iter().enumerate() {
            for (k, point) in points.iter().enumerate() {
                let [a, b, c] = place(&point.rates);
                table.push(&[&number, &inputs, &k, &point.kind(), &point.speed, &point.unstable, &a, &b, &c]);
                for value in point.spectrum.iter().take(LEADING) {
                    spectra.push(&[&number, &inputs, &k, &value.re, &value.im]);
                }
            }
        }
        let count = |kind: &str| all.iter().flatten().filter(|point| point.kind() == kind).count() as f64;
        stable.push(count("stable"));
        unstable.push(count("unstable"));
        if number == subject.shown() {
            findings.draw(
                "fixed_points",
                format!("{}: fixed points of network {number}", subject.task().name()),
                "Where the dynamics rest if the inputs of a trial's last step stay on, along the principal components of the mean rates, and the leading eigenvalues of the linearisation there.",
                vec![panels(&population, &means, &all, &place, dynamics.discrete)],
            );
        }
    }
    findings.say_mean("stable fixed points of a network", Mean::of(&stable));
    findings.say_mean("unstable fixed points of a network", Mean::of(&unstable));
    findings.tables = vec![table, spectra];
    Ok(findings)
}

/// The colour and name of a point's kind.
fn look(point: &Point) -> (Colour, &'static str) {
    match point.kind() {
        "stable" => (Colour::Blue, "stable"),
        "unstable" => (Colour::Orange, "unstable"),
        _ => (Colour::Grey, "slow"),
    }
}

/// The points among the mean rates of each type of trial, and their leading eigenvalues.
fn panels(
    population: &Population,
    means: &[Vec<f64>],
    all: &[Vec<Point>],
    place: &dyn Fn(&[f64]) -> [f64; 3],
    discrete: bool,
) -> Vec<Panel> {
    let way = |means: &[Vec<f64>]| {
        let points = means.iter().map(|mean| place(mean)).map(|p| (p[0], p[1])).collect();
        Mark::new(Shape::Line(points, 2.0), Colour::Faint).named("mean rates of each type of trial")
    };
    let mut plane: Vec<Mark> = means.chunks(population.times.len().max(1)).map(way).collect();
    let mut spectrum = Vec::new();
    for point in all.iter().flatten() {
        let (colour, name) = look(point);
        let [x, y, _] = place(&point.rates);
        plane.push(Mark::new(Shape::Dots(vec![(x, y)], 9.0), colour).named(name));
        let values = point.spectrum.iter().take(LEADING).map(|value| (value.re, value.im)).collect();
        spectrum.push(Mark::new(Shape::Dots(values, 5.0), colour));
    }
    let reach = |of: fn(&Complex<f64>) -> f64| {
        all.iter().flatten().flat_map(|point| point.spectrum.iter().take(LEADING)).map(of).fold(0.2, f64::max)
    };
    let height = reach(|value| value.im.abs());
    let border = match discrete {
        true => {
            (0..=180).map(|k| (f64::from(k) * std::f64::consts::PI / 90.0).sin_cos()).map(|(y, x)| (x, y)).collect()
        }
        false => vec![(0.0, -1.1 * height), (0.0, 1.1 * height)],
    };
    spectrum.push(Mark::new(Shape::Dashed(border, 2.0), Colour::Grey).named("border of stability"));
    let unit = if discrete { "real part" } else { "real part (1/τ)" };
    vec![panel("", ["PC 1", "PC 2"], plane), panel("leading eigenvalues", [unit, "imaginary part"], spectrum)]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dynamics(w_rec: &[f64], n: usize) -> Dynamics {
        Dynamics {
            w_rec: DMatrix::from_row_slice(n, n, w_rec),
            w_in: DMatrix::zeros(n, 1),
            bias: DVector::zeros(n),
            clamped: Vec::new(),
            response: (TransferFunction::Tanh, 0.0, 0.0),
            discrete: false,
        }
    }

    #[test]
    fn a_neuron_that_excites_itself_has_three_points() {
        // x = 2 tanh x: 0, unstable with eigenvalue 2 − 1, and ±1.915008…, stable with 2 (1 − tanh²) − 1.
        let points = dynamics(&[2.0], 1).points(&[vec![0.01], vec![0.9], vec![-0.9], vec![0.95]], &[0.0]);
        let mut rates: Vec<f64> = points.iter().map(|point| point.rates[0]).collect();
        rates.sort_by(f64::total_cmp);
        let at = 1.915_008_048_f64.tanh();
        assert!(rates.iter().zip([-at, 0.0, at]).all(|(found, expected)| (found - expected).abs() < 1e-8), "{rates:?}");
        for point in &points {
            let expected = 2.0 * (1.0 - point.rates[0].powi(2)) - 1.0;
            assert!((point.spectrum[0].re - expected).abs() < 1e-6 && point.speed < FIXED);
            assert_eq!(point.kind(), if expected > 0.0 { "unstable" } else { "stable" });
        }
    }

    #[test]
    fn a_rotation_has_a_spiral_and_inputs_and_clamps_move_points() {
        let mut spiral = dynamics(&[1.5, -1.0, 1.0, 1.5], 2);
        let points = spiral.points(&[vec![0.01, 0.02]], &[0.0]);
        assert_eq!((points[0].kind(), points[0].unstable), ("unstable", 2));
        assert!((points[0].spectrum[0].re - 0.5).abs() < 1e-6 && (points[0].spectrum[0].im - 1.0).abs() < 1e-6);
        // With neuron 1 held at 0.3, neuron 0 rests at x = 0.5 tanh x − tanh 0.3 + 0.2 u.
        spiral.w_rec[(0, 0)] = 0.5;
        (spiral.clamped, spiral.w_in) = (vec![(1, 0.3)], DMatrix::from_row_slice(2, 1, &[0.2, 0.0]));
        let points = spiral.points(&[vec![0.5, 0.5], vec![-0.9, 0.1]], &[2.0]);
        let [x, held] = [0, 1].map(|i| points[0].rates[i].atanh());
        assert!(points.len() == 1 && (held - 0.3).abs() < 1e-12);
        assert!((x - (0.5 * x.tanh() - 0.3f64.tanh() + 0.4)).abs() < 1e-8);
    }
}
