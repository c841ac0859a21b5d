//! `hebbian-rnn compare`.

use crate::args::CompareArgs;
use crate::output::{open_device, print_json, print_table, yes_no};
use anyhow::{bail, Result};
use hebbian_rnn::runs::{compare_engines, Comparison};
use hebbian_rnn::Setting;

pub fn run(args: CompareArgs) -> Result<()> {
    let setup = args.setup.resolve(vec![
        Setting::flag("--networks", "train.networks", args.networks),
        Setting::flag("--batch", "train.batch", args.batch),
    ])?;
    let device = open_device(&args.setup.device)?;
    let found = compare_engines(&setup, &device)?;
    let kernels = |c: &Comparison| format!("{:?}", c.kernels).to_lowercase();
    if args.setup.json {
        print_json(&found)?;
    } else {
        let row = |c: &Comparison| {
            [
                kernels(c),
                format!("{:.3e}", c.largest),
                format!("{:.1e}", c.worst),
                format!("{:.1e}", c.relative),
                yes_no(c.repeats),
            ]
        };
        let header = ["kernels", "largest change", "worst difference", "relative", "repeats to the bit"];
        print_table(&header, found.iter().map(row), 1)?;
    }
    if let Some(wrong) = found.iter().find(|c| !(c.relative <= args.tolerance && c.repeats)) {
        bail!(
            "kernels `{}` on {}: off by {:.1e} of the largest change (allowed: {:.1e}), {}",
            kernels(wrong),
            args.setup.device,
            wrong.relative,
            args.tolerance,
            if wrong.repeats { "repeating to the bit" } else { "not repeating to the bit" }
        );
    }
    Ok(())
}
