//! Fresh trials of one network with the rates of its neurons, thinned out in time as they come.

use crate::engine::Record;
use crate::error::Result;
use crate::plot::{Colour, Mark, Shape};
use crate::runs::{draw_fresh, FrozenNetworks};
use crate::tasks::{Task, Trial};
use crate::training::Checkpoint;
use candle_core::{DType, Tensor};

/// At most so many bytes of rates are held before they are thinned out.
const BYTES: usize = 64 << 20;

/// Trials of one network.
#[derive(Clone, Debug, Default)]
pub(super) struct Population {
    /// The steps whose rates were kept.
    pub steps: Vec<usize>,
    /// What was kept of each trial.
    pub trials: Vec<Kept>,
    /// N.
    pub neurons: usize,
    /// Stretches of steps in which an input changes or the output is judged: (from, to, whether it is judged).
    pub periods: Vec<(usize, usize, bool)>,
}

/// What is kept of a trial.
#[derive(Clone, Debug, Default)]
pub(super) struct Kept {
    /// Its type.
    pub trial_type: usize,
    /// The mean of the first output over judged steps.
    pub answer: f64,
    /// Rates, `[steps, N]`; empty where none were asked for.
    pub rates: Vec<f32>,
}

impl Population {
    /// Runs `trials` fresh trials of a checkpoint of one network and keeps the rates after every `every`-th step; 0: none.
    pub fn record(one: &Checkpoint, trials: u64, seed: u64, every: usize) -> Result<Self> {
        let task = &*one.setup.task;
        let (steps, neurons) = (task.steps(), one.setup.config.network.neurons);
        let bytes = steps * (if every > 0 { neurons } else { 0 } + task.n_out() + task.inputs().len()) * 4;
        let fits = (BYTES / bytes.max(1)).clamp(1, one.setup.config.train.batch.max(16));
        // A persistent trace belongs to a place in a batch of the size of the training.
        let at_once = if one.plastic.fast_weights.is_some() { one.setup.config.train.batch } else { fits } as u64;
        let kept_steps = if every > 0 { (every - 1..steps).step_by(every).collect() } else { Vec::new() };
        let mut population = Population { steps: kept_steps, neurons, ..Population::default() };
        let mut networks = FrozenNetworks::new(one)?;
        let record = Record { rates: every > 0, ..Record::default() };
        let mut done = 0;
        while done < trials {
            let batch = draw_fresh(&one.setup, done, at_once.min(trials - done) as usize, seed)?;
            if done == 0 {
                population.periods = periods(task, batch.drawn.iter().map(|d| &d.trial));
            }
            let episode = networks.run(&batch, record)?;
            let outputs: Vec<Vec<f64>> = per_trial(&episode.outputs.to_dtype(DType::F64)?)?;
            let kept_steps: Vec<u32> = population.steps.iter().map(|step| *step as u32).collect();
            let rates = episode.rates.map(|rates| -> Result<Vec<Vec<f32>>> {
                let steps = Tensor::new(&kept_steps[..], rates.device())?;
                per_trial(&rates.index_select(&steps, 2)?.to_dtype(DType::F32)?)
            });
            let rates = rates.transpose()?;
            let mut rates = rates.into_iter().flatten();
            for (drawn, outputs) in batch.drawn.iter().zip(outputs) {
                let kept = Kept { rates: rates.next().unwrap_or_default(), ..kept(task, &drawn.trial, &outputs) };
                population.trials.push(kept);
            }
            done += batch.trials_each as u64;
        }
        Ok(population)
    }

    /// The rates `[N]` of a trial at the `time`-th of the kept steps.
    pub fn at(&self, trial: usize, time: usize) -> &[f32] {
        &self.trials[trial].rates[time * self.neurons..(time + 1) * self.neurons]
    }

    /// The mean rates `[N]` over some trials at the `time`-th of the kept steps.
    pub fn mean(&self, trials: &[usize], time: usize) -> Vec<f64> {
        let mut mean = vec![0.0; self.neurons];
        for &trial in trials {
            mean.iter_mut().zip(self.at(trial, time)).for_each(|(mean, r)| *mean += f64::from(*r));
        }
        mean.iter_mut().for_each(|mean| *mean /= trials.len() as f64);
        mean
    }

    /// The trials for which something holds.
    pub fn which(&self, of: impl Fn(&Kept) -> bool) -> Vec<usize> {
        (0..self.trials.len()).filter(|trial| of(&self.trials[*trial])).collect()
    }

    /// The periods as marks of a panel whose horizontal axis is time.
    pub fn marks(&self, step_ms: f64) -> Vec<Mark> {
        let mark = |&(from, to, judged): &(usize, usize, bool)| {
            let span = Shape::Span(from as f64 * step_ms, to as f64 * step_ms);
            let (colour, name) = if judged { (Colour::Orange, "output judged") } else { (Colour::Grey, "input") };
            Mark::new(span, colour).named(name)
        };
        self.periods.iter().map(mark).collect()
    }
}

/// `[1, B, steps, width]` as one list `[steps, width]` for each trial.
fn per_trial<T: candle_core::WithDType>(values: &Tensor) -> Result<Vec<Vec<T>>> {
    Ok(values.get(0)?.flatten_from(1)?.to_vec2()?)
}

fn kept(task: &dyn Task, trial: &Trial, outputs: &[f64]) -> Kept {
    let (outputs, n_out) = (task.judged(outputs), task.n_out());
    let judged: Vec<usize> = (0..trial.scored.len()).filter(|step| trial.scored[*step]).collect();
    let sum: f64 = judged.iter().map(|step| outputs[step * n_out]).sum();
    Kept { trial_type: trial.trial_type, answer: sum / judged.len().max(1) as f64, rates: Vec::new() }
}

/// Stretches in which an input that is not always on is on in some trial, and those in which some trial is judged.
fn periods<'a>(task: &dyn Task, trials: impl Iterator<Item = &'a Trial> + Clone) -> Vec<(usize, usize, bool)> {
    let (steps, n_in) = (task.steps(), task.inputs().len());
    let on = |step: usize, channel: usize| trials.clone().any(|trial| trial.inputs[step * n_in + channel] != 0.0);
    let changing: Vec<usize> = (0..n_in).filter(|channel| !(0..steps).all(|step| on(step, *channel))).collect();
    let mut all = stretches(steps, |step| changing.iter().any(|channel| on(step, *channel)), false);
    all.extend(stretches(steps, |step| trials.clone().any(|trial| trial.scored[step]), true));
    all
}

fn stretches(steps: usize, holds: impl Fn(usize) -> bool, judged: bool) -> Vec<(usize, usize, bool)> {
    let mut found: Vec<(usize, usize, bool)> = Vec::new();
    for step in (0..steps).filter(|step| holds(*step)) {
        match found.last_mut().filter(|last| last.1 == step) {
            Some(last) => last.1 = step + 1,
            None => found.push((step, step + 1, judged)),
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::{stream, Phase, Purpose};
    use crate::tasks::{dnms::Dnms, EvidenceAccumulation};

    fn periods_of(task: &dyn Task) -> Vec<(usize, usize, bool)> {
        let trials: Vec<Trial> =
            (0..16).map(|k| task.trial(k, &mut stream(0, 0, k, Phase::Evaluate, Purpose::Task))).collect();
        periods(task, trials.iter())
    }

    #[test]
    fn periods_are_those_of_the_task() {
        assert_eq!(periods_of(&Dnms::default()), [(1, 201, false), (400, 600, false), (800, 1000, true)]);
        let cues = periods_of(&EvidenceAccumulation::default());
        assert_eq!((cues[1], cues[7], cues[8]), ((30, 50, false), (420, 450, false), (420, 450, true)));
    }
}
