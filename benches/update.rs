//! Whole updates of `dnms`: drawing trials, running them, judging them, changing weights.
//!
//! `cargo bench --bench update`. For the share of the machine's matrix speed, measured in the same run, use
//! `hebbian-rnn bench`.

use candle_core::Device;
use criterion::{criterion_group, criterion_main, BenchmarkId, Criterion, Throughput};
use hebbian_rnn::settings::{resolve, Setting};
use hebbian_rnn::trainer::Trainer;

/// Rule, networks, trials of each in parallel, neurons.
const CASES: [(&str, usize, usize, usize); 9] = [
    ("delta-x", 1, 1, 200),
    ("delta-x", 1, 16, 200),
    ("delta-x", 1, 64, 200),
    ("delta-x", 2, 64, 200),
    ("node-perturbation", 2, 64, 200),
    ("eh", 2, 64, 200),
    ("delta-x", 1, 64, 50),
    ("delta-x", 1, 64, 100),
    ("delta-x", 1, 64, 400),
];

fn updates(c: &mut Criterion) {
    let mut group = c.benchmark_group("update");
    for (rule, networks, batch, neurons) in CASES {
        let settings = [
            format!("rule.name={rule}"),
            format!("train.networks={networks}"),
            format!("train.batch={batch}"),
            format!("network.neurons={neurons}"),
        ];
        let settings: Vec<Setting> = settings.iter().map(|s| Setting::parse(s).unwrap()).collect();
        let mut trainer = Trainer::new(resolve(Some("dnms"), &settings).unwrap(), &Device::Cpu).unwrap();
        group.throughput(Throughput::Elements((networks * batch) as u64));
        let name = BenchmarkId::new(rule, format!("S{networks}/B{batch}/N{neurons}"));
        group.bench_function(name, |b| b.iter(|| trainer.update().unwrap()));
    }
    group.finish();
}

criterion_group! {
    name = benches;
    config = Criterion::default().sample_size(10);
    targets = updates
}
criterion_main!(benches);
