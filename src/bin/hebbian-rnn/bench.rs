//! `hebbian-rnn bench`.

use crate::args::BenchArgs;
use crate::output::{open_device, print_json, print_table};
use anyhow::Result;
use hebbian_rnn::engine::{why_plain, Product};
use hebbian_rnn::runs::{measure_throughput, Throughput};
use hebbian_rnn::Setting;
use std::io::{stdout, Write};

pub fn run(args: BenchArgs) -> Result<()> {
    // All combinations are checked before any is measured.
    let mut setups = Vec::new();
    for &neurons in &args.neurons {
        for &networks in &args.networks {
            for &batch in &args.batch {
                setups.push(args.setup.resolve(vec![
                    Setting::flag("--neurons", "network.neurons", neurons),
                    Setting::flag("--networks", "train.networks", networks),
                    Setting::flag("--batch", "train.batch", batch),
                    Setting::flag("--device", "train.device", args.setup.device.clone()),
                    Setting::flag("--kernels", "train.kernels", args.kernels.clone()),
                ])?);
            }
        }
    }
    let device = open_device(&args.setup.device)?;
    let measure = |setup| measure_throughput(setup, &device, args.updates, args.rounds as usize, args.forward);
    let reports = setups.iter().map(measure).collect::<Result<Vec<_>, _>>()?;
    if args.setup.json {
        return print_json(&reports);
    }
    let row = |r: &Throughput| {
        [
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
    print_table(&header, reports.iter().map(row), 0)?;
    writeln!(stdout(), "{}", conditions(&reports))?;
    match why_plain(&setups[0], &device).filter(|_| !args.forward) {
        Some(why) => Ok(writeln!(stdout(), "{why}")?),
        None => Ok(()),
    }
}

/// The processor, and the matrix products that its kernels used.
fn conditions(reports: &[Throughput]) -> String {
    let mut parts: Vec<String> = reports.iter().take(1).map(|report| report.processor.to_string()).collect();
    for report in reports {
        let product = match report.product {
            Some(Product::Tiles) => "tiles",
            Some(Product::Library) => "the library gemm",
            _ => continue,
        };
        let part = format!("products by {product}: {}", report.product_reason);
        if !parts.contains(&part) {
            parts.push(part);
        }
    }
    parts.join("; ")
}
