//! The time of a batch of trials, forward only, with the Hebbian trace in each of its forms and without it.
//!
//! `cargo bench --bench trace`. The constants that choose between the forms (`src/engine/cpu/fast_weights/form.rs`)
//! were fitted to these times: subtract the time without a trace, and divide by steps and trials.

use candle_core::Device;
use criterion::{criterion_group, criterion_main, BenchmarkId, Criterion, Throughput};
use hebbian_rnn::engine::Record;
use hebbian_rnn::runs::{draw_fresh, FrozenNetworks};
use hebbian_rnn::{Setting, Setup, Trainer};
use std::hint::black_box;

const TRIALS: usize = 12;

fn traces(c: &mut Criterion) {
    for stage in ["modulated", "oja", "retroactive"] {
        for neurons in [32, 64, 128, 256] {
            for steps in [10, 40, 100, 400] {
                let mut group = c.benchmark_group(format!("{stage}/N{neurons}/T{steps}"));
                group.throughput(Throughput::Elements((TRIALS * steps) as u64));
                for form in ["none", "written", "history", "auto"] {
                    forward(&mut group, stage, neurons, steps, form);
                }
                group.finish();
            }
        }
    }
}

fn forward(
    group: &mut criterion::BenchmarkGroup<criterion::measurement::WallTime>,
    stage: &str,
    neurons: usize,
    steps: usize,
    form: &str,
) {
    let trace = match form {
        "none" => ["trace.stage=none".into(), "rule.name=none".into()],
        _ => [format!("trace.stage={stage}"), format!("trace.form={form}")],
    };
    let sizes = [
        format!("network.neurons={neurons}"),
        format!("task.steps={steps}"),
        format!("train.batch={TRIALS}"),
        "train.networks=1".into(),
        "trace.alpha=1.0".into(),
    ];
    let settings: Vec<Setting> = sizes.iter().chain(&trace).map(|s| Setting::parse(s).unwrap()).collect();
    let setup = Setup::resolve(Some("sequence"), &settings).unwrap();
    let batch = draw_fresh(&setup, 0, TRIALS, 1).unwrap();
    let checkpoint = Trainer::new(setup, &[Device::Cpu]).unwrap().checkpoint().unwrap();
    let mut networks = FrozenNetworks::new(&checkpoint).unwrap();
    group.bench_function(BenchmarkId::from_parameter(form), |b| {
        b.iter(|| black_box(networks.run(&batch, Record::default()).unwrap()))
    });
}

criterion_group! {
    name = benches;
    config = Criterion::default().sample_size(20).measurement_time(std::time::Duration::from_secs(1)).warm_up_time(std::time::Duration::from_millis(300));
    targets = traces
}
criterion_main!(benches);
