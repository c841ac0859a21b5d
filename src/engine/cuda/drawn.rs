//! What was drawn for a batch, as the kernels read it: a stretch of steps of all trials is one piece of 32-bit words.

use super::params::{Address, Params};
use crate::engine::{DrawnTrial, Perturbation, TrialBatch};
use rayon::prelude::*;
use std::ops::Range;

/// Words of one perturbation.
const PERTURBATION: usize = 3;

/// What has as many words for every step of every trial.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Part {
    Inputs,
    ReadoutNoise,
    Targets,
    Scored,
    Modulator,
}

/// A batch, and which parts of it the kernels need.
///
/// A stretch has the numbers of each trial's first perturbation, then its parts, then the perturbations.
pub(super) struct Drawn<'a> {
    batch: &'a TrialBatch,
    /// With their words for each step of each trial.
    parts: Vec<(Part, usize)>,
}

impl<'a> Drawn<'a> {
    /// `given`: whether m(t) of the Hebbian trace is the task's.
    pub fn new(batch: &'a TrialBatch, params: &Params, given: bool) -> Self {
        let (n_in, n_out, online) = (params.n_in as usize, params.n_out as usize, params.online != 0);
        let noisy = batch.drawn.iter().any(|d| !d.readout_noise.is_empty());
        let all = [
            (Part::Inputs, n_in, true),
            (Part::ReadoutNoise, n_out, noisy),
            (Part::Targets, n_out, online),
            (Part::Scored, 1, online),
            (Part::Modulator, 1, given),
        ];
        let needed = all.into_iter().filter(|(_, width, needed)| *needed && *width > 0);
        Drawn { batch, parts: needed.map(|(part, width, _)| (part, width)).collect() }
    }

    /// How many words these steps take.
    pub fn words(&self, steps: &Range<usize>) -> usize {
        let perturbations: usize = self.batch.drawn.iter().map(|d| perturbations(d, steps).len()).sum();
        self.starts() + self.dense(steps) + perturbations * PERTURBATION
    }

    fn starts(&self) -> usize {
        self.batch.drawn.len() + 1
    }

    /// Words of all parts.
    fn dense(&self, steps: &Range<usize>) -> usize {
        self.parts.iter().map(|(_, width)| self.batch.drawn.len() * steps.len() * width).sum()
    }

    /// Writes these steps into `room`, of which there must be as many [`Drawn::words`]. Nothing is read from it: reading may be
    /// slow there.
    pub fn write(&self, steps: &Range<usize>, room: &mut [u32]) {
        let drawn = &self.batch.drawn;
        let (starts, rest) = room.split_at_mut(self.starts());
        let (mut dense, mut list) = rest.split_at_mut(self.dense(steps));
        for &(part, width) in &self.parts {
            let (mine, others) = dense.split_at_mut(drawn.len() * steps.len() * width);
            let rows = mine.par_chunks_exact_mut(steps.len() * width).zip(drawn);
            rows.for_each(|(row, d)| part.write(d, width, steps, row));
            dense = others;
        }
        let mut rows = Vec::with_capacity(drawn.len());
        let mut before = 0;
        starts[0] = before;
        for (d, start) in drawn.iter().zip(&mut starts[1..]) {
            let perturbations = perturbations(d, steps);
            before += perturbations.len() as u32;
            *start = before;
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

    /// Tells the kernels that these steps stand at `address`.
    pub fn place(&self, steps: &Range<usize>, address: Address, params: &mut Params) {
        let at = |word: usize| address + (word * size_of::<u32>()) as Address;
        (params.stretch_first, params.stretch) = (steps.start as u32, steps.len() as u32);
        let mut word = self.starts();
        for &(part, width) in &self.parts {
            *part.address(params) = at(word);
            word += self.batch.drawn.len() * steps.len() * width;
        }
        (params.perturbation_start, params.perturbations) = (address, at(word));
    }
}

impl Part {
    fn address(self, params: &mut Params) -> &mut Address {
        match self {
            Part::Inputs => &mut params.inputs,
            Part::ReadoutNoise => &mut params.readout_noise,
            Part::Targets => &mut params.targets,
            Part::Scored => &mut params.scored,
            Part::Modulator => &mut params.modulator,
        }
    }

    /// Writes these steps of one trial.
    fn write(self, drawn: &DrawnTrial, width: usize, steps: &Range<usize>, row: &mut [u32]) {
        let copy = |from: &[f32], row: &mut [u32]| {
            let from = &from[steps.start * width..steps.end * width];
            row.iter_mut().zip(from).for_each(|(word, value)| *word = value.to_bits());
        };
        let one = 1f32.to_bits();
        match self {
            Part::Inputs => copy(&drawn.trial.inputs, row),
            Part::ReadoutNoise => copy(&drawn.readout_noise, row),
            Part::Targets => copy(&drawn.trial.targets, row),
            Part::Scored => {
                let scored = &drawn.trial.scored[steps.clone()];
                row.iter_mut().zip(scored).for_each(|(word, &scored)| *word = if scored { one } else { 0 });
            }
            Part::Modulator => match &drawn.trial.modulator {
                Some(m) => copy(m, row),
                None => row.fill(one),
            },
        }
    }
}

/// A trial's perturbations of these steps.
fn perturbations<'a>(drawn: &'a DrawnTrial, steps: &Range<usize>) -> &'a [Perturbation] {
    let before = |step: usize| drawn.perturbations.partition_point(|perturbation| (perturbation.step as usize) < step);
    &drawn.perturbations[before(steps.start)..before(steps.end)]
}
