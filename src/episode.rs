//! Runs a batch of trials from first to last step, in plain candle operations on any device.
//!
//! This is the reference: one obvious loop over steps. What the fused kernels compute is tested against it.

use crate::batch::{DrawnTrial, Kick, TrialBatch};
use crate::config::{Config, RuleName, TraceModulator};
use crate::eligibility::{Eligibility, Workspace};
use crate::modulator::Modulator;
use crate::network::{Cell, State, Weights};
use crate::online::{ReadoutLearning, Reward};
use crate::ops;
use crate::rule::{self, Accumulator, Moment};
use crate::task::{ErrorMeasure, Task};
use crate::trace::{HebbianTrace, TraceState};
use candle_core::{DType, Device, Result, Tensor};
use std::ops::Range;

/// Steps whose factors are collected before they are multiplied into the eligibility.
const BLOCK: usize = 100;

/// A batch of trials as tensors. T steps, S networks, B trials.
pub struct EpisodeInputs<'a> {
    /// u, `[T, S, B, n_in]`.
    pub inputs: Tensor,
    /// x(0), `[S, B, N]`.
    pub x0: Tensor,
    /// m(t) of the trace, `[T, S, B]`; `None`: 1.
    pub modulator: Option<Tensor>,
    /// The trace at the start; `None`: zero.
    pub trace: Option<TraceState>,
    /// What is needed to judge outputs while the trial runs.
    pub scoring: Option<Scoring>,
    /// The exploratory perturbations of each trial, `[S, B]` lists ordered by step; empty: none.
    pub kicks: Vec<&'a [Kick]>,
    /// Noise on the readout, `[T, S, B, n_out]`.
    pub readout_noise: Option<Tensor>,
    /// The neurons' private noise, `[T, S, B, N]`.
    pub private_noise: Option<Tensor>,
}

/// Targets and what is expected.
pub struct Scoring {
    /// `[T, S, B, n_out]`.
    pub targets: Tensor,
    /// `[T, S, B]`, 1 where the output is judged, else 0.
    pub scored: Tensor,
    /// How.
    pub measure: ErrorMeasure,
    /// Ē of each trial's type, `[S, B]`: R̄ starts from its negative.
    pub expected_error: Tensor,
}

impl Scoring {
    /// target − output for `output` `[S, B, n_out]`; 0 where the step is not scored.
    fn difference(&self, step: usize, output: &Tensor) -> Result<Tensor> {
        (self.targets.get(step)? - output)?.broadcast_mul(&self.scored.get(step)?.unsqueeze(2)?)
    }
}

/// The sizes of a trial, and how its outputs are judged.
#[derive(Clone, Copy, Debug)]
pub struct TrialShape {
    /// T.
    pub steps: usize,
    /// Number of inputs.
    pub n_in: usize,
    /// Number of outputs.
    pub n_out: usize,
    /// How outputs are compared with targets.
    pub measure: ErrorMeasure,
}

impl TrialShape {
    /// That of the trials of a task.
    pub fn of(task: &dyn Task) -> Self {
        TrialShape { steps: task.steps(), n_in: task.n_in(), n_out: task.n_out(), measure: task.measure() }
    }
}

/// What a run should keep beside the outputs.
#[derive(Clone, Copy, Debug, Default)]
pub struct Record {
    /// The Hebbian trace after the last step; a persistent one is kept without asking.
    pub trace: bool,
    /// Rates of every step.
    pub rates: bool,
    /// Activations of every step.
    pub activations: bool,
}

/// What a batch of trials left behind.
pub struct Episode {
    /// `[T, S, B, n_out]`.
    pub outputs: Tensor,
    /// The state after the last step.
    pub state: State,
    /// The Hebbian trace after the last step.
    pub trace: Option<TraceState>,
    /// Where `w_rec` learns.
    pub eligibility: Option<Eligibility>,
    /// Summed changes of `w_out` `[S, n_out, N]` and `b_out` `[S, n_out]`, before the learning rate, where they learn.
    pub readout_change: Option<(Tensor, Tensor)>,
    /// `[T, S, B, N]`, where asked for.
    pub rates: Option<Tensor>,
    /// `[T, S, B, N]`, where asked for.
    pub activations: Option<Tensor>,
}

impl<'a> EpisodeInputs<'a> {
    /// Puts a drawn batch on a device.
    pub fn new(
        batch: &'a TrialBatch,
        config: &Config,
        shape: TrialShape,
        modulator: &Modulator,
        dtype: DType,
        device: &Device,
    ) -> Result<Self> {
        let (s, b) = (batch.networks, batch.trials_each);
        let TrialShape { steps: t, n_in, n_out, measure } = shape;
        let tensor = |values: Vec<f32>, shape: &[usize]| Tensor::from_vec(values, shape, device)?.to_dtype(dtype);
        let trial = |i: usize| &batch.drawn[i].trial;
        let scored =
            (0..t).flat_map(|step| (0..s * b).map(move |i| f32::from(u8::from(trial(i).scored[step])))).collect();
        let expected = (0..s * b).map(|i| modulator.expectation(i / b, trial(i).trial_type) as f32).collect();
        let scoring = Scoring {
            targets: tensor(steps_first(t, n_out, (0..s * b).map(|i| &trial(i).targets[..])), &[t, s, b, n_out])?,
            scored: tensor(scored, &[t, s, b])?,
            measure,
            expected_error: tensor(expected, &[s, b])?,
        };
        let modulated =
            config.trace.modulator == TraceModulator::Task && batch.drawn.iter().any(|d| d.trial.modulator.is_some());
        let ones = vec![1.0; t];
        let n = config.network.neurons;
        let noise = |width: usize, of: fn(&DrawnTrial) -> &[f32]| {
            let there = batch.drawn.iter().any(|d| !of(d).is_empty());
            there.then(|| tensor(steps_first(t, width, batch.drawn.iter().map(of)), &[t, s, b, width])).transpose()
        };
        Ok(EpisodeInputs {
            inputs: tensor(steps_first(t, n_in, (0..s * b).map(|i| &trial(i).inputs[..])), &[t, s, b, n_in])?,
            x0: tensor(batch.drawn.iter().flat_map(|d| d.x0.iter().copied()).collect(), &[s, b, n])?,
            modulator: modulated
                .then(|| {
                    tensor(
                        steps_first(t, 1, (0..s * b).map(|i| trial(i).modulator.as_deref().unwrap_or(&ones))),
                        &[t, s, b],
                    )
                })
                .transpose()?,
            trace: None,
            scoring: Some(scoring),
            kicks: batch.drawn.iter().map(|d| d.kicks.as_slice()).collect(),
            readout_noise: noise(n_out, |d| &d.readout_noise)?,
            private_noise: noise(n, |d| &d.private_noise)?,
        })
    }

    /// Those of some networks' trials, counted within the batch.
    pub(crate) fn part(&self, networks: Range<usize>, trials: Range<usize>) -> Result<EpisodeInputs<'a>> {
        let b = self.x0.dim(1)?;
        // Networks are dimension `first`, trials the one after it.
        let cut = |tensor: &Tensor, first: usize| {
            tensor
                .narrow(first, networks.start, networks.len())?
                .narrow(first + 1, trials.start, trials.len())?
                .contiguous()
        };
        let maybe = |tensor: &Option<Tensor>, first| tensor.as_ref().map(|tensor| cut(tensor, first)).transpose();
        let trace = |trace: &TraceState| -> Result<TraceState> {
            Ok(TraceState { h: cut(&trace.h, 0)?, eligibility: maybe(&trace.eligibility, 0)? })
        };
        let scoring = |scoring: &Scoring| -> Result<Scoring> {
            Ok(Scoring {
                targets: cut(&scoring.targets, 1)?,
                scored: cut(&scoring.scored, 1)?,
                measure: scoring.measure,
                expected_error: cut(&scoring.expected_error, 0)?,
            })
        };
        Ok(EpisodeInputs {
            inputs: cut(&self.inputs, 1)?,
            x0: cut(&self.x0, 0)?,
            modulator: maybe(&self.modulator, 1)?,
            trace: self.trace.as_ref().map(trace).transpose()?,
            scoring: self.scoring.as_ref().map(scoring).transpose()?,
            kicks: (networks.clone())
                .flat_map(|s| &self.kicks[s * b + trials.start..s * b + trials.end])
                .copied()
                .collect(),
            readout_noise: maybe(&self.readout_noise, 1)?,
            private_noise: maybe(&self.private_noise, 1)?,
        })
    }
}

/// From one `[T, width]` for each trial to `[T, trials, width]`.
fn steps_first<'a>(t: usize, width: usize, trials: impl Iterator<Item = &'a [f32]> + Clone) -> Vec<f32> {
    (0..t).flat_map(|step| trials.clone().flat_map(move |of| &of[step * width..(step + 1) * width])).copied().collect()
}

/// S networks as they are now, and what their trials are like.
pub struct Ensemble<'a> {
    /// The run's configuration.
    pub config: &'a Config,
    /// The sizes of its trials.
    pub shape: TrialShape,
    /// The weights.
    pub weights: &'a Weights,
    /// What each network expects.
    pub modulator: &'a Modulator,
    /// The Hebbian trace at the start; `None`: zero.
    pub trace: Option<TraceState>,
}

impl Ensemble<'_> {
    /// Runs a drawn batch by the fused kernels where they can do what the configuration asks for, else by [`run`].
    pub fn run(&self, batch: &TrialBatch, learn: bool, record: Record, workspace: &mut Workspace) -> Result<Episode> {
        let Ensemble { config, weights, .. } = *self;
        let device = weights.w_rec.device();
        if let Some(run) = ops::fused(config, device) {
            return run(self, batch, learn, record, workspace);
        }
        run(config, &Cell::new(&config.network, weights)?, &self.inputs(batch)?, learn, record)
    }

    /// A drawn batch on the networks' device, with the trace that it starts from.
    pub(crate) fn inputs<'b>(&self, batch: &'b TrialBatch) -> Result<EpisodeInputs<'b>> {
        let Ensemble { config, shape, weights, modulator, .. } = *self;
        let w_rec = &weights.w_rec;
        let inputs = EpisodeInputs::new(batch, config, shape, modulator, w_rec.dtype(), w_rec.device())?;
        Ok(EpisodeInputs { trace: self.trace.clone(), ..inputs })
    }
}

/// Where a batch of trials is between two steps: all that the next step reads beside weights and inputs.
#[derive(Clone, Debug)]
pub(crate) struct Progress {
    /// x and r.
    pub state: State,
    /// H, where there is a trace.
    pub trace: Option<TraceState>,
    /// The output of the step before, where it is fed back, `[S, B, n_out]`.
    pub fed_back: Option<Tensor>,
    /// R̄, where anything reads it, `[S, B]`.
    pub reward_mean: Option<Tensor>,
}

/// What one step did.
pub(crate) struct Taken {
    /// Where the trials are now.
    pub next: Progress,
    /// z, exploration included, `[S, B, n_out]`.
    pub output: Tensor,
    /// The readout's own noise in it.
    pub readout_noise: Option<Tensor>,
    /// ξ, `[S, B, N]`.
    pub perturbation: Option<Tensor>,
    /// R − R̄, `[S, B]`.
    pub reward_change: Tensor,
}

/// The steps of a batch of trials, to be taken in order.
pub(crate) struct Steps<'a> {
    config: &'a Config,
    cell: &'a Cell,
    inputs: &'a EpisodeInputs<'a>,
    trace: Option<HebbianTrace>,
    reward: Option<Reward<'a>>,
    kicks: Kicks<'a>,
    ones: Tensor,
    zeros: Tensor,
}

impl<'a> Steps<'a> {
    /// The steps from `first` on.
    pub fn from(first: usize, config: &'a Config, cell: &'a Cell, inputs: &'a EpisodeInputs<'a>) -> Result<Self> {
        let (s, b, _) = inputs.x0.dims3()?;
        let ones = Tensor::ones((s, b), inputs.x0.dtype(), inputs.x0.device())?;
        Ok(Steps {
            config,
            cell,
            inputs,
            trace: HebbianTrace::new(&config.trace),
            reward: Reward::new(config, inputs)?,
            kicks: Kicks::from(first, &inputs.kicks),
            zeros: ones.zeros_like()?,
            ones,
        })
    }

    /// Where the trials start.
    pub fn start(&self) -> Result<Progress> {
        let state = self.cell.start(&self.inputs.x0)?;
        Ok(Progress {
            trace: match (&self.trace, &self.inputs.trace) {
                (Some(_), Some(given)) => Some(given.clone()),
                (Some(trace), None) => Some(trace.zero(&state.x)?),
                (None, _) => None,
            },
            fed_back: self.cell.feeds_back().then(|| self.cell.output(&state.r)).transpose()?,
            reward_mean: self.reward.as_ref().map(Reward::start).transpose()?,
            state,
        })
    }

    /// Takes step number `step`, in the order that docs/model.md gives.
    pub fn take(&mut self, step: usize, at: &Progress) -> Result<Taken> {
        let Steps { config, cell, inputs, .. } = *self;
        let plastic = match (&self.trace, &at.trace) {
            (Some(trace), Some(h)) => trace.drive(h, &at.state.r)?,
            _ => None,
        };
        let perturbation = self.kicks.at(step, &at.state.x)?;
        let noise = inputs.private_noise.as_ref().map(|noise| noise.get(step)).transpose()?;
        let drives: Vec<&Tensor> = [&plastic, &perturbation, &noise].into_iter().flatten().collect();
        let state = cell.step(&at.state, &inputs.inputs.get(step)?, at.fed_back.as_ref(), &drives)?;

        let exact = cell.output(&state.r)?;
        let readout_noise = inputs.readout_noise.as_ref().map(|noise| noise.get(step)).transpose()?;
        let output = match &readout_noise {
            Some(noise) => (&exact + noise)?,
            None => exact,
        };
        let (reward_change, reward_mean) = match (&self.reward, &at.reward_mean) {
            (Some(reward), Some(mean)) => {
                let (change, mean) = reward.change(step, &output, mean)?;
                (change, Some(mean))
            }
            _ => (self.zeros.clone(), None),
        };
        let trace = match (&self.trace, &at.trace) {
            (Some(trace), Some(h)) => {
                let m = match (config.trace.modulator, &inputs.modulator) {
                    (TraceModulator::Task, Some(m)) => m.get(step)?,
                    (TraceModulator::Reward, _) => reward_change.clone(),
                    _ => self.ones.clone(),
                };
                Some(trace.update(h, &at.state.r, &state.r, &m)?)
            }
            _ => None,
        };
        let fed_back = at.fed_back.as_ref().map(|_| output.clone());
        let next = Progress { state, trace, fed_back, reward_mean };
        Ok(Taken { next, output, readout_noise, perturbation, reward_change })
    }
}

/// Runs all steps. With `learn`, accumulates what the configured rules accumulate.
pub fn run(config: &Config, cell: &Cell, inputs: &EpisodeInputs, learn: bool, record: Record) -> Result<Episode> {
    let t = inputs.inputs.dim(0)?;
    let mut steps = Steps::from(0, config, cell, inputs)?;
    let mut at = steps.start()?;
    let mut rule = if learn { rule::build(config) } else { None };
    let mut eligibility = rule.as_ref().map(|_| Accumulator::new(&at.state.x, BLOCK.min(t))).transpose()?;
    if let Some(rule) = &mut rule {
        rule.begin(&at.state)?;
    }
    let mut readout = learn.then(|| ReadoutLearning::new(config)).flatten();
    let told = inputs.scoring.as_ref().filter(|_| learn && config.reads_error_online());
    let mut outputs = Vec::with_capacity(t);
    let (mut rates, mut activations) = (Vec::new(), Vec::new());

    for step in 0..t {
        let Taken { next, output, readout_noise, perturbation, reward_change } = steps.take(step, &at)?;
        let difference = told.map(|scoring| scoring.difference(step, &output)).transpose()?;
        let error = difference.as_ref().map(|difference| cell.fed_back_error(difference)).transpose()?.flatten();
        if let (Some(rule), Some(eligibility)) = (&mut rule, &mut eligibility) {
            let moment = Moment {
                r_before: &at.state.r,
                state: &next.state,
                perturbation: perturbation.as_ref(),
                reward_change: &reward_change,
                error: error.as_ref(),
            };
            if let Some(increment) = rule.increment(&moment)?.filter(|_| step >= config.rule.start_step) {
                eligibility.push(&increment)?;
            }
        }
        if let Some(readout) = &mut readout {
            readout.accumulate(&next.state.r, &output, readout_noise.as_ref(), &reward_change, difference.as_ref())?;
        }
        outputs.push(output);
        if record.rates {
            rates.push(next.state.r.clone());
        }
        if record.activations {
            activations.push(next.state.x.clone());
        }
        at = next;
    }
    let Progress { state, trace: trace_state, .. } = at;

    let eligibility = match (eligibility, &trace_state) {
        (Some(eligibility), _) => Some(Eligibility::Tensor(eligibility.finish()?)),
        (None, Some(trace)) if learn && config.rule.name == RuleName::HebbianTrace => {
            Some(Eligibility::Tensor(trace.h.clone()))
        }
        _ => None,
    };
    let stack = |steps: Vec<Tensor>| (!steps.is_empty()).then(|| Tensor::stack(&steps, 0)).transpose();
    Ok(Episode {
        outputs: Tensor::stack(&outputs, 0)?,
        state,
        trace: trace_state,
        eligibility,
        readout_change: readout.and_then(|r| r.change),
        rates: stack(rates)?,
        activations: stack(activations)?,
    })
}

/// Walks through the sparse perturbations and makes them dense, one step at a time.
struct Kicks<'a> {
    lists: &'a [&'a [Kick]],
    next: Vec<usize>,
}

impl<'a> Kicks<'a> {
    /// Those of step `first` and later.
    fn from(first: usize, lists: &'a [&'a [Kick]]) -> Self {
        let next = lists.iter().map(|list| list.partition_point(|kick| (kick.step as usize) < first)).collect();
        Kicks { lists, next }
    }

    /// ξ of a step, shaped like `x` `[S, B, N]`; `None` where nothing is perturbed.
    fn at(&mut self, step: usize, x: &Tensor) -> Result<Option<Tensor>> {
        let n = x.dim(2)?;
        let mut dense: Option<Vec<f32>> = None;
        for (i, (list, next)) in self.lists.iter().zip(&mut self.next).enumerate() {
            while let Some(kick) = list.get(*next).filter(|kick| kick.step as usize == step) {
                dense.get_or_insert_with(|| vec![0.0; x.elem_count()])[i * n + kick.neuron as usize] += kick.size;
                *next += 1;
            }
        }
        dense.map(|values| Tensor::from_vec(values, x.shape(), x.device())?.to_dtype(x.dtype())).transpose()
    }
}
