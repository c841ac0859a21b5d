//! `hebbian-rnn compare`.

use crate::args::CompareArgs;
use crate::output::{open_device, print, print_json, table, usage};
use crate::Outcome;
use anyhow::{bail, Result};
use hebbian_rnn::{compare_engines, Comparison, Setting, Setup};

pub fn run(args: CompareArgs) -> Result<Outcome> {
    let mut all = vec![
        Setting::flag("--networks", "train.networks", args.networks),
        Setting::flag("--batch", "train.batch", args.batch),
    ];
    all.extend(args.rule.iter().map(|rule| Setting::flag("--rule", "rule.name", rule.clone())));
    for text in &args.set {
        all.push(usage(Setting::parse(text))?);
    }
    let setup = usage(Setup::resolve(Some(&args.task), &all))?;
    let device = open_device(&args.device)?;
    let found = compare_engines(&setup, &device)?;
    if args.json {
        print_json(&found)?;
    } else {
        let row = |c: &Comparison| {
            vec![
                format!("{:?}", c.kernels).to_lowercase(),
                format!("{:.3e}", c.largest),
                format!("{:.1e}", c.worst),
                format!("{:.1e}", c.relative),
                if c.repeats { "yes" } else { "no" }.to_string(),
            ]
        };
        let header = ["kernels", "largest change", "worst difference", "relative", "repeats to the bit"];
        print(&table(&header, found.iter().map(row).collect(), 1).to_string())?;
    }
    let off = |c: &&Comparison| !(c.relative <= args.tolerance && c.repeats);
    if let Some(wrong) = found.iter().find(off) {
        bail!(
            "kernels `{}` on {}: off by {:.1e} of the largest change (allowed: {:.1e}), {}",
            format!("{:?}", wrong.kernels).to_lowercase(),
            args.device,
            wrong.relative,
            args.tolerance,
            if wrong.repeats { "repeating to the bit" } else { "not repeating to the bit" }
        );
    }
    Ok(Outcome::Done)
}
