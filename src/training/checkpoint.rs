//! The complete state of a training run. `storage` writes it to a file and reads it back.

use super::progress::finished;
use super::{Criterion, Frozen, Plastic, StopReason};
use crate::config::{Output, Stage};
use crate::error::{bail, ensure, Error, Result};
use crate::model::Weights;
use crate::setup::Setup;
use candle_core::{Device, Tensor};
use serde::{Deserialize, Serialize};
use std::ops::Range;

/// The checkpoint format version that is written, and the newest that can be read; all older versions can be read too.
pub const FORMAT: u32 = 2;

/// The only metadata key of the file.
pub const METADATA_KEY: &str = "hebbian_rnn";
/// The only metadata key of the checkpoint of lives.
pub const LIFE_METADATA_KEY: &str = "hebbian_rnn_life";
/// The name of the newest checkpoint in a run's folder.
pub const CHECKPOINT_FILE: &str = "checkpoint.safetensors";

/// Whether a checkpoint's file still holds what was written to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Integrity {
    /// Its checksum matches.
    Whole,
    /// Its checksum does not match: the file was damaged or edited by hand.
    Changed,
    /// It has no checksum (format 1).
    Unknown,
}

/// A network's progress in its run's curriculum.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct StageProgress {
    /// The stage, counted from 0. After the listed stages comes that of the run's own settings.
    pub stage: usize,
    /// The number of trials before it.
    pub since: u64,
}

/// Everything the next update reads, for all S networks of a run or for some of them.
///
/// [`Trainer::resume`](crate::Trainer::resume) continues from it; [`evaluate`](crate::evaluate) tests its networks.
#[derive(Clone, Debug)]
pub struct Checkpoint {
    /// The version of the program that wrote it.
    pub program: String,
    /// The version of the format it was written in.
    pub format: u32,
    /// Whether the file still holds what was written.
    pub integrity: Integrity,
    /// The run's configuration, task, rule and neuron model.
    pub setup: Setup,
    /// Weights, state, fast weights and the optimiser's moments.
    pub plastic: Plastic,
    /// The reward baseline Ē, `[S, types]`, network by network.
    pub expected_error: Vec<f64>,
    /// Each network's recent outcomes, and when it reached the criterion.
    pub criterion: Vec<Criterion>,
    /// Each network's progress in the curriculum.
    pub stages: Vec<StageProgress>,
    /// For each network, when and why it was frozen, if it was.
    pub frozen: Vec<Option<Frozen>>,
    /// The number of updates made.
    pub updates: u64,
    /// Whether a network may wrongly count as having reached the criterion: when an earlier version of this program resumed a run
    /// in an environment, it counted the returns of the preceding episodes as 0.
    pub criterion_in_doubt: bool,
}

impl Checkpoint {
    /// Untrained networks, drawn on a device.
    pub(super) fn start(setup: Setup, device: &Device) -> Result<Self> {
        let networks = setup.config.train.networks.count();
        Ok(Checkpoint {
            program: env!("CARGO_PKG_VERSION").to_string(),
            format: FORMAT,
            integrity: Integrity::Whole,
            plastic: Plastic::new(&setup, device)?,
            expected_error: vec![0.0; networks * setup.task.n_types()],
            criterion: vec![Criterion::default(); networks],
            stages: vec![StageProgress::default(); networks],
            frozen: vec![None; networks],
            updates: 0,
            criterion_in_doubt: false,
            setup,
        })
    }

    /// The number of trials of each network.
    pub fn trials(&self) -> u64 {
        self.updates * self.setup.config.train.batch as u64
    }

    /// Why training stops here; `None` if it continues.
    pub fn finished(&self) -> Option<StopReason> {
        let reached: Vec<Option<u64>> = self.criterion.iter().map(Criterion::reached_at).collect();
        finished(&self.setup.config.train, self.updates, &reached, &self.frozen)
    }

    /// The networks at the given places, counted from 0, on a device.
    ///
    /// # Errors
    /// [`Error::Tensors`](crate::Error::Tensors) if there are no such places or the device fails.
    pub fn part(&self, places: Range<usize>, device: &Device) -> Result<Self> {
        let part =
            |_: &str, tensor: &Tensor| tensor.narrow(0, places.start, places.len())?.contiguous()?.to_device(device);
        let types = self.expected_error.len() / self.setup.config.train.networks.count();
        let mut setup = self.setup.clone();
        setup.config.train.networks = setup.config.train.networks.at(places.clone());
        Ok(Checkpoint {
            program: self.program.clone(),
            setup,
            plastic: self.plastic.map(part)?,
            expected_error: self.expected_error[places.start * types..places.end * types].to_vec(),
            criterion: self.criterion[places.clone()].to_vec(),
            stages: self.stages[places.clone()].to_vec(),
            frozen: self.frozen[places].to_vec(),
            ..*self
        })
    }

    /// The neurons that a text names: `3`, `10..20`, or, under Dale's law, `excitatory` or `inhibitory`.
    ///
    /// # Errors
    /// [`Error::Usage`](crate::Error::Usage) if it is none of these.
    pub fn neurons(&self, text: &str) -> Result<Range<usize>> {
        let (network, text) = (&self.setup.config.network, text.trim());
        let excitatory = network.excitatory_neurons();
        let range = match text {
            "excitatory" if network.dale => Some(0..excitatory),
            "inhibitory" if network.dale => Some(excitatory..network.neurons),
            _ => match text.split_once("..") {
                Some((from, to)) => from.parse().ok().zip(to.parse().ok()).map(|(from, to)| from..to),
                None => text.parse().ok().map(|neuron| neuron..neuron + 1),
            },
        };
        let names = if network.dale { ", `excitatory` or `inhibitory`" } else { "" };
        range.ok_or_else(|| {
            Error::Usage(format!("neurons are `{text}`; expected a number, a range such as 10..20{names}"))
        })
    }

    /// Replaces the recurrent weights, biases and connections by those of the same networks in `other`, which may have learnt another
    /// task since; inputs and readout stay.
    ///
    /// # Errors
    /// [`Error::Usage`](crate::Error::Usage) if `other` has other networks, or networks of another size or kind.
    pub fn take_recurrent_weights(&mut self, other: &Checkpoint) -> Result<()> {
        let size = |checkpoint: &Checkpoint| {
            let config = &checkpoint.setup.config;
            (config.train.networks, config.network.neurons)
        };
        let ((networks, neurons), (others, their_neurons)) = (size(self), size(other));
        ensure!(
            (networks, neurons) == (others, their_neurons),
            Usage,
            "the other run has networks {:?} of {their_neurons} neurons; expected {:?} of {neurons}",
            others.range(),
            networks.range()
        );
        let given = &other.plastic.weights;
        let kinds = |weights: &Weights| (weights.b_rec.is_some(), weights.connectivity.is_some());
        ensure!(
            kinds(&self.plastic.weights) == kinds(given),
            Usage,
            "only one of the runs has biases (network.bias_scale), or missing connections (network.connectivity)"
        );
        let weights = &mut self.plastic.weights;
        weights.w_rec = given.w_rec.to_dtype(weights.w_rec.dtype())?;
        weights.b_rec = given.b_rec.as_ref().map(|b_rec| b_rec.to_dtype(weights.w_rec.dtype())).transpose()?;
        weights.connectivity = given.connectivity.clone();
        Ok(())
    }

    /// Silences neurons in every network, like a lesion: their rates no longer reach other neurons or the readout. Their own
    /// activity continues, and is recorded.
    ///
    /// # Errors
    /// [`Error::Usage`](crate::Error::Usage) if a neuron does not exist, if its rate is itself an output, or if fast weights would
    /// carry its rate; [`Error::Tensors`](crate::Error::Tensors) if the device fails.
    pub fn silence(&mut self, neurons: &[usize]) -> Result<()> {
        if neurons.is_empty() {
            return Ok(());
        }
        let (config, weights) = (&self.setup.config, &mut self.plastic.weights);
        let (network, n) = (&config.network, config.network.neurons);
        if let Some(missing) = neurons.iter().find(|neuron| **neuron >= n) {
            bail!(Usage, "neuron {missing} cannot be silenced; expected 0 to {}", n - 1);
        }
        let outputs = &network.output_neurons;
        if let Some(output) =
            neurons.iter().find(|neuron| network.output == Output::Neurons && outputs.contains(neuron))
        {
            bail!(Usage, "neuron {output} cannot be silenced: its rate is an output");
        }
        let fast = config.fast_weights.stage != Stage::None;
        ensure!(!fast, Usage, "neurons of networks with fast weights cannot be silenced: trace.stage is not `none`");
        let mut heard = vec![1f32; n];
        neurons.iter().for_each(|neuron| heard[*neuron] = 0.0);
        let heard = Tensor::new(heard, weights.w_rec.device())?.to_dtype(weights.w_rec.dtype())?;
        weights.w_rec = weights.w_rec.broadcast_mul(&heard)?;
        weights.w_out = weights.w_out.as_ref().map(|w_out| w_out.broadcast_mul(&heard)).transpose()?;
        Ok(())
    }

    /// The places of neighbouring networks that are in the same stage of the curriculum.
    pub(super) fn stage_groups(&self) -> Vec<Range<usize>> {
        let groups = self.stages.chunk_by(|a, b| a.stage == b.stage);
        groups.scan(0, |end, group| Some(std::mem::replace(end, *end + group.len())..*end)).collect()
    }

    /// The networks of all `parts` of a run, in order, on the first part's device.
    pub(crate) fn join(setup: &Setup, mut parts: Vec<Checkpoint>) -> Result<Self> {
        if parts.len() == 1 {
            return Ok(Checkpoint { setup: setup.clone(), ..parts.swap_remove(0) });
        }
        let device = parts[0].plastic.weights.w_rec.device();
        let cat = |name: &'static str, _: &Tensor| {
            let named = parts.iter().filter_map(|part| part.plastic.get(name));
            let host = named.map(|tensor| tensor.to_device(&Device::Cpu)).collect::<candle_core::Result<Vec<_>>>()?;
            Tensor::cat(&host, 0)?.to_device(device)
        };
        Ok(Checkpoint {
            setup: setup.clone(),
            plastic: parts[0].plastic.map(cat)?,
            program: parts[0].program.clone(),
            expected_error: parts.iter().flat_map(|part| part.expected_error.clone()).collect(),
            criterion: parts.iter().flat_map(|part| part.criterion.clone()).collect(),
            stages: parts.iter().flat_map(|part| part.stages.clone()).collect(),
            frozen: parts.iter().flat_map(|part| part.frozen.clone()).collect(),
            criterion_in_doubt: parts.iter().any(|part| part.criterion_in_doubt),
            ..parts[0]
        })
    }
}
