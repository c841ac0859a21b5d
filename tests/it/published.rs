//! The published program (Miconi 2017, doi 10.7554/eLife.20899) in plain f64 loops, written from the paper: it trains a
//! whole network trial for trial beside the library, on the same initial weights and trials.
//!
//! One trial at a time the network passes its hundred trials without learning and learns for thirty more, so that an
//! error in any trial, or in the state kept from one to the next, shows. Activity is chaotic (g = 1.5): rounding errors
//! grow within a trial, and 1e-6 holds in double precision only.

use crate::support::*;
use hebbian_rnn::engine::{Draw, DrawnTrial, TrialBatch};
use hebbian_rnn::random::Phase;
use hebbian_rnn::Trainer;

const NEURONS: usize = 200;
const DT_OVER_TAU: f64 = 1.0 / 30.0;
const X_MEAN_DECAY: f64 = 0.05;
const CLAMPED: [(usize, f64); 3] = [(1, 1.0), (10, 1.0), (11, -1.0)];
const OUTPUT: usize = 0;
const FIRST_ELIGIBLE_STEP: usize = 3;
const RESPONSE_STEPS: usize = 200;
const TYPES: usize = 4;
const EXPECTED_ERROR_DECAY: f64 = 0.75;
const TRIALS_WITHOUT_LEARNING: usize = 100;

#[derive(Clone, Copy, PartialEq)]
enum Rule {
    DeltaX,
    NodePerturbation,
}

struct Published {
    rule: Rule,
    eta: f64,
    max_dw: f64,
    w_in: Vec<f64>,
    /// [pre, post], so that the loop over postsynaptic neurons runs along memory.
    w_rec: Vec<f64>,
    expected_error: [f64; TYPES],
    trials: usize,
}

impl Published {
    fn new(trainer: &Trainer, rule: Rule) -> Self {
        let weights = trainer.weights().unwrap();
        let (eta, max_dw) = (if rule == Rule::DeltaX { 0.1 } else { 0.001 }, 3e-4);
        let (w_in, w_rec) = (values(&weights.w_in), transposed(&values(&weights.w_rec)));
        Published { rule, eta, max_dw, w_in, w_rec, expected_error: [0.0; TYPES], trials: 0 }
    }

    /// The error of a trial, and the eligibility [pre, post] at its end.
    fn trial(&self, drawn: &DrawnTrial) -> (f64, Vec<f64>) {
        let steps = drawn.trial.scored.len();
        let mut x: Vec<f64> = drawn.x0.iter().map(|x| f64::from(*x)).collect();
        CLAMPED.iter().for_each(|(i, value)| x[*i] = *value);
        let mut r: Vec<f64> = x.iter().map(|x| x.tanh()).collect();
        let mut x_mean = x.clone();
        let mut eligibility = vec![0.0; NEURONS * NEURONS];
        let mut error = 0.0;
        for step in 0..steps {
            let mut perturbation = vec![0.0; NEURONS];
            for p in drawn.perturbations.iter().filter(|p| p.step as usize == step) {
                perturbation[p.neuron as usize] = f64::from(p.size);
            }
            let mut drive = perturbation.clone();
            for (r, from) in r.iter().zip(self.w_rec.chunks_exact(NEURONS)) {
                drive.iter_mut().zip(from).for_each(|(drive, w)| *drive += w * r);
            }
            for (i, drive) in drive.iter_mut().enumerate() {
                *drive +=
                    (0..2).map(|k| self.w_in[2 * i + k] * f64::from(drawn.trial.inputs[2 * step + k])).sum::<f64>();
            }
            let r_before = r.clone();
            x.iter_mut().zip(&drive).for_each(|(x, drive)| *x += DT_OVER_TAU * (drive - *x));
            CLAMPED.iter().for_each(|(i, value)| x[*i] = *value);
            r = x.iter().map(|x| x.tanh()).collect();

            if step >= FIRST_ELIGIBLE_STEP {
                let cubed = |v: f64| v * v * v;
                let post: Vec<f64> = match self.rule {
                    Rule::DeltaX => x.iter().zip(&x_mean).map(|(x, mean)| cubed(x - mean)).collect(),
                    Rule::NodePerturbation => perturbation,
                };
                for (from, r) in eligibility.chunks_exact_mut(NEURONS).zip(&r_before) {
                    let pre = if self.rule == Rule::DeltaX { cubed(*r) } else { *r };
                    from.iter_mut().zip(&post).for_each(|(e, post)| *e += pre * post);
                }
            }
            let decayed = |mean: &f64, x: &f64| X_MEAN_DECAY * mean + (1.0 - X_MEAN_DECAY) * x;
            x_mean = x_mean.iter().zip(&x).map(|(mean, x)| decayed(mean, x)).collect();
            if step >= steps - RESPONSE_STEPS {
                error += (r[OUTPUT] - f64::from(drawn.trial.targets[step])).abs() / RESPONSE_STEPS as f64;
            }
        }
        (error, eligibility)
    }

    /// A trial and the change of weights that follows it. Returns the error.
    fn learn(&mut self, drawn: &DrawnTrial) -> f64 {
        let (error, eligibility) = self.trial(drawn);
        let expected = &mut self.expected_error[drawn.trial.trial_type];
        if self.trials >= TRIALS_WITHOUT_LEARNING {
            let scale = self.eta * *expected * (*expected - error);
            let change = eligibility.iter().map(|e| (scale * e).clamp(-self.max_dw, self.max_dw));
            self.w_rec.iter_mut().zip(change).for_each(|(w, dw)| *w += dw);
        }
        *expected = EXPECTED_ERROR_DECAY * *expected + (1.0 - EXPECTED_ERROR_DECAY) * error;
        self.trials += 1;
        error
    }

    /// One change of weights after a batch of trials, each compared with the others of its type, as this library does
    /// with trials in parallel. Returns the mean error.
    fn learn_batch(&mut self, drawn: &[DrawnTrial]) -> f64 {
        let trials: Vec<(f64, Vec<f64>)> = drawn.iter().map(|drawn| self.trial(drawn)).collect();
        let mut change = vec![0.0; NEURONS * NEURONS];
        for (b, (error, eligibility)) in trials.iter().enumerate() {
            let same = |c: &usize| *c != b && drawn[*c].trial.trial_type == drawn[b].trial.trial_type;
            let others: Vec<f64> = (0..drawn.len()).filter(same).map(|c| trials[c].0).collect();
            let expected = others.iter().sum::<f64>() / others.len() as f64;
            let scale = self.eta * expected * (expected - error);
            change.iter_mut().zip(eligibility).for_each(|(dw, e)| *dw += scale * e);
        }
        let bound = self.max_dw * (0.5 * (drawn.len() as f64).sqrt()).max(1.0);
        self.w_rec.iter_mut().zip(&change).for_each(|(w, dw)| *w += dw.clamp(-bound, bound));
        trials.iter().map(|(error, _)| error).sum::<f64>() / trials.len() as f64
    }
}

fn transposed(matrix: &[f64]) -> Vec<f64> {
    (0..NEURONS * NEURONS).map(|k| matrix[k % NEURONS * NEURONS + k / NEURONS]).collect()
}

/// Trains by the library and by the loops, and compares the error of each of `updates` updates and the final weights.
fn same_training(rule: Rule, batch: usize, updates: usize) {
    let name = if rule == Rule::DeltaX { "delta-x" } else { "node-perturbation" };
    let (rule_name, batch_size) = (format!("rule.name={name}"), format!("train.batch={batch}"));
    let mut trainer = trainer("dnms", &["train.networks=1", "train.dtype=f64", &rule_name, &batch_size]);
    let mut published = Published::new(&trainer, rule);
    let initial = published.w_rec.clone();
    for update in 0..updates {
        let first_trial = (update * batch) as u64;
        let draw = Draw { seed: 1, phase: Phase::Train, first_trial, trials_each: batch, age: 0, explore: true };
        let drawn = TrialBatch::draw(trainer.setup(), draw).unwrap().drawn;
        let expected = if batch == 1 { published.learn(&drawn[0]) } else { published.learn_batch(&drawn) };
        let found = trainer.update().unwrap().networks[0].error;
        if update == 0 {
            // Outputs rounded to single precision would be off by 1e-9.
            assert!((found - expected).abs() < 1e-11, "{name}: error {found:?}, by the loops {expected:?}");
        }
        assert!((found - expected).abs() < 1e-6, "{name}, update {update}: error {found}, by the loops {expected}");
    }
    let change = |w_rec: &[f64]| w_rec.iter().zip(&initial).map(|(after, before)| after - before).collect::<Vec<f64>>();
    let found = change(&transposed(&values(&trainer.weights().unwrap().w_rec)));
    assert_close(&found, &change(&published.w_rec), 1e-6, &format!("{name}: the change of w_rec"));
}

#[test]
fn delta_x_learns_trial_for_trial_as_published() {
    same_training(Rule::DeltaX, 1, 130);
}

#[test]
fn node_perturbation_learns_trial_for_trial_as_published() {
    same_training(Rule::NodePerturbation, 1, 130);
}

#[test]
fn an_update_of_64_parallel_trials_equals_the_loops() {
    same_training(Rule::DeltaX, 64, 1);
    same_training(Rule::NodePerturbation, 64, 1);
}
