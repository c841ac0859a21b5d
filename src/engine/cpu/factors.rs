//! The factors of the most recent steps, multiplied into the eligibility in blocks while they are still in cache.

use crate::engine::eligibility::{zeros, Aligned};
use crate::engine::{product, Strides};

/// The post- and presynaptic factors of one trial, each `[block, width]`.
pub(super) struct Factors {
    post: Aligned,
    pre: Aligned,
    width: usize,
    /// The number of steps in the block so far.
    steps: usize,
    /// Whether the eligibility already holds a block, to which the next is added.
    folded: bool,
}

impl Factors {
    /// Room for blocks of `block` steps.
    pub(super) fn new(block: usize, width: usize) -> Self {
        Factors { post: zeros(block * width), pre: zeros(block * width), width, steps: 0, folded: false }
    }

    /// The slices (post, pre) into which the next step writes its factors. They count once [`Factors::push`] is called.
    pub(super) fn next(&mut self) -> (&mut [f32], &mut [f32]) {
        let step = self.steps * self.width..(self.steps + 1) * self.width;
        (&mut self.post[step.clone()], &mut self.pre[step])
    }

    /// The postsynaptic factors of a step of the block.
    pub(super) fn post_of(&mut self, step: usize) -> &mut [f32] {
        &mut self.post[step * self.width..(step + 1) * self.width]
    }

    /// The number of steps in the block so far.
    pub(super) fn steps(&self) -> usize {
        self.steps
    }

    /// The post- and presynaptic factors of these steps, each `[steps, width]`.
    pub(super) fn all(&self) -> (&[f32], &[f32]) {
        let block = ..self.steps * self.width;
        (&self.post[block], &self.pre[block])
    }

    /// Counts the factors written through [`Factors::next`]. Returns whether the block is full and must be folded
    /// before the next step.
    pub(super) fn push(&mut self) -> bool {
        self.steps += 1;
        self.steps * self.width == self.post.len()
    }

    /// Copies from `other` whether the eligibility already holds a block.
    pub(super) fn follow(&mut self, other: &Factors) {
        self.folded |= other.folded;
    }

    /// e ← e + Σ post preᵀ over the block, if it has any steps. e is `[N, width]`; the first block of a trial
    /// overwrites it.
    pub(super) fn fold(&mut self, eligibility: &mut [f32]) {
        if self.steps == 0 {
            return;
        }
        let block = ..self.steps * self.width;
        let (across, along) = (Strides { rows: 1, columns: self.width }, Strides { rows: self.width, columns: 1 });
        product(
            (eligibility.len() / self.width, self.width, self.steps),
            (eligibility, along),
            self.folded,
            (&self.post[block], across),
            (&self.pre[block], along),
        );
        (self.steps, self.folded) = (0, true);
    }

    /// Folds in the last block of a trial. Whatever `eligibility` held before the trial is always overwritten.
    pub(super) fn finish(&mut self, eligibility: &mut [f32]) {
        self.fold(eligibility);
        if !self.folded {
            eligibility.fill(0.0);
        }
    }
}
