//! Small intact files, to be damaged.

use candle_core::Device;
use hebbian_rnn::{Checkpoint, Result, Setting, Setup, Trainer};
use safetensors::tensor::TensorView;
use safetensors::Dtype;

/// The setup of `task` with `key=value` settings.
pub fn setup(task: &str, settings: &[&str]) -> Result<Setup> {
    let settings: Vec<Setting> = settings.iter().map(|s| Setting::parse(s)).collect::<Result<_>>()?;
    Setup::resolve(Some(task), &settings)
}

/// A checkpoint after one update.
pub fn checkpoint(task: &str, settings: &[&str]) -> Checkpoint {
    let mut trainer = Trainer::new(setup(task, settings).unwrap(), &[Device::Cpu]).unwrap();
    trainer.update().unwrap();
    trainer.checkpoint().unwrap()
}

/// Checkpoints that together contain every possible tensor.
pub fn checkpoints() -> Vec<Checkpoint> {
    let small = ["network.neurons=3", "train.batch=2", "train.networks=2"];
    let with = |task, more: &[&str]| checkpoint(task, &[&small, more].concat());
    vec![
        with("echo", &["trace.persistent=true", "network.connectivity=0.5"]),
        with(
            "sequence",
            &["trace.persistent=true", "trace.stage=retroactive", "train.dtype=f64", "train.networks=2..4"],
        ),
        with("echo", &["rule.name=rflo", "network.feedback_scale=0.5"]),
        with("pattern-generation", &["task.steps=6", "rule.name=delta-x"]),
    ]
}

/// A safetensors file with these tensors.
pub fn tensors(entries: &[(&str, Dtype, &[usize], Vec<u8>)]) -> Vec<u8> {
    let views = entries
        .iter()
        .map(|(name, dtype, shape, data)| (*name, TensorView::new(*dtype, shape.to_vec(), data).unwrap()));
    safetensors::serialize(views, None).unwrap()
}

/// The bytes of `n` float32 values.
pub fn floats(n: usize) -> Vec<u8> {
    (0..n).flat_map(|k| (k as f32 * 0.25 - 1.0).to_le_bytes()).collect()
}
