//! `hebbian-rnn simulate`.

use crate::args::{Recordable, SimulateArgs};
use crate::console::warn;
use crate::output::{judged, open_device, usage};
use crate::read;
use anyhow::{anyhow, bail, ensure, Context, Result};
use candle_core::{Device, Tensor};
use clap::ValueEnum;
use hebbian_rnn::engine::Record;
use hebbian_rnn::runs::{read_inputs, record_life, record_trials, write_tensors, LifeRecordOptions, RecordOptions};
use hebbian_rnn::training::{record_update, LIFE_METADATA_KEY, METADATA_KEY};
use hebbian_rnn::{simulate, Checkpoint, LifeCheckpoint, Lives};
use safetensors::tensor::Metadata;
use safetensors::SafeTensors;
use std::collections::BTreeMap;
use std::io::{stdout, Write};
use std::path::Path;

pub fn run(args: SimulateArgs) -> Result<()> {
    let folder = args.out.parent().filter(|folder| !folder.as_os_str().is_empty());
    ensure!(folder.is_none_or(|folder| folder.is_dir()), "{}: its folder does not exist", args.out.display());
    ensure_replaceable(&args)?;
    if let Some(seconds) = args.seconds {
        return of_lives(&args, seconds);
    }
    if let Some(other) = args.record.iter().find(|what| **what == Recordable::Weights) {
        return usage(Err(anyhow!("--record {}: only the weights of lives change; expected --seconds", name(*other))));
    }
    let device = open_device(&args.device)?;
    let mut checkpoint = read::to_run(&args.checkpoint, None, &device)?;
    if args.next_update {
        return write(&args.out, &judged(record_update(&checkpoint))?, &BTreeMap::new());
    }
    read::silence(&mut checkpoint, &args.silence)?;
    let record = Record {
        rates: args.record.contains(&Recordable::Rates),
        activations: args.record.contains(&Recordable::Activations),
        fast_weights: args.record.contains(&Recordable::Trace),
        episodes: false,
    };
    let seed = args.seed.unwrap_or(checkpoint.setup.config().train.seed);
    let (results, metadata) = match (&args.inputs, args.trials) {
        (Some(file), _) => (on_inputs(&checkpoint, file, record, seed, &device)?, BTreeMap::new()),
        (None, trials) => {
            let trials = trials.unwrap_or(1) as usize;
            let options = RecordOptions { trials, types: args.types.clone(), record, seed };
            let recording = judged(record_trials(&checkpoint, &options))?;
            (recording.tensors, recording.metadata)
        }
    };
    write(&args.out, &results, &metadata)
}

/// Records lives.
fn of_lives(args: &SimulateArgs, seconds: f64) -> Result<()> {
    if let Some(other) = args.record.iter().find(|what| **what != Recordable::Weights) {
        return usage(Err(anyhow!(
            "--record {}: of lives, expected weights; activity is always recorded",
            name(*other)
        )));
    }
    let checkpoint = LifeCheckpoint::read(&args.checkpoint)?;
    if let Some(change) = read::change::<Lives>(&args.checkpoint, &checkpoint) {
        warn(format_args!("warning: {change}"));
    }
    let mut options = LifeRecordOptions::default();
    (options.seconds, options.learn, options.membranes) = (seconds, args.learn, args.watch.clone());
    options.weights = args.record.contains(&Recordable::Weights);
    let recording = judged(record_life(&checkpoint, &options))?;
    write(&args.out, &recording.tensors, &recording.metadata)
}

fn name(what: Recordable) -> String {
    what.to_possible_value().map_or(String::new(), |value| value.get_name().to_string())
}

/// Writes the results and prints their shapes.
fn write(out: &Path, results: &BTreeMap<String, Tensor>, metadata: &BTreeMap<String, String>) -> Result<()> {
    write_tensors(out, results, metadata)?;
    for (name, tensor) in results {
        writeln!(stdout(), "{name} {:?}", tensor.dims())?;
    }
    Ok(())
}

/// Runs the networks on the inputs in a file.
fn on_inputs(
    checkpoint: &Checkpoint,
    file: &Path,
    record: Record,
    seed: u64,
    device: &Device,
) -> Result<BTreeMap<String, Tensor>> {
    let inputs = read_inputs(file, checkpoint, device)?;
    let (_, trials, steps, _) = inputs.inputs.dims4()?;
    let results = simulate(checkpoint, inputs, record, seed)?;
    let task = checkpoint.setup.task();
    if task.trials().is_some() && steps != task.steps() {
        let (name, expected) = (task.name(), task.steps());
        warn(format_args!(
            "warning: the inputs are {trials} trials of {steps} steps; trials of `{name}` have {expected}"
        ));
    }
    Ok(results)
}

/// Refuses to replace the inputs or a checkpoint, and other files unless asked to.
fn ensure_replaceable(args: &SimulateArgs) -> Result<()> {
    let out = &args.out;
    if !out.is_file() {
        return Ok(());
    }
    let place = |path: &Path| path.canonicalize().ok();
    let bytes = std::fs::read(out).with_context(|| format!("reading {}", out.display()))?;
    let of_checkpoint = |metadata: &Metadata| {
        let has = |key| metadata.metadata().as_ref().is_some_and(|all| all.contains_key(key));
        has(METADATA_KEY) || has(LIFE_METADATA_KEY)
    };
    let what = match SafeTensors::read_metadata(&bytes) {
        _ if args.inputs.as_deref().is_some_and(|inputs| place(out) == place(inputs)) => {
            "is the input file; choose another name"
        }
        Ok((_, metadata)) if of_checkpoint(&metadata) => "is a checkpoint; choose another name",
        _ if args.force => return Ok(()),
        _ => "already exists; choose another name, or replace it (--force)",
    };
    bail!("--out {} {what}", out.display())
}
