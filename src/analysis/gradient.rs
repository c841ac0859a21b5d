//! Does a rule's update point down the gradient of the error? (Fiete & Seung 2006; Miconi 2017.)
//!
//! The update of w_rec that a rule proposes over many trials is compared with −∂error/∂w_rec by the cosine between the
//! two, over all weights. Both are for the same weights, the task's own error, and trials perturbed as in training:
//! this is the error that a network can sense while it explores. The gradient treats the perturbations as constants. It
//! comes from backpropagation through time in f64; finite differences on the same trials check a few of its entries.

use super::differences::relative_error;
use super::weights::initial;
use super::*;
use crate::config::{Baseline, Loss, Precision};
use crate::engine::{choose, gradient, Draw, Ensemble, Record, TrialBatch};
use crate::model::Weights;
use crate::presets::find_task;
use crate::random::Phase;
use crate::rules::{find_rule, Credit, RewardBaseline, Source};
use crate::setup::{Own, Setup};
use crate::tasks::{gives_gradient, Problem};
use crate::training::{judge, Checkpoint, Plastic};
use candle_core::{DType, Tensor};

/// Default number of trials of each network.
const TRIALS: u64 = 1024;
/// The gradient is computed on at most this many of them.
const GRADIENT_TRIALS: u64 = 64;
/// Trials that run side by side, each judged relative to the others.
const BATCH: u64 = 64;
/// Trials that are backpropagated side by side.
const BACKWARD: u64 = 16;
/// Trials on which the gradient is checked by finite differences.
const DIFFERENCE_TRIALS: u64 = 4;

/// The rules that are compared in all networks that are perturbed.
const RULES: [&str; 2] = ["node-perturbation", "delta-x"];
/// More trials than any warm-up has.
const SETTLED: u64 = u64::MAX / 2;
const WHEN: [&str; 2] = ["before learning", "after learning"];

pub(super) fn why_not(subject: &Subject) -> Option<String> {
    let setup = &subject.checkpoint.setup;
    if setup.config.network.dynamics == "lif-filtered" {
        return Some("its neurons spike at random, so the error of a trial has no gradient".into());
    }
    if rules(setup).is_empty() {
        return Some(
            "its networks are not perturbed (perturbation.probability or perturbation.amplitude is 0), and its rule has no eligibility \
             for w_rec"
                .into(),
        );
    }
    match subject.task() {
        Problem::Episodes(_) => subject.task_unless(false, "is an environment, whose return has no gradient"),
        Problem::Trials(task) => subject.task_unless(gives_gradient(&**task), "gives no gradient of its error"),
    }
}

/// The rules whose updates are compared with the gradient: those that perturbations allow, and the networks' own.
fn rules(setup: &Setup) -> Vec<&str> {
    let mut rules = if setup.config.perturbs() { RULES.to_vec() } else { Vec::new() };
    let own = &setup.config.rule.name[..];
    if matches!(setup.rule.source(), Source::Steps(_)) && !rules.contains(&own) {
        rules.push(own);
    }
    rules
}

/// The setup of a comparison with `rule`: only the error counts, relative to that of the other trials unless credit is given
/// step by step.
pub(super) fn compared(setup: &Setup, rule: &str) -> Result<Setup> {
    let mut config = setup.config.clone();
    config.modulator.energy_cost = 0.0;
    config.bptt.steps = 0;
    if rule == config.rule.name && setup.rule.credit() != Credit::Trial {
        return Setup::with(config, setup.own());
    }
    config.rule.name = rule.into();
    // If the networks were trained by a rule with other parameters, this rule has the task's defaults.
    let (info, wanted) = (find_task(config.task_name()?), find_rule(rule)?);
    for (key, value) in info.map(|info| info.defaults(wanted).rule.own).unwrap_or_default() {
        config.rule.own.entry(key).or_insert(value);
    }
    config.modulator.baseline = Baseline::LeaveOneOut;
    config.modulator.expected_error_factor = false;
    Setup::with(config, Own { rule: None, ..setup.own() })
}

/// Perturbed trials `first..first + count` of each network.
pub(super) fn draw_perturbed(setup: &Setup, first: u64, count: u64, seed: u64) -> Result<TrialBatch> {
    let (phase, trials_each) = (Phase::Evaluate, count as usize);
    TrialBatch::draw(setup, Draw { seed, phase, first_trial: first, trials_each, age: 0, explore: true })
}

/// The mean over trials of M e for one network, `[1, N, N]`: the change of w_rec without learning rate and bound. `expected` is the
/// network's expected error Ē of each type, which only rules that are credited step by step use.
pub(super) fn proposed(setup: &Setup, weights: &Weights, expected: &[f64], trials: u64, seed: u64) -> Result<Tensor> {
    let mut baseline = RewardBaseline::new(&setup.config, 1, setup.task.n_types());
    baseline.restore(expected.to_vec());
    let ensemble =
        Ensemble { setup, shape: setup.shape(), weights, baseline: &baseline, trials: SETTLED, fast_weights: None };
    let mut engine = choose(setup, weights.w_rec.device(), true)?;
    let mut sum = weights.w_rec.zeros_like()?;
    for first in (0..trials).step_by(BATCH as usize) {
        let batch = draw_perturbed(setup, first, BATCH.min(trials - first), seed)?;
        let mut episode = engine.run(&ensemble, &batch, true, Record::default())?;
        let eligibility = episode.eligibility.take();
        let eligibility = eligibility.ok_or_else(|| Error::Bug("the rule leaves no eligibility".into()))?;
        let outcome = &judge(&setup.task, &batch, &episode)?[0];
        // Factors of whole trials come from the batch alone: a lone trial of its type has none, and nothing is shuffled.
        let factors = match setup.rule.credit() {
            Credit::Trial => baseline.weights(0, &outcome.errors, &outcome.types, 0),
            credit => baseline.trial_factors(credit, 0, &outcome.errors, &outcome.types, SETTLED),
        };
        let update = eligibility.weighted_sum(&factors)?;
        engine.recycle(eligibility);
        sum = (sum + update)?;
    }
    if let Some(exists) = &weights.connectivity {
        sum = (&sum * exists.to_dtype(sum.dtype())?)?;
    }
    Ok((sum / trials as f64)?)
}

/// Setup and weights in f64.
fn exact(setup: &Setup, weights: &Weights) -> Result<(Setup, Weights)> {
    let mut setup = setup.clone();
    setup.config.train.dtype = Precision::F64;
    let float = |tensor: &Tensor| tensor.dtype().is_float();
    let weights = weights.map(|_, t| if float(t) { t.to_dtype(DType::F64) } else { Ok(t.clone()) })?;
    Ok((setup, weights))
}

/// −∂error/∂w_rec of the mean error of one network's first perturbed trials, `[1, N, N]`; setup and weights in f64.
pub(super) fn downhill(setup: &Setup, weights: &Weights, trials: u64, seed: u64) -> Result<Tensor> {
    let mut sum = weights.w_rec.zeros_like()?;
    for first in (0..trials).step_by(BACKWARD as usize) {
        let batch = draw_perturbed(setup, first, BACKWARD.min(trials - first), seed)?;
        let (gradient, _) = gradient::gradient(setup, weights, &batch, Loss::Task)?;
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
    let (trials, seed) = (options.trials.unwrap_or(TRIALS), options.seed);
    let used = trials.min(GRADIENT_TRIALS);
    let now = subject.checkpoint.clone();
    let whole = Checkpoint { plastic: Plastic { weights: initial(subject)?, ..now.plastic }, ..now };
    let before = Subject { checkpoint: &whole, ..*subject };
    let mut table = Table::new("gradient", "network when rule cosine trials trials_of_gradient");
    let rules = rules(&subject.checkpoint.setup);
    // [rule][before or after][network].
    let mut cosines: Vec<[Vec<f64>; WHEN.len()]> = vec![Default::default(); rules.len()];
    let mut worst = 0f64;
    for (when, subject) in [&before, subject].into_iter().enumerate() {
        for network in subject.networks() {
            let (number, network) = network?;
            let weights = &network.plastic.weights;
            let exact = exact(&compared(&network.setup, rules[0])?, weights)?;
            let downhill = downhill(&exact.0, &exact.1, used, seed)?;
            if number == subject.shown() {
                let batch = draw_perturbed(&exact.0, 0, DIFFERENCE_TRIALS, seed)?;
                worst = worst.max(relative_error(&exact.0, &exact.1, &batch, seed)?);
            }
            for (rule, cosines) in rules.iter().zip(&mut cosines) {
                let setup = compared(&network.setup, rule)?;
                let update = proposed(&setup, weights, &network.expected_error, trials, seed)?;
                let cosine = cosine(&update, &downhill)?;
                cosines[when].push(cosine);
                table.push(&[&number, &WHEN[when], rule, &cosine, &trials, &used]);
            }
        }
    }
    let mut findings = Findings { tables: vec![table], ..Findings::default() };
    for (rule, cosines) in rules.iter().zip(&cosines) {
        for (when, cosines) in WHEN.iter().zip(cosines) {
            let cosine = Mean::of(cosines);
            findings.say(format!("{rule}, {when}"), &cosine.numbers(), "cosine", in_words(cosine));
        }
    }
    let text = format!("off by at most {worst:.1e} of the largest entry");
    findings.say("backpropagation against finite differences", &[("largest difference", worst)], "largest entry", text);
    findings.draw(
        "gradient",
        format!("{}: updates and the true gradient", subject.task().name()),
        format!("Cosine between the update that a rule proposes over {trials} trials and the direction in which the error falls fastest. Dots: networks; bars: their mean and its standard error."),
        vec![vec![panel(&rules, &cosines, subject.checkpoint.setup.config.network.neurons)]],
    );
    Ok(findings)
}

/// The mean cosine, its standard error, and how many standard errors it is above 0.
fn in_words(cosine: Mean) -> String {
    let tested = cosine
        .error
        .map(|error| format!(" over {} networks, {:.1} standard errors above 0", cosine.count, cosine.value / error));
    format!("cosine {cosine:.4}{}", tested.unwrap_or_default())
}

/// The cosines of each rule, before and after learning, `[rule][before or after][network]`.
fn panel(rules: &[&str], cosines: &[[Vec<f64>; WHEN.len()]], neurons: usize) -> Panel {
    let end = rules.len() as f64 + 0.6;
    // The standard deviation of the cosine with a random direction in N² dimensions.
    let chance = (neurons.pow(2) as f64).sqrt().recip();
    let mut marks = vec![
        Mark::new(Shape::Band(vec![(0.4, -chance, chance), (end, -chance, chance)]), Colour::Grey)
            .named("random direction (1 SD)"),
        Mark::new(Shape::Dashed(vec![(0.4, 0.0), (end, 0.0)], 2.0), Colour::Grey),
    ];
    for (rule, cosines) in cosines.iter().enumerate() {
        for (when, cosines) in cosines.iter().enumerate() {
            let middle = rule as f64 + [0.82, 1.18][when];
            let colour = [Colour::Orange, Colour::Blue][when];
            let spread = |k: usize| 0.08 * ((k as f64 + 0.5) / cosines.len() as f64 - 0.5);
            let dots = cosines.iter().enumerate().map(|(k, c)| (middle + 0.07 + spread(k), *c)).collect();
            marks.push(Mark::new(Shape::Dots(dots, 5.0), colour).named(format!("networks, {}", WHEN[when])));
            let Mean { value: mean, error, .. } = Mean::of(cosines);
            let error = error.unwrap_or(0.0);
            let bar = vec![(middle - 0.09, mean), (middle - 0.01, mean)];
            let whisker = vec![(middle - 0.05, mean - error), (middle - 0.05, mean + error)];
            marks.push(Mark::new(Shape::Line(bar, 4.0), colour));
            marks.push(Mark::new(Shape::Line(whisker, 2.5), colour));
        }
    }
    let x_ticks = rules.iter().enumerate().map(|(k, rule)| (k as f64 + 1.0, rule.to_string())).collect();
    Panel { x: Some((0.4, end)), x_ticks, ..findings::panel("", ["", "cosine with −∂error/∂w_rec"], marks) }
}
