//! `hebbian-rnn bench`.

use crate::args::BenchArgs;
use crate::output::{open_device, print, print_json, table, usage};
use crate::Outcome;
use anyhow::Result;
use hebbian_rnn::{measure_throughput, Setting, Setup, Throughput};

pub fn run(args: BenchArgs) -> Result<Outcome> {
    let mut reports = Vec::new();
    // Refuse every wrong value before measuring any.
    let mut setups = Vec::new();
    for &neurons in &args.neurons {
        for &networks in &args.networks {
            for &batch in &args.batch {
                let mut all = vec![
                    Setting::flag("--neurons", "network.neurons", neurons),
                    Setting::flag("--networks", "train.networks", networks),
                    Setting::flag("--batch", "train.batch", batch),
                    Setting::flag("--device", "train.device", args.device.clone()),
                    Setting::flag("--kernels", "train.kernels", args.kernels.clone()),
                ];
                all.extend(args.rule.iter().map(|rule| Setting::flag("--rule", "rule.name", rule.clone())));
                for text in &args.set {
                    all.push(usage(Setting::parse(text))?);
                }
                setups.push(usage(Setup::resolve(Some(&args.task), &all))?);
            }
        }
    }
    let device = open_device(&args.device)?;
    for setup in &setups {
        reports.push(measure_throughput(setup, &device, args.updates, args.rounds, args.forward)?);
    }
    if args.json {
        print_json(&reports)?;
    } else {
        let row = |r: &Throughput| {
            vec![
                r.neurons.to_string(),
                r.networks.to_string(),
                r.batch.to_string(),
                r.threads.to_string(),
                format!("{:.0}", r.trials_per_second),
                format!("{:.3}", r.ms_per_trial),
                format!("{:.0}", r.gflops),
                format!("{:.0}", r.matrix_gflops),
                format!("{:.0} %", 100.0 * r.share),
            ]
        };
        let header =
            ["neurons", "networks", "batch", "threads", "trials/s", "ms/trial", "GFLOP/s", "matrix GFLOP/s", "share"];
        print(&table(&header, reports.iter().map(row).collect(), 0).to_string())?;
    }
    Ok(Outcome::Done)
}
