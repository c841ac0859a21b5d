//! w_rec before and after learning: eigenvalues in the complex plane, and how far it moved.
//!
//! Before learning the eigenvalues fill a disk of radius g evenly (Rajan & Abbott 2006, doi 10.1103/PhysRevLett.97.188104).
//! Around x = 0 activity grows along those with a real part above 1. The initial weights are drawn anew from the run's seed.

use super::linear::{eigenvalues, matrix, mean_and_error};
use super::{Findings, Options, Picture, Subject, Table};
use crate::error::Result;
use crate::model::Weights;
use crate::plot::{Colour, Mark, Panel, Panels, Shape};
use candle_core::Device;
use nalgebra::Complex;

/// The weights as they were drawn, before any learning.
pub(super) fn initial(subject: &Subject) -> Result<Weights> {
    let config = &subject.checkpoint.setup.config;
    let (n_in, n_out) = (subject.task().inputs().len(), subject.task().n_out());
    let train = &config.train;
    let dtype = train.dtype.into();
    Ok(Weights::draw(&config.network, n_in, n_out, train.seed, train.networks, dtype, &Device::Cpu)?)
}

pub(super) fn run(subject: &Subject, _: &Options) -> Result<Findings> {
    let initial = initial(subject)?.w_rec;
    let now = subject.checkpoint.plastic.weights.w_rec.to_device(&Device::Cpu)?;
    let mut findings = Findings::default();
    let mut spectra = Table::new("weights_eigenvalues", &["network", "when", "real", "imaginary"]);
    let mut changes = Table::new(
        "weights",
        &["network", "norm_before", "norm_after", "relative_change", "radius_before", "radius_after"],
    );
    let (mut relative, mut radii, mut shown) = (Vec::new(), [Vec::new(), Vec::new()], None);
    for place in 0..now.dim(0)? {
        let (before, after) = (matrix(&initial.get(place)?)?, matrix(&now.get(place)?)?);
        let (norm, moved) = (before.norm(), (&after - &before).norm());
        relative.push(if moved == 0.0 { 0.0 } else { moved / norm });
        let norm_after = after.norm();
        let network = subject.number(place);
        let spectrum = [eigenvalues(before), eigenvalues(after)];
        for (values, (when, radius)) in spectrum.iter().zip(["before", "after"].iter().zip(&mut radii)) {
            radius.push(values.first().map_or(0.0, |value| value.re.hypot(value.im)));
            for value in values {
                spectra.push(&[&network, when, &value.re, &value.im]);
            }
        }
        changes.push(&[&network, &norm, &norm_after, &relative[place], &radii[0][place], &radii[1][place]]);
        if place == subject.shown() {
            shown = Some(spectrum);
        }
    }
    findings.say("relative change of w_rec, ‖w − w(0)‖ / ‖w(0)‖", with_error(&relative));
    findings.say("spectral radius before", with_error(&radii[0]));
    findings.say("spectral radius after", with_error(&radii[1]));
    findings.pictures.extend(shown.map(|spectrum| picture(subject, &spectrum)));
    findings.tables = vec![changes, spectra];
    Ok(findings)
}

/// "mean ± standard error over n networks".
pub(super) fn with_error(values: &[f64]) -> String {
    match mean_and_error(values) {
        (mean, Some(error)) => {
            format!("{mean:.3} ± {error:.3} (mean and its standard error over {} networks)", values.len())
        }
        (mean, None) => format!("{mean:.3}"),
    }
}

fn picture(subject: &Subject, [before, after]: &[Vec<Complex<f64>>; 2]) -> Picture {
    let network = &subject.checkpoint.setup.config.network;
    let gain = (!network.dale && network.gain > 0.0).then_some(network.gain);
    let points = |values: &[Complex<f64>]| values.iter().map(|v| (v.re, v.im)).collect::<Vec<_>>();
    let reach =
        before.iter().chain(after).map(|v| v.re.abs().max(v.im.abs())).fold(1.0f64.max(gain.unwrap_or(0.0)), f64::max);
    let range = Some((-1.08 * reach, 1.08 * reach));
    let panel = |title: &str, values: &[Complex<f64>]| {
        let mut marks = vec![Mark::new(Shape::Dashed(circle(1.0), 2.0), Colour::Grey).named("unit circle")];
        marks.extend(
            gain.map(|g| Mark::new(Shape::Line(circle(g), 2.0), Colour::Orange).named(format!("radius g = {g}"))),
        );
        marks.push(Mark::new(Shape::Dots(points(values), 5.0), Colour::Blue).named("eigenvalues"));
        Panel {
            title: title.into(),
            x_label: "real part".into(),
            y_label: "imaginary part".into(),
            x: range,
            y: range,
            equal: true,
            marks,
            ..Panel::default()
        }
    };
    let trials = subject.checkpoint.trials();
    Picture {
        name: "weights".into(),
        caption: format!(
            "Eigenvalues of w_rec of network {} before and after {trials} trials. The initial weights fill the disk of radius g.",
            subject.number(subject.shown())
        ),
        panels: Panels {
            title: format!("{}: eigenvalues of w_rec, network {}", subject.task().name(), subject.number(subject.shown())),
            rows: vec![vec![panel("before learning", before), panel(&format!("after {trials} trials"), after)]],
        },
    }
}

fn circle(radius: f64) -> Vec<(f64, f64)> {
    (0..=180)
        .map(|k| (std::f64::consts::PI * k as f64 / 90.0).sin_cos())
        .map(|(s, c)| (radius * c, radius * s))
        .collect()
}
