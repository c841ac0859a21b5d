//! w_rec before and after learning: its eigenvalues in the complex plane, and how far learning moved it.
//!
//! Before learning the eigenvalues fill a disk of radius g evenly (Rajan & Abbott 2006, doi
//! 10.1103/PhysRevLett.97.188104). Around x = 0, activity grows along those with a real part above 1. The initial
//! weights are drawn anew from the run's seed.

use super::statistics::{eigenvalues, matrix};
use super::*;
use crate::model::Weights;
use candle_core::Device;
use nalgebra::Complex;

/// The weights before any learning.
pub(super) fn initial(subject: &Subject) -> Result<Weights> {
    let (config, task) = (&subject.checkpoint.setup.config, subject.task());
    let (train, dtype) = (&config.train, config.train.dtype.into());
    let (n_in, n_out) = (task.n_in(), task.n_out());
    Ok(Weights::draw(&config.network, n_in, n_out, train.seed, train.networks, dtype, &Device::Cpu)?)
}

pub(super) fn run(subject: &Subject, _: &Options) -> Result<Findings> {
    let initial = initial(subject)?.w_rec;
    let now = subject.checkpoint.plastic.weights.w_rec.to_device(&Device::Cpu)?;
    let mut findings = Findings::default();
    let mut spectra = Table::new("weights_eigenvalues", "network when real imaginary");
    let mut changes =
        Table::new("weights", "network norm_before norm_after relative_change radius_before radius_after");
    let (mut relative, mut radii) = (Vec::new(), [Vec::new(), Vec::new()]);
    for (place, network) in subject.checkpoint.setup.config.train.networks.range().enumerate() {
        let (before, after) = (matrix(&initial.get(place)?)?, matrix(&now.get(place)?)?);
        let (norm, norm_after, moved) = (before.norm(), after.norm(), (&after - &before).norm());
        relative.push(if moved == 0.0 { 0.0 } else { moved / norm });
        let spectrum = [eigenvalues(before), eigenvalues(after)];
        for (values, (when, radius)) in spectrum.iter().zip(["before", "after"].iter().zip(&mut radii)) {
            radius.push(values.first().map_or(0.0, |value| value.re.hypot(value.im)));
            for value in values {
                spectra.push(&[&network, when, &value.re, &value.im]);
            }
        }
        changes.push(&[&network, &norm, &norm_after, &relative[place], &radii[0][place], &radii[1][place]]);
        if network == subject.shown() {
            let trials = subject.checkpoint.trials();
            findings.draw(
                "weights",
                format!("{}: eigenvalues of w_rec, network {network}", subject.task().name()),
                format!("Eigenvalues of w_rec of network {network} before and after {trials} trials. The initial weights fill the disk of radius g."),
                vec![panels(subject, &spectrum)],
            );
        }
    }
    findings.say_mean("relative change of w_rec, ‖w − w(0)‖ / ‖w(0)‖", Mean::of(&relative));
    findings.say_mean("spectral radius before", Mean::of(&radii[0]));
    findings.say_mean("spectral radius after", Mean::of(&radii[1]));
    findings.tables = vec![changes, spectra];
    Ok(findings)
}

/// Eigenvalues before and after learning, on the same scale.
fn panels(subject: &Subject, spectrum: &[Vec<Complex<f64>>; 2]) -> Vec<Panel> {
    let network = &subject.checkpoint.setup.config.network;
    let gain = (!network.dale && network.gain > 0.0).then_some(network.gain);
    let reach = spectrum.iter().flatten().map(|v| v.re.abs().max(v.im.abs()));
    let reach = reach.fold(1.0f64.max(gain.unwrap_or(0.0)), f64::max);
    let range = Some((-1.08 * reach, 1.08 * reach));
    let titles = ["before learning".to_string(), format!("after {} trials", subject.checkpoint.trials())];
    let plane = |(title, values): (String, &Vec<Complex<f64>>)| {
        let mut marks = vec![Mark::new(Shape::Dashed(circle(1.0), 2.0), Colour::Grey).named("unit circle")];
        let disk = |g| Mark::new(Shape::Line(circle(g), 2.0), Colour::Orange).named(format!("radius g = {g}"));
        marks.extend(gain.map(disk));
        let dots = values.iter().map(|v| (v.re, v.im)).collect();
        marks.push(Mark::new(Shape::Dots(dots, 5.0), Colour::Blue).named("eigenvalues"));
        Panel { x: range, y: range, equal: true, ..panel(title, ["real part", "imaginary part"], marks) }
    };
    titles.into_iter().zip(spectrum).map(plane).collect()
}

fn circle(radius: f64) -> Vec<(f64, f64)> {
    let angle = |k: u8| std::f64::consts::PI * f64::from(k) / 90.0;
    (0..=180).map(|k| angle(k).sin_cos()).map(|(sin, cos)| (radius * cos, radius * sin)).collect()
}
