//! Records what networks do in fresh trials of their own task or environment.

use super::evaluate::{draw, FrozenNetworks};
use crate::engine::memory::check_forward;
use crate::engine::{replayed, Episode, Record, TrialBatch};
use crate::error::{ensure, Error, Result};
use crate::tasks::{Problem, Trajectory, TrialShape};
use crate::training::{judge, Checkpoint};
use candle_core::{Device, Tensor, WithDType};
use std::collections::BTreeMap;

/// The most trials that are run for each one of the wanted types.
const MOST_PER_WANTED: usize = 200;

/// The tensors of a recording that a task file does not have.
pub(super) const RECORDED: [&str; 11] = [
    "metadata",
    "outputs",
    "rates",
    "activations",
    "correct",
    "error",
    "observations",
    "actions",
    "rewards",
    "values",
    "terminated",
];

/// Which trials are recorded, and what of them.
#[derive(Clone, Debug)]
pub struct RecordOptions {
    /// The number of trials of each network, B.
    pub trials: usize,
    /// The names of the trial types; if empty, trials are recorded as they are drawn.
    pub types: Vec<String>,
    /// The quantities to record in addition to the outputs.
    pub record: Record,
    /// The seed of the trials.
    pub seed: u64,
}

/// A recording of S networks in B trials each.
///
/// `inputs` `[S, B, T, n_in]` and `outputs` `[S, B, T, n_out]`; `rates` and `activations` `[S, B, T, N]` if they were asked for; the
/// index of the trial's `type` `[S, B]` in the metadata's `types`; `steps` `[S, B]`, the number of steps of the trial, after which
/// values have no meaning; and whether it was `correct` `[S, B]`.
///
/// A task also has `targets` `[S, B, T, n_out]`, `mask` `[S, B, T]` (1 where outputs are scored), the `error` `[S, B]` and each
/// `label.NAME` `[S, B]`. An environment with episodes of up to E steps also has `observations` `[S, B, E, n_obs]`, `actions`
/// `[S, B, E, …]`, `rewards` `[S, B, E]`, a critic's `values` `[S, B, E]`, and whether the environment ended the episode,
/// `terminated` `[S, B]`; T is E times `task.network_steps`, and an action is chosen from the outputs of the last of these steps.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Recording {
    /// The tensors by name.
    pub tensors: BTreeMap<String, Tensor>,
    /// `task`, `rule`, `dt_ms`, `types` (names, separated by commas), `networks` (a range), `trained_trials`, `seed` and, under Dale's
    /// law, `excitatory`, the number of excitatory neurons, which come first.
    pub metadata: BTreeMap<String, String>,
}

/// Records fresh, unperturbed trials of networks with frozen weights.
///
/// # Errors
/// [`Error::Unknown`] for a type that the task does not have, [`Error::Usage`] if a type hardly ever comes,
/// [`Error::Memory`] if the recording would not fit into memory; otherwise as [`run_fresh`](super::run_fresh).
pub fn record_trials(checkpoint: &Checkpoint, options: &RecordOptions) -> Result<Recording> {
    let setup = &checkpoint.setup;
    let (config, problem) = (&setup.config, &setup.task);
    let names = problem.trial_types();
    let wanted = options.types.iter().map(|name| {
        let place = names.iter().position(|other| other == name);
        place.ok_or_else(|| Error::unknown("trial type", name, names.iter().map(String::as_str)))
    });
    let wanted = wanted.collect::<Result<Vec<usize>>>()?;
    ensure!(options.trials > 0, Usage, "0 trials are to be recorded; expected at least 1");
    ensure!(
        !options.record.fast_weights,
        Usage,
        "the Hebbian trace can be recorded only with inputs of your own, since every trial would have its own matrix"
    );
    let on_device = (checkpoint.plastic.weights.w_rec.device(), checkpoint.plastic.bytes());
    check_forward(setup, setup.shape(), options.trials, options.record, on_device)?;
    let networks = config.train.networks.count();
    let mut found: Vec<Vec<BTreeMap<String, Tensor>>> = vec![Vec::new(); networks];
    let missing = |found: &[Vec<_>]| found.iter().map(|trials| options.trials - trials.len()).max().unwrap_or(0);
    let mut first = 0;
    while missing(&found) > 0 {
        ensure!(
            first < (MOST_PER_WANTED * options.trials) as u64,
            Usage,
            "of {first} trials of a network, too few are of the type {}; record fewer trials",
            options.types.join(" or ")
        );
        let count = if wanted.is_empty() { missing(&found) } else { options.trials }.min(config.train.batch);
        let all = run(checkpoint, first, count, options)?;
        let types = all["type"].flatten_all()?.to_vec1::<i64>()?;
        for (place, kind) in types.into_iter().enumerate() {
            let trials = &mut found[place / count];
            if trials.len() < options.trials && (wanted.is_empty() || wanted.contains(&(kind as usize))) {
                let trial = |(name, tensor): (&String, &Tensor)| Ok((name.clone(), tensor.get(place)?));
                trials.push(all.iter().map(trial).collect::<Result<_>>()?);
            }
        }
        first += count as u64;
    }
    let trials: Vec<BTreeMap<String, Tensor>> = found.into_iter().flatten().collect();
    let mut tensors = BTreeMap::new();
    for name in trials[0].keys() {
        let parts: Vec<&Tensor> = trials.iter().map(|trial| &trial[name]).collect();
        tensors.insert(name.clone(), stacked(&parts, networks)?);
    }
    Ok(Recording { tensors, metadata: metadata(checkpoint, options) })
}

fn metadata(checkpoint: &Checkpoint, options: &RecordOptions) -> BTreeMap<String, String> {
    let config = &checkpoint.setup.config;
    let mut metadata = BTreeMap::from([
        ("task", checkpoint.setup.task.name().to_string()),
        ("rule", config.rule.name.clone()),
        ("dt_ms", config.network.dt_ms.to_string()),
        ("types", checkpoint.setup.task.trial_types().join(",")),
        ("networks", config.train.networks.to_string()),
        ("trained_trials", checkpoint.trials().to_string()),
        ("seed", options.seed.to_string()),
    ]);
    if config.network.dale {
        metadata.insert("excitatory", config.network.excitatory_neurons().to_string());
    }
    metadata.into_iter().map(|(key, value)| (key.to_string(), value)).collect()
}

/// Everything about the trials `first..first + count` of each network, S and B as one dimension.
fn run(checkpoint: &Checkpoint, first: u64, count: usize, options: &RecordOptions) -> Result<BTreeMap<String, Tensor>> {
    let (problem, shape) = (&checkpoint.setup.task, checkpoint.setup.shape());
    let mut frozen = FrozenNetworks::new(checkpoint)?;
    let batch = draw(&checkpoint.setup, first, count, (options.seed, checkpoint.trials()))?;
    let mut table = Table { trials: batch.drawn.len(), tensors: BTreeMap::new() };
    match problem {
        Problem::Trials(task) => {
            let episode = frozen.run(&batch, options.record)?;
            table.activity(shape, &batch, &episode)?;
            table.outcomes(problem, &batch, &episode)?;
            let trials = || batch.drawn.iter().map(|drawn| &drawn.trial);
            table.push(
                "targets",
                trials().flat_map(|trial| trial.targets.clone()).collect(),
                &[shape.steps, shape.n_out],
            )?;
            let mask = trials().flat_map(|trial| &trial.scored).map(|scored| u8::from(*scored));
            table.push("mask", mask.collect(), &[shape.steps])?;
            for (k, label) in task.labels().iter().enumerate() {
                let values = trials().map(|trial| trial.labels[k]).collect();
                table.push(&format!("label.{}", label.name), values, &[])?;
            }
        }
        Problem::Episodes(episodes) => {
            let episode = frozen.run(&batch, Record { episodes: true, ..Record::default() })?;
            table.outcomes(problem, &batch, &episode)?;
            let trajectories = episode.trajectories.unwrap_or_default();
            // Rates are recorded only in whole trials, so the observations are shown again as one.
            let (mut again, shape) = replayed(shape, episodes, &batch, &trajectories);
            for (drawn, trajectory) in again.drawn.iter_mut().zip(&trajectories) {
                drawn.ends = trajectory.rewards.len() * episodes.settings.network_steps;
            }
            let episode = frozen.run_shaped(shape, &again, options.record)?;
            table.activity(shape, &again, &episode)?;
            table.trajectories(&trajectories, episodes.sizes().len(), episodes.dimensions())?;
        }
    }
    Ok(table.tensors)
}

/// Tensors whose first dimension is that of the trials.
struct Table {
    trials: usize,
    tensors: BTreeMap<String, Tensor>,
}

impl Table {
    /// Adds the values of all trials, each of these dimensions.
    fn push<T: WithDType>(&mut self, name: &str, values: Vec<T>, dims: &[usize]) -> Result<()> {
        let dims = [&[self.trials], dims].concat();
        self.tensors.insert(name.into(), Tensor::from_vec(values, dims, &Device::Cpu)?);
        Ok(())
    }

    /// Inputs, outputs, rates and activations, step by step.
    fn activity(&mut self, shape: TrialShape, batch: &TrialBatch, episode: &Episode) -> Result<()> {
        let inputs = batch.drawn.iter().flat_map(|drawn| drawn.trial.inputs.clone()).collect();
        self.push("inputs", inputs, &[shape.steps, shape.n_in])?;
        self.push("steps", batch.drawn.iter().map(|drawn| drawn.ends as i64).collect(), &[])?;
        let recorded = [("rates", &episode.rates), ("activations", &episode.activations)];
        let recorded = recorded.into_iter().filter_map(|(name, tensor)| Some((name, tensor.as_ref()?)));
        for (name, tensor) in recorded.chain([("outputs", &episode.outputs)]) {
            self.tensors.insert(name.into(), tensor.flatten(0, 1)?.to_device(&Device::Cpu)?);
        }
        Ok(())
    }

    /// The type of each trial and what came of it.
    fn outcomes(&mut self, problem: &Problem, batch: &TrialBatch, episode: &Episode) -> Result<()> {
        let outcomes = judge(problem, batch, episode)?;
        let types = outcomes.iter().flat_map(|outcome| &outcome.types).map(|kind| *kind as i64);
        self.push("type", types.collect(), &[])?;
        let correct = outcomes.iter().flat_map(|outcome| &outcome.correct).map(|correct| u8::from(*correct));
        self.push("correct", correct.collect(), &[])?;
        if problem.trials().is_some() {
            self.push("error", outcomes.iter().flat_map(|outcome| outcome.errors.clone()).collect(), &[])?;
        }
        Ok(())
    }

    /// The steps of episodes, padded with zeros to the longest.
    fn trajectories(&mut self, trajectories: &[Trajectory], n_obs: usize, dimensions: usize) -> Result<()> {
        let longest = trajectories.iter().map(|trajectory| trajectory.rewards.len()).max().unwrap_or(0);
        let padded = |width: usize, values: &dyn Fn(&Trajectory) -> Vec<f64>| -> Vec<f64> {
            let padded_episode = |trajectory| {
                let mut values = values(trajectory);
                values.resize(longest * width, 0.0);
                values
            };
            trajectories.iter().flat_map(padded_episode).collect()
        };
        let seen_and_done = |trajectory: &Trajectory, from: usize, to: usize| -> Vec<f64> {
            let steps = trajectory.observations_and_actions.chunks_exact(n_obs + dimensions);
            steps.flat_map(|step| step[from..to].to_vec()).collect()
        };
        let observations = padded(n_obs, &|trajectory| seen_and_done(trajectory, 0, n_obs));
        self.push("observations", observations, &[longest, n_obs])?;
        let actions = padded(dimensions, &|trajectory| seen_and_done(trajectory, n_obs, n_obs + dimensions));
        self.push("actions", actions, &[longest, dimensions])?;
        self.push("rewards", padded(1, &|trajectory| trajectory.rewards.clone()), &[longest])?;
        if trajectories.iter().any(|trajectory| !trajectory.values.is_empty()) {
            self.push("values", padded(1, &|trajectory| trajectory.values.clone()), &[longest])?;
        }
        let terminated = trajectories.iter().map(|trajectory| u8::from(trajectory.terminated));
        self.push("terminated", terminated.collect(), &[])
    }
}

/// Trials of S networks as one tensor `[S, B, …]`; shorter ones are padded with zeros.
fn stacked(trials: &[&Tensor], networks: usize) -> Result<Tensor> {
    let longest = trials.iter().filter_map(|trial| trial.dims().first()).max().copied();
    let padded = |trial: &&Tensor| match longest {
        Some(longest) => trial.pad_with_zeros(0, 0, longest - trial.dims()[0]),
        None => Ok((*trial).clone()),
    };
    let all = Tensor::stack(&trials.iter().map(padded).collect::<candle_core::Result<Vec<_>>>()?, 0)?;
    let dims = [&[networks, trials.len() / networks], &all.dims()[1..]].concat();
    Ok(all.reshape(dims)?)
}
