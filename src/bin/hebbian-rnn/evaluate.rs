//! `hebbian-rnn evaluate`.

use crate::args::EvaluateArgs;
use crate::output::{open_device, print_json, print_scores};
use crate::read;
use anyhow::Result;
use hebbian_rnn::evaluate;
use serde_json::json;
use std::io::{stdout, Write};

pub fn run(args: EvaluateArgs) -> Result<()> {
    let device = open_device(&args.device)?;
    let checkpoint = read::to_run(&args.run, args.task_file.as_deref(), &device)?;
    let (task, trials) = (&checkpoint.setup.task, args.trials);
    let seed = args.seed.unwrap_or(checkpoint.setup.config.train.seed);
    let scores = evaluate(&checkpoint, trials, seed)?;
    if args.json {
        return print_json(&json!({ "task": task.name(), "trials": trials, "seed": seed, "networks": scores }));
    }
    let name = task.name();
    writeln!(stdout(), "{name}: {trials} fresh trials of each network, weights frozen, no perturbation")?;
    print_scores(&scores)?;
    if let Some((error, why)) = task.chance() {
        writeln!(stdout(), "chance: {error} ({why})")?;
    }
    Ok(())
}
