//! Packs what was drawn for a batch into 32-bit words for the kernels, one piece per stretch of steps of all trials.

use super::params::{Address, Params};
use crate::engine::{DrawnTrial, Perturbation, TrialBatch};
use rayon::prelude::*;
use std::ops::Range;

/// The number of words per perturbation: step, neuron and size.
const PERTURBATION: usize = 3;

/// One kind of value: how many a trial has per step, where their address goes in the kernels' parameters, and a
/// function that writes a range of a trial's values into as many words.
type Part = (usize, fn(&mut Params) -> &mut Address, fn(&DrawnTrial, Range<usize>, &mut [u32]));

/// A batch, and the parts of it that the kernels need.
///
/// The piece for a stretch holds the index of each trial's first perturbation, then the parts, then the perturbations.
pub(super) struct Drawn<'a> {
    trials: &'a [DrawnTrial],
    parts: Vec<Part>,
}

impl<'a> Drawn<'a> {
    /// `modulated` says whether the task gives the fast weights' m(t).
    pub fn new(batch: &'a TrialBatch, params: &Params, modulated: bool) -> Self {
        let (n_in, n_out) = (params.n_in as usize, params.n_out as usize);
        let (n, any) = (params.neurons as usize, |has: fn(&DrawnTrial) -> bool| batch.drawn.iter().any(has));
        let noisy = any(|d| !d.readout_noise.is_empty());
        let online = params.reads_targets();
        let all: [(bool, Part); 7] = [
            (
                any(|d| !d.private_noise.is_empty()),
                (n, |p| &mut p.private_noise, |d, range, words| floats(&d.private_noise[range], words)),
            ),
            (any(|d| d.dense.is_some()), (n, |p| &mut p.dense, dense)),
            (true, (n_in, |p| &mut p.inputs, |d, range, words| floats(&d.trial.inputs[range], words))),
            (noisy, (n_out, |p| &mut p.readout_noise, |d, range, words| floats(&d.readout_noise[range], words))),
            (online, (n_out, |p| &mut p.targets, |d, range, words| floats(&d.trial.targets[range], words))),
            (online, (1, |p| &mut p.scored, scored)),
            (modulated, (1, |p| &mut p.modulator, modulator)),
        ];
        let parts = all.into_iter().filter(|(needed, (width, ..))| *needed && *width > 0).map(|(_, part)| part);
        Drawn { trials: &batch.drawn, parts: parts.collect() }
    }

    /// How many words these steps take.
    pub fn words(&self, steps: &Range<usize>) -> usize {
        let perturbations: usize = self.trials.iter().map(|d| perturbations(d, steps).len()).sum();
        self.starts() + self.dense(steps) + perturbations * PERTURBATION
    }

    /// How many words store where each trial's perturbations start and where the last trial's end.
    fn starts(&self) -> usize {
        self.trials.len() + 1
    }

    /// How many words all parts take.
    fn dense(&self, steps: &Range<usize>) -> usize {
        self.parts.iter().map(|(width, ..)| self.trials.len() * steps.len() * width).sum()
    }

    /// Writes these steps into `room`, which has [`Drawn::words`] words. Never reads from it: reading may be slow
    /// there.
    pub fn write(&self, steps: &Range<usize>, room: &mut [u32]) {
        let (starts, rest) = room.split_at_mut(self.starts());
        let (mut dense, mut list) = rest.split_at_mut(self.dense(steps));
        for &(width, _, write) in &self.parts {
            let (rows, others) = dense.split_at_mut(self.trials.len() * steps.len() * width);
            let rows = rows.par_chunks_exact_mut(steps.len() * width).zip(self.trials);
            rows.for_each(|(row, d)| write(d, steps.start * width..steps.end * width, row));
            dense = others;
        }
        let mut rows = Vec::with_capacity(self.trials.len());
        let mut end = 0;
        starts[0] = end;
        for (d, start) in self.trials.iter().zip(&mut starts[1..]) {
            let perturbations = perturbations(d, steps);
            end += perturbations.len() as u32;
            *start = end;
            let (row, others) = list.split_at_mut(perturbations.len() * PERTURBATION);
            rows.push((row, perturbations));
            list = others;
        }
        rows.into_par_iter().for_each(|(row, perturbations)| {
            for (words, perturbation) in row.chunks_exact_mut(PERTURBATION).zip(perturbations) {
                words.copy_from_slice(&[perturbation.step, perturbation.neuron, perturbation.size.to_bits()]);
            }
        });
    }

    /// Points the kernels to these steps, stored at `address`.
    pub fn place(&self, steps: &Range<usize>, address: Address, params: &mut Params) {
        let at = |word: usize| address + (word * size_of::<u32>()) as Address;
        (params.stretch_first, params.stretch) = (steps.start as u32, steps.len() as u32);
        let mut word = self.starts();
        for (width, field, _) in &self.parts {
            *field(params) = at(word);
            word += self.trials.len() * steps.len() * width;
        }
        (params.perturbation_start, params.perturbations) = (address, at(word));
    }
}

fn floats(values: &[f32], words: &mut [u32]) {
    words.iter_mut().zip(values).for_each(|(word, value)| *word = value.to_bits());
}

/// Writes the Gaussian perturbations of all neurons.
fn dense(drawn: &DrawnTrial, range: Range<usize>, words: &mut [u32]) {
    let n = drawn.x0.len();
    let mut xi = vec![0.0; n];
    for (step, words) in (range.start / n..).zip(words.chunks_exact_mut(n)) {
        if let Some(dense) = &drawn.dense {
            dense.at(step, &mut xi);
        }
        floats(&xi, words);
    }
}

/// Writes 1 for scored steps, otherwise 0.
fn scored(drawn: &DrawnTrial, steps: Range<usize>, words: &mut [u32]) {
    let scored = &drawn.trial.scored[steps];
    words.iter_mut().zip(scored).for_each(|(word, &scored)| *word = f32::from(u8::from(scored)).to_bits());
}

/// Writes m(t), or 1 if the trial has none.
fn modulator(drawn: &DrawnTrial, steps: Range<usize>, words: &mut [u32]) {
    match &drawn.trial.modulator {
        Some(m) => floats(&m[steps], words),
        None => words.fill(1f32.to_bits()),
    }
}

/// The perturbations of a trial in these steps.
fn perturbations<'a>(drawn: &'a DrawnTrial, steps: &Range<usize>) -> &'a [Perturbation] {
    let before = |step: usize| drawn.perturbations.partition_point(|perturbation| (perturbation.step as usize) < step);
    &drawn.perturbations[before(steps.start)..before(steps.end)]
}
