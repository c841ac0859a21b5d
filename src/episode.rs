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
        let Ensemble { config, shape, weights, modulator, .. } = *self;
        let device = weights.w_rec.device();
        if let Some(run) = ops::fused(config, device) {
            return run(self, batch, learn, record, workspace);
        }
        let mut inputs = EpisodeInputs::new(batch, config, shape, modulator, weights.w_rec.dtype(), device)?;
        inputs.trace = self.trace.clone();
        run(config, &Cell::new(&config.network, weights)?, &inputs, learn, record)
    }
}

/// Runs all steps. With `learn`, accumulates what the configured rules accumulate.
pub fn run(config: &Config, cell: &Cell, inputs: &EpisodeInputs, learn: bool, record: Record) -> Result<Episode> {
    let (t, s, b, _) = inputs.inputs.dims4()?;
    let (dtype, device) = (inputs.x0.dtype(), inputs.x0.device());
    let ones = Tensor::ones((s, b), dtype, device)?;
    let zeros = ones.zeros_like()?;

    let mut state = cell.start(&inputs.x0)?;
    let trace = HebbianTrace::new(&config.trace);
    let mut trace_state = match (&trace, &inputs.trace) {
        (Some(_), Some(given)) => Some(given.clone()),
        (Some(trace), None) => Some(trace.zero(&state.x)?),
        (None, _) => None,
    };
    let mut rule = if learn { rule::build(config) } else { None };
    let mut eligibility = rule.as_ref().map(|_| Accumulator::new(&state.x, BLOCK.min(t))).transpose()?;
    if let Some(rule) = &mut rule {
        rule.begin(&state)?;
    }
    let mut readout = learn.then(|| ReadoutLearning::new(config)).flatten();
    let told = inputs.scoring.as_ref().filter(|_| learn && config.reads_error_online());
    let mut fed_back = cell.feeds_back().then(|| cell.output(&state.r)).transpose()?;
    let mut reward = Reward::new(config, inputs)?;
    let mut kicks = Kicks { lists: &inputs.kicks, next: vec![0; inputs.kicks.len()] };
    let mut outputs = Vec::with_capacity(t);
    let (mut rates, mut activations) = (Vec::new(), Vec::new());

    for step in 0..t {
        let plastic = match (&trace, &trace_state) {
            (Some(trace), Some(h)) => trace.drive(h, &state.r)?,
            _ => None,
        };
        let perturbation = kicks.at(step, &state.x)?;
        let noise = inputs.private_noise.as_ref().map(|noise| noise.get(step)).transpose()?;
        let drives: Vec<&Tensor> = [&plastic, &perturbation, &noise].into_iter().flatten().collect();
        let next = cell.step(&state, &inputs.inputs.get(step)?, fed_back.as_ref(), &drives)?;

        let exact = cell.output(&next.r)?;
        let noise = inputs.readout_noise.as_ref().map(|noise| noise.get(step)).transpose()?;
        let output = match &noise {
            Some(noise) => (&exact + noise)?,
            None => exact,
        };
        let reward_change = reward.as_mut().map(|reward| reward.change(step, &output)).transpose()?;
        let reward_change = reward_change.as_ref().unwrap_or(&zeros);
        let difference = told.map(|scoring| scoring.difference(step, &output)).transpose()?;
        let error = difference.as_ref().map(|difference| cell.fed_back_error(difference)).transpose()?.flatten();

        if let (Some(trace), Some(h)) = (&trace, &trace_state) {
            let m = match (config.trace.modulator, &inputs.modulator) {
                (TraceModulator::Task, Some(m)) => m.get(step)?,
                (TraceModulator::Reward, _) => reward_change.clone(),
                _ => ones.clone(),
            };
            trace_state = Some(trace.update(h, &state.r, &next.r, &m)?);
        }
        if let (Some(rule), Some(eligibility)) = (&mut rule, &mut eligibility) {
            let moment = Moment {
                r_before: &state.r,
                state: &next,
                perturbation: perturbation.as_ref(),
                reward_change,
                error: error.as_ref(),
            };
            if let Some(increment) = rule.increment(&moment)?.filter(|_| step >= config.rule.start_step) {
                eligibility.push(&increment)?;
            }
        }
        if let Some(readout) = &mut readout {
            readout.accumulate(&next.r, &output, noise.as_ref(), reward_change, difference.as_ref())?;
        }
        if fed_back.is_some() {
            fed_back = Some(output.clone());
        }
        outputs.push(output);
        if record.rates {
            rates.push(next.r.clone());
        }
        if record.activations {
            activations.push(next.x.clone());
        }
        state = next;
    }

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

impl Kicks<'_> {
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
