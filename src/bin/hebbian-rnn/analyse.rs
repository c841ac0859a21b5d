//! `hebbian-rnn analyse`.

use crate::args::AnalyseArgs;
use crate::output::{print, print_json, usage};
use crate::{read, Outcome};
use anyhow::{ensure, Result};
use candle_core::Device;
use hebbian_rnn::{find_analysis, read_metrics, Analysis, Findings, Options, Subject, ANALYSES, METRICS_FILE};
use std::path::{Path, PathBuf};

pub fn run(args: AnalyseArgs) -> Result<Outcome> {
    let asked: Vec<&Analysis> = args.analyses.iter().map(|name| usage(find_analysis(name))).collect::<Result<_>>()?;
    let checkpoint = read::to_run(&args.run, None, &Device::Cpu)?;
    let metrics = Some(args.run.join(METRICS_FILE)).filter(|path| path.is_file());
    let metrics = metrics.map(|path| read_metrics(&path)).transpose()?;
    let subject = Subject { checkpoint: &checkpoint, metrics: metrics.as_deref() };
    let options = Options { trials: args.trials, seed: args.seed.unwrap_or(checkpoint.setup.config.train.seed) };
    let chosen: Vec<&Analysis> =
        if asked.is_empty() { ANALYSES.iter().filter(|a| a.fits(&subject)).collect() } else { asked };
    for analysis in &chosen {
        let reason = analysis.why_not(&subject);
        ensure!(reason.is_none(), "analysis `{}` does not fit: {}", analysis.name, reason.unwrap_or_default());
    }
    let out = folder(&args);
    let mut results = Vec::new();
    for analysis in chosen {
        let findings = analysis.run(&subject, &options)?;
        let files = findings.write(&out)?;
        if args.json {
            results.push(as_json(analysis, &findings, &files));
        } else {
            print_findings(analysis, &findings, &files)?;
        }
    }
    if args.json {
        print_json(&serde_json::json!({
            "task": checkpoint.setup.task.name(), "trials": checkpoint.trials(), "seed": options.seed, "out": out, "analyses": results,
        }))?;
    }
    Ok(Outcome::Done)
}

/// Where results go: `--out`, else `analysis` in the run's folder or beside the checkpoint.
fn folder(args: &AnalyseArgs) -> PathBuf {
    let beside = if args.run.is_dir() { args.run.as_path() } else { args.run.parent().unwrap_or(Path::new("")) };
    args.out.clone().unwrap_or_else(|| beside.join("analysis"))
}

fn as_json(analysis: &Analysis, findings: &Findings, files: &[PathBuf]) -> serde_json::Value {
    let summary: serde_json::Map<_, _> =
        findings.summary.iter().map(|(name, value)| (name.clone(), value.clone().into())).collect();
    serde_json::json!({ "name": analysis.name, "title": analysis.title, "summary": summary, "files": files })
}

fn print_findings(analysis: &Analysis, findings: &Findings, files: &[PathBuf]) -> Result<()> {
    print(analysis.title)?;
    for (name, value) in &findings.summary {
        print(&format!("  {name}: {value}"))?;
    }
    for file in files {
        print(&format!("  {}", file.display()))?;
    }
    Ok(())
}
