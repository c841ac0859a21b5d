//! The cost of making, writing and reading a checkpoint, and the checksum's share of it.
//!
//! `cargo bench --bench checkpoint`

use candle_core::Device;
use criterion::{criterion_group, criterion_main, BenchmarkId, Criterion, Throughput};
use hebbian_rnn::{Checkpoint, Setting, Setup, Trainer};
use sha2::{Digest, Sha256};
use std::hint::black_box;

/// Ten networks of 1000 neurons, and the Hebbian traces of 20 networks of 200 with 64 trials each.
const CASES: [(&str, &[&str]); 2] = [
    ("weights", &["network.neurons=1000", "train.networks=10", "train.batch=1"]),
    (
        "traces",
        &["network.neurons=200", "train.networks=20", "train.batch=64", "trace.stage=decay", "trace.persistent=true"],
    ),
];

fn checkpoints(c: &mut Criterion) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("checkpoint.safetensors");
    let mut group = c.benchmark_group("checkpoint");
    for (name, settings) in CASES {
        let settings: Vec<Setting> = settings.iter().map(|s| Setting::parse(s).unwrap()).collect();
        let setup = Setup::resolve(Some("echo"), &settings).unwrap();
        let checkpoint = Trainer::new(setup, &[Device::Cpu]).unwrap().checkpoint().unwrap();
        let file = checkpoint.to_bytes().unwrap();
        let size = format!("{name}, {:.0} MB", file.len() as f64 / 1e6);
        group.throughput(Throughput::Bytes(file.len() as u64));
        let of = |what: &str| BenchmarkId::new(what, &size);
        group.bench_function(of("checksum"), |b| b.iter(|| black_box(Sha256::digest(&file))));
        group.bench_function(of("write"), |b| b.iter(|| checkpoint.write(&path).unwrap()));
        group.bench_function(of("read"), |b| b.iter(|| Checkpoint::from_bytes(&file, &Device::Cpu).unwrap()));
    }
    group.finish();
}

criterion_group! {
    name = benches;
    config = Criterion::default().sample_size(10);
    targets = checkpoints
}
criterion_main!(benches);
