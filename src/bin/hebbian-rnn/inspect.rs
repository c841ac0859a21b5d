//! `hebbian-rnn inspect`.

use crate::args::InspectArgs;
use crate::output::{counted, print_frozen, print_json, print_table, reached};
use crate::read;
use anyhow::{bail, Result};
use candle_core::Device;
use hebbian_rnn::storage::{holds_a_life, layout};
use hebbian_rnn::{Checkpoint, Config, Integrity, LifeCheckpoint, Trainer};
use serde_json::{json, Map};
use std::io::{stdout, Write};

pub fn run(args: InspectArgs) -> Result<()> {
    if holds_a_life(&args.checkpoint) {
        return life(&args);
    }
    let checkpoint = Checkpoint::read(&args.checkpoint, &Device::Cpu)?;
    if args.json {
        print_as_json(&checkpoint)?;
    } else {
        print_as_text(&checkpoint)?;
    }
    match read::change::<Trainer>(&args.checkpoint, &checkpoint) {
        Some(change) => bail!(change),
        None => Ok(()),
    }
}

fn criterion_trials(checkpoint: &Checkpoint) -> impl Iterator<Item = Option<u64>> + '_ {
    checkpoint.criterion.iter().map(|criterion| criterion.reached_at())
}

fn print_as_json(checkpoint: &Checkpoint) -> Result<()> {
    let config = &checkpoint.setup.config();
    let tensors: Map<_, _> = layout(&checkpoint.setup)
        .iter()
        .map(|(name, (dtype, shape))| (name.to_string(), json!({ "dtype": dtype.as_str(), "shape": shape })))
        .collect();
    print_json(&json!({
        "format": checkpoint.format,
        "integrity": checkpoint.integrity,
        "program": checkpoint.program,
        "seed": config.train.seed,
        "updates": checkpoint.updates,
        "trials": checkpoint.trials(),
        "criterion_trials": criterion_trials(checkpoint).collect::<Vec<_>>(),
        "criterion_in_doubt": checkpoint.criterion_in_doubt,
        "stages": checkpoint.stages,
        "frozen": checkpoint.frozen,
        "tensors": tensors,
        "config": config,
    }))
}

fn print_as_text(checkpoint: &Checkpoint) -> Result<()> {
    let Checkpoint { setup, updates, format, program, .. } = checkpoint;
    let Config { rule, train, network, .. } = &setup.config();
    let (task, rule, networks, neurons) = (setup.task().name(), &rule.name, &train.networks, network.neurons);
    let (batch, seed, trials, program) = (train.batch, train.seed, checkpoint.trials(), program.escape_debug());
    let mut out = stdout();
    writeln!(
        out,
        "task {task}, rule {rule}, networks {networks}, {}, {} at a time, seed {seed}",
        counted(neurons as u64, "neuron"),
        counted(batch as u64, "trial")
    )?;
    let (updates, trials) = (counted(*updates, "update"), counted(trials, "trial"));
    writeln!(out, "{updates}, {trials} of each network; format {format}, program {program}")?;
    if let Some(fast_weights) = setup.config().fast_weights.describe() {
        writeln!(out, "{fast_weights}")?;
    }
    let layout = layout(setup);
    let rows = layout.iter();
    let rows = rows.map(|(name, (dtype, shape))| [name.to_string(), dtype.as_str().into(), format!("{shape:?}")]);
    print_table(&["tensor", "type", "shape"], rows, 3)?;
    writeln!(out, "trials to criterion: {}", criterion_trials(checkpoint).map(reached).collect::<Vec<_>>().join(", "))?;
    if checkpoint.criterion_in_doubt {
        writeln!(
            out,
            "the trials to criterion are wrong if this run was ever resumed by an earlier version of this program, which counted the \
             returns of the preceding episodes as 0; metrics.csv has the true returns. To be sure, train again"
        )?;
    }
    if !setup.config().curriculum.is_empty() {
        let stages: Vec<String> = checkpoint.stages.iter().map(|progress| (progress.stage + 1).to_string()).collect();
        let all = setup.config().curriculum.len() + 1;
        writeln!(out, "curriculum stage (of {all}) of each network: {}", stages.join(", "))?;
    }
    print_frozen(train.networks.range().zip(checkpoint.frozen.iter().copied()))?;
    let checksum = match checkpoint.integrity {
        Integrity::Whole => "the checksum matches",
        Integrity::Changed => "the checksum does not match",
        _ => "format 1 has no checksum",
    };
    writeln!(
        out,
        "every tensor has the name, type and shape that the configuration requires, and finite values; {checksum}"
    )?;
    Ok(())
}

/// Shows the populations and projections of lives.
fn life(args: &InspectArgs) -> Result<()> {
    let checkpoint = LifeCheckpoint::read(&args.checkpoint)?;
    let LifeCheckpoint { setup, block, program, integrity, states, .. } = &checkpoint;
    let config = &setup.config();
    if args.json {
        print_json(&json!({ "integrity": integrity, "program": program, "blocks": block, "config": config }))?;
    } else {
        let (life, mut out) = (&config.life, stdout());
        let program = program.escape_debug();
        writeln!(
            out,
            "life {}, networks {}, seed {}, {block} blocks lived; program {program}",
            config.world_name()?,
            life.networks,
            life.seed
        )?;
        let populations = config.populations.iter().zip(setup.models());
        let rows = populations.map(|(p, model)| {
            [p.name.clone(), p.size.to_string(), model.name().into(), format!("{:?}", p.sign).to_lowercase()]
        });
        print_table(&["population", "neurons", "model", "sign"], rows, 4)?;
        let rows = config.projections.iter().enumerate().map(|(k, p)| {
            let synapses = &states[0].synapses[k];
            let n = synapses.weight.len();
            let mean = synapses.weight.iter().sum::<f64>() / n.max(1) as f64;
            let rule = p.rule_name().unwrap_or("fixed").to_string();
            [
                p.name(),
                n.to_string(),
                format!("{mean:.3}"),
                format!("{} to {}", p.w_min, p.w_max),
                format!("{} ms", p.delay_ms),
                rule,
            ]
        });
        writeln!(out)?;
        print_table(&["projection", "synapses", "mean weight", "bounds", "delay", "rule"], rows, 6)?;
        writeln!(out, "\nnumbers of synapses and mean weights are those of the first network")?;
    }
    match integrity {
        Integrity::Changed => {
            bail!("{}: its checksum does not match: it was damaged, or edited by hand", args.checkpoint.display())
        }
        _ => Ok(()),
    }
}
