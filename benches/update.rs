//! Whole updates of `dnms`: drawing, running and judging trials, and changing the weights.
//!
//! `cargo bench --bench update`. `hebbian-rnn bench` also measures the fraction of the machine's matrix speed that is
//! reached.

use criterion::{criterion_group, criterion_main, BenchmarkId, Criterion, Throughput};
use hebbian_rnn::Trainer;
use pulp::{Simd, WithSimd};
use std::hint::black_box;

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

/// Reading w_rec of a network of 200 neurons once, as each step of a single trial must: from the L2 cache, if it is larger than L1.
fn reading(c: &mut Criterion) {
    struct Sum<'a>(&'a [f32]);
    impl WithSimd for Sum<'_> {
        type Output = f32;
        #[inline(always)]
        fn with_simd<S: Simd>(self, simd: S) -> f32 {
            let (vectors, _) = S::as_simd_f32s(self.0);
            let mut sums = [simd.splat_f32s(0.0); 8];
            for eight in vectors.chunks_exact(8) {
                for (sum, vector) in sums.iter_mut().zip(eight) {
                    *sum = simd.add_f32s(*sum, *vector);
                }
            }
            let sum = sums.into_iter().reduce(|a, b| simd.add_f32s(a, b)).unwrap_or(sums[0]);
            simd.reduce_sum_f32s(sum)
        }
    }
    let mut group = c.benchmark_group("reading");
    for (name, floats) in [("16 kB", 4096), ("w_rec, 166 kB", 200 * 208)] {
        let values = vec![1.0f32; floats];
        group.throughput(Throughput::Bytes(4 * floats as u64));
        group.bench_function(name, |b| b.iter(|| pulp::Arch::new().dispatch(Sum(black_box(&values)))));
    }
    group.finish();
}

criterion_group! {
    name = benches;
    config = Criterion::default().sample_size(10);
    targets = reading, updates
}
criterion_main!(benches);
