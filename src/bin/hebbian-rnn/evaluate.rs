//! `hebbian-rnn evaluate`.

use crate::args::EvaluateArgs;
use crate::output::{open_device, print, print_json, print_scores};
use crate::read;
use crate::Outcome;
use anyhow::Result;
use hebbian_rnn::evaluate;

pub fn run(args: EvaluateArgs) -> Result<Outcome> {
    let device = open_device(&args.device)?;
    let checkpoint = read::to_run(&args.run, args.task_file.as_deref(), &device)?;
    let task = &checkpoint.setup.task;
    let seed = args.seed.unwrap_or(checkpoint.setup.config.train.seed);
    let scores = evaluate(&checkpoint, args.trials, seed)?;
    if args.json {
        print_json(
            &serde_json::json!({ "task": task.name(), "trials": args.trials, "seed": seed, "networks": scores }),
        )?;
    } else {
        print(&format!(
            "{}: {} fresh trials of each network, weights frozen, no perturbation",
            task.name(),
            args.trials
        ))?;
        print_scores(&scores)?;
        if let Some((error, why)) = task.chance() {
            print(&format!("chance: {error} ({why})"))?;
        }
    }
    Ok(Outcome::Done)
}
