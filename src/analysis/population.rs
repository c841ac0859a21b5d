//! Fresh trials of one network with the firing rates of its neurons, thinned out in time as they arrive.

use super::{Options, Subject};
use crate::engine::Record;
use crate::error::Result;
use crate::plot::{Colour, Mark, Shape};
use crate::runs::{draw_fresh, FrozenNetworks};
use crate::tasks::{Problem, Task, Trajectory, Trial};
use crate::training::Checkpoint;
use candle_core::{DType, Tensor, WithDType};

/// At most this many bytes of rates are held before they are thinned out.
const BYTES: usize = 64 << 20;

/// Trials of one network.
#[derive(Clone, Debug, Default)]
pub(super) struct Population {
    /// The network's number.
    pub network: u64,
    /// The times at which rates were kept: the ends of the steps, in [`Subject::time_unit`].
    pub times: Vec<f64>,
    /// The data kept of each trial.
    pub trials: Vec<Kept>,
    /// N, the number of neurons.
    pub neurons: usize,
    /// The stretches of time in which an input changes or the output is judged.
    pub periods: Vec<Period>,
}

/// The data kept of a trial.
#[derive(Clone, Debug, Default)]
pub(super) struct Kept {
    /// Its type.
    pub trial_type: usize,
    /// The mean of the first output over the judged steps, relative to the middle of its targets. In an environment: 1 or −1 if
    /// the last action is 1 or 0, and 0 for other actions.
    pub answer: f64,
    /// The values of the task's labels.
    pub labels: Vec<f32>,
    /// The number of steps until the answer: the steps of an episode, or those from the first judged step until the first
    /// output is nearer to either end of its targets than to their middle; 0 if it never is.
    pub steps: usize,
    /// Whether the last action of an episode was right.
    pub correct: Option<bool>,
    /// The first output at the judged steps of a trial.
    pub judged: Vec<f32>,
    /// Rates, `[times, N]`.
    pub rates: Vec<f32>,
}

/// Part of a trial.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Period {
    pub from: f64,
    pub to: f64,
    /// Whether the output is judged; else an input is on.
    pub judged: bool,
}

impl Subject<'_> {
    /// Runs fresh trials of each network, `trials` of them unless the options say otherwise, and keeps the rates at up
    /// to `times` evenly spaced times. The trials are those of `task` if given, else of the networks' own task.
    pub(super) fn populations<'a>(
        &'a self,
        options: &'a Options,
        trials: u64,
        times: usize,
        task: Option<Problem>,
    ) -> impl Iterator<Item = Result<Population>> + 'a {
        self.networks().map(move |network| {
            let (number, mut network) = network?;
            network.setup.task = task.clone().unwrap_or(network.setup.task);
            Population::record(number, &network, options.trials.unwrap_or(trials), options.seed, times)
        })
    }
}

impl Population {
    fn record(number: u64, network: &Checkpoint, trials: u64, seed: u64, times: usize) -> Result<Self> {
        let (setup, shape) = (&network.setup, network.setup.shape());
        let (steps, neurons) = (shape.steps, setup.config.network.neurons);
        let (batch, step_ms) = (setup.config.train.batch, setup.step_ms().unwrap_or(1.0));
        let bytes = 4 * steps * (if times > 0 { neurons } else { 0 } + shape.n_out + shape.n_in);
        // Persistent fast weights belong to a position in a batch of the size used in training.
        let at_once = match network.plastic.fast_weights {
            Some(_) => batch,
            None => (BYTES / bytes.max(1)).clamp(1, batch.max(16)),
        };
        let every = steps.div_ceil(times.max(1)) as u32;
        let kept: Vec<u32> = (0..steps as u32).filter(|step| times > 0 && (step + 1) % every == 0).collect();
        let ends = kept.iter().map(|step| f64::from(step + 1) * step_ms).collect();
        let mut population = Population { network: number, times: ends, neurons, ..Population::default() };
        let mut networks = FrozenNetworks::new(network)?;
        let (mut lowest, mut highest) = (f32::INFINITY, f32::NEG_INFINITY);
        for first in (0..trials).step_by(at_once) {
            let batch = draw_fresh(setup, first, (trials - first).min(at_once as u64) as usize, seed)?;
            let Problem::Trials(task) = &setup.task else {
                let episode = networks.run(&batch, Record { episodes: true, ..Record::default() })?;
                population.trials.extend(episode.trajectories.iter().flatten().map(kept_of));
                continue;
            };
            if first == 0 {
                let trials: Vec<&Trial> = batch.drawn.iter().map(|drawn| &drawn.trial).collect();
                let scaled = |p: Period| Period { from: p.from * step_ms, to: p.to * step_ms, ..p };
                population.periods = periods(&**task, &trials).into_iter().map(scaled).collect();
            }
            let episode = networks.run(&batch, Record { rates: times > 0, ..Record::default() })?;
            let outputs: Vec<Vec<f64>> = per_trial(&episode.outputs.to_dtype(DType::F64)?)?;
            let rates = match episode.rates {
                Some(rates) => {
                    let kept = Tensor::new(&kept[..], rates.device())?;
                    per_trial(&rates.index_select(&kept, 2)?.to_dtype(DType::F32)?)?
                }
                None => vec![Vec::new(); outputs.len()],
            };
            for ((drawn, outputs), rates) in batch.drawn.iter().zip(&outputs).zip(rates) {
                let Trial { trial_type, labels, scored, targets, .. } = &drawn.trial;
                for (target, _) in targets.iter().step_by(shape.n_out).zip(scored).filter(|(_, scored)| **scored) {
                    (lowest, highest) = (lowest.min(*target), highest.max(*target));
                }
                let (trial_type, labels) = (*trial_type, labels.clone());
                let judged: Vec<f32> = judged(&**task, &drawn.trial, outputs).map(|z| z as f32).collect();
                let answer = judged.iter().map(|z| f64::from(*z)).sum::<f64>() / judged.len().max(1) as f64;
                population.trials.push(Kept { trial_type, answer, labels, judged, rates, ..Kept::default() });
            }
        }
        if lowest < highest {
            let (middle, half) = ((lowest + highest) / 2.0, (highest - lowest) / 4.0);
            for kept in &mut population.trials {
                kept.answer -= f64::from(middle);
                kept.steps = kept.judged.iter().position(|z| (z - middle).abs() > half).map_or(0, |step| step + 1);
            }
        }
        Ok(population)
    }

    /// The rates `[N]` of a trial at the `time`-th kept time.
    pub fn at(&self, trial: usize, time: usize) -> &[f32] {
        &self.trials[trial].rates[time * self.neurons..(time + 1) * self.neurons]
    }

    /// The mean rates `[N]` over some trials at the `time`-th kept time.
    pub fn mean(&self, trials: &[usize], time: usize) -> Vec<f64> {
        let mut mean = vec![0.0; self.neurons];
        for &trial in trials {
            mean.iter_mut().zip(self.at(trial, time)).for_each(|(mean, r)| *mean += f64::from(*r));
        }
        mean.iter_mut().for_each(|mean| *mean /= trials.len() as f64);
        mean
    }

    /// The mean rates `[N]` of each group of trials at each time, all times of the first group first.
    pub fn means<'a>(&self, groups: impl Iterator<Item = &'a Vec<usize>>) -> Vec<Vec<f64>> {
        groups.flat_map(|trials| (0..self.times.len()).map(move |time| self.mean(trials, time))).collect()
    }

    /// The trials with a property.
    pub fn which(&self, holds: impl Fn(usize, &Kept) -> bool) -> Vec<usize> {
        self.trials.iter().enumerate().filter(|(k, kept)| holds(*k, kept)).map(|(k, _)| k).collect()
    }

    /// The types of which there are trials, each with these trials.
    pub fn by_type(&self, types: usize) -> Vec<(usize, Vec<usize>)> {
        let trials_of = |kind| (kind, self.which(|_, trial| trial.trial_type == kind));
        (0..types).map(trials_of).filter(|(_, trials)| !trials.is_empty()).collect()
    }

    /// The periods as marks of a panel whose horizontal axis is time.
    pub fn marks(&self) -> Vec<Mark> {
        let mark = |period: &Period| {
            let (colour, name) =
                if period.judged { (Colour::Orange, "output judged") } else { (Colour::Grey, "input") };
            Mark::new(Shape::Span(period.from, period.to), colour).named(name)
        };
        self.periods.iter().map(mark).collect()
    }
}

/// The data kept of an episode in an environment.
fn kept_of(trajectory: &Trajectory) -> Kept {
    let answer = match trajectory.observations_and_actions.last() {
        Some(1.0) => 1.0,
        Some(0.0) => -1.0,
        _ => 0.0,
    };
    let steps = trajectory.rewards.len();
    Kept { trial_type: trajectory.condition, answer, steps, correct: trajectory.correct, ..Kept::default() }
}

/// `[1, B, steps, width]` as one list `[steps, width]` for each trial.
fn per_trial<T: WithDType>(values: &Tensor) -> Result<Vec<Vec<T>>> {
    Ok(values.get(0)?.flatten_from(1)?.to_vec2()?)
}

/// The first output at the judged steps.
fn judged<'a>(task: &'a dyn Task, trial: &'a Trial, outputs: &'a [f64]) -> impl Iterator<Item = f64> + 'a {
    let (outputs, n_out) = (task.judged(outputs), task.n_out());
    (0..trial.scored.len()).filter(|step| trial.scored[*step]).map(move |step| outputs[step * n_out])
}

/// The periods, in steps, in which some trial has an input on (unless it is always on), then those in which some trial
/// is judged.
fn periods(task: &dyn Task, trials: &[&Trial]) -> Vec<Period> {
    let (steps, n_in) = (task.steps(), task.n_in());
    let on = |step: usize, channel: usize| trials.iter().any(|trial| trial.inputs[step * n_in + channel] != 0.0);
    let changing: Vec<usize> = (0..n_in).filter(|channel| !(0..steps).all(|step| on(step, *channel))).collect();
    let input: Vec<usize> = (0..steps).filter(|step| changing.iter().any(|channel| on(*step, *channel))).collect();
    let judged: Vec<usize> = (0..steps).filter(|step| trials.iter().any(|trial| trial.scored[*step])).collect();
    let stretches = |steps: &[usize], judged: bool| -> Vec<Period> {
        let stretches = steps.chunk_by(|a, b| a + 1 == *b);
        stretches.map(|run| Period { from: run[0] as f64, to: (run[0] + run.len()) as f64, judged }).collect()
    };
    [stretches(&input, false), stretches(&judged, true)].concat()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::{stream, Phase, Purpose};
    use crate::tasks::{Dnms, EvidenceAccumulation};

    fn periods_of(task: &dyn Task) -> Vec<(f64, f64, bool)> {
        let trial = |k| task.trial(k, &mut stream(0, 0, k, Phase::Evaluate, Purpose::Task));
        let trials: Vec<Trial> = (0..16).map(trial).collect();
        periods(task, &trials.iter().collect::<Vec<_>>()).iter().map(|p| (p.from, p.to, p.judged)).collect()
    }

    #[test]
    fn periods_are_those_of_the_task() {
        assert_eq!(periods_of(&Dnms::default()), [(1.0, 201.0, false), (400.0, 600.0, false), (800.0, 1000.0, true)]);
        let cues = periods_of(&EvidenceAccumulation::default());
        assert_eq!((cues[1], cues[7], cues[8]), ((30.0, 50.0, false), (420.0, 450.0, false), (420.0, 450.0, true)));
    }
}
