//! Question: can two small networks learn to repeat the last bit, without backpropagation, in a few seconds? Answer:
//! yes; both answer correctly at the end, and a checkpoint saves them for later.
//!
//! `cargo run --release --example quickstart`

use candle_core::Device;
use hebbian_rnn::{evaluate, Checkpoint, Trainer};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    // The defaults of a task are complete; change what you like.
    let mut trainer = Trainer::builder("echo").networks(2).updates(500).build()?;
    trainer.train()?;

    // One file holds everything the next update reads.
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("echo.safetensors");
    trainer.checkpoint()?.write(&path)?;

    // Test on fresh trials, with frozen weights.
    let checkpoint = Checkpoint::read(&path, &Device::Cpu)?;
    for score in evaluate(&checkpoint, 200, 1)? {
        let correct = 100.0 * score.fraction_correct;
        println!("network {}: error {:.3}, correct {correct:.0} %", score.network, score.error);
        assert!(score.error < 0.05, "did not learn");
    }
    Ok(())
}
