//! The factors of the last steps, multiplied into the eligibility block by block while they are still in the cache.

use crate::engine::eligibility::{zeros, Aligned};
use crate::engine::{product, Strides};

/// Post- and presynaptic factors of a shard's trials, `[trials, block, width]` each.
pub(super) struct Factors {
    post: Aligned,
    pre: Aligned,
    block: usize,
    n: usize,
    width: usize,
    each: Vec<Filled>,
}

/// How far one trial is.
#[derive(Clone, Default)]
struct Filled {
    /// Steps in the block.
    steps: usize,
    /// Whether the eligibility holds a block already, to be added to.
    folded: bool,
}

impl Factors {
    /// Room for blocks of `block` steps of `trials` trials.
    pub(super) fn new(trials: usize, block: usize, n: usize, width: usize) -> Self {
        let len = trials * block * width;
        Factors { post: zeros(len), pre: zeros(len), block, n, width, each: vec![Filled::default(); trials] }
    }

    /// Where the next step of trial `b` writes its factors, (post, pre). They count once [`Factors::push`] is called.
    pub(super) fn next(&mut self, b: usize) -> (&mut [f32], &mut [f32]) {
        let at = (b * self.block + self.each[b].steps) * self.width;
        (&mut self.post[at..at + self.width], &mut self.pre[at..at + self.width])
    }

    /// Counts what [`Factors::next`] was given; says whether the block is full, and must be folded before the next step.
    pub(super) fn push(&mut self, b: usize) -> bool {
        self.each[b].steps += 1;
        self.each[b].steps == self.block
    }

    /// The last block of trial `b`. What its `eligibility` `[N, width]` held before the trial is overwritten.
    pub(super) fn finish(&mut self, b: usize, eligibility: &mut [f32]) {
        if self.each[b].steps > 0 {
            self.fold(b, eligibility);
        }
        if !self.each[b].folded {
            eligibility.fill(0.0);
        }
    }

    /// Takes over what `other` knows of the eligibility: whether blocks are in it already.
    pub(super) fn follow(&mut self, other: &Factors) {
        self.each.iter_mut().zip(&other.each).for_each(|(own, other)| own.folded |= other.folded);
    }

    /// The blocks of all trials into their `eligibility` `[trials, N, width]`.
    pub(super) fn fold_all(&mut self, eligibility: &mut [f32]) {
        for (b, e) in eligibility.chunks_exact_mut(self.n * self.width).enumerate() {
            if self.each[b].steps > 0 {
                self.fold(b, e);
            }
        }
    }

    /// e ← e + Σ post preᵀ over the block.
    pub(super) fn fold(&mut self, b: usize, eligibility: &mut [f32]) {
        let Filled { steps, folded } = self.each[b];
        let of = b * self.block * self.width..(b * self.block + steps) * self.width;
        let (across, along) = (Strides { rows: 1, columns: self.width }, Strides { rows: self.width, columns: 1 });
        product(
            (self.n, self.width, steps),
            (eligibility, along),
            folded,
            (&self.post[of.clone()], across),
            (&self.pre[of], along),
        );
        self.each[b] = Filled { steps: 0, folded: true };
    }
}
