//! The factors of the last steps, multiplied into the eligibility block by block while they are still in the cache.

use crate::engine::eligibility::{zeros, Aligned};
use crate::engine::{product, Strides};

/// Post- and presynaptic factors of one trial, `[block, width]` each.
pub(super) struct Factors {
    post: Aligned,
    pre: Aligned,
    width: usize,
    /// Steps in the block.
    steps: usize,
    /// Whether the eligibility holds a block already, to be added to.
    folded: bool,
}

impl Factors {
    /// Room for blocks of `block` steps.
    pub(super) fn new(block: usize, width: usize) -> Self {
        Factors { post: zeros(block * width), pre: zeros(block * width), width, steps: 0, folded: false }
    }

    /// Where the next step writes its factors, (post, pre). They count once [`Factors::push`] is called.
    pub(super) fn next(&mut self) -> (&mut [f32], &mut [f32]) {
        let step = self.steps * self.width..(self.steps + 1) * self.width;
        (&mut self.post[step.clone()], &mut self.pre[step])
    }

    /// Counts what [`Factors::next`] was given; says whether the block is full, and must be folded before the next step.
    pub(super) fn push(&mut self) -> bool {
        self.steps += 1;
        self.steps * self.width == self.post.len()
    }

    /// Takes over what `other` knows of the eligibility: whether blocks are in it already.
    pub(super) fn follow(&mut self, other: &Factors) {
        self.folded |= other.folded;
    }

    /// e ← e + Σ post preᵀ over the block, if there is one; e is `[N, width]`, and overwritten by the first block of a trial.
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

    /// The last block of a trial. What its `eligibility` held before the trial is overwritten in any case.
    pub(super) fn finish(&mut self, eligibility: &mut [f32]) {
        self.fold(eligibility);
        if !self.folded {
            eligibility.fill(0.0);
        }
    }
}
