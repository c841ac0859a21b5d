//! Does a rule's update point down the gradient of the error? (Fiete & Seung 2006; Miconi 2017.)
//!
//! The update of w_rec that a rule proposes over many trials is held against −∂error/∂w_rec: the cosine between the two, over
//! all weights. Both are for the same weights, the task's own error, and trials perturbed as in training: this is the error
//! that a network can sense while it explores. The perturbations are constants of the gradient, which comes from
//! backpropagation through time in f64; a few of its entries are held against finite differences on the same trials.

use super::differences::against;
use super::linear::mean_and_error;
use super::weights::initial;
use super::{Findings, Options, Picture, Subject, Table};
use crate::config::{Baseline, Loss, Precision};
use crate::engine::{choose, gradient, Draw, Ensemble, Record, TrialBatch};
use crate::error::{Error, Result};
use crate::model::Weights;
use crate::plot::{Colour, Mark, Panel, Panels, Shape};
use crate::presets::{find_task, Own, Setup};
use crate::random::Phase;
use crate::rules::{find_rule, RewardBaseline};
use crate::tasks::gives_gradient;
use crate::training::{errors, Checkpoint, Plastic};
use candle_core::{DType, Tensor};

/// Trials of each network, where none are asked for.
const TRIALS: u64 = 1024;
/// At most so many of them make the gradient.
const GRADIENT_TRIALS: u64 = 64;
/// Trials that run side by side, and are judged against each other.
const BATCH: u64 = 64;
/// Trials that are backpropagated side by side.
const BACKWARD: u64 = 16;
/// Trials on which the gradient is held against finite differences.
const DIFFERENCE_TRIALS: u64 = 4;

const RULES: [&str; 2] = ["node-perturbation", "delta-x"];
const WHEN: [&str; 2] = ["before learning", "after learning"];

pub(super) fn why_not(subject: &Subject) -> Option<String> {
    let config = &subject.checkpoint.setup.config;
    if !config.perturbs() {
        return Some("its networks are not perturbed (perturbation.probability or perturbation.amplitude is 0)".into());
    }
    (!gives_gradient(subject.task()))
        .then(|| format!("task `{}` gives no gradient of what it judges", subject.task().name()))
}

/// The setup of a network alone as far as the comparison goes: the error alone counts, against the other trials'.
///
/// # Errors
/// Where the rule cannot be used with the rest.
pub(super) fn compared(setup: &Setup, rule: &str) -> Result<Setup> {
    let mut config = setup.config.clone();
    config.rule.name = rule.into();
    // The rule's own parameters, where the networks were trained by one that has others: the task's defaults.
    let (info, wanted) = (find_task(config.task_name()?), find_rule(rule)?);
    for (key, value) in info.map(|info| info.defaults(wanted).rule.own).unwrap_or_default() {
        config.rule.own.entry(key).or_insert(value);
    }
    config.modulator.baseline = Baseline::LeaveOneOut;
    config.modulator.expected_error_factor = false;
    config.modulator.energy_cost = 0.0;
    config.bptt.steps = 0;
    Setup::with(config, Own { rule: None, ..setup.own() })
}

pub(super) fn perturbed(setup: &Setup, first: u64, count: u64, seed: u64) -> Result<TrialBatch> {
    let (first_trial, trials_each) = (first, count as usize);
    TrialBatch::draw(setup, Draw { seed, phase: Phase::Evaluate, first_trial, trials_each, explore: true })
}

/// The mean over trials of M e, which a rule adds to the w_rec of one network: `[1, N, N]`, without rate and bound.
pub(super) fn proposed(setup: &Setup, weights: &Weights, trials: u64, seed: u64) -> Result<Tensor> {
    let baseline = RewardBaseline::new(&setup.config.modulator, 1, setup.task.n_types());
    let ensemble = Ensemble { setup, shape: setup.shape(), weights, baseline: &baseline, fast_weights: None };
    let mut engine = choose(setup, weights.w_rec.device(), true)?;
    let mut sum = weights.w_rec.zeros_like()?;
    for first in (0..trials).step_by(BATCH as usize) {
        let batch = perturbed(setup, first, BATCH.min(trials - first), seed)?;
        let mut episode = engine.run(&ensemble, &batch, true, Record::default())?;
        let errors = errors(&*setup.task, &batch, &episode.outputs)?;
        let eligibility = episode.eligibility.take();
        let eligibility = eligibility.ok_or_else(|| Error::Bug("the rule leaves no eligibility".into()))?;
        let update = eligibility.weighted_sum(&baseline.weights(0, &errors, &batch.types(), 0))?;
        engine.recycle(eligibility);
        sum = (sum + update)?;
    }
    if let Some(exists) = &weights.connectivity {
        sum = (&sum * exists.to_dtype(sum.dtype())?)?;
    }
    Ok((sum / trials as f64)?)
}

/// Weights and setup in f64.
fn exact(setup: &Setup, weights: &Weights) -> Result<(Setup, Weights)> {
    let mut setup = setup.clone();
    setup.config.train.dtype = Precision::F64;
    let float = |tensor: &Tensor| tensor.dtype().is_float();
    let weights = weights.map(|_, t| if float(t) { t.to_dtype(DType::F64) } else { Ok(t.clone()) })?;
    Ok((setup, weights))
}

/// −∂error/∂w_rec of the mean error of one network's first perturbed trials, `[1, N, N]`, in f64.
pub(super) fn downhill(setup: &Setup, weights: &Weights, trials: u64, seed: u64) -> Result<Tensor> {
    let (setup, weights) = exact(setup, weights)?;
    let mut sum = weights.w_rec.zeros_like()?;
    for first in (0..trials).step_by(BACKWARD as usize) {
        let batch = perturbed(&setup, first, BACKWARD.min(trials - first), seed)?;
        let (gradient, _) = gradient::gradient(&setup, &weights, &batch, Loss::Task)?;
        sum = (sum - (gradient * batch.trials_each as f64)?)?;
    }
    Ok((sum / trials as f64)?)
}

/// The cosine between two tensors; 0 where one of them is 0.
pub(super) fn cosine(a: &Tensor, b: &Tensor) -> Result<f64> {
    let values = |t: &Tensor| t.to_dtype(DType::F64)?.flatten_all()?.to_vec1::<f64>();
    let (a, b) = (values(a)?, values(b)?);
    let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
    let lengths = (dot(&a, &a) * dot(&b, &b)).sqrt();
    Ok(if lengths > 0.0 { dot(&a, &b) / lengths } else { 0.0 })
}

pub(super) fn run(subject: &Subject, options: &Options) -> Result<Findings> {
    let trials = options.trials.unwrap_or(TRIALS);
    let now = subject.checkpoint.clone();
    let whole = Checkpoint { plastic: Plastic { weights: initial(subject)?, ..now.plastic }, ..now };
    let before = Subject { checkpoint: &whole, ..*subject };
    let mut findings = Findings::default();
    let mut table = Table::new("gradient", &["network", "when", "rule", "cosine", "trials", "trials_of_gradient"]);
    // [rule][before or after][network].
    let mut cosines = vec![vec![Vec::new(); WHEN.len()]; RULES.len()];
    let mut worst = 0f64;
    for (when, subject) in [&before, subject].into_iter().enumerate() {
        for (place, one) in subject.networks().enumerate() {
            let one = one?;
            let setup = compared(&one.setup, RULES[0])?;
            let (used, weights) = (trials.min(GRADIENT_TRIALS), &one.plastic.weights);
            let downhill = downhill(&setup, weights, used, options.seed)?;
            if place == subject.shown() {
                let (setup, weights) = exact(&setup, weights)?;
                let batch = perturbed(&setup, 0, DIFFERENCE_TRIALS, options.seed)?;
                worst = worst.max(against(&setup, &weights, &batch, options.seed)?);
            }
            for (rule, cosines) in RULES.into_iter().zip(&mut cosines) {
                let update = proposed(&compared(&one.setup, rule)?, weights, trials, options.seed)?;
                let cosine = cosine(&update, &downhill)?;
                cosines[when].push(cosine);
                table.push(&[&subject.number(place), &WHEN[when], &rule, &cosine, &trials, &used]);
            }
        }
    }
    for (rule, cosines) in RULES.into_iter().zip(&cosines) {
        for (when, cosines) in WHEN.iter().zip(cosines) {
            findings.say(format!("{}, {when}", rule), in_words(cosines));
        }
    }
    findings
        .say("backpropagation against finite differences", format!("off by at most {worst:.1e} of the largest entry"));
    findings.tables.push(table);
    let weights = subject.checkpoint.setup.config.network.neurons.pow(2) as f64;
    findings.pictures.push(picture(subject, &cosines, trials, weights.sqrt().recip()));
    Ok(findings)
}

/// Mean cosine, its standard error, and how many of these it is above 0.
fn in_words(cosines: &[f64]) -> String {
    match mean_and_error(cosines) {
        (mean, Some(error)) => {
            format!(
                "cosine {mean:.4} ± {error:.4} over {} networks, {:.1} standard errors above 0",
                cosines.len(),
                mean / error
            )
        }
        (mean, None) => format!("cosine {mean:.4}"),
    }
}

fn picture(subject: &Subject, cosines: &[Vec<Vec<f64>>], trials: u64, chance: f64) -> Picture {
    let mut marks = vec![
        Mark::new(Shape::Band(vec![(0.4, -chance, chance), (2.6, -chance, chance)]), Colour::Grey)
            .named("random direction (1 SD)"),
        Mark::new(Shape::Dashed(vec![(0.4, 0.0), (2.6, 0.0)], 2.0), Colour::Grey),
    ];
    for (rule, cosines) in cosines.iter().enumerate() {
        for (when, cosines) in cosines.iter().enumerate() {
            let middle = rule as f64 + [0.82, 1.18][when];
            let colour = [Colour::Orange, Colour::Blue][when];
            let spread = |k: usize| 0.08 * ((k as f64 + 0.5) / cosines.len() as f64 - 0.5);
            let dots = cosines.iter().enumerate().map(|(k, c)| (middle + 0.07 + spread(k), *c)).collect();
            marks.push(Mark::new(Shape::Dots(dots, 5.0), colour).named(format!("networks, {}", WHEN[when])));
            let (mean, error) = mean_and_error(cosines);
            let bar = |at: f64| vec![(middle - 0.09, at), (middle - 0.01, at)];
            marks.push(Mark::new(Shape::Line(bar(mean), 4.0), colour));
            let error = error.unwrap_or(0.0);
            let whisker = vec![(middle - 0.05, mean - error), (middle - 0.05, mean + error)];
            marks.push(Mark::new(Shape::Line(whisker, 2.5), colour));
        }
    }
    let panel = Panel {
        y_label: "cosine with −∂error/∂w_rec".into(),
        x: Some((0.4, 2.6)),
        x_ticks: RULES.iter().enumerate().map(|(k, rule)| (k as f64 + 1.0, rule.to_string())).collect(),
        marks,
        ..Panel::default()
    };
    Picture {
        name: "gradient".into(),
        caption: format!("Cosine between the update that a rule proposes over {trials} trials and the direction in which the error falls fastest. Dots: networks; bars: their mean and its standard error."),
        panels: Panels {
            title: format!("{}: updates and the true gradient", subject.task().name()),
            rows: vec![vec![panel]],
        },
    }
}
