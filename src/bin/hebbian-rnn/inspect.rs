//! `hebbian-rnn inspect`.

use crate::args::InspectArgs;
use crate::output::{print, print_frozen, print_json, table};
use crate::{read, Outcome};
use anyhow::{bail, Result};
use candle_core::Device;
use hebbian_rnn::{layout, Checkpoint, Integrity};

pub fn run(args: InspectArgs) -> Result<Outcome> {
    let checkpoint = Checkpoint::read(&args.checkpoint, &Device::Cpu)?;
    let (config, task) = (&checkpoint.setup.config, &checkpoint.setup.task);
    let layout = layout(&checkpoint.setup);
    let reached: Vec<Option<u64>> = checkpoint.criterion.iter().map(|c| c.reached_at()).collect();
    if args.json {
        let tensors: serde_json::Map<_, _> = layout
            .iter()
            .map(|(name, (dtype, shape))| {
                (name.to_string(), serde_json::json!({ "dtype": dtype.as_str(), "shape": shape }))
            })
            .collect();
        print_json(&serde_json::json!({
            "format": checkpoint.format, "integrity": checkpoint.integrity, "program": checkpoint.program, "seed": config.train.seed, "updates": checkpoint.updates,
            "trials": checkpoint.trials(), "criterion_trials": reached, "frozen": checkpoint.frozen, "tensors": tensors, "config": config,
        }))?;
        return verdict(&args, &checkpoint);
    }
    print(&format!(
        "task {}, rule {}, networks {}, {} neurons, {} trials at a time, seed {}",
        task.name(),
        config.rule.name,
        config.train.networks,
        config.network.neurons,
        config.train.batch,
        config.train.seed
    ))?;
    print(&format!(
        "{} updates, {} trials of each network; format {}, program {}",
        checkpoint.updates,
        checkpoint.trials(),
        checkpoint.format,
        checkpoint.program.escape_debug()
    ))?;
    if let Some(trace) = config.fast_weights.describe() {
        print(&trace)?;
    }
    let rows = layout.iter();
    let rows = rows.map(|(name, (dtype, shape))| vec![name.to_string(), dtype.as_str().into(), format!("{shape:?}")]);
    print(&table(&["tensor", "type", "shape"], rows.collect(), 3).to_string())?;
    let reached: Vec<String> = reached.iter().map(|r| r.map_or("not reached".into(), |t| t.to_string())).collect();
    print(&format!("trials to criterion: {}", reached.join(", ")))?;
    let frozen = config.train.networks.range().zip(&checkpoint.frozen);
    print_frozen(frozen.filter_map(|(network, frozen)| Some((network, (*frozen)?))))?;
    let checksum = match checkpoint.integrity {
        Integrity::Whole => "the checksum fits",
        Integrity::Changed => "the checksum does not fit",
        Integrity::Unknown => "format 1 has no checksum",
    };
    print(&format!(
        "every tensor has the name, type and shape that its configuration calls for, and finite values; {checksum}"
    ))?;
    verdict(&args, &checkpoint)
}

/// A failure where the file is not the one that was written.
fn verdict(args: &InspectArgs, checkpoint: &Checkpoint) -> Result<Outcome> {
    match read::change(&args.checkpoint, checkpoint) {
        Some(change) => bail!(change),
        None => Ok(Outcome::Done),
    }
}
