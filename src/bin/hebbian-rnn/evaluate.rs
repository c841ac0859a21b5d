//! `hebbian-rnn evaluate`.

use crate::args::EvaluateArgs;
use crate::output::{open_device, print_json, print_scores, print_types, rounded, usage, Spinner};
use crate::read;
use anyhow::{anyhow, Context, Result};
use hebbian_rnn::runs::name_trials;
use hebbian_rnn::tasks::Problem;
use hebbian_rnn::{evaluate, Own, Setup};
use serde_json::json;
use std::io::{stdout, Write};

pub fn run(args: EvaluateArgs) -> Result<()> {
    let device = open_device(&args.device)?;
    let mut checkpoint = read::to_run(&args.run, args.task_file.as_deref(), &device)?;
    if let Some(run) = &args.recurrent_from {
        let other = read::to_run(run, None, &device)?;
        usage(checkpoint.take_recurrent_weights(&other).context("--recurrent-from"))?;
    }
    read::silence(&mut checkpoint, &args.silence)?;
    let (mut trials, mut what) = (args.trials, name_trials(checkpoint.setup.task(), args.trials));
    if args.all {
        let Some((count, task)) = checkpoint.setup.task().trials().and_then(|task| task.each_once()) else {
            let name = checkpoint.setup.task().name();
            return usage(Err(anyhow!(
                "--all is for trials from a file, but task `{name}` generates its trials; leave out --all"
            )));
        };
        (trials, what) = (count as u64, format!("each of its {count} ready-made trials once"));
        let own = Own { task: Some(Problem::Trials(task)), ..Own::default() };
        checkpoint.setup = Setup::with(checkpoint.setup.config().clone(), own)?;
    }
    let task = &checkpoint.setup.task();
    let seed = args.seed.unwrap_or(checkpoint.setup.config().train.seed);
    let spinner = Spinner::start(format!("running {what}"));
    let scores = evaluate(&checkpoint, trials, seed)?;
    drop(spinner);
    if args.json {
        return print_json(&json!({ "task": task.name(), "trials": trials, "seed": seed, "networks": scores }));
    }
    let name = task.name();
    writeln!(stdout(), "{name}: {what} for each network, weights frozen, no perturbation")?;
    print_scores(&scores)?;
    if let Some((error, why)) = task.chance() {
        writeln!(stdout(), "chance: {} ({why})", rounded(error))?;
    }
    print_types(&scores)?;
    Ok(())
}
