//! `hebbian-rnn simulate`.

use crate::args::{Recordable, SimulateArgs};
use crate::output::open_device;
use crate::read;
use anyhow::{ensure, Context, Result};
use hebbian_rnn::{read_inputs, simulate, write_atomically, Record};
use std::io::{stdout, Write};

pub fn run(args: SimulateArgs) -> Result<()> {
    let folder = args.out.parent().filter(|folder| !folder.as_os_str().is_empty());
    ensure!(folder.is_none_or(|folder| folder.is_dir()), "{}: its folder does not exist", args.out.display());
    let device = open_device(&args.device)?;
    let checkpoint = read::to_run(&args.checkpoint, None, &device)?;
    let inputs = read_inputs(&args.inputs, &checkpoint, &device)?;
    let record = Record {
        rates: args.record.contains(&Recordable::Rates),
        activations: args.record.contains(&Recordable::Activations),
        fast_weights: args.record.contains(&Recordable::Trace),
    };
    let seed = args.seed.unwrap_or(checkpoint.setup.config.train.seed);
    let results = simulate(&checkpoint, inputs, record, seed)?;
    let bytes = safetensors::serialize(results.iter().map(|(name, tensor)| (*name, tensor)), None)
        .with_context(|| format!("preparing {}", args.out.display()))?;
    write_atomically(&args.out, &bytes)?;
    for (name, tensor) in &results {
        writeln!(stdout(), "{name} {:?}", tensor.dims())?;
    }
    Ok(())
}
