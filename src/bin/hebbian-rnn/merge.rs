//! `hebbian-rnn merge`.

use crate::args::MergeArgs;
use crate::live;
use crate::output::{counted, judged, Spinner};
use crate::results::{draw_and_report, FINAL_TRIALS};
use anyhow::Result;
use hebbian_rnn::storage::{holds_a_life, merge_runs, read_life_rows, METRICS_FILE};
use hebbian_rnn::training::verdicts;
use hebbian_rnn::{evaluate, Lives, Trainer};
use std::io::{stdout, Write};

pub fn run(args: MergeArgs) -> Result<()> {
    if args.runs.first().is_some_and(|run| holds_a_life(run)) {
        return lives(&args);
    }
    let merged = judged(merge_runs::<Trainer>(&args.runs, &args.out, args.force))?;
    let spinner = Spinner::start("testing and drawing the networks");
    let scores = evaluate(&merged, FINAL_TRIALS, merged.setup.config().train.seed)?;
    let written = draw_and_report(&merged, &scores, &args.out, args.log);
    drop(spinner);
    let networks = merged.setup.config().train.networks;
    let mut console = stdout();
    writeln!(
        console,
        "{}: {} of {}, {} of each",
        args.out.display(),
        counted(networks.count() as u64, "network"),
        counted(args.runs.len() as u64, "run"),
        counted(merged.updates, "update")
    )?;
    if !written.is_empty() {
        writeln!(console, "{}", written.join("\n"))?;
    }
    Ok(())
}

fn lives(args: &MergeArgs) -> Result<()> {
    let merged = judged(merge_runs::<Lives>(&args.runs, &args.out, args.force))?;
    let rows = read_life_rows(&args.out.join(METRICS_FILE))?;
    let drawn = live::draw(&args.out, &merged, &rows);
    live::print_life(&args.out, &verdicts(&merged.setup, &rows)?, drawn)
}
