//! Whole updates of `dnms`: drawing, running and judging trials, and changing the weights.
//!
//! `cargo bench --bench update`. `hebbian-rnn bench` also measures the fraction of the machine's matrix speed that is
//! reached.

use criterion::{criterion_group, criterion_main, BenchmarkId, Criterion, Throughput};
use hebbian_rnn::Trainer;

/// Rule, networks, trials of each network in parallel, neurons.
const CASES: [(&str, u64, u64, i64); 9] = [
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
        let trainer =
            Trainer::builder("dnms").rule(rule).networks(networks).batch(batch).set("network.neurons", neurons);
        let mut trainer = trainer.build().unwrap();
        group.throughput(Throughput::Elements(networks * batch));
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
