//! Question: can two small networks learn to repeat the last bit, without backpropagation, in a few seconds?
//! Answer: yes; both answer correctly at the end, and a checkpoint carries them on.
//!
//! `cargo run --release --example quickstart`

use candle_core::Device;
use hebbian_rnn::{evaluate, Checkpoint, Trainer};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    // The defaults of a task are complete; change what you like.
    let mut trainer = Trainer::builder("echo").networks(2).updates(500).build()?;
    trainer.train()?;

    // Everything the next update reads is in one file.
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("echo.safetensors");
    trainer.checkpoint()?.write(&path)?;

    // Fresh trials, frozen weights.
    let checkpoint = Checkpoint::read(&path, &Device::Cpu)?;
    for score in evaluate(&checkpoint, 200, 1)? {
        let correct = 100.0 * score.fraction_correct;
        println!("network {}: error {:.3}, correct {correct:.0} %", score.network, score.error);
        assert!(score.error < 0.05, "not learnt");
    }
    Ok(())
}
