//! Some trials of one network, run from the first step to the last on one thread.

use super::advance::{advance, Row};
use super::factors::Factors;
use super::fast_weights::{matrices, FastWeights, Matrices};
use super::network::Network;
use super::readout::Online;
use super::Plan;
use crate::config::ModulatorSource;
use crate::engine::eligibility::{zeros, AddScaled, Aligned};
use crate::engine::{DensePerturbation, DrawnTrial};
use crate::rules::FusedRule;
use aligned_vec::AVec;
use std::ops::Range;

/// One trial, and the memory for its results (empty where they are not wanted).
pub(super) struct Trial<'a> {
    pub(super) drawn: &'a DrawnTrial,
    /// The fast weights at the start, `[N, N]`.
    pub(super) before: Matrices<Option<&'a [f32]>>,
    /// The fast weights at the end, `[N, N]`.
    pub(super) after: Matrices<&'a mut [f32]>,
    /// Final activations, `[N]`.
    pub(super) x: &'a mut [f32],
    /// Final firing rates, `[N]`.
    pub(super) r: &'a mut [f32],
    /// Outputs of every step, `[T, n_out]`.
    pub(super) outputs: &'a mut [f32],
    /// Firing rates of every step, `[T, N]`.
    pub(super) rates: &'a mut [f32],
    /// Activations of every step, `[T, N]`.
    pub(super) activations: &'a mut [f32],
    /// Eligibility, `[N, width]`; for `hebbian-trace`, H itself, transposed.
    pub(super) eligibility: &'a mut [f32],
    /// The number of perturbations applied so far.
    pub(super) perturbed: usize,
    /// The running means of reward and output.
    pub(super) online: Online,
    /// target − output where that is scored, else 0, `[T, n_out]`; empty if nothing reads it.
    pub(super) errors: Vec<f32>,
    /// The output for r(0) `[n_out]`, where outputs are fed back.
    pub(super) fed_back: Vec<f32>,
}

/// Some trials of one network between two steps.
pub(super) struct Shard<'s, 'a> {
    plan: &'s Plan<'s>,
    network: &'s Network,
    trials: &'s mut [Trial<'a>],
    rows: Rows,
    fast_weights: Option<FastWeights<'s>>,
    readout_change: Vec<f32>,
}

/// The state of a shard's trials; each field is `[trials, width]`.
struct Rows {
    x: Aligned,
    r: Aligned,
    x_mean: Aligned,
    recurrent: Aligned,
    input: Aligned,
}

/// Runs all steps and writes the results. Returns the summed changes of w_out `[n_out, width]` and b_out `[n_out]`;
/// empty if the readout does not learn.
pub(super) fn run(plan: &Plan, network: &Network, trials: &mut [Trial]) -> Vec<f32> {
    // The first product overwrites old values; a rule that only adds needs zeros.
    if plan.learns == FusedRule::NodePerturbation {
        trials.iter_mut().for_each(|trial| trial.eligibility.fill(0.0));
    }
    let mut memory = matrices(plan, trials.len());
    let mut shard = Shard::new(plan, network, trials, &mut memory);
    let dense = shard.trials.iter().any(|trial| trial.drawn.dense.is_some());
    match plan.learns {
        FusedRule::DeltaX { .. } if plan.folds_aside => shard.all_steps_folding_aside(),
        FusedRule::NodePerturbation if !dense => shard.steps(0..plan.t, &mut []),
        FusedRule::DeltaX { .. } | FusedRule::Eh(_) | FusedRule::Rflo | FusedRule::NodePerturbation => {
            let mut factors = shard.factors();
            shard.steps(0..plan.t, &mut factors);
            let trials = factors.iter_mut().zip(shard.trials.iter_mut());
            trials.for_each(|(factors, trial)| {
                if plan.filters_back {
                    trial.filter_back(plan, network, factors);
                }
                factors.finish(trial.eligibility);
            });
        }
        FusedRule::FastWeights | FusedRule::Nothing => shard.steps(0..plan.t, &mut []),
    }
    shard.end().1
}

impl Rows {
    /// x(0) with bias neurons clamped, r = φ(x), x̄ = x; the rates that `rflo` filters instead of x̄ start at 0.
    fn start(plan: &Plan, trials: &[Trial]) -> Self {
        let rows = || zeros(trials.len() * plan.width);
        let mut x = rows();
        for (x, trial) in x.chunks_exact_mut(plan.width).zip(trials) {
            x.copy_from_slice(&plan.held);
            for i in 0..plan.n {
                x[i] += trial.drawn.x0[i] * plan.free[i];
            }
        }
        Rows {
            r: AVec::from_iter(0, x.iter().map(|x| plan.transfer.single(*x))),
            x_mean: if plan.learns == FusedRule::Rflo { rows() } else { x.clone() },
            x,
            recurrent: rows(),
            input: rows(),
        }
    }
}

impl<'s, 'a> Shard<'s, 'a> {
    /// Before the first step. `memory` is that of the fast weights.
    pub(super) fn new(
        plan: &'s Plan<'s>,
        network: &'s Network,
        trials: &'s mut [Trial<'a>],
        memory: &'s mut Matrices<Aligned>,
    ) -> Self {
        let mut shard = Shard {
            plan,
            network,
            rows: Rows::start(plan, trials),
            fast_weights: FastWeights::new(plan, trials, memory),
            readout_change: vec![0.0; if plan.online.learns() { plan.n_out * (plan.width + 1) } else { 0 }],
            trials,
        };
        shard.begin_feedback();
        shard
    }

    /// Writes the state after the last step. Returns the trials and the changes of the readout.
    pub(super) fn end(self) -> (&'s mut [Trial<'a>], Vec<f32>) {
        let Shard { plan, rows, fast_weights, readout_change, trials, .. } = self;
        if let Some(mut fast_weights) = fast_weights {
            fast_weights.finish(plan, trials);
        }
        for (b, trial) in trials.iter_mut().enumerate() {
            let row = b * plan.width..b * plan.width + plan.n;
            trial.x.copy_from_slice(&rows.x[row.clone()]);
            trial.r.copy_from_slice(&rows.r[row]);
        }
        (trials, readout_change)
    }

    /// The outputs for r(0), which the first step feeds back.
    fn begin_feedback(&mut self) {
        let Shard { plan, network, rows, trials, .. } = self;
        for (trial, r) in trials.iter_mut().zip(rows.r.chunks_exact(plan.width)).filter(|_| network.feeds_back()) {
            trial.fed_back = vec![0.0; plan.n_out];
            network.output(plan, r, &[], &mut trial.fed_back);
        }
    }

    /// Room for one block of factors per trial.
    pub(super) fn factors(&self) -> Vec<Factors> {
        let block = self.plan.block.min(self.plan.t);
        self.trials.iter().map(|_| Factors::new(block, self.plan.width)).collect()
    }

    /// Runs all steps, while an idle thread, if there is one, multiplies the previous block into the eligibility. The
    /// order of additions is the same as on one thread, and so is the result.
    fn all_steps_folding_aside(&mut self) {
        let plan = self.plan;
        let mut eligibility: Vec<&mut [f32]> =
            self.trials.iter_mut().map(|trial| std::mem::take(&mut trial.eligibility)).collect();
        let (mut filling, mut ready) = (self.factors(), self.factors());
        let follow = |ready: &mut [Factors], filling: &[Factors]| {
            ready.iter_mut().zip(filling).for_each(|(ready, filling)| ready.follow(filling));
        };
        let mut first = 0;
        while first < plan.t {
            let learnt = first.saturating_sub(plan.start_step);
            let next = (plan.start_step + learnt + plan.block).min(plan.t);
            follow(&mut ready, &filling);
            rayon::join(
                || self.steps(first..next, &mut filling),
                || ready.iter_mut().zip(&mut eligibility).for_each(|(ready, e)| ready.fold(e)),
            );
            std::mem::swap(&mut filling, &mut ready);
            first = next;
        }
        follow(&mut ready, &filling);
        ready.iter_mut().zip(eligibility).for_each(|(ready, e)| ready.finish(e));
    }

    /// Runs some steps of all trials. `factors` has one entry per trial, or none. Full blocks go into the eligibility,
    /// unless that has been taken out; then whoever holds it folds them.
    pub(super) fn steps(&mut self, steps: Range<usize>, factors: &mut [Factors]) {
        let Shard { plan, network, rows, fast_weights, readout_change, .. } = self;
        for step in steps {
            network.recurrent_drive(plan, self.trials.len(), &rows.r, &mut rows.recurrent);
            for (b, trial) in self.trials.iter_mut().enumerate() {
                let row = b * plan.width..(b + 1) * plan.width;
                if step >= trial.drawn.ends {
                    trial.record(plan, step, &rows.x[row.clone()], &rows.r[row]);
                    continue;
                }
                let recurrent = &mut rows.recurrent[row.clone()];
                network.input_drive(plan, &trial.drawn.trial.inputs, step, &mut rows.input[row.clone()]);
                trial.perturb(plan, step, &rows.r[row.clone()], recurrent);
                trial.drive(plan, network, step, recurrent);
                if let Some(fast_weights) = fast_weights {
                    fast_weights.read(b, &rows.r[row.clone()], recurrent);
                }
                let mut factors = factors.get_mut(b);
                if let Some(dense) = &trial.drawn.dense {
                    trial.perturb_all(plan, dense, step, (&rows.r[row.clone()], recurrent), factors.as_deref_mut());
                }
                let written = factors.as_mut().filter(|_| plan.learns != FusedRule::NodePerturbation);
                advance(
                    plan,
                    Row {
                        recurrent,
                        input: &rows.input[row.clone()],
                        x: &mut rows.x[row.clone()],
                        r: &mut rows.r[row.clone()],
                        x_mean: &mut rows.x_mean[row.clone()],
                    },
                    written.map(|factors| factors.next()),
                );
                let (x, r) = (&rows.x[row.clone()], &rows.r[row]);
                trial.record(plan, step, x, r);
                let reward_change = trial.judge(plan, network, step, r, readout_change);
                if let Some(fast_weights) = fast_weights {
                    fast_weights.change(b, r, trial.modulator(plan, step, reward_change));
                }
                if let Some(factors) = factors.filter(|_| plan.filters_back || step >= plan.start_step) {
                    trial.credit(plan, network, step, reward_change, factors);
                }
            }
        }
    }
}

impl Trial<'_> {
    /// Adds this step's perturbations to the drive, and for `node-perturbation` to the eligibility: ξ r_preᵀ is one
    /// row.
    fn perturb(&mut self, plan: &Plan, step: usize, r: &[f32], drive: &mut [f32]) {
        let learns = step >= plan.start_step && plan.learns == FusedRule::NodePerturbation;
        while let Some(xi) = self.drawn.perturbations.get(self.perturbed).filter(|xi| xi.step as usize == step) {
            let neuron = xi.neuron as usize;
            drive[neuron] += xi.size;
            self.perturbed += 1;
            if learns {
                let row = &mut self.eligibility[neuron * plan.width..(neuron + 1) * plan.width];
                plan.arch.dispatch(AddScaled { sums: row, values: r, scale: xi.size });
            }
        }
    }

    /// Adds private noise and the output of the step before to the drive.
    fn drive(&self, plan: &Plan, network: &Network, step: usize, drive: &mut [f32]) {
        let noise = self.drawn.private_noise.get(step * plan.n..(step + 1) * plan.n).unwrap_or(&[]);
        drive.iter_mut().zip(noise).for_each(|(drive, noise)| *drive += noise);
        if network.feeds_back() {
            let before = match step {
                0 => &self.fed_back[..],
                _ => &self.outputs[(step - 1) * plan.n_out..step * plan.n_out],
            };
            network.feed_back(plan, before, drive);
        }
    }

    /// Turns the slopes φ'(x(s)) `[T, width]`, the postsynaptic factors of `rflo` where rates leak, into those whose products with r(s−1)
    /// sum up to the eligibility.
    ///
    /// The eligibility is Σ_t (F ε(t))_i p_ij(t) with p_ij(t) = Σ_{s≤t} (1−λ)^(t−s) λ φ'_i(s) r_j(s−1), a matrix at every step. With the
    /// sums exchanged it is Σ_s λ φ'_i(s) (F q(s))_i r_j(s−1), where q(s) = ε(s) + (1−λ) q(s+1): errors are filtered backward in time.
    fn filter_back(&self, plan: &Plan, network: &Network, factors: &mut Factors) {
        let leak = plan.rate_leak.unwrap_or(1.0);
        let (mut filtered, mut fed) = (vec![0.0; plan.n_out], zeros(plan.width));
        for step in (0..plan.t).rev() {
            let errors = &self.errors[step * plan.n_out..(step + 1) * plan.n_out];
            let learnt = if step >= plan.start_step { 1.0 } else { 0.0 };
            for (q, error) in filtered.iter_mut().zip(errors) {
                *q = learnt * error + (1.0 - leak) * *q;
            }
            network.error_feedback(plan, &filtered, &mut fed);
            factors.post_of(step).iter_mut().zip(fed.iter()).for_each(|(post, fed)| *post *= leak * fed);
        }
    }

    /// Adds a step's Gaussian perturbations to the drive. For `node-perturbation` they are, with r, the step's factors.
    fn perturb_all(
        &self,
        plan: &Plan,
        dense: &DensePerturbation,
        step: usize,
        (r, drive): (&[f32], &mut [f32]),
        factors: Option<&mut Factors>,
    ) {
        let mut xi = zeros(plan.width);
        dense.at(step, &mut xi[..plan.n]);
        drive.iter_mut().zip(xi.iter()).for_each(|(drive, xi)| *drive += xi);
        if let Some(factors) = factors.filter(|_| plan.learns == FusedRule::NodePerturbation) {
            let (post, pre) = factors.next();
            post.copy_from_slice(&xi);
            pre.copy_from_slice(r);
        }
    }

    /// Stores x and r of a step if they are recorded.
    fn record(&mut self, plan: &Plan, step: usize, x: &[f32], r: &[f32]) {
        for (kept, now) in [(&mut self.activations, x), (&mut self.rates, r)] {
            if let Some(kept) = kept.get_mut(step * plan.n..(step + 1) * plan.n) {
                kept.copy_from_slice(&now[..plan.n]);
            }
        }
    }

    /// Writes the output of a step and adds the readout's learning to `change`. Returns R − R̄, or 0 if nothing reads
    /// it.
    fn judge(&mut self, plan: &Plan, network: &Network, step: usize, r: &[f32], change: &mut [f32]) -> f32 {
        let now = step * plan.n_out..(step + 1) * plan.n_out;
        let output = &mut self.outputs[now.clone()];
        let noise = self.drawn.readout_noise.get(now.clone()).unwrap_or(&[]);
        network.output(plan, r, noise, output);
        let trial = &self.drawn.trial;
        if let Some(errors) = self.errors.get_mut(now.clone()).filter(|_| trial.scored[step]) {
            let targets = trial.targets[now.clone()].iter().zip(output.iter());
            errors.iter_mut().zip(targets).for_each(|(error, (target, z))| *error = target - z);
            if plan.online.reads_error() {
                let change = change.split_at_mut(plan.n_out * plan.width);
                Online::learn_errors(&plan.online, errors, r, change);
            }
        }
        if !plan.online.needed {
            return 0.0;
        }
        let reward_change = match trial.scored[step] {
            true => self.online.reward_change(&plan.online, output, &trial.targets[now]),
            false => 0.0,
        };
        if plan.online.learns() && !plan.online.reads_error() {
            let change = change.split_at_mut(plan.n_out * plan.width);
            self.online.learn(&plan.online, output, noise, reward_change, r, change);
        }
        reward_change
    }

    /// The modulator m(t) of the fast weights.
    fn modulator(&self, plan: &Plan, step: usize, reward_change: f32) -> f32 {
        match plan.modulator {
            ModulatorSource::Reward => reward_change,
            ModulatorSource::Task => self.drawn.trial.modulator.as_ref().map_or(1.0, |m| m[step]),
            ModulatorSource::Constant => 1.0,
        }
    }

    /// Counts the factors of a step, and folds a full block.
    fn credit(&mut self, plan: &Plan, network: &Network, step: usize, reward_change: f32, factors: &mut Factors) {
        if matches!(plan.learns, FusedRule::Eh(_)) {
            // Gated by the step's reward: if it is as expected, nothing is added.
            if reward_change == 0.0 {
                return;
            }
            factors.next().0.iter_mut().for_each(|post| *post *= reward_change);
        }
        if plan.learns == FusedRule::Rflo && !plan.filters_back {
            let errors = &self.errors[step * plan.n_out..(step + 1) * plan.n_out];
            if errors.iter().all(|error| *error == 0.0) {
                return;
            }
            let mut fed = zeros(plan.width);
            network.error_feedback(plan, errors, &mut fed);
            factors.next().0.iter_mut().zip(fed.iter()).for_each(|(post, fed)| *post *= fed);
        }
        if factors.push() && !self.eligibility.is_empty() && !plan.filters_back {
            factors.fold(self.eligibility);
        }
    }
}
