//! `hebbian-rnn analyse`.

use crate::args::AnalyseArgs;
use crate::output::{print_json, usage, Spinner};
use crate::read;
use anyhow::{bail, Result};
use candle_core::Device;
use hebbian_rnn::analysis::{find_analysis, Analysis, Figure, Findings, Options, Subject, ANALYSES};
use hebbian_rnn::storage::{read_metrics, METRICS_FILE};
use hebbian_rnn::Checkpoint;
use serde_json::{json, Map};
use std::io::{stdout, Write};
use std::path::{Path, PathBuf};

pub fn run(args: AnalyseArgs) -> Result<()> {
    let asked: Vec<&Analysis> = args.analyses.iter().map(|name| usage(find_analysis(name))).collect::<Result<_>>()?;
    let checkpoint = read::to_run(&args.run, None, &Device::Cpu)?;
    let metrics = Some(args.run.join(METRICS_FILE)).filter(|path| path.is_file());
    let metrics = metrics.map(|path| read_metrics(&path)).transpose()?;
    let other = |run: &PathBuf| Ok((run.display().to_string(), read::to_run(run, None, &Device::Cpu)?));
    let others: Vec<(String, Checkpoint)> = args.with.iter().map(other).collect::<Result<_>>()?;
    let subject = Subject { checkpoint: &checkpoint, metrics: metrics.as_deref(), others: &others };
    let options = Options { trials: args.trials, seed: args.seed.unwrap_or(checkpoint.setup.config().train.seed) };
    let chosen: Vec<&Analysis> =
        if asked.is_empty() { ANALYSES.iter().filter(|a| a.fits(&subject)).collect() } else { asked };
    for analysis in &chosen {
        if let Some(reason) = analysis.why_not(&subject) {
            bail!("analysis `{}` does not fit: {reason}", analysis.name);
        }
    }
    // Results are written next to the checkpoint unless --out names a folder.
    let run = if args.run.is_dir() { args.run.as_path() } else { args.run.parent().unwrap_or(Path::new("")) };
    let out = args.out.unwrap_or_else(|| run.join("analysis"));
    let mut results = Vec::new();
    for analysis in chosen {
        let spinner = Spinner::with_log(analysis.title);
        let findings = analysis.run(&subject, &options)?;
        let files = findings.write(&out)?;
        drop(spinner);
        if args.json {
            let figure = |Figure { name, numbers, unit, text, .. }: Figure| {
                let numbers: Map<_, _> = numbers.into_iter().map(|(name, number)| (name, number.into())).collect();
                (name, json!({ "numbers": numbers, "unit": unit, "text": text }))
            };
            let summary: Map<_, _> = findings.summary.into_iter().map(figure).collect();
            results.push(json!({
                "name": analysis.name, "title": analysis.title, "summary": summary, "files": files,
            }));
        } else {
            print_findings(analysis, &findings, &files)?;
        }
    }
    if args.json {
        let (task, trials) = (checkpoint.setup.task().name(), checkpoint.trials());
        print_json(&json!({
            "task": task, "trials": trials, "seed": options.seed, "out": out, "analyses": results,
        }))?;
    }
    Ok(())
}

fn print_findings(analysis: &Analysis, findings: &Findings, files: &[PathBuf]) -> Result<()> {
    writeln!(stdout(), "{}", analysis.title)?;
    for Figure { name, text, .. } in &findings.summary {
        writeln!(stdout(), "  {name}: {text}")?;
    }
    for file in files {
        writeln!(stdout(), "  {}", file.display())?;
    }
    Ok(())
}
