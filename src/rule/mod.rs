//! Learning rules: what is accumulated as eligibility while a trial runs.
//!
//! Most rules add, at each step, an outer product of a postsynaptic and a presynaptic factor. Such a rule names its two
//! factors; [`Accumulator`] sums their products over time as one matrix product for each block of steps.

mod delta_x;
mod eh;
mod node_perturbation;
mod rflo;

pub use delta_x::DeltaX;
pub use eh::Eh;
pub use node_perturbation::NodePerturbation;
pub use rflo::Rflo;

use crate::config::{Config, RuleName};
use crate::network::State;
use candle_core::{Result, Tensor};

/// What a rule can see at one step; all tensors `[S, B, N]` unless said otherwise.
pub struct Moment<'a> {
    /// Rates before the step, r(t−1).
    pub r_before: &'a Tensor,
    /// The state after the step.
    pub state: &'a State,
    /// ξ(t); `None` where nothing was perturbed.
    pub perturbation: Option<&'a Tensor>,
    /// R − R̄ at this step, `[S, B]`; 0 on steps that are not scored.
    pub reward_change: &'a Tensor,
    /// F ε: what the error of the step, fed back, brings to each neuron; `None` where it is not.
    pub error: Option<&'a Tensor>,
}

/// The factors of one step's outer product.
pub struct Factors {
    /// `[S, B, N]`.
    pub post: Tensor,
    /// `[S, B, N]`.
    pub pre: Tensor,
}

/// What one step adds to the eligibility.
pub enum Increment {
    /// An outer product.
    Outer(Factors),
    /// An outer product, each element cubed. The cube of a product is the product of the cubes, so whole blocks of factors are
    /// cubed before they are multiplied.
    CubedOuter(Factors),
    /// `[S, B, N, N]`, (post, pre).
    Matrix(Tensor),
}

/// A rule whose eligibility is a sum over the steps of a trial.
pub trait LearningRule {
    /// Forgets the last trial; `state` is the state at the start of the new one.
    fn begin(&mut self, state: &State) -> Result<()>;
    /// What this step adds, and the rule's own running means moved on; `None` where it adds nothing.
    fn increment(&mut self, moment: &Moment) -> Result<Option<Increment>>;
}

/// What turns a rule's eligibility into a change of weights.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Credit {
    /// The neuromodulator of the whole trial multiplies it.
    Trial,
    /// It is gated by the reward of each step already, and counts once R̄ has settled.
    Online,
    /// It holds the error of each step already.
    Supervised,
}

/// How the rule gets its credit.
pub fn credit(rule: RuleName) -> Credit {
    match rule {
        RuleName::Eh => Credit::Online,
        RuleName::Rflo => Credit::Supervised,
        RuleName::DeltaX | RuleName::NodePerturbation | RuleName::HebbianTrace => Credit::Trial,
        RuleName::Bptt | RuleName::None => Credit::Trial,
    }
}

/// The configured rule; `None` for `hebbian-trace`, which reads the trace, for `bptt`, which is no such sum, and for `none`.
pub fn build(config: &Config) -> Option<Box<dyn LearningRule>> {
    let rule = &config.rule;
    match rule.name {
        RuleName::DeltaX => Some(Box::new(DeltaX::new(rule.x_mean_decay))),
        RuleName::NodePerturbation => Some(Box::new(NodePerturbation)),
        RuleName::Eh => Some(Box::new(Eh::new(rule.x_mean_decay))),
        RuleName::Rflo => Some(Box::new(Rflo::new(&config.network))),
        RuleName::HebbianTrace | RuleName::Bptt | RuleName::None => None,
    }
}

/// Moves a running mean: mean ← decay · mean + (1 − decay) · value.
fn moved_mean(mean: &Tensor, value: &Tensor, decay: f64) -> Result<Tensor> {
    (mean * decay)? + (value * (1.0 - decay))?
}

/// Sums outer products over time: Σ_t post(t) pre(t)ᵀ for each trial, by blocks of steps.
///
/// Memory: S·B·N² for the sum and 2·S·B·block·N for the block, whatever the length of the trial.
pub struct Accumulator {
    sum: Option<Tensor>,
    post: Tensor,
    pre: Tensor,
    filled: usize,
    cubed: bool,
}

impl Accumulator {
    /// Starts at zero for states like `like` `[S, B, N]`.
    pub fn new(like: &Tensor, block: usize) -> Result<Self> {
        let (s, b, n) = like.dims3()?;
        let buffer = || Tensor::zeros((s, b, block, n), like.dtype(), like.device());
        Ok(Accumulator { sum: None, post: buffer()?, pre: buffer()?, filled: 0, cubed: false })
    }

    /// Adds one step.
    pub fn push(&mut self, increment: &Increment) -> Result<()> {
        match increment {
            Increment::Outer(factors) => self.push_outer(factors, false),
            Increment::CubedOuter(factors) => self.push_outer(factors, true),
            Increment::Matrix(matrix) => self.add(matrix.clone()),
        }
    }

    fn push_outer(&mut self, factors: &Factors, cubed: bool) -> Result<()> {
        if cubed != self.cubed {
            self.fold()?;
            self.cubed = cubed;
        }
        self.post.slice_set(&factors.post.unsqueeze(2)?.contiguous()?, 2, self.filled)?;
        self.pre.slice_set(&factors.pre.unsqueeze(2)?.contiguous()?, 2, self.filled)?;
        self.filled += 1;
        if self.filled == self.post.dim(2)? {
            self.fold()?;
        }
        Ok(())
    }

    /// The sum, `[S, B, N, N]` as (post, pre).
    pub fn finish(mut self) -> Result<Tensor> {
        self.fold()?;
        match self.sum {
            Some(sum) => Ok(sum),
            None => {
                let (s, b, _, n) = self.post.dims4()?;
                Tensor::zeros((s, b, n, n), self.post.dtype(), self.post.device())
            }
        }
    }

    fn fold(&mut self) -> Result<()> {
        if self.filled == 0 {
            return Ok(());
        }
        let block = |factors: &Tensor| {
            let factors = factors.narrow(2, 0, self.filled)?;
            if self.cubed {
                factors.sqr()? * factors
            } else {
                factors.contiguous()
            }
        };
        let product = block(&self.post)?.transpose(2, 3)?.contiguous()?.matmul(&block(&self.pre)?)?;
        self.filled = 0;
        self.add(product)
    }

    fn add(&mut self, matrix: Tensor) -> Result<()> {
        self.sum = Some(match self.sum.take() {
            Some(sum) => (sum + matrix)?,
            None => matrix,
        });
        Ok(())
    }
}
