//! The steps of a batch of trials, one after another, in plain candle operations.

use super::TrialTensors;
use crate::config::{ModulatorSource, RewardConfig};
use crate::engine::memory::Sizes;
use crate::engine::{DensePerturbation, Perturbation};
use crate::model::{Cell, FastWeightPlasticity, FastWeights, State};
use crate::setup::Setup;
use candle_core::{Result, Tensor};
use std::ops::Range;

/// The state of a batch of trials between two steps: all that the next step reads besides weights and inputs.
#[derive(Clone, Debug)]
pub(crate) struct Progress {
    /// x and r.
    pub state: State,
    /// H, if there are fast weights.
    pub fast_weights: Option<FastWeights>,
    /// The output of the step before, if it is fed back, `[S, B, n_out]`.
    pub fed_back: Option<Tensor>,
    /// R̄, if anything reads it, `[S, B]`.
    pub reward_mean: Option<Tensor>,
}

impl Progress {
    /// Iterates over all tensors, always in the same order.
    pub fn each(&self) -> impl Iterator<Item = &Tensor> {
        let fast_weights = self.fast_weights.iter().flat_map(|h| h.each());
        let named = self.state.each().chain(fast_weights).map(|(_, tensor)| tensor);
        named.chain(&self.fed_back).chain(&self.reward_mean)
    }

    /// The state after a step, but that before it in trials that have ended: where `alive` `[S, B]` is 0, not 1.
    fn stopped(self, before: &Self, alive: &Tensor) -> Result<Self> {
        let ended = alive.affine(-1.0, 1.0)?;
        let mut before = before.each();
        // Both have the same tensors, in the same order.
        let kept = std::cell::RefCell::new(&mut before);
        self.map(|tensor| match kept.borrow_mut().next() {
            Some(old) => gated(tensor, alive)? + gated(old, &ended)?,
            None => candle_core::bail!("the state of a step lacks a tensor"),
        })
    }

    /// Applies `change` to each tensor.
    pub fn map(&self, change: impl Fn(&Tensor) -> Result<Tensor>) -> Result<Self> {
        let maybe = |tensor: &Option<Tensor>| tensor.as_ref().map(&change).transpose();
        Ok(Progress {
            state: self.state.map(|_, tensor| change(tensor))?,
            fast_weights: self.fast_weights.as_ref().map(|h| h.map(|_, tensor| change(tensor))).transpose()?,
            fed_back: maybe(&self.fed_back)?,
            reward_mean: maybe(&self.reward_mean)?,
        })
    }
}

/// The result of one step.
pub(crate) struct StepResult {
    /// The state after the step.
    pub next: Progress,
    /// The output z, including the readout's noise, `[S, B, n_out]`.
    pub output: Tensor,
    /// The readout's noise.
    pub readout_noise: Option<Tensor>,
    /// The perturbations ξ, `[S, B, N]`.
    pub perturbation: Option<Tensor>,
    /// R − R̄, `[S, B]`.
    pub reward_change: Tensor,
    /// 1 for trials that have not ended, else 0, `[S, B]`; `None`: none has.
    pub alive: Option<Tensor>,
}

/// `values` `[S, B, …]` times `gate` `[S, B]`.
pub(super) fn gated(values: &Tensor, gate: &Tensor) -> Result<Tensor> {
    let ones = vec![1; values.rank() - 2];
    let shape: Vec<usize> = gate.dims().iter().copied().chain(ones).collect();
    values.broadcast_mul(&gate.reshape(shape)?)
}

/// The steps of a batch of trials, to be taken in order.
pub(crate) struct Steps<'a> {
    modulator: ModulatorSource,
    cell: Cell,
    inputs: &'a TrialTensors<'a>,
    plasticity: Option<FastWeightPlasticity>,
    /// How R̄ is updated; `None` if nothing reads the reward online.
    reward: Option<&'a RewardConfig>,
    perturbations: Perturbations<'a>,
    ones: Tensor,
    zeros: Tensor,
}

impl<'a> Steps<'a> {
    /// The steps from `first` on.
    pub fn from(first: usize, setup: &'a Setup, cell: &Cell, inputs: &'a TrialTensors<'a>) -> Result<Self> {
        let (s, b, _) = inputs.x0.dims3()?;
        let ones = Tensor::ones((s, b), inputs.x0.dtype(), inputs.x0.device())?;
        Ok(Steps {
            modulator: setup.config.fast_weights.modulator,
            cell: cell.for_trials(b)?,
            inputs,
            plasticity: FastWeightPlasticity::new(&setup.config.fast_weights),
            reward: setup.reads_reward_online().then_some(&setup.config.modulator),
            perturbations: Perturbations::from(first, &inputs.perturbations),
            zeros: ones.zeros_like()?,
            ones,
        })
    }

    /// The state at the start of the trials.
    pub fn start(&self) -> Result<Progress> {
        let state = self.cell.start(&self.inputs.x0)?;
        Ok(Progress {
            fast_weights: match (&self.plasticity, &self.inputs.fast_weights) {
                (Some(_), Some(given)) => Some(given.clone()),
                (Some(plasticity), None) => Some(plasticity.zero(&state.x)?),
                (None, _) => None,
            },
            fed_back: self.cell.feeds_back().then(|| self.cell.output(&state.r)).transpose()?,
            reward_mean: self.reward.map(|_| self.inputs.scoring.expected_error.neg()).transpose()?,
            state,
        })
    }

    /// Takes step number `step`, in the order that docs/model.md gives.
    pub fn take(&mut self, step: usize, at: &Progress) -> Result<StepResult> {
        let inputs = self.inputs;
        let plastic = match (&self.plasticity, &at.fast_weights) {
            (Some(plasticity), Some(h)) => plasticity.drive(h, &at.state.r)?,
            _ => None,
        };
        let perturbation = match inputs.dense.is_empty() {
            true => self.perturbations.at(step, &at.state.x)?,
            false => Some(dense(&inputs.dense, step, &at.state.x)?),
        };
        let now = |noise: &Option<Tensor>| noise.as_ref().map(|noise| noise.get(step)).transpose();
        let (noise, readout_noise) = (now(&inputs.private_noise)?, now(&inputs.readout_noise)?);
        let drives: Vec<&Tensor> = [&plastic, &perturbation, &noise].into_iter().flatten().collect();
        let state = self.cell.step(&at.state, &inputs.inputs.get(step)?, at.fed_back.as_ref(), &drives)?;
        let mut output = self.cell.output(&state.r)?;
        if let Some(noise) = &readout_noise {
            output = (output + noise)?;
        }
        let (reward_change, reward_mean) = match (&self.reward, &at.reward_mean) {
            (Some(reward), Some(mean)) => {
                let (change, mean) = inputs.scoring.reward_change(reward, step, &output, mean)?;
                (change, Some(mean))
            }
            _ => (self.zeros.clone(), None),
        };
        let fast_weights = match (&self.plasticity, &at.fast_weights) {
            (Some(plasticity), Some(h)) => {
                let m = match (self.modulator, &inputs.modulator) {
                    (ModulatorSource::Task, Some(m)) => m.get(step)?,
                    (ModulatorSource::Reward, _) => reward_change.clone(),
                    (ModulatorSource::Task, None) | (ModulatorSource::Constant, _) => self.ones.clone(),
                };
                Some(plasticity.update(h, &at.state.r, &state.r, &m)?)
            }
            _ => None,
        };
        let fed_back = at.fed_back.as_ref().map(|_| output.clone());
        let mut next = Progress { state, fast_weights, fed_back, reward_mean };
        let alive = inputs.alive.as_ref().map(|alive| alive.get(step)).transpose()?;
        if let Some(alive) = &alive {
            (next, output) = (next.stopped(at, alive)?, gated(&output, alive)?);
        }
        Ok(StepResult { next, output, readout_noise, perturbation, reward_change, alive })
    }
}

/// Gaussian ξ of a step, shaped like `x` `[S, B, N]`.
fn dense(trials: &[DensePerturbation], step: usize, x: &Tensor) -> Result<Tensor> {
    let mut xi = vec![0f32; x.elem_count()];
    for (trial, xi) in trials.iter().zip(xi.chunks_exact_mut(x.dim(2)?)) {
        trial.at(step, xi);
    }
    Tensor::from_vec(xi, x.shape(), x.device())?.to_dtype(x.dtype())
}

/// The bytes of the tensors of a step, and of the dense perturbations.
pub(super) fn memory(sizes: &Sizes) -> f64 {
    sizes.vectors(if sizes.perturbed() { 8.0 + BLOCK as f64 } else { 8.0 })
}

/// The number of steps whose perturbations are made dense at once.
const BLOCK: usize = 32;

/// Makes the sparse perturbations dense on the device, a block of steps at a time.
struct Perturbations<'a> {
    lists: &'a [&'a [Perturbation]],
    /// The index in each list of the first perturbation not yet in a block.
    next: Vec<usize>,
    /// The last block of steps, and its ξ `[steps, S, B, N]`; `None` if the block has no perturbations.
    steps: Range<usize>,
    dense: Option<Tensor>,
}

impl<'a> Perturbations<'a> {
    /// The perturbations from step `first` on.
    fn from(first: usize, lists: &'a [&'a [Perturbation]]) -> Self {
        let before = |list: &&[Perturbation]| list.partition_point(|xi| (xi.step as usize) < first);
        Perturbations { lists, next: lists.iter().map(before).collect(), steps: first..first, dense: None }
    }

    /// ξ of a step, shaped like `x` `[S, B, N]`; `None` if its block has no perturbations. Steps must be requested in
    /// order.
    fn at(&mut self, step: usize, x: &Tensor) -> Result<Option<Tensor>> {
        if !self.steps.contains(&step) {
            self.steps = step..step + BLOCK;
            self.dense = None;
            self.dense = self.block(x)?;
        }
        self.dense.as_ref().map(|dense| dense.get(step - self.steps.start)).transpose()
    }

    fn block(&mut self, x: &Tensor) -> Result<Option<Tensor>> {
        let trials = self.lists.len();
        // The perturbations of each step and trial.
        let mut rows: Vec<&[Perturbation]> = vec![&[]; BLOCK * trials];
        for (i, (list, next)) in self.lists.iter().zip(&mut self.next).enumerate() {
            for (k, step) in self.steps.clone().enumerate() {
                let end = *next + list[*next..].iter().take_while(|xi| xi.step as usize == step).count();
                rows[k * trials + i] = &list[*next..end];
                *next = end;
            }
        }
        let most = rows.iter().map(|row| row.len()).max().unwrap_or(0);
        if most == 0 {
            return Ok(None);
        }
        // Pads the lists to the same length: missing entries add 0 to neuron 0.
        let (mut neurons, mut sizes) = (vec![0u32; rows.len() * most], vec![0f32; rows.len() * most]);
        for (i, row) in rows.iter().enumerate() {
            for (k, xi) in row.iter().enumerate() {
                (neurons[i * most + k], sizes[i * most + k]) = (xi.neuron, xi.size);
            }
        }
        let (s, b, n) = x.dims3()?;
        let lists = (rows.len(), most);
        let neurons = Tensor::from_vec(neurons, lists, x.device())?;
        let sizes = Tensor::from_vec(sizes, lists, x.device())?.to_dtype(x.dtype())?;
        let dense = Tensor::zeros((rows.len(), n), x.dtype(), x.device())?;
        dense.scatter_add_set(&neurons, &sizes, 1)?;
        Ok(Some(dense.reshape((BLOCK, s, b, n))?))
    }
}
