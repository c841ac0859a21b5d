//! What several tests need.

use candle_core::{Device, Tensor};
use hebbian_rnn::config::Config;
use hebbian_rnn::settings::{resolve, Setting};
use hebbian_rnn::trainer::Trainer;

/// The configuration of `task` with `key=value` settings.
pub fn config(task: &str, settings: &[&str]) -> Config {
    let settings: Vec<Setting> = settings.iter().map(|s| Setting::parse(s).unwrap()).collect();
    resolve(Some(task), &settings).unwrap()
}

/// A trainer on the CPU.
pub fn trainer(task: &str, settings: &[&str]) -> Trainer {
    Trainer::new(config(task, settings), &Device::Cpu).unwrap()
}

/// All values of a tensor, as f64.
pub fn values(tensor: &Tensor) -> Vec<f64> {
    tensor.to_dtype(candle_core::DType::F64).unwrap().flatten_all().unwrap().to_vec1().unwrap()
}

/// Asserts that two lists agree to `tolerance` of the largest value in the second.
pub fn assert_close(found: &[f64], expected: &[f64], tolerance: f64, what: &str) {
    assert_eq!(found.len(), expected.len(), "{what}: lengths");
    let scale = expected.iter().fold(0.0f64, |m, v| m.max(v.abs()));
    assert!(scale > 0.0, "{what}: nothing to compare");
    let worst = found.iter().zip(expected).map(|(f, e)| (f - e).abs()).fold(0.0, f64::max);
    assert!(worst <= tolerance * scale, "{what}: off by {worst:e}, of a largest value {scale:e}");
}

/// A short, small `dnms` that takes milliseconds.
pub const SMALL_DNMS: [&str; 9] = [
    "network.neurons=24",
    "task.steps=60",
    "task.second_stimulus=25",
    "task.stimulus_steps=10",
    "task.response_steps=10",
    "perturbation.probability=0.05",
    "train.batch=8",
    "train.networks=2",
    "train.updates=2",
];

/// [`SMALL_DNMS`] with more settings.
pub fn small_dnms<'a>(more: &[&'a str]) -> Vec<&'a str> {
    SMALL_DNMS.iter().copied().chain(more.iter().copied()).collect()
}
